//! The functions of losses and metrics: means over the batch, and functions of a row of scores.

use crate::front::constant::number;
use crate::front::functions::Dialect;
use crate::graphs::define::call::take;
use crate::graphs::define::cannot_reduce;
use crate::graphs::define::over::{Reduce, Reduction};
use crate::graphs::define::{Builtins, Term, node};
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::Value;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeSet;

/// The most classes of `mean_f1`, which gathers three counts for each.
const MOST_CLASSES: usize = 200;

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
    /// The area under the ROC curve of all rows: the node that stands for it, and the score and truth of each row.
    pub(crate) ranked: Option<(Id, Id)>,
    /// Outputs of the network, which are its classes.
    pub(crate) outputs: usize,
    /// Training rows of each class; empty if they are not known.
    pub(crate) class_rows: Vec<usize>,
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
            "classes" => return Some(self.classes(graph, arguments, span)),
            "area" => return Some(self.area(graph, arguments, span)),
            "mean_f1" => return Some(self.mean_f1(graph, arguments, span)),
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

    /// The area under the ROC curve of two classes: how often a row of class 1 has a higher score than a row of class 0. It needs all
    /// rows at once, so the runtime gathers them. A number that is none stands for it here.
    fn area(&mut self, graph: &mut Graph, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
        take("area", arguments, 2, span)?;
        let [scores, label] = scored("area", arguments, span)?;
        let columns = graph.shape(scores)[1];
        if columns > 2 || graph.shape(label)[1] != 1 {
            return Err(needs_scores("area", span));
        }
        // Of two scores, their difference decides.
        let score = if columns == 1 {
            scores
        } else {
            let [first, second] = [0, 1].map(|class| graph.slice(scores, 1, class, 1));
            graph.sub(second, first)
        };
        let rows = graph.concat(&[score, label], 1);
        let area = graph.constant(0.0);
        self.ranked = Some((area, rows));
        Ok(Term::Node(area, Axes::SCALAR))
    }

    /// The mean over classes of F1 = 2 TP / (predicted + true), over the classes that are predicted or true at all. Counts are
    /// gathered for each class, so that it is exact over any number of batches.
    fn mean_f1(&mut self, graph: &mut Graph, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
        take("mean_f1", arguments, 2, span)?;
        let [scores, label] = scored("mean_f1", arguments, span)?;
        let (rows, columns) = (graph.shape(scores)[0], graph.shape(scores)[1]);
        // A single score decides between two classes by its sign.
        let classes = columns.max(2);
        if graph.shape(label)[1] != 1 || classes > MOST_CLASSES {
            return Err(needs_scores("mean_f1", span));
        }
        let one_hot = |graph: &mut Graph, index: Id| {
            let class = graph.push(Op::Iota(1), vec![], vec![rows, classes]);
            graph.binary(Op::Equal, class, index)
        };
        let predicted = if columns == 1 { above_zero(graph, scores) } else { first_largest(graph, scores) };
        let (predicted, truly) = (one_hot(graph, predicted), one_hot(graph, label));
        let hit = graph.mul(predicted, truly);
        let counts = [hit, predicted, truly].map(|of| graph.sum(of, &[0]));
        let (mut total, mut present) = (graph.constant(0.0), graph.constant(0.0));
        let zero = graph.constant(0.0);
        for class in 0..classes {
            let [hit, predicted, truly] = counts.map(|of| {
                let count = graph.slice(of, 1, class, 1);
                let sum = graph.reshape(count, &[]);
                let mean = graph.scale(sum, 1.0 / rows as f64);
                self.means.push(Mean { sum, mean, span });
                mean
            });
            let both = graph.add(predicted, truly);
            // A class that is neither predicted nor true has no F1: it is left out, and nothing is divided by zero.
            let here = graph.binary(Op::Less, zero, both);
            let (twice, one) = (graph.scale(hit, 2.0), graph.constant(1.0));
            let divisor = graph.select(here, both, one);
            let f1 = graph.div(twice, divisor);
            total = graph.add(total, f1);
            present = graph.add(present, here);
        }
        Ok(Term::Node(graph.div(total, present), Axes::SCALAR))
    }

    /// A number for each class as a row, `[1, classes]`: those of a list, or, for `balanced`, the mean number of rows of a class
    /// divided by its own. A class without rows gets 0.
    fn classes(&self, graph: &mut Graph, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
        take("classes", arguments, 1, span)?;
        let numbers: Vec<f64> = match &arguments[0] {
            Term::Known(Value::List(items)) => items.iter().filter_map(number).collect(),
            Term::Known(Value::Word(word)) if word == "balanced" => self.balanced(),
            _ => vec![],
        };
        if numbers.len() != self.outputs || numbers.iter().any(|weight| *weight < 0.0) {
            return Err(no_weights(self.outputs, span));
        }
        Ok(Term::Node(row(graph, &numbers), Axes::FEATURE))
    }

    fn balanced(&self) -> Vec<f64> {
        if self.class_rows.len() != self.outputs {
            return vec![1.0; self.outputs];
        }
        let mean = self.class_rows.iter().sum::<usize>() as f64 / self.outputs as f64;
        self.class_rows.iter().map(|&rows| if rows == 0 { 0.0 } else { mean / rows as f64 }).collect()
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

/// The scores and the labels of each row, as nodes.
fn scored(name: &str, arguments: &[Term], span: Span) -> Result<[Id; 2], Diagnostic> {
    match *arguments {
        [Term::Node(scores, of_scores), Term::Node(label, of_label)] if of_scores.is_batch() && of_label.is_batch() => {
            Ok([scores, label])
        }
        _ => Err(needs_scores(name, span)),
    }
}

/// `pick(scores, label)` is the score of the label. `rank(scores, label)` is how many classes come before the label: those with
/// a larger score, and those with an equal score and a smaller number. So a network with equal scores for all classes is right
/// for class 0 only. If the score of the label is NaN, the label comes last.
fn labelled(graph: &mut Graph, name: &str, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
    take(name, arguments, 2, span)?;
    let (scores, role) = node(graph, &arguments[0], span)?;
    let (label, label_role) = node(graph, &arguments[1], span)?;
    if !(role.is_batch() || role == Axes::FEATURE) || !label_role.is_batch() || graph.shape(label)[1] != 1 {
        return Err(needs_scores(name, span));
    }
    // A row of weights is the same for every example.
    let shape = vec![graph.shape(label)[0], graph.shape(scores)[1]];
    let scores = graph.expand(scores, &shape);
    let class = graph.push(Op::Iota(1), vec![], shape);
    let right = graph.binary(Op::Equal, class, label);
    let zero = graph.constant(0.0);
    let masked = graph.select(right, scores, zero);
    let picked = graph.sum(masked, &[1]);
    let value = if name == "pick" { picked } else { rank(graph, scores, picked, class, label) };
    Ok(Term::Node(value, label_role.without(&[1])))
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

/// 1 where a single score is above 0, `[rows, 1]`.
fn above_zero(graph: &mut Graph, scores: Id) -> Id {
    let zero = graph.constant(0.0);
    graph.binary(Op::Less, zero, scores)
}

/// The number of the first class with the largest score, `[rows, 1]`; the number of classes where a score is NaN.
fn first_largest(graph: &mut Graph, scores: Id) -> Id {
    let shape = graph.shape(scores).to_vec();
    let (class, none) = (graph.push(Op::Iota(1), vec![], shape.clone()), graph.constant(shape[1] as f64));
    let largest = graph.max_over(scores, &[1]);
    let equal = graph.binary(Op::Equal, scores, largest);
    let numbers = graph.select(equal, class, none);
    let negative = graph.unary(Op::Neg, numbers);
    let smallest = graph.max_over(negative, &[1]);
    graph.unary(Op::Neg, smallest)
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

fn no_weights(classes: usize, span: Span) -> Diagnostic {
    Diagnostic::error("E0578", format!("`classes` takes a weight, 0 or more, for each of the {classes} classes"))
        .label(span, "something else stands here")
        .help("write `weights = balanced`, or a list with a number for each class: `weights = [1, 2.5]`")
}

fn needs_scores(name: &str, span: Span) -> Diagnostic {
    let expected = match name {
        "pick" | "rank" => "the scores of each row and one class number a row",
        "area" => "the scores of each row, of two classes, and one class number a row",
        "mean_f1" => "the scores of each row and one class number a row, of at most 200 classes",
        _ => "the scores of each row",
    };
    Diagnostic::error("E0572", format!("`{name}` takes {expected}"))
        .label(span, "something else stands here")
        .help("give it `prediction`, and `target` where a label is needed")
}
