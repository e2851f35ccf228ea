//! The effect of rounding alone on a training case: training in f64, with the weights changed at random after every step
//! by up to half a unit in the last place of f32.
//!
//! Where ten or a hundred such steps end far from the reference, no machine with f32 can be asked to end nearer. The
//! reason is that one activation that is on instead of off gives another network from that step on.

use super::case::{Case, Tensors, row};
use super::kinds::{FLOOR, relative};
use super::layout::run;
use super::machine::{Evaluator, Machine};
use crate::support::next_number;
use gmpc_compiler::ir::graph::Tensor;
use gmpc_compiler::ir::program::Goal;
use std::collections::BTreeMap;

/// Half a unit in the last place of f32, relative to the number.
const ROUNDING: f64 = 6e-8;
/// Number of runs, each with different noise.
const RUNS: u64 = 20;

/// Does this tensor belong to a step that is late enough for noise to have grown?
pub fn can_explain(tensor: &str) -> bool {
    tensor.starts_with("step10.") || tensor.starts_with("step100.") || tensor == "losses"
}

/// How far each late tensor may lie from the reference: twice the largest error of the runs here. The factor is 2 because
/// a machine rounds in its arithmetic as well as in its weights.
pub fn spread(case: &Case) -> BTreeMap<String, f64> {
    let mut spread = BTreeMap::new();
    for seed in 0..RUNS {
        for (name, found) in noisy(case, seed) {
            let far = relative(&found, case.tensor(&name), FLOOR);
            let widest: &mut f64 = spread.entry(name).or_insert(0.0);
            *widest = widest.max(2.0 * far);
        }
    }
    spread
}

/// The tensors at the end of a run with noise, under the names of the case.
fn noisy(case: &Case, seed: u64) -> Tensors {
    let mut machine = Evaluator::new(case.text("source")).unwrap_or_else(|text| panic!("{text}"));
    machine.set(&case.states());
    let (inputs, targets) = (case.tensor("input"), case.tensor("target"));
    let (batches, rows) = (inputs.shape[0], inputs.shape[1]);
    let lr = case.meta["optimizer"]["lr"].as_f64().expect("a learning rate");
    let mut losses = Tensor { shape: case.tensor("losses").shape.clone(), data: vec![] };
    let (mut random, mut found) = (seed, Tensors::default());
    for step in 0..case.tensor("losses").data.len() {
        let (x, target) = (row(inputs, step % batches), row(targets, step % batches));
        let outputs = run(&mut machine, Goal::Train, &x, &target, (lr, step as u64 + 1));
        losses.data.push(outputs["loss.sum0"].data[0] / rows as f64);
        let mut states = machine.states();
        states
            .values_mut()
            .flat_map(|state| &mut state.data)
            .for_each(|value| *value *= 1.0 + ROUNDING * next_number(&mut random));
        machine.set(&states);
        found.extend(after(case, &mut machine, step + 1));
    }
    found.insert("losses".to_string(), losses);
    found
}

/// The states and the prediction after this many steps, as far as the case has tensors of these names.
fn after(case: &Case, machine: &mut Evaluator, steps: usize) -> Tensors {
    let is_recorded = |name: &String| case.tensors.contains_key(name);
    let output = format!("step{steps}.eval.output");
    if !is_recorded(&output) {
        return Tensors::default();
    }
    let states = machine.states().into_iter();
    let named = states.flat_map(|(name, state)| {
        ["param", "buffer"].map(|kind| (format!("step{steps}.{kind}.{name}"), state.clone()))
    });
    let mut found: Tensors = named.filter(|(name, _)| is_recorded(name)).collect();
    let (x, target) = (row(case.tensor("input"), 0), row(case.tensor("target"), 0));
    found.insert(output, run(machine, Goal::Predict, &x, &target, (0.0, 1))["prediction"].clone());
    found
}
