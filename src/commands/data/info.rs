//! `gmpc data info NAME`: describes a data set, its files and their contents.

use super::find;
use crate::args::DataInfoArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::output::table::{Field, bytes, draw, number, thousands};
use gmpc_data::images::{Described, preview};
use gmpc_data::info::{ColumnInfo, Contents, FileInfo, Info, columns, info};
use gmpc_data::load;
use gmpc_runtime::run::output::{check, check_ending};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// Prints the description.
///
/// # Errors
/// The name is unknown; a file is damaged.
pub fn run(args: &DataInfoArgs, output: &Output) -> Result<(), Failure> {
    let (spec, directories) = find(&args.name, &args.data)?;
    let info = match info(&spec, &directories) {
        Ok(info) => info,
        Err(error) => {
            // If a column cannot be used, the table of all columns shows why.
            if let Some(columns) = columns(&spec, &directories).ok().filter(|columns| columns.len() > 1) {
                output.line(&json!({ "event": "columns", "columns": columns }));
                output.say(columns_text(&columns).trim_end());
            }
            return Err(error.into());
        }
    };
    let own = |file: &FileInfo| file.bytes.is_none() && file.url.is_none();
    if spec.images().is_none() && info.files.iter().any(own) {
        load(&spec, &directories)?; // not downloadable, so the path is wrong: the error lists the folders that were searched
    }
    let line = serde_json::to_value(&info).map_err(|error| Failure::new(Kind::Bug, error.to_string()))?;
    output.line(&line);
    output.say(text(&info).trim_end());
    output.notes(&info.notes);
    if !info.present && info.files.iter().all(|file| file.url.is_none()) && args.name.ends_with(".gmpnet") {
        // The files of the user are not where the file says: report the error that a run would report.
        match spec.images() {
            Some(images) => drop(gmpc_data::images::load(&spec, images, &directories)?),
            None => drop(gmpc_data::load(&spec, &directories)?),
        }
    }
    match (&args.preview, spec.images()) {
        (None, _) => Ok(()),
        (Some(path), Some(images)) => {
            check_ending(path, &["png"])?;
            let set = gmpc_data::images::load(&spec, images, &directories)?;
            let files: Vec<String> = (0..set.labels.len()).map(|image| set.store.name(image)).collect();
            let inputs = path.exists().then(|| files.iter().map(Path::new)); // a new file cannot be an input
            check(path, &inputs.into_iter().flatten().collect::<Vec<_>>())?;
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

/// The text for people. Writing to a string cannot fail, so results are ignored.
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
        // Without an address nothing can be fetched.
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
    // Known only where no shape is declared: then the user has to choose one.
    if let Some([[height, width], [highest, widest]]) = images.sizes {
        let _ = match [height, width] == [highest, widest] {
            true => writeln!(
                text,
                "sizes        all {height}×{width}: write `shape = [3, {height}, {width}]` to train on them"
            ),
            false => writeln!(
                text,
                "sizes        {height} to {highest} high, {width} to {widest} wide: `transform` gives them one to train on"
            ),
        };
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
        let names = contents.feature_names.iter().map(|name| named(name));
        let _ = writeln!(text, "             {}", names.collect::<Vec<_>>().join(", "));
    }
    if !contents.constant_features.is_empty() {
        let _ = writeln!(text, "constant     columns {:?} hold one value only", contents.constant_features);
    }
    for target in &contents.targets {
        let _ = writeln!(
            text,
            "target       {}{} to {}, mean {}, deviation {}",
            if target.name.is_empty() { String::new() } else { format!("{} ", target.name) },
            number(target.low),
            number(target.high),
            number(target.mean),
            number(target.deviation)
        );
    }
    for (class, info) in contents.classes.iter().enumerate() {
        let _ = writeln!(text, "class {class}      {} ({} rows)", info.label, thousands(info.rows as u64));
    }
    // Last, because it is wide and may be long.
    if !contents.columns.is_empty() {
        let _ = write!(text, "\n{}", columns_text(&contents.columns));
    }
}

/// The table shows at most this number of columns. The JSON line has all of them.
const MOST_COLUMNS: usize = 60;

/// One line for each column of a table, used or not.
fn columns_text(columns: &[ColumnInfo]) -> String {
    let head =
        ["", "column", "is a", "holds", "low", "high", "mean", "deviation", "missing", "different", "most frequent"];
    let value = |value: Option<f64>| Field::number(value.map_or(String::new(), number));
    let row = |(index, column): (usize, &ColumnInfo)| {
        let name = if column.name.is_empty() { "-".to_string() } else { column.name.clone() };
        let frequent = column.frequent.as_ref();
        let frequent = frequent.map(|text| format!("{text} ({:.1} %)", column.share * 100.0)).unwrap_or_default();
        vec![
            // A declaration may name a column by its position, counted from 0.
            Field::number(index.to_string()),
            Field::text(name),
            Field::text(column.role),
            Field::text(column.kind),
            value(column.low),
            value(column.high),
            value(column.mean),
            value(column.deviation),
            Field::number(thousands(column.missing as u64)),
            Field::number(column.distinct.map_or("many".to_string(), |count| thousands(count as u64))),
            Field::text(frequent),
        ]
    };
    let rows: Vec<_> = columns.iter().enumerate().take(MOST_COLUMNS).map(row).collect();
    let mut text = draw(&head, &rows);
    text.push('\n');
    if columns.len() > MOST_COLUMNS {
        let _ = writeln!(text, "and {} more columns, which `--json` shows", columns.len() - MOST_COLUMNS);
    }
    text
}

/// The name of a column, which may be empty.
fn named(name: &str) -> &str {
    if name.is_empty() { "(no name)" } else { name }
}
