//! What can be typed after `gmpc`. One struct a command; options that several commands share stand once.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Compiles and trains neural networks whose weight parameterization is one annotation.
#[derive(Debug, Parser)]
#[command(name = "gmpc", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// One JSON object a line on standard output; people's text goes to standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only what was asked for: no progress, no notes
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read a file and compile it; report what is wrong. Nothing runs
    Check(CheckArgs),
    /// Train the network; writes a run folder
    Train(TrainArgs),
    /// Loss and metrics of a finished run on its test rows
    Eval(EvalArgs),
    /// Predictions of a finished run for new inputs
    Predict(PredictArgs),
    /// Train every parameterization several times and put them side by side
    Compare(CompareArgs),
    /// Where units switch: how steady over training and under perturbation, in how many linear regions
    Analyze(AnalyzeArgs),
    /// One page about runs, with curves, tables and figures, that opens without a network
    Report(ReportArgs),
    /// Repeat a figure or a table of the paper, its numbers beside ours, as a page
    Reproduce(ReproduceArgs),
    /// Write a trained network in another parameterization
    Convert(ConvertArgs),
    /// Print a stage of the compiler as text
    Emit(EmitArgs),
    /// Layers, shapes, parameters, arithmetic and memory
    Summary(SummaryArgs),
    /// Time training steps
    Bench(BenchArgs),
    /// Compare gradients with finite differences in double precision
    Gradcheck(GradcheckArgs),
    /// Data sets: what there is, where it is, getting it
    #[command(subcommand)]
    Data(DataCommand),
    /// An error code at length, with an example
    Explain {
        /// Such as E0303; without one, all codes
        code: Option<String>,
    },
    /// Lay a file out canonically
    Fmt(FmtArgs),
    /// Completions for a shell, on standard output
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// A file and what to change in it.
#[derive(Debug, Clone, ClapArgs)]
pub struct FileArgs {
    /// The `.gmpnet` file
    pub file: PathBuf,
    /// The parameterization instead of the file's, such as `gmp` or `wn + mbn`
    #[arg(long, value_name = "P")]
    pub param: Option<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

/// Values of a file, replaced without editing it.
#[derive(Debug, Clone, ClapArgs)]
pub struct OverrideArgs {
    /// A value instead of the file's, such as `train.epochs=500`; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The seed of weights, splits, shuffles and dropout instead of the file's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct DeviceArgs {
    /// `cpu`: compiled code; `cuda`: an NVIDIA GPU; `candle`: the slow witness
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,
    /// Threads to use; the processor's cores by default. The numbers do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// A device by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// Machine code for this processor.
    Cpu,
    /// Fused kernels on the first NVIDIA GPU; needs a build with `--features cuda`.
    Cuda,
    /// The reference device: every operation one by one, on candle.
    Candle,
}

/// Where data sets are.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataDirArgs {
    /// The data folder instead of `GMPNET_DATA` or the user's data folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

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

/// `gmpc analyze`
#[derive(Debug, Clone, ClapArgs)]
pub struct AnalyzeArgs {
    /// Run folders, side by side
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Add each of these numbers to every parameter of a unit and measure how its boundary turns (the paper's Figure 1)
    #[arg(long, value_name = "EPS,…", value_delimiter = ',', value_parser = finite)]
    pub perturb: Vec<f64>,
    /// The unit to perturb, such as `hidden.3`; by default the first of the first layer
    #[arg(long, value_name = "LAYER.N", requires = "perturb")]
    pub unit: Option<String>,
    /// Parameterizations the unit is rewritten in to be perturbed, beside its own
    #[arg(long, value_name = "P,…", default_value = "sp,wn,gmp", requires = "perturb")]
    pub param: String,
    /// Count the linear regions of networks with two inputs, over the training rows' range
    #[arg(long)]
    pub regions: bool,
    /// Count and draw the regions at these epochs, too (steps, where steps were recorded)
    #[arg(long, value_name = "N,…", value_delimiter = ',', requires = "regions")]
    pub at: Vec<u64>,
    /// Write figures as SVG, with their numbers as CSV, into this folder
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc report`
#[derive(Debug, Clone, ClapArgs)]
pub struct ReportArgs {
    /// Run folders, and folders of comparisons (`gmpc compare --out`)
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The page to write
    #[arg(long, short, value_name = "FILE.html", default_value = "report.html")]
    pub output: PathBuf,
    /// Write each figure as SVG, with its numbers as CSV, into this folder too
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc reproduce`
#[derive(Debug, Clone, ClapArgs)]
pub struct ReproduceArgs {
    /// Which
    #[arg(value_enum)]
    pub what: Reproduced,
    /// Folder for the page, the figures and finished runs, which are not run again [default: reproduced/WHAT]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Runs of each cell instead of the paper's number; the page says so
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeats: Option<u32>,
    /// Only these parameterizations, separated by commas
    #[arg(long, value_name = "P,…")]
    pub param: Vec<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// A part of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reproduced {
    /// A boundary under perturbation
    Fig1,
    /// The Levy function: how characteristic points move, fit and spectrum
    Fig2,
    /// The Banana data: trajectories and decisions
    Fig3,
    /// VGG-6 on ImageNet32, batches of 1024: top-5 accuracy over training
    Fig4,
    /// Seven UCI sets
    Table1,
    /// VGG-6 on ImageNet32
    Table2,
    /// ResNet-34 on ImageNet
    Table3,
}

impl Reproduced {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Reproduced::Fig1 => "fig1",
            Reproduced::Fig2 => "fig2",
            Reproduced::Fig3 => "fig3",
            Reproduced::Fig4 => "fig4",
            Reproduced::Table1 => "table1",
            Reproduced::Table2 => "table2",
            Reproduced::Table3 => "table3",
        }
    }
}

/// `gmpc convert`
#[derive(Debug, Clone, ClapArgs)]
pub struct ConvertArgs {
    /// The run folder
    pub run: PathBuf,
    /// The parameterization to write it in; `sp` folds everything into plain weights
    #[arg(long, value_name = "P")]
    pub param: String,
    /// The `.safetensors` file to write, or a run folder that `eval` and `predict` accept; by default
    /// `best.P.safetensors` in the run folder
    #[arg(long, short, value_name = "FILE|DIR")]
    pub output: Option<PathBuf>,
}

/// `gmpc emit`
#[derive(Debug, Clone, ClapArgs)]
pub struct EmitArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// Which stage
    #[arg(long, value_enum)]
    pub stage: StageName,
    /// Rows in a step; the file's batch by default
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch: Option<usize>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// A stage of the compiler, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// The syntax tree.
    Ast,
    /// Names found, overrides applied: the file as a run folder keeps it.
    Module,
    /// Layers with names and shapes.
    Net,
    /// The network's tensor operations.
    Graph,
    /// The whole training step, simplified.
    Step,
    /// Fused loop nests.
    Kernels,
    /// Cranelift's intermediate code.
    Clif,
    /// Machine code of this processor.
    Asm,
    /// CUDA C++, and what is launched in turn.
    Cuda,
    /// NVIDIA's intermediate code.
    Ptx,
}

