//! `gmpc data info NAME`: what a data set is, its files, what is in them.

use super::find;
use crate::args::DataInfoArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::output::table::{bytes, number, thousands};
use gmpc_runtime::data::images::{Described, preview};
use gmpc_runtime::data::info::{Contents, Info, info};
use serde_json::json;
use std::fmt::Write;

/// Prints it.
///
/// # Errors
/// An unknown name; files that are here and damaged.
pub fn run(args: &DataInfoArgs, output: &Output) -> Result<(), Failure> {
    let (spec, directories) = find(&args.name, &args.data)?;
    let info = info(&spec, &directories)?;
    let line = serde_json::to_value(&info).map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
    output.line(&line);
    output.say(text(&info).trim_end());
    match (&args.preview, spec.images()) {
        (None, _) => Ok(()),
        (Some(path), Some(images)) => {
            let classes = preview(&spec, images, &directories, path)?;
            output.line(&json!({ "event": "preview", "path": path.display().to_string(), "rows": classes }));
            output.note(format_args!("{}: a row for each of {}", path.display(), classes.join(", ")));
            Ok(())
        }
        (Some(_), None) => {
            let message = format!("{} holds no images, so there is nothing to preview", args.name);
            Err(Failure::with_help(Kind::Usage, message, "leave `--preview` out"))
        }
    }
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
    if let Some(normalize) = &info.normalize {
        let _ = writeln!(text, "normalize    {normalize}");
    }
    match (&info.contents, &info.images) {
        (Some(contents), _) => contents_text(&mut text, contents),
        (None, Some(images)) => images_text(&mut text, images),
        (None, None) if info.files.iter().all(|file| file.url.is_none()) => {
            let _ = writeln!(text, "\nnot here yet: put the files where they are named above");
        }
        (None, None) => {
            let _ = writeln!(text, "\nnot here yet: `gmpc data fetch {}`", info.name);
        }
    }
    text
}

fn images_text(text: &mut String, images: &Described) {
    let _ = writeln!(text, "images       {} to train on", thousands(images.train as u64));
    if images.test > 0 {
        let _ = writeln!(text, "             {} to test on", thousands(images.test as u64));
    }
    if let [channels, height, width] = images.shape[..] {
        let _ = writeln!(text, "shape        [{channels}, {height}, {width}]: channels, height, width");
    }
    let each = |values: &[f64]| values.iter().map(|value| format!("{value:.5}")).collect::<Vec<_>>().join(" ");
    if !images.mean.is_empty() {
        let _ = writeln!(text, "mean         {} of pixels / 255, a channel each", each(&images.mean));
        let _ = writeln!(text, "deviation    {}", each(&images.deviation));
    }
    for (class, (name, train, test)) in images.classes.iter().enumerate() {
        let test = if images.test > 0 { format!(", {} to test on", thousands(*test as u64)) } else { String::new() };
        let _ = writeln!(text, "class {class}      {name} ({} to train on{test})", thousands(*train as u64));
    }
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
