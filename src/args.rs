//! The command line: one struct for each command. Options that several commands share are here.

mod compiling;
mod data;
mod exporting;
mod running;
mod showing;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
pub use compiling::{BenchArgs, ConvertArgs, EmitArgs, FmtArgs, GradcheckArgs, StageName, SummaryArgs};
pub use data::{DataCommand, DataImportArgs, DataInfoArgs, DataNameArgs};
pub use exporting::{ExportArgs, ExportForm, ImportArgs, WeightsPlace};
pub use running::{CheckArgs, CompareArgs, EvalArgs, Format, PredictArgs, TrainArgs};
pub use showing::{AnalyzeArgs, ReportArgs, ReproduceArgs, Reproduced};
use std::path::PathBuf;
use std::process::ExitCode;

/// Compiles and trains neural networks whose weight parameterization is one annotation.
#[derive(Debug, Parser)]
#[command(name = "gmpc", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Write one JSON object per line to standard output; text for people goes to standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only results, errors and warnings: no progress and no notes
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read and compile a file, and report errors; nothing runs
    Check(CheckArgs),
    /// Train a network and write a run folder
    Train(TrainArgs),
    /// Print loss and metrics of a finished run on all parts of its data
    Eval(EvalArgs),
    /// Predict with a finished run for new inputs
    Predict(PredictArgs),
    /// Train every parameterization several times and compare the results
    Compare(CompareArgs),
    /// Analyze unit boundaries: their drift over training, their response to perturbation, and the linear regions
    Analyze(AnalyzeArgs),
    /// Write one HTML page about runs, with curves, tables and figures; it opens without network access
    Report(ReportArgs),
    /// Repeat a figure or a table of the paper, and write a page with the paper's numbers beside the new ones
    Reproduce(ReproduceArgs),
    /// Write a trained network in another parameterization
    Convert(ConvertArgs),
    /// Write a trained network, with its scaling, for other programs: ONNX, C, machine code, PyTorch
    Export(ExportArgs),
    /// Make a run from weights that another program trained: a state dict in a safetensors file
    Import(ImportArgs),
    /// Print what a stage of the compiler makes, as text
    Emit(EmitArgs),
    /// Print layers, shapes, parameters, operations and memory
    Summary(SummaryArgs),
    /// Measure the time of training steps
    Bench(BenchArgs),
    /// Compare gradients with finite differences in double precision
    Gradcheck(GradcheckArgs),
    /// List, inspect, download, import and verify data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Explain an error code, with an example
    Explain {
        /// A code such as E0303, or a word of the language; without one, lists all codes
        code: Option<String>,
    },
    /// Format files canonically
    Fmt(FmtArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// A file, and values to replace in it.
#[derive(Debug, Clone, ClapArgs)]
pub struct FileArgs {
    /// The `.gmpnet` file
    pub file: PathBuf,
    /// The parameterization, instead of the file's; such as `gmp` or `wn + mbn`
    #[arg(long, value_name = "P")]
    pub param: Option<String>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

/// Replacements for values of a file.
#[derive(Debug, Clone, ClapArgs)]
pub struct OverrideArgs {
    /// Replace a value of the file, such as `train.epochs=500`; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The seed of weights, splits, shuffles and dropout, instead of the file's
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    // so that -1 is reported as a wrong seed and not as an unknown option
    pub seed: Option<u64>,
}

/// Parses a seed.
fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// The device to compute on.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct DeviceArgs {
    /// `cpu`: compiled code; `cuda`: an NVIDIA GPU, in builds with `--features cuda`; `candle`: the slow reference
    /// device, in builds with `--features candle`
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,
    /// Number of threads; by default the number of CPU cores. Results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// A device by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceName {
    /// Machine code for this CPU.
    Cpu,
    /// Fused kernels on the first NVIDIA GPU; needs a build with `--features cuda`.
    Cuda,
    /// The reference device: executes one operation after another with candle; needs a build with `--features candle`.
    Candle,
}

/// The folder of the data sets.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataDirArgs {
    /// The data folder, instead of `GMPNET_DATA` or the user's data folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Parses a finite number.
fn finite(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err("must be finite".to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses a positive integer.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("must be at least 1".to_string()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// Prints what clap reports, and returns the exit code. Help and version texts are no failure. Anything else is a usage
/// error, which is also written as a JSON line if `--json` is among the arguments.
pub fn refuse(error: &clap::Error) -> ExitCode {
    if let Err(error) = error.print() {
        crate::output::lose(error);
    }
    if error.use_stderr() && std::env::args().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        crate::output::json::error(
            "usage",
            "E0817",
            first,
            None,
            Some("`gmpc help` and `gmpc COMMAND --help` list what can be typed"),
        );
    }
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    // A help text that could not be written is a failure. A usage error already is one.
    match crate::output::lost().filter(|_| code == 0) {
        Some(lost) => {
            crate::output::Output::new(false, false).failure(&lost);
            ExitCode::from(lost.exit_code())
        }
        None => ExitCode::from(code),
    }
}
