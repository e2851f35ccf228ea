//! `gmpc data verify [NAME]`: compares files with their declared checksums, and decodes every image.

use super::{find, names};
use crate::args::DataDirArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use gmpc_compiler::ir::experiment::{DataSource, DataSpec};
use gmpc_data::fetch::{Verdict, Verified, verify};
use gmpc_data::images::{Checked, check, files};
use serde_json::json;

/// Verifies one data set, or every data set of the library that is on this machine.
///
/// # Errors
/// A file is damaged, or a named data set is missing.
pub fn run(name: Option<&str>, data: &DataDirArgs, output: &Output) -> Result<(), Failure> {
    let names = match name {
        Some(name) => vec![name.to_string()],
        None => names()?,
    };
    let (mut wrong, mut fetched) = (0, true);
    for known in &names {
        let (spec, directories) = find(known, data)?;
        fetched &= has_address(&spec);
        if let Some(set) = spec.images() {
            // Without a name, sets that are not on this machine are skipped.
            if name.is_some() || files(set, &directories)?.iter().all(|file| file.bytes.is_some()) {
                wrong += report_images(known, &check(&spec, set, &directories), output);
            }
            continue;
        }
        for file in verify(&spec, &directories)? {
            if name.is_none() && file.verdict == Verdict::Missing {
                continue;
            }
            wrong += usize::from(!report(known, &file, output));
        }
    }
    if wrong == 0 {
        return Ok(());
    }
    let message = match wrong {
        1 => "1 of the files is missing or damaged".to_string(),
        _ => format!("{wrong} of the files are missing or damaged"),
    };
    let help = match fetched {
        true => "`gmpc data fetch NAME` downloads them again",
        false => "repair the files that are named above, or remove them",
    };
    Err(Failure::with_help(Kind::Data, message, help))
}

/// True if the files of a set can be downloaded; false for files of the user.
fn has_address(spec: &DataSpec) -> bool {
    match &spec.source {
        DataSource::Images(images) => images.archive.as_ref().is_some_and(|archive| archive.url.is_some()),
        DataSource::Table(table) => table.file.url.is_some(),
        DataSource::Arrays(arrays) => arrays.inputs.url.is_some(),
        DataSource::Formula(_) => true,
    }
}

/// Reports each fault in one line, and the rest in one. Returns the number of faults.
fn report_images(known: &str, checked: &Checked, output: &Output) -> usize {
    for fault in &checked.faults {
        output.line(&json!({
            "event": "verified", "name": known, "path": fault.file, "verdict": fault.reason, "code": fault.code,
            "good": false,
        }));
        output.say(format_args!("{known}: {fault}"));
    }
    let sound = checked.files.saturating_sub(checked.faults.len());
    output.line(&json!({ "event": "verified", "name": known, "sound": sound, "images": checked.images,
        "good": checked.faults.is_empty() }));
    output.say(format_args!("{known}: {} images in {sound} sound files", checked.images));
    checked.faults.len()
}

/// One line a file; is it as it should be?
fn report(name: &str, file: &Verified, output: &Output) -> bool {
    let (word, good) = match &file.verdict {
        Verdict::Good => ("right", true),
        Verdict::Undeclared(_) => ("no checksum declared", true),
        Verdict::Wrong { .. } => ("WRONG checksum", false),
        Verdict::Missing => ("missing", false),
    };
    let path = file.path.display().to_string();
    output.line(&json!({ "event": "verified", "name": name, "path": path, "verdict": word, "good": good }));
    output.say(format_args!("{name}: {path}: {word}"));
    good
}
