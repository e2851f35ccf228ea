//! Counts units that no training row activates, and units that every row activates, in each layer and for any
//! parameterization.
//!
//! The network runs over the training rows in evaluation mode with its final weights. The compiled program outputs the
//! lowest and the highest input of each unit's activation: see [`extremes`]. If this would take long, only a sample of
//! evenly spaced rows is used.

use super::Run;
use gmpc_compiler::graphs::boundary::{First, extremes, followed_layers};
use gmpc_compiler::ir::experiment::Followed;
use gmpc_compiler::ir::graph::{Graph, Random};
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::lower;
use gmpc_compiler::lower::cost::flops;
use gmpc_data::images::Draw;
use gmpc_data::{Pick, Rows};
use gmpc_runtime::failure::Failure;
use gmpc_runtime::program::network::{Network, wrong};
use gmpc_runtime::program::session::{Programs, Session};
use gmpc_runtime::task::evaluate::put_weights;
use std::sync::Arc;

/// Largest number of floating-point operations: some seconds on one core.
const WORK: u64 = 1 << 36;
/// Largest number of rows, and of input elements, in one chunk.
const CHUNK: usize = 256;
const CHUNK_NUMBERS: usize = 1 << 22;

/// How many of a layer's units the rows activate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// Number of units in the layer.
    pub units: usize,
    /// Units that no row activates. A filter counts if no position of any image activates it. Such units do not learn
    /// any more.
    pub dead: usize,
    /// Units that every row activates, and filters that every position activates: on these rows they are linear.
    pub always: usize,
}

impl Activity {
    /// Number of units with rows or positions on both sides of their boundary.
    #[must_use]
    pub fn splitting(self) -> usize {
        self.units.saturating_sub(self.dead + self.always)
    }

    /// A number of units as a share of all units, from 0 to 1.
    #[must_use]
    pub fn share(self, units: usize) -> f64 {
        units as f64 / self.units.max(1) as f64
    }
}

/// The activity of all layers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activities {
    /// Layers of ReLU units, in the network's order.
    pub layers: Vec<(First, Activity)>,
    /// Number of training rows in the sample.
    pub rows: usize,
    /// Number of all training rows.
    pub of: usize,
}

/// Counts the active units of every layer of ReLU units. `None` if the training rows are not available.
///
/// # Errors
/// The weights do not fit the network; an image cannot be read; the device failed.
pub fn activity(run: &Run) -> Result<Option<Activities>, Failure> {
    let network = &run.network;
    let Some(rows) = run.tables.as_ref().map(|tables| &tables.train).filter(|rows| rows.count() > 0) else {
        return Ok(None);
    };
    let layers = followed_layers(&network.net, Followed::All);
    if layers.is_empty() {
        return Ok(None);
    }
    // A sample is taken if all rows would need more than `WORK` operations.
    let most = WORK / flops(&graph(network, 1)?).max(1);
    let count = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, rows.count());
    let mut session = Session::new(Arc::clone(&run.device), Arc::clone(network) as Arc<dyn Programs>);
    put_weights(&mut session, &run.folder, &run.about)?;
    let mut found: Vec<Vec<Extremes>> = layers.iter().map(|layer| vec![Extremes::default(); layer.units]).collect();
    update_extremes(network, &mut session, rows, count, &mut found)?;
    let layers = layers.into_iter().zip(found.iter().map(|units| counted(units))).collect();
    Ok(Some(Activities { layers, rows: count, of: rows.count() }))
}

fn graph(network: &Network, batch: usize) -> Result<Graph, Failure> {
    extremes(&network.module, &network.net, batch).map_err(|errors| wrong(&network.module, errors))
}

/// The lowest and highest input of one unit's activation over the rows so far.
#[derive(Debug, Clone, Copy)]
struct Extremes {
    lowest: f64,
    highest: f64,
}

impl Default for Extremes {
    fn default() -> Self {
        Extremes { lowest: f64::INFINITY, highest: f64::NEG_INFINITY }
    }
}

fn counted(units: &[Extremes]) -> Activity {
    let dead = units.iter().filter(|unit| unit.highest <= 0.0).count();
    let always = units.iter().filter(|unit| unit.lowest > 0.0).count();
    Activity { units: units.len(), dead, always }
}

/// Runs over `count` evenly spaced rows, and updates the extremes of every layer's units.
fn update_extremes(
    network: &Network,
    session: &mut Session,
    rows: &Rows,
    count: usize,
    found: &mut [Vec<Extremes>],
) -> Result<(), Failure> {
    let batch = (CHUNK_NUMBERS / rows.width().max(1)).clamp(1, CHUNK).min(count);
    let program = Arc::new(lower(Goal::Evaluate, network.precision(), batch, &graph(network, batch)?, vec![]));
    let mut executable = session.device().load(&program)?;
    rows.begin_plain();
    for start in (0..count).step_by(batch) {
        // The last chunk contains some rows a second time. This does not change the extremes, and one program serves
        // all chunks.
        let start = start.min(count - batch);
        let row = |k: usize| u32::try_from(k as u128 * rows.count() as u128 / count as u128).unwrap_or(u32::MAX);
        let chosen: Vec<u32> = (start..start + batch).map(row).collect();
        rows.inputs_into(&Pick::These(&chosen), Draw::Nothing, &mut executable.input(0))?;
        executable.run(&mut session.states, Random::default())?;
        for (layer, units) in found.iter_mut().enumerate() {
            let [lowest, highest] = [2 * layer, 2 * layer + 1].map(|output| executable.output(output).to_f64());
            for ((unit, lowest), highest) in units.iter_mut().zip(lowest).zip(highest) {
                *unit = Extremes { lowest: unit.lowest.min(lowest), highest: unit.highest.max(highest) };
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_counted_by_their_extremes() {
        let unit = |lowest: f64, highest: f64| Extremes { lowest, highest };
        // The second unit is at most zero, which is not active.
        let found = counted(&[unit(-2.0, -1.0), unit(-1.0, 0.0), unit(-1.0, 1.0), unit(0.5, 2.0)]);
        assert_eq!((found.units, found.dead, found.always, found.splitting()), (4, 2, 1, 1));
        assert!((found.share(found.dead) - 0.5).abs() < 1e-15);
    }
}
