//! Networks as `gmpc emit --stage net` prints them.

use crate::{files, resolved};
use gmpc_compiler::elaborate;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::DataFacts;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::stage::Silent;
use gmpc_compiler::{Options, initialization, step_graph};

fn net_with(text: &str, facts: Option<&DataFacts>) -> String {
    let (module, _) = resolved(text, &Overrides::default())
        .unwrap_or_else(|f| panic!("{}", crate::shown(&f.diagnostics, &f.sources)));
    match elaborate(&module, facts, &Silent) {
        Ok(net) => net.to_string(),
        Err(errors) => crate::shown(&errors, &module.sources),
    }
}

fn net(text: &str) -> String {
    net_with(text, None)
}

#[test]
fn a_layer_and_the_activation_after_it_are_one_unit() {
    insta::assert_snapshot!(net("model m(input: [4]) { input -> relu -> dense(3) as a -> relu -> tanh -> dense(2) -> linear(1) -> sigmoid }"), @r"
    net m
    input            : [4] = input
    relu1            : [4] = relu of input
    a                : [3] = dense(3, sp, relu) of relu1
    tanh1            : [3] = tanh of a
    dense2           : [2] = dense(2, sp, identity) of tanh1
    linear1          : [1] = dense(1, affine, sigmoid) of dense2
    output linear1, target [1]
    ");
}

#[test]
fn a_choice_or_a_repeat_does_not_come_between_them_but_a_block_does() {
    insta::assert_snapshot!(net("
        block closed(n) { input -> dense(n) }
        model m(input: [4]) {
            input -> dense(3) -> if input.features > 3 { relu } else { tanh }
            -> repeat(2, dense(3)) -> leaky_relu(0.2)
            -> closed(2) -> relu
        }
    "), @r"
    net m
    input            : [4] = input
    dense1           : [3] = dense(3, sp, relu) of input
    dense2           : [3] = dense(3, sp, identity) of dense1
    dense3           : [3] = dense(3, sp, leaky_relu(0.2)) of dense2
    closed1.dense1   : [2] = dense(2, sp, identity) of dense3
    relu1            : [2] = relu of closed1.dense1
    output relu1, target [2]
    ");
}

#[test]
fn the_innermost_param_wins() {
    insta::assert_snapshot!(net("
        param = gmp + mn
        block plain(n) {
            param = sp
            input -> dense(n) -> dense(n, param = bn)
        }
        block given(n) { input -> dense(n) }
        model m(input: [4]) {
            input -> dense(3) -> plain(3) -> given(3, param = wn + mbn) -> given(3)
        }
    "), @r"
    net m
    input            : [4] = input
    dense1           : [3] = dense(3, gmp + mn, identity) of input
    plain1.dense1    : [3] = dense(3, sp, identity) of dense1
    plain1.dense2    : [3] = dense(3, bn, identity) of plain1.dense1
    given1.dense1    : [3] = dense(3, wn + mbn, identity) of plain1.dense2
    given2.dense1    : [3] = dense(3, gmp + mn, identity) of given1.dense1
    output given2.dense1, target [3]
    ");
}

#[test]
fn blocks_take_arguments_defaults_and_activations() {
    // The first `layer` takes its width from `input.features` and has no dropout, because its rate is 0. A label replaces the
    // counted name. `residual(2)` changes the width, so its shortcut needs a linear layer.
    insta::assert_snapshot!(net("
        use std.residual
        block layer(units = 2 * input.features, act = relu, rate = 0) {
            h = input -> dense(units, bias = false) -> act
            if rate > 0 { h -> dropout(rate) } else { h }
        }
        model m(input: [4], width = 6) {
            input -> layer -> layer(width, rate = 0.5, act = leaky_relu) as last -> residual -> residual(2)
        }
    "), @r"
    net m
    input            : [4] = input
    layer1.dense1    : [8] = dense(8, sp, relu, no bias) of input
    last.dense1      : [6] = dense(6, sp, leaky_relu(0.01), no bias) of layer1.dense1
    last.dropout1    : [6] = dropout(0.5) of last.dense1
    residual1.dense1 : [6] = dense(6, sp, relu) of last.dropout1
    residual1.dense2 : [6] = dense(6, sp, identity) of residual1.dense1
    residual1.add1   : [6] = add of residual1.dense2, last.dropout1
    residual1.relu1  : [6] = relu of residual1.add1
    residual2.dense1 : [2] = dense(2, sp, relu) of residual1.relu1
    residual2.dense2 : [2] = dense(2, sp, identity) of residual2.dense1
    residual2.linear1 : [2] = dense(2, affine, identity) of residual1.relu1
    residual2.add1   : [2] = add of residual2.dense2, residual2.linear1
    residual2.relu1  : [2] = relu of residual2.add1
    output residual2.relu1, target [2]
    ");
}

#[test]
fn tensors_are_joined_and_computed_with() {
    // A constant operand is a field of the operation and not a layer. The order of operands matters: `half` divides by 2, and
    // `1 - half` has the constant on the left.
    insta::assert_snapshot!(net("
        model m(input: [2, 3]) {
            flat = input -> flatten
            a = flat -> dense(3) as a
            b = flat -> dense(3) as b -> mean_norm
            half = (a - b) / 2
            concat(1 - half, a * b, -b) -> linear(1)
        }
    "), @r"
    net m
    input            : [2, 3] = input
    flatten1         : [6] = flatten of input
    a                : [3] = dense(3, sp, identity) of flatten1
    b                : [3] = dense(3, sp, identity) of flatten1
    mean_norm1       : [3] = mean_norm(0.1) of b
    subtract1        : [3] = subtract of a, mean_norm1
    divide1          : [3] = divide 2 of subtract1
    subtract2        : [3] = 1 subtract of divide1
    multiply1        : [3] = multiply of a, mean_norm1
    multiply2        : [3] = -1 multiply of mean_norm1
    concat1          : [9] = concat of subtract2, multiply1, multiply2
    linear1          : [1] = dense(1, affine, identity) of concat1
    output linear1, target [1]
    ");
}

#[test]
fn sizes_come_from_the_data() {
    let text = "
        data = table(\"my.csv\", target = \"kind\", task = classification)
        model m { input -> dense(2 * data.features) -> relu -> linear(data.classes) }
        train { loss = cross_entropy  metrics = [accuracy, top5] }
    ";
    let facts = DataFacts { rows: Some(100), shape: vec![4], outputs: 1, classes: Some(3) };
    insta::assert_snapshot!(net_with(text, Some(&facts)), @r"
    net m
    input            : [4] = input
    dense1           : [8] = dense(8, sp, relu) of input
    linear1          : [3] = dense(3, affine, identity) of dense1
    output linear1, target []
    ");
}

#[test]
fn one_score_is_enough_for_two_classes() {
    let text = "
        data = table(\"my.csv\", target = \"kind\", features = 2, classes = 2)
        model m { input -> dense(10) -> relu -> linear(1) }
        train { loss = binary_cross_entropy  metrics = [accuracy] }
    ";
    assert!(net(text).ends_with("output linear1, target [1]\n"));
}

#[test]
fn every_example_has_a_network_for_every_parameterization() {
    // Examples on real data get invented facts about their data, since the files may be absent.
    let facts = |text: &str| {
        let classes = text.contains("banana").then_some(2);
        DataFacts { rows: None, shape: vec![3], outputs: 1, classes }
    };
    for (name, text) in files().into_iter().filter(|(name, _)| name.starts_with("examples/")) {
        for param in ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"] {
            let overrides = Overrides { param: Some(param.to_string()), ..Overrides::default() };
            let (module, _) =
                resolved(&text, &overrides).unwrap_or_else(|f| panic!("{}", crate::shown(&f.diagnostics, &f.sources)));
            let facts = module.declared_facts().unwrap_or_else(|| facts(&text));
            let net = elaborate(&module, Some(&facts), &Silent)
                .unwrap_or_else(|e| panic!("{name}: {}", crate::shown(&e, &module.sources)));
            assert!(net.layers.len() > 1);
        }
    }
}

#[test]
fn every_definition_of_the_standard_library_makes_a_training_step() {
    // Every loss with its metrics and a suitable target, with every optimizer, and with parameterizations that use every
    // normalization.
    let data = |classes: usize| format!("data = table(\"my.csv\", target = 0, features = 3, classes = {classes})\n");
    let numbers = "data = table(\"my.csv\", target = 0, features = 3)\n".to_string();
    // A loss decides the data, the width of the last layer, and the metrics that fit.
    let losses = [("mse", numbers.clone(), 1), ("mae", numbers.clone(), 1), ("huber", numbers.clone(), 1)];
    let classes = [("cross_entropy", data(7), 7), ("binary_cross_entropy", data(2), 1)];
    for (loss, data, outputs) in losses.into_iter().chain(classes) {
        let metrics = match loss {
            "cross_entropy" => "accuracy, top1, top5",
            "binary_cross_entropy" => "accuracy",
            _ => "rmse, mse, mae",
        };
        // Every optimizer with every parameterization, because optimizers treat weights, angles and signs differently.
        for optimizer in ["sgd(0.1)", "sgd(0.1, momentum = 0.9, nesterov = true)", "adam(0.01)", "adamw(0.01)"] {
            for param in ["sp", "wn + mbn", "bn", "gmp + mn", "gmp(init = glorot_half_sphere, scale = \"drawn\")"] {
                makes_a_step(&format!(
                    "param = {param}\n{data}model m {{ input -> dense(4) -> relu -> linear({outputs}) }}
                    train {{ loss = {loss}  optimizer = {optimizer}  metrics = [{metrics}] }}"
                ));
            }
        }
    }
    // Initializers do not depend on the loss or the optimizer, so one combination is enough.
    for initializer in ["he_normal", "he_uniform", "glorot_uniform", "glorot_normal", "uniform_direction", "zeros"] {
        makes_a_step(&format!(
            "param = sp(init = {initializer})\n{numbers}model m {{ input -> dense(4) -> linear(1) }}
            train {{ loss = mse  optimizer = sgd(0.1) }}"
        ));
    }
}

fn makes_a_step(text: &str) {
    let (module, _) = resolved(text, &Overrides::default())
        .unwrap_or_else(|f| panic!("{text}\n{}", crate::shown(&f.diagnostics, &f.sources)));
    let made = elaborate(&module, module.declared_facts().as_ref(), &Silent).and_then(|net| {
        initialization(&module, &net)?;
        step_graph(&module, &net, Goal::Train, 8, &Options::default())
    });
    let (graph, measures) = made.unwrap_or_else(|e| panic!("{text}\n{}", crate::shown(&e, &module.sources)));
    assert!(graph.outputs.len() > measures.len());
}

#[test]
fn convolutions_print_what_is_unusual_about_them() {
    insta::assert_snapshot!(net("
        model m(input: [4, 9, 8]) {
            input -> conv(8, 3, groups = 4, dilation = [1, 2], fill = zeros) -> relu -> conv(8, 3, fill = reflect, stride = 2)
            -> upsample([1, 2], method = bilinear) -> conv_transpose(6, 4, stride = 2, pad = 1) -> relu
            -> maxout(3) -> noise(0.1) -> stochastic_depth(0.2) -> global_max_pool -> linear(2)
        }
    "), @r"
    net m
    input            : [4, 9, 8] = input
    conv1            : [8, 9, 8] = conv(8, 3x3 stride 1x1 pad 1x2 dilation 1x2 groups 4, sp, relu) of input
    conv2            : [8, 5, 4] = conv(8, 3x3 stride 2x2 pad 1x0 reflect, sp, identity) of conv1
    upsample1        : [8, 5, 8] = upsample(1x2, bilinear) of conv2
    conv_transpose1  : [6, 10, 16] = conv_transpose(6, 4x4 stride 2x2 pad 1x1, sp, relu) of upsample1
    maxout1          : [2, 10, 16] = maxout(3) of conv_transpose1
    noise1           : [2, 10, 16] = noise(0.1) of maxout1
    stochastic_depth1 : [2, 10, 16] = stochastic_depth(0.2) of noise1
    global_max_pool1 : [2] = global_max_pool of stochastic_depth1
    linear1          : [2] = dense(2, affine, identity) of global_max_pool1
    output linear1, target [2]
    ");
}

#[test]
fn a_series_has_one_axis_of_positions() {
    insta::assert_snapshot!(net("
        model m(input: [3, 20]) {
            input -> conv(8, 3, dilation = 4) -> relu -> max_pool(2) -> conv(8, 5, stride = 2, groups = depthwise)
            -> avg_pool(3, stride = 1, pad = 1) -> conv_transpose(6, 4, stride = 2, pad = 1) -> upsample(2) -> flatten
            -> linear(input.positions)
        }
    "), @r"
    net m
    input            : [3, 20] = input
    conv1            : [8, 20] = conv(8, 1x3 stride 1x1 pad 0x4 dilation 1x4, sp, relu) of input
    max_pool1        : [8, 10] = max_pool(1x2 stride 1x2 pad 0x0) of conv1
    conv2            : [8, 5] = conv(8, 1x5 stride 1x2 pad 0x1 groups 8, sp, identity) of max_pool1
    avg_pool1        : [8, 5] = avg_pool(1x3 stride 1x1 pad 0x1) of conv2
    conv_transpose1  : [6, 10] = conv_transpose(6, 1x4 stride 1x2 pad 0x1, sp, identity) of avg_pool1
    upsample1        : [6, 20] = upsample(1x2, nearest) of conv_transpose1
    flatten1         : [120] = flatten of upsample1
    linear1          : [20] = dense(20, affine, identity) of flatten1
    output linear1, target [20]
    ");
}

#[test]
fn a_block_of_the_file_takes_the_place_of_a_newer_stage() {
    insta::assert_snapshot!(net("
        block noise(deviation) { input -> dense(3) }
        model m(input: [4]) { input -> noise(0.1) -> linear(1) }
    "), @r"
    net m
    input            : [4] = input
    noise1.dense1    : [3] = dense(3, sp, identity) of input
    linear1          : [1] = dense(1, affine, identity) of noise1.dense1
    output linear1, target [1]
    ");
}

#[test]
fn a_row_of_the_data_can_be_read_as_a_series() {
    let facts = DataFacts { rows: Some(9), shape: vec![12], outputs: 1, classes: None };
    let text = "data = table(\"a.csv\", target = \"y\")\nmodel m(input: [3, 4]) { input -> conv(2, 3) -> global_avg_pool -> linear(1) }";
    insta::assert_snapshot!(net_with(text, Some(&facts)), @r"
    net m
    input            : [3, 4] = input
    conv1            : [2, 4] = conv(2, 1x3 stride 1x1 pad 0x1, sp, identity) of input
    global_avg_pool1 : [2] = global_avg_pool of conv1
    linear1          : [1] = dense(1, affine, identity) of global_avg_pool1
    output linear1, target [1]
    ");
}
