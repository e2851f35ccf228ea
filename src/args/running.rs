//! The options of commands that train networks and use trained ones.

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
    /// Print how long each stage of the compiler took
    #[arg(long)]
    pub timings: bool,
}

/// `gmpc train`
#[derive(Debug, Clone, ClapArgs)]
pub struct TrainArgs {
    /// The `.gmpnet` file
    #[arg(required_unless_present = "resume")]
    pub file: Option<PathBuf>,
    /// The parameterization, instead of the file's; such as `gmp` or `wn + mbn`
    #[arg(long, value_name = "P")]
    pub param: Option<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
    /// The run folder to write; by default a new folder below `runs/`
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Replace the run that the folder of `--out` holds
    #[arg(long, requires = "out", conflicts_with = "resume")]
    pub force: bool,
    /// Continue a run that was stopped, with bit-identical results, in its folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["file", "param", "set", "seed"])]
    pub resume: Option<PathBuf>,
    /// Continue a run that has ended, under the settings of FILE and `--set`, as a new run that names it; short for
    /// `--set 'train.start=run("RUN", whole = true)'`
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub from: Option<PathBuf>,
    /// What to record during training: `boundaries`, the boundaries of the first layers' units after every epoch,
    /// `boundaries(epochs = 10)`, `boundaries(steps = 100)` or `boundaries(layers = all)`; short for `--set
    /// train.record=…`
    #[arg(long, value_name = "WHAT", conflicts_with = "resume")]
    pub record: Option<String>,
    /// Seconds between checkpoints: the most work that a killed run can lose; 0 for one after every epoch
    /// [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub save_every: Option<u64>,
    /// Also write an event file for TensorBoard into the run folder; show it with `tensorboard --logdir RUN`
    #[arg(long)]
    pub tensorboard: bool,
    /// Print how long each stage of the compiler took
    #[arg(long, conflicts_with = "resume")]
    pub timings: bool,
}

/// `gmpc eval`
#[derive(Debug, Clone, ClapArgs)]
pub struct EvalArgs {
    /// The run folder
    pub run: PathBuf,
    /// Count the test rows by their true class (a row of the table) and their predicted class (a column)
    #[arg(long)]
    pub confusion: bool,
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
    /// Rows of features: a table with the columns of the run's data set (with or without the target), or an NPY file;
    /// for a run on images: image files, and folders of them
    #[arg(long, short, value_name = "FILE", num_args = 1.., required = true)]
    pub input: Vec<PathBuf>,
    /// Columns of the table to copy to the output, separated by commas
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub keep: Vec<String>,
    /// The file to write: `.csv` or `.npy`; by default CSV on standard output, and for images the five most likely
    /// classes
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
    /// Parameterizations, separated by commas; by default only the file's
    #[arg(long, value_name = "P,…")]
    pub param: Option<String>,
    /// An axis: values for a key of the file, such as `train.optimizer.lr=0.001,0.01`, `…=log(1e-4, 1, 9)` (equal
    /// ratios) or `…=lin(0, 0.5, 6)` (equal steps); may be given several times
    #[arg(long, value_name = "KEY=V,…")]
    pub over: Vec<String>,
    /// Number of random points from axes that are ranges, `log(1e-4, 1)` and `lin(0, 0.5)`, instead of a grid; with a
    /// larger number, the first points stay the same
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub random: Option<u32>,
    /// The seed of `--random`; it is independent of the seeds of the runs
    #[arg(long, value_name = "N", default_value_t = 0, requires = "random")]
    pub search_seed: u64,
    /// An axis whose value is chosen for each parameterization by the mean over its seeds on validation rows; only the
    /// test metric of the chosen value is shown; may be given several times
    #[arg(long, value_name = "KEY")]
    pub choose: Vec<String>,
    /// Successive halving: train each value to be chosen from for a few epochs, continue the best third (for 3) for three
    /// times as many, and so on; the last ones are trained for all epochs, and the schedule is always that of all epochs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000), requires_all = ["choose", "out"])]
    pub halve: Option<u32>,
    /// The parameterization to compare the others with, seed by seed, with 95 % confidence intervals
    #[arg(long, value_name = "P")]
    pub baseline: Option<String>,
    /// Number of runs for each cell; their seeds count up from the file's (or `--seed`)
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeats: u32,
    /// The metric to compare, such as `test.rmse`; by default the file's first metric on the test rows
    #[arg(long, value_name = "M")]
    pub metric: Option<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
    /// Folder that stores finished runs: an interrupted comparison continues from there, and `gmpc report` shows the
    /// curves
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Run only a part of the runs, such as `3/16`, on one of several machines with a common `--out`; `auto` reads the
    /// part from Slurm or from an MPI launcher. The same command without `--shard` collects and prints the results
    #[arg(long, value_name = "I/N", requires = "out")]
    pub shard: Option<String>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Formats of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for a terminal.
    Table,
    /// Markdown.
    Markdown,
    /// One line for each cell, with a header.
    Csv,
    /// A `tabular` environment, with booktabs and siunitx.
    Latex,
    /// One line for each cell, as with `--json`.
    Json,
}
