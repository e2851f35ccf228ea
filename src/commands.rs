//! The commands, one file for each.

mod analyze;
mod bench;
mod check;
mod compare;
mod completions;
mod convert;
mod data;
mod emit;
mod eval;
mod explain;
mod export;
mod fmt;
mod gradcheck;
mod import;
mod predict;
mod report;
mod reproduce;
mod summary;
mod train;

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::output::Output;

/// Runs a command.
///
/// # Errors
/// The failure of the command.
pub fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    match &args.command {
        Command::Check(args) => check::run(args, output),
        Command::Train(args) => train::run(args, output),
        Command::Eval(args) => eval::run(args, output),
        Command::Predict(args) => predict::run(args, output),
        Command::Compare(args) => compare::run(args, output),
        Command::Analyze(args) => analyze::run(args, output),
        Command::Convert(args) => convert::run(args, output),
        Command::Export(args) => export::run(args, output),
        Command::Import(args) => import::run(args, output),
        Command::Report(args) => report::run(args, output),
        Command::Reproduce(args) => reproduce::run(args, output),
        Command::Emit(args) => emit::run(args, output),
        Command::Summary(args) => summary::run(args, output),
        Command::Gradcheck(args) => gradcheck::run(args, output),
        Command::Data(command) => data::run(command, output),
        Command::Explain { code } => explain::run(code.as_deref(), output),
        Command::Fmt(args) => fmt::run(args, output),
        Command::Completions { shell } => completions::run(*shell),
        Command::Bench(args) => bench::run(args, output),
    }
}
