//! What is known of every layer of ReLU units of a run: how its boundaries moved, and how they lie over the training rows.

use super::activity::{Activity, activity};
use super::{Stability, Subject, deep, sight, stability};
use crate::failure::Failure;
use gmpc_compiler::boundary::{Effective, First, first_layers, followed_layers};
use gmpc_compiler::experiment::Followed;
use std::collections::BTreeSet;

/// One layer of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Which.
    pub first: First,
    /// Does it read the network's input? The movement of the others is in the space of their own input.
    pub reads_input: bool,
    /// How its boundaries moved, where that was recorded.
    pub stability: Option<Stability>,
    /// Units that no row activates and those that every row does, where the rows are here.
    pub activity: Option<Activity>,
    /// Of a layer that reads the input: how finely its boundaries cut the data.
    pub cells: Option<Cells>,
}

/// Groups of rows that activate different sets of a layer's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    /// How many there are.
    pub count: usize,
    /// Rows that were looked at, or patches of images.
    pub rows: usize,
    /// Rows or images they are from, where that is not all of them.
    pub sample: Option<usize>,
}

/// Every layer of ReLU units of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layers {
    /// In the network's order.
    pub layers: Vec<Layer>,
    /// How many of the training rows tell the activity, and how many there are; `None` where they are not here.
    pub rows: Option<[usize; 2]>,
}

/// Looks at every layer of a run.
///
/// # Errors
/// Records that are damaged; the device failed.
pub fn layers(subject: &Subject) -> Result<Layers, Failure> {
    let net = &subject.network.net;
    let (reading, mut moved, seen) = (first_layers(net), deep(subject)?, activity(subject)?);
    let rows = seen.as_ref().map(|seen| [seen.rows, seen.of]);
    let seen = seen.unwrap_or_default().layers;
    let one = |first: First| {
        let reads_input = reading.contains(&first);
        let trajectory = subject.trajectories.iter().find(|trajectory| trajectory.first == first);
        let behind = moved.iter_mut().find(|(layer, _)| *layer == first).map(|(_, found)| std::mem::take(found));
        let stability = trajectory.map(stability).or(behind);
        let activity = seen.iter().find(|(layer, _)| *layer == first).map(|(_, activity)| *activity);
        let cells = if reads_input { cells(subject, &first) } else { None };
        Layer { first, reads_input, stability, activity, cells }
    };
    Ok(Layers { layers: followed_layers(net, Followed::All).into_iter().map(one).collect(), rows })
}

/// Of a first layer; `None` where its units are not flat or the rows are not here.
fn cells(subject: &Subject, first: &First) -> Option<Cells> {
    let units = subject.effective(first.layer).ok()?;
    let seen = sight(subject, first).filter(|seen| seen.count > 0)?;
    Some(Cells { count: distinct(&units, &seen.rows), rows: seen.count, sample: seen.sample })
}

/// How many different sets of units the rows activate, `[rows, fan_in]`.
fn distinct(units: &Effective, rows: &[f64]) -> usize {
    let active = |row: &[f64], unit: usize| {
        let sum: f64 = units.weight(unit).iter().zip(row).map(|(w, x)| w * x).sum();
        sum + units.b.get(unit).copied().unwrap_or(0.0) > 0.0
    };
    let set = |row: &[f64]| -> Vec<bool> { (0..units.units()).map(|unit| active(row, unit)).collect() };
    rows.chunks_exact(units.fan_in.max(1)).map(set).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::net::Activation;

    #[test]
    fn rows_that_activate_the_same_units_are_one_cell() {
        // x > 0, x > -9, x > 9, and one without weights that is always active.
        let units = Effective {
            fan_in: 2,
            w: vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
            b: vec![0.0, 9.0, -9.0, 1.0],
            scale: vec![1.0; 4],
            shift: vec![0.0; 4],
            activation: Activation::Relu,
        };
        assert_eq!(distinct(&units, &[-1.0, 0.0, 1.0, 0.0, 2.0, 0.0]), 2);
        assert_eq!(distinct(&units, &[-1.0, 0.0, 1.0, 0.0, 20.0, 0.0]), 3);
    }
}
