//! The facts about a data set for `gmpc data list` and `gmpc data info`.

use super::fetch::files;
use super::standardize::moments;
pub use super::table::ColumnInfo;
use super::{DataError, Dataset, Directories, Note, images, load, table};
use gmpc_compiler::ir::experiment::{DataSource, DataSpec, FileSpec, Images, Normalize, Split, Standardize, Task};
use serde::Serialize;

/// A data set, described from its declaration and its files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// The name, such as `uci.yacht`.
    pub name: String,
    /// The declaration's documentation: a description, then licence and citation.
    pub docs: Vec<String>,
    /// `regression` or `classification`
    pub task: &'static str,
    /// Its files; none for a formula.
    pub files: Vec<FileInfo>,
    /// True if no file is missing, so that a run can start.
    pub present: bool,
    /// Number of input elements, if it is declared.
    pub features: Option<usize>,
    /// Number of classes, if it is declared.
    pub classes: Option<usize>,
    /// Number of rows that are drawn before splitting (`sample`).
    pub sample: Option<usize>,
    /// The split as the language writes it: `random(train = 0.8)`.
    pub split: String,
    /// `none`, `features` or `all`
    pub standardize: &'static str,
    /// For images: how pixels become numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<String>,
    /// The contents of the files; `None` for images, and if the files were not read.
    pub contents: Option<Contents>,
    /// For images: the contents of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<images::Described>,
    /// Notes about the files.
    pub notes: Vec<Note>,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileInfo {
    /// Its path, or the path at which it would be stored.
    pub path: String,
    /// Its size in bytes, if it exists.
    pub bytes: Option<u64>,
    /// Its address, if it can be downloaded.
    pub url: Option<String>,
    /// The declared checksum.
    pub sha256: Option<String>,
}

/// The contents of the files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contents {
    /// Number of all rows; for a formula of training and test rows.
    pub rows: usize,
    /// Number of input columns.
    pub features: usize,
    /// Names of the input columns; empty if the file has none.
    pub feature_names: Vec<String>,
    /// Positions of input columns with only one value; standardized they become 0.
    pub constant_features: Vec<usize>,
    /// For regression: one for each target column.
    pub targets: Vec<TargetInfo>,
    /// For classification: one for each class, in the order of class numbers.
    pub classes: Vec<ClassInfo>,
    /// For a table: every column of the file, in its order.
    pub columns: Vec<ColumnInfo>,
}

/// A target column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetInfo {
    /// Empty if the file has no header.
    pub name: String,
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Mean over all rows.
    pub mean: f64,
    /// Population standard deviation over all rows.
    pub deviation: f64,
}

/// A class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassInfo {
    /// Its name in the file.
    pub label: String,
    /// Number of its rows.
    pub rows: usize,
}

/// The facts that need no file, for `gmpc data list`.
///
/// # Errors
/// `E0752`: a path leaves the data directory.
pub fn outline(spec: &DataSpec, directories: &Directories) -> Result<Info, DataError> {
    let files = match spec.images() {
        Some(images) => image_files(images, directories)?,
        None => files(spec).into_iter().map(|file| file_info(file, directories)).collect::<Result<Vec<_>, _>>()?,
    };
    Ok(Info {
        name: spec.name.clone(),
        docs: spec.docs.iter().map(|line| line.trim().to_string()).collect(),
        task: match spec.task {
            Task::Regression => "regression",
            Task::Classification => "classification",
        },
        present: files.iter().all(|file| file.bytes.is_some()),
        files,
        features: spec.features,
        classes: spec.classes,
        sample: spec.sample,
        split: split_text(&spec.split),
        standardize: match spec.standardize {
            Standardize::None => "none",
            Standardize::Features => "features",
            Standardize::All => "all",
        },
        normalize: spec.images().map(|images| normalize_text(&images.normalize)),
        // Known only when the files are read: `info` fills it in.
        contents: None,
        images: None,
        notes: vec![],
    })
}

