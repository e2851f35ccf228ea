//! What the evaluator leaves out or shares, and that nobody can tell.

use super::*;
use crate::graph::{Op, Output};

/// `x -> 2 x`, `x -> x + x x` and `y -> |y|`.
fn three() -> Graph {
    let mut graph = Graph::default();
    let x = graph.push(Op::Uniform { stream: 0 }, vec![], vec![3]);
    let y = graph.push(Op::Uniform { stream: 1 }, vec![], vec![2, 4]);
    let twice = graph.scale(x, 2.0);
    let square = graph.mul(x, x);
    let sum = graph.add(x, square);
    let size = graph.unary(Op::Abs, y);
    let outputs = [("twice", twice), ("sum", sum), ("size", size)];
    graph.outputs = outputs.map(|(name, id)| Output::Value { name: name.into(), id }).into();
    graph
}

#[test]
fn outputs_of_different_draws_are_computed_apart_with_the_same_result() {
    let graph = three();
    let random = Random { seed: 7, step: 0 };
    let whole = evaluate(&graph, &[], &[], random);
    let x = uniform(&[3], 0, random).data;
    assert_eq!(whole[0].data, x.iter().map(|x| 2.0 * x).collect::<Vec<_>>());
    assert_eq!(whole[1].data, x.iter().map(|x| x + x * x).collect::<Vec<_>>());
    let parts = independent(&graph);
    assert_eq!(parts, [vec![2], vec![0, 1]], "the larger part first");
    for part in parts {
        let mut told = Vec::new();
        evaluate_each(
            &graph,
            &part,
            &[],
            |_| Tensor::default(),
            random,
            |output, value| {
                told.push(output);
                assert_eq!(*value, whole[output]);
            },
        );
        assert_eq!(told, part);
    }
}
