//! The options of what trains networks and uses trained ones.

use super::{DataDirArgs, DeviceArgs, FileArgs, OverrideArgs};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// `gmpc check`
#[derive(Debug, Clone, ClapArgs)]
pub struct CheckArgs {
    #[command(flatten)]
    pub file: FileArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc train`
#[derive(Debug, Clone, ClapArgs)]
pub struct TrainArgs {
    /// The `.gmpnet` file
    #[arg(required_unless_present = "resume")]
    pub file: Option<PathBuf>,
    /// The parameterization instead of the file's, such as `gmp` or `wn + mbn`
    #[arg(long, value_name = "P")]
    pub param: Option<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
    /// The run folder to write; by default a new one below `runs/`
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on, bit for bit, in the folder of a run that was stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["file", "param", "set", "seed"])]
    pub resume: Option<PathBuf>,
    /// What to keep of the way there: `boundaries`, where the first layer's units switch after every epoch,
    /// `boundaries(epochs = 10)`, `boundaries(steps = 100)`, `boundaries(layers = all)`; short for `--set train.record=…`
    #[arg(long, value_name = "WHAT", conflicts_with = "resume")]
    pub record: Option<String>,
    /// Seconds between checkpoints, of which a run that is killed loses at most so much; 0 for one after every epoch
    /// [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub save_every: Option<u64>,
    /// Write an event file for TensorBoard into the run folder; see it with `tensorboard --logdir RUN`
    #[arg(long)]
    pub tensorboard: bool,
}

/// `gmpc eval`
#[derive(Debug, Clone, ClapArgs)]
pub struct EvalArgs {
    /// The run folder
    pub run: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc predict`
#[derive(Debug, Clone, ClapArgs)]
pub struct PredictArgs {
    /// The run folder
    pub run: PathBuf,
    /// Rows of features: a table as the run's data set has it (with or without the target), or an NPY file; of a run on
    /// images: image files, and folders of them
    #[arg(long, short, value_name = "FILE", num_args = 1.., required = true)]
    pub input: Vec<PathBuf>,
    /// Where predictions go: `.csv` or `.npy`; without one, CSV on standard output, for images the five best classes
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// `gmpc compare`
#[derive(Debug, Clone, ClapArgs)]
pub struct CompareArgs {
    /// The `.gmpnet` file
    pub file: PathBuf,
    /// Parameterizations, separated by commas; by default the file's alone
    #[arg(long, value_name = "P,…")]
    pub param: Option<String>,
    /// One more axis: values of a key of the file, such as `train.optimizer.lr=0.001,0.01`; may be given several times
    #[arg(long, value_name = "KEY=V,…")]
    pub over: Vec<String>,
    /// Runs of every cell, with seeds from the file's (or `--seed`) upwards
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeats: u32,
    /// The quantity to compare, such as `test.rmse`; by default the file's first metric on the test rows
    #[arg(long, value_name = "M")]
    pub metric: Option<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
    /// Folder that keeps finished cells, so that an interrupted comparison goes on where it stopped and `gmpc report`
    /// shows their curves
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How the table is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One line a cell with a header.
    Csv,
    /// A `tabular` environment.
    Latex,
    /// One line a cell, as with `--json`.
    Json,
}