/// The files of an image set. Their address is that of the archive.
fn image_files(images: &Images, directories: &Directories) -> Result<Vec<FileInfo>, DataError> {
    let mut url = images.archive.as_ref().and_then(|archive| archive.url.clone());
    let mut sha256 = images.archive.as_ref().and_then(|archive| archive.sha256.clone());
    let files = images::files(images, directories)?.into_iter();
    Ok(files
        .map(|file| {
            let path = file.path.display().to_string();
            FileInfo { path, bytes: file.bytes, url: url.take(), sha256: sha256.take() }
        })
        .collect())
}

fn normalize_text(normalize: &Normalize) -> String {
    match normalize {
        Normalize::Unit => "none".to_string(),
        Normalize::Centre => "centre".to_string(),
        Normalize::Channels => "channels".to_string(),
        Normalize::Stated { mean, deviation } => format!("channels(mean = {mean:?}, deviation = {deviation:?})"),
    }
}

/// All facts, for `gmpc data info`. Reads the files if they exist.
///
/// # Errors
/// The errors of [`load`] if the files exist.
pub fn info(spec: &DataSpec, directories: &Directories) -> Result<Info, DataError> {
    let outline = outline(spec, directories)?;
    if let Some(images) = spec.images() {
        let described = outline.present.then(|| images::describe(spec, images, directories)).transpose()?;
        let notes = outline.present.then(|| images::notes(spec, images, directories)).transpose()?;
        return Ok(Info { images: described, notes: notes.unwrap_or_default(), ..outline });
    }
    let dataset = outline.present.then(|| load(spec, directories)).transpose()?;
    let columns = if dataset.is_some() { columns(spec, directories)? } else { vec![] };
    let contents = dataset.as_ref().map(|dataset| Contents { columns, ..contents(spec, dataset) });
    Ok(Info { contents, notes: dataset.map(|dataset| dataset.notes).unwrap_or_default(), ..outline })
}

/// Every column of a table, even if some cannot be used; empty for other data.
///
/// # Errors
/// The file is missing or not a table.
pub fn columns(spec: &DataSpec, directories: &Directories) -> Result<Vec<ColumnInfo>, DataError> {
    match &spec.source {
        DataSource::Table(table) => table::survey(&directories.find(&table.file, &spec.name)?, table, spec.task),
        DataSource::Arrays(_) | DataSource::Formula(_) | DataSource::Images(_) => Ok(vec![]),
    }
}

fn file_info(file: &FileSpec, directories: &Directories) -> Result<FileInfo, DataError> {
    let places = directories.places(file)?;
    let size =
        |path: &std::path::PathBuf| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
    let found = places.iter().find_map(|path| size(path).map(|bytes| (path, Some(bytes))));
    let (path, bytes) = match (found, places.last()) {
        (Some(found), _) => found,
        (None, Some(last)) => (last, None),
        (None, None) => return Err(DataError::data("E0750", &file.path, "there is no place to look for it")),
    };
    let path = path.display().to_string();
    Ok(FileInfo { path, bytes, url: file.url.clone(), sha256: file.sha256.clone() })
}

fn split_text(split: &Split) -> String {
    match split {
        Split::Random { train } => format!("random(train = {train})"),
        Split::Predefined { train, test, count } => {
            format!("predefined(train = \"{train}\", test = \"{test}\", count = {count})")
        }
        Split::Given => "given".to_string(),
    }
}

fn contents(spec: &DataSpec, dataset: &Dataset) -> Contents {
    let examples = &dataset.examples;
    let own_test =
        if matches!(spec.source, DataSource::Formula(_)) { dataset.test.as_ref().map_or(0, |t| t.rows) } else { 0 };
    let constant = |column: &usize| moments(|| column_of(&examples.inputs, dataset.features, *column)).1 == 0.0;
    let mut classes: Vec<ClassInfo> =
        dataset.labels.iter().map(|label| ClassInfo { label: label.clone(), rows: 0 }).collect();
    let targets = match spec.task {
        Task::Regression => (0..dataset.outputs).map(|column| target_info(dataset, column)).collect(),
        Task::Classification => {
            for class in &examples.targets {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "classes are numbered from 0"
                )]
                // class numbers from 0 to classes - 1
                let number = *class as usize;
                classes[number].rows += 1;
            }
            vec![]
        }
    };
    Contents {
        rows: examples.rows + own_test,
        features: dataset.features,
        feature_names: dataset.feature_names.clone(),
        constant_features: (0..dataset.features).filter(constant).collect(),
        targets,
        classes,
        columns: vec![],
    }
}

