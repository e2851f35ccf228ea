//! `run.json`: what a run is.

use crate::failure::Failure;
use crate::run::seal::{UNSEALED, is_whole, seal};
use gmpc_data::Scale;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of the layout of the run folder.
pub(super) const FORMAT: u32 = 1;

/// The contents of `run.json`: what a run is. Nothing in it changes after the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Version of the layout of the run folder.
    pub format: u32,
    /// Version of gmpc that began the run.
    pub gmpc: String,
    /// The model's name.
    pub model: String,
    /// `gmp + mn`
    pub param: String,
    /// Name of the data set.
    pub data: String,
    /// The run's seed.
    pub seed: u64,
    /// `cpu`
    pub device: String,
    /// `f32`
    pub precision: String,
    /// Number of rows in the training, validation and test part.
    pub rows: [usize; 3],
    /// SHA-256 of these rows.
    pub data_sha256: String,
    /// SHA-256 of `source.gmpnet`.
    pub source_sha256: String,
    /// The file's name as the user typed it.
    pub file: String,
    /// The folder of the file, in which tables that it names may lie. Absolute, because a run can be opened from
    /// anywhere.
    pub beside: Option<PathBuf>,
    /// The same folder relative to the run's: both may have been moved together.
    #[serde(default)]
    pub beside_from_run: Option<PathBuf>,
    /// The data directory of the training, absolute.
    #[serde(default)]
    pub data_directory: Option<PathBuf>,
    /// What a row is and how it was scaled: enough to predict without the training data.
    pub inputs: Inputs,
    /// True if the run ends with the weights of its best epoch (`restore_best`), false if with those of its last.
    pub ends_with_best: bool,
    /// The run that this one began from (`start = run(…)`, `--from RUN`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// True if `convert` wrote the weights: there is no training to resume.
    #[serde(default)]
    pub converted: bool,
    /// SHA-256 of this file in which this field holds zeros. It shows whether the file was edited. Empty in runs of
    /// older versions.
    #[serde(default)]
    pub seal: String,
}

/// The run that another one began from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its folder as the file names it.
    pub folder: String,
    /// Its identity.
    pub identity: String,
    /// Number of epochs that it had done.
    pub epochs: u64,
    /// True if its counters of epochs go on: its epochs are the first ones of this run (`--from RUN`).
    pub continued: bool,
}

/// What a row of a run's data is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Inputs {
    /// Number of input elements of a row.
    pub features: usize,
    /// Shape of a row: `[features]`, or `[channels, height, width]` for images.
    #[serde(default)]
    pub shape: Vec<usize>,
    /// Number of target columns.
    pub outputs: usize,
    /// Number of classes; `None` for regression.
    pub classes: Option<usize>,
    /// Names of class 0, 1, … in the data; empty for regression.
    pub labels: Vec<String>,
    /// Names of the input columns in the order of the network's inputs; empty if the data file has none.
    #[serde(default)]
    pub feature_names: Vec<String>,
    /// Names of the target columns; empty if the data file has none.
    #[serde(default)]
    pub target_names: Vec<String>,
    /// How inputs were scaled, if they were.
    pub input_scale: Option<Scale>,
    /// How targets were scaled, if they were.
    pub target_scale: Option<Scale>,
}

impl About {
    /// An empty description with the present versions of the layout and of gmpc.
    #[must_use]
    pub fn new() -> Self {
        About {
            format: FORMAT,
            gmpc: env!("CARGO_PKG_VERSION").into(),
            model: String::new(),
            param: String::new(),
            data: String::new(),
            seed: 0,
            device: String::new(),
            precision: String::new(),
            rows: [0; 3],
            data_sha256: String::new(),
            source_sha256: String::new(),
            file: String::new(),
            beside: None,
            beside_from_run: None,
            data_directory: None,
            inputs: Inputs::default(),
            ends_with_best: false,
            parent: None,
            converted: false,
            seal: String::new(),
        }
    }

    /// Number of epochs that this run was spared, because the run that it continues had done them.
    #[must_use]
    pub fn epochs_before(&self) -> u64 {
        self.parent.as_ref().filter(|parent| parent.continued).map_or(0, |parent| parent.epochs)
    }

    /// Identifies the weights of a run: a hash of its source, which holds every setting, its rows, its seed and
    /// the run that it began from. Two runs with the same identity have the same weights. 32 hexadecimal digits.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut parts = format!("{}\n{}\n{}", self.source_sha256, self.data_sha256, self.seed);
        if let Some(Parent { identity, epochs, .. }) = &self.parent {
            parts += &format!("\n{identity} after {epochs} epochs");
        }
        gmpc_data::digest::sha256(parts.as_bytes())[..32].to_string()
    }

    /// The text of `run.json` with its checksum.
    pub(super) fn sealed(&self) -> Result<String, Failure> {
        let open = About { seal: UNSEALED.into(), ..self.clone() };
        let text = serde_json::to_string_pretty(&open).map_err(|error| Failure::Bug(error.to_string()))? + "\n";
        Ok(seal(&text))
    }

    /// True if the text was not changed since it was written.
    pub(super) fn is_as_sealed(&self, text: &str) -> bool {
        is_whole(text, &self.seal)
    }

    /// The folder's default name: `levy-gmp-seed0`. The name of the data set is added if it differs from the model's.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let data = Some(&self.data).filter(|data| !data.is_empty() && **data != self.model);
        let parts = [Some(&self.model), data, Some(&self.param)].into_iter().flatten();
        let plain = |c: char| if c.is_alphanumeric() || "._".contains(c) { c } else { '-' };
        let mut name: String = parts.map(|part| part.replace(" + ", "-") + "-").collect();
        name = name.chars().map(plain).collect();
        format!("{name}seed{}", self.seed)
    }
}

impl Default for About {
    fn default() -> Self {
        About::new()
    }
}
