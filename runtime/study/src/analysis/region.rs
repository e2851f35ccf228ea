//! Linear regions of the networks of runs with two inputs, at the end of training and during it.

use super::Run;
use super::run::inputs;
use super::{PiecewiseAffine, Regions, regions};
use gmpc_compiler::graphs::convert::Tensors;
use gmpc_compiler::ir::experiment::Every;
use gmpc_compiler::ir::graph::Role;
use gmpc_runtime::failure::{Failure, Message};
use gmpc_runtime::program::network::wrong;
use gmpc_runtime::run::records::{StateRecords, Trajectory};
use gmpc_runtime::task::convert::tensors;

/// Largest number of regions. More could not be distinguished in a picture.
const MOST: usize = 200_000;
/// Number of records whose regions are counted, from the first to the last: for a network with few final regions, and
/// for others.
const RECORDS: [usize; 2] = [101, 21];
/// Largest number of regions that counts as few.
const FEW: usize = 5_000;

/// The linear regions of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The rectangle over which regions are counted: its lower left and upper right corner.
    pub window: [[f64; 2]; 2],
    /// Number of epochs or steps that were done; `None` for the final weights.
    pub at: Option<u64>,
    /// Every region and boundary at this time.
    pub end: Regions,
    /// Counts during training, if they were recorded: pairs of epochs or steps done and number of regions. Empty for a
    /// single time.
    pub over_training: Vec<(u64, usize)>,
}

/// The source of the network at each record.
enum Recorded<'a> {
    /// The whole network was recorded.
    States(&'a StateRecords, Every),
    /// Only one layer has kinks, and its boundaries were recorded.
    Layer(&'a Trajectory),
}

/// Counts the regions of a run over the range of its training rows, or over the square [-3, 3]² if the rows are not
/// available.
///
/// # Errors
/// [`Failure::Usage`]: the network does not have two inputs. The network is not piecewise linear; a record is damaged.
pub fn count(run: &Run) -> Result<Counted, Failure> {
    let piecewise = piecewise(run, &run.tensors)?;
    let window = window(run);
    let end = of(run, &piecewise, window)?;
    let mut over_training = Vec::new();
    if let Some(recorded) = recorded(run, &piecewise) {
        let last = recorded.count().saturating_sub(1);
        let most = RECORDS[usize::from(end.regions.len() > FEW)].min(last + 1);
        for k in 0..most.min(recorded.count()) {
            let record = last * k / (most - 1).max(1);
            let found = of(run, &recorded.piecewise(run, record)?, window)?;
            over_training.push((recorded.time(record), found.regions.len()));
        }
    }
    Ok(Counted { window, at: None, end, over_training })
}

/// The regions of a run after `time` epochs or steps.
///
/// # Errors
/// The errors of [`count`]; [`Failure::Usage`]: nothing was recorded at this time.
pub fn count_at(run: &Run, time: u64) -> Result<Counted, Failure> {
    let piecewise = piecewise(run, &run.tensors)?;
    let window = window(run);
    let recorded = recorded(run, &piecewise).ok_or_else(|| not_recorded(run))?;
    let record = (0..recorded.count()).find(|record| recorded.time(*record) == time);
    let record = record.ok_or_else(|| no_such_time(run, &recorded, time))?;
    let end = of(run, &recorded.piecewise(run, record)?, window)?;
    Ok(Counted { window, at: Some(time), end, over_training: vec![] })
}

fn piecewise(run: &Run, tensors: &Tensors) -> Result<PiecewiseAffine, Failure> {
    if run.about.inputs.features != 2 {
        return Err(not_on_the_plane(run));
    }
    PiecewiseAffine::new(&run.network.net, tensors).map_err(|error| wrong(&run.network.module, vec![error]))
}

fn of(run: &Run, piecewise: &PiecewiseAffine, [low, high]: [[f64; 2]; 2]) -> Result<Regions, Failure> {
    regions(piecewise, low, high, MOST).ok_or_else(|| not_on_the_plane(run))
}

fn not_on_the_plane(run: &Run) -> Failure {
    let message = Message::new(format!("{} has {} inputs", run.title(), run.about.inputs.features));
    Failure::Usage(message.help("linear regions are counted for networks of two inputs"))
}

fn recorded<'a>(run: &'a Run, piecewise: &PiecewiseAffine) -> Option<Recorded<'a>> {
    let every = run.every()?;
    if let Some(states) = &run.states {
        return Some(Recorded::States(states, every));
    }
    run.trajectories.first().filter(|_| piecewise.kinked_layers() == 1).map(Recorded::Layer)
}

impl Recorded<'_> {
    fn count(&self) -> usize {
        match self {
            Recorded::States(records, _) => records.count(),
            Recorded::Layer(trajectory) => trajectory.records(),
        }
    }

    /// Number of epochs or steps that were done at a record.
    fn time(&self, record: usize) -> u64 {
        let every = match self {
            Recorded::States(_, every) => *every,
            Recorded::Layer(trajectory) => trajectory.every,
        };
        let (Every::Epochs(interval) | Every::Steps(interval)) = every;
        (record as u64).saturating_mul(interval)
    }

    fn piecewise(&self, run: &Run, record: usize) -> Result<PiecewiseAffine, Failure> {
        match self {
            Recorded::States(records, _) => {
                let states = records.read(record)?;
                piecewise(run, &tensors(states.named(|role| role != Role::Optimizer)))
            }
            Recorded::Layer(trajectory) => Ok(PiecewiseAffine::of_layer(&trajectory.boundaries(record), 2)),
        }
    }
}

fn not_recorded(run: &Run) -> Failure {
    let message = Message::new(format!("{} has no records of its regions during training", run.title()));
    Failure::Usage(message.help("train with `--record \"boundaries(layers = all)\"` to see them over training"))
}

fn no_such_time(run: &Run, recorded: &Recorded<'_>, time: u64) -> Failure {
    let last = recorded.time(recorded.count().saturating_sub(1));
    let (what, step) = match run.every() {
        Some(Every::Steps(interval)) => ("step", interval),
        Some(Every::Epochs(interval)) => ("epoch", interval),
        None => ("epoch", 1),
    };
    let message = Message::new(format!("{} has no record of {what} {time}", run.title()));
    Failure::Usage(message.help(format!("its records are of {what} 0, {step}, {}, … up to {last}", 2 * step)))
}

/// The bounding rectangle of the training rows.
fn window(run: &Run) -> [[f64; 2]; 2] {
    let rows = run.tables.as_ref().filter(|tables| tables.train.width() == 2);
    let rows = rows.and_then(|tables| inputs(&tables.train, &run.network));
    let Some(rows) = rows.filter(|rows| !rows.is_empty()) else { return [[-3.0; 2], [3.0; 2]] };
    let axis = |axis: usize, start: f64, pick: fn(f64, f64) -> f64| {
        rows.iter().skip(axis).step_by(2).copied().fold(start, pick)
    };
    [f64::min, f64::max].map(|pick| [0, 1].map(|a| axis(a, rows.get(a).copied().unwrap_or(0.0), pick)))
}
