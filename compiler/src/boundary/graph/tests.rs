//! The recorded graph gives what folding gives, and is small.

use super::*;
use crate::boundary::{Boundary, effective};
use crate::convert::{Tensors, to_file};
use crate::graph::{Output, Random, Tensor, evaluate, verify};
use crate::simplify::simplify;
use crate::testing::{network, told};

fn states(module: &Module, net: &Net) -> (Vec<crate::graph::State>, Vec<Tensor>) {
    let first = crate::initialization(module, net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let mut values = crate::gradcheck::first_states(&first, 3);
    for (place, value) in values.iter_mut().enumerate() {
        let constant = first.states[place].role == crate::graph::Role::Constant;
        for (i, x) in value.data.iter_mut().enumerate().filter(|_| !constant) {
            *x += 0.3 * (1.1 * (place * 13 + i) as f64).sin();
        }
    }
    (first.states, values)
}

fn agree(param: &str, inputs: usize) {
    let (module, net) = network(&format!(
        "param = {param}
         model m(input: [{inputs}]) {{ input -> dense(4) as a -> relu -> dense(3) -> relu -> linear(1) }}
         train {{ loss = mse  optimizer = adam(lr = 0.1) }}"
    ));
    let (list, values) = states(&module, &net);
    let graph = super::graph(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    assert_eq!(verify(&graph), Ok(()), "{}", graph.print(None));
    let found = evaluate(&graph, &[], &values, Random::default()).remove(0);
    assert_eq!(found.shape, [inputs + 1, 4]);
    let tensors: Tensors = list.iter().zip(&values).map(|(s, v)| (s.name.clone(), to_file(s, v))).collect();
    let layer = first_layers(&net)[0].layer;
    let folded = effective(&net, layer, &tensors).unwrap().expect("a unit layer");
    for unit in 0..4 {
        let Boundary { direction, offset } = folded.boundary(unit).expect("weights that are not zero");
        let column: Vec<f64> = (0..=inputs).map(|i| found.data[i * 4 + unit]).collect();
        for (a, b) in column.iter().zip(direction.iter().chain([&offset])) {
            assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{param}, {inputs} inputs, unit {unit}: {a} is not {b}");
        }
    }
}

#[test]
fn the_graph_gives_the_folded_boundaries_of_every_parameterization() {
    for inputs in [1, 2, 5] {
        for param in ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"] {
            agree(param, inputs);
        }
    }
}

#[test]
fn a_parameterization_of_a_user_is_followed_too() {
    let (module, net) = network(
        "parameterization log(init = he_normal) {
             v: weight ~ init
             g: unit = 0
             b: offset = 0
             s = exp(g) * dot(v / norm(v), 2 * x)
             act(s - b)
         }
         param = log
         model m(input: [3]) { input -> dense(4) -> relu -> linear(1) }",
    );
    let (_, values) = states(&module, &net);
    let graph = super::graph(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let found = evaluate(&graph, &[], &values, Random::default()).remove(0);
    let (v, g, b) = (&values[0], &values[1], &values[2]);
    for unit in 0..4 {
        let norm = (0..3).map(|i| v.data[i * 4 + unit].powi(2)).sum::<f64>().sqrt();
        for i in 0..3 {
            assert!((found.data[i * 4 + unit] - v.data[i * 4 + unit] / norm).abs() < 1e-12);
        }
        let offset = -b.data[unit] / (2.0 * g.data[unit].exp());
        assert!((found.data[3 * 4 + unit] - offset).abs() < 1e-12);
    }
}

#[test]
fn no_product_is_left_in_the_simplified_graph() {
    for param in ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"] {
        let (module, net) =
            network(&format!("param = {param} model m(input: [2]) {{ input -> dense(4) -> relu -> linear(1) }}"));
        let graph = simplify(&super::graph(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors))));
        let products = graph.nodes.iter().filter(|node| matches!(node.op, Op::MatMul { .. })).count();
        // Where the offset holds a mean, its own product with the weights stays.
        let expected = usize::from(param == "gmp + mn");
        assert_eq!(products, expected, "{param}:\n{}", graph.print(None));
        assert!(graph.outputs.iter().all(|output| matches!(output, Output::Value { .. })));
    }
}

#[test]
fn what_has_no_flat_boundary_is_told() {
    let complaint = |text: &str| {
        let (module, net) = network(text);
        super::graph(&module, &net).map_or_else(|errors| told(&errors), |_| "no complaint".to_string())
    };
    let images = complaint(
        "model m(input: [1, 4, 4]) { input -> conv(2, 3) -> relu -> flatten -> linear(1) }
         train { loss = mse  record = boundaries }",
    );
    insta::assert_snapshot!(images, @r"
    E0652: `m` has no boundaries that could be recorded
      - no dense layer of ReLU units reads its input
      - asked for here
      help: let a `dense(…) -> relu` come first, or record nothing
    ");
    let twice = complaint(
        "parameterization both() { w: weight ~ he_normal  s = dot(w, x)  act(s) - act(-s) }
         model m(input: [2]) { input -> dense(2, param = both) -> relu -> linear(1) }",
    );
    insta::assert_snapshot!(twice, @r"
    E0590: the units of `dense1` have no flat boundary: `both` calls `act` more than once
      - this layer
      - its parameterization
      help: only units of the form scale * act(w . x + b) + shift can be recorded
    ");
    let curved = complaint(
        "parameterization squared() { w: weight ~ he_normal  b: offset = 0  s = dot(w, x * x)  act(s + b) }
         model m(input: [2]) { input -> dense(2, param = squared) -> relu -> linear(1) }",
    );
    insta::assert_snapshot!(curved, @r"
    E0590: the units of `dense1` have no flat boundary: `squared` bends before `act`
      - this layer
      - its parameterization
      help: only units of the form scale * act(w . x + b) + shift can be recorded
    ");
}
