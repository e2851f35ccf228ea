//! `gmpc reproduce fig1|…|table3`: what the paper ran, with its numbers beside ours, as a page.

mod experiment;
mod figure_1;

use crate::args::{ReproduceArgs, Reproduced};
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw};
use gmpc_runtime::report::beside::{Lead, Table};
use gmpc_runtime::report::figure::Figure;
use gmpc_runtime::report::page::{Contents, page};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Repeats a figure or a table of the paper.
///
/// # Errors
/// A data set is not here; a signal, after finished runs were kept; the disk; whatever an experiment can fail with.
pub fn run(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    match args.what {
        Reproduced::Fig1 => figure_1::run(args, output),
        _ => experiment::run(args, output),
    }
}

/// Where everything goes.
fn folder(args: &ReproduceArgs) -> PathBuf {
    args.output.clone().unwrap_or_else(|| Path::new("reproduced").join(args.what.name()))
}

/// What was run, in words and numbers.
fn tell(lead: &Lead, output: &Output) {
    let tables: Vec<String> = lead.tables.iter().map(text).collect();
    output.say(format_args!("{}\n\n{}", lead.title, tables.join("\n\n")));
    let list = |head: &str, sentences: &[String]| {
        if !sentences.is_empty() {
            output.note(format_args!("\n{head}"));
            sentences.iter().for_each(|sentence| output.note(format_args!("- {sentence}")));
        }
    };
    list("Not as the paper ran it:", &lead.changed);
    list("The paper says:", &lead.claims);
    list("Known disagreements:", &lead.known);
}

fn text(table: &Table) -> String {
    let head: Vec<&str> = table.head.iter().map(String::as_str).collect();
    let row = |row: &gmpc_runtime::report::beside::Row| {
        let name = if row.paper { format!("  {}", row.name) } else { row.name.clone() };
        let fields = row.fields.iter().map(|(text, best)| Field::number(text).best(*best));
        [Field::text(name)].into_iter().chain(fields).collect::<Vec<_>>()
    };
    let rows: Vec<_> = table.rows.iter().map(row).collect();
    format!("{}\n\n{}", table.caption, draw(&head, &rows))
}

/// Writes the page, and the figures beside it as SVG and CSV.
fn write(contents: &Contents<'_>, folder: &Path, output: &Output) -> Result<(), Failure> {
    let figures: &[Figure] = contents.figures;
    let place = folder.join("report.html");
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
    let text = page(contents)?;
    std::fs::write(&place, &text).map_err(|error| Failure::io("write", &place, &error))?;
    for figure in figures {
        let [svg, csv] = figure.write(&folder.join("figures"))?.map(|path| path.display().to_string());
        output.line(
            &json!({ "event": "figure", "name": figure.name, "caption": figure.caption, "svg": svg, "csv": csv }),
        );
    }
    let place = place.display().to_string();
    output.line(&json!({ "event": "report", "output": place, "bytes": text.len(), "figures": figures.len() }));
    output.note(format_args!("\nthe page is {place}"));
    Ok(())
}
