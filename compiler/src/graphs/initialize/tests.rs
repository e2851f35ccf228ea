//! Initial values: distributions, angles, statistics, states of the optimizer.

use crate::gradcheck::first_states;
use crate::initialization;
use crate::ir::graph::{Graph, Random, Tensor, evaluate, verify};
use crate::testing::{network, told};
use std::collections::BTreeMap;

/// Returns the initial values by name, in the layout of the graph.
fn first(text: &str) -> BTreeMap<String, Tensor> {
    let (module, net) = network(text);
    let graph = initialization(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    verify(&graph).unwrap_or_else(|rule| panic!("{rule}"));
    assert_eq!(graph.outputs.len(), graph.states.len(), "every state is written once");
    graph.states.iter().map(|s| s.name.clone()).zip(first_states(&graph, 5)).collect()
}

fn complaint(text: &str) -> String {
    let (module, net) = network(text);
    initialization(&module, &net).map_or_else(|errors| told(&errors), |_| "no complaint".to_string())
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n)
}

#[test]
fn initializers_have_their_deviations() {
    for (init, variance) in [
        ("he_normal", 2.0_f64 / 100.0),
        ("he_uniform", 2.0 / 100.0),
        ("glorot_normal", 2.0 / 300.0),
        ("glorot_uniform", 2.0 / 300.0),
    ] {
        let states =
            first(&format!("model test(input: [100]) {{ input -> dense(200, param = sp(init = {init})) as a }}"));
        let (mean, found) = moments(&states["a.w"].data);
        assert!(mean.abs() < 0.02 * variance.sqrt() && (found / variance - 1.0).abs() < 0.03, "{init}: {mean} {found}");
    }
}

#[test]
fn layers_are_drawn_apart() {
    let states = first("param = sp model test(input: [4]) { input -> dense(4) as a -> dense(4) as b }");
    assert_ne!(states["a.w"].data, states["b.w"].data);
    assert!(states["a.b"].data.iter().all(|b| *b == 0.0));
}

#[test]
fn wn_starts_its_length_at_the_norm() {
    let states = first("model test(input: [3]) { input -> dense(2, param = wn) as a }");
    let v = &states["a.v"].data;
    for unit in 0..2 {
        let norm = (0..3).map(|i| v[i * 2 + unit] * v[i * 2 + unit]).sum::<f64>().sqrt();
        assert!((states["a.l"].data[unit] - norm).abs() < 1e-12);
    }
}

/// A declaration after a modified name starts from the modified value, as in training. A modification that reads the input has
/// no value at initialization.
#[test]
fn declarations_after_a_modifier_start_from_its_value() {
    let text = |modified: &str| {
        format!(
            "modifier m {{ w = {modified} }}
            parameterization p {{ v: weight ~ he_normal\n w = v\n l: unit = norm(w)\n act(l * dot(w, x)) }}
            model test(input: [3]) {{ input -> dense(2, param = p + m) as a }}"
        )
    };
    let states = first(&text("2 * w"));
    let v = &states["a.v"].data;
    for unit in 0..2 {
        let norm = (0..3).map(|i| v[i * 2 + unit] * v[i * 2 + unit]).sum::<f64>().sqrt();
        assert!((states["a.l"].data[unit] - 2.0 * norm).abs() < 1e-12);
    }
    assert!(complaint(&text("w * mean(dot(w, x))")).contains("E0551"), "{}", complaint(&text("w * mean(dot(w, x))")));
}

fn directions(theta: &Tensor) -> Tensor {
    let mut graph = Graph::default();
    let angles = graph.input("theta", theta.shape.clone());
    let u = graph.spherical(angles);
    graph.output("u", u);
    evaluate(&graph, std::slice::from_ref(theta), &[], Random::default()).remove(0)
}

#[test]
fn gmp_starts_with_directions_that_do_not_collapse() {
    let states = first("model test(input: [1000]) { input -> dense(8, param = gmp) as a }");
    let u = directions(&states["a.theta"]);
    let large = u.data.iter().filter(|x| x.abs() > 1e-4).count();
    assert!(large > 7900, "{large} of 8000 coordinates are above 1e-4");
    assert!(states["a.r"].data.iter().all(|r| *r == 1.0) && states["a.lambda"].data.iter().all(|l| *l == 0.0));
}

#[test]
fn the_authors_start_is_in_one_half_space_with_drawn_lengths() {
    let states = first(
        "model test(input: [3]) { input -> dense(64, param = gmp(init = glorot_half_sphere, scale = \"drawn\")) as a }",
    );
    let u = directions(&states["a.theta"]);
    assert!(u.data[2 * 64..].iter().all(|last| *last >= 0.0));
    assert!(states["a.r"].data.iter().all(|r| *r > 0.0 && *r <= (3.0 * 6.0 / 67.0_f64).sqrt()));
    assert!(states["a.r"].data.iter().any(|r| *r < 0.25) && states["a.r"].data.iter().any(|r| *r > 0.35));
}

#[test]
fn one_input_gives_signs_of_both_kinds() {
    let states = first("model test(input: [1]) { input -> dense(64, param = gmp) as a }");
    let plus = states["a.sign"].data.iter().filter(|s| **s == 1.0).count();
    let minus = states["a.sign"].data.iter().filter(|s| **s == -1.0).count();
    assert!(plus + minus == 64 && plus > 16 && minus > 16, "{plus} {minus}");
}

