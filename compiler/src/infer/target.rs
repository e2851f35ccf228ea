//! Do network, loss, metrics and data fit together? And what shape has one target?
//!
//! A loss says what it compares the prediction with, by the annotation of its `target`:
//!
//! | annotation | target | prediction |
//! | --- | --- | --- |
//! | none | numbers, of the prediction's shape | any |
//! | `label` | a class number, shape `[]` | one score a class, two or more |
//! | `binary` | 0 or 1, of the prediction's shape | `[1]` where the data have classes |
//!
//! A metric may also say `class`, which fits labels and 0/1 alike. Two classes and a single output make any loss of
//! numbers usable for classification too.

use crate::experiment::{DataFacts, DataSpec};
use crate::infer::complain;
use crate::module::{Instance, Module};
use crate::net::{Activation, Layer, LayerKind};
use gmpc_grammar::ast::ExprKind;
use gmpc_grammar::diagnostic::Diagnostic;

/// What a loss or a metric compares the prediction with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    Label,
    Binary,
    Class,
}

/// The shape of one target.
///
/// # Errors
/// E033x: what does not fit together.
pub(super) fn check(
    module: &Module,
    facts: Option<&DataFacts>,
    layers: &[Layer],
    output: usize,
) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let Some(layer) = layers.get(output) else { return Ok(Vec::new()) };
    let classes = facts.and_then(|f| f.classes);
    let Some(training) = &module.training else {
        let label = classes.is_some() && layer.shape.iter().product::<usize>() > 1;
        return Ok(if label { Vec::new() } else { layer.shape.clone() });
    };
    let mut errors = Vec::new();
    let form = form(&training.loss);
    let sees = Seen { layer, loss: &training.loss, data: module.experiment.data.as_ref(), facts };
    let target_shape = match form {
        Form::Label => sees.labels(&mut errors),
        Form::Binary => sees.binary(&mut errors),
        Form::Number | Form::Class => sees.numbers(&mut errors),
    };
    if annotation(&training.loss, "prediction") == Some("logits") && ends_in_sigmoid(layer) {
        errors.push(complain::sigmoid_twice(layer, &training.loss));
    }
    for metric in &training.metrics {
        errors.extend(sees.metric(metric, form));
    }
    if errors.is_empty() { Ok(target_shape) } else { Err(errors) }
}

/// What is compared: for messages and shapes.
struct Seen<'a> {
    layer: &'a Layer,
    loss: &'a Instance,
    data: Option<&'a DataSpec>,
    facts: Option<&'a DataFacts>,
}

impl Seen<'_> {
    fn labels(&self, errors: &mut Vec<Diagnostic>) -> Vec<usize> {
        let scores = match self.layer.shape.as_slice() {
            [scores] if *scores > 1 => *scores,
            _ => {
                errors.push(complain::no_scores(self.layer, self.loss));
                return Vec::new();
            }
        };
        match (self.facts, self.data) {
            (Some(DataFacts { classes: None, .. }), Some(data)) => {
                errors.push(complain::needs_classes(self.loss, data));
            }
            (Some(DataFacts { classes: Some(classes), .. }), Some(data)) if *classes != scores => {
                errors.push(complain::outputs_differ(self.layer, data, *classes, "classes"));
            }
            _ => {}
        }
        Vec::new()
    }

    fn binary(&self, errors: &mut Vec<Diagnostic>) -> Vec<usize> {
        if let (Some(facts), Some(data)) = (self.facts, self.data) {
            match facts.classes {
                None => errors.push(complain::needs_classes(self.loss, data)),
                Some(2) if self.layer.shape != [1] => {
                    errors.push(complain::one_score(self.layer, self.loss));
                }
                Some(2) => {}
                Some(classes) => errors.push(complain::too_many_classes(self.loss, data, classes)),
            }
        }
        self.layer.shape.clone()
    }

    fn numbers(&self, errors: &mut Vec<Diagnostic>) -> Vec<usize> {
        if let (Some(facts), Some(data)) = (self.facts, self.data) {
            match facts.classes {
                Some(2) if self.layer.shape == [1] => {}
                Some(classes) => errors.push(complain::compares_numbers(self.loss, data, classes)),
                None if self.layer.shape != [facts.outputs] => {
                    errors.push(complain::outputs_differ(self.layer, data, facts.outputs, "targets"));
                }
                None => {}
            }
        }
        self.layer.shape.clone()
    }

    fn metric(&self, metric: &Instance, loss: Form) -> Option<Diagnostic> {
        let classes = self.facts.map(|f| f.classes.is_some());
        match (form(metric), loss) {
            (Form::Number, Form::Label) => {
                Some(complain::metric_differs(metric, self.loss, "numbers", "class numbers"))
            }
            (Form::Label, Form::Number) => {
                Some(complain::metric_differs(metric, self.loss, "class numbers", "numbers"))
            }
            (Form::Label, Form::Binary) => {
                Some(complain::metric_differs(metric, self.loss, "class numbers", "0 and 1"))
            }
            (Form::Class | Form::Binary, Form::Number) if classes == Some(false) => {
                Some(complain::metric_differs(metric, self.loss, "classes", "numbers"))
            }
            _ => None,
        }
    }
}

fn form(instance: &Instance) -> Form {
    match annotation(instance, "target") {
        Some("label") => Form::Label,
        Some("binary") => Form::Binary,
        Some("class") => Form::Class,
        _ => Form::Number,
    }
}

/// `label` of `target: label`.
fn annotation<'a>(instance: &'a Instance, parameter: &str) -> Option<&'a str> {
    let found = instance.definition.parameters.iter().find(|p| p.name.text == parameter)?;
    match &found.annotation.as_ref()?.node {
        ExprKind::Path(path) => path.parts.first().map(|p| p.text.as_str()),
        _ => None,
    }
}

fn ends_in_sigmoid(layer: &Layer) -> bool {
    match &layer.kind {
        LayerKind::Unit(unit) => unit.activation == Activation::Sigmoid,
        LayerKind::Activation(activation) => *activation == Activation::Sigmoid,
        _ => false,
    }
}
