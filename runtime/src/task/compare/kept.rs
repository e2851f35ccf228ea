//! A comparison's folder, as `report` reads it: what was compared, and the epochs of every run.
//!
//! ```text
//! OUT/comparison.json    axes, metric, the file with its options; each cell's runs by the names of their files
//! OUT/KEY.json(l)        the runs, KEYatN.json(l) those that were stopped after N epochs: store.rs
//! ```
//!
//! `comparison.json` is of the last comparison that was made in the folder; runs of earlier ones stay beside it.

use super::claim::Claim;
use super::{Axes, Cell, Comparison, Halving, Outcome, Splits, Statistics, store};
use crate::failure::{Failure, Message};
use crate::run::checkpoint::{Disk, write_atomically};
use crate::run::seal::{UNSEALED, is_whole, seal};
use crate::task::experiment::Request;
use gmpc_compiler::ir::module::Module;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file's name.
const FILE: &str = "comparison.json";
/// Version of its layout.
const FORMAT: u32 = 1;

/// A comparison that is looked at after it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Where it is kept.
    pub folder: PathBuf,
    /// What it is called where its folder's name is not enough.
    pub name: Option<String>,
    /// Axes and outcomes, with statistics.
    pub comparison: Comparison,
    /// For each cell, for each of its outcomes: the lines of its epochs, empty where they were not kept.
    pub epochs: Vec<Vec<String>>,
    /// Files of runs that are missing, damaged or edited: these runs are left out.
    pub unread: Vec<String>,
    /// The file as it was given.
    pub file: String,
    /// The file's text, without overrides.
    pub source: String,
    /// What `--set` changed in it.
    pub set: Vec<(String, String)>,
    /// The model's name.
    pub model: String,
    /// Name of the data set, where it is no axis.
    pub data: String,
    /// The version of gmpc that made it.
    pub gmpc: String,
    /// `cpu`
    pub device: String,
}

/// What is written.
#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    gmpc: String,
    device: String,
    file: String,
    source: String,
    set: Vec<(String, String)>,
    model: String,
    data: String,
    metric: String,
    higher_is_better: bool,
    chosen_by: String,
    repeats: u32,
    over: Vec<(String, Vec<String>)>,
    params: Vec<String>,
    /// Not written by gmpc 0.1.0 of 2026-11.
    #[serde(default)]
    choose: Vec<String>,
    #[serde(default)]
    baseline: Option<String>,
    #[serde(default)]
    halving: Option<Halving>,
    cells: Vec<WrittenCell>,
    /// See `run::seal`; empty in files from before it was kept.
    #[serde(default)]
    seal: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenCell {
    param: String,
    over: Vec<(String, String)>,
    #[serde(default)]
    splits: Splits,
    #[serde(default)]
    stopped: Option<u64>,
    /// A run each, in the order of the seeds; null where it has not ended.
    runs: Vec<Option<String>>,
}

