//! The options of what is made of runs for people to look at.

use super::{DataDirArgs, DeviceArgs, OverrideArgs, finite};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

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
