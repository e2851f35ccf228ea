//! `gmpc data info NAME`: what a data set is, its files, what is in them.

use super::find;
use crate::args::DataNameArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::output::table::{bytes, number, thousands};
use gmpc_runtime::data::info::{Contents, Info, info};
use std::fmt::Write;

/// Prints it.
///
/// # Errors
/// An unknown name; files that are here and damaged.
pub fn run(args: &DataNameArgs, output: &Output) -> Result<(), Failure> {
    let (spec, directories) = find(&args.name, &args.data)?;
    let info = info(&spec, &directories)?;
    let line = serde_json::to_value(&info).map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
    output.line(&line);
    output.say(text(&info).trim_end());
    Ok(())
}

/// For people. Writing to a string cannot fail, hence the ignored results.
fn text(info: &Info) -> String {
    let mut text = format!("{}\n", info.name);
    for line in &info.docs {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "\ntask         {}", info.task);
    let _ = writeln!(text, "split        {}", info.split);
    let _ = writeln!(text, "standardize  {}", info.standardize);
    if let Some(sample) = info.sample {
        let _ = writeln!(text, "sample       {sample} rows");
    }
    for file in &info.files {
        let size = file.bytes.map_or("not here".to_string(), bytes);
        let _ = writeln!(text, "file         {} ({size})", file.path);
        if let Some(url) = &file.url {
            let _ = writeln!(text, "from         {url}");
        }
        if let Some(sha256) = &file.sha256 {
            let _ = writeln!(text, "sha256       {sha256}");
        }
    }
    match &info.contents {
        Some(contents) => contents_text(&mut text, contents),
        None => {
            let _ = writeln!(text, "\nnot here yet: `gmpc data fetch {}`", info.name);
        }
    }
    text
}

fn contents_text(text: &mut String, contents: &Contents) {
    let _ = writeln!(text, "rows         {}", thousands(contents.rows as u64));
    let _ = writeln!(text, "features     {}", contents.features);
    if !contents.feature_names.is_empty() {
        let _ = writeln!(text, "             {}", contents.feature_names.join(", "));
    }
    if !contents.constant_features.is_empty() {
        let _ = writeln!(text, "constant     columns {:?} hold one value only", contents.constant_features);
    }
    for target in &contents.targets {
        let _ = writeln!(
            text,
            "target       {} {} to {}, mean {}, deviation {}",
            target.name,
            number(target.low),
            number(target.high),
            number(target.mean),
            number(target.deviation)
        );
    }
    for (class, info) in contents.classes.iter().enumerate() {
        let _ = writeln!(text, "class {class}      {} ({} rows)", info.label, thousands(info.rows as u64));
    }
}
