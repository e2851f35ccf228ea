//! A run that is analyzed: its network with the final weights, its rows, and its records.

use gmpc_compiler::graphs::boundary::{Effective, First, effective, first_layers};
use gmpc_compiler::graphs::convert::Tensors;
use gmpc_compiler::ir::experiment::{Every, Followed};
use gmpc_data::Directories;
use gmpc_data::images::Draw;
use gmpc_data::{Pick, Rows};
use gmpc_device::{Device, Numbers};
use gmpc_runtime::failure::{Failure, Message};
use gmpc_runtime::program::network::{Network, wrong};
use gmpc_runtime::program::session::Programs;
use gmpc_runtime::run::checkpoint::again;
use gmpc_runtime::run::folder::{About, RunFolder};
use gmpc_runtime::run::records::{FOLDER, STATES, StateRecords, Trajectory, records_after};
use gmpc_runtime::run::result;
use gmpc_runtime::run::sums::{LINES, changed};
use gmpc_runtime::task::compare::Kept;
use gmpc_runtime::task::convert::tensors;
use gmpc_runtime::task::reopen::{reopened, reopened_network};
use gmpc_runtime::train::{Progress, Tables};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A run with all that analyses and reports need.
pub struct Run {
    /// Its folder.
    pub folder: RunFolder,
    /// The contents of `run.json`.
    pub about: About,
    /// Its network: layers, shapes and programs.
    pub network: Arc<Network>,
    /// Its title if the name of its folder is not unique, see [`make_titles_unique`].
    name: Option<String>,
    /// The final weights, in the layout of files.
    pub tensors: Tensors,
    /// The recorded boundaries of each first layer; empty if nothing was recorded.
    pub trajectories: Vec<Trajectory>,
    /// The whole network at each record, if it was recorded.
    pub states: Option<StateRecords>,
    /// Its rows, as the network takes them; `None` if the data are not available.
    pub tables: Option<Tables>,
    /// Why its rows are not available, if they are not.
    pub without_rows: Option<String>,
    /// The device that programs run on.
    pub device: Arc<dyn Device>,
    /// Are the lines of its epochs different from what gmpc wrote?
    pub lines_changed: bool,
    /// The contents of `result.json`; null if the run has not ended.
    pub result: serde_json::Value,
}

