//! Calls that every definition may make: elementwise functions, and reductions of a weight over its fan-in.

use super::{Role, Term, arithmetic, complain, node, reduce};
use crate::graph::{Graph, Id, Op};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Names known here, for "did you mean".
pub(crate) const NAMES: &[&str] = &[
    "abs", "sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "softplus", "relu", "sign", "min", "max", "mean",
    "var", "sum", "norm",
];

/// A call, if its name is known here.
pub(super) fn shared(
    graph: &mut Graph,
    name: &str,
    arguments: &[Term],
    spans: &[Span],
    span: Span,
) -> Option<Result<Term, Diagnostic>> {
    if let Some(op) = simple(name) {
        let operands: Vec<(Term, Span)> = arguments.iter().cloned().zip(spans.iter().copied()).collect();
        let arity = if matches!(op, Op::Max | Op::Min) { 2 } else { 1 };
        return Some(
            take(name, arguments, arity, span).and_then(|()| arithmetic::elementwise(graph, &op, &operands, span)),
        );
    }
    let formula = composed(name)?;
    Some(take(name, arguments, 1, span).and_then(|()| {
        let (id, role) = node(graph, &arguments[0], span)?;
        formula(graph, id, role, span)
    }))
}

/// Is there the right number of arguments?
pub(crate) fn take(name: &str, arguments: &[Term], expected: usize, span: Span) -> Result<(), Diagnostic> {
    if arguments.len() == expected { Ok(()) } else { Err(complain::arity(name, expected, arguments.len(), span)) }
}

fn simple(name: &str) -> Option<Op> {
    Some(match name {
        "abs" => Op::Abs,
        "sqrt" => Op::Sqrt,
        "exp" => Op::Exp,
        "log" => Op::Log,
        "sin" => Op::Sin,
        "cos" => Op::Cos,
        "tanh" => Op::Tanh,
        "max" => Op::Max,
        "min" => Op::Min,
        _ => return None,
    })
}

type Formula = fn(&mut Graph, Id, Role, Span) -> Result<Term, Diagnostic>;

fn composed(name: &str) -> Option<Formula> {
    Some(match name {
        "sigmoid" => |g, a, role, _| Ok(Term::Node(crate::activate::sigmoid(g, a), role)),
        "softplus" => |g, a, role, _| Ok(Term::Node(crate::activate::softplus(g, a), role)),
        "relu" => |g, a, role, _| Ok(Term::Node(crate::activate::relu(g, a), role)),
        "sign" => |g, a, role, _| Ok(Term::Node(sign(g, a), role)),
        "mean" => |g, a, role, span| per_unit("mean", role, span).map(|()| Term::Node(g.mean(a, &[0]), Role::Unit)),
        "sum" => |g, a, role, span| per_unit("sum", role, span).map(|()| Term::Node(g.sum(a, &[0]), Role::Unit)),
        "norm" => {
            |g, a, role, span| per_unit("norm", role, span).map(|()| Term::Node(reduce::norm(g, a, 0), Role::Unit))
        }
        "var" => |g, a, role, span| {
            per_unit("var", role, span)?;
            let mean = g.mean(a, &[0]);
            Ok(Term::Node(reduce::variance(g, a, mean, &[0]), Role::Unit))
        },
        _ => return None,
    })
}

fn per_unit(name: &str, role: Role, span: Span) -> Result<(), Diagnostic> {
    match role {
        Role::Weight | Role::Unit | Role::Angles => Ok(()),
        Role::Scalar | Role::Sign | Role::Batch => Err(complain::cannot_reduce(name, role, span)),
    }
}

/// -1 below zero, else 1.
pub(crate) fn sign(graph: &mut Graph, a: Id) -> Id {
    let zero = graph.constant(0.0);
    let negative = graph.binary(Op::Less, a, zero);
    let (minus, plus) = (graph.constant(-1.0), graph.constant(1.0));
    graph.select(negative, minus, plus)
}
