//! `gmpc data import FILE --name NAME`: makes a data set of a user's file, with a declaration.
//!
//! The file is copied unchanged to the data directory, after every cell was read once. The target is unknown, so the
//! last column is used, and the declaration says so.

use super::inputs::plain;
use super::{DataError, Directories, numpy, table};
use gmpc_compiler::ir::experiment::{Column, Separator, Table, Task};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// A data set that is ready to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its files in the data directory.
    pub files: Vec<PathBuf>,
    /// The declaration to paste into a `.gmpnet` file.
    pub declaration: String,
}

/// Copies a table (`.csv`, `.tsv`, blanks), an `.npy` matrix (the last column is the target) or an `.npz` archive.
///
/// # Errors
/// `E0763`: the name is invalid or taken. Otherwise those of reading the file, and of the disk.
pub fn import(file: &Path, name: &str, directories: &Directories) -> Result<Imported, DataError> {
    check_name(name)?;
    let folder = name.replace('.', "/");
    let ending = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "npy" => matrix(file, name, &folder, directories),
        "npz" => archive(file, name, &folder, directories),
        _ => text(file, name, &folder, &ending, directories),
    }
}

fn check_name(name: &str) -> Result<(), DataError> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let part =
        |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && part.chars().all(letters);
    if name.split('.').all(part) {
        return Ok(());
    }
    let error = DataError::data("E0763", name, "this cannot be the name of a data set");
    Err(error.help("use letters, digits and `_`, with dots between words: `coffee`, `mine.coffee`"))
}

fn text(file: &Path, name: &str, folder: &str, ending: &str, directories: &Directories) -> Result<Imported, DataError> {
    let separator = guess(file)?;
    let table = Table { separator, ..plain(file) };
    let (header, first) = table::head(file, &table)?;
    let last = first.len() - 1; // a row has at least one cell
    let target = header.get(last).map_or(Column::Index(last), |name| Column::Name(name.clone()));
    let words = first[last].parse::<f64>().is_err();
    let task = if words { Task::Classification } else { Task::Regression };
    let table = Table { target: vec![target.clone()], ..table };
    let dataset = table::read(file, &table, task, None)?;
    let ending = if ending.is_empty() { "txt" } else { ending };
    let path = format!("{folder}/data.{ending}");
    let mut source = File::open(file).map_err(|e| DataError::io(file, "open it", &e))?;
    let copied = put(&path, directories, |output| std::io::copy(&mut source, output).map(drop))?;
    let separator = match separator {
        Separator::Whitespace => "whitespace".to_string(),
        Separator::Character(',') => "comma".to_string(),
        Separator::Character('\t') => "tab".to_string(),
        Separator::Character(other) => quoted(&other.to_string()),
    };
    let target = match target {
        Column::Index(index) => index.to_string(),
        Column::Name(name) => quoted(&name),
    };
    let settings = Settings {
        file: format!("table({}, separator = {separator})", quoted(&path)),
        target: Some(target),
        features: dataset.features,
        classes: words.then_some(dataset.labels.len()),
    };
    Ok(Imported { files: vec![copied], declaration: declaration(name, &settings) })
}

/// The separator that is most frequent in the first line of data; blanks if it contains no `,`, `;` or tab.
fn guess(file: &Path) -> Result<Separator, DataError> {
    let input = File::open(file).map_err(|e| DataError::io(file, "open it", &e))?;
    let mut line = Vec::new();
    let mut input = BufReader::new(input).take(1 << 16);
    while line.trim_ascii().is_empty() {
        if input.read_until(b'\n', &mut line).map_err(|e| DataError::io(file, "read it", &e))? == 0 {
            break;
        }
    }
    let count = |c: u8| line.iter().filter(|byte| **byte == c).count();
    let best = [b',', b';', b'\t'].into_iter().rev().max_by_key(|c| count(*c)).filter(|c| count(*c) > 0);
    Ok(best.map_or(Separator::Whitespace, |c| Separator::Character(char::from(c))))
}

