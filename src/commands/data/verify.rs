//! `gmpc data verify [NAME]`: compares files with their declared checksums, and looks through every file of images.

use super::{find, names};
use crate::args::DataDirArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use gmpc_runtime::data::fetch::{Verdict, Verified, verify};
use gmpc_runtime::data::images::{Checked, check, files};
use serde_json::json;

/// Checks one data set, or every one of the library that is here.
///
/// # Errors
/// A file that is damaged, or is missing and was named.
pub fn run(name: Option<&str>, data: &DataDirArgs, output: &Output) -> Result<(), Failure> {
    let names = match name {
        Some(name) => vec![name.to_string()],
        None => names()?,
    };
    let mut wrong = 0;
    for known in &names {
        let (spec, directories) = find(known, data)?;
        if let Some(set) = spec.images() {
            if name.is_some() || files(set, &directories)?.iter().all(|file| file.bytes.is_some()) {
                wrong += tell_images(known, &check(&spec, set, &directories), output);
            }
            continue;
        }
        for file in verify(&spec, &directories)? {
            if name.is_none() && file.verdict == Verdict::Missing {
                continue;
            }
            wrong += usize::from(!tell(known, &file, output));
        }
    }
    if wrong == 0 {
        return Ok(());
    }
    let message = format!("{wrong} of the files are missing or damaged");
    Err(Failure::with_help(Kind::Data, message, "`gmpc data fetch NAME` gets them again"))
}

/// A line for each fault, and one for the rest; how many faults.
fn tell_images(known: &str, checked: &Checked, output: &Output) -> usize {
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
fn tell(name: &str, file: &Verified, output: &Output) -> bool {
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
