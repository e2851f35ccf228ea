//! What rounding alone does to a training case: exact arithmetic, with the weights moved by half a unit in the last place of
//! single precision after every step.
//!
//! Where ten or a hundred such steps end far from the reference, no machine of that precision can be asked to end nearer: an
//! activation that is switched on instead of off is another network from there on.

use super::case::{Case, Tensors, row};
use super::kinds::{FLOOR, relative};
use super::layout::run;
use super::machine::{Evaluator, Machine};
use gmpc_compiler::graph::Tensor;
use gmpc_compiler::program::Goal;
use std::collections::BTreeMap;

/// Half a unit in the last place of f32, relative.
const ROUNDING: f64 = 6e-8;
/// Runs, each with other noise.
const RUNS: u64 = 20;

/// Is this told after so many steps that noise may have grown?
pub fn can_explain(tensor: &str) -> bool {
    tensor.starts_with("step10.") || tensor.starts_with("step100.") || tensor == "losses"
}

/// How far each tensor after ten steps and after the last one, and the losses, may lie from the reference: twice as far as here at most, for
/// a machine's arithmetic rounds as well as its weights.
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

/// What a run with noise comes to, under the names of the case.
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
        states.values_mut().flat_map(|state| &mut state.data).for_each(|value| *value *= 1.0 + noise(&mut random));
        machine.set(&states);
        found.extend(after(case, &mut machine, step + 1));
    }
    found.insert("losses".to_string(), losses);
    found
}

/// States and prediction after so many steps, those that the case tells.
fn after(case: &Case, machine: &mut Evaluator, steps: usize) -> Tensors {
    let told = |name: &String| case.tensors.contains_key(name);
    let output = format!("step{steps}.eval.output");
    if !told(&output) {
        return Tensors::default();
    }
    let states = machine.states().into_iter();
    let named = states.flat_map(|(name, state)| {
        ["param", "buffer"].map(|kind| (format!("step{steps}.{kind}.{name}"), state.clone()))
    });
    let mut found: Tensors = named.filter(|(name, _)| told(name)).collect();
    let (x, target) = (row(case.tensor("input"), 0), row(case.tensor("target"), 0));
    found.insert(output, run(machine, Goal::Predict, &x, &target, (0.0, 1))["prediction"].clone());
    found
}

/// The next number of an even spread between -`ROUNDING` and `ROUNDING`; SplitMix64.
fn noise(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ROUNDING * (((bits ^ (bits >> 31)) >> 11) as f64 / 2.0_f64.powi(52) - 1.0)
}
