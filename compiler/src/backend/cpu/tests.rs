//! Generated code as text, and Cranelift's own opinion of it.

use super::{Code, emit};
use crate::experiment::Precision;
use crate::fuse::{Epilogues, fuse};
use crate::graph::{Graph, Op};
use crate::layout::StateLayout;
use crate::plan::plan;
use crate::simplify::simplify;
use cranelift_codegen::settings::{Flags, builder};
use cranelift_codegen::verify_function;
use insta::assert_snapshot;

fn code(precision: Precision, build: impl FnOnce(&mut Graph)) -> Code {
    let mut graph = Graph::default();
    build(&mut graph);
    let kernels = fuse(&simplify(&graph), Epilogues::Inside);
    let code = emit(&kernels, &plan(&kernels, &StateLayout::new(&graph.states), precision), precision);
    for function in &code.functions {
        assert_eq!(verify_function(function, &Flags::new(builder())).map_err(|e| e.to_string()), Ok(()), "{function}");
    }
    code
}

fn text(precision: Precision, build: impl FnOnce(&mut Graph)) -> String {
    code(precision, build).functions.iter().map(ToString::to_string).collect()
}

#[test]
fn a_map_is_vectors_and_a_tail() {
    assert_snapshot!(text(Precision::F32, |g| {
        let x = g.input("x", vec![6]);
        let two = g.scale(x, 2.0);
        let zero = g.constant(0.0);
        let y = g.binary(Op::Max, two, zero);
        g.output("y", y);
    }));
}

#[test]
fn a_row_sum_joins_its_lanes_in_a_fixed_order() {
    assert_snapshot!(text(Precision::F64, |g| {
        let x = g.input("x", vec![3, 5]);
        let square = g.mul(x, x);
        let y = g.sum(square, &[1]);
        g.output("y", y);
    }));
}

#[test]
fn a_product_is_a_call() {
    assert_snapshot!(text(Precision::F32, |g| {
        let (a, b) = (g.input("a", vec![3, 4]), g.input("b", vec![5, 4]));
        let y = g.matmul(a, b, false, true);
        g.output("y", y);
    }));
}

#[test]
fn every_operation_passes_the_verifier() {
    for precision in [Precision::F32, Precision::F64] {
        let code = code(precision, |g| {
            let (x, y) = (g.input("x", vec![3, 7]), g.input("y", vec![3, 7]));
            let unary = [Op::Neg, Op::Abs, Op::Exp, Op::Log, Op::Sqrt, Op::Sin, Op::Cos, Op::Tanh, Op::Erf];
            for op in unary {
                let value = g.unary(op.clone(), x);
                g.output(op.name(), value);
            }
            for op in [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Max, Op::Min, Op::Pow, Op::Less, Op::Equal] {
                let value = g.binary(op.clone(), x, y);
                g.output(op.name(), value);
            }
            let u = g.spherical(x);
            let gradient = g.push(Op::SphericalGrad, vec![x, u], vec![3, 7]);
            let draw = g.push(Op::Uniform { stream: 1 }, vec![], vec![3, 7]);
            let most = g.max_over(x, &[0, 1]);
            for (name, id) in [("u", u), ("gradient", gradient), ("draw", draw), ("most", most)] {
                g.output(name, id);
            }
        });
        assert!(!code.functions.is_empty() && code.random.is_some());
    }
}
