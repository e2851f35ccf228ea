//! `predict`: a trained network's predictions for rows of a file, or for image files. The training data need not be there any more: how inputs
//! and targets were scaled, and what the classes are called, stands in the run's `run.json`.

use crate::data::{Directories, images, read_inputs, write_npy};
use crate::device::Device;
use crate::evaluate::put_weights;
use crate::failure::{Failure, Told};
use crate::launch::reopened_network;
use crate::request::Warnings;
use crate::rows::Rows;
use crate::run_folder::{About, RunFolder};
use crate::session::{Programs, Session};
use gmpc_compiler::experiment::{DataSource, Images, Precision};
use std::fmt::Write;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a network says about some rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// How many.
    pub rows: usize,
    /// Numbers a row.
    pub outputs: usize,
    /// `[rows, outputs]`, row-major, in the units of the data file; scores before the softmax for classes.
    pub values: Vec<f64>,
    /// Classification: the name of each row's class; empty for regression.
    pub classes: Vec<String>,
    /// Of images: the file of each row.
    pub files: Vec<String>,
    /// What class 0, 1, … are called; empty for regression.
    pub labels: Vec<String>,
}

/// Predicts for every row of a table or an NPY file; for a run on images, for image files and folders of them.
///
/// # Errors
/// No run folder or no checkpoint; a file that cannot be read or has another number of features.
pub fn predict(
    run: &Path,
    inputs: &[PathBuf],
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<(Predictions, Warnings), Failure> {
    let (folder, about) = RunFolder::open(run)?;
    let (network, warnings) = reopened_network(&folder, &about, directories, device)?;
    let Some(spec) = &network.module.experiment.data else {
        return Err(Failure::Usage(Told::new(
            "the run's file names no data, so there is nothing like it to predict for",
        )));
    };
    let (rows, files) = match spec.images() {
        Some(set) => image_rows(inputs, set, &about, network.precision())?,
        None => (table_rows(inputs, &spec.source, &about, network.precision())?, vec![]),
    };
    let mut session = Session::new(Arc::clone(device), Arc::clone(&network) as Arc<dyn Programs>);
    put_weights(&mut session, &folder, &about)?;
    let values = session.predict(&rows)?;
    let rows = rows.count();
    let outputs = values.len() / rows.max(1);
    let labels = about.inputs.labels;
    let classes = name_classes(&values, outputs, &labels);
    Ok((Predictions { rows, outputs, values, classes, files, labels }, warnings))
}

/// Numbers of a table or an array, scaled as the run's were.
fn table_rows(inputs: &[PathBuf], source: &DataSource, about: &About, precision: Precision) -> Result<Rows, Failure> {
    let [input] = inputs else {
        let told = Told::new(format!("{} inputs are named, and a run on a table takes one file", inputs.len()));
        return Err(Failure::Usage(told.help("name one table or one NPY file")));
    };
    let features = about.inputs.features;
    let mut numbers = read_inputs(input, source, features)?;
    if let Some(scale) = &about.inputs.input_scale {
        scale.apply(&mut numbers);
    }
    Ok(Rows::new(precision, numbers.len() / features.max(1), &numbers, &[]))
}

/// Image files, treated as the run's were, and what they are called.
fn image_rows(
    inputs: &[PathBuf],
    set: &Images,
    about: &About,
    precision: Precision,
) -> Result<(Rows, Vec<String>), Failure> {
    let (Ok(shape), Some(scale)) = (<[usize; 3]>::try_from(about.inputs.shape.as_slice()), &about.inputs.input_scale)
    else {
        return Err(Failure::Data(Told::new("the run's `run.json` does not say what its images are")));
    };
    let paths = images::collect(inputs)?;
    let files = paths.iter().map(|path| path.display().to_string()).collect();
    Ok((Rows::of_images(precision, images::rows_of(paths, set, shape, scale)), files))
}

/// The class with the largest score; with one score a row, the second class where it is above 0.
fn name_classes(values: &[f64], outputs: usize, labels: &[String]) -> Vec<String> {
    if labels.is_empty() || outputs == 0 {
        return vec![];
    }
    let class = |scores: &[f64]| match scores {
        [score] => usize::from(*score > 0.0),
        // The first of equal ones.
        _ => (1..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best }),
    };
    let name = |scores| labels.get(class(scores)).cloned().unwrap_or_default();
    values.chunks(outputs).map(name).collect()
}

