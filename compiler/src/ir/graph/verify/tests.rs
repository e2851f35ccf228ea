//! For each rule of `verify`, a graph that breaks it.

use super::verify;
use crate::ir::axes::Meaning;
use crate::ir::graph::{Graph, Id, Op, Output, Role, State};
use crate::ir::window::Window;

const WINDOW: Window = Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] };

const SAME: Window = Window { kernel: [1, 1], stride: [1, 1], before: [0, 0] };

/// Inputs of several ranks, to be used in wrong ways: `%0` [2, 3], `%1` [3, 4], `%2` [2], `%3` images [1, 4, 4, 3].
fn graph() -> Graph {
    let mut graph = Graph::default();
    for (name, shape) in [("a", vec![2, 3]), ("b", vec![3, 4]), ("c", vec![2]), ("images", vec![1, 4, 4, 3])] {
        graph.input(name, shape);
    }
    graph
}

/// Adds a node to `graph()`. Returns the rule that the graph breaks, as `verify` says it.
fn said(op: Op, inputs: &[u32], shape: &[usize]) -> String {
    let mut graph = graph();
    graph.push(op, inputs.iter().map(|&id| Id(id)).collect(), shape.to_vec());
    let _ = graph.print(None); // prints whatever is broken
    verify(&graph).expect_err("a broken graph")
}

#[test]
fn a_well_formed_graph_is_left_alone() {
    let mut graph = graph();
    let product = graph.matmul(Id(0), Id(1), false, false);
    graph.output("y", product);
    assert_eq!(verify(&graph), Ok(()));
}

#[test]
fn each_rule_of_a_node_catches_what_breaks_it() {
    #[rustfmt::skip] // a rule a line
    let broken: Vec<(&str, Op, &[u32], &[usize])> = vec![
        ("an operand does not stand before its user", Op::Neg, &[4], &[2, 3]),
        ("a leaf has no operands", Op::Const(1.0), &[0], &[]),
        ("unknown input or its shape", Op::Input(9), &[], &[2]),
        ("unknown input or its shape", Op::Input(0), &[], &[2]),
        ("unknown state or its shape", Op::State(0), &[], &[2]),
        ("a constant is a scalar", Op::Const(1.0), &[], &[2]),
        ("no such axis", Op::Iota(1), &[], &[2]),
        ("wrong number of operands", Op::Reshape, &[0, 1], &[6]),
        ("reshape changes the number of elements", Op::Reshape, &[0], &[5]),
        ("not a permutation of the axes", Op::Transpose(vec![0, 0]), &[0], &[2, 2]),
        ("shape does not follow the axes", Op::Transpose(vec![1, 0]), &[0], &[2, 3]),
        ("broadcast changes the rank", Op::Broadcast, &[2], &[4, 2]),
        ("only axes of size 1 are repeated", Op::Broadcast, &[0], &[4, 3]),
        ("other axes stay as they are", Op::Slice { axis: 0, start: 0 }, &[0], &[1, 2]),
        ("slice leaves its operand", Op::Slice { axis: 0, start: 2 }, &[0], &[1, 3]),
        ("other axes stay as they are", Op::Pad { axis: 0, before: 1 }, &[0], &[4, 4]),
        ("operand leaves the padded shape", Op::Pad { axis: 0, before: 3 }, &[0], &[4, 3]),
        ("nothing to join, or no such axis", Op::Concat { axis: 0 }, &[], &[4]),
        ("other axes stay as they are", Op::Concat { axis: 0 }, &[0, 2], &[4, 3]),
        ("parts do not add up", Op::Concat { axis: 0 }, &[0, 0], &[3, 3]),
        ("no such axis", Op::Sum(vec![2]), &[0], &[2, 3]),
        ("reduced axes stay as 1", Op::MaxOver(vec![0]), &[0], &[2, 3]),
        ("matmul of matrices", Op::MatMul { transpose_a: false, transpose_b: false }, &[0, 2], &[2, 2]),
        ("inner sizes differ", Op::MatMul { transpose_a: true, transpose_b: false }, &[0, 1], &[3, 4]),
        ("outer sizes differ", Op::MatMul { transpose_a: false, transpose_b: false }, &[0, 1], &[2, 5]),
        ("a scale or shift that is not one number a channel", Op::Convolve(WINDOW), &[3, 1, 2, 2], &[1, 2, 2, 4]),
        ("images have four axes, filters two", Op::Convolve(WINDOW), &[0, 1], &[1, 2, 2, 4]),
        ("the filters do not fit the channels", Op::Convolve(WINDOW), &[3, 1], &[1, 2, 2, 4]),
        ("the filters do not fit the channels", Op::ConvolveInput(WINDOW), &[3, 1], &[1, 4, 4, 3]),
        ("the filters do not fit the channels", Op::ConvolveWeight(WINDOW), &[3, 3], &[3, 4]),
        ("pooling keeps the channels", Op::MaxPool(WINDOW), &[3], &[1, 2, 2, 4]),
        ("the batch stays, and there is a result", Op::SumPool(WINDOW), &[3], &[2, 2, 2, 3]),
        ("a window lies outside of the image", Op::SumPool(WINDOW), &[3], &[1, 4, 2, 3]),
        ("a gradient has its operand's shape", Op::MaxPoolGrad(SAME), &[3, 3], &[1]),
        ("pooling keeps the channels", Op::SumPoolGrad(WINDOW), &[3], &[1, 8, 8, 4]),
        ("unit vectors have one more row than angles", Op::Spherical, &[0], &[2, 3]),
        ("unit vectors have one more row than angles", Op::SphericalGrad, &[0, 0], &[2, 3]),
        ("unit vectors have one more row than angles", Op::Angles, &[0], &[2, 3]),
        ("an orthogonal matrix has its operand's shape", Op::Orthogonal, &[0], &[3, 2]),
        ("wrong number of operands", Op::Neg, &[0, 0], &[2, 3]),
        ("wrong number of operands", Op::Add, &[0], &[2, 3]),
        ("wrong number of operands", Op::Select, &[0, 0], &[2, 3]),
        ("operands and result share one shape", Op::Add, &[0, 1], &[2, 3]),
    ];
    // `verify` names the node first and the rule last.
    for (rule, op, inputs, shape) in broken {
        let what = format!("{} {inputs:?} : {shape:?}", op.name());
        let said = said(op, inputs, shape);
        assert!(said.ends_with(rule), "{what}: expected `{rule}`, found `{said}`");
    }
}

#[test]
fn outputs_exist_and_states_are_written_once_in_their_shape() {
    let with = |outputs: Vec<Output>| {
        let mut graph = graph();
        let shape = vec![2, 3];
        let (name, role) = ("w".to_string(), Role::Parameter);
        graph.states.push(State {
            name,
            role,
            file_shape: shape.clone(),
            shape,
            transposed: false,
            meaning: Meaning::default(),
        });
        graph.outputs = outputs;
        let _ = graph.print(None);
        verify(&graph)
    };
    let write = |state, id| Output::Write { state, id: Id(id) };
    assert_eq!(with(vec![write(0, 0)]), Ok(()));
    assert!(with(vec![Output::Value { name: "y".into(), id: Id(7) }]).unwrap_err().contains("unknown node %7"));
    assert_eq!(with(vec![write(3, 0)]).unwrap_err(), "write to an unknown state");
    assert_eq!(with(vec![write(0, 1)]).unwrap_err(), "w is [2, 3], its new value [3, 4]");
    assert_eq!(with(vec![write(0, 0), write(0, 0)]).unwrap_err(), "w is written twice");
}
