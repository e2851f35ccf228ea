//! The options of what shows or measures a compiled network.

use super::{DataDirArgs, DeviceArgs, FileArgs, positive};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

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
