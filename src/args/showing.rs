//! The options of commands that show runs.

use super::{DataDirArgs, DeviceArgs, OverrideArgs, finite};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// `gmpc analyze`
#[derive(Debug, Clone, ClapArgs)]
pub struct AnalyzeArgs {
    /// Run folders to compare
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Perturb a unit: add each of these numbers to all of its parameters, and measure how its boundary turns (the
    /// paper's Figure 1)
    #[arg(long, value_name = "EPS,…", value_delimiter = ',', value_parser = finite)]
    pub perturb: Vec<f64>,
    /// The unit to perturb, such as `hidden.3`; by default the first unit of the first layer
    #[arg(long, value_name = "LAYER.N", requires = "perturb")]
    pub unit: Option<String>,
    /// Parameterizations in which to perturb the unit, in addition to its own
    #[arg(long, value_name = "P,…", default_value = "sp,wn,gmp", requires = "perturb")]
    pub param: String,
    /// Count the linear regions of networks with two inputs, over the range of the training rows
    #[arg(long)]
    pub regions: bool,
    /// Also count and draw the regions at these epochs (or steps, if steps were recorded)
    #[arg(long, value_name = "N,…", value_delimiter = ',', requires = "regions")]
    pub at: Vec<u64>,
    /// Write figures as SVG, and their numbers as CSV, into this folder
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
    /// Also write each figure into this folder: as SVG, its numbers as CSV, and in the widths of printed columns (3.25 and
    /// 6.75 inches); as PDF and PNG in builds with `--features figures`
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDirArgs,
}

/// `gmpc reproduce`
#[derive(Debug, Clone, ClapArgs)]
pub struct ReproduceArgs {
    /// The figure or table
    #[arg(value_enum)]
    pub what: Reproduced,
    /// Folder for the page, the figures and the runs; finished runs are not repeated [default: reproduced/WHAT]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Number of runs for each cell instead of the paper's; the page mentions it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeats: Option<u32>,
    /// Only these parameterizations, separated by commas
    #[arg(long, value_name = "P,…")]
    pub param: Vec<String>,
    /// Of `rates`: these experiments alone, of levy, banana, uci and cifar10
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<String>,
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
    /// The Levy function: drift of boundaries, fit and spectrum
    Fig2,
    /// The Banana data: trajectories of boundaries and decision regions
    Fig3,
    /// VGG-6 on ImageNet32, batches of 1024: top-5 accuracy over training
    Fig4,
    /// Seven UCI sets
    Table1,
    /// VGG-6 on ImageNet32
    Table2,
    /// ResNet-34 on ImageNet
    Table3,
    /// Its claim that gmp works at larger learning rates, on Levy, Banana, seven UCI sets and CIFAR-10
    Rates,
}

impl Reproduced {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Reproduced::Fig1 => "fig1",
            Reproduced::Fig2 => "fig2",
            Reproduced::Fig3 => "fig3",
            Reproduced::Fig4 => "fig4",
            Reproduced::Table1 => "table1",
            Reproduced::Table2 => "table2",
            Reproduced::Table3 => "table3",
            Reproduced::Rates => "rates",
        }
    }
}
