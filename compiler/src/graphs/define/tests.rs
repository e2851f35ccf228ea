//! Reductions over named axes: their numbers, and the errors of what would silently be something else.

use crate::ir::graph::{Output, Random, Tensor, evaluate};
use crate::ir::program::Goal;
use crate::testing::{complaint, graph, named};

/// The complaint about one parameterization of a dense layer with three inputs and two units.
fn unit(body: &str) -> String {
    let text = format!(
        "param = p
         parameterization p(init = he_normal) {{ w: weight ~ init  g: unit = 1  k: layer = 1  {body} }}
         model test(input: [3]) {{ input -> dense(2) -> relu }}
         train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
    );
    complaint(&text, Goal::Gradients, 4)
}

#[test]
fn a_mean_of_a_units_number_is_an_error_and_not_the_number() {
    insta::assert_snapshot!(unit("act(mean(g) * dot(w, x))"), @r"
    E0563: `mean` cannot reduce one value per unit
      - in this call
      - one value per unit
      help: leave `mean` out, or say over which axis: `mean(…, over = units)`
    ");
}

#[test]
fn a_sum_of_sums_is_an_error_and_not_a_sum() {
    insta::assert_snapshot!(unit("act(dot(w, x) / sum(sum(w^2)))"), @r"
    E0563: `sum` cannot reduce one value per unit
      - in this call
      - one value per unit
      help: leave `sum` out, or say over which axis: `sum(…, over = units)`
    ");
    assert_eq!(unit("act(dot(w, x) / sum(w^2, over = [units, inputs]))"), "no complaint");
}

#[test]
fn a_norm_of_a_gradient_says_over_what() {
    let optimizer = |body: &str| {
        let text = format!(
            "optimizer o(lr) {{ {body} }}
             model test(input: [3]) {{ input -> dense(2) -> relu -> linear(1) }}
             train {{ loss = mse  optimizer = o(lr = 0.1) }}"
        );
        complaint(&text, Goal::Train, 4)
    };
    insta::assert_snapshot!(optimizer("value - lr * gradient / norm(gradient)"), @r"
    E0563: `norm` cannot reduce a weight
      - in this call
      - a weight
      help: write `norm(…, over = inputs)`, or `over = parameter` for all its numbers
    ");
    for over in ["parameter", "layer", "all"] {
        let body = format!("value - lr * gradient / norm(gradient, over = {over})");
        assert_eq!(optimizer(&body), "no complaint", "{over}");
    }
    insta::assert_snapshot!(optimizer("value - lr * gradient / norm(gradient * 2, over = all)"), @r"
    E0519: `norm` over several parameters takes `gradient` or `value`
      - computed for this parameter alone
      - reaches other parameters
      help: write `norm(gradient, over = …)`, or reduce over `parameter`
    ");
    insta::assert_snapshot!(optimizer("value - lr * norm(gradient, over = inputs)"), @r"
    E0512: `norm` has no `inputs` to reduce here
      - this axis
      - one value per unit has none
      help: reduce `units` instead, or leave `norm` out
    ");
}

#[test]
fn an_axis_that_is_not_there_is_an_error_with_both_places() {
    insta::assert_snapshot!(unit("act(dot(w, x - mean(x, over = positions)))"), @r"
    E0512: `mean` has no `positions` to reduce here
      - this axis
      - a batch of examples has none
      help: reduce `batch` or `features` instead, or leave `mean` out
    ");
    insta::assert_snapshot!(unit("act(dot(w / norm(w, over = [inputs, units, inputs]), x))"), @r"
    E0512: the axis `inputs` is named twice
      - reduced here
      - and named again
      help: leave one of them out, or name the other axis that was meant
    ");
    insta::assert_snapshot!(unit("act(dot(w / norm(w, over = input), x))"), @r"
    E0513: there is no axis called `input`
      - unknown
      help: did you mean `inputs`?
    ");
    insta::assert_snapshot!(unit("act(dot(w, x) + norm(k, over = units))"), @r"
    E0512: `norm` has no `units` to reduce here
      - this axis
      - a number has none
      help: leave `norm` out: this is one number already
    ");
    insta::assert_snapshot!(unit("act(dot(w, x) * sum(x, over = batch))"), @r"
    E0563: `sum` over a batch has no running value for evaluation
      - reduces the examples of a batch
      - a batch of examples
      help: use `mean` or `var` over the batch, or reduce other axes: `over = features`
    ");
}

#[test]
fn several_parameters_are_reduced_by_optimizers_alone() {
    insta::assert_snapshot!(unit("act(dot(w / norm(w, over = all), x))"), @r"
    E0519: `norm` sees one parameter here
      - reaches other parameters
      - a weight
      help: write `over = parameter`; only an optimizer reduces `value` and `gradient` over several parameters
    ");
}

#[test]
fn a_stage_gives_a_value_of_the_shape_of_its_example() {
    let text = "stage s { sum(x, over = features) }
        model test(input: [4]) { input -> s }
        train { loss = mse  optimizer = sgd(lr = 0.1) }";
    insta::assert_snapshot!(complaint(text, Goal::Gradients, 2), @r"
    E0564: the value of a stage must have the shape of the example
      - was reduced, and has fewer values
      help: combine it with `x`, as in `x - mean(x, over = features)`
    ");
}

#[test]
fn a_number_for_each_feature_does_not_meet_one_for_each_unit() {
    let text = "param = p
        parameterization p(init = he_normal) { w: weight ~ init  g: unit = 1  act(dot(w, g * x)) }
        model test(input: [2]) { input -> dense(2) -> relu }
        train { loss = mse  optimizer = sgd(lr = 0.1) }";
    insta::assert_snapshot!(complaint(text, Goal::Gradients, 4), @r"
    E0554: these two do not fit together in one operation
      - in this operation
      - one value per unit, [1, 2]
      - a batch of examples, [4, 2]
      help: one value for each feature of the input is a `feature`, one for each unit a `unit`
    ");
}

/// The prediction for one batch of a stage with this body.
fn staged(body: &str, x: &[f64], shape: [usize; 2]) -> Vec<f64> {
    let text = format!(
        "stage s {{ {body} }}
         model test(input: [{}]) {{ input -> s }}
         train {{ loss = mse  optimizer = sgd(lr = 0.1) }}",
        shape[1]
    );
    let graph = graph(&text, Goal::Gradients, shape[0]);
    let x = Tensor { shape: shape.to_vec(), data: x.to_vec() };
    let states: Vec<Tensor> = graph.states.iter().map(|state| Tensor::full(&state.shape, 0.0)).collect();
    let values = evaluate(&graph, &[x.clone(), x], &states, Random::default());
    named(&graph, &values, "prediction").data
}

#[test]
fn reductions_of_a_batch_have_the_numbers_of_their_axes() {
    let x = [1.0, 3.0, -2.0, 6.0, 5.0, 1.0, 0.0, 2.0];
    assert_eq!(staged("x - x + mean(x, over = features)", &x, [2, 4]), [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
    assert_eq!(staged("x - mean(x, over = batch)", &x, [2, 4])[..4], [-2.0, 1.0, -1.0, 2.0]);
    assert_eq!(staged("x - mean(x)", &x, [2, 4])[..4], [-2.0, 1.0, -1.0, 2.0]);
    assert_eq!(staged("x - mean(x, over = [batch, features])", &x, [2, 4])[..2], [-1.0, 1.0]);
    let groups = staged("x - x + mean(groups(x, 2), over = group)", &x, [2, 4]);
    assert_eq!(groups, [2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 1.0, 1.0]);
    assert_eq!(staged("x - x + max(x, over = features)", &x, [2, 4])[3..5], [6.0, 5.0]);
    assert_eq!(staged("x - x + min(x, over = features)", &x, [2, 4])[3..5], [-2.0, 0.0]);
    assert_eq!(staged("x - x + var(x, over = features)", &x[4..], [1, 4])[0], 3.5);
}

#[test]
fn a_norm_over_all_parameters_is_one_number() {
    // Two layers with the gradients 3 and 4 of their only weights: their norm is 5, so each weight moves by a fifth of its gradient.
    let text = "optimizer o(lr) { value - lr * gradient / norm(gradient, over = all) }
        model test(input: [1]) { a = input -> linear(1, bias = false)  b = input -> linear(1, bias = false)  concat(a, b) }
        loss l(prediction, target) { mean(prediction * target) }
        train { loss = l  optimizer = o(lr = 1) }";
    let graph = graph(text, Goal::Train, 1);
    let tensor = |shape: &[usize], data: &[f64]| Tensor { shape: shape.to_vec(), data: data.to_vec() };
    let inputs =
        [tensor(&[1, 1], &[1.0]), tensor(&[1, 2], &[6.0, 8.0]), Tensor::full(&[], 1.0), Tensor::full(&[], 1.0)];
    let states = vec![tensor(&[1, 1], &[0.0]); 2];
    let values = evaluate(&graph, &inputs, &states, Random::default());
    let written: Vec<f64> = graph
        .outputs
        .iter()
        .zip(&values)
        .filter(|(output, _)| matches!(output, Output::Write { .. }))
        .map(|(_, value)| value.data[0])
        .collect();
    assert_eq!(written, [-0.6, -0.8]);
}
