//! Bounds of arguments. An argument outside of its bounds raises the right code, and usual arguments raise nothing.

use crate::explained::raised;

/// Returns a file with these settings in `train`.
fn trained(settings: &str) -> String {
    format!("model m(input: [2]) {{ input -> dense(4) -> relu -> linear(1) }}\ntrain {{ {settings} }}")
}

/// The codes that a file raises.
fn codes(text: &str) -> Vec<&'static str> {
    raised(text).into_iter().collect()
}

#[test]
fn arguments_of_optimizers_and_losses_have_bounds() {
    let optimizers = [
        "sgd(lr = 0.1, momentum = 1)",
        "sgd(lr = 0.1, momentum = 1.5)",
        "sgd(lr = 0.1, momentum = -0.5)",
        "sgd(lr = 0.1, weight_decay = -1)",
        "adam(lr = 0.1, beta1 = 1)",
        "adam(lr = 0.1, beta1 = 1.2)",
        "adam(lr = 0.1, beta2 = 1)",
        "adam(lr = 0.1, eps = -1e-8)",
        "adamw(lr = 0.1, weight_decay = -0.1)",
    ];
    for optimizer in optimizers {
        assert_eq!(codes(&trained(&format!("loss = mse  optimizer = {optimizer}"))), ["E0603"], "{optimizer}");
    }
    for loss in ["huber(delta = 0)", "huber(delta = -1)", "huber(0)"] {
        assert_eq!(codes(&trained(&format!("loss = {loss}  optimizer = sgd(lr = 0.1)"))), ["E0603"], "{loss}");
    }
    for optimizer in ["sgd(lr = 0.1, momentum = 0.99, nesterov = true)", "adam(lr = 0.1, beta1 = 0, eps = 0)"] {
        let usual = trained(&format!("loss = huber(delta = 0.5)  optimizer = {optimizer}"));
        assert!(codes(&usual).is_empty(), "{optimizer}");
    }
}

#[test]
fn arguments_of_schedules_have_bounds_too() {
    let with =
        |schedule: &str| codes(&trained(&format!("loss = mse  optimizer = sgd(lr = 0.1)  schedule = {schedule}")));
    for schedule in [
        "step(every = 0)",
        "step(every = 2.5)",
        "cosine(final = 1.5)",
        "exponential(factor = 0)",
        "one_cycle(rise = 2)",
        "warm_up(2, then = polynomial(power = 0))",
    ] {
        assert_eq!(with(schedule), ["E0603"], "{schedule}");
    }
    for schedule in
        ["step(2)", "cosine(per = step)", "milestones(at = [1, 2], factor = 2)", "cyclic(up = 3, down = 1.5)"]
    {
        assert!(with(schedule).is_empty(), "{schedule}: {:?}", with(schedule));
    }
}

#[test]
fn nesterov_without_a_momentum_is_an_error() {
    assert_eq!(codes(&trained("loss = mse  optimizer = sgd(lr = 0.1, nesterov = true)")), ["E0640"]);
}

#[test]
fn a_definition_of_the_file_states_bounds_of_its_own() {
    let loss = "loss cut(prediction, target, above: positive = 1) { mean(min(abs(prediction - target), above)) }\n";
    let with = |call: &str| codes(&format!("{loss}{}", trained(&format!("loss = {call}  optimizer = sgd(lr = 0.1)"))));
    assert!(with("cut").is_empty());
    assert!(with("cut(above = 2)").is_empty());
    assert_eq!(with("cut(above = 0)"), ["E0603"]);
    let unknown = loss.replace("positive", "large");
    assert_eq!(codes(&format!("{unknown}{}", trained("loss = cut"))), ["E0501"]);
}

#[test]
fn probabilities_that_look_inverted_are_warned_of() {
    let model = |body: &str| format!("model m(input: [2]) {{ input -> {body} -> linear(1) }}");
    assert_eq!(codes(&model("dense(8) -> relu -> dropout(0.8)")), ["W0911"]);
    assert_eq!(codes(&model("dense(8) -> relu -> dropout(p = 1 - 0.2)")), ["W0911"]);
    assert!(codes(&model("dense(8) -> relu -> dropout(0.5)")).is_empty());
    assert_eq!(codes(&model("mean_norm(0.99) -> dense(8) -> relu")), ["W0912"]);
    for param in ["bn(momentum = 0.99)", "gmp + mn(momentum = 0.9)", "wn + mbn(0.9)"] {
        assert_eq!(codes(&format!("param = {param}\n{}", model("dense(8) -> relu"))), ["W0912"], "{param}");
        assert_eq!(codes(&model(&format!("dense(8, param = {param}) -> relu"))), ["W0912"], "{param}");
    }
    assert!(codes(&format!("param = bn(momentum = 0.01)\n{}", model("dense(8) -> relu"))).is_empty());
}

