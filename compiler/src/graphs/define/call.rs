//! Functions that every definition can call: elementwise functions, products of matrices, groups of features.

use super::{Term, arithmetic, complain, formulas, matrix, node, over};
use crate::front::functions::{self, Dialect};
use crate::ir::axes::Axes;
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::Value;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Evaluates a call, if the function exists in every definition.
pub(super) fn shared(
    graph: &mut Graph,
    name: &str,
    arguments: &[Term],
    spans: &[Span],
    span: Span,
) -> Option<Result<Term, Diagnostic>> {
    let function = functions::find(name, &[Dialect::Definitions])?;
    if let Err(error) = take(name, arguments, function.most_arguments(), span) {
        return Some(Err(error));
    }
    let operands: Vec<(Term, Span)> = arguments.iter().cloned().zip(spans.iter().copied()).collect();
    if let Some(op) = &function.op {
        return Some(arithmetic::elementwise(graph, op, &operands, span));
    }
    match name {
        "select" => return Some(select(graph, &operands, span)),
        "product" => return Some(matrix::product(graph, &operands, span)),
        "transpose" => return Some(matrix::transpose(graph, &operands, span)),
        "groups" => return Some(over::groups(graph, &operands, span)),
        _ => {}
    }
    let formula = composed(name)?;
    Some(node(graph, &arguments[0], span).map(|(id, axes)| formula(graph, id, axes)))
}

/// Checks the number of arguments.
pub(crate) fn take(name: &str, arguments: &[Term], expected: usize, span: Span) -> Result<(), Diagnostic> {
    if arguments.len() == expected { Ok(()) } else { Err(complain::arity(name, expected, arguments.len(), span)) }
}

type Formula = fn(&mut Graph, Id, Axes) -> Term;

fn composed(name: &str) -> Option<Formula> {
    Some(match name {
        "sigmoid" => |g, a, axes| Term::Node(formulas::sigmoid(g, a), axes),
        "softplus" => |g, a, axes| Term::Node(formulas::softplus(g, a), axes),
        "relu" => |g, a, axes| Term::Node(formulas::relu(g, a), axes),
        "sign" => |g, a, axes| Term::Node(sign(g, a), axes),
        _ => return None,
    })
}

/// `select(s > 0, s, 0.1 * s)`: the second value where the condition holds, else the third one. Both are computed everywhere.
fn select(graph: &mut Graph, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
    if let Term::Known(Value::Bool(known)) = &operands[0].0 {
        return Ok(operands[if *known { 1 } else { 2 }].0.clone());
    }
    let nodes = operands.iter().map(|(term, place)| node(graph, term, *place).map(|(id, axes)| (id, axes, *place)));
    let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    let [condition, yes, no] = nodes[..] else { return Err(complain::arity("select", 3, nodes.len(), span)) };
    let axes = arithmetic::joined(graph, condition, yes, span)?;
    let shape = graph.fitted_shape(condition.0, yes.0).unwrap_or_default();
    let wide = graph.expand(condition.0, &shape);
    let axes = arithmetic::joined(graph, (wide, axes, condition.2), no, span)?;
    let shape = graph.fitted_shape(wide, no.0).unwrap_or_default();
    let wide = graph.expand(wide, &shape);
    Ok(Term::Node(graph.select(wide, yes.0, no.0), axes))
}

/// -1 below zero, else 1.
pub(crate) fn sign(graph: &mut Graph, a: Id) -> Id {
    let zero = graph.constant(0.0);
    let negative = graph.binary(Op::Less, a, zero);
    let (minus, plus) = (graph.constant(-1.0), graph.constant(1.0));
    graph.select(negative, minus, plus)
}
