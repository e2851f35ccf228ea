//! `gmpc fmt FILE…`: lays files out canonically; comments and blank lines stay, the meaning too.

use crate::args::FmtArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::project::{read_text, wrong};
use gmpc_grammar::source::{Source, Sources};
use std::path::Path;

/// Rewrites every file that is not canonical, or with `--check` only says which are not.
///
/// # Errors
/// A file that cannot be read or written, a syntax error; with `--check`, a file that would change.
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
            output.say(format_args!("{} is not laid out canonically", path.display()));
        } else {
            write(path, &canonical)?;
            output.note(format_args!("{} laid out anew", path.display()));
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

/// Written aside and renamed, so that the file is never half there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: &std::io::Error| Failure::io("write", path, error);
    let aside = folder.join(format!(".{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
    std::fs::write(&aside, text).map_err(|e| failed(&e))?;
    std::fs::rename(&aside, path).map_err(|e| failed(&e))
}
