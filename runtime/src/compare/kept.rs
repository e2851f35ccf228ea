//! A comparison's folder, as `report` reads it: what was compared, and the epochs of every run.
//!
//! ```text
//! OUT/comparison.json    axes, metric, the file with its options; each cell's runs by the names of their files
//! OUT/KEY.json(l)        the runs: store.rs
//! ```
//!
//! `comparison.json` is of the last comparison that was made in the folder; runs of earlier ones stay beside it.

use super::{Axes, Cell, Comparison, Outcome, Statistics, store};
use crate::checkpoint::{Disk, write_atomically};
use crate::failure::{Failure, Told};
use crate::request::Request;
use gmpc_compiler::module::Module;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file's name.
const FILE: &str = "comparison.json";
/// Version of its layout.
const FORMAT: u32 = 1;

/// A comparison that is looked at after it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Where it is kept.
    pub folder: PathBuf,
    /// Axes and outcomes, with statistics.
    pub comparison: Comparison,
    /// For each cell, for each of its outcomes: the lines of its epochs, empty where they were not kept.
    pub epochs: Vec<Vec<String>>,
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
    cells: Vec<WrittenCell>,
}

#[derive(Serialize, Deserialize)]
struct WrittenCell {
    param: String,
    over: Vec<(String, String)>,
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
        runs: runs.to_vec(),
    };
    let Comparison { metric, higher_is_better, chosen_by, over, params, .. } = comparison.clone();
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
        cells: cells.map(cell).collect(),
    };
    let text = serde_json::to_string_pretty(&written).map_err(|error| Failure::Bug(error.to_string()))?;
    write_atomically(&mut Disk, &folder.join(FILE), (text + "\n").as_bytes(), None)
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
        let damaged = |why: String| Failure::Io(Told::new(format!("{}: {why}", path.display())));
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let written: Written = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if written.format > FORMAT {
            let why = format!("it is of format {}, and this gmpc reads up to {FORMAT}", written.format);
            return Err(damaged(why));
        }
        let (cells, epochs): (Vec<Cell>, Vec<Vec<String>>) =
            written.cells.iter().map(|cell| read_cell(folder, &written, cell)).unzip();
        let repeats = written.repeats as usize;
        let mut comparison = Comparison {
            params: written.params,
            over: written.over,
            metric: written.metric,
            higher_is_better: written.higher_is_better,
            chosen_by: written.chosen_by,
            complete: cells.iter().all(|cell| cell.outcomes.len() == repeats),
            cells,
        };
        let group = comparison.params.len();
        super::mark_best(&mut comparison.cells, group, repeats, comparison.higher_is_better);
        let Written { gmpc, device, file, source, set, model, data, .. } = written;
        Ok(Kept { folder: folder.into(), comparison, epochs, file, source, set, model, data, gmpc, device })
    }

    /// What a table calls it: its folder's name.
    #[must_use]
    pub fn title(&self) -> String {
        let name = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| self.folder.display().to_string())
    }
}

fn read_cell(folder: &Path, written: &Written, cell: &WrittenCell) -> (Cell, Vec<String>) {
    let runs = cell.runs.iter().flatten().filter(|key| key.chars().all(|c| c.is_ascii_alphanumeric()));
    let read = |key: &String| Some((store::load(folder, key)?, store::epochs(folder, key)));
    let (outcomes, epochs): (Vec<Outcome>, Vec<String>) = runs.filter_map(read).unzip();
    let figures = |name: &str| outcomes.iter().filter_map(|outcome| outcome.figure(name)).collect::<Vec<f64>>();
    let (values, choice) = (figures(&written.metric), Statistics::of(&figures(&written.chosen_by)).mean);
    let (param, over, statistics) = (cell.param.clone(), cell.over.clone(), Statistics::of(&values));
    (Cell { param, over, outcomes, values, statistics, choice, best: false }, epochs)
}
