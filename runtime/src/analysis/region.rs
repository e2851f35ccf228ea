//! Linear regions of networks with two inputs, at the end and over training.

use super::Subject;
use super::subject::inputs;
use crate::failure::{Failure, Told};
use crate::network::wrong;
use gmpc_compiler::boundary::{Bent, Regions, regions};

/// Regions at most; more would not be told apart in any picture.
const MOST: usize = 200_000;
/// Records counted between the first and the last.
const RECORDS: usize = 11;

/// What was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The rectangle that was looked at: low and high corner.
    pub window: [[f64; 2]; 2],
    /// Every region and boundary with the weights the run ended with.
    pub end: Regions,
    /// Over training, where one layer bends and it was recorded: epochs or steps done, and how many regions.
    pub over_training: Vec<(u64, usize)>,
}

/// Counts the regions of a run over its training rows' range, or over [-3, 3] squared where the rows are not here.
///
/// # Errors
/// [`Failure::Usage`] for another number of inputs; a network that is curved.
pub fn count(subject: &Subject) -> Result<Counted, Failure> {
    let net = &subject.network.net;
    let bent = Bent::new(net, &subject.tensors).map_err(|error| wrong(&subject.network.module, vec![error]))?;
    let window = window(subject);
    let end = regions(&bent, window[0], window[1], MOST).ok_or_else(|| {
        let told = Told::new(format!("{} has {} inputs", subject.title(), subject.about.inputs.features));
        Failure::Usage(told.help("linear regions are counted for networks of two inputs"))
    })?;
    let mut over_training = Vec::new();
    if let Some(trajectory) = subject.trajectories.first().filter(|_| bent.bends() == 1) {
        let last = trajectory.records().saturating_sub(1);
        for k in 0..RECORDS.min(last + 1) {
            let record = last * k / (RECORDS - 1).min(last).max(1);
            let layer = Bent::of_layer(&trajectory.boundaries(record), 2);
            let found = regions(&layer, window[0], window[1], MOST).map_or(0, |found| found.regions.len());
            over_training.push((trajectory.time(record), found));
        }
    }
    Ok(Counted { window, end, over_training })
}

/// The rectangle of the training rows.
fn window(subject: &Subject) -> [[f64; 2]; 2] {
    let rows = subject.tables.as_ref().filter(|tables| tables.train.width() == 2);
    let rows = rows.and_then(|tables| inputs(&tables.train, &subject.network));
    let Some(rows) = rows.filter(|rows| !rows.is_empty()) else { return [[-3.0; 2], [3.0; 2]] };
    let axis = |axis: usize, start: f64, pick: fn(f64, f64) -> f64| {
        rows.iter().skip(axis).step_by(2).copied().fold(start, pick)
    };
    [f64::min, f64::max].map(|pick| [0, 1].map(|a| axis(a, rows.get(a).copied().unwrap_or(0.0), pick)))
}
