//! What can be typed after `gmpc`. One struct a command; options that several commands share stand here.

mod compiling;
mod data;
mod running;
mod showing;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
pub use compiling::{BenchArgs, ConvertArgs, EmitArgs, FmtArgs, GradcheckArgs, StageName, SummaryArgs};
pub use data::{DataCommand, DataImportArgs, DataInfoArgs, DataNameArgs};
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
