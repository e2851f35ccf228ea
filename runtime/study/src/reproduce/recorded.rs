//! Trains runs that record their boundaries: for each parameterization the seed with the median result.

use super::Item;
use gmpc_compiler::ir::experiment::Seeds;
use gmpc_data::digest::sha256;
use gmpc_runtime::event::{Event, StoppedBy};
use gmpc_runtime::failure::Failure;
use gmpc_runtime::run::folder::{CADENCE, RunFolder};
use gmpc_runtime::task::compare::{Cell, Comparison};
use gmpc_runtime::task::experiment::{Request, read};
use gmpc_runtime::task::resume::resume;
use gmpc_runtime::task::train::{self, Out};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Run folders, one for each parameterization in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// At the parameterization's own rate.
    pub own: Vec<PathBuf>,
    /// At the item's common rate, where it has one.
    pub common: Vec<PathBuf>,
    /// The seed that is drawn of each parameterization.
    pub seeds: Vec<(String, u64)>,
}

/// Trains what is not there yet; runs that diverge are left out. `None` where `stop` came first.
pub(super) fn record(
    item: &Item,
    request: &Request,
    comparison: &Comparison,
    folder: &Path,
    stop: &AtomicBool,
) -> Result<Option<Recorded>, Failure> {
    let mut found = Recorded::default();
    for cell in &comparison.cells {
        let Some(seed) = middle(cell, &comparison.metric) else { continue };
        found.seeds.push((cell.param.clone(), seed));
        let mut request = request.clone();
        request.overrides.param = Some(cell.param.clone());
        request.overrides.seed = Some(Seeds::all(seed));
        request.overrides.set.push(("train.record".into(), "boundaries".into()));
        match trained(&request, folder, &cell.param, stop)? {
            Trained::Done(run) => found.own.push(run),
            Trained::Diverged => {}
            Trained::Stopped => return Ok(None),
        }
        // Once more with the same seed, at the rate that all parameterizations share.
        let Some(rate) = item.common_rate else { continue };
        request.overrides.set.push(("train.optimizer.lr".into(), rate.to_string()));
        match trained(&request, folder, &cell.param, stop)? {
            Trained::Done(run) => found.common.push(run),
            Trained::Diverged => {}
            Trained::Stopped => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// How a run ended.
enum Trained {
    Done(PathBuf),
    Diverged,
    Stopped,
}

/// The seed whose figure is the median, the lower one of two; `None` where every run failed.
fn middle(cell: &Cell, metric: &str) -> Option<u64> {
    let mut all: Vec<(f64, u64)> =
        cell.outcomes.iter().filter_map(|outcome| Some((outcome.figure(metric)?, outcome.seed))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.get(all.len().checked_sub(1)? / 2).map(|(_, seed)| *seed)
}

/// A run with these settings, trained now, to its end, or before.
fn trained(request: &Request, below: &Path, param: &str, stop: &AtomicBool) -> Result<Trained, Failure> {
    let (module, _) = read(request)?;
    let settings = sha256(module.effective_source.as_bytes());
    let folder = below.join(settings.get(..8).unwrap_or(&settings)).join(param.replace(' ', ""));
    let mut nobody = |_: &Event| {};
    let ended = match RunFolder::open(&folder) {
        Ok((run, _)) if run.file("result.json").exists() => return Ok(Trained::Done(folder)),
        Ok(_) => resume(&folder, &request.directories, &request.device, CADENCE, &mut nobody, stop),
        Err(_) => train::train(request, Out::Folder(&folder), CADENCE, &mut nobody, stop),
    };
    match ended {
        Ok((done, _)) if done.stopped_by == StoppedBy::Signal => Ok(Trained::Stopped),
        Ok(_) => Ok(Trained::Done(folder)),
        Err(Failure::Diverged(_)) => Ok(Trained::Diverged),
        Err(failure) => Err(failure),
    }
}
