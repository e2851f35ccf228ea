//! The forward graphs of the standard parameterizations, in training and evaluation.

use super::{Mode, parameterize};
use crate::graph::verify;
use crate::program::Goal;
use crate::testing::{complaint, network, told};

/// One layer of two units over three inputs, four rows.
fn unit(param: &str, mode: Mode) -> String {
    layers(&format!("dense(2, param = {param}) as hidden -> relu"), mode)
}

fn layers(flow: &str, mode: Mode) -> String {
    let (_, net) = network(&format!("model test(input: [3]) {{ input -> {flow} }}"));
    let mut forward = parameterize(&net, mode, 4).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    forward.graph.output("prediction", forward.prediction);
    for (state, id) in forward.store.updates {
        forward.graph.write(state, id);
    }
    verify(&forward.graph).unwrap_or_else(|rule| panic!("{rule}"));
    forward.graph.print(None)
}

#[test]
fn sp_is_a_product_and_an_offset() {
    insta::assert_snapshot!(unit("sp", Mode::Training), @"");
    assert_eq!(unit("sp", Mode::Training), unit("sp", Mode::Evaluation));
}

#[test]
fn wn_divides_by_the_norm_and_multiplies_by_a_length() {
    insta::assert_snapshot!(unit("wn", Mode::Evaluation), @"");
}

#[test]
fn bn_takes_statistics_of_the_batch_in_training() {
    insta::assert_snapshot!(unit("bn", Mode::Training), @"");
}

#[test]
fn bn_takes_running_statistics_in_evaluation() {
    insta::assert_snapshot!(unit("bn", Mode::Evaluation), @"");
}

#[test]
fn gmp_keeps_its_scale_outside_the_activation() {
    insta::assert_snapshot!(unit("gmp", Mode::Training), @"");
}

#[test]
fn mn_centres_the_input_of_gmp() {
    insta::assert_snapshot!(unit("gmp + mn", Mode::Training), @"");
    insta::assert_snapshot!(unit("gmp + mn", Mode::Evaluation), @"");
}

#[test]
fn mbn_centres_the_preactivation_of_wn() {
    insta::assert_snapshot!(unit("wn + mbn", Mode::Training), @"");
}

#[test]
fn statistics_that_would_share_a_name_get_the_modifiers_name() {
    let (module, net) = network("model test(input: [3]) { input -> dense(2, param = bn + mn) as hidden -> relu }");
    let states = crate::states(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let names: Vec<&str> = states.iter().map(|s| s.name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"), @"");
}

#[test]
fn a_unit_with_one_input_has_a_sign_and_no_angles() {
    let (_, net) = network("model test(input: [1]) { input -> dense(2, param = gmp) as hidden -> relu }");
    let forward = parameterize(&net, Mode::Training, 4).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let states: Vec<String> =
        forward.graph.states.iter().map(|s| format!("{} {:?} {:?} {:?}", s.name, s.role, s.shape, s.file_shape)).collect();
    insta::assert_snapshot!(states.join("\n"), @"");
}

#[test]
fn without_bias_offsets_are_no_states_and_leave_no_addition() {
    insta::assert_snapshot!(layers("dense(2, bias = false, param = sp) as hidden -> relu", Mode::Training), @"");
}

#[test]
fn dropout_is_the_identity_in_evaluation() {
    insta::assert_snapshot!(layers("dropout(0.25)", Mode::Training), @"");
    insta::assert_snapshot!(layers("dropout(0.25)", Mode::Evaluation), @"");
}

#[test]
fn mean_norm_subtracts_the_mean_of_the_batch() {
    insta::assert_snapshot!(layers("mean_norm as centre", Mode::Training), @"");
}

#[test]
fn a_variance_needs_two_rows() {
    let text = "model test(input: [3]) { input -> dense(2, param = bn) -> relu }
        train { loss = mse  optimizer = sgd(lr = 0.1) }";
    insta::assert_snapshot!(complaint(text, Goal::Train, 1), @"");
    assert_eq!(complaint(text, Goal::Evaluate, 1), "no complaint");
}

/// What is said about a unit in a user's own parameterization.
fn own(definition: &str, param: &str) -> String {
    let text = format!(
        "{definition}
        model test(input: [3]) {{ input -> dense(2, param = {param}) -> relu }}
        train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
    );
    complaint(&text, Goal::Train, 4)
}

#[test]
fn a_parameterization_must_apply_the_activation() {
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { w: weight ~ init  dot(w, x) }", "p"), @"");
}

#[test]
fn a_weight_and_a_batch_meet_in_dot_only() {
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { w: weight ~ init  act(w * x) }", "p"), @"");
}

#[test]
fn a_misspelt_name_gets_the_nearest_one() {
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { weight: weight ~ init  act(dot(weigth, x)) }", "p"), @"");
}

#[test]
fn an_unknown_function_gets_the_nearest_one() {
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { w: weight ~ init  act(doot(w, x)) }", "p"), @"");
}

#[test]
fn a_modifier_must_rebind_what_the_parameterization_assigns() {
    let definition = "parameterization p(init = he_normal) { w: weight ~ init  act(dot(w, x)) }
        modifier m { s = s - mean(s) }";
    insta::assert_snapshot!(own(definition, "p + m"), @"");
}

#[test]
fn a_choice_must_be_known_while_compiling() {
    let definition = "parameterization p(init = he_normal) { w: weight ~ init  s = dot(w, x)  act(if s > 0 { s } else { x }) }";
    insta::assert_snapshot!(own(definition, "p"), @"");
}

#[test]
fn a_momentum_is_a_share() {
    insta::assert_snapshot!(own("", "bn(momentum = 2)"), @"");
}
