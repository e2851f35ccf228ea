//! Checks that network, loss, metrics and data fit together, and finds the shape of one target.
//!
//! The annotation of a loss's `target` says what the loss compares the prediction with:
//!
//! | annotation | target | prediction |
//! | --- | --- | --- |
//! | none | numbers, of the prediction's shape | any |
//! | `label` | a class number, shape `[]` | one score a class, two or more |
//! | `binary` | 0 or 1, of the prediction's shape | `[1]` where the data have classes |
//!
//! A metric may also say `class`, which fits both labels and 0/1. With two classes and a single output, any loss of numbers
//! can be used for classification too.

use crate::front::infer::complain;
use crate::ir::experiment::{DataFacts, DataSpec};
use crate::ir::module::{Instance, Module};
use crate::ir::net::{Activation, Arithmetic, Layer, LayerKind, Standard};
use gmpc_grammar::ast::ExprKind;
use gmpc_grammar::diagnostic::Diagnostic;

/// The kind of target that a loss or a metric compares the prediction with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    Label,
    Binary,
    Class,
}

/// Returns the shape of one target; `[]` for a class number.
///
/// # Errors
/// E033x: parts that do not fit together.
pub(super) fn check(
    module: &Module,
    facts: Option<&DataFacts>,
    layers: &[Layer],
    output: usize,
) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let Some(layer) = layers.get(output) else { return Ok(Vec::new()) };
    let classes = facts.and_then(|f| f.classes);
    // Without a `train` block no loss says what a target is. Data with classes and several outputs have labels.
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
    // A loss of logits applies the sigmoid itself. A second one would silently train worse.
    if annotation(&training.loss, "prediction") == Some("logits")
        && let Some(layer) = final_sigmoid(layers, output)
    {
        errors.push(complain::sigmoid_twice(layer, &training.loss));
    }
    for metric in &training.metrics {
        errors.extend(sees.metric(metric, form));
    }
    if errors.is_empty() { Ok(target_shape) } else { Err(errors) }
}

/// The parts that have to fit together.
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

/// Returns the annotation of a parameter: `label` of `target: label`.
fn annotation<'a>(instance: &'a Instance, parameter: &str) -> Option<&'a str> {
    let found = instance.definition.parameters.iter().find(|p| p.name.text == parameter)?;
    match &found.annotation.as_ref()?.node {
        ExprKind::Path(path) => path.parts.first().map(|p| p.text.as_str()),
        _ => None,
    }
}

/// Returns the layer whose sigmoid gives the scores of `output`. Layers between them are allowed if they leave the numbers
/// unchanged (`flatten`, `+ 0`).
fn final_sigmoid(layers: &[Layer], output: usize) -> Option<&Layer> {
    let layer = layers.get(output)?;
    let before = |place: usize| final_sigmoid(layers, *layer.inputs.get(place)?);
    let is = |activation: &Activation, wanted: Standard| activation.standard() == Some(wanted);
    let is_sigmoid = |activation: &Activation| is(activation, Standard::Sigmoid);
    match &layer.kind {
        LayerKind::Unit(unit) => is_sigmoid(&unit.activation).then_some(layer),
        LayerKind::Activation(activation) if is(activation, Standard::Identity) => before(0),
        LayerKind::Flatten | LayerKind::Dropout { .. } | LayerKind::StochasticDepth { .. } => before(0),
        // They choose or repeat numbers, and noise around a probability is still meant as one.
        LayerKind::GlobalMaxPool | LayerKind::Upsample { .. } | LayerKind::Maxout { .. } => before(0),
        LayerKind::Noise { .. } => before(0),
        LayerKind::Activation(activation) => is_sigmoid(activation).then_some(layer),
        LayerKind::Scaled { operation, number, number_first } => {
            // x + 0, x - 0, x * 1, x / 1. But 0 - x and 1 / x change the number.
            let neutral = match operation {
                Arithmetic::Add => *number == 0.0,
                Arithmetic::Subtract => *number == 0.0 && !number_first,
                Arithmetic::Multiply => *number == 1.0,
                Arithmetic::Divide => *number == 1.0 && !number_first,
            };
            if neutral { before(0) } else { None }
        }
        // Only if every part ends in a sigmoid: a mixture of scores and probabilities may be intended.
        LayerKind::Concat => {
            let parts: Option<Vec<&Layer>> = (0..layer.inputs.len()).map(before).collect();
            parts?.first().copied()
        }
        LayerKind::Input | LayerKind::Arithmetic(_) | LayerKind::MaxPool(_) | LayerKind::AvgPool(_) => None,
        LayerKind::GlobalAvgPool | LayerKind::Stage(_) => None,
    }
}
