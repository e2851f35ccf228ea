//! What a run begins with: weights that are drawn, those that the first batch sets, or those of another run
//! (`start = run(…)`, `--from RUN`).

use crate::failure::{Failure, Message};
use crate::program::network::Network;
use crate::program::session::{Programs, Session};
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::{About, Parent, RunFolder, best_of};
use crate::train::schedule::Best;
use crate::train::{Progress, Tables};
use gmpc_compiler::graphs::asks_for_first_batch;
use gmpc_compiler::graphs::states::AVERAGE;
use gmpc_compiler::ir::experiment::{Batch, Start, TrainSpec};
use gmpc_compiler::ir::graph::{Role, State};
use gmpc_data::{Pick, order_into};
use gmpc_device::States;
use gmpc_device::states::named::Named;
use gmpc_grammar::similar::nearest;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the beginning of a run depends on.
#[derive(Clone, Copy)]
pub struct Beginning<'a> {
    /// The file and its network.
    pub network: &'a Network,
    /// Its rows.
    pub tables: &'a Tables,
    /// The folder of the file, to which paths in it are relative.
    pub beside: Option<&'a Path>,
}

/// Sets every state of a session, and says where the run stands: its counters, and the states of its best epoch if it
/// continues another run that has one.
///
/// # Errors
/// The device failed, or an image of the first batch cannot be read. A run that is named to begin from is none, has no
/// checkpoint, or does not fit.
pub fn begin(of: &Beginning<'_>, session: &mut Session) -> Result<(Progress, Option<States>), Failure> {
    let experiment = &of.network.module.experiment;
    session.initialize(experiment.seeds.weights)?;
    let seed = experiment.seeds.order;
    let Some(spec) = &experiment.train else { return Ok((Progress::new(seed, 0.0), None)) };
    if asks_for_first_batch(&of.network.net) {
        set_by_first_batch(of, spec, session)?;
        average_the_weights(&mut session.states, &Named::new())?;
    }
    let fresh = Progress::new(seed, spec.lr);
    let Some(start) = &spec.start else { return Ok((fresh, None)) };
    let (folder, about) = RunFolder::open(&path(of, start))?;
    if !start.whole {
        take(of, &folder, &mut session.states, &folder.weights(&about)?.tensors, start)?;
        return Ok((fresh, None));
    }
    continued(of, (&folder, &about), session, (spec, start), fresh)
}

/// Continues another run with its counters of epochs and the states of its optimizer.
fn continued(
    of: &Beginning<'_>,
    (folder, about): (&RunFolder, &About),
    session: &mut Session,
    (spec, start): (&TrainSpec, &Start),
    fresh: Progress,
) -> Result<(Progress, Option<States>), Failure> {
    if spec.record.is_some() {
        let why = "records count from the first step, and this run would begin later";
        let help = "leave `record` out, or begin with the weights alone: `run(…)` without `whole`";
        return Err(wrong(folder, why, help));
    }
    let (checkpoint, _) = folder.last(about)?;
    take(of, folder, &mut session.states, &checkpoint.tensors, start)?;
    let best = best(&session.states, &checkpoint);
    let before = checkpoint.progress.ok_or_else(|| wrong(folder, "it was never trained", "name another run"))?;
    if before.epoch >= spec.epochs {
        let why = format!("it has done {} epochs, and the file asks for {}", before.epoch, spec.epochs);
        return Err(wrong(folder, &why, "set more of them: `--set train.epochs=…`"));
    }
    if before.batch > 0 {
        let why = format!("it was stopped within epoch {}", before.epoch + 1);
        let help = format!("end it first: `gmpc train --resume {}`", folder.path.display());
        return Err(wrong(folder, &why, &help));
    }
    // Without the weights of the best epoch, the next one is the best so far.
    let kept = if best.is_some() { before.best } else { Best::default() };
    // The settings decide when the new run ends, and its own seed what it draws.
    Ok((Progress { seed: fresh.seed, ended: None, best: kept, ..before }, best))
}

/// The rows that the first step is trained on set what the file computes from them.
fn set_by_first_batch(of: &Beginning<'_>, spec: &TrainSpec, session: &mut Session) -> Result<(), Failure> {
    let (rows, seed) = (&of.tables.train, of.network.module.experiment.seeds.order);
    let count = match spec.batch {
        Batch::All => rows.count(),
        Batch::Size(size) => size.clamp(1, rows.count().max(1)),
    };
    let mut order = Vec::new();
    let all = u32::try_from(rows.count()).map_err(|_| Failure::Bug("too many rows to put in order".into()))?;
    if spec.shuffle && count < rows.count() {
        order_into(&mut order, seed, 0, all);
    }
    let shuffled = Some(order.as_slice()).filter(|order| !order.is_empty());
    rows.begin(seed, 0, shuffled, 0);
    let pick = if order.is_empty() { Pick::Range(0..count) } else { Pick::These(&order[..count]) };
    session.set_by_first_batch(rows, &pick, seed)
}

