//! One file a command.

mod completions;

use crate::args::{Args, Command};
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Runs the command that was asked for.
///
/// # Errors
/// Whatever kept it from doing its work.
pub fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    match &args.command {
        Command::Completions { shell } => completions::run(*shell),
        other => Err(Failure::new(Kind::Usage, format!("{other:?} is not here yet"))),
    }
}
