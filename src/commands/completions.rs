//! `gmpc completions SHELL`: prints a script that completes commands and options.

use crate::args::Args;
use crate::failure::Failure;
use clap::CommandFactory;

/// Prints the script.
///
/// # Errors
/// None.
pub fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "gmpc", &mut script);
    crate::output::to_stdout(&String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
