//! Simplified graphs as text.

use super::{hoist, simplify};
use crate::ir::graph::{Graph, Op, verify};
use insta::assert_snapshot;

fn simplified(build: impl FnOnce(&mut Graph)) -> String {
    let mut graph = Graph::default();
    build(&mut graph);
    let graph = simplify(&graph);
    assert_eq!(verify(&graph), Ok(()), "{}", graph.print(None));
    graph.print(None)
}

#[test]
fn identities_vanish() {
    let text = simplified(|g| {
        let x = g.input("x", vec![4]);
        let (zero, one, two) = (g.constant(0.0), g.constant(1.0), g.constant(2.0));
        let y = g.add(x, zero);
        let y = g.mul(one, y);
        let y = g.unary(Op::Neg, y);
        let y = g.unary(Op::Neg, y);
        let y = g.div(y, two);
        let y = g.mul(y, two);
        g.output("y", y);
    });
    assert_snapshot!(text, @r"
    %0 = input x                             : [4]
    output y = %0
    ");
}

#[test]
fn a_division_by_a_constant_joins_the_factor_before_it() {
    let text = simplified(|g| {
        let x = g.input("x", vec![4]);
        let y = g.scale(x, 6.0);
        let four = g.constant(4.0);
        let y = g.div(y, four);
        g.output("y", y);
    });
    assert_snapshot!(text, @r"
    %0 = input x                             : [4]
    %1 = const 1.5                           : []
    %2 = reshape %1                          : [1]
    %3 = broadcast %2                        : [4]
    %4 = mul %0 %3                           : [4]
    output y = %4
    ");
}

#[test]
fn whole_powers_become_products() {
    let text = simplified(|g| {
        let x = g.input("x", vec![]);
        let (three, half) = (g.constant(3.0), g.constant(0.5));
        let cube = g.binary(Op::Pow, x, three);
        let root = g.binary(Op::Pow, x, half);
        g.output("cube", cube);
        g.output("root", root);
    });
    assert_snapshot!(text, @r"
    %0 = input x                             : []
    %1 = mul %0 %0                           : []
    %2 = mul %1 %0                           : []
    %3 = sqrt %0                             : []
    output cube = %2
    output root = %3
    ");
}

#[test]
fn a_product_with_one_column_is_a_sum() {
    let text = simplified(|g| {
        let (x, w) = (g.input("x", vec![8, 5]), g.input("w", vec![5, 1]));
        let y = g.matmul(x, w, false, false);
        g.output("y", y);
    });
    assert_snapshot!(text, @r"
    %0 = input x                             : [8, 5]
    %1 = input w                             : [5, 1]
    %2 = reshape %1                          : [1, 5]
    %3 = broadcast %2                        : [8, 5]
    %4 = mul %0 %3                           : [8, 5]
    %5 = sum %4 [1]                          : [8, 1]
    output y = %5
    ");
}

#[test]
fn equal_nodes_are_shared_and_broadcasts_postponed() {
    let text = simplified(|g| {
        let (x, b) = (g.input("x", vec![8, 5]), g.input("b", vec![1, 5]));
        let wide = g.expand(b, &[8, 5]);
        let (first, second) = (g.unary(Op::Exp, wide), g.unary(Op::Exp, wide));
        let sum = g.add(first, second);
        let y = g.mul(x, sum);
        g.output("y", y);
    });
    assert_snapshot!(text, @r"
    %0 = input x                             : [8, 5]
    %1 = input b                             : [1, 5]
    %2 = exp %1                              : [1, 5]
    %3 = add %2 %2                           : [1, 5]
    %4 = broadcast %3                        : [8, 5]
    %5 = mul %0 %4                           : [8, 5]
    output y = %5
    ");
}

#[test]
fn scalars_of_the_clock_move_to_the_prologue() {
    let mut g = Graph::default();
    let (x, lr, step) = (g.input("x", vec![3]), g.input("lr", vec![]), g.input("step", vec![]));
    let beta = g.constant(0.9);
    let power = g.binary(Op::Pow, beta, step);
    let one = g.constant(1.0);
    let correction = g.sub(one, power);
    let rate = g.div(lr, correction);
    let y = g.mul(x, rate);
    g.output("y", y);
    let (graph, prologue) = hoist(&simplify(&g));
    assert_eq!((verify(&graph), verify(&prologue)), (Ok(()), Ok(())));
    assert_snapshot!(graph.print(None), @r"
    %0 = input x                             : [3]
    %1 = input scalar.0                      : []
    %2 = reshape %1                          : [1]
    %3 = broadcast %2                        : [3]
    %4 = mul %0 %3                           : [3]
    output y = %4
    ");
    assert_snapshot!(prologue.print(None), @r"
    %0 = input lr                            : []
    %1 = input step                          : []
    %2 = const 0.9                           : []
    %3 = pow %2 %1                           : []
    %4 = const 1                             : []
    %5 = sub %4 %3                           : []
    %6 = div %0 %5                           : []
    output scalar.0 = %6
    ");
}
