//! The loss and the metrics of a batch, in a form that can be accumulated over batches.
//!
//! ```text
//! sqrt(mean((prediction - target)^2))   =   finish(m) with finish = sqrt and m = mean(…)
//! ```
//!
//! A program outputs the sum over rows of each `mean` over the batch. `finish` is the rest of the definition, a formula of the
//! means. So a measure over many batches is exactly the measure over all their rows, for any batch size.

use super::builtins::{LossBuiltins, Mean};
use super::{Options, TargetScale, row, title};
use crate::front::interpret::Statements;
use crate::front::names::walk;
use crate::graphs::define::{Scope, Term};
use crate::graphs::parameterize::Forward;
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id, Op, Output};
use crate::ir::module::{Instance, Value};
use crate::ir::net::Net;
use crate::ir::program::Measure;
use gmpc_grammar::ast::{Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// Adds measures to a forward graph.
pub(super) struct Measuring<'a> {
    forward: &'a mut Forward,
    outputs: usize,
    target: Id,
    options: &'a Options,
    /// The program trains, so that its rows are not all of one network.
    trains: bool,
    measures: Vec<Measure>,
    /// Nodes with a stopped gradient.
    stopped: BTreeSet<Id>,
}

impl<'a> Measuring<'a> {
    /// `trains`: the program changes the weights.
    pub(super) fn new(forward: &'a mut Forward, net: &Net, target: Id, options: &'a Options, trains: bool) -> Self {
        let outputs = net.layers[net.output].shape.iter().product();
        Measuring { forward, outputs, target, options, trains, measures: vec![], stopped: BTreeSet::new() }
    }

    /// Adds the loss. Returns its value for the batch, which is differentiated.
    pub(super) fn loss(&mut self, loss: &Instance) -> Result<Id, Diagnostic> {
        self.measure("loss", loss, self.forward.prediction, self.target)
    }

