//! `gmpc data list`: the data sets of the standard library, and whether they are on this machine.

use super::{find, names};
use crate::args::DataDirArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw};
use gmpc_data::Directories;
use gmpc_data::info::{Info, outline};
use serde_json::json;

/// Prints one line for each data set.
///
/// # Errors
/// Only internal errors.
pub fn run(data: &DataDirArgs, output: &Output) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for name in names()? {
        let (spec, directories) = find(&name, data)?;
        let mut info = outline(&spec, &directories)?;
        let shape = spec.declared_shape();
        info.features = info.features.or(shape.as_ref().map(|shape| shape.iter().product()));
        output.line(&json!({
            "event": "dataset", "name": info.name, "task": info.task, "present": info.present,
            "features": info.features, "classes": info.classes, "docs": info.docs,
        }));
        rows.push(row(&info));
    }
    output.say(draw(&["data set", "here", "task", "features", "what it is"], &rows));
    let folder = Directories::new(data.data_dir.as_deref(), None).data;
    output.note(format_args!("\ndata folder: {}", folder.display()));
    Ok(())
}

fn row(info: &Info) -> Vec<Field> {
    let here = match (info.present, info.files.is_empty()) {
        (_, true) => "computed",
        (true, false) => "yes",
        (false, false) => "no",
    };
    vec![
        Field::text(&info.name),
        Field::text(here),
        Field::text(info.task),
        Field::number(info.features.map_or(String::new(), |n| n.to_string())),
        Field::text(first_sentence(&info.docs.join(" "))),
    ]
}

/// The text up to the first full stop that ends a sentence.
fn first_sentence(text: &str) -> &str {
    text.split(". ").next().unwrap_or("").trim_end_matches('.')
}
