//! The functions `relu`, `sigmoid` and `softplus` as graphs: forms that do not overflow for large arguments and have the right
//! gradient at 0.

use crate::ir::graph::{Graph, Id, Op};

/// max(x, 0). If both operands are equal, `Max` sends the gradient to the second one, so relu'(0) = 0.
pub(crate) fn relu(graph: &mut Graph, x: Id) -> Id {
    let zero = graph.constant(0.0);
    graph.binary(Op::Max, x, zero)
}

/// e / (1 + e) below 0, otherwise 1 / (1 + e), with e = exp(-|x|), which never overflows.
pub(crate) fn sigmoid(graph: &mut Graph, x: Id) -> Id {
    let e = exp_of_minus_abs(graph, x);
    let (zero, one) = (graph.constant(0.0), graph.constant(1.0));
    let negative = graph.binary(Op::Less, x, zero);
    let numerator = graph.select(negative, e, one);
    let denominator = graph.add(e, one);
    graph.div(numerator, denominator)
}

/// max(x, 0) + log1p(exp(-|x|)). For very negative x the value is e^x; log(1 + e^x) would round it to 0.
pub(crate) fn softplus(graph: &mut Graph, x: Id) -> Id {
    let zero = graph.constant(0.0);
    let positive = graph.binary(Op::Max, zero, x);
    let e = exp_of_minus_abs(graph, x);
    let log = graph.unary(Op::Log1p, e);
    graph.add(positive, log)
}

/// exp(-|x|), with |x| as max(-x, x). The gradient of `Abs` at 0 is 0, but the gradient of this form is 1, which makes the
/// gradients of the formulas above right at 0.
fn exp_of_minus_abs(graph: &mut Graph, x: Id) -> Id {
    let minus = graph.unary(Op::Neg, x);
    let size = graph.binary(Op::Max, minus, x);
    let minus_size = graph.unary(Op::Neg, size);
    graph.unary(Op::Exp, minus_size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::graph::{Random, Tensor, evaluate};

    /// For very negative x, softplus is e^x. It must not be rounded to 0.
    #[test]
    fn a_softplus_keeps_its_small_values() {
        let mut graph = Graph::default();
        let x = graph.input("x", vec![4]);
        let y = softplus(&mut graph, x);
        graph.output("y", y);
        let input = Tensor { shape: vec![4], data: vec![-700.0, -40.0, 0.0, 40.0] };
        let values = evaluate(&graph, &[input], &[], Random::default());
        let right = [libm::exp(-700.0), libm::exp(-40.0), std::f64::consts::LN_2, 40.0];
        for (value, right) in values[0].data.iter().zip(right) {
            assert!((value - right).abs() <= 1e-15 * right, "{value:e}, not {right:e}");
        }
    }
}
