//! The options of commands that write trained networks for other programs, or read weights of other programs.

use super::{DataDirArgs, FileArgs};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// `gmpc export`
#[derive(Debug, Clone, ClapArgs)]
pub struct ExportArgs {
    /// The run folder
    pub run: PathBuf,
    /// The format: `onnx`, one file for any runtime; `c`, a C99 source and its header without dependencies; `object`,
    /// machine code for this kind of machine and its header; `torch`, a PyTorch module and its safetensors file
    #[arg(long = "as", value_enum, value_name = "FORM")]
    pub form: ExportForm,
    /// The file to write, with or without the format's extension; further files get the same name with another
    /// extension
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Leave out the scaling of inputs and targets; means and deviations are then in the metadata only
    #[arg(long)]
    pub raw: bool,
    /// With `torch`: plain weights instead of parameterizations
    #[arg(long)]
    pub fold: bool,
    /// For `c`: the weights are `inside` the source, or `beside` it in a file that the program reads or maps
    #[arg(long, value_enum, value_name = "PLACE", default_value = "inside")]
    pub weights: WeightsPlace,
    /// Do not compute the exported network on some rows and compare it with `predict`
    #[arg(long)]
    pub no_check: bool,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc import`
#[derive(Debug, Clone, ClapArgs)]
pub struct ImportArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// The state dict, a safetensors file: `NAME.weight` and `NAME.bias` of each layer
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Names in the file and their layers, such as `fc1=hidden,fc2=last`; other layers keep their random initial
    /// weights. Without this option, all names must be equal and everything must fit
    #[arg(long, value_name = "NAME=LAYER,…", value_delimiter = ',')]
    pub names: Vec<String>,
    /// The folder of the new run
    #[arg(long, short, value_name = "RUN")]
    pub output: PathBuf,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// ONNX.
    Onnx,
    /// C99.
    C,
    /// Machine code.
    Object,
    /// PyTorch.
    Torch,
}

/// Where the weights of a C source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightsPlace {
    /// In the source.
    Inside,
    /// In a file of their own.
    Beside,
}
