//! A converted network computes the same function as before.

use super::{Tensors, convert, to_file};
use crate::gradcheck;
use crate::ir::graph::{Output, Random, Role, Tensor, evaluate};
use crate::ir::module::Module;
use crate::ir::net::Net;
use crate::ir::program::Goal;
use crate::testing::{network, told};
use crate::{Options, step_graph};

/// Returns tensors that differ from the initial values of the network. Scales of both signs occur.
fn tensors(module: &Module, net: &Net) -> Tensors {
    let first = crate::initialization(module, net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let values = gradcheck::first_states(&first, 9);
    let mut tensors = Tensors::new();
    for (place, (state, mut value)) in first.states.iter().zip(values).enumerate() {
        for (i, x) in value.data.iter_mut().enumerate() {
            let noise = (1.3 * (place * 31 + i) as f64).sin();
            *x += match state.role {
                Role::Parameter | Role::Optimizer => 1.1 * noise,
                Role::Statistic => 0.4 * noise,
                Role::Constant => 0.0,
            };
        }
        tensors.insert(state.name.clone(), to_file(state, &value));
    }
    tensors
}

fn prediction(module: &Module, net: &Net, tensors: &Tensors) -> Tensor {
    let (graph, _) = step_graph(module, net, Goal::Predict, 6, &Options::default()).unwrap();
    let shape = graph.inputs[0].shape.clone();
    let count: usize = shape.iter().product();
    let x = Tensor { shape, data: (0..count).map(|i| 2.0 * (0.7 * i as f64).cos()).collect() };
    let states: Vec<Tensor> =
        graph.states.iter().map(|s| super::from_file(s, &tensors[&s.name]).expect("a fitting tensor")).collect();
    assert!(graph.outputs.iter().all(|o| matches!(o, Output::Value { .. })));
    evaluate(&graph, &[x], &states, Random::default()).remove(0)
}

fn model(param: &str, flow: &str) -> (Module, Net) {
    let input = if flow.contains("conv") { "[2, 6, 5]" } else { "[3]" };
    network(&format!("use std.reparameterization param = {param} model test(input: {input}) {{ input -> {flow} }}"))
}

fn converted(from: &str, to: &str, flow: &str) -> Result<(Tensor, Tensor), String> {
    let ((a, a_net), (b, b_net)) = (model(from, flow), model(to, flow));
    let tensors = tensors(&a, &a_net);
    let result = convert(&a, &a_net, &tensors, &b, &b_net).map_err(|errors| told(&errors))?;
    Ok((prediction(&a, &a_net, &tensors), prediction(&b, &b_net, &result)))
}

fn agree(from: &str, to: &str, flow: &str) {
    let (before, after) = converted(from, to, flow).unwrap_or_else(|text| panic!("{from} to {to}: {text}"));
    for (a, b) in before.data.iter().zip(&after.data) {
        assert!((a - b).abs() < 1e-9 * (1.0 + a.abs()), "{from} to {to}, {flow}: {a} became {b}");
    }
}

const DEEP: &str = "dense(5) as a -> relu -> dropout(0.5) -> dense(4) as b -> leaky_relu(0.1) -> linear(2) as out";

#[test]
fn every_parameterization_becomes_every_other() {
    let params = ["sp", "wn", "bn", "gmp", "gmp + mn", "wn + mbn"];
    for from in params {
        for to in params {
            agree(from, to, DEEP);
        }
    }
}

/// Convolutions of every kind. The scale behind a `tanh` moves into the next layer, that behind `conv_transpose` through the stages.
const EVERY_KIND: &str = "conv(4, 3, groups = 2) as a -> relu -> conv(8, 3, dilation = 2, groups = 4) as b -> tanh \
    -> conv_transpose(3, 3, stride = 2) as c -> relu -> upsample(2, method = bilinear) -> stochastic_depth(0.5) \
    -> global_avg_pool -> linear(2) as out";

#[test]
fn convolutions_of_every_kind_are_converted() {
    for from in ["sp", "wn", "bn", "gmp"] {
        for to in ["sp", "wn", "bn"] {
            agree(from, to, EVERY_KIND);
        }
        // The length of a weight stands outside of `gmp`, which a curved activation lets nothing through to.
        agree(from, "gmp", &EVERY_KIND.replace("tanh", "relu"));
    }
    // A modifier that moves the image before it is padded must remain, and is kept for all channels of all groups.
    let padded = "conv(4, 3, groups = 2) as a -> relu -> global_avg_pool -> linear(2) as out";
    agree("gmp + mn", "sp + mn", padded);
    assert!(converted("gmp + mn", "sp", padded).is_err());
    agree("gmp + mn", "sp", "conv(4, 3, groups = 2, pad = 0) as a -> relu -> global_avg_pool -> linear(2) as out");
    // A result of a transposed convolution does not see all taps everywhere.
    assert!(converted("gmp + mn", "sp", "conv_transpose(4, 3, pad = 0) as a -> relu -> flatten -> linear(2)").is_err());
}

#[test]
fn convolutions_of_series_are_converted() {
    let make = |param: &str| {
        network(&format!(
            "param = {param} model test(input: [3, 9]) {{ input -> conv(4, 3, dilation = 2) as a -> relu \
             -> conv_transpose(4, 2, stride = 2) as b -> max_pool(2) -> conv(4, 3, groups = 4) as c -> flatten -> linear(2) as out }}"
        ))
    };
    for (from, to) in [("gmp", "sp"), ("bn", "gmp"), ("wn", "bn")] {
        let ((a, a_net), (b, b_net)) = (make(from), make(to));
        let before = tensors(&a, &a_net);
        // A maximum lets no negative scale through, and `b` has no activation that could keep one.
        let after = convert(&a, &a_net, &before, &b, &b_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
        let (x, y) = (prediction(&a, &a_net, &before), prediction(&b, &b_net, &after));
        assert!(x.data.iter().zip(&y.data).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + a.abs())), "{from} to {to}");
    }
}