/// `gmpc summary`
#[derive(Debug, Clone, ClapArgs)]
pub struct SummaryArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// Rows in a step; the file's batch by default
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch: Option<usize>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc bench`
#[derive(Debug, Clone, ClapArgs)]
pub struct BenchArgs {
    #[command(flatten)]
    pub file: FileArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Rows in a step; the file's batch by default
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch: Option<usize>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc gradcheck`
#[derive(Debug, Clone, ClapArgs)]
pub struct GradcheckArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// Rows in the checked step
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = positive)]
    pub batch: usize,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc data …`
#[derive(Debug, Clone, Subcommand)]
pub enum DataCommand {
    /// The data sets of the standard library, and whether they are here
    List(DataDirArgs),
    /// One data set: what it is, its files, what is in them
    Info(DataInfoArgs),
    /// Download a data set and check it
    Fetch(DataNameArgs),
    /// Make a table or array of yours a data set of the data folder, and print its declaration
    Import(DataImportArgs),
    /// Look through the files that are here: checksums of tables, every image of a set of images
    Verify {
        /// Such as `uci.yacht`; without one, every data set that is here
        name: Option<String>,
        #[command(flatten)]
        data: DataDirArgs,
    },
}

/// A data set by name.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataNameArgs {
    /// Such as `uci.yacht`; or a `.gmpnet` file, for the data set it uses
    pub name: String,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// A data set to look at.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataInfoArgs {
    /// Such as `uci.yacht`; or a `.gmpnet` file, for the data set it uses
    pub name: String,
    /// Of images: write a contact sheet here, a row of images for each class
    #[arg(long, value_name = "FILE.png")]
    pub preview: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// A file that becomes a data set.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataImportArgs {
    /// A table, an `.npy` matrix or an `.npz` archive
    pub file: PathBuf,
    /// What to call it, such as `coffee`; by default as the file is called
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc fmt`
#[derive(Debug, Clone, ClapArgs)]
pub struct FmtArgs {
    /// The `.gmpnet` files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing; exit with 1 if a file is not laid out canonically
    #[arg(long)]
    pub check: bool,
}

/// A number that is neither infinite nor no number.
fn finite(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err("must be finite".to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// A whole number above 0.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("must be at least 1".to_string()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// Help and version are no failure; anything else is bad usage, told by clap, and as a JSON line where one was asked for.
pub fn refuse(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() && std::env::args().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        crate::output::json::error("usage", first, None, None);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
