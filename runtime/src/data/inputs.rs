//! Rows to predict for, from a file of the user's.

use super::error::DataError;
use super::{numpy, table};
use gmpc_compiler::experiment::{DataSource, FileSpec, Separator, Table};
use std::path::Path;

/// Reads `[rows, features]` numbers, row-major and unscaled: apply [`super::Scale`] as in training.
///
/// An `.npy` file holds the features alone. A table is read as the training data's was (`source`), with or without the
/// target columns; where that was no table, `.csv` means commas, `.tsv` tabs, anything else blanks.
///
/// # Errors
/// As for a data set: a file that cannot be read, a cell that is no number, another number of features.
pub fn read_inputs(path: &Path, source: &DataSource, features: usize) -> Result<Vec<f64>, DataError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
        let array = numpy::open(path, None)?;
        if array.width() == features {
            return Ok(array.data);
        }
        let reason = format!("the network takes {features} features, the array has shape {:?}", array.shape);
        return Err(DataError::data("E0754", path.display().to_string(), reason)
            .help("save an array of shape [rows, features]"));
    }
    match source {
        DataSource::Table(table) => table::read_inputs(path, table, features),
        _ => table::read_inputs(path, &plain(path), features),
    }
}

/// A table of which nothing is known but its name: every column a feature.
pub(super) fn plain(path: &Path) -> Table {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let separator = match ending.as_deref() {
        Some("csv") => Separator::Character(','),
        Some("tsv") => Separator::Character('\t'),
        _ => Separator::Whitespace,
    };
    let file = FileSpec { path: path.display().to_string(), url: None, sha256: None };
    Table { file, separator, header: None, skip: String::new(), target: vec![], columns: vec![] }
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
        assert_eq!(read_inputs(&npy, &source, 2), Ok(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(read_inputs(&csv, &source, 2), read_inputs(&npy, &source, 2));
        let error = read_inputs(&npy, &source, 3).unwrap_err();
        assert_eq!(error.reason, "the network takes 3 features, the array has shape [2, 2]");
    }
}
