//! The functions of losses and metrics: means over the batch, and functions of a row of scores.

use crate::front::functions::Dialect;
use crate::graphs::define::call::take;
use crate::graphs::define::cannot_reduce;
use crate::graphs::define::over::{Reduce, Reduction};
use crate::graphs::define::{Builtins, Term, node};
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id, Op};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeSet;

/// A `mean` over all values of the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    /// Sum over rows of the mean of each row, `[]`.
    pub(crate) sum: Id,
    /// `sum` divided by the number of rows, `[]`.
    pub(crate) mean: Id,
    /// The call.
    pub(crate) span: Span,
}

/// The functions of a loss or a metric.
#[derive(Debug, Default)]
pub(crate) struct LossBuiltins {
    /// The means over the batch so far.
    pub(crate) means: Vec<Mean>,
    /// Nodes with a stopped gradient, because it is known to cancel.
    pub(crate) stopped: BTreeSet<Id>,
}

impl Builtins for LossBuiltins {
    fn stop(&mut self, id: Id) {
        self.stopped.insert(id);
    }

    fn call(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &[Term],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        let row_by_row: fn(&mut Self, &mut Graph, Id) -> Id = match name {
            "pick" | "rank" => return Some(labelled(graph, name, arguments, span)),
            "log_sum_exp" => Self::log_sum_exp,
            "softmax" => Self::softmax,
            _ => return None,
        };
        // A softmax over weights or scalars has no meaning: the functions below need one row of scores for each example.
        Some(take(name, arguments, 1, span).and_then(|()| match &arguments[0] {
            Term::Node(x, axes) if axes.is_batch() => {
                let value = row_by_row(self, graph, *x);
                let axes = if name == "softmax" { *axes } else { axes.without(&[1]) };
                Ok(Term::Node(value, axes))
            }
            _ => Err(needs_scores(name, span)),
        }))
    }

    /// `mean` is over the batch and the outputs, `sum` and the like are of each row. Named axes are those of a row, or all of
    /// them: a mean over the rows alone cannot be added up batch by batch.
    fn reduce(&mut self, graph: &mut Graph, call: &Reduce<'_>) -> Option<Result<Term, Diagnostic>> {
        if !call.axes.is_batch() {
            return None;
        }
        let places = match (call.over, call.what) {
            (None, Reduction::Mean) => return Some(Ok(self.mean(graph, call.id, call.span))),
            // Without axes the values of a row are reduced, if there are any left.
            (None, _) => match call.axes.places(|axis| axis == Axis::Features) {
                places if places.is_empty() => {
                    return Some(Err(cannot_reduce(call.what, call.axes, call.argument, call.span)));
                }
                places => places,
            },
            (Some(_), _) => match call.places() {
                Ok(places) => places,
                Err(error) => return Some(Err(error)),
            },
        };
        let kept = call.axes.without(&places);
        let over_rows = !kept.is_batch();
        Some(match call.what {
            Reduction::Mean if over_rows && !kept.has(Axis::Features) => Ok(self.mean(graph, call.id, call.span)),
            _ if over_rows => Err(over_the_rows(call)),
            _ => Ok(call.apply(graph, &places)),
        })
    }

    fn dialects(&self) -> &'static [Dialect] {
        &[Dialect::Measures, Dialect::Definitions]
    }
}

impl LossBuiltins {
    fn mean(&mut self, graph: &mut Graph, x: Id, span: Span) -> Term {
        let (rows, values) = (graph.shape(x)[0], graph.shape(x)[1]);
        let total = graph.sum(x, &[0, 1]);
        let total = graph.reshape(total, &[]);
        let sum = if values == 1 { total } else { graph.scale(total, 1.0 / values as f64) };
        let mean = graph.scale(total, 1.0 / (rows * values) as f64);
        self.means.push(Mean { sum, mean, span });
        Term::Node(mean, Axes::SCALAR)
    }