#[test]
fn parameterizations_of_other_papers_are_written_where_they_can_be() {
    for from in ["sp", "gmp + mn", "bn", "wn"] {
        agree(from, "lora(rank = 2)", DEEP);
    }
    agree("lora(rank = 2)", "gmp", DEEP);
    agree("lora(rank = 2)", "lora(rank = 3)", "conv(4, 3) as a -> relu -> flatten -> linear(2) as out");
    for param in ["centred_weight_norm", "hyperspherical", "lora(rank = 2)"] {
        agree(param, "sp", DEEP);
        // Through plain weights and back.
        let ((a, a_net), (b, b_net)) = (model(param, DEEP), model("sp", DEEP));
        let before = tensors(&a, &a_net);
        let plain = convert(&a, &a_net, &before, &b, &b_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
        let again = convert(&b, &b_net, &plain, &a, &a_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
        let (x, y) = (prediction(&a, &a_net, &before), prediction(&a, &a_net, &again));
        assert!(x.data.iter().zip(&y.data).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + a.abs())), "{param}");
    }
    for param in ["centred_weight_norm", "hyperspherical"] {
        assert!(converted("sp", param, DEEP).unwrap_err().starts_with("E0587: `a` written in"), "{param}");
    }
    for param in ["weight_standardization", "spectral", "cosine"] {
        assert!(converted("sp", param, DEEP).unwrap_err().starts_with("E0584"), "{param}");
    }
}

