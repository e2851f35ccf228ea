//! `gmpc data import FILE --name NAME`: makes a data set of a user's file, and prints its declaration.

use crate::args::DataImportArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use gmpc_data::Directories;
use gmpc_data::import::import;
use serde_json::json;

/// Copies the file and prints the declaration to paste into a `.gmpnet` file.
///
/// # Errors
/// The file cannot be read or understood; the name is taken.
pub fn run(args: &DataImportArgs, output: &Output) -> Result<(), Failure> {
    let name = match (&args.name, args.file.file_stem()) {
        (Some(name), _) => name.clone(),
        (None, Some(stem)) => stem.to_string_lossy().into_owned(),
        (None, None) => return Err(Failure::with_help(Kind::Usage, "the file has no name", "give one with `--name`")),
    };
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let imported = import(&args.file, &name, &directories)?;
    let files: Vec<String> = imported.files.iter().map(|path| path.display().to_string()).collect();
    output.line(&json!({ "event": "imported", "name": name, "files": files, "declaration": imported.declaration }));
    output.note(format_args!("copied to {}; paste this into your .gmpnet file:", files.join(", ")));
    output.say(imported.declaration.trim_end());
    Ok(())
}
