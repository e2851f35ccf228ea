//! The forward graphs of the standard parameterizations, in training and evaluation.

use super::{Mode, parameterize};
use crate::ir::graph::verify;
use crate::ir::program::Goal;
use crate::testing::{complaint, network, told};

/// Prints the graph of one layer: three inputs, two units, a batch of four rows.
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
    insta::assert_snapshot!(unit("sp", Mode::Training), @r"
    %0 = input x                             : [4, 3]
    %1 = state hidden.w                      : [3, 2]
    %2 = state hidden.b                      : [1, 2]
    %3 = matmul %0 %1                        : [4, 2]
    %4 = broadcast %2                        : [4, 2]
    %5 = add %3 %4                           : [4, 2]
    %6 = const 0                             : []
    %7 = reshape %6                          : [1, 1]
    %8 = broadcast %7                        : [4, 2]
    %9 = max %5 %8                           : [4, 2]
    output prediction = %9
    ");
    assert_eq!(unit("sp", Mode::Training), unit("sp", Mode::Evaluation));
}

#[test]
fn wn_divides_by_the_norm_and_multiplies_by_a_length() {
    // The square of the norm is at least 1e-36 (%6), so that weights of 0 are divided by 1e-18 and not by 0. The length `l` (%2)
    // multiplies the products (%15) and not the weights, as the definition of `wn` says.
    insta::assert_snapshot!(unit("wn", Mode::Evaluation), @r"
    %0 = input x                             : [4, 3]
    %1 = state hidden.v                      : [3, 2]
    %2 = state hidden.l                      : [1, 2]
    %3 = state hidden.b                      : [1, 2]
    %4 = mul %1 %1                           : [3, 2]
    %5 = sum %4 [0]                          : [1, 2]
    %6 = const 0.000000000000000000000000000000000001 : []
    %7 = reshape %6                          : [1, 1]
    %8 = broadcast %7                        : [1, 2]
    %9 = max %5 %8                           : [1, 2]
    %10 = sqrt %9                            : [1, 2]
    %11 = broadcast %10                      : [3, 2]
    %12 = div %1 %11                         : [3, 2]
    %13 = matmul %0 %12                      : [4, 2]
    %14 = broadcast %2                       : [4, 2]
    %15 = mul %14 %13                        : [4, 2]
    %16 = broadcast %3                       : [4, 2]
    %17 = add %15 %16                        : [4, 2]
    %18 = const 0                            : []
    %19 = reshape %18                        : [1, 1]
    %20 = broadcast %19                      : [4, 2]
    %21 = max %17 %20                        : [4, 2]
    output prediction = %21
    ");
}

#[test]
fn bn_takes_statistics_of_the_batch_in_training() {
    insta::assert_snapshot!(unit("bn", Mode::Training));
}

#[test]
fn bn_takes_running_statistics_in_evaluation() {
    // Both statistics are states here (%5, %10), and nothing is written: evaluation must not change them. The constant 1e-5
    // inside of the root (%11) keeps a unit of variance 0 finite.
    insta::assert_snapshot!(unit("bn", Mode::Evaluation), @r"
    %0 = input x                             : [4, 3]
    %1 = state hidden.w                      : [3, 2]
    %2 = state hidden.gamma                  : [1, 2]
    %3 = state hidden.beta                   : [1, 2]
    %4 = matmul %0 %1                        : [4, 2]
    %5 = state hidden.running_mean           : [1, 2]
    %6 = broadcast %5                        : [4, 2]
    %7 = sub %4 %6                           : [4, 2]
    %8 = broadcast %2                        : [4, 2]
    %9 = mul %8 %7                           : [4, 2]
    %10 = state hidden.running_var           : [1, 2]
    %11 = const 0.00001                      : []
    %12 = reshape %11                        : [1, 1]
    %13 = broadcast %12                      : [1, 2]
    %14 = add %10 %13                        : [1, 2]
    %15 = sqrt %14                           : [1, 2]
    %16 = broadcast %15                      : [4, 2]
    %17 = div %9 %16                         : [4, 2]
    %18 = broadcast %3                       : [4, 2]
    %19 = add %17 %18                        : [4, 2]
    %20 = const 0                            : []
    %21 = reshape %20                        : [1, 1]
    %22 = broadcast %21                      : [4, 2]
    %23 = max %19 %22                        : [4, 2]
    output prediction = %23
    ");
}

#[test]
fn gmp_keeps_its_scale_outside_the_activation() {
    insta::assert_snapshot!(unit("gmp", Mode::Training), @r"
    %0 = input x                             : [4, 3]
    %1 = state hidden.theta                  : [2, 2]
    %2 = state hidden.lambda                 : [1, 2]
    %3 = state hidden.r                      : [1, 2]
    %4 = spherical %1                        : [3, 2]
    %5 = matmul %0 %4                        : [4, 2]
    %6 = broadcast %2                        : [4, 2]
    %7 = add %5 %6                           : [4, 2]
    %8 = const 0                             : []
    %9 = reshape %8                          : [1, 1]
    %10 = broadcast %9                       : [4, 2]
    %11 = max %7 %10                         : [4, 2]
    %12 = broadcast %3                       : [4, 2]
    %13 = mul %12 %11                        : [4, 2]
    output prediction = %13
    ");
}

#[test]
fn mn_centres_the_input_of_gmp() {
    // In training the mean is that of the batch (%6). The running mean becomes 0.9 of its old value plus 0.1 of this (%15).
    insta::assert_snapshot!(unit("gmp + mn", Mode::Training), @r"
    %0 = input x                             : [4, 3]
    %1 = state hidden.running_mean           : [1, 3]
    %2 = sum %0 [0]                          : [1, 3]
    %3 = const 0.25                          : []
    %4 = reshape %3                          : [1, 1]
    %5 = broadcast %4                        : [1, 3]
    %6 = mul %2 %5                           : [1, 3]
    %7 = const 0.9                           : []
    %8 = reshape %7                          : [1, 1]
    %9 = broadcast %8                        : [1, 3]
    %10 = mul %1 %9                          : [1, 3]
    %11 = const 0.1                          : []
    %12 = reshape %11                        : [1, 1]
    %13 = broadcast %12                      : [1, 3]
    %14 = mul %6 %13                         : [1, 3]
    %15 = add %10 %14                        : [1, 3]
    %16 = broadcast %6                       : [4, 3]
    %17 = sub %0 %16                         : [4, 3]
    %18 = state hidden.theta                 : [2, 2]
    %19 = state hidden.lambda                : [1, 2]
    %20 = state hidden.r                     : [1, 2]
    %21 = spherical %18                      : [3, 2]
    %22 = matmul %17 %21                     : [4, 2]
    %23 = broadcast %19                      : [4, 2]
    %24 = add %22 %23                        : [4, 2]
    %25 = const 0                            : []
    %26 = reshape %25                        : [1, 1]
    %27 = broadcast %26                      : [4, 2]
    %28 = max %24 %27                        : [4, 2]
    %29 = broadcast %20                      : [4, 2]
    %30 = mul %29 %28                        : [4, 2]
    output prediction = %30
    write hidden.running_mean = %15
    ");
    // In evaluation the running mean is subtracted, and it stays as it is.
    insta::assert_snapshot!(unit("gmp + mn", Mode::Evaluation), @r"
    %0 = input x                             : [4, 3]
    %1 = state hidden.running_mean           : [1, 3]
    %2 = broadcast %1                        : [4, 3]
    %3 = sub %0 %2                           : [4, 3]
    %4 = state hidden.theta                  : [2, 2]
    %5 = state hidden.lambda                 : [1, 2]
    %6 = state hidden.r                      : [1, 2]
    %7 = spherical %4                        : [3, 2]
    %8 = matmul %3 %7                        : [4, 2]
    %9 = broadcast %5                        : [4, 2]
    %10 = add %8 %9                          : [4, 2]
    %11 = const 0                            : []
    %12 = reshape %11                        : [1, 1]
    %13 = broadcast %12                      : [4, 2]
    %14 = max %10 %13                        : [4, 2]
    %15 = broadcast %6                       : [4, 2]
    %16 = mul %15 %14                        : [4, 2]
    output prediction = %16
    ");
}

#[test]
fn mbn_centres_the_preactivation_of_wn() {
    insta::assert_snapshot!(unit("wn + mbn", Mode::Training));
}

#[test]
fn statistics_that_would_share_a_name_get_the_modifiers_name() {
    let (module, net) = network("model test(input: [3]) { input -> dense(2, param = bn + mn) as hidden -> relu }");
    let states = crate::states(&module, &net).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let names: Vec<&str> = states.iter().map(|s| s.name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"), @r"
    hidden.mn.running_mean
    hidden.w
    hidden.gamma
    hidden.beta
    hidden.running_mean
    hidden.running_var
    ");
}

#[test]
fn a_unit_with_one_input_has_a_sign_and_no_angles() {
    let (_, net) = network("model test(input: [1]) { input -> dense(2, param = gmp) as hidden -> relu }");
    let forward = parameterize(&net, Mode::Training, 4).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let states: Vec<String> = forward
        .graph
        .states
        .iter()
        .map(|s| format!("{} {:?} {:?} {:?}", s.name, s.role, s.shape, s.file_shape))
        .collect();
    insta::assert_snapshot!(states.join("\n"), @r"
    hidden.sign Constant [1, 2] [2]
    hidden.lambda Parameter [1, 2] [2]
    hidden.r Parameter [1, 2] [2]
    ");
}

#[test]
fn without_bias_offsets_are_no_states_and_leave_no_addition() {
    insta::assert_snapshot!(layers("dense(2, bias = false, param = sp) as hidden -> relu", Mode::Training), @r"
    %0 = input x                             : [4, 3]
    %1 = state hidden.w                      : [3, 2]
    %2 = matmul %0 %1                        : [4, 2]
    %3 = const 0                             : []
    %4 = reshape %3                          : [1, 1]
    %5 = broadcast %4                        : [4, 2]
    %6 = max %2 %5                           : [4, 2]
    output prediction = %6
    ");
}

#[test]
fn dropout_is_the_identity_in_evaluation() {
    insta::assert_snapshot!(layers("dropout(0.25)", Mode::Training), @r"
    %0 = input x                             : [4, 3]
    %1 = uniform stream 2147483649           : [4, 3]
    %2 = const 0.75                          : []
    %3 = reshape %2                          : [1, 1]
    %4 = broadcast %3                        : [4, 3]
    %5 = less %1 %4                          : [4, 3]
    %6 = const 1.3333333333333333            : []
    %7 = reshape %6                          : [1, 1]
    %8 = broadcast %7                        : [4, 3]
    %9 = mul %0 %8                           : [4, 3]
    %10 = const 0                            : []
    %11 = reshape %10                        : [1, 1]
    %12 = broadcast %11                      : [4, 3]
    %13 = select %5 %9 %12                   : [4, 3]
    output prediction = %13
    ");
    insta::assert_snapshot!(layers("dropout(0.25)", Mode::Evaluation), @r"
    %0 = input x                             : [4, 3]
    output prediction = %0
    ");
}

#[test]
fn mean_norm_subtracts_the_mean_of_the_batch() {
    insta::assert_snapshot!(layers("mean_norm as centre", Mode::Training), @r"
    %0 = input x                             : [4, 3]
    %1 = state centre.running_mean           : [1, 3]
    %2 = sum %0 [0]                          : [1, 3]
    %3 = const 0.25                          : []
    %4 = reshape %3                          : [1, 1]
    %5 = broadcast %4                        : [1, 3]
    %6 = mul %2 %5                           : [1, 3]
    %7 = const 0.9                           : []
    %8 = reshape %7                          : [1, 1]
    %9 = broadcast %8                        : [1, 3]
    %10 = mul %1 %9                          : [1, 3]
    %11 = const 0.1                          : []
    %12 = reshape %11                        : [1, 1]
    %13 = broadcast %12                      : [1, 3]
    %14 = mul %6 %13                         : [1, 3]
    %15 = add %10 %14                        : [1, 3]
    %16 = broadcast %6                       : [4, 3]
    %17 = sub %0 %16                         : [4, 3]
    output prediction = %17
    write centre.running_mean = %15
    ");
}

#[test]
fn a_variance_needs_two_rows() {
    let text = "model test(input: [3]) { input -> dense(2, param = bn) -> relu }
        train { loss = mse  optimizer = sgd(lr = 0.1) }";
    insta::assert_snapshot!(complaint(text, Goal::Train, 1), @r"
    E0567: the batch variance of one value is always 0, and `bn` divides by it
      - variance over the batch
      - this layer sees a batch of 1 row
      help: write `last_batch = drop` if only the last batch has one row; else train with two rows or more in every batch
    ");
    assert_eq!(complaint(text, Goal::Evaluate, 1), "no complaint");
}

/// Returns the complaints about a unit whose parameterization is defined in the same file.
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
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { w: weight ~ init  dot(w, x) }", "p"), @r"
    E0565: the parameterization `p` never applies the activation
      - no `act(…)` in here
      help: apply it to the pre-activation: `act(s + b)`
    ");
}

#[test]
fn a_weight_and_a_batch_meet_in_dot_only() {
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { w: weight ~ init  act(w * x) }", "p"), @r"
    E0554: these two do not fit together in one operation
      - in this operation
      - a weight, [3, 2]
      - a batch of examples, [4, 3]
      help: a weight meets the input in `dot(w, x)`
    ");
}

#[test]
fn a_misspelt_name_gets_the_nearest_one() {
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { weight: weight ~ init  act(dot(weigth, x)) }", "p"), @r"
    E0550: `weigth` is not known in this definition
      - not bound here
      help: did you mean `weight`?
    ");
}

#[test]
fn an_unknown_function_gets_the_nearest_one() {
    insta::assert_snapshot!(own("parameterization p(init = he_normal) { w: weight ~ init  act(doot(w, x)) }", "p"), @r"
    E0552: `doot` cannot be called in this definition
      - no such function here
      help: did you mean `dot`?
    ");
}

#[test]
fn a_modifier_must_rebind_what_the_parameterization_assigns() {
    let definition = "parameterization p(init = he_normal) { w: weight ~ init  act(dot(w, x)) }
        modifier m { s = s - mean(s) }";
    insta::assert_snapshot!(own(definition, "p + m"), @r"
    E0566: the modifier `m` rebinds nothing that the parameterization `p` assigns
      - rebinds neither `x` nor a name assigned there
      - the names assigned here can be rebound
      help: name the pre-activation `s` in the parameterization, or rebind `x`
    ");
}

#[test]
fn a_choice_must_be_known_while_compiling() {
    let definition =
        "parameterization p(init = he_normal) { w: weight ~ init  s = dot(w, x)  act(if s > 0 { s } else { x }) }";
    insta::assert_snapshot!(own(definition, "p"), @r"
    E0556: a choice in a definition is made while compiling, but this is only known while training
      - depends on data or parameters
      help: use `min`, `max` or a comparison, which gives 0 or 1 for each value
    ");
}

#[test]
fn a_momentum_is_a_share() {
    insta::assert_snapshot!(own("", "bn(momentum = 2)"), @r"
    E0568: a momentum is above 0 and at most 1, but this one is 2
      - asked for here
      help: it is the weight of the new batch in the running statistic: 0.1 is usual
    ");
}
