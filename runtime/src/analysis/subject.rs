//! A run that is looked at: its network with the weights it ended with, its rows, and what it recorded.

use crate::convert::tensors;
use crate::data::Directories;
use crate::data::images::Draw;
use crate::device::{Device, Numbers};
use crate::failure::{Failure, Told};
use crate::launch::{reopened_network, reopened_request};
use crate::network::{Network, wrong};
use crate::request::prepare;
use crate::rows::{Pick, Rows};
use crate::run_folder::{About, RunFolder};
use crate::session::Programs;
use crate::train::Tables;
use crate::trajectory::{FOLDER, StateRecords, Trajectory};
use gmpc_compiler::boundary::{Effective, First, effective, first_layers};
use gmpc_compiler::convert::Tensors;
use gmpc_compiler::experiment::Every;
use std::path::Path;
use std::sync::Arc;

/// One run.
pub struct Subject {
    /// Its folder.
    pub folder: RunFolder,
    /// `run.json`.
    pub about: About,
    /// Its layers and shapes.
    pub network: Arc<Network>,
    /// The weights it ended with, in the layout of files.
    pub tensors: Tensors,
    /// What it recorded of each first layer; empty where it recorded nothing.
    pub trajectories: Vec<Trajectory>,
    /// The whole network at each record, where the run kept that.
    pub states: Option<StateRecords>,
    /// Its rows, as the network takes them; `None` where the data are not here.
    pub tables: Option<Tables>,
    /// Where programs run.
    pub device: Arc<dyn Device>,
}

impl Subject {
    /// Opens a run's folder.
    ///
    /// # Errors
    /// No run folder, no checkpoint, damaged files. Data that are missing are no error.
    pub fn open(run: &Path, directories: &Directories, device: &Arc<dyn Device>) -> Result<Self, Failure> {
        let (folder, about) = RunFolder::open(run)?;
        let (network, _) = reopened_network(&folder, &about, directories, device)?;
        let tensors = tensors(folder.weights(&about)?.tensors);
        let request = reopened_request(&folder, &about, directories, device)?;
        let prepared = prepare(&request).ok().filter(|prepared| prepared.data_sha256 == about.data_sha256);
        let tables = prepared.map(|prepared| prepared.tables);
        let record = network.module.experiment.train.as_ref().and_then(|train| train.record);
        let recorded = record.filter(|_| run.join(FOLDER).is_dir());
        let layers = first_layers(&network.net);
        let read = |every: Every| layers.iter().map(|first| Trajectory::read(run, first, every)).collect();
        let trajectories = recorded.map_or(Ok(Vec::new()), |record| read(record.every))?;
        let states = StateRecords::open(run, network.layout(), network.precision())?;
        let device = Arc::clone(device);
        Ok(Subject { folder, about, network, tensors, trajectories, states, tables, device })
    }

    /// The layers whose boundaries lie in the input space.
    #[must_use]
    pub fn first_layers(&self) -> Vec<First> {
        first_layers(&self.network.net)
    }

    /// How far its records are apart, where it has any.
    #[must_use]
    pub fn every(&self) -> Option<Every> {
        let record = self.network.module.experiment.train.as_ref()?.record?;
        (self.states.is_some() || !self.trajectories.is_empty()).then_some(record.every)
    }

    /// A layer's units as plain numbers.
    ///
    /// # Errors
    /// It is no layer of units, or they are not affine before their activation.
    pub fn effective(&self, layer: usize) -> Result<Effective, Failure> {
        let found = effective(&self.network.net, layer, &self.tensors);
        let found = found.map_err(|error| wrong(&self.network.module, vec![error]))?;
        found.ok_or_else(|| {
            let name = self.network.net.layers.get(layer).map_or("", |layer| layer.name.as_str());
            Failure::Usage(Told::new(format!("`{name}` is no layer of units")))
        })
    }

    /// What it is called, with its first metric on the test rows: `gmp, test.rmse 0.496`; its title alone before it has ended.
    #[must_use]
    pub fn title_with_result(&self) -> String {
        let result = self.result();
        let wanted = |name: &str| name.starts_with("test.") && name != "test.loss";
        let metric = result.as_object().and_then(|object| object.iter().find(|(name, _)| wanted(name)));
        match metric.and_then(|(name, value)| Some((name, value.as_f64()?))) {
            Some((name, value)) => format!("{}, {name} {value:.3}", self.title()),
            None => self.title(),
        }
    }

    /// `result.json`; null before the run has ended.
    #[must_use]
    pub fn result(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.folder.file("result.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What a table calls it: its folder's name.
    #[must_use]
    pub fn title(&self) -> String {
        let folder = self.folder.path.file_name().map(|name| name.to_string_lossy().into_owned());
        folder.unwrap_or_else(|| self.folder.path.display().to_string())
    }
}

/// The inputs of a part as numbers, `[rows, width]`; `None` for images that cannot be read.
#[must_use]
pub fn inputs(rows: &Rows, network: &Network) -> Option<Vec<f64>> {
    let mut numbers = Numbers::zeros(network.module.experiment.precision, rows.count() * rows.width());
    rows.begin_plain();
    rows.inputs_into(&Pick::Range(0..rows.count()), Draw::Nothing, &mut numbers.as_mut()).ok()?;
    Some(numbers.as_slice().to_f64())
}

/// The targets of a part as numbers, `[rows, outputs]`.
#[must_use]
pub fn targets(rows: &Rows, network: &Network) -> Vec<f64> {
    let outputs: usize = network.net.target_shape.iter().product();
    let mut numbers = Numbers::zeros(network.module.experiment.precision, rows.count() * outputs);
    rows.targets_into(&Pick::Range(0..rows.count()), &mut numbers.as_mut());
    numbers.as_slice().to_f64()
}