impl Predictions {
    /// The most likely classes of a row, the best first: name and probability (softmax of the scores; with one score its
    /// sigmoid). Empty for regression.
    #[must_use]
    pub fn best(&self, row: usize, most: usize) -> Vec<(String, f64)> {
        let scores = self.values.chunks(self.outputs.max(1)).nth(row).unwrap_or_default();
        let scores = match scores {
            [score] => vec![0.0, *score],
            scores => scores.to_vec(),
        };
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        let mut ranked: Vec<(String, f64)> =
            self.labels.iter().cloned().zip(scores.iter().map(|score| (score - largest).exp() / total)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(most);
        ranked
    }

    /// A header and a line a row; for classes `class` comes first, then the scores.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        let class = (!self.classes.is_empty()).then(|| "class".to_string());
        let columns: Vec<String> = match (self.outputs, &class) {
            (1, None) => vec!["prediction".into()],
            (n, None) => (0..n).map(|i| format!("prediction{i}")).collect(),
            (n, Some(_)) => (0..n).map(|i| format!("score{i}")).collect(),
        };
        let file = (!self.files.is_empty()).then(|| "file".to_string());
        let header: Vec<String> = file.into_iter().chain(class).chain(columns).collect();
        let _ = writeln!(text, "{}", header.join(","));
        for (row, values) in self.values.chunks(self.outputs.max(1)).enumerate() {
            let class = self.classes.get(row).map(|name| quoted(name));
            let file = self.files.get(row).map(|name| quoted(name));
            let values = values.iter().map(ToString::to_string);
            let _ = writeln!(text, "{}", file.into_iter().chain(class).chain(values).collect::<Vec<_>>().join(","));
        }
        text
    }

    /// Writes `.npy` (`[rows, outputs]`, f64) or, for every other ending, CSV.
    ///
    /// # Errors
    /// [`Failure::Io`].
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let written = if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
            File::create(path).map(BufWriter::new).and_then(|file| write_npy(file, &self.values, self.outputs.max(1)))
        } else {
            std::fs::write(path, self.to_csv())
        };
        written.map_err(|error| Failure::io("write", path, &error))
    }
}

/// A CSV cell.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_a_header_and_a_line_a_row() {
        let mut found = Predictions { rows: 2, outputs: 1, values: vec![1.5, -2.0], ..Predictions::default() };
        insta::assert_snapshot!(found.to_csv(), @r"
        prediction
        1.5
        -2
        ");
        found.classes = vec!["a,b".into(), "say \"c\"".into()];
        insta::assert_snapshot!(found.to_csv(), @r#"
        class,score0
        "a,b",1.5
        "say ""c""",-2
        "#);
    }

    #[test]
    fn the_best_classes_come_with_probabilities() {
        let labels: Vec<String> = ["a", "b", "c"].map(String::from).into();
        let found =
            Predictions { rows: 1, outputs: 3, values: vec![0.0, 2f64.ln(), 0.0], labels, ..Predictions::default() };
        let best = found.best(0, 2);
        assert_eq!((best[0].0.as_str(), best[1].0.as_str()), ("b", "a"));
        assert!((best[0].1 - 0.5).abs() < 1e-12 && (best[1].1 - 0.25).abs() < 1e-12);
    }

    #[test]
    fn the_largest_score_names_the_class() {
        let labels: Vec<String> = ["a", "b", "c"].map(String::from).into();
        assert_eq!(name_classes(&[1.0, 3.0, 2.0, 5.0, 5.0, 0.0], 3, &labels), ["b", "a"]);
        assert_eq!(name_classes(&[-1.0, 0.5], 1, &labels), ["a", "b"]);
        assert!(name_classes(&[1.0], 1, &[]).is_empty());
    }
}
