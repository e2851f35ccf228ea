//! Writes figures as files: always SVG and CSV; PDF and PNG in the widths of printed columns if this build can draw
//! them.

use super::Output;
use crate::failure::Failure;
use gmpc_draw::{Draw, open};
use gmpc_runtime::failure::Failure as Io;
use gmpc_study::report::figure::{COLUMNS, Figure};
use std::path::{Path, PathBuf};

/// Writes figures into a folder; returns the paths of the SVG and the CSV of each. If PDF and PNG cannot be drawn, one
/// note says so.
///
/// # Errors
/// A file cannot be written.
pub fn write<'a>(
    figures: impl IntoIterator<Item = &'a Figure>,
    folder: &Path,
    output: &Output,
) -> Result<Vec<[PathBuf; 2]>, Failure> {
    let mut figures = figures.into_iter().peekable();
    let drawing = if figures.peek().is_some() { open().map(Some) } else { Ok(None) };
    if let Err([what, help]) = &drawing {
        output.note(format_args!("figures are not written as PDF and PNG: {what}\n  help: {help}"));
    }
    let drawing = drawing.ok().flatten();
    let mut paths = Vec::new();
    for figure in figures {
        paths.push(figure.write(folder)?);
        if let Some(drawing) = &drawing {
            printed(figure, drawing.as_ref(), folder, output)?;
        }
    }
    Ok(paths)
}

/// Writes `NAME-single.pdf`, `NAME-single.png`, and the same for a double column.
fn printed(figure: &Figure, drawing: &dyn Draw, folder: &Path, output: &Output) -> Result<(), Failure> {
    for column in COLUMNS {
        let svg = figure.printed(column);
        for (ending, drawn) in [("pdf", drawing.pdf(&svg)), ("png", drawing.png(&svg))] {
            let path = folder.join(figure.file(column, ending));
            match drawn {
                Ok(bytes) => std::fs::write(&path, bytes).map_err(|error| Io::io("write", &path, &error))?,
                Err(why) => output.warn(format_args!("{} is not written: {why}", path.display())),
            }
        }
    }
    Ok(())
}
