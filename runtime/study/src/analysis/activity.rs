//! Counts dead units and units that are always on, in each layer and for any parameterization.
//!
//! A unit whose training rows all lie on one piece of its activation is linear on them. It is dead if that piece is flat, like
//! the left piece of a ReLU or both outer pieces of `relu6`, and always on otherwise.
//!
//! The network runs over the training rows in evaluation mode with its final weights. The compiled program outputs the
//! lowest and the highest input of each unit's activation: see [`extremes`]. If this would take long, only a sample of
//! evenly spaced rows is used.

use super::Run;
use gmpc_compiler::graphs::boundary::{First, extremes, followed_layers, slopes};
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

/// On which pieces of their activation the rows put a layer's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// Number of units in the layer.
    pub units: usize,
    /// Units whose rows, and for filters whose positions, all lie on one flat piece: their output is constant, and they do
    /// not learn any more.
    pub dead: usize,
    /// Units whose rows and positions all lie on one piece that is not flat: on these rows they are linear.
    pub always: usize,
}

impl Activity {
    /// Number of units with rows or positions on both sides of a kink.
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
    /// Layers of units that bend, in the network's order.
    pub layers: Vec<(First, Activity)>,
    /// Number of training rows in the sample.
    pub rows: usize,
    /// Number of all training rows.
    pub of: usize,
}

/// Counts the dead units of every layer of units that bend. `None` if the training rows are not available.
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
    let counts = |(layer, kinks): (First, &Vec<Extremes>)| {
        let counted = counted(kinks, &slopes(&network.net, layer.layer));
        (layer, counted)
    };
    let layers = layers.into_iter().zip(&found).map(counts).collect();
    Ok(Some(Activities { layers, rows: count, of: rows.count() }))
}

fn graph(network: &Network, batch: usize) -> Result<Graph, Failure> {
    extremes(&network.module, &network.net, batch).map_err(|errors| wrong(&network.module, errors))
}

/// The lowest and highest input of one unit's activation over the rows so far, measured from one of its kinks.
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

/// Counts units from their extremes, all units of the first kink first, and the slopes of the activation's pieces.
fn counted(extremes: &[Extremes], slopes: &[f64]) -> Activity {
    let units = extremes.len() / slopes.len().saturating_sub(1).max(1);
    let mut found = Activity { units, ..Activity::default() };
    for unit in 0..units {
        let kinks = || extremes.iter().skip(unit).step_by(units);
        let first = kinks().filter(|kink| kink.lowest > 0.0).count();
        let last = kinks().filter(|kink| kink.highest > 0.0).count();
        match slopes.get(first) {
            Some(0.0) if first == last => found.dead += 1,
            Some(_) if first == last => found.always += 1,
            _ => {}
        }
    }
    found
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
        let units = [unit(-2.0, -1.0), unit(-1.0, 0.0), unit(-1.0, 1.0), unit(0.5, 2.0)];
        let found = counted(&units, &[0.0, 1.0]);
        assert_eq!((found.units, found.dead, found.always, found.splitting()), (4, 2, 1, 1));
        assert!((found.share(found.dead) - 0.5).abs() < 1e-15);
        // A leaky ReLU is nowhere flat: its units never die.
        let leaky = counted(&units, &[0.1, 1.0]);
        assert_eq!((leaky.dead, leaky.always, leaky.splitting()), (0, 3, 1));
    }

    #[test]
    fn units_with_several_kinks_are_counted_once() {
        // Arguments of `relu6`, which bends at 0 and 6: below 0, above 6, between, across 0, across both.
        let arguments = [[-2.0, -1.0], [7.0, 9.0], [1.0, 5.0], [-1.0, 3.0], [-1.0, 8.0]];
        let from =
            |kink: f64| arguments.map(|[lowest, highest]| Extremes { lowest: lowest - kink, highest: highest - kink });
        let found = counted(&[from(0.0), from(6.0)].concat(), &[0.0, 1.0, 0.0]);
        assert_eq!((found.units, found.dead, found.always, found.splitting()), (5, 2, 1, 2));
    }
}
