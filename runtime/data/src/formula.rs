//! Data from a formula: one input, one output, noisy training points and a noise-free grid of test points.
//!
//! The points equal those of the paper's official code: NumPy's legacy generator draws all `x` first and then all
//! noise.

use super::dataset::{Dataset, Examples};
use super::error::DataError;
use super::mersenne::RandomState;
use gmpc_compiler::ir::experiment::Formula;
use gmpc_compiler::ir::graph::{Random, Tensor, evaluate};

/// Largest number of points. A larger number is probably a typing error.
const MAX_POINTS: usize = 1 << 24;

/// Draws the training points and computes the test points.
///
/// # Errors
/// `E0756`: a setting is out of range, or the formula is not finite at a point.
pub(super) fn compute(formula: &Formula, name: &str) -> Result<Dataset, DataError> {
    check(formula, name)?;
    let draw = u32::try_from(formula.draw)
        .map_err(|_| fault(name, "`draw` must be below 4294967296, as NumPy's seeds are"))?;
    let mut random = RandomState::new(draw);
    let x: Vec<f64> = (0..formula.points).map(|_| random.uniform(formula.low, formula.high)).collect();
    let mut train = examples(formula, name, x)?;
    for y in &mut train.targets {
        *y += formula.noise * random.gauss();
    }
    let test = match formula.test_points {
        0 => None,
        _ => Some(examples(formula, name, grid(formula))?),
    };
    Ok(Dataset { examples: train, test, features: 1, outputs: 1, ..Dataset::default() })
}

fn check(formula: &Formula, name: &str) -> Result<(), DataError> {
    let (low, high) = (formula.low, formula.high);
    if !(low < high && (high - low).is_finite()) {
        return Err(fault(name, &format!("`x = [{low}, {high}]` is not a range: the first must be below the second")));
    }
    if formula.points == 0 || formula.points > MAX_POINTS || formula.test_points > MAX_POINTS {
        return Err(fault(name, &format!("`points` must be 1 to {MAX_POINTS}, `test` at most {MAX_POINTS}")));
    }
    if !formula.noise.is_finite() || formula.noise < 0.0 {
        return Err(fault(name, &format!("`noise` is a standard deviation: {} is not", formula.noise)));
    }
    let graph = &formula.graph;
    let shapes = graph.inputs.iter().map(|input| input.shape.as_slice());
    if graph.states.is_empty() && shapes.eq([[1, 1].as_slice()]) && graph.outputs.len() == 1 {
        return Ok(());
    }
    Err(fault(name, "the formula must map one number `x` to one number"))
}

/// Evenly spaced points with both ends, as `numpy.linspace` computes them.
fn grid(formula: &Formula) -> Vec<f64> {
    let last = formula.test_points - 1;
    let at = |i: usize| match i {
        _ if i == last && i > 0 => formula.high,
        _ => formula.low + (i as f64) * ((formula.high - formula.low) / last.max(1) as f64),
    };
    (0..=last).map(at).collect()
}

fn examples(formula: &Formula, name: &str, x: Vec<f64>) -> Result<Examples, DataError> {
    let mut targets = Vec::with_capacity(x.len());
    for &x in &x {
        let input = Tensor::full(&[1, 1], x);
        let output = evaluate(&formula.graph, &[input], &[], Random::default());
        match output.first().map(|y| y.data.as_slice()) {
            Some([y]) if y.is_finite() => targets.push(*y),
            Some([y]) => return Err(fault(name, &format!("the formula gives {y} at x = {x}"))),
            _ => return Err(fault(name, "the formula must give one number")),
        }
    }
    Ok(Examples { rows: x.len(), inputs: x, targets, ..Examples::default() })
}

fn fault(name: &str, reason: &str) -> DataError {
    DataError::data("E0756", name, reason).help("change it in the `dataset` declaration or in the `data = …` line")
}

#[cfg(test)]
mod tests;