fn matrix(file: &Path, name: &str, folder: &str, directories: &Directories) -> Result<Imported, DataError> {
    let array = numpy::open(file, None)?;
    let width = array.width();
    if array.shape.len() != 2 || width < 2 {
        let reason =
            format!("the array has shape {:?}; a matrix with the target in its last column is needed", array.shape);
        let error = DataError::data("E0763", file.display().to_string(), reason);
        return Err(
            error.help("or name two files in your .gmpnet file: `data = npy(inputs = \"x.npy\", targets = \"y.npy\")`")
        );
    }
    let (mut inputs, mut targets) = (Vec::with_capacity(array.data.len()), Vec::with_capacity(array.shape[0]));
    for row in array.data.chunks_exact(width) {
        inputs.extend_from_slice(&row[..width - 1]);
        targets.push(row[width - 1]);
    }
    let (x, y) = (format!("{folder}/x.npy"), format!("{folder}/y.npy"));
    let files = vec![
        put(&x, directories, |output| numpy::write_npy(output, &inputs, width - 1))?,
        put(&y, directories, |output| numpy::write_npy(output, &targets, 1))?,
    ];
    let file = format!("npy(inputs = {}, targets = {})", quoted(&x), quoted(&y));
    let settings = Settings { file, target: None, features: width - 1, classes: None };
    Ok(Imported { files, declaration: declaration(name, &settings) })
}

fn archive(file: &Path, name: &str, folder: &str, directories: &Directories) -> Result<Imported, DataError> {
    let names = numpy::members(file)?;
    let known = [("x", "y"), ("X", "y"), ("inputs", "targets"), ("x_train", "y_train")];
    let has = |name: &str| names.iter().any(|n| n == name);
    // The usual names tell which array is which; with exactly two arrays, their order does.
    let (x, y) = match (known.into_iter().find(|(x, y)| has(x) && has(y)), names.as_slice()) {
        (Some((x, y)), _) => (x, y),
        (None, [x, y]) => (x.as_str(), y.as_str()),
        _ => {
            let reason = format!("which of these are inputs and targets: {}?", names.join(", "));
            let error = DataError::data("E0763", file.display().to_string(), reason);
            return Err(error.help("save them as `x` and `y`: `numpy.savez(\"data.npz\", x = ..., y = ...)`"));
        }
    };
    let (inputs, targets) = (numpy::open(file, Some(x))?, numpy::open(file, Some(y))?);
    if inputs.shape[0] != targets.shape[0] {
        let reason = format!("there are {} targets and {} inputs", targets.shape[0], inputs.shape[0]);
        let error = DataError::data("E0753", file.display().to_string(), reason);
        return Err(error.help("the first axis of both arrays counts the examples"));
    }
    let path = format!("{folder}/data.npz");
    let mut source = File::open(file).map_err(|e| DataError::io(file, "open it", &e))?;
    let copied = put(&path, directories, |output| std::io::copy(&mut source, output).map(drop))?;
    let file = format!("npz({}, inputs = {}, targets = {})", quoted(&path), quoted(x), quoted(y));
    let settings = Settings { file, target: None, features: inputs.width(), classes: None };
    Ok(Imported { files: vec![copied], declaration: declaration(name, &settings) })
}

/// Writes a new file in the data directory atomically. Never overwrites an existing file.
fn put(
    path: &str,
    directories: &Directories,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<PathBuf, DataError> {
    let target = directories.below_data(path)?;
    let folder = target.parent().unwrap_or(&directories.data);
    let fault = |e: &std::io::Error| DataError::io(&target, "write it", e);
    std::fs::create_dir_all(folder).map_err(|e| fault(&e))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| fault(&e))?;
    write(&mut file).map_err(|e| fault(&e))?;
    file.as_file().sync_all().map_err(|e| fault(&e))?;
    file.persist_noclobber(&target).map_err(|e| match e.error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let error =
                DataError::data("E0763", target.display().to_string(), "there is already a data set with this name");
            error.help("choose another name, or remove the file first")
        }
        _ => fault(&e.error),
    })?;
    Ok(target)
}

struct Settings {
    file: String,
    target: Option<String>,
    features: usize,
    classes: Option<usize>,
}

fn declaration(name: &str, settings: &Settings) -> String {
    let mut text = String::from("/// What it is, where it comes from, its licence.\n");
    let task = if settings.classes.is_some() { "classification" } else { "regression" };
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "    {key:<11} = {value}"); // writing to a string cannot fail
    };
    line("file", &settings.file);
    if let Some(target) = &settings.target {
        line("target", &format!("{target}    // the last column; every other one is a feature"));
    }
    line("features", &settings.features.to_string());
    line("task", task);
    if let Some(classes) = settings.classes {
        line("classes", &classes.to_string());
    }
    line("split", "random(train = 0.8)");
    line("standardize", "features");
    let body = text.split_off(text.find('\n').map_or(0, |end| end + 1));
    format!("{text}dataset {name} {{\n{body}}}\n")
}

/// A string literal of the language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
