//! Optimizers against PyTorch and NumPy, in f64: weights after seven steps. Groups and axes, and what is wrong with them.

use crate::ir::graph::{Graph, Output, Random, Tensor, evaluate};
use crate::ir::program::Goal;
use crate::testing::{complaint, graph};

/// The rows, targets and first states of `pytorch.py`.
fn start() -> ([Tensor; 2], [Tensor; 2]) {
    let table = |rows: usize, columns: usize, value: fn(f64, f64) -> f64| {
        let all = (0..rows).flat_map(|i| (0..columns).map(move |j| value(i as f64, j as f64)));
        Tensor { shape: vec![rows, columns], data: all.collect() }
    };
    let x = table(6, 3, |i, j| (1.0 + 3.0 * i + j).sin());
    let y = table(6, 2, |i, j| (2.0 * i + j).cos());
    let w = table(3, 2, |i, u| 0.5 * (2.0 + 2.0 * i + u).sin());
    let b = Tensor { shape: vec![1, 2], data: vec![0.1, 0.2] };
    ([x, y], [w, b])
}

/// The states after seven steps. The rate of the file is used as it is.
fn trained(graph: &Graph, settings: &str) -> Vec<Tensor> {
    let ([x, y], first) = start();
    let mut states: Vec<Tensor> = graph.states.iter().map(|state| Tensor::full(&state.shape, 0.0)).collect();
    states[..2].clone_from_slice(&first);
    // The states of an optimizer start from 0, except where its definition says something else.
    for (state, tensor) in graph.states.iter().zip(&mut states) {
        match state.name.split('/').next() {
            Some("nadam.mu") => tensor.data.fill(1.0),
            Some("adagrad.sum") => tensor.data.fill(0.2),
            _ => {}
        }
    }
    let lr = settings.split("lr = ").nth(1).and_then(|rest| rest.split([',', ')']).next());
    let lr: f64 = lr.expect("a rate").parse().expect("a number");
    for step in 1..=7 {
        let inputs = [x.clone(), y.clone(), Tensor::full(&[], lr), Tensor::full(&[], f64::from(step))];
        let values = evaluate(graph, &inputs, &states, Random::default());
        for (output, value) in graph.outputs.iter().zip(values) {
            if let Output::Write { state, .. } = output {
                states[*state] = value;
            }
        }
    }
    states
}

fn file(settings: &str) -> String {
    format!("model m(input: [3]) {{ input -> linear(2) as out }}\ntrain {{ loss = mse  {settings} }}")
}

#[test]
fn weights_are_those_of_pytorch_and_numpy() {
    let mut lines = include_str!("pytorch.txt").lines();
    let mut compared = 0;
    while let (Some(settings), Some(numbers)) = (lines.next(), lines.next()) {
        let expected: Vec<f64> = numbers.split(' ').map(|number| number.parse().expect("a number")).collect();
        let states = trained(&graph(&file(settings), Goal::Train, 6), settings);
        let found: Vec<f64> = states[..2].iter().flat_map(|state| state.data.clone()).collect();
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-10;
        let equal = found.len() == expected.len() && found.iter().zip(&expected).all(near);
        assert!(equal, "{settings}\n{found:?}\n{expected:?}");
        compared += 1;
    }
    assert!(compared >= 17, "{compared} settings");
}

#[test]
fn the_last_group_that_fits_wins() {
    let groups = "groups = [weight(lr = 0.2), out(lr = 0.05), offset(lr = 0)]";
    let found = trained(&graph(&file(&format!("optimizer = sgd(lr = 0.1)  {groups}")), Goal::Train, 6), "lr = 0.1)");
    let slow = trained(
        &graph(&file("optimizer = sgd(lr = 0.1)  groups = [out(lr = 0.05), offset(lr = 0)]"), Goal::Train, 6),
        "lr = 0.1)",
    );
    assert_eq!((&found[0], &found[1].data), (&slow[0], &vec![0.1, 0.2]));
    assert_ne!(found[0], start().1[0]);
}

