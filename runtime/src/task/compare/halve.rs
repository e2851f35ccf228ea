//! Synchronous successive halving (`--halve 3`): every value is trained for a few epochs, the best third of them for three times as
//! many, and so on; what is left at the end, for all.
//!
//! ```text
//! 9 values, 81 epochs     rung 1: 9 values, to epoch 9     rung 2: the best 3 of them, to epoch 27     rung 3: the best, to epoch 81
//! ```
//!
//! A run pauses at a rung and goes on bit for bit: its schedule is that of all epochs from the beginning. A rung ends when every run of
//! it has, and what goes on is decided by means over the seeds on the rows that one may choose on. So nothing depends on which run
//! ends first, on the number of workers, or on interruptions. Values compete within one parameterization at one value of the axes of
//! which nothing is chosen: all parameterizations have the same budget.
//!
//! Source: Jamieson and Talwalkar, AISTATS 2016; the rungs are those of Li et al., Hyperband, JMLR 2018. Asynchronous halving (Li et
//! al., MLSys 2020) would use workers better, but depends on who is first.

use super::job::{Ran, Rung};
use super::work::{Tally, Work};
use super::{Axes, Combination, Statistics, axes, store};
use crate::failure::Failure;
use serde::{Deserialize, Serialize};

/// What `--halve` means for a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halving {
    /// One of so many values goes on.
    pub factor: u32,
    /// By rising epochs; the last has all of them.
    pub rungs: Vec<RungPlan>,
}

/// One rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungPlan {
    /// Epochs of a run, counted from its beginning.
    pub epochs: u64,
    /// Values of each parameterization that get there, where none of them fails.
    pub values: usize,
}

impl Halving {
    /// The rungs for so many values and epochs; `None` where there is one at most: fewer epochs than the factor, or one value.
    #[must_use]
    pub fn of(factor: u32, values: usize, epochs: u64) -> Option<Self> {
        let mut counts = vec![values];
        let mut shortest = epochs;
        while let Some(count) = counts.last().copied().filter(|count| *count > 1) {
            shortest /= u64::from(factor);
            if shortest == 0 {
                break;
            }
            counts.push((count / factor as usize).max(1));
        }
        let highest = counts.len() - 1;
        let parts = |rung: usize| (rung..highest).fold(1, |parts, _| parts * u64::from(factor));
        let rung = |(rung, values): (usize, &usize)| RungPlan { epochs: epochs / parts(rung), values: *values };
        let rungs: Vec<RungPlan> = counts.iter().enumerate().map(rung).collect();
        (highest > 0).then_some(Halving { factor, rungs })
    }
}

/// The rungs of a comparison; `None` without `--halve`.
///
/// # Errors
/// [`Failure::Usage`]: nothing is chosen, there is no folder to pause in, or nothing to halve.
pub(super) fn plan(axes: &Axes, all: &[Combination], has_folder: bool) -> Result<Option<Halving>, Failure> {
    let Some(factor) = axes.halve else { return Ok(None) };
    let refuse = |what: String, help: &str| Err(axes::refused(what, help));
    if axes.choose.is_empty() {
        let help = "name the axis whose value is to be chosen: `--choose train.optimizer.lr`";
        return refuse(format!("`--halve {factor}` has nothing to choose from"), help);
    }
    if !has_folder {
        return refuse(format!("`--halve {factor}` pauses runs, and needs a folder for them"), "name one: `--out DIR`");
    }
    // A rung is a part of the epochs: runs of different lengths would be compared after different training.
    let epochs = all.first().map_or(0, |one| one.epochs);
    if all.iter().any(|one| one.epochs != epochs) {
        let what = format!("`--halve {factor}` compares runs after the same epochs, and here their numbers differ");
        return refuse(what, "give all cells the same `train.epochs`");
    }
    // Axes are crossed, so every contest has as many values as the first.
    let values = contests(axes, all).first().map_or(0, Vec::len);
    match Halving::of(factor, values, epochs) {
        Some(halving) => Ok(Some(halving)),
        None if values < 2 => {
            refuse(format!("`--halve {factor}` has one value to choose from"), "give more: `--over KEY=A,B,C`")
        }
        None => {
            let what = format!("`--halve {factor}` of {epochs} epochs: the first rung would have none");
            refuse(what, "train for more epochs, or leave `--halve` out")
        }
    }
}

/// The combinations that compete: those of one parameterization that differ only in what is chosen. Their indices, in
/// order.
fn contests(axes: &Axes, all: &[Combination]) -> Vec<Vec<usize>> {
    type Of<'a> = (&'a str, Vec<&'a (String, String)>);
    let mut found: Vec<(Of<'_>, Vec<usize>)> = vec![];
    for (index, one) in all.iter().enumerate() {
        let of = (one.param.as_str(), one.over.iter().filter(|(key, _)| !axes.choose.contains(key)).collect());
        match found.iter_mut().find(|(known, _)| *known == of) {
            Some((_, members)) => members.push(index),
            None => found.push((of, vec![index])),
        }
    }
    found.into_iter().map(|(_, members)| members).collect()
}

/// Runs of all rungs together, where none fails.
pub(super) fn runs(halving: &Halving, axes: &Axes, all: &[Combination]) -> usize {
    let each: usize = halving.rungs.iter().map(|rung| rung.values).sum();
    contests(axes, all).len() * each * axes.repeats as usize
}

/// What came of all rungs.
pub(super) struct Halved {
    /// What each job gave at the highest rung it reached; `None` where `stop` came first.
    pub(super) ran: Vec<Option<Ran>>,
    /// For each combination the epochs after which it was stopped; `None` for those that have all.
    pub(super) stopped: Vec<Option<u64>>,
}

/// How a value is compared with the others of its contest.
pub(super) struct ChosenBy<'a> {
    pub(super) name: &'a str,
    pub(super) higher_is_better: bool,
}

