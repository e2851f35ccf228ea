//! The reference device is compared with the evaluator of graphs, operation by operation.

use super::Candle;
use gmpc_compiler::ir::code::Code;
use gmpc_compiler::ir::experiment::{Contractions, Precision};
use gmpc_compiler::ir::graph::groups::{BINARY, COMPARISONS, UNARY};
use gmpc_compiler::ir::graph::{Graph, Id, Op, Random, Role, State, Tensor, evaluate, verify};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_device::{Device, Numbers, SliceMut, States};
use std::sync::Arc;

const RANDOM: Random = Random { seed: 7, step: 3 };

/// Numbers between -1.5 and 1.5, never 0.
fn numbers(count: usize, salt: usize) -> Vec<f64> {
    (0..count)
        .map(|i| f64::from(u32::try_from((i * 7919 + salt * 104_729 + 13) % 301).unwrap()) / 100.0 - 1.505)
        .collect()
}

/// The largest difference between the reference device and the evaluator over all outputs. Both must agree on which
/// values are NaN.
fn difference(graph: Graph, precision: Precision) -> f64 {
    verify(&graph).unwrap();
    let layout = Arc::new(StateLayout::new(&graph.states));
    let mut states = States::new(Arc::clone(&layout), Numbers::zeros(precision, layout.elements));
    let input_values: Vec<Tensor> = tensors(graph.inputs.iter().map(|i| i.shape.clone()), 1);
    let state_values: Vec<Tensor> = tensors(graph.states.iter().map(|s| s.shape.clone()), 50);
    for (tensor, &offset) in state_values.iter().zip(&layout.offsets) {
        fill(&mut states.data_mut().as_mut(), offset, &tensor.data);
    }
    let expected = evaluate(&graph, &input_values, &state_values, RANDOM);
    // The reference device reads only the graph; a program without code is enough.
    let code = Code::default();
    let program = Program {
        goal: Goal::Predict,
        precision,
        contractions: Contractions::Full,
        batch: 1,
        graph,
        prologue: Graph::default(),
        measures: vec![],
        code,
    };
    let mut run = Candle.load(&Arc::new(program)).unwrap();
    for (i, tensor) in input_values.iter().enumerate() {
        fill(&mut run.input(i), 0, &tensor.data);
    }
    run.run(&mut states, RANDOM).unwrap();
    // Infinities of the same sign are equal, but their difference is NaN.
    let mut worst = 0.0f64;
    for (i, tensor) in expected.iter().enumerate() {
        let found = run.output(i).to_f64();
        assert_eq!(found.len(), tensor.data.len());
        for (a, b) in found.iter().zip(&tensor.data) {
            assert_eq!(a.is_nan(), b.is_nan(), "{a} and {b}");
            worst = worst.max(if a.is_nan() || a == b { 0.0 } else { (a - b).abs() });
        }
    }
    worst
}

fn tensors(shapes: impl Iterator<Item = Vec<usize>>, salt: usize) -> Vec<Tensor> {
    shapes.enumerate().map(|(i, shape)| Tensor { data: numbers(shape.iter().product(), salt + i), shape }).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "rounded once, as the program's precision says")]
fn fill(destination: &mut SliceMut<'_>, offset: usize, data: &[f64]) {
    for (i, &number) in data.iter().enumerate() {
        match destination {
            SliceMut::F32(to) => to[offset + i] = number as f32,
            SliceMut::F64(to) => to[offset + i] = number,
        }
    }
}

fn check(build: impl Fn(&mut Graph) -> Id) {
    for (precision, tolerance) in [(Precision::F64, 1e-12), (Precision::F32, 2e-5)] {
        let mut graph = Graph::default();
        let id = build(&mut graph);
        graph.output("result", id);
        let printed = graph.print(None);
        let worst = difference(graph, precision);
        assert!(worst < tolerance, "{worst:e} in {precision:?}:\n{printed}");
    }
}

#[test]
fn elementwise_operations_agree_with_the_evaluator() {
    for op in UNARY {
        check(|g| {
            let a = g.input("a", vec![3, 5]);
            // Logarithms and roots have no value below 0.
            let any = !matches!(op, Op::Log | Op::Log1p | Op::Sqrt);
            let operand = if any { a } else { g.unary(Op::Abs, a) };
            g.unary(op.clone(), operand)
        });
    }
    for op in BINARY.iter().chain(COMPARISONS).filter(|op| **op != Op::Pow) {
        check(|g| {
            let (a, b) = (g.input("a", vec![4, 6]), g.input("b", vec![4, 6]));
            g.binary(op.clone(), a, b)
        });
        // Equal operands decide between `<` and `<=`.
        check(|g| {
            let a = g.input("a", vec![4, 6]);
            g.binary(op.clone(), a, a)
        });
    }
}

#[test]
fn a_nan_survives_the_larger_of_two() {
    for (op, nan_first) in [(Op::Max, true), (Op::Max, false), (Op::Min, true), (Op::Min, false)] {
        check(|g| {
            let a = g.input("a", vec![4]);
            let nan = g.unary(Op::Log, a); // half of the numbers are negative
            if nan_first { g.binary(op.clone(), nan, a) } else { g.binary(op.clone(), a, nan) }
        });
    }
    check(|g| {
        let a = g.input("a", vec![4, 3]);
        let nan = g.unary(Op::Log, a);
        g.max_over(nan, &[1])
    });
}