/// One factor of a product of 0 is drawn, and another number in each layer.
#[test]
fn a_factor_that_does_not_matter_is_drawn() {
    let flow = "dense(3) as a -> relu -> dense(3) as b -> linear(2) as out";
    let ((a, a_net), (b, b_net)) = (model("sp", flow), model("lora(rank = 2)", flow));
    let written =
        convert(&a, &a_net, &tensors(&a, &a_net), &b, &b_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    assert!(written["a.up"].data.iter().all(|x| *x == 0.0) && written["a.down"].data.iter().all(|x| *x != 0.0));
    assert_ne!(written["a.down"], written["b.down"]);
}

#[test]
fn a_scale_outside_a_curved_activation_moves_into_the_next_layer() {
    agree("gmp", "sp", "dense(5) as a -> tanh -> linear(2) as out");
    agree("gmp", "wn", "dense(5) as a -> softplus -> linear(2) as out");
}

#[test]
fn a_last_unit_without_activation_takes_everything_inside() {
    agree("gmp", "sp", "dense(2) as out");
    agree("bn", "gmp", "dense(2) as out");
}

#[test]
fn layers_may_have_other_names() {
    let ((a, a_net), (b, b_net)) =
        (model("gmp", "dense(4) -> relu -> linear(2)"), model("wn", "dense(4) -> relu -> dense(2)"));
    let before = tensors(&a, &a_net);
    let after = convert(&a, &a_net, &before, &b, &b_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let (x, y) = (prediction(&a, &a_net, &before), prediction(&b, &b_net, &after));
    assert!(after.contains_key("dense2.v"));
    assert!(x.data.iter().zip(&y.data).all(|(a, b)| (a - b).abs() < 1e-9));
}

#[test]
fn one_input_keeps_its_sign() {
    let make = |param: &str| {
        network(&format!(
            "param = {param} model test(input: [1]) {{ input -> dense(5) as a -> relu -> linear(1) as out }}"
        ))
    };
    let ((a, a_net), (b, b_net)) = (make("gmp"), make("sp"));
    let before = tensors(&a, &a_net);
    let plain = convert(&a, &a_net, &before, &b, &b_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let again = convert(&b, &b_net, &plain, &a, &a_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let (x, y) = (prediction(&a, &a_net, &before), prediction(&a, &a_net, &again));
    assert!(x.data.iter().zip(&y.data).all(|(a, b)| (a - b).abs() < 1e-9));
    assert!(again["a.sign"].data.iter().all(|s| s.abs() == 1.0));
}

#[test]
fn a_negative_scale_before_a_sum_has_nowhere_to_go() {
    let text = |param: &str| {
        network(&format!(
            "param = {param}
            model test(input: [3]) {{
                a = input -> dense(3) as a -> relu
                a + input -> linear(1) as out
            }}"
        ))
    };
    let ((a, a_net), (b, b_net)) = (text("gmp"), text("sp"));
    let mut before = tensors(&a, &a_net);
    before.insert("a.r".to_string(), Tensor { shape: vec![3], data: vec![1.0, 2.0, -1.0] });
    let errors = convert(&a, &a_net, &before, &b, &b_net).unwrap_err();
    insta::assert_snapshot!(told(&errors), @r"
    E0583: `a` cannot be folded to plain weights: unit 2 has a negative scale outside its activation
      - this unit
      - the scale cannot move in here, or not only here
      help: it can where a single layer with weights comes next; averages may stand between
    ");
}

#[test]
fn a_curved_activation_cannot_be_written_with_the_scale_outside() {
    insta::assert_snapshot!(converted("sp", "gmp", "dense(5) as a -> tanh -> linear(2) as out").unwrap_err(), @r"
    E0586: `a` cannot be written in `gmp`
      - its activation is curved, so the length of a weight vector cannot stand outside it
      help: keep this layer's parameterization, or use one whose scale stands inside, such as `wn`
    ");
}

/// Converts a network from `sp` to `gmp`. The weights of its first unit are 0, and its offset is given.
fn weightless(offset: f64) -> Result<Tensors, String> {
    let flow = "dense(2) as a -> relu -> linear(1) as out";
    let ((a, a_net), (b, b_net)) = (model("sp", flow), model("gmp", flow));
    let mut before = tensors(&a, &a_net);
    before.get_mut("a.w").expect("weights").data[..3].fill(0.0);
    before.get_mut("a.b").expect("offsets").data[0] = offset;
    let after = convert(&a, &a_net, &before, &b, &b_net).map_err(|errors| told(&errors))?;
    let (x, y) = (prediction(&a, &a_net, &before), prediction(&b, &b_net, &after));
    assert!(x.data.iter().zip(&y.data).all(|(a, b)| (a - b).abs() < 1e-9));
    Ok(after)
}

#[test]
fn a_unit_without_weights_can_be_written_if_it_is_never_active() {
    assert!(weightless(-1.0).is_ok() && weightless(0.0).is_ok());
    insta::assert_snapshot!(weightless(1.0).unwrap_err(), @r"
    E0585: unit 0 of `a` cannot be written in `gmp`
      - its weights are all 0, but its value is not: it has no direction
      help: remove the unit, or keep this layer's parameterization
    ");
}

#[test]
fn a_missing_from_section_is_reported() {
    let own = "parameterization own(init = he_normal) { w: weight ~ init  act(dot(w, x)) }";
    let (a, a_net) = model("sp", "dense(2) as a");
    let (b, b_net) = network(&format!("{own} param = own model test(input: [3]) {{ input -> dense(2) as a }}"));
    let errors = convert(&a, &a_net, &tensors(&a, &a_net), &b, &b_net).unwrap_err();
    insta::assert_snapshot!(told(&errors), @r"
    E0584: `own` does not say how its parameters follow from plain weights
      - no `from(w, b)` section in here
      - wanted for this layer
      help: add `from(w, b) { … }` with one binding for each parameter
    ");
}

#[test]
fn a_missing_tensor_is_named() {
    let (a, a_net) = model("sp", "dense(2) as a");
    let errors = convert(&a, &a_net, &Tensors::new(), &a, &a_net).unwrap_err();
    insta::assert_snapshot!(told(&errors), @r"
    E0580: the checkpoint has no tensor `a.w`
      - this layer needs it
      help: convert a checkpoint of this very network
    ");
}

/// Filters with padding, with a stride, and with sides of different length. Scales move to the next layer through flattening.
const IMAGES: &str = "conv(4, 3, stride = 2) as a -> relu -> conv(3, [2, 1], pad = 0) as b -> leaky_relu(0.1)
    -> avg_pool(2, stride = 1) -> flatten -> linear(2) as out";

#[test]
fn filters_become_those_of_every_other_parameterization() {
    let params = ["sp", "wn", "bn", "gmp", "wn + mbn"];
    for from in params {
        for to in params.into_iter().chain(["gmp + mn"]) {
            agree(from, to, IMAGES);
        }
    }
}

#[test]
fn a_modifier_that_centres_a_padded_image_stays_or_is_refused() {
    for to in ["sp + mn", "wn + mn", "bn + mn", "gmp + mn"] {
        agree("gmp + mn", to, IMAGES);
    }
    agree("gmp + mn", "sp", "conv(4, 3, pad = 0) as a -> relu -> flatten -> linear(2) as out");
    agree("bn + mn", "gmp", "conv(4, 1) as a -> relu -> global_avg_pool -> linear(2) as out");
    insta::assert_snapshot!(converted("gmp + mn", "sp", IMAGES).unwrap_err(), @r"
    E0588: `a` cannot be written in `sp`: its border would change
      - `gmp + mn` centres the image before zeros are put around it
      - `sp` puts zeros around the image as it comes
      help: keep what centres: `sp + mn`; or use `pad = 0` in the network
    ");
}

#[test]
fn a_filter_over_one_number_keeps_its_sign() {
    let text = |param: &str| {
        network(&format!(
            "param = {param} model test(input: [1, 4, 4]) {{
                input -> conv(3, 1) as a -> relu -> global_avg_pool -> linear(1) as out
            }}"
        ))
    };
    let ((a, a_net), (b, b_net)) = (text("gmp"), text("sp"));
    let before = tensors(&a, &a_net);
    assert_eq!(before["a.sign"].shape, [3]);
    let plain = convert(&a, &a_net, &before, &b, &b_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let again = convert(&b, &b_net, &plain, &a, &a_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let (x, y) = (prediction(&a, &a_net, &before), prediction(&a, &a_net, &again));
    assert!(x.data.iter().zip(&y.data).all(|(a, b)| (a - b).abs() < 1e-9));
}

#[test]
fn a_negative_scale_does_not_pass_a_pool_of_largest_values() {
    let flow = "conv(2, 3) as a -> relu -> max_pool(2) -> flatten -> linear(1) as out";
    let ((a, a_net), (b, b_net)) = (model("gmp", flow), model("sp", flow));
    let mut before = tensors(&a, &a_net);
    before.insert("a.r".to_string(), Tensor { shape: vec![2], data: vec![1.0, -1.0] });
    let errors = convert(&a, &a_net, &before, &b, &b_net).unwrap_err();
    assert!(told(&errors).starts_with("E0583: `a` cannot be folded to plain weights: unit 1 has a negative scale"));
}

/// Subtracts a mean and changes the measure of every channel: zeros around the image then stand for the mean, as with `mn`.
const STRETCHED: &str = "modifier stretched(momentum = 0.1) { x = 2 * (x - mean(x)) }";

#[test]
fn a_border_stands_for_what_a_modifier_makes_zero() {
    let make = |param: &str| {
        network(&format!(
            "{STRETCHED} param = {param} model test(input: [2, 6, 5]) {{ input -> conv(4, 3) as a -> relu -> flatten -> linear(2) as out }}"
        ))
    };
    let ((a, a_net), (b, b_net)) = (make("wn + stretched"), make("sp + mn"));
    let before = tensors(&a, &a_net);
    let after = convert(&a, &a_net, &before, &b, &b_net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let (x, y) = (prediction(&a, &a_net, &before), prediction(&b, &b_net, &after));
    assert!(x.data.iter().zip(&y.data).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + a.abs())), "{x:?}\n{y:?}");
    let plain = &super::plain_units(&a_net, &before).unwrap_or_else(|errors| panic!("{}", told(&errors)))[&1];
    assert_eq!((plain.weight.shape.as_slice(), plain.centre.len()), (&[4, 2, 3, 3][..], 2));
}
