//! The options of commands that show, convert or measure a compiled network.

use super::{DataDirArgs, DeviceArgs, FileArgs, positive};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// `gmpc convert`
#[derive(Debug, Clone, ClapArgs)]
pub struct ConvertArgs {
    /// The run folder
    pub run: PathBuf,
    /// The parameterization to write; `sp` folds everything into plain weights
    #[arg(long, value_name = "P")]
    pub param: String,
    /// The `.safetensors` file to write, or a run folder for `eval` and `predict`; by default `best.P.safetensors` in
    /// the run folder
    #[arg(long, short, value_name = "FILE|DIR")]
    pub output: Option<PathBuf>,
    /// Also write how rows are scaled, the names of columns and classes, and which run the weights are from, as JSON;
    /// the metadata of the weights contain the same
    #[arg(long, value_name = "FILE.json")]
    pub scaling: Option<PathBuf>,
}

/// `gmpc emit`
#[derive(Debug, Clone, ClapArgs)]
pub struct EmitArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// The stage
    #[arg(long, value_enum)]
    pub stage: StageName,
    /// Rows in a step; by default the file's batch size
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch: Option<usize>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// What the stages of the compiler make, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// The syntax tree
    #[value(alias = "read")]
    Ast,
    /// The syntax tree with overrides applied
    Override,
    /// The file with all names resolved, as a run folder stores it
    #[value(alias = "resolve")]
    Module,
    /// Layers with names and shapes
    #[value(alias = "infer")]
    Net,
    /// The graph that computes the first value of every state
    Initialize,
    /// The tensor operations of the network alone, in the mode of the step
    #[value(alias = "graph")]
    Parameterize,
    /// The graph of the whole training step
    Step,
    /// The step after simplification
    Simplify,
    /// The step with scales and shifts moved into convolutions
    Prepare,
    /// The step with scalars moved into a prologue: the graph that devices run
    Hoist,
    /// Kernels: fused loop nests
    #[value(alias = "fuse")]
    Kernels,
    /// The memory address of every buffer
    Plan,
    /// Cranelift IR (CLIF)
    #[value(alias = "emit")]
    Clif,
    /// Machine code for this CPU
    Asm,
    /// CUDA C++ and the list of launches
    Cuda,
    /// PTX, the intermediate code of NVIDIA's compiler
    Ptx,
}

impl StageName {
    /// The stage of gmpc's pipeline that makes it; `None` if another compiler does.
    pub fn stage(self) -> Option<&'static str> {
        Some(match self {
            StageName::Ast => "read",
            StageName::Override => "override",
            StageName::Module => "resolve",
            StageName::Net => "infer",
            StageName::Initialize => "initialize",
            StageName::Parameterize => "parameterize",
            StageName::Step => "step",
            StageName::Simplify => "simplify",
            StageName::Prepare => "prepare",
            StageName::Hoist => "hoist",
            StageName::Kernels => "fuse",
            StageName::Plan => "plan",
            StageName::Clif => "emit",
            StageName::Cuda => "cuda.emit",
            StageName::Asm | StageName::Ptx => return None,
        })
    }
}

/// `gmpc summary`
#[derive(Debug, Clone, ClapArgs)]
pub struct SummaryArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// Rows in a step; by default the file's batch size
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch: Option<usize>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc bench`
#[derive(Debug, Clone, ClapArgs)]
pub struct BenchArgs {
    /// Print how long each stage of the compiler took
    #[arg(long)]
    pub timings: bool,
    #[command(flatten)]
    pub file: FileArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Rows in a step; by default the file's batch size
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch: Option<usize>,
    /// Time the step alone, and not each kernel after it
    #[arg(long)]
    pub no_kernels: bool,
    /// Keep what was measured in this file, in place of an older measurement of the same network
    #[arg(long, value_name = "BASELINE")]
    pub record: Option<PathBuf>,
    /// Print what changed since the measurement in this file by more than the noise of both
    #[arg(long, value_name = "BASELINE")]
    pub against: Option<PathBuf>,
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
    /// Change nothing; exit with 1 if a file is not in canonical format
    #[arg(long)]
    pub check: bool,
}
