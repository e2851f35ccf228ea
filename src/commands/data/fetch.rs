//! `gmpc data fetch NAME`: downloads a data set, goes on where a download stopped, checks it.

use super::find;
use crate::args::DataNameArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::progress::Progress;
use crate::output::table::bytes;
use gmpc_runtime::data::fetch::fetch;
use serde_json::json;

/// Gets every file that is not here yet.
///
/// # Errors
/// An unknown name; the network, the server, the disk; a wrong checksum.
pub fn run(args: &DataNameArgs, output: &Output) -> Result<(), Failure> {
    let (spec, directories) = find(&args.name, &args.data)?;
    let mut bar: Option<Progress> = None;
    let mut tell = |progress: gmpc_runtime::data::fetch::Progress| {
        let total = progress.total.unwrap_or(progress.bytes);
        let bar = bar.get_or_insert_with(|| Progress::new(output, total, "bytes"));
        bar.at(progress.bytes, || format!("{} of {}", bytes(progress.bytes), bytes(total)));
    };
    let fetched = fetch(&spec, &directories, &mut tell)?;
    drop(bar);
    for file in &fetched {
        output.line(&json!({
            "event": "fetched", "path": file.path.display().to_string(), "bytes": file.bytes, "sha256": file.sha256,
            "already": file.already,
        }));
        let how = if file.already { "was here" } else { "fetched" };
        output.say(format_args!("{} ({}, {how}, checksum right)", file.path.display(), bytes(file.bytes)));
    }
    if fetched.is_empty() {
        output.say(format_args!("{} is computed; there is nothing to fetch", args.name));
    }
    Ok(())
}
