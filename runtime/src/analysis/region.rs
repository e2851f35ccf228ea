//! Linear regions of networks with two inputs, at the end and over training.

use super::Subject;
use super::subject::inputs;
use crate::convert::tensors;
use crate::failure::{Failure, Told};
use crate::network::wrong;
use crate::trajectory::{StateRecords, Trajectory};
use gmpc_compiler::boundary::{Bent, Regions, regions};
use gmpc_compiler::convert::Tensors;
use gmpc_compiler::experiment::Every;
use gmpc_compiler::graph::Role;

/// Regions at most; more would not be told apart in any picture.
const MOST: usize = 200_000;
/// Records that are counted, the first and the last among them, of a network with few regions at its end, and of others.
const RECORDS: [usize; 2] = [101, 21];
/// How many regions are few.
const FEW: usize = 5_000;

/// What was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The rectangle that was looked at: low and high corner.
    pub window: [[f64; 2]; 2],
    /// Epochs or steps done; `None` for the weights the run ended with.
    pub at: Option<u64>,
    /// Every region and boundary then.
    pub end: Regions,
    /// Over training, where that was recorded: epochs or steps done, and how many regions. Empty for a moment of a run.
    pub over_training: Vec<(u64, usize)>,
}

/// The network at each record of its run.
enum Recorded<'a> {
    /// The whole network was kept.
    States(&'a StateRecords, Every),
    /// Only one layer bends, and its boundaries were kept.
    Layer(&'a Trajectory),
}

/// Counts the regions of a run over its training rows' range, or over [-3, 3] squared where the rows are not here.
///
/// # Errors
/// [`Failure::Usage`] for another number of inputs; a network that is curved; a damaged record.
pub fn count(subject: &Subject) -> Result<Counted, Failure> {
    let bent = bent(subject, &subject.tensors)?;
    let window = window(subject);
    let end = of(subject, &bent, window)?;
    let mut over_training = Vec::new();
    if let Some(recorded) = recorded(subject, &bent) {
        let last = recorded.count().saturating_sub(1);
        let most = RECORDS[usize::from(end.regions.len() > FEW)].min(last + 1);
        for k in 0..most.min(recorded.count()) {
            let record = last * k / (most - 1).max(1);
            let found = of(subject, &recorded.bent(subject, record)?, window)?;
            over_training.push((recorded.time(record), found.regions.len()));
        }
    }
    Ok(Counted { window, at: None, end, over_training })
}

/// The regions of a run when so many epochs or steps were done.
///
/// # Errors
/// As [`count`]; [`Failure::Usage`] where nothing was recorded then.
pub fn count_at(subject: &Subject, time: u64) -> Result<Counted, Failure> {
    let bent = bent(subject, &subject.tensors)?;
    let window = window(subject);
    let recorded = recorded(subject, &bent).ok_or_else(|| not_recorded(subject))?;
    let record = (0..recorded.count()).find(|record| recorded.time(*record) == time);
    let record = record.ok_or_else(|| no_such_time(subject, &recorded, time))?;
    let end = of(subject, &recorded.bent(subject, record)?, window)?;
    Ok(Counted { window, at: Some(time), end, over_training: vec![] })
}

fn bent(subject: &Subject, tensors: &Tensors) -> Result<Bent, Failure> {
    if subject.about.inputs.features != 2 {
        return Err(not_on_the_plane(subject));
    }
    Bent::new(&subject.network.net, tensors).map_err(|error| wrong(&subject.network.module, vec![error]))
}

fn of(subject: &Subject, bent: &Bent, [low, high]: [[f64; 2]; 2]) -> Result<Regions, Failure> {
    regions(bent, low, high, MOST).ok_or_else(|| not_on_the_plane(subject))
}

fn not_on_the_plane(subject: &Subject) -> Failure {
    let told = Told::new(format!("{} has {} inputs", subject.title(), subject.about.inputs.features));
    Failure::Usage(told.help("linear regions are counted for networks of two inputs"))
}

fn recorded<'a>(subject: &'a Subject, bent: &Bent) -> Option<Recorded<'a>> {
    let every = subject.every()?;
    if let Some(states) = &subject.states {
        return Some(Recorded::States(states, every));
    }
    subject.trajectories.first().filter(|_| bent.bends() == 1).map(Recorded::Layer)
}

impl Recorded<'_> {
    fn count(&self) -> usize {
        match self {
            Recorded::States(records, _) => records.count(),
            Recorded::Layer(trajectory) => trajectory.records(),
        }
    }

    /// Epochs or steps done at a record.
    fn time(&self, record: usize) -> u64 {
        let every = match self {
            Recorded::States(_, every) => *every,
            Recorded::Layer(trajectory) => trajectory.every,
        };
        let (Every::Epochs(interval) | Every::Steps(interval)) = every;
        (record as u64).saturating_mul(interval)
    }

    fn bent(&self, subject: &Subject, record: usize) -> Result<Bent, Failure> {
        match self {
            Recorded::States(records, _) => {
                let states = records.read(record)?;
                bent(subject, &tensors(states.named(|role| role != Role::Optimizer)))
            }
            Recorded::Layer(trajectory) => Ok(Bent::of_layer(&trajectory.boundaries(record), 2)),
        }
    }
}

fn not_recorded(subject: &Subject) -> Failure {
    let told = Told::new(format!("{} did not keep what its regions were on the way", subject.title()));
    Failure::Usage(told.help("train with `--record \"boundaries(layers = all)\"` to see them over training"))
}

fn no_such_time(subject: &Subject, recorded: &Recorded<'_>, time: u64) -> Failure {
    let last = recorded.time(recorded.count().saturating_sub(1));
    let (what, step) = match subject.every() {
        Some(Every::Steps(interval)) => ("step", interval),
        Some(Every::Epochs(interval)) => ("epoch", interval),
        None => ("epoch", 1),
    };
    let told = Told::new(format!("{} has no record of {what} {time}", subject.title()));
    Failure::Usage(told.help(format!("its records are of {what} 0, {step}, {}, … up to {last}", 2 * step)))
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