/// Goes up rung by rung. `first` are the jobs that this process begins with: all, or those of its shard. When they are
/// done, it takes over those of the others, because a rung must be complete before the next begins.
///
/// # Errors
/// As [`Work::run`].
pub(super) fn run(
    halving: &Halving,
    work: &Work<'_>,
    axes: &Axes,
    combinations: &[Combination],
    by: &ChosenBy<'_>,
    tally: &mut Tally<'_>,
) -> Result<Halved, Failure> {
    let repeats = axes.repeats as usize;
    let mut contests = contests(axes, combinations);
    let mut halved = Halved { ran: work.jobs.iter().map(|_| None).collect(), stopped: vec![None; combinations.len()] };
    let epochs: Vec<u64> = halving.rungs.iter().map(|rung| rung.epochs).collect();
    for (place, rung) in halving.rungs.iter().enumerate() {
        let wanted = contests.iter().flatten().flat_map(|one| one * repeats..(one + 1) * repeats);
        let wanted = own_first(wanted.collect(), axes);
        let is_last = place + 1 == halving.rungs.len();
        let goal = Rung { pause: (!is_last).then_some(rung.epochs), below: &epochs[..place] };
        let mut came = work.run(&wanted, goal, tally)?;
        let complete = wanted.iter().all(|job| came[*job].is_some());
        // A run that did not get as far is missing, whatever it gave at the rung below.
        for job in &wanted {
            halved.ran[*job] = came[*job].take();
        }
        if !complete {
            return Ok(halved);
        }
        if let Some(next) = halving.rungs.get(place + 1) {
            for contest in &mut contests {
                let best = best(contest, next.values, repeats, &halved.ran, by);
                for one in contest.iter().filter(|one| !best.contains(one)) {
                    halved.stopped[*one] = Some(rung.epochs);
                    forget(work, &halved.ran[one * repeats..(one + 1) * repeats], &epochs);
                }
                *contest = best;
            }
        }
    }
    Ok(halved)
}

/// The jobs of this process's shard, then the others'.
fn own_first(jobs: Vec<usize>, axes: &Axes) -> Vec<usize> {
    let (own, others): (Vec<usize>, Vec<usize>) =
        jobs.into_iter().partition(|job| axes.shard.is_none_or(|shard| shard.has(*job)));
    [own, others].concat()
}

/// The `count` best of a contest, in the order of the axes. A value of which a run failed is not among them, since it would not be
/// chosen at the end either; of values that tie, the first is taken.
fn best(contest: &[usize], count: usize, repeats: usize, ran: &[Option<Ran>], by: &ChosenBy<'_>) -> Vec<usize> {
    let mean = |one: usize| {
        let figure = |ran: &Option<Ran>| ran.as_ref()?.outcome.figure(by.name);
        let figures: Option<Vec<f64>> = ran[one * repeats..(one + 1) * repeats].iter().map(figure).collect();
        let mean = Statistics::of(&figures?).mean;
        mean.is_finite().then_some(if by.higher_is_better { -mean } else { mean })
    };
    let mut whole: Vec<(f64, usize)> = contest.iter().filter_map(|one| Some((mean(*one)?, *one))).collect();
    whole.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut best: Vec<usize> = whole.into_iter().take(count).map(|(_, one)| one).collect();
    best.sort_unstable();
    best
}

/// Checkpoints of runs that do not go on.
fn forget(work: &Work<'_>, runs: &[Option<Ran>], epochs: &[u64]) {
    let names = runs.iter().flatten().filter_map(|ran| ran.names.as_ref());
    if let Some(folder) = work.keep {
        names.for_each(|names| store::forget(folder, &names.key, epochs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rungs(factor: u32, values: usize, epochs: u64) -> Vec<(u64, usize)> {
        let halving = Halving::of(factor, values, epochs);
        halving.map_or(vec![], |halving| halving.rungs.iter().map(|rung| (rung.epochs, rung.values)).collect())
    }

    #[test]
    fn each_rung_has_a_third_of_the_values_and_three_times_the_epochs() {
        assert_eq!(rungs(3, 9, 81), [(9, 9), (27, 3), (81, 1)]);
        assert_eq!(rungs(3, 40, 5000), [(185, 40), (555, 13), (1666, 4), (5000, 1)]);
        assert_eq!(rungs(2, 4, 10), [(2, 4), (5, 2), (10, 1)]);
        assert_eq!(rungs(4, 3, 100), [(25, 3), (100, 1)], "fewer values than the factor");
    }

    #[test]
    fn a_rung_has_one_epoch_at_least() {
        assert_eq!(rungs(3, 81, 10), [(1, 81), (3, 27), (10, 9)], "nine are trained to the end and chosen from");
        assert!(rungs(3, 9, 2).is_empty() && rungs(3, 1, 81).is_empty());
    }
}