#[test]
fn a_sigmoid_before_a_loss_of_logits_is_found_through_neutral_layers() {
    let ends = [
        "input -> linear(3) -> sigmoid",
        "input -> linear(3) -> sigmoid -> flatten",
        "input -> linear(3) -> sigmoid -> dropout(0.1)",
        "input -> linear(3) -> sigmoid -> identity",
        "(input -> linear(3) -> sigmoid) * 1",
        "(input -> linear(3) -> sigmoid) + 0",
        "a = input -> linear(2) -> sigmoid\nb = input -> linear(1) -> sigmoid\nconcat(a, b)",
    ];
    let file = |end: &str| {
        format!("model m(input: [2]) {{\n{end}\n}}\ntrain {{ loss = cross_entropy  optimizer = sgd(lr = 0.1) }}")
    };
    for end in ends {
        assert_eq!(codes(&file(end)), ["E0334"], "{end}");
    }
    let cut = [
        "input -> linear(3) -> relu",
        "input -> linear(3) -> softplus",
        "input -> linear(3) -> tanh -> flatten",
        "input -> linear(3) -> relu -> dropout(0.1) -> identity",
        "(input -> linear(3) -> relu) * 1",
        "scores = input -> linear(3) -> relu\nscores + 0",
        "concat(input -> linear(2) -> relu, input -> linear(1) -> softplus)",
    ];
    for end in cut {
        assert_eq!(codes(&file(end)), ["W0913"], "{end}");
    }
    let block = "block head(units) { input -> linear(units) -> relu }\n";
    assert_eq!(codes(&format!("{block}{}", file("input -> dense(4) -> relu -> head(3)"))), ["W0913"]);
    for end in ["input -> linear(3)", "(input -> linear(3) -> sigmoid) * 4", "input -> dense(4) -> relu -> linear(3)"] {
        assert!(codes(&file(end)).is_empty(), "{end}");
    }
}

#[test]
fn weight_decay_on_angles_is_told() {
    let file = |param: &str, optimizer: &str| {
        format!(
            "param = {param}\nmodel m(input: [2]) {{ input -> dense(3) -> relu -> linear(1) }}\n\
             train {{ loss = mse  optimizer = {optimizer} }}"
        )
    };
    assert_eq!(codes(&file("gmp", "adamw(lr = 0.1, weight_decay = 0.5)")), ["W0914"]);
    assert_eq!(codes(&file("gmp + mn", "sgd(lr = 0.1, weight_decay = 1e-4)")), ["W0914"]);
    assert!(codes(&file("gmp", "adamw(lr = 0.1, weight_decay = 0)")).is_empty());
    assert!(codes(&file("wn", "adamw(lr = 0.1, weight_decay = 0.5)")).is_empty());
    let one = "model m(input: [2]) { input -> dense(3, param = gmp) -> relu -> linear(1) }\n";
    assert_eq!(
        codes(&format!("{one}train {{ loss = mse  optimizer = sgd(lr = 0.1, weight_decay = 0.1) }}")),
        ["W0914"]
    );
}

#[test]
fn a_monitored_metric_says_which_way_it_is_good() {
    let file = |better: &str, stop: &str| {
        let metric =
            format!("metric hits(prediction, target) {{\n{better}\nmean(abs(prediction - target) < 0.5)\n}}\n");
        format!("{metric}{}", trained(&format!("loss = mse  metrics = [hits]  {stop}")))
    };
    assert_eq!(codes(&file("", "stop = early_stop(valid.hits)")), ["E0641"]);
    assert_eq!(codes(&file("", "schedule = reduce_on_plateau(valid.hits)")), ["E0641"]);
    assert!(codes(&file("better = higher", "stop = early_stop(valid.hits)")).is_empty());
    assert!(codes(&file("", "stop = early_stop(valid.loss)")).is_empty());
    assert!(codes(&trained("loss = mse  metrics = [rmse]  stop = early_stop(valid.rmse)")).is_empty());
}

#[test]
fn a_plateau_can_wait_as_pytorch_does() {
    let file = |arguments: &str| trained(&format!("loss = mse  schedule = reduce_on_plateau(valid.loss, {arguments})"));
    assert!(codes(&file("patience = 0, rule = pytorch")).is_empty());
    assert_eq!(codes(&file("patience = 0")), ["E0603"]);
    assert_eq!(codes(&file("rule = torch")), ["E0604"]);
    let patience = |rule: &str| {
        let (module, _) =
            crate::resolved(&file(&format!("patience = 3, rule = {rule}")), &crate::set(&[])).expect("right");
        format!("{:?}", module.experiment.train.expect("a train block").schedule)
    };
    assert!(patience("keras").contains("patience: 3") && patience("pytorch").contains("patience: 4"));
}

#[test]
fn words_of_other_tools_are_answered_with_the_words_of_gmpnet() {
    let said = |text: &str| {
        let found = crate::resolved(text, &crate::set(&[]));
        let told = match found {
            Err(failure) => failure.diagnostics,
            Ok((module, _)) => {
                gmpc_compiler::elaborate(&module, None, &gmpc_compiler::stage::Silent).err().unwrap_or_default()
            }
        };
        told.into_iter().map(|d| d.help.unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    let model = "model m(input: [3, 8, 8]) { input -> conv(4, 3, pad = valid) -> relu }";
    assert!(said(model).contains("pad = 0"));
    assert!(said(&trained("loss = mse  epochs = 1e1")).contains("write `10`"));
    assert!(said(&trained("loss = cross_entropy(class_weights = [1, 2])")).contains("`weights`"));
    assert!(said(&trained("loss = mse(class_weights = [1, 2])")).contains("loss mine"));
    let table = |target: &str| format!("data = table(\"a.csv\", target = {target})\nmodel m {{ input -> linear(1) }}");
    assert!(said(&table("y")).contains("`\"y\"`"));
    assert!(said(&table("[y, \"z\"]")).contains("`\"y\"`"));
}

#[test]
fn a_convolution_of_a_square_without_channels_is_warned_of() {
    let model =
        |input: &str, body: &str| format!("model m(input: {input}) {{ input -> {body} -> flatten -> linear(1) }}");
    assert_eq!(codes(&model("[28, 28]", "conv(4, 3)")), ["W0917"]);
    assert!(codes(&model("[1, 28, 28]", "conv(4, 3)")).is_empty());
    assert!(codes(&model("[2, 28]", "conv(4, 3)")).is_empty());
    assert!(codes(&model("[28, 28]", "tanh")).is_empty(), "what is flattened is no series");
    assert_eq!(codes(&model("[2, 28]", "stochastic_depth(0.8)")), ["W0911"]);
}