fn target_info(dataset: &Dataset, column: usize) -> TargetInfo {
    let values = || column_of(&dataset.examples.targets, dataset.outputs, column);
    let (mean, deviation) = moments(values);
    let name = dataset.target_names.get(column).cloned().unwrap_or_default();
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    TargetInfo { name, low, high, mean, deviation }
}

fn column_of(values: &[f64], width: usize, column: usize) -> impl Iterator<Item = f64> {
    values.iter().skip(column).step_by(width.max(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::ir::experiment::{Column, Separator, Table};
    use gmpc_grammar::source::{SourceId, Span};

    fn spec(task: Task, text: &str) -> (tempfile::TempDir, Directories, DataSpec) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), text).unwrap();
        let directories = Directories { data: folder.path().to_path_buf(), beside: None };
        let file = FileSpec { path: "a.csv".to_string(), url: None, sha256: None };
        let separator = Separator::Character(',');
        let target = vec![Column::Name("y".to_string())];
        let table =
            Table { file, separator, header: None, skip: String::new(), missing: None, target, columns: vec![] };
        let spec = DataSpec {
            name: "a".to_string(),
            docs: vec![" Title.".to_string()],
            source: DataSource::Table(table),
            task,
            features: None,
            classes: None,
            split: Split::Random { train: 0.8 },
            validation: 0.2,
            standardize: Standardize::Features,
            sample: None,
            span: Span { source: SourceId(0), start: 0, end: 0 },
        };
        (folder, directories, spec)
    }

    #[test]
    fn tells_the_range_of_a_target_and_constant_columns() {
        let (_folder, directories, spec) = spec(Task::Regression, "a,b,y\n1,7,2\n2,7,6\n");
        let info = info(&spec, &directories).unwrap();
        assert_eq!((info.docs, info.split.as_str()), (vec!["Title.".to_string()], "random(train = 0.8)"));
        let contents = info.contents.unwrap();
        assert_eq!((contents.rows, contents.features, contents.constant_features), (2, 2, vec![1]));
        let y = TargetInfo { name: "y".to_string(), low: 2.0, high: 6.0, mean: 4.0, deviation: 2.0 };
        assert_eq!(contents.targets, [y]);
    }

    #[test]
    fn tells_of_every_column_even_where_one_cannot_be_used() {
        let text = "a,note,y\n1,x,2\n3,,6\n3,x,4\n-999,z,\n";
        let (_folder, directories, spec) = spec(Task::Regression, text);
        assert!(info(&spec, &directories).is_err(), "a cell of `note` is not a number");
        let found = columns(&spec, &directories).unwrap();
        let kinds: Vec<_> = found.iter().map(|c| (c.name.as_str(), c.role, c.kind, c.missing, c.distinct)).collect();
        let expected = [
            ("a", "feature", "numbers", 0, Some(3)),
            ("note", "feature", "words", 1, Some(2)),
            ("y", "target", "numbers", 1, Some(3)),
        ];
        assert_eq!(kinds, expected);
        assert_eq!((found[0].low, found[0].high, found[0].mean), (Some(-999.0), Some(3.0), Some(-248.0)));
        assert!((found[2].deviation.unwrap() - (8.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!((found[1].frequent.as_deref(), found[1].share), (Some("x"), 0.5));
        assert_eq!((found[2].frequent.as_deref(), found[2].share), (None, 0.0));
    }

    #[test]
    fn counts_the_rows_of_each_class() {
        let (_folder, directories, spec) = spec(Task::Classification, "a,y\n1,no\n2,yes\n3,no\n");
        let classes = info(&spec, &directories).unwrap().contents.unwrap().classes;
        let class = |label: &str, rows| ClassInfo { label: label.to_string(), rows };
        assert_eq!(classes, [class("no", 2), class("yes", 1)]);
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error() {
        let (folder, directories, spec) = spec(Task::Regression, "");
        std::fs::remove_file(folder.path().join("a.csv")).unwrap();
        let info = info(&spec, &directories).unwrap();
        assert!(!info.present && info.contents.is_none());
        assert_eq!(info.files[0].path, folder.path().join("a.csv").display().to_string());
    }
}