#[test]
fn a_frozen_layer_keeps_its_parameters_and_costs_no_gradient() {
    let text = |frozen: &str, settings: &str| {
        format!(
            "model m(input: [3]) {{ input -> dense(4{frozen}) as first -> relu -> linear(2) }}
            train {{ loss = mse  optimizer = sgd(lr = 0.1)  {settings} }}"
        )
    };
    let by_label = graph(&text("", "freeze = [first]"), Goal::Train, 6);
    let by_layer = graph(&text(", frozen = true", ""), Goal::Train, 6);
    assert_eq!(by_label.print(None), by_layer.print(None));
    let written = |graph: &Graph| {
        let states = graph.outputs.iter().filter_map(|output| match output {
            Output::Write { state, .. } => Some(graph.states[*state].name.clone()),
            Output::Value { .. } => None,
        });
        states.filter(|name| name.starts_with("first.")).count()
    };
    assert_eq!((written(&by_label), written(&graph(&text("", ""), Goal::Train, 6))), (0, 2));
}

#[test]
fn an_optimizer_reads_kind_label_and_sizes() {
    let definition = "optimizer by_kind(lr) {
        rate = match kind { weight => lr / fan_in, offset => lr * units, _ => 0 * lr }
        value - (if label == \"out\" { rate } else { 0 }) * gradient / fan_out
    }";
    let text = format!("{definition}\n{}", file("optimizer = by_kind(lr = 0.1)"));
    let plain = file("optimizer = sgd(lr = 0.1)  groups = [weight(lr = 0.016666666666666666), offset(lr = 0.1)]");
    let (own, plain) =
        (trained(&graph(&text, Goal::Train, 6), "lr = 0.1)"), trained(&graph(&plain, Goal::Train, 6), "lr = 0.1)"));
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-14;
    assert!(own[0].data.iter().zip(&plain[0].data).all(near) && own[1].data.iter().zip(&plain[1].data).all(near));
}

fn wrong(settings: &str) -> String {
    complaint(&file(settings), Goal::Train, 6)
}

#[test]
fn a_group_that_means_nothing_is_told_with_the_nearest_word() {
    insta::assert_snapshot!(wrong("optimizer = sgd(lr = 0.1)  groups = [ofset(lr = 0.1)]"), @r"
    E0617: no parameter of the network belongs to `ofset`
      - neither a kind of parameter nor a layer with parameters
      help: did you mean `offset`?
    ");
    insta::assert_snapshot!(wrong("optimizer = sgd(lr = 0.1)  freeze = [outt]"), @r"
    E0617: no parameter of the network belongs to `outt`
      - neither a kind of parameter nor a layer with parameters
      help: did you mean `out`?
    ");
}

#[test]
fn a_reduction_in_an_optimizer_names_its_axes() {
    let own = |body: &str| {
        complaint(&format!("optimizer o(lr) {{ {body} }}\n{}", file("optimizer = o(lr = 0.1)")), Goal::Train, 6)
    };
    let codes = |body: &str| own(body).chars().take(5).collect::<String>();
    assert_eq!(codes("value - lr * gradient / norm(gradient)"), "E0563");
    assert_eq!(codes("value - lr * gradient / norm(gradient, over = inputs)"), "E0512"); // the offset has none
    assert_eq!(codes("value - lr * gradient / norm(gradient, over = paramter)"), "E0513");
    assert_eq!(codes("value - lr * gradient / norm(gradient^2, over = all)"), "E0519");
    assert_eq!(codes("value - lr * gradient / norm(lr, over = parameter)"), "E0512");
    assert_eq!(codes("value - lr * product(gradient, gradient)"), "E0516");
    assert_eq!(codes("value - lr * transpose(step)"), "E0516");
    assert_eq!(own("value - lr * gradient / norm(gradient, over = all)"), "no complaint");
    assert_eq!(
        own("value - lr * (gradient - mean(gradient, over = parameter)) * sum(value, over = all)"),
        "no complaint"
    );
}

#[test]
fn nothing_left_to_train_and_losses_that_do_not_add_up_are_told() {
    let code = |settings: &str| wrong(settings).chars().take(5).collect::<String>();
    assert_eq!(code("optimizer = sgd(lr = 0.1)  freeze = [out]"), "E0618");
    let text = "loss l(prediction, target) { sqrt(mean((prediction - target)^2)) }
        model m(input: [3]) { input -> linear(2) }
        train { loss = l  optimizer = sgd(lr = 0.1)  accumulate = 2 }";
    assert_eq!(complaint(text, Goal::Train, 6).chars().take(5).collect::<String>(), "E0619");
}
