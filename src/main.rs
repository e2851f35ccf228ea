//! The `gmpc` program: parses the arguments, calls one library function, prints its result, and exits with its code.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod cuda;
mod failure;
mod interrupt;
mod output;
mod panic;
mod project;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    panic::install_message();
    interrupt::install_exit_codes();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::refuse(&error),
    };
    let output = output::Output::new(args.json, args.quiet);
    let result = commands::run(&args, &output);
    if let Err(failure) = &result {
        output.failure(failure);
    }
    // Output that could not be written is reported too, but a command that failed keeps its own exit code.
    let lost = output::lost();
    if let Some(lost) = &lost {
        output.failure(lost);
    }
    result.err().or(lost).map_or(ExitCode::SUCCESS, |failure| ExitCode::from(failure.exit_code()))
}
