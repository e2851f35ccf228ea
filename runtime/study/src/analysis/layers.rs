//! Facts about every layer of ReLU units of a run: the drift of its boundaries, and how they divide the training rows.

use super::activity::{Activity, activity};
use super::{Drift, Run, deep, drift, samples};
use gmpc_compiler::graphs::boundary::{Effective, First, first_layers, followed_layers, slopes};
use gmpc_compiler::ir::experiment::Followed;
use gmpc_runtime::failure::Failure;
use std::collections::BTreeSet;

/// One layer of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The layer.
    pub first: First,
    /// Number of units, however many kinks their activation has.
    pub units: usize,
    /// True if it reads the network's input. The drift of other layers is in the space of their own input.
    pub reads_input: bool,
    /// The drift of its boundaries, if it was recorded.
    pub drift: Option<Drift>,
    /// Units that are constant or linear on all training rows, if these are available.
    pub activity: Option<Activity>,
    /// For a layer that reads the input: the number of cells into which its boundaries divide the data.
    pub cells: Option<Cells>,
}

/// Cells: groups of rows that activate the same set of a layer's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    /// Number of cells.
    pub count: usize,
    /// Number of rows, or of patches of images, that were classified.
    pub rows: usize,
    /// Number of rows or images that they come from, if these are a sample.
    pub sample: Option<usize>,
}

/// Every layer of ReLU units of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layers {
    /// The layers, in the network's order.
    pub layers: Vec<Layer>,
    /// Number of training rows in the sample for the activity, and number of all training rows; `None` if they are not
    /// available.
    pub rows: Option<[usize; 2]>,
}

/// Computes the facts about every layer of a run.
///
/// # Errors
/// Records are damaged; the device failed.
pub fn layers(run: &Run) -> Result<Layers, Failure> {
    let net = &run.network.net;
    let (reading, mut moved, seen) = (first_layers(net), deep(run)?, activity(run)?);
    let rows = seen.as_ref().map(|seen| [seen.rows, seen.of]);
    let seen = seen.unwrap_or_default().layers;
    let one = |first: First| {
        let reads_input = reading.contains(&first);
        let trajectory = run.trajectories.iter().find(|trajectory| trajectory.first == first);
        let behind = moved.iter_mut().find(|(layer, _)| *layer == first).map(|(_, found)| std::mem::take(found));
        let drift = trajectory.map(drift).or(behind);
        let activity = seen.iter().find(|(layer, _)| *layer == first).map(|(_, activity)| *activity);
        let cells = if reads_input { cells(run, &first) } else { None };
        let units = first.units / slopes(net, first.layer).len().saturating_sub(1).max(1);
        Layer { first, units, reads_input, drift, activity, cells }
    };
    Ok(Layers { layers: followed_layers(net, Followed::All).into_iter().map(one).collect(), rows })
}

/// The cells of a first layer. `None` if its units are not affine before their activation, or if the rows are not
/// available.
fn cells(run: &Run, first: &First) -> Option<Cells> {
    let units = run.effective(first.layer).ok()?;
    let seen = samples(run, first).filter(|seen| seen.count > 0)?;
    Some(Cells { count: distinct(&units, &seen.rows), rows: seen.count, sample: seen.sample })
}

/// Number of different sets of active units over the rows, `[rows, fan_in]`.
fn distinct(units: &Effective, rows: &[f64]) -> usize {
    // On which piece of its activation a unit is.
    let kinks = units.pieces.as_ref().map_or(&[0.0][..], |pieces| &pieces.kinks);
    let piece = |row: &[f64], unit: usize| {
        let sum: f64 = units.weight(unit).iter().zip(row).map(|(w, x)| w * x).sum();
        let at = sum + units.b.get(unit).copied().unwrap_or(0.0);
        kinks.partition_point(|kink| *kink < at)
    };
    let set = |row: &[f64]| -> Vec<usize> { (0..units.units()).map(|unit| piece(row, unit)).collect() };
    rows.chunks_exact(units.fan_in.max(1)).map(set).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::graphs::pieces::Pieces;

    #[test]
    fn rows_that_activate_the_same_units_are_one_cell() {
        // x > 0, x > -9, x > 9, and a unit without weights that is always active.
        let units = Effective {
            fan_in: 2,
            w: vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
            b: vec![0.0, 9.0, -9.0, 1.0],
            scale: vec![1.0; 4],
            shift: vec![0.0; 4],
            pieces: Some(Pieces::relu()),
        };
        assert_eq!(distinct(&units, &[-1.0, 0.0, 1.0, 0.0, 2.0, 0.0]), 2);
        assert_eq!(distinct(&units, &[-1.0, 0.0, 1.0, 0.0, 20.0, 0.0]), 3);
    }
}
