//! Reads rows to predict for from a user's file.

use super::error::DataError;
use super::wanted::{InputRows, Wanted};
use super::{numpy, table};
use gmpc_compiler::ir::experiment::{DataSource, FileSpec, Separator, Table};
use std::path::Path;

/// Reads rows to predict for.
///
/// An `.npy` file contains the features only. A table is read like the training data (`source`), with or without the
/// target columns. If the training data were not a table, `.csv` means commas, `.tsv` tabs, and any other extension
/// blanks.
///
/// # Errors
/// The errors of a data set: the file cannot be read, a cell is not a number, or the columns differ from those of the
/// training.
pub fn read_inputs(path: &Path, source: &DataSource, wanted: &Wanted<'_>) -> Result<InputRows, DataError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
        if let Some(name) = wanted.keep.first() {
            let error =
                DataError::data("E0754", path.display().to_string(), format!("an array has no column `{name}`"));
            return Err(error.help("leave `--keep` out, or give a table"));
        }
        let array = numpy::open(path, None)?;
        if array.width() == wanted.features {
            let rows = array.data.len() / wanted.features.max(1);
            return Ok(InputRows { numbers: array.data, rows, ..InputRows::default() });
        }
        let reason = format!("the network takes {} features, the array has shape {:?}", wanted.features, array.shape);
        return Err(DataError::data("E0754", path.display().to_string(), reason)
            .help("save an array of shape [rows, features]"));
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
        let error = DataError::data("E0753", path.display().to_string(), "an archive may hold several arrays");
        return Err(error.help("save the features alone: `numpy.save(\"x.npy\", x)`"));
    }
    // A run on arrays has no declaration of a table, so the extension decides the separator.
    match source {
        DataSource::Table(table) => table::read_inputs(path, table, wanted),
        _ => table::read_inputs(path, &plain(path), wanted),
    }
}

/// A table about which nothing but its name is known: every column is a feature.
pub(super) fn plain(path: &Path) -> Table {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let separator = match ending.as_deref() {
        Some("csv") => Separator::Character(','),
        Some("tsv") => Separator::Character('\t'),
        _ => Separator::Whitespace,
    };
    let file = FileSpec { path: path.display().to_string(), url: None, sha256: None };
    Table { file, separator, header: None, skip: String::new(), missing: None, target: vec![], columns: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_and_a_table_give_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let (npy, csv) = (folder.path().join("x.npy"), folder.path().join("x.csv"));
        super::super::write_npy(std::fs::File::create(&npy).unwrap(), &[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        std::fs::write(&csv, "a,b\n1,2\n3,4\n").unwrap();
        let source = DataSource::Table(plain(&csv));
        let two = Wanted { features: 2, ..Wanted::default() };
        assert_eq!(read_inputs(&npy, &source, &two).unwrap().numbers, vec![1.0, 2.0, 3.0, 4.0]);
        let rows = read_inputs(&csv, &source, &two).unwrap();
        assert_eq!((rows.numbers, rows.lines), (vec![1.0, 2.0, 3.0, 4.0], vec![2, 3]));
        let error = read_inputs(&npy, &source, &Wanted { features: 3, ..two }).unwrap_err();
        assert_eq!(error.reason, "the network takes 3 features, the array has shape [2, 2]");
    }
}