    /// Adds all metrics, in the units of the data set.
    pub(super) fn metrics(&mut self, metrics: &[Instance]) -> Result<(), Vec<Diagnostic>> {
        let (mut prediction, mut target) = (self.forward.prediction, self.target);
        if let Some(scale) = &self.options.target_scale
            && !metrics.is_empty()
        {
            prediction = rescale(&mut self.forward.graph, prediction, scale);
            target = rescale(&mut self.forward.graph, target, scale);
        }
        let (mut errors, trains) = (Vec::new(), self.trains);
        for metric in metrics.iter().filter(|metric| !(trains && is_ranked(metric))) {
            errors.extend(self.measure(&metric.name, metric, prediction, target).err());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Returns the measures, and the nodes with a stopped gradient.
    pub(super) fn finish(self) -> (Vec<Measure>, BTreeSet<Id>) {
        (self.measures, self.stopped)
    }

    /// Adds one measure. Returns its value for the batch.
    fn measure(&mut self, name: &str, instance: &Instance, prediction: Id, target: Id) -> Result<Id, Diagnostic> {
        let graph = &mut self.forward.graph;
        let from = graph.nodes.len();
        let rows = graph.shape(prediction)[0];
        // Functions of rows expect `[rows, values]`. A class label has the shape `[rows]` and becomes `[rows, 1]`.
        let prediction = graph.reshape(prediction, &[rows, self.outputs]);
        let values = graph.shape(target).iter().skip(1).product();
        let target = graph.reshape(target, &[rows, values]);
        let class_rows = self.options.class_rows.clone();
        let mut builtins = LossBuiltins { outputs: self.outputs, class_rows, ..LossBuiltins::default() };
        let mut scope = Scope::new(graph, &mut builtins, instance);
        scope.set_node("prediction", prediction, Axes::batch(2, Axis::Features));
        scope.set_node("target", target, Axes::batch(2, Axis::Features));
        scope.set_size("outputs", self.outputs);
        // The body of a metric begins with `better = higher`, which is a binding like any other here.
        for word in ["higher", "lower"] {
            scope.names.insert(word.to_string(), Term::Known(Value::Word(word.to_string())));
        }
        let value = match scope.body(&instance.definition.body)? {
            Term::Node(id, Axes::SCALAR) => id,
            _ => return Err(not_reduced(instance)),
        };
        graph.mark(from, instance.span);
        if let Some((area, rows)) = builtins.ranked {
            return self.ranked((name, instance), value, area, rows);
        }
        let finish = finish(graph, value, &builtins.means, instance)?;
        let sums = builtins.means.iter().enumerate().map(|(i, mean)| output(graph, name, i, mean.sum)).collect();
        self.stopped.append(&mut builtins.stopped);
        self.measures.push(Measure { name: name.to_string(), sums, ranked: None, finish });
        Ok(value)
    }

    /// Adds a measure that is the area under the ROC curve of all rows. Nothing can be computed from it, and it is no loss.
    fn ranked(&mut self, (name, instance): (&str, &Instance), value: Id, area: Id, rows: Id) -> Result<Id, Diagnostic> {
        if value != area || name == "loss" {
            return Err(only_the_area(instance));
        }
        let place = output(&mut self.forward.graph, name, 0, rows);
        let mut finish = Graph::default();
        let input = finish.input("area", vec![]);
        finish.output("value", input);
        self.measures.push(Measure { name: name.to_string(), sums: vec![], ranked: Some(place), finish });
        Ok(value)
    }
}

/// Is the metric the area under a curve of all rows? It calls `area`.
fn is_ranked(metric: &Instance) -> bool {
    let mut found = false;
    walk::expressions(&metric.definition.body, &mut |expr: &Expr| {
        found |= matches!(&expr.node, ExprKind::Call { callee, .. } if callee.to_string() == "area");
    });
    found
}

fn only_the_area(instance: &Instance) -> Diagnostic {
    Diagnostic::error("E0579", format!("{} computes with an area under a curve", title(instance)))
        .label(instance.span, "asked for here")
        .help("a metric may be `area(prediction, target)` alone; it has no gradient, so that no loss can be made of it")
}

/// Computes values times scale plus shift, with one scale and one shift for each output.
pub(super) fn rescale(graph: &mut Graph, values: Id, scale: &TargetScale) -> Id {
    let factor = constant(graph, &scale.scale);
    let shift = constant(graph, &scale.shift);
    let scaled = graph.mul(values, factor);
    graph.add(scaled, shift)
}

fn constant(graph: &mut Graph, numbers: &[f64]) -> Id {
    match numbers {
        [only] => graph.constant(*only),
        _ => row(graph, numbers),
    }
}

/// Adds a sum as an output. Returns its index among the named outputs.
fn output(graph: &mut Graph, name: &str, index: usize, sum: Id) -> usize {
    let place = graph.outputs.iter().filter(|o| matches!(o, Output::Value { .. })).count();
    graph.output(format!("{name}.sum{index}"), sum);
    place
}

/// Returns the formula of a measure's means as a graph of its own: the nodes between the means and the value.
fn finish(graph: &Graph, value: Id, means: &[Mean], instance: &Instance) -> Result<Graph, Diagnostic> {
    check_means(graph, means, instance)?;
    let mut result = Graph::default();
    let mut copies: BTreeMap<Id, Id> = BTreeMap::new();
    for (index, mean) in means.iter().enumerate() {
        let copy = result.input(format!("mean{index}"), vec![]);
        copies.insert(mean.mean, copy);
    }
    // In ascending order, so that operands are copied before their users. The search stops at the means, which are inputs here.
    for id in ancestors(graph, value, means) {
        if copies.contains_key(&id) {
            continue;
        }
        let node = &graph[id];
        // A value that depends on rows without a mean cannot be computed from the sums of several batches.
        if matches!(node.op, Op::Input(_) | Op::State(_)) {
            return Err(not_reduced(instance));
        }
        let inputs = node.inputs.iter().filter_map(|x| copies.get(x).copied()).collect();
        let copy = result.push(node.op.clone(), inputs, node.shape.clone());
        copies.insert(id, copy);
    }
    if means.is_empty() {
        return Err(not_reduced(instance));
    }
    if let Some(copy) = copies.get(&value) {
        result.output("value", *copy);
    }
    Ok(result)
}

/// Checks that no mean depends on another mean: such a measure cannot be accumulated in one pass over the batches.
fn check_means(graph: &Graph, means: &[Mean], instance: &Instance) -> Result<(), Diagnostic> {
    for outer in means {
        let below = ancestors(graph, outer.sum, &[]);
        if let Some(inner) = means.iter().find(|inner| inner.mean != outer.mean && below.contains(&inner.mean)) {
            return Err(nested(instance, outer, inner));
        }
    }
    Ok(())
}

/// Returns a node and all nodes it is computed from, in ascending order. The nodes that `means` are computed from are left out.
fn ancestors(graph: &Graph, id: Id, means: &[Mean]) -> BTreeSet<Id> {
    let mut found = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        if found.insert(id) && !means.iter().any(|m| m.mean == id) {
            open.extend(&graph[id].inputs);
        }
    }
    found
}

fn not_reduced(instance: &Instance) -> Diagnostic {
    let result = instance.definition.body.result.as_ref().map_or(instance.definition.body.span, |r| r.span);
    Diagnostic::error("E0573", format!("{} is not one number for the whole batch", title(instance)))
        .label(result, "its value must come from a `mean` over the batch")
        .label(instance.span, "asked for here")
        .help("wrap what is computed for each row in `mean(…)`")
}

fn nested(instance: &Instance, outer: &Mean, inner: &Mean) -> Diagnostic {
    Diagnostic::error("E0574", format!("{} takes a mean of something that depends on another mean", title(instance)))
        .label(outer.span, "this mean over the batch")
        .label(inner.span, "needs this one first")
        .help("data come in batches, so each mean must be of single rows; expand the formula: var = mean(t^2) - mean(t)^2")
}