impl Run {
    /// Opens a run's folder.
    ///
    /// # Errors
    /// It is not a run folder, has no checkpoint, or has damaged files. Missing data are no error.
    pub fn open(run: &Path, directories: &Directories, device: &Arc<dyn Device>) -> Result<Self, Failure> {
        let (folder, about) = RunFolder::open(run)?;
        let (network, _) = reopened_network(&folder, &about, directories, device)?;
        let tensors = tensors(folder.weights(&about)?.tensors);
        let (tables, without_rows) = match reopened(&folder, &about, directories, device) {
            Ok(prepared) => (Some(prepared.tables), None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        let record = network.module.experiment.train.as_ref().and_then(|train| train.record);
        let recorded = record.filter(|_| !about.converted);
        let layers = first_layers(&network.net);
        let read = |every: Every| layers.iter().map(|first| Trajectory::read(run, first, every)).collect();
        let trajectories: Vec<Trajectory> = recorded.map_or(Ok(Vec::new()), |record| read(record.every))?;
        let states = StateRecords::open(run, network.layout(), network.precision())?;
        let checkpoint = folder.last(&about).ok().map(|(checkpoint, _)| checkpoint).unwrap_or_default();
        let changed = changed(run, &checkpoint.files);
        // Missing records would make a figure that ends early, so their number is compared with the checkpoint's
        // counters.
        if let Some(record) = recorded {
            let counts =
                trajectories.iter().map(|t| (run.join(FOLDER).join(format!("{}.npy", t.first.name)), t.records()));
            let all = (record.followed == Followed::All)
                .then(|| (run.join(STATES), states.as_ref().map_or(0, StateRecords::count)));
            whole(&folder, checkpoint.progress.as_ref(), record.every, counts.chain(all))?;
            changed.iter().find(|name| *name != LINES).map_or(Ok(()), |name| Err(damaged(&folder, name)))?;
        }
        let result = result::read(&folder)?;
        let device = Arc::clone(device);
        Ok(Run {
            name: None,
            folder,
            about,
            network,
            tensors,
            trajectories,
            states,
            tables,
            without_rows,
            device,
            lines_changed: changed.iter().any(|name| name == LINES),
            result,
        })
    }

    /// The layers whose boundaries lie in the space of the network's input.
    #[must_use]
    pub fn first_layers(&self) -> Vec<First> {
        first_layers(&self.network.net)
    }

    /// The interval between two records, if there are any.
    #[must_use]
    pub fn every(&self) -> Option<Every> {
        let record = self.network.module.experiment.train.as_ref()?.record?;
        (self.states.is_some() || !self.trajectories.is_empty()).then_some(record.every)
    }

    /// The units of a layer with plain weights in place of their parameterization.
    ///
    /// # Errors
    /// [`Failure::Usage`]: it is not a layer of units. [`Failure::File`]: its units are not affine before their
    /// activation.
    pub fn effective(&self, layer: usize) -> Result<Effective, Failure> {
        let found = effective(&self.network.net, layer, &self.tensors);
        let found = found.map_err(|error| wrong(&self.network.module, vec![error]))?;
        found.ok_or_else(|| {
            let name = self.network.net.layers.get(layer).map_or("", |layer| layer.name.as_str());
            Failure::Usage(Message::new(format!("`{name}` is not a layer of units")))
        })
    }

    /// Its title with its first metric on the test rows: `gmp, test.rmse 0.496`. Its title alone if the run has not
    /// ended.
    #[must_use]
    pub fn title_with_result(&self) -> String {
        let result = &self.result;
        let wanted = |name: &str| name.starts_with("test.") && name != "test.loss";
        let metric = result.as_object().and_then(|object| object.iter().find(|(name, _)| wanted(name)));
        match metric.and_then(|(name, value)| Some((name, value.as_f64()?))) {
            Some((name, value)) => format!("{}, {name} {value:.3}", self.title()),
            None => self.title(),
        }
    }

    /// Its title in tables: the name of its folder, with the folders above it if several runs have that name.
    #[must_use]
    pub fn title(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let folder = self.folder.path.file_name().map(|name| name.to_string_lossy().into_owned());
        folder.unwrap_or_else(|| self.folder.path.display().to_string())
    }
}

/// Refuses a run with fewer records than its checkpoint says: a figure of the others would end early without a message.
fn whole(
    folder: &RunFolder,
    progress: Option<&Progress>,
    every: Every,
    counts: impl Iterator<Item = (PathBuf, usize)>,
) -> Result<(), Failure> {
    let expected = progress.map_or(0, |progress| records_after(every, progress.epoch, progress.step));
    for (path, found) in counts {
        if (found as u64) < expected {
            let message = format!("{} has {found} of the {expected} records of the run", path.display());
            let refusal = Message::new(message).at("E0811", &path);
            return Err(Failure::Io(refusal.help(again(&folder.file("run.json")))));
        }
    }
    Ok(())
}

/// The failure for records that differ from what the run wrote.
fn damaged(folder: &RunFolder, name: &str) -> Failure {
    let path = folder.file(name);
    let told = Message::new(format!("{} is not what gmpc wrote: it was edited or damaged", path.display()));
    Failure::Io(told.at("E0811", &path).help(again(&folder.file("run.json"))))
}

/// Makes the titles of runs unique. Runs whose folders have the same name get the names of the folders above too:
/// `a-run` and `b-run`. Otherwise tables and figures would mix up two runs, and the figures of one would overwrite
/// those of the other.
pub fn make_titles_unique(runs: &mut [Run]) {
    make_all_titles_unique(runs, &mut []);
}

/// As [`make_titles_unique`], for runs and comparisons on one page.
pub fn make_all_titles_unique(runs: &mut [Run], comparisons: &mut [Kept]) {
    let folders = runs.iter().map(|run| &run.folder.path).chain(comparisons.iter().map(|kept| &kept.folder));
    let paths: Vec<PathBuf> = folders.map(|folder| folder.canonicalize().unwrap_or(folder.clone())).collect();
    let mut names = apart(&paths).into_iter();
    runs.iter_mut().zip(names.by_ref()).for_each(|(run, name)| run.name = name);
    comparisons.iter_mut().zip(names).for_each(|(kept, name)| kept.name = name);
}

/// For each path whose last name is not unique, as many of its last names as are needed. Two equal paths stay equal.
fn apart(paths: &[PathBuf]) -> Vec<Option<String>> {
    let last = |path: &PathBuf, count: usize| {
        let names: Vec<String> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names[names.len().saturating_sub(count)..].join("-").trim_start_matches("/-").to_string()
    };
    let is_alone = |path: &PathBuf, count| {
        paths.iter().filter(|other| *other != path).all(|o| last(o, count) != last(path, count))
    };
    let name = |path: &PathBuf| {
        let most = path.iter().count();
        let count = (1..=most).find(|&count| is_alone(path, count)).unwrap_or(most);
        (count > 1).then(|| last(path, count))
    };
    paths.iter().map(name).collect()
}

/// The inputs of a part as numbers, `[rows, width]` in row-major order; `None` if an image cannot be read.
#[must_use]
pub fn inputs(rows: &Rows, network: &Network) -> Option<Vec<f64>> {
    let mut numbers = Numbers::zeros(network.module.experiment.precision, rows.count() * rows.width());
    rows.begin_plain();
    rows.inputs_into(&Pick::Range(0..rows.count()), Draw::Nothing, &mut numbers.as_mut()).ok()?;
    Some(numbers.as_slice().to_f64())
}

/// The targets of a part as numbers, `[rows, outputs]` in row-major order.
#[must_use]
pub fn targets(rows: &Rows, network: &Network) -> Vec<f64> {
    let outputs: usize = network.net.target_shape.iter().product();
    let mut numbers = Numbers::zeros(network.module.experiment.precision, rows.count() * outputs);
    rows.targets_into(&Pick::Range(0..rows.count()), &mut numbers.as_mut());
    numbers.as_slice().to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_name_are_told_apart_by_the_folders_above() {
        let paths = ["/p/a/run", "/p/b/run", "/p/other", "/q/b/run"].map(PathBuf::from);
        let expected = [Some("a-run"), Some("p-b-run"), None, Some("q-b-run")].map(|name| name.map(String::from));
        assert_eq!(apart(&paths), expected);
    }
}
