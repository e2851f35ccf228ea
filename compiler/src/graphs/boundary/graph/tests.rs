//! The graph of recorded boundaries gives the same numbers as `boundary::effective`, and stays small.

use super::*;
use crate::graphs::boundary::{Boundary, effective};
use crate::graphs::convert::{Tensors, to_file};
use crate::ir::graph::{Output, Random, Tensor, evaluate, verify};
use crate::lower::simplify::simplify;
use crate::testing::{network, told};

fn states(module: &Module, net: &Net) -> (Vec<crate::ir::graph::State>, Vec<Tensor>) {
    let first = crate::initialization(module, net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let mut values = crate::gradcheck::first_states(&first, 3);
    for (place, value) in values.iter_mut().enumerate() {
        let constant = first.states[place].role == crate::ir::graph::Role::Constant;
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
    let graph = super::recorded(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
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
fn filters_and_deeper_layers_have_the_boundaries_of_their_patches() {
    for param in ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"] {
        let (module, net) = network(&format!(
            "param = {param}
             model m(input: [2, 5, 6]) {{
                 input -> conv(3, [3, 2], stride = 2) as a -> relu -> conv(4, 1) as b -> relu -> dropout(0.5)
                 -> flatten -> dense(5) as c -> relu -> linear(1)
             }}
             train {{ loss = mse  optimizer = adam(lr = 0.1) }}"
        ));
        let (list, values) = states(&module, &net);
        let graph = super::graph(&module, &net, Followed::All).unwrap_or_else(|errors| panic!("{}", told(&errors)));
        assert_eq!(verify(&graph), Ok(()), "{}", graph.print(None));
        let found = evaluate(&graph, &[], &values, Random::default());
        let tensors: Tensors = list.iter().zip(&values).map(|(s, v)| (s.name.clone(), to_file(s, v))).collect();
        // Fan-ins: 2 x 3 x 2 for the patch of `a`, 3 channels for the 1 x 1 filters of `b`, 4 x 3 x 3 after flattening for `c`.
        let layers = followed_layers(&net, Followed::All);
        let sizes: Vec<_> = layers.iter().map(|of| (of.name.as_str(), of.fan_in, of.units)).collect();
        assert_eq!(sizes, [("a", 12, 3), ("b", 3, 4), ("c", 36, 5)]);
        assert_eq!(first_layers(&net), layers[..1]);
        // A column of the output holds the direction of one unit, and its offset in the last row. The reference values come
        // from the tensors by another way, without a graph.
        for (layer, found) in layers.iter().zip(&found) {
            assert_eq!(found.shape, [layer.fan_in + 1, layer.units]);
            let folded = effective(&net, layer.layer, &tensors).unwrap().expect("a unit layer");
            for unit in 0..layer.units {
                let Boundary { direction, offset } = folded.boundary(unit).expect("weights that are not zero");
                for (row, b) in direction.iter().chain([&offset]).enumerate() {
                    let a = found.data[row * layer.units + unit];
                    assert!(
                        (a - b).abs() < 1e-12 * (1.0 + b.abs()),
                        "{param}, {}, unit {unit}: {a} is not {b}",
                        layer.name
                    );
                }
            }
        }
    }
}

#[test]
fn layers_that_see_the_input_rearranged_are_first_layers() {
    let first = |model: &str| {
        let (_, net) = network(&format!("model m(input: [2, 3, 3]) {{ {model} -> linear(1) }}"));
        first_layers(&net).into_iter().map(|first| first.name).collect::<Vec<_>>()
    };
    assert_eq!(first("input -> flatten -> dropout(0.1) -> dense(4) as a -> relu -> dense(4) -> relu"), ["a"]);
    assert_eq!(first("input -> conv(4, 3) as a -> relu -> flatten -> dense(4) -> relu"), ["a"]);
    assert_eq!(first("input -> mean_norm -> flatten -> dense(4) -> relu"), [] as [&str; 0]);
    let branches = "left = input -> conv(4, 3) as l -> relu
                    right = input -> conv(4, 1) as r -> leaky_relu(0.1)
                    left + right -> flatten";
    assert_eq!(first(branches), ["l", "r"]);
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
    let graph = super::recorded(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let found = evaluate(&graph, &[], &values, Random::default()).remove(0);
    // s - b = 2 exp(g) (v / |v|) . x - b. Divided by 2 exp(g), the direction v / |v| has length 1.
    let (v, g, b) = (&values[0], &values[1], &values[2]);
    // All three are stored with one column per unit.
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
        let graph = simplify(&super::recorded(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors))));
        let products = graph.nodes.iter().filter(|node| matches!(node.op, Op::MatMul { .. })).count();
        // With `mn` the offset contains the mean of the input times the weights. This product remains.
        let expected = usize::from(param == "gmp + mn");
        assert_eq!(products, expected, "{param}:\n{}", graph.print(None));
        assert!(graph.outputs.iter().all(|output| matches!(output, Output::Value { .. })));
    }
}

#[test]
fn layers_without_a_flat_boundary_are_reported() {
    let complaint = |text: &str| {
        let (module, net) = network(text);
        super::recorded(&module, &net).map_or_else(|errors| told(&errors), |_| "no complaint".to_string())
    };
    // No first layer, but layers that come later.
    let later = complaint(
        "model m(input: [2]) { input -> mean_norm -> dense(2) -> relu -> linear(1) }
         train { loss = mse  record = boundaries }",
    );
    insta::assert_snapshot!(later, @r"
    E0652: `m` has no boundaries that could be recorded
      - no layer of units that bend reads its input as it is
      - asked for here
      help: write `record = boundaries(layers = all)` to follow the layers that come later
    ");
    // No ReLU at all: the help must not suggest `layers = all`.
    let nowhere = complaint(
        "model m(input: [2]) { input -> dense(2) -> tanh -> linear(1) }
         train { loss = mse  record = boundaries(layers = all) }",
    );
    insta::assert_snapshot!(nowhere, @r"
    E0652: `m` has no boundaries that could be recorded
      - it has no layer of units that bend
      - asked for here
      - `tanh` is curved: it computes `tanh` of its argument
      help: let `relu` or another piecewise linear activation follow a `dense(…)` or `conv(…)` at once, or record nothing
    ");
    let straight = complaint(
        "activation double(s) { 2 * s }
         model m(input: [2]) { input -> dense(2) -> double -> linear(1) }
         train { loss = mse  record = boundaries(layers = all) }",
    );
    assert!(straight.contains("`double` bends nowhere"), "{straight}");
    // Two calls of `act` give two hyperplanes per unit. The layer is named by its label, or by its number without one.
    let deep = complaint(
        "parameterization both() { w: weight ~ he_normal  s = dot(w, x)  act(s) - act(-s) }
         model m(input: [2]) { input -> dense(2) -> relu -> dense(2, param = both) as deep -> relu -> linear(1) }
         train { loss = mse  record = boundaries(layers = all) }",
    );
    insta::assert_snapshot!(deep, @r"
    E0590: the units of `deep` have no flat boundary: `both` calls `act` more than once
      - this layer
      - its parameterization
      help: only units of the form scale * act(w . x + b) + shift can be recorded
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
    // The argument of `act` is not linear in the input.
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

#[test]
fn every_kink_of_an_activation_is_a_boundary() {
    // The unit bends where w . x + b is 0 and where it is 6: two parallel lines, the first one first.
    let (module, net) = network("model m(input: [2]) { input -> dense(1) as a -> relu6 -> linear(1) }");
    assert_eq!(first_layers(&net)[0].units, 2);
    let graph = super::recorded(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let one = |state: &crate::ir::graph::State| match state.name.as_str() {
        "a.w" => Tensor { shape: vec![2, 1], data: vec![3.0, 4.0] },
        "a.b" => Tensor { shape: vec![1, 1], data: vec![1.0] },
        _ => Tensor::full(&state.shape, 0.0),
    };
    let states: Vec<Tensor> = graph.states.iter().map(one).collect();
    let found = evaluate(&graph, &[], &states, Random::default()).remove(0);
    assert_eq!(found.shape, [3, 2]);
    for (found, right) in found.data.iter().zip([0.6, 0.6, 0.8, 0.8, 0.2, -1.0]) {
        assert!((found - right).abs() < 1e-12, "{found} is not {right}");
    }
}