/// Writes down what was compared.
///
/// # Errors
/// The disk.
pub(super) fn write(
    folder: &Path,
    request: &Request,
    module: &Module,
    axes: &Axes,
    comparison: &Comparison,
    keys: &[Option<String>],
) -> Result<(), Failure> {
    let runs = keys.chunks(axes.repeats.max(1) as usize);
    let cells = comparison.cells.iter().zip(runs);
    let cell = |(cell, runs): (&Cell, &[Option<String>])| WrittenCell {
        param: cell.param.clone(),
        over: cell.over.clone(),
        splits: cell.splits,
        stopped: cell.stopped,
        runs: runs.to_vec(),
    };
    let Comparison { metric, higher_is_better, chosen_by, over, params, choose, baseline, halving, .. } =
        comparison.clone();
    let written = Written {
        format: FORMAT,
        gmpc: env!("CARGO_PKG_VERSION").into(),
        device: request.device.name().into(),
        file: request.file.name.clone(),
        source: request.file.text.clone(),
        set: request.overrides.set.clone(),
        model: module.experiment.model.clone(),
        data: module.experiment.data.as_ref().map(|data| data.name.clone()).unwrap_or_default(),
        metric,
        higher_is_better,
        chosen_by,
        repeats: axes.repeats,
        over,
        params,
        choose,
        baseline,
        halving,
        cells: cells.map(cell).collect(),
        seal: UNSEALED.into(),
    };
    let text = serde_json::to_string_pretty(&written).map_err(|error| Failure::Bug(error.to_string()))?;
    // Several processes may end at once, and the file has one temporary name. That of a process that is killed is free again.
    let _claim = loop {
        match Claim::of(folder, "comparison")? {
            Some(claim) => break claim,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    write_atomically(&mut Disk, &folder.join(FILE), seal(&(text + "\n")).as_bytes(), None)
}

impl Kept {
    /// Is there a comparison in this folder?
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// Reads a comparison back. Runs that have not ended are left out.
    ///
    /// # Errors
    /// There is none, or it is damaged or of a later version.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let damaged = |why: String| {
            let told = Message::new(format!("{}: {why}", path.display())).at("E0803", &path);
            Failure::Io(told.help("the same `gmpc compare` writes it anew; runs that are kept are not run again"))
        };
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let written: Written = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        // Before the seal: a later format is no damage, and the message has to say so.
        if written.format > FORMAT {
            let why = format!("it is of format {}, and this gmpc reads up to {FORMAT}", written.format);
            return Err(damaged(why));
        }
        if !is_whole(&text, &written.seal) {
            return Err(damaged("it is not what gmpc wrote: it was edited or damaged".into()));
        }
        let mut unread = vec![];
        let (cells, epochs): (Vec<Cell>, Vec<Vec<String>>) =
            written.cells.iter().map(|cell| read_cell(folder, &written, cell, &mut unread)).unzip();
        let repeats = written.repeats as usize;
        let mut comparison = Comparison {
            params: written.params,
            over: written.over,
            metric: written.metric,
            higher_is_better: written.higher_is_better,
            chosen_by: written.chosen_by,
            choose: written.choose,
            baseline: written.baseline,
            halving: written.halving,
            complete: cells.iter().all(|cell| cell.outcomes.len() == repeats),
            cells,
        };
        let group = comparison.params.len();
        // Not read but found again, because it depends on which runs could be read.
        super::mark_best(&mut comparison.cells, group, repeats, comparison.higher_is_better);
        let Written { gmpc, device, file, source, set, model, data, .. } = written;
        Ok(Kept {
            folder: folder.into(),
            name: None,
            comparison,
            epochs,
            unread,
            file,
            source,
            set,
            model,
            data,
            gmpc,
            device,
        })
    }

    /// What a table calls it: its folder's name, with those above it where several have that one.
    #[must_use]
    pub fn title(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let name = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| self.folder.display().to_string())
    }
}

fn read_cell(folder: &Path, written: &Written, cell: &WrittenCell, unread: &mut Vec<String>) -> (Cell, Vec<String>) {
    let runs = cell.runs.iter().flatten().filter(|key| key.chars().all(|c| c.is_ascii_alphanumeric()));
    let read = |key: &String| {
        let outcome = store::load(folder, key);
        if outcome.is_none() {
            unread.push(folder.join(format!("{key}.json")).display().to_string());
        }
        Some((outcome?, store::epochs(folder, key)))
    };
    let (outcomes, epochs): (Vec<Outcome>, Vec<String>) = runs.filter_map(read).unzip();
    let figures = |name: &str| outcomes.iter().filter_map(|outcome| outcome.figure(name)).collect::<Vec<f64>>();
    let (values, choice) = (figures(&written.metric), Statistics::of(&figures(&written.chosen_by)).mean);
    let (param, over, statistics) = (cell.param.clone(), cell.over.clone(), Statistics::of(&values));
    let (splits, stopped) = (cell.splits, cell.stopped);
    (Cell { param, over, splits, stopped, outcomes, values, statistics, choice, best: false }, epochs)
}