    /// Adds the largest score of each row, `[rows, 1]`. Its gradient is stopped: the formulas below subtract it against overflow,
    /// and their results do not depend on it.
    fn largest(&mut self, graph: &mut Graph, x: Id) -> Id {
        let largest = graph.max_over(x, &[1]);
        self.stopped.insert(largest);
        largest
    }

    /// log sum exp over the scores of each row, `[rows, 1]`, without overflow
    fn log_sum_exp(&mut self, graph: &mut Graph, x: Id) -> Id {
        let largest = self.largest(graph, x);
        let shifted = graph.sub(x, largest);
        let exp = graph.unary(Op::Exp, shifted);
        let sum = graph.sum(exp, &[1]);
        let log = graph.unary(Op::Log, sum);
        graph.add(log, largest)
    }

    /// Probabilities of each row, `[rows, scores]`
    fn softmax(&mut self, graph: &mut Graph, x: Id) -> Id {
        let largest = self.largest(graph, x);
        let shifted = graph.sub(x, largest);
        let exp = graph.unary(Op::Exp, shifted);
        let sum = graph.sum(exp, &[1]);
        graph.div(exp, sum)
    }
}

/// `pick(scores, label)` is the score of the label. `rank(scores, label)` is how many classes come before the label: those with
/// a larger score, and those with an equal score and a smaller number. So a network with equal scores for all classes is right
/// for class 0 only. If the score of the label is NaN, the label comes last.
fn labelled(graph: &mut Graph, name: &str, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
    take(name, arguments, 2, span)?;
    let (scores, role) = node(graph, &arguments[0], span)?;
    let (label, label_role) = node(graph, &arguments[1], span)?;
    if !role.is_batch() || !label_role.is_batch() || graph.shape(label)[1] != 1 {
        return Err(needs_scores(name, span));
    }
    let shape = graph.shape(scores).to_vec();
    let class = graph.push(Op::Iota(1), vec![], shape);
    let right = graph.binary(Op::Equal, class, label);
    let zero = graph.constant(0.0);
    let masked = graph.select(right, scores, zero);
    let picked = graph.sum(masked, &[1]);
    let value = if name == "pick" { picked } else { rank(graph, scores, picked, class, label) };
    Ok(Term::Node(value, role.without(&[1])))
}

/// Subtracts the classes that do not come before the label (itself included) from the number of classes. Counting them instead of
/// those before it makes every comparison with NaN count against the network.
fn rank(graph: &mut Graph, scores: Id, picked: Id, class: Id, label: Id) -> Id {
    let classes = graph.shape(scores)[1] as f64;
    let smaller = graph.binary(Op::Less, scores, picked);
    let equal = graph.binary(Op::Equal, scores, picked);
    let later = graph.binary(Op::LessEqual, label, class);
    let tied = graph.mul(equal, later);
    let not_before = graph.add(smaller, tied);
    let count = graph.sum(not_before, &[1]);
    let classes = graph.constant(classes);
    graph.sub(classes, count)
}

/// Adds a row of known numbers, `[1, n]`.
pub(crate) fn row(graph: &mut Graph, numbers: &[f64]) -> Id {
    let parts: Vec<Id> = numbers.iter().map(|&x| graph.full(x, &[1, 1])).collect();
    if parts.is_empty() { graph.full(0.0, &[1, 0]) } else { graph.concat(&parts, 1) }
}

fn over_the_rows(call: &Reduce<'_>) -> Diagnostic {
    let word = call.what.word();
    Diagnostic::error("E0519", format!("`{word}` over the rows of a batch is no measure of single rows"))
        .label(call.span, "reduces the rows")
        .label(call.argument, call.axes.description())
        .help("data come in batches: take a `mean` over batch and features, or reduce each row: `over = features`")
}

fn needs_scores(name: &str, span: Span) -> Diagnostic {
    let expected = match name {
        "pick" | "rank" => "the scores of each row and one class number a row",
        _ => "the scores of each row",
    };
    Diagnostic::error("E0572", format!("`{name}` takes {expected}"))
        .label(span, "something else stands here")
        .help("give it `prediction`, and `target` where a label is needed")
}