#[test]
fn statistics_and_optimizer_states_start_neutral() {
    let states = first(
        "model test(input: [3]) { input -> dense(2, param = bn) as a -> linear(1) as out }
        train { loss = mse  optimizer = adam(lr = 0.1) }",
    );
    assert!(states["a.running_mean"].data.iter().all(|x| *x == 0.0));
    assert!(states["a.running_var"].data.iter().all(|x| *x == 1.0));
    assert!(states["adam.m/a.w"].data.iter().all(|x| *x == 0.0));
    assert_eq!(states["adam.v/out.w"].shape, [2, 1]);
}

#[test]
fn an_optimizer_may_start_from_the_parameter() {
    let states = first(
        "optimizer slow(lr) {
            fast: state = value
            fast = fast - lr * gradient
            0.5 * (value + fast)
        }
        model test(input: [3]) { input -> linear(2) as out }
        train { loss = mse  optimizer = slow(lr = 0.1) }",
    );
    assert_eq!(states["slow.fast/out.w"], states["out.w"]);
}

#[test]
fn a_parameter_cannot_start_from_the_input() {
    let text = "parameterization p(init = he_normal) { w: weight ~ init  s = dot(w, x)  l: unit = mean(s)  act(l * s) }
        model test(input: [3]) { input -> dense(2, param = p) }";
    insta::assert_snapshot!(complaint(text), @r"
    E0551: `s` has no value before training
      - needed here
      help: start the parameter from numbers, from `norm`, `mean` or `var` of a weight declared before it, or from a draw
    ");
}

#[test]
fn an_initializer_may_use_another_one_but_not_itself() {
    let text = |body: &str| {
        format!(
            "initializer own {{ {body} }}
            model test(input: [3]) {{ input -> dense(2, param = sp(init = own)) as a }}"
        )
    };
    assert_eq!(complaint(&text("2 * he_normal")), "no complaint");
    insta::assert_snapshot!(complaint(&text("2 * normall()")), @r"
    E0552: `normall` cannot be called in this definition
      - no such function here
      help: did you mean `normal`?
    ");
}

#[test]
fn every_kind_is_drawn_in_its_own_shape() {
    let states = first(
        "param = p
         parameterization p(rank = 2) {
             w: weight         ~ he_normal
             u: unit           ~ uniform_direction, state
             v: [inputs]       ~ uniform_direction, state
             a: [units, rank]  ~ normal()
             k: layer          ~ normal()
             f: feature        ~ normal()
             frozen: unit      ~ normal(), frozen
             act(dot(w, x))
         }
         model test(input: [5]) { input -> dense(3) as d -> prelu(start = 0.5) -> layer_norm as n -> linear(1) }",
    );
    let shape = |name: &str| states[name].shape.clone();
    assert_eq!((shape("d.u"), shape("d.v"), shape("d.a")), (vec![1, 3], vec![5, 1], vec![2, 3]));
    assert_eq!((shape("d.k"), shape("d.f"), shape("d.frozen")), (vec![1, 1], vec![1, 5], vec![1, 3]));
    assert_eq!(states["d.prelu.slope"].data, [0.5; 3]);
    assert_eq!((states["n.gain"].data.clone(), states["n.shift"].data.clone()), (vec![1.0; 3], vec![0.0; 3]));
}

#[test]
fn a_truncated_normal_keeps_its_bounds_and_its_moments() {
    // Moments of the standard normal distribution between two bounds, by its density and distribution function.
    let text = |bounds: &str| {
        let init = format!("truncated_normal(deviation = 1, {bounds})");
        format!("model test(input: [200]) {{ input -> dense(300, param = sp(init = {init})) as a }}")
    };
    for (bounds, low, high) in
        [("low = -2, high = 2", -2.0, 2.0), ("low = 0.5, high = 1", 0.5, 1.0), ("low = -6, high = -1", -6.0, -1.0)]
    {
        let values = &first(&text(bounds))["a.w"].data;
        assert!(values.iter().all(|x| (low..=high).contains(x)), "{bounds}");
        let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        let share = below(high) - below(low);
        let mean = (density(low) - density(high)) / share;
        let variance = 1.0 + (low * density(low) - high * density(high)) / share - mean * mean;
        let (found, spread) = moments(values);
        assert!(
            (found - mean).abs() < 0.01 && (spread / variance - 1.0).abs() < 0.02,
            "{bounds}: {found} {mean} {spread} {variance}"
        );
    }
}

#[test]
fn orthogonal_units_are_at_right_angles_and_dirac_passes_channels_on() {
    let states = first("model test(input: [6]) { input -> dense(4, param = sp(init = orthogonal(gain = 2))) as a }");
    let w = &states["a.w"].data;
    for (one, other) in [(0, 0), (0, 1), (2, 3), (3, 3)] {
        let dot: f64 = (0..6).map(|i| w[i * 4 + one] * w[i * 4 + other]).sum();
        assert!((dot - if one == other { 4.0 } else { 0.0 }).abs() < 1e-13, "{one} {other}: {dot}");
    }
    let states =
        first("model test(input: [2, 4, 4]) { input -> conv(3, [3, 5], param = sp(init = dirac)) as a -> flatten }");
    let (w, window) = (&states["a.w"], 15);
    let expected = |input: usize, unit: usize| f64::from(u8::from(input == unit * window + 7));
    let all = (0..30).flat_map(|input| (0..3).map(move |unit| expected(input, unit)));
    assert_eq!(w.data, all.collect::<Vec<_>>());
}

#[test]
fn averages_start_at_the_weights_and_gathered_gradients_at_zero() {
    let states = first(
        "model test(input: [2]) { input -> linear(3) as a }
        train { loss = mse  optimizer = adam(lr = 0.1)  accumulate = 2  average = ema(0.9) }",
    );
    assert_eq!(states["average/a.w"], states["a.w"]);
    assert!(states["accumulated/a.w"].data.iter().all(|x| *x == 0.0));
}
