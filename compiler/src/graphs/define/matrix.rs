//! Products of parameters: `product(a, b)` of a `[units, rank]` and a `[rank, inputs]` is a weight.

use super::{Term, complain, node};
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::Graph;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// The matrix product of two parameters of two axes each, which need not be learned. The last axis of the first one and the
/// first axis of the second one, as their definitions write them, have to be the same.
///
/// ```text
/// text    a [units, rank]    b [rank, inputs]    product [units, inputs]
/// graph   a [rank, units]    b [inputs, rank]    product [inputs, units] = b a
/// ```
pub(super) fn product(graph: &mut Graph, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
    let mut nodes = Vec::with_capacity(2);
    for (term, place) in operands {
        let (id, axes) = node(graph, term, *place)?;
        let [outer, inner] = axes.iter().collect::<Vec<_>>()[..] else {
            return Err(no_matrix("product", axes, *place));
        };
        if axes.is_batch() || axes.is_sign() {
            return Err(no_matrix("product", axes, *place));
        }
        nodes.push((id, [outer, inner], *place));
    }
    let [(a, [a_last, a_first], a_place), (b, [b_last, b_first], b_place)] = nodes[..] else {
        return Err(no_matrix("product", Axes::SCALAR, span));
    };
    if a_last != b_first || a_last == Axis::One || graph.shape(a)[0] != graph.shape(b)[1] {
        return Err(differ((a_last, graph.shape(a)[0], a_place), (b_first, graph.shape(b)[1], b_place), span));
    }
    Ok(Term::Node(graph.matmul(b, a, false, false), Axes::new(&[b_last, a_first])))
}

/// The transpose of a parameter of two axes: `[units, inputs]` becomes `[inputs, units]`.
pub(super) fn transpose(graph: &mut Graph, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
    let [(term, place)] = operands else { return Err(complain::arity("transpose", 1, operands.len(), span)) };
    let (id, axes) = node(graph, term, *place)?;
    let [outer, inner] = axes.iter().collect::<Vec<_>>()[..] else { return Err(no_matrix("transpose", axes, *place)) };
    if axes.is_batch() || axes.is_sign() {
        return Err(no_matrix("transpose", axes, *place));
    }
    Ok(Term::Node(graph.transpose(id, &[1, 0]), Axes::new(&[inner, outer])))
}

fn no_matrix(name: &str, axes: Axes, span: Span) -> Diagnostic {
    Diagnostic::error("E0516", format!("`{name}` takes parameters with two axes each"))
        .label(span, axes.description())
        .help("declare them with their axes: `a: [units, rank] = 0`; an input meets a weight in `dot(w, x)`")
}

fn differ(a: (Axis, usize, Span), b: (Axis, usize, Span), span: Span) -> Diagnostic {
    let word = |axis: Axis| axis.word().unwrap_or("nothing");
    Diagnostic::error("E0516", "the axes of a `product` do not meet")
        .label(span, "in this product")
        .label(a.2, format!("its last axis is {}, {}", word(a.0), a.1))
        .label(b.2, format!("its first axis is {}, {}", word(b.0), b.1))
        .help(
            "the last axis of the first one is the first axis of the second one: `[units, rank]` and `[rank, inputs]`",
        )
}
