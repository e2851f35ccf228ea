//! Generated code as text. Cranelift's verifier must accept it.

use super::alike::SEVERAL;
use super::{Code, emit};
use crate::ir::axes::Meaning;
use crate::ir::code::Step;
use crate::ir::experiment::Precision;
use crate::ir::graph::groups::{BINARY, COMPARISONS, UNARY};
use crate::ir::graph::{Graph, Op, Role, State};
use crate::ir::layout::StateLayout;
use crate::lower::fuse::{Epilogues, fuse};
use crate::lower::plan::plan;
use crate::lower::simplify::simplify;
use crate::stage::Made;
use cranelift_codegen::settings::{Flags, builder};
use cranelift_codegen::verify_function;
use insta::assert_snapshot;
use std::collections::BTreeSet;

fn code(precision: Precision, build: impl FnOnce(&mut Graph)) -> Code {
    let mut graph = Graph::default();
    build(&mut graph);
    let kernels = fuse(&simplify(&graph), Epilogues::Inside, precision);
    let code = emit(&kernels, &plan(&kernels, &StateLayout::new(&graph.states)));
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
            for op in UNARY {
                let value = g.unary(op.clone(), x);
                g.output(op.name(), value);
            }
            for op in BINARY.iter().chain(COMPARISONS) {
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

/// Layers with a matrix each, which is scaled; all alike.
fn layers(g: &mut Graph, count: usize) {
    let mut y = g.input("x", vec![3, 8]);
    for layer in 0..count {
        let (name, shape) = (format!("w{layer}"), vec![8, 8]);
        let (index, w) = g.state(State {
            name,
            role: Role::Parameter,
            file_shape: shape.clone(),
            shape,
            transposed: false,
            meaning: Meaning::default(),
        });
        let product = g.matmul(y, w, false, false);
        y = g.unary(Op::Tanh, product);
        let scaled = g.scale(w, -0.5);
        g.write(index, scaled);
    }
    g.output("y", y);
}

fn calls(code: &Code) -> Vec<(usize, usize)> {
    let call = |step: &Step| match step {
        Step::Run { function, addresses, .. } => (*function, addresses.len()),
        Step::MatMul { .. } | Step::Convolve { .. } | Step::Pool { .. } => panic!("no large kernels"),
    };
    code.steps.iter().map(call).collect()
}

#[test]
fn many_layers_share_functions() {
    let code = code(Precision::F32, |g| layers(g, SEVERAL + 1));
    assert_eq!(code.verify(), Ok(()));
    // A product, an activation, an update.
    assert_eq!(code.functions.len(), 3, "{}", code.print(None));
    let calls = calls(&code);
    for function in 0..3 {
        let own: Vec<usize> = calls.iter().filter(|call| call.0 == function).map(|call| call.1).collect();
        assert!(own.len() == SEVERAL + 1 && own.iter().all(|&addresses| addresses > 0), "{calls:?}");
    }
    // Each layer has a matrix of its own.
    let updates = |step: &&Step| matches!(step, Step::Run { addresses, .. } if addresses.len() == 1);
    let updated: BTreeSet<String> = code.steps.iter().filter(updates).map(|step| format!("{step:?}")).collect();
    assert_eq!(updated.len(), SEVERAL + 1, "{:?}", code.steps);
    assert!(code.print(None).contains("; u1:0 at ["), "the steps are told");
}

#[test]
fn few_layers_are_one_function() {
    let code = code(Precision::F32, |g| layers(g, SEVERAL - 1));
    assert_eq!((code.functions.len(), calls(&code)), (1, vec![(0, 0)]));
}

#[test]
fn a_shared_function_without_addresses_is_refused() {
    let mut code = code(Precision::F32, |g| layers(g, SEVERAL));
    let Some(Step::Run { addresses, .. }) = code.steps.first_mut() else { panic!("no function") };
    addresses.clear();
    assert!(code.verify().is_err_and(|rule| rule.contains("with 0 addresses")));
}
