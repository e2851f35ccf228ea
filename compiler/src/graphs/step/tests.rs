//! Step graphs: gradients of every parameterization, measures, optimizers, and definitions of a user's own.

use crate::gradcheck::gradcheck;
use crate::ir::graph::{Random, Tensor, evaluate};
use crate::ir::program::Goal;
use crate::testing::{complaint, graph, named, network, told, train};
use crate::{Options, TargetScale, step_graph};

const ACTIVATIONS: [&str; 7] = ["identity", "relu", "leaky_relu(0.1)", "tanh", "sigmoid", "gelu", "softplus"];
const PARAMS: [&str; 8] = ["sp", "wn", "bn", "gmp", "gmp + mn", "wn + mbn", "sp + mn + mbn", "bn + mn"];

fn checks(text: &str) {
    let (module, net) = network(text);
    let report = gradcheck(&module, &net, 5, 3).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    assert!(report.passed(), "{text}\n{report:#?}");
    assert!(report.tensors.iter().all(|t| t.elements > 0), "{text}\n{report:#?}");
}

#[test]
fn gradients_of_every_parameterization_and_activation_match_differences() {
    for param in PARAMS {
        for activation in ACTIVATIONS {
            checks(&format!(
                "param = {param}
                model test(input: [3]) {{ input -> dense(4) -> {activation} -> dense(3) -> {activation} -> linear(2) }}
                train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
            ));
        }
    }
}

#[test]
fn gradients_of_every_loss_match_differences() {
    for (loss, outputs) in [
        ("mse", 2),
        ("mae", 2),
        ("huber", 2),
        ("cross_entropy", 4),
        ("binary_cross_entropy", 1),
        ("cross_entropy(smoothing = 0.1, weights = [1, 2, 0.5, 1])", 4),
        ("binary_cross_entropy(positive_weight = 3)", 1),
    ] {
        checks(&format!(
            "model test(input: [3]) {{ input -> dense(4, param = gmp) -> tanh -> linear({outputs}) }}
            train {{ loss = {loss}  optimizer = sgd(lr = 0.1) }}"
        ));
    }
}

#[test]
fn gradients_go_through_every_kind_of_layer() {
    checks(
        "model test(input: [4]) {
            a = input -> dense(4) -> tanh
            b = input -> mean_norm -> dropout(0.3)
            c = (a + b) * a - 2 * b -> flatten
            concat(c, a / 3) -> gelu -> linear(2)
        }
        train { loss = mse  optimizer = sgd(lr = 0.1) }",
    );
}

#[test]
fn gradients_of_a_unit_with_one_input_match_differences() {
    for param in PARAMS {
        checks(&format!(
            "model test(input: [1]) {{ input -> dense(4, param = {param}) -> relu -> linear(1) }}
            train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
        ));
    }
}

const SMALL: &str = "model small(input: [1]) { input -> linear(1) as out }";

#[test]
fn a_training_step_of_adam_is_one_graph() {
    let text = format!("{SMALL} train {{ loss = mse  optimizer = adam(lr = 0.1) }}");
    insta::assert_snapshot!(graph(&text, Goal::Train, 2).print(None));
}

