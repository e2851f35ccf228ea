//! Units that no training row activates, and units that all of them do: of every layer, whatever its parameterization.
//!
//! The network runs over the training rows in evaluation mode, with the weights the run ended with, as a program that hands
//! out the extremes of what stands inside each unit's activation: see [`extremes`]. Where that would take long, the rows are a
//! sample, evenly spaced.

use super::Subject;
use crate::data::images::Draw;
use crate::evaluate::put_weights;
use crate::failure::Failure;
use crate::network::{Network, wrong};
use crate::rows::{Pick, Rows};
use crate::session::{Programs, Session};
use gmpc_compiler::boundary::{First, extremes, followed_layers};
use gmpc_compiler::cost::flops;
use gmpc_compiler::experiment::Followed;
use gmpc_compiler::graph::{Graph, Random};
use gmpc_compiler::lower;
use gmpc_compiler::program::Goal;
use std::sync::Arc;

/// Floating-point operations at most, some seconds of one core.
const WORK: u64 = 1 << 36;
/// Rows and numbers of the inputs that are taken at once, at most.
const CHUNK: usize = 256;
const CHUNK_NUMBERS: usize = 1 << 22;

/// How many of a layer's units the rows activate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// Of the layer.
    pub units: usize,
    /// Units that no row activates, a filter at no place of any image: they learn nothing any more.
    pub dead: usize,
    /// Units that every row activates, a filter at every place: they do not bend.
    pub always: usize,
}

impl Activity {
    /// Units with rows, or places, on both sides of their boundary.
    #[must_use]
    pub fn splitting(self) -> usize {
        self.units.saturating_sub(self.dead + self.always)
    }

    /// A number of its units as a share, 0 to 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of units
    pub fn share(self, units: usize) -> f64 {
        units as f64 / self.units.max(1) as f64
    }
}

/// What was seen of all layers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// Layers of ReLU units, in the network's order.
    pub layers: Vec<(First, Activity)>,
    /// How many training rows were looked at.
    pub rows: usize,
    /// Out of how many.
    pub of: usize,
}

/// Looks at every layer of ReLU units; `None` where the training rows are not here.
///
/// # Errors
/// Weights that do not fit the network; images that cannot be read; the device failed.
pub fn activity(subject: &Subject) -> Result<Option<Seen>, Failure> {
    let network = &subject.network;
    let Some(rows) = subject.tables.as_ref().map(|tables| &tables.train).filter(|rows| rows.count() > 0) else {
        return Ok(None);
    };
    let layers = followed_layers(&network.net, Followed::All);
    if layers.is_empty() {
        return Ok(None);
    }
    let most = WORK / flops(&graph(network, 1)?).max(1);
    let count = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, rows.count());
    let mut session = Session::new(Arc::clone(&subject.device), Arc::clone(network) as Arc<dyn Programs>);
    put_weights(&mut session, &subject.folder, &subject.about)?;
    let mut found: Vec<Vec<Extremes>> = layers.iter().map(|layer| vec![Extremes::default(); layer.units]).collect();
    look(network, &mut session, rows, count, &mut found)?;
    let layers = layers.into_iter().zip(found.iter().map(|units| counted(units))).collect();
    Ok(Some(Seen { layers, rows: count, of: rows.count() }))
}

fn graph(network: &Network, batch: usize) -> Result<Graph, Failure> {
    extremes(&network.module, &network.net, batch).map_err(|told| wrong(&network.module, told))
}

/// Of one unit over the rows so far.
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

/// Runs over so many rows, evenly spaced, and widens the extremes of every layer's units.
fn look(
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
        // The last rows are looked at together with some that were seen before, which changes no extremes.
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
        // The second is zero at most, which does not activate.
        let found = counted(&[unit(-2.0, -1.0), unit(-1.0, 0.0), unit(-1.0, 1.0), unit(0.5, 2.0)]);
        assert_eq!((found.units, found.dead, found.always, found.splitting()), (4, 2, 1, 1));
        assert!((found.share(found.dead) - 0.5).abs() < 1e-15);
    }
}
