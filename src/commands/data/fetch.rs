//! `gmpc data fetch NAME`: downloads a data set, continues an interrupted download, and verifies checksums.

use super::find;
use crate::args::DataNameArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::progress::Progress;
use crate::output::table::bytes;
use gmpc_data::fetch::fetch;
use serde_json::json;

/// Downloads every file that is missing.
///
/// # Errors
/// The name is unknown; the network, the server or the disk fails; a checksum is wrong.
pub fn run(args: &DataNameArgs, output: &Output) -> Result<(), Failure> {
    let (spec, directories) = find(&args.name, &args.data)?;
    let mut bar: Option<Progress> = None;
    let mut on_progress = |progress: gmpc_data::fetch::Progress| {
        let total = progress.total.unwrap_or(progress.bytes);
        let bar = bar.get_or_insert_with(|| Progress::new(output, total, "bytes"));
        bar.at(progress.bytes, || format!("{} of {}", bytes(progress.bytes), bytes(total)));
    };
    let fetched = fetch(&spec, &directories, &mut on_progress)?;
    drop(bar);
    for file in &fetched {
        output.line(&json!({
            "event": "fetched", "path": file.path.display().to_string(), "bytes": file.bytes, "sha256": file.sha256,
            "already": file.already,
        }));
        let how = if file.already { "already here" } else { "fetched" };
        output.say(format_args!("{} ({}, {how}, checksum correct)", file.path.display(), bytes(file.bytes)));
    }
    if fetched.is_empty() {
        output.say(format_args!("{} is computed; there is nothing to fetch", args.name));
    }
    Ok(())
}