#[test]
fn powers_with_whole_exponents_keep_negative_bases() {
    for exponent in [2.0, 3.0, -1.0, 0.0] {
        check(|g| {
            let a = g.input("a", vec![2, 3]);
            let exponent = g.constant(exponent);
            g.binary(Op::Pow, a, exponent)
        });
    }
    check(|g| {
        let (a, b) = (g.input("a", vec![5]), g.input("b", vec![5]));
        let positive = g.unary(Op::Exp, a);
        g.binary(Op::Pow, positive, b)
    });
}

#[test]
fn movement_agrees_with_the_evaluator() {
    check(|g| {
        let a = g.input("a", vec![2, 3, 4]);
        let a = g.transpose(a, &[2, 0, 1]);
        g.reshape(a, &[8, 3])
    });
    check(|g| {
        let (a, b) = (g.input("a", vec![1, 4]), g.input("b", vec![3, 4]));
        g.add(a, b)
    });
    check(|g| {
        let (a, b) = (g.input("a", vec![2, 5]), g.input("b", vec![2, 2]));
        let part = g.slice(a, 1, 1, 3);
        let joined = g.concat(&[part, b, part], 1);
        g.push(Op::Pad { axis: 0, before: 1 }, vec![joined], vec![4, 8])
    });
    check(|g| {
        let (a, b, c) = (g.input("a", vec![3]), g.input("b", vec![3]), g.input("c", vec![3]));
        let less = g.binary(Op::Less, a, b);
        g.select(less, b, c)
    });
}

#[test]
fn reductions_and_products_agree_with_the_evaluator() {
    for axes in [vec![0], vec![1], vec![0, 2]] {
        check(|g| {
            let a = g.input("a", vec![3, 4, 2]);
            g.sum(a, &axes)
        });
        check(|g| {
            let a = g.input("a", vec![3, 4, 2]);
            g.max_over(a, &axes)
        });
    }
    for (transpose_a, transpose_b) in [(false, false), (true, false), (false, true), (true, true)] {
        check(|g| {
            let a = g.input("a", if transpose_a { vec![4, 3] } else { vec![3, 4] });
            let b = g.input("b", if transpose_b { vec![5, 4] } else { vec![4, 5] });
            g.matmul(a, b, transpose_a, transpose_b)
        });
    }
}

#[test]
fn leaves_agree_with_the_evaluator() {
    check(|g| g.push(Op::Uniform { stream: 9 }, vec![], vec![3, 7]));
    check(|g| g.push(Op::Iota(1), vec![], vec![2, 5]));
    check(|g| g.constant(0.25));
}

#[test]
fn hyperspherical_coordinates_agree_with_the_evaluator() {
    for n in [2, 3, 20] {
        check(|g| {
            let theta = g.input("theta", vec![n - 1, 4]);
            g.spherical(theta)
        });
        check(|g| {
            let (theta, gradient) = (g.input("theta", vec![n - 1, 4]), g.input("gradient", vec![n, 4]));
            g.push(Op::SphericalGrad, vec![theta, gradient], vec![n - 1, 4])
        });
    }
}

#[test]
fn states_are_read_before_they_are_written() {
    let mut graph = Graph::default();
    let state = |name: &str| State {
        name: name.into(),
        role: Role::Parameter,
        shape: vec![3],
        file_shape: vec![3],
        transposed: false,
        meaning: gmpc_compiler::ir::axes::Meaning::default(),
    };
    let (first, a) = graph.state(state("a"));
    let (second, b) = graph.state(state("b"));
    // The two states are swapped. A device that writes a before it reads b's source would copy one of them twice.
    graph.write(first, b);
    graph.write(second, a);
    let layout = Arc::new(StateLayout::new(&graph.states));
    let mut states = States::new(Arc::clone(&layout), Numbers::zeros(Precision::F64, layout.elements));
    // States begin at multiples of 16 numbers.
    fill(&mut states.data_mut().as_mut(), 0, &[1.0, 2.0, 3.0]);
    fill(&mut states.data_mut().as_mut(), 16, &[4.0, 5.0, 6.0]);
    let code = Code::default();
    let (goal, precision, prologue) = (Goal::Train, Precision::F64, Graph::default());
    let program = Program {
        goal,
        precision,
        contractions: Contractions::Full,
        batch: 1,
        graph,
        prologue,
        measures: vec![],
        code,
    };
    let mut run = Candle.load(&Arc::new(program)).unwrap();
    run.run(&mut states, RANDOM).unwrap();
    assert_eq!(
        [states.data().get(0), states.data().get(2), states.data().get(16), states.data().get(18)],
        [4.0, 6.0, 1.0, 3.0]
    );
}

#[test]
fn the_first_operation_that_is_not_finite_is_seen() {
    let mut graph = Graph::default();
    let a = graph.input("a", vec![2]);
    let log = graph.unary(Op::Log, a);
    graph.output("log", log);
    let layout = Arc::new(StateLayout::new(&[]));
    let states = States::new(layout, Numbers::zeros(Precision::F32, 0));
    let values = super::trace(&graph, &[Numbers::zeros(Precision::F32, 2)], &states, RANDOM).unwrap();
    assert_eq!(values.iter().map(|v| super::is_finite(v).unwrap()).collect::<Vec<_>>(), [true, false]);
}