/// The run that a run begins from, if it begins from one.
///
/// # Errors
/// [`Failure::Usage`]: it is no run.
pub(super) fn parent(of: &Beginning<'_>) -> Result<Option<Parent>, Failure> {
    let train = of.network.module.experiment.train.as_ref();
    let Some(start) = train.and_then(|train| train.start.as_ref()) else { return Ok(None) };
    let (folder, about) = RunFolder::open(&path(of, start))?;
    let last = folder.last(&about).ok().and_then(|(checkpoint, _)| checkpoint.progress);
    let epochs = last.map_or(0, |progress| progress.epoch);
    Ok(Some(Parent { folder: start.folder.clone(), identity: about.identity(), epochs, continued: start.whole }))
}

/// Refuses to begin again from a run that is another one by now.
///
/// # Errors
/// [`Failure::Usage`]: it is.
pub(super) fn same_parent(of: &Beginning<'_>, about: &About) -> Result<(), Failure> {
    match (parent(of)?, &about.parent) {
        (Some(now), Some(then)) if now != *then => {
            let message = Message::new(format!("{} is not the run that this one began from any more", then.folder));
            let help = "train the file again into another folder";
            Err(Failure::Usage(message.code("E0820").help(help)))
        }
        _ => Ok(()),
    }
}

fn path(of: &Beginning<'_>, start: &Start) -> PathBuf {
    of.beside.map_or_else(|| PathBuf::from(&start.folder), |beside| beside.join(&start.folder))
}

/// Takes the states of another run by their names. Those of the optimizer may be missing: another optimizer has others.
fn take(
    of: &Beginning<'_>,
    folder: &RunFolder,
    states: &mut States,
    tensors: &Named,
    start: &Start,
) -> Result<(), Failure> {
    check_excepted(of, start)?;
    let layout = Arc::clone(of.network.layout());
    let mut own = Named::new();
    for state in layout.states.iter().filter(|state| !is_excepted(state, start)) {
        match tensors.get(&state.name) {
            Some(stored) if stored.shape == state.file_shape => {
                own.insert(state.name.clone(), stored.clone());
            }
            _ if state.role == Role::Optimizer => {}
            Some(stored) => {
                let (name, found, wanted) = (&state.name, &stored.shape, &state.file_shape);
                let why = format!("`{name}` is {found:?} in it, where the network has {wanted:?}");
                return Err(wrong(folder, &why, &excepting(state)));
            }
            None => {
                let help = format!("draw it: `run(\"…\", except = [{}])`", state.name);
                return Err(wrong(folder, &format!("it has no `{}`", state.name), &help));
            }
        }
    }
    // The rest has been drawn.
    let mut all = states.named(|_| true);
    all.extend(own);
    states.set_named(&all, |_| true).map_err(Failure::Bug)?;
    average_the_weights(states, tensors)
}

/// Averages begin at the weights, except those that another run has kept.
fn average_the_weights(states: &mut States, kept: &Named) -> Result<(), Failure> {
    let mut all = states.named(|_| true);
    let names: Vec<String> =
        all.keys().filter(|name| name.starts_with(AVERAGE) && !kept.contains_key(*name)).cloned().collect();
    for name in names {
        if let Some(weights) = name.strip_prefix(AVERAGE).and_then(|parameter| all.get(parameter)).cloned() {
            all.insert(name, weights);
        }
    }
    states.set_named(&all, |_| true).map_err(Failure::Bug)
}

/// The states of the best epoch, if they are all there.
fn best(states: &States, checkpoint: &Checkpoint) -> Option<States> {
    let tensors = best_of(checkpoint);
    let mut kept = states.clone();
    kept.set_named(&tensors, |role| role != Role::Optimizer).ok().map(|()| kept)
}

/// Is a state, its layer or a block around it in the list?
fn is_excepted(state: &State, start: &Start) -> bool {
    // `adam.m/head.w` belongs to the layer of `head.w`.
    let name = state.name.rsplit('/').next().unwrap_or(&state.name);
    let is_in = |word: &str| name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    start.except.iter().any(|(word, _)| is_in(word))
}

/// Refuses a name of `except` that means no state.
fn check_excepted(of: &Beginning<'_>, start: &Start) -> Result<(), Failure> {
    let states = &of.network.layout().states;
    for (layer, span) in &start.except {
        let only = Start { except: vec![(layer.clone(), *span)], ..start.clone() };
        if states.iter().any(|state| is_excepted(state, &only)) {
            continue;
        }
        let layers: Vec<&str> = states.iter().filter_map(|state| Some(state.name.rsplit_once('.')?.0)).collect();
        let help = match nearest(layer, layers.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name layers or blocks of the network that have weights".to_string(),
        };
        let message = Message::new(format!("`except` names `{layer}`, and no layer with weights is called so"));
        return Err(Failure::Usage(message.code("E0820").help(help)));
    }
    Ok(())
}

fn excepting(state: &State) -> String {
    let layer = state.name.rsplit_once('.').map_or(state.name.as_str(), |(layer, _)| layer);
    format!("draw that layer anew: `run(\"…\", except = [{layer}])`")
}

fn wrong(folder: &RunFolder, why: &str, help: &str) -> Failure {
    let message = Message::new(format!("a run cannot begin from {}: {why}", folder.path.display()));
    Failure::Usage(message.at("E0820", &folder.path).help(help.to_string()))
}