#[test]
fn a_metric_is_finished_from_means_of_rows() {
    let text = format!("{SMALL} train {{ loss = mae  optimizer = sgd(lr = 0.1)  metrics = [rmse] }}");
    let (module, net) = network(&text);
    let (graph, measures) = step_graph(&module, &net, Goal::Evaluate, 2, &Options::default()).unwrap();
    let rmse = &measures[1];
    assert_eq!((rmse.name.as_str(), rmse.sums.as_slice()), ("rmse", &[1][..]));
    insta::assert_snapshot!(rmse.finish.print(None), @r"
    %0 = input mean0                         : []
    %1 = sqrt %0                             : []
    output value = %1
    ");
    let states = [Tensor { shape: vec![1, 1], data: vec![2.0] }, Tensor { shape: vec![1, 1], data: vec![0.0] }];
    let column = |data: &[f64]| Tensor { shape: vec![2, 1], data: data.to_vec() };
    let values = evaluate(&graph, &[column(&[1.0, 2.0]), column(&[0.0, 1.0])], &states, Random::default());
    assert_eq!(named(&graph, &values, "loss.sum0").data, [2.0 + 3.0]);
    assert_eq!(named(&graph, &values, "rmse.sum0").data, [4.0 + 9.0]);
}

#[test]
fn metrics_are_in_the_targets_own_units_and_the_loss_is_not() {
    let text = format!("{SMALL} train {{ loss = mae  optimizer = sgd(lr = 0.1)  metrics = [mae] }}");
    let (module, net) = network(&text);
    let options =
        Options { target_scale: Some(TargetScale { scale: vec![10.0], shift: vec![3.0] }), ..Options::default() };
    let (graph, _) = step_graph(&module, &net, Goal::Evaluate, 1, &options).unwrap();
    let states = [Tensor { shape: vec![1, 1], data: vec![2.0] }, Tensor { shape: vec![1, 1], data: vec![0.0] }];
    let one = |x: f64| Tensor { shape: vec![1, 1], data: vec![x] };
    let values = evaluate(&graph, &[one(1.0), one(0.5)], &states, Random::default());
    assert_eq!(named(&graph, &values, "loss.sum0").data, [1.5]);
    assert_eq!(named(&graph, &values, "mae.sum0").data, [15.0]);
}

#[test]
fn ranks_count_equal_scores_against_and_nan_last() {
    let text = "model test(input: [3]) { input } train { loss = cross_entropy  metrics = [top1] }";
    let graph = graph(text, Goal::Evaluate, 4);
    let rows = [[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [f64::NAN, 0.0, 0.0]];
    let x = Tensor { shape: vec![4, 3], data: rows.concat() };
    let target = Tensor { shape: vec![4], data: vec![0.0, 0.0, 2.0, 0.0] };
    let values = evaluate(&graph, &[x, target], &[], Random::default());
    assert_eq!(named(&graph, &values, "top1.sum0").data, [2.0]);
}

#[test]
fn macro_f1_counts_every_class_over_all_rows() {
    let text = "model test(input: [3]) { input } train { loss = cross_entropy  metrics = [macro_f1] }";
    let (module, net) = network(text);
    let (graph, measures) = step_graph(&module, &net, Goal::Evaluate, 4, &Options::default()).unwrap();
    // Predicted 0 1 1 0 and 0 0 1 1; true 0 1 0 0 and 1 0 1 1; class 2 is never there.
    let scores = |of: [usize; 4]| of.iter().flat_map(|&k| (0..3).map(move |c| f64::from(u8::from(c == k)))).collect();
    let batches = [([0, 1, 1, 0], [0.0, 1.0, 0.0, 0.0]), ([0, 0, 1, 1], [1.0, 0.0, 1.0, 1.0])];
    let mut sums = vec![0.0; measures[1].sums.len()];
    for (predicted, target) in batches {
        let x = Tensor { shape: vec![4, 3], data: scores(predicted) };
        let target = Tensor { shape: vec![4], data: target.to_vec() };
        let values = evaluate(&graph, &[x, target], &[], Random::default());
        let named = |i: usize| named(&graph, &values, &format!("macro_f1.sum{i}")).data[0];
        sums.iter_mut().enumerate().for_each(|(i, sum)| *sum += named(i));
    }
    let means: Vec<Tensor> = sums.iter().map(|sum| Tensor::full(&[], sum / 8.0)).collect();
    let found = evaluate(&measures[1].finish, &means, &[], Random::default())[0].data[0];
    // Class 0: 3 hits of 4 predicted and 4 true. Class 1: 3 hits of 4 and 4.
    assert!((found - 0.75).abs() < 1e-15, "{found}");
}

#[test]
fn weights_and_smoothing_of_cross_entropy_are_those_of_pytorch() {
    // torch.nn.functional.cross_entropy(x, y, weight=w, label_smoothing=e) of the rows below.
    let x = Tensor { shape: vec![3, 3], data: vec![0.5, -1.0, 2.0, 0.1, 0.2, 0.3, -0.7, 1.5, 0.0] };
    let target = Tensor { shape: vec![3], data: vec![2.0, 0.0, 1.0] };
    let loss = |arguments: &str, class_rows: &[usize]| {
        let text = format!("model test(input: [3]) {{ input }} train {{ loss = cross_entropy({arguments}) }}");
        let (module, net) = network(&text);
        let options = Options { class_rows: class_rows.to_vec(), ..Options::default() };
        let (graph, measures) = step_graph(&module, &net, Goal::Evaluate, 3, &options).unwrap();
        let values = evaluate(&graph, &[x.clone(), target.clone()], &[], Random::default());
        let sum = |i: usize| Tensor::full(&[], named(&graph, &values, &format!("loss.sum{i}")).data[0] / 3.0);
        let means: Vec<Tensor> = (0..measures[0].sums.len()).map(sum).collect();
        evaluate(&measures[0].finish, &means, &[], Random::default())[0].data[0]
    };
    let all: Vec<f64> = include_str!("losses.txt").lines().map(|line| line.parse().expect("a number")).collect();
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    near(loss("", &[]), all[0]);
    near(loss("smoothing = 0.1", &[]), all[1]);
    near(loss("weights = [1, 2.5, 0.5]", &[]), all[2]);
    near(loss("weights = [1, 2.5, 0.5], smoothing = 0.1", &[]), all[3]);
    near(loss("weights = balanced", &[2, 1, 3]), all[4]);
}

/// Sixteen points of a piecewise linear function with one kink.
fn bent_line() -> (Tensor, Tensor) {
    let x: Vec<f64> = (0..16).map(|i| f64::from(i) / 8.0 - 1.0).collect();
    let y = x.iter().map(|x| x.abs() - 0.5 * x).collect();
    (Tensor { shape: vec![16, 1], data: x }, Tensor { shape: vec![16, 1], data: y })
}

#[test]
fn a_parameterization_and_an_optimizer_of_ones_own_train() {
    let text = "
        /// Weights between -1 and 1.
        parameterization bounded(init = he_normal) {
            v: weight ~ init
            l: unit   = 2
            b: offset = 0
            s = l * dot(tanh(v), x)
            act(s + b)
        }

        /// Steps of equal size along the sign of a decaying mean of gradients.
        optimizer signed(lr, beta = 0.9) {
            m: state = 0
            m = beta * m + (1 - beta) * gradient
            value - lr * sign(m)
        }

        param = bounded
        model test(input: [1]) { input -> dense(8) -> relu -> linear(1) }
        train { loss = mse  optimizer = signed(lr = 0.01) }";
    let (x, y) = bent_line();
    let losses = train(text, &x, &y, 200, 0.01);
    assert!(losses[199] < 0.1 * losses[0], "{} to {}", losses[0], losses[199]);
}

#[test]
fn every_optimizer_of_the_library_trains_every_parameterization() {
    let (x, y) = bent_line();
    for optimizer in [
        "sgd(lr = 0.05)",
        "sgd(lr = 0.05, momentum = 0.9, nesterov = true)",
        "adam(lr = 0.05)",
        "adamw(lr = 0.05)",
        "amsgrad(lr = 0.05)",
        "radam(lr = 0.05)",
        "nadam(lr = 0.05)",
        "adagrad(lr = 0.05)",
        "rmsprop(lr = 0.05)",
        "lion(lr = 0.05)",
        "lamb(lr = 0.05)",
        "muon(lr = 0.05, other = 1)",
    ] {
        for param in ["sp", "wn", "bn", "gmp", "gmp + mn"] {
            let text = format!(
                "param = {param}
                model test(input: [1]) {{ input -> dense(8) -> relu -> linear(1) }}
                train {{ loss = mse  optimizer = {optimizer} }}"
            );
            let losses = train(&text, &x, &y, 200, 0.05);
            assert!(losses[199] < 0.3 * losses[0], "{optimizer} {param}: {} to {}", losses[0], losses[199]);
        }
    }
}

/// Returns the complaints about a loss or a metric that is defined in the same file.
fn own(definition: &str, settings: &str) -> String {
    complaint(&format!("{definition} {SMALL} train {{ {settings}  optimizer = sgd(lr = 0.1) }}"), Goal::Evaluate, 3)
}

#[test]
fn a_loss_must_be_one_number() {
    insta::assert_snapshot!(own("loss l(prediction, target) { abs(prediction - target) }", "loss = l"), @r"
    E0573: `l` is not one number for the whole batch
      - its value must come from a `mean` over the batch
      - asked for here
      help: wrap what is computed for each row in `mean(…)`
    ");
}

#[test]
fn a_mean_of_a_mean_cannot_be_accumulated() {
    let definition =
        "metric r2(prediction, target) { 1 - mean((prediction - target)^2) / mean((target - mean(target))^2) }";
    insta::assert_snapshot!(own(definition, "loss = mse  metrics = [r2]"), @r"
    E0574: `r2` takes a mean of something that depends on another mean
      - this mean over the batch
      - needs this one first
      help: data come in batches, so each mean must be of single rows; expand the formula: var = mean(t^2) - mean(t)^2
    ");
}

#[test]
fn a_metric_may_combine_means() {
    let definition =
        "metric r2(prediction, target) { 1 - mean((prediction - target)^2) / (mean(target^2) - mean(target)^2) }";
    assert_eq!(own(definition, "loss = mse  metrics = [r2]"), "no complaint");
}

#[test]
fn training_needs_a_train_block_and_an_optimizer() {
    insta::assert_snapshot!(complaint(SMALL, Goal::Train, 3), @r"
    E0650: `small` says nothing about training
      - the model
      help: add a `train { loss = mse  optimizer = adam(lr = 0.01) … }` block
    ");
    insta::assert_snapshot!(complaint(&format!("{SMALL} train {{ loss = mse }}"), Goal::Train, 3), @r"
    E0651: the `train` block names no optimizer
      - nothing says how parameters change
      help: add a line such as `optimizer = adam(lr = 0.01)`
    ");
}
