//! `gmpc fmt FILE…`: formats files canonically. Comments, blank lines and the meaning stay.

use crate::args::FmtArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::project::{read_text, wrong};
use gmpc_grammar::source::{Source, Sources};
use gmpc_runtime::run::output::write_text;
use std::path::Path;

/// Rewrites every file that is not in canonical format. With `--check`, only names these files.
///
/// # Errors
/// A file cannot be read or written, or has a syntax error; with `--check`, a file would change.
pub fn run(args: &FmtArgs, output: &Output) -> Result<(), Failure> {
    let mut changed = 0;
    for path in &args.files {
        let text = read_text(path)?;
        let canonical = canonical(path, &text)?;
        if canonical == text {
            continue;
        }
        changed += 1;
        if args.check {
            output.say(format_args!("{} is not in canonical format", path.display()));
        } else {
            write_text(path, &canonical)?;
            output.note(format_args!("{} formatted", path.display()));
        }
    }
    if args.check && changed > 0 {
        let message = format!("{changed} of {} files would change", args.files.len());
        return Err(Failure::with_help(Kind::File, message, "run `gmpc fmt` on them"));
    }
    Ok(())
}

/// The canonical text of a file.
fn canonical(path: &Path, text: &str) -> Result<String, Failure> {
    let mut sources = Sources::default();
    let id = sources.add(Source { name: path.display().to_string(), text: text.to_string() });
    let (ast, errors) = gmpc_grammar::read(text, id);
    if errors.is_empty() { Ok(gmpc_grammar::print(&ast)) } else { Err(wrong(errors, sources)) }
}
