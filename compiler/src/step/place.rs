//! What a loss or a metric may call: means over the batch, and functions of one row of scores.

use crate::define::call::take;
use crate::define::{Place, Role, Term, node, norm};
use crate::graph::{Graph, Id, Op};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeSet;

/// A `mean` over the batch and the values of each row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    /// Sum over rows of each row's mean, `[]`.
    pub(crate) sum: Id,
    /// `sum` over the number of rows, `[]`.
    pub(crate) mean: Id,
    /// The call.
    pub(crate) span: Span,
}

/// The inside of a loss or a metric.
#[derive(Debug, Default)]
pub(crate) struct LossPlace {
    /// Means taken so far.
    pub(crate) means: Vec<Mean>,
    /// Nodes whose gradient is known to cancel.
    pub(crate) held: BTreeSet<Id>,
}

impl Place for LossPlace {
    fn call(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &[Term],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        let batch = |argument: &Term| match argument {
            Term::Node(id, Role::Batch) => Some(*id),
            _ => None,
        };
        let row_by_row: fn(&mut Self, &mut Graph, Id) -> Id = match (name, arguments) {
            ("mean", [argument]) => return batch(argument).map(|x| Ok(self.mean(graph, x, span))),
            ("sum", [argument]) => return batch(argument).map(|x| Ok(Term::Node(graph.sum(x, &[1]), Role::Batch))),
            ("norm", [argument]) => return batch(argument).map(|x| Ok(Term::Node(norm(graph, x, 1), Role::Batch))),
            ("pick" | "rank", _) => return Some(labelled(graph, name, arguments, span)),
            ("log_sum_exp", _) => Self::log_sum_exp,
            ("softmax", _) => Self::softmax,
            _ => return None,
        };
        Some(take(name, arguments, 1, span).and_then(|()| {
            let x = batch(&arguments[0]).ok_or_else(|| needs_scores(name, span))?;
            Ok(Term::Node(row_by_row(self, graph, x), Role::Batch))
        }))
    }

    fn calls(&self) -> &'static [&'static str] {
        &["log_sum_exp", "softmax", "pick", "rank"]
    }
}

impl LossPlace {
    #[allow(clippy::cast_precision_loss)] // counts stay far below 2^53
    fn mean(&mut self, graph: &mut Graph, x: Id, span: Span) -> Term {
        let (rows, values) = (graph.shape(x)[0], graph.shape(x)[1]);
        let total = graph.sum(x, &[0, 1]);
        let total = graph.reshape(total, &[]);
        let sum = if values == 1 { total } else { graph.scale(total, 1.0 / values as f64) };
        let mean = graph.scale(total, 1.0 / (rows * values) as f64);
        self.means.push(Mean { sum, mean, span });
        Term::Node(mean, Role::Scalar)
    }

    /// The largest score of each row `[rows, 1]`; what it is subtracted from and added to does not depend on it.
    fn largest(&mut self, graph: &mut Graph, x: Id) -> Id {
        let largest = graph.max_over(x, &[1]);
        self.held.insert(largest);
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

/// `pick(scores, label)`: the score of the label. `rank(scores, label)`: how many classes come before it: those with a
/// larger score, and of those with an equal one the ones with a smaller number, so that equal scores are no success. A score
/// that is NaN comes last.
fn labelled(graph: &mut Graph, name: &str, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
    take(name, arguments, 2, span)?;
    let (scores, role) = node(graph, &arguments[0], span)?;
    let (label, label_role) = node(graph, &arguments[1], span)?;
    if role != Role::Batch || label_role != Role::Batch || graph.shape(label)[1] != 1 {
        return Err(needs_scores(name, span));
    }
    let shape = graph.shape(scores).to_vec();
    let class = graph.push(Op::Iota(1), vec![], shape);
    let right = graph.binary(Op::Equal, class, label);
    let zero = graph.constant(0.0);
    let masked = graph.select(right, scores, zero);
    let picked = graph.sum(masked, &[1]);
    let value = if name == "pick" { picked } else { rank(graph, scores, picked, class, label) };
    Ok(Term::Node(value, Role::Batch))
}

/// The number of classes less those that do not come before the right one, itself included.
fn rank(graph: &mut Graph, scores: Id, picked: Id, class: Id, label: Id) -> Id {
    #[allow(clippy::cast_precision_loss)] // a number of classes
    let classes = graph.shape(scores)[1] as f64;
    let smaller = graph.binary(Op::Less, scores, picked);
    let equal = graph.binary(Op::Equal, scores, picked);
    let later = graph.binary(Op::LessEqual, label, class);
    let tied = graph.mul(equal, later);
    let behind = graph.add(smaller, tied);
    let count = graph.sum(behind, &[1]);
    let classes = graph.constant(classes);
    graph.sub(classes, count)
}

/// Known numbers side by side, `[1, n]`.
pub(crate) fn row(graph: &mut Graph, numbers: &[f64]) -> Id {
    let parts: Vec<Id> = numbers.iter().map(|&x| graph.full(x, &[1, 1])).collect();
    if parts.is_empty() { graph.full(0.0, &[1, 0]) } else { graph.concat(&parts, 1) }
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
