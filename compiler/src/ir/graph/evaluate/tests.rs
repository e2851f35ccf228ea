//! The evaluator skips nodes and computes parts of a graph separately. Neither changes a result.

use super::*;
use crate::ir::graph::{Op, Output};

/// A graph with the outputs 2 x, x + x x and |y|. The first two share the draw `x`.
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
    let x = uniform(&[3], 0, random, None).data;
    assert_eq!(whole[0].data, x.iter().map(|x| 2.0 * x).collect::<Vec<_>>());
    assert_eq!(whole[1].data, x.iter().map(|x| x + x * x).collect::<Vec<_>>());
    // The output of `y` has 8 elements, those of `x` have 6 together. A large part that starts last would delay the end.
    let parts = independent(&graph);
    assert_eq!(parts, [vec![2], vec![0, 1]], "the larger part first");
    // A part alone gives exactly the values of the whole graph: a draw depends on its stream, not on what ran before.
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

/// Draws of a weight and of angles, as an initialization makes them: large enough to be cut.
fn wide() -> Graph {
    let (rows, columns) = (70, 2001);
    let mut graph = Graph::default();
    let x = graph.push(Op::Uniform { stream: 3 }, vec![], vec![rows, columns]);
    let small = graph.scale(x, 0.5);
    let first = graph.slice(small, 0, 0, rows - 1);
    let last = graph.slice(small, 0, rows - 1, 1);
    let joined = graph.concat(&[first, last], 0);
    let angles = graph.push(Op::Angles, vec![joined], vec![rows - 1, columns]);
    let length = graph.sum(small, &[0]);
    graph.outputs = [small, angles, length].map(|id| Output::Value { name: String::new(), id }).into();
    graph
}

#[test]
fn columns_of_large_values_are_computed_apart_with_the_same_bits() {
    let (graph, random) = (wide(), Random { seed: 11, step: 0 });
    let whole = evaluate(&graph, &[], &[], random);
    let all = pieces(&graph, &[0, 1, 2]);
    assert!(all.len() > 5, "{}", all.len());
    let mut found: Vec<Vec<f64>> = whole.iter().map(|value| vec![f64::NAN; value.data.len()]).collect();
    for piece in all {
        piece.evaluate(&graph, random, |output, first, part| {
            let (columns, all) = (*part.shape.last().unwrap(), *whole[output].shape.last().unwrap());
            for (row, numbers) in part.data.chunks(columns).enumerate() {
                found[output][row * all + first..][..columns].copy_from_slice(numbers);
            }
        });
    }
    for (found, whole) in found.iter().zip(&whole) {
        assert!(found.iter().zip(&whole.data).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

#[test]
fn values_whose_columns_need_each_other_stay_whole() {
    let mut graph = Graph::default();
    let x = graph.push(Op::Uniform { stream: 0 }, vec![], vec![400, 400]);
    let across = graph.sum(x, &[1]);
    let across = graph.expand(across, &[400, 400]);
    let centred = graph.sub(x, across);
    graph.outputs = vec![Output::Value { name: String::new(), id: centred }];
    assert_eq!(pieces(&graph, &[0]).len(), 1);
    let small = three();
    assert_eq!(pieces(&small, &[0, 1]).len(), 1, "too small to cut");
}
