//! `gmpc reproduce fig1|…|table3|rates`: repeats an experiment of the paper or tests a claim, and writes a page with the
//! paper's numbers beside the new ones.

mod experiment;
mod figure_1;
mod rates;

use crate::args::{ReproduceArgs, Reproduced};
use crate::failure::{Failure, Kind};
use crate::output::table::{Field, draw};
use crate::output::{Output, figures};
use gmpc_runtime::run::output::write_text;
use gmpc_study::report::beside::{Lead, Table};
use gmpc_study::report::figure::Figure;
use gmpc_study::report::page::{Contents, page};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Repeats a figure or a table of the paper.
///
/// # Errors
/// A data set is missing; a signal stopped it after finished runs were stored; a file cannot be written; an experiment
/// fails.
pub fn run(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    if !args.only.is_empty() && args.what != Reproduced::Rates {
        let what = format!("`--only` chooses among the experiments of `rates`; `{}` is one", args.what.name());
        return Err(Failure::with_help(Kind::Usage, what, "leave it out"));
    }
    match args.what {
        Reproduced::Fig1 => figure_1::run(args, output),
        Reproduced::Rates => rates::run(args, output),
        _ => experiment::run(args, output),
    }
}

/// The folder for all files.
fn folder(args: &ReproduceArgs) -> PathBuf {
    args.output.clone().unwrap_or_else(|| Path::new("reproduced").join(args.what.name()))
}

/// Prints the tables and sentences about what was run.
fn print(lead: &Lead, output: &Output) {
    let tables: Vec<String> = lead.tables.iter().map(text).collect();
    output.say(format_args!("{}\n\n{}", lead.title, tables.join("\n\n")));
    let list = |head: &str, sentences: &[String]| {
        if !sentences.is_empty() {
            output.note(format_args!("\n{head}"));
            sentences.iter().for_each(|sentence| output.note(format_args!("- {sentence}")));
        }
    };
    if lead.found.is_empty() {
        list("Not as the paper ran it:", &lead.changed);
        list("The paper says:", &lead.claims);
        list("Known disagreements:", &lead.known);
        return;
    }
    list("Left out or changed:", &lead.changed);
    list("The claim:", &lead.claims);
    list("What holds and what does not:", &lead.found);
    list("What this cannot tell:", &lead.known);
}

fn text(table: &Table) -> String {
    let head: Vec<&str> = table.head.iter().map(String::as_str).collect();
    let row = |row: &gmpc_study::report::beside::Row| {
        let name = if row.paper { format!("  {}", row.name) } else { row.name.clone() };
        let fields = row.fields.iter().map(|(text, best)| Field::number(text).best(*best));
        [Field::text(name)].into_iter().chain(fields).collect::<Vec<_>>()
    };
    let rows: Vec<_> = table.rows.iter().map(row).collect();
    format!("{}\n\n{}", table.caption, draw(&head, &rows))
}

/// Writes the page, and its figures as SVG and CSV.
fn write(contents: &Contents<'_>, folder: &Path, output: &Output) -> Result<(), Failure> {
    // Of the comparison the page shows only the curves, because the paper's own table shows the rest.
    let curves = contents.comparisons.iter().flat_map(|shown| &shown.curves);
    let figures: Vec<&Figure> = contents.figures.iter().chain(curves).collect();
    let path = folder.join("report.html");
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
    let text = page(contents)?;
    write_text(&path, &text)?;
    let paths = figures::write(figures.iter().copied(), &folder.join("figures"), output)?;
    for (figure, paths) in figures.iter().zip(paths) {
        let [svg, csv] = paths.map(|path| path.display().to_string());
        output.line(
            &json!({ "event": "figure", "name": figure.name, "caption": figure.caption, "svg": svg, "csv": csv }),
        );
    }
    let path = path.display().to_string();
    output.line(&json!({ "event": "report", "output": path, "bytes": text.len(), "figures": figures.len() }));
    output.note(format_args!("\nthe page is {path}"));
    Ok(())
}
