//! The `gmpc` program: reads the arguments, calls one library function, prints what it says, exits with its code.

mod args;
mod commands;
mod failure;
mod interrupt;
mod output;
mod panic;
mod project;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    panic::say_it_readably();
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::refuse(&error),
    };
    let output = output::Output::new(args.json, args.quiet);
    let result = commands::run(&args, &output);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
