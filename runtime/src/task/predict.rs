//! `predict`: a trained network's predictions for rows of a file or for image files. It does not need the training
//! data, because the run's `run.json` says how inputs and targets were scaled and how the classes are called.

use crate::failure::{Failure, Message};
use crate::program::session::Programs;
use crate::run::folder::Inputs;
use crate::run::output;
use crate::task::experiment::Warnings;
use crate::task::predictor::Predictor;
use gmpc_compiler::ir::experiment::Images;
use gmpc_data::Rows;
use gmpc_data::{Directories, InputRows, Note, Wanted, images, read_inputs, write_npy};
use gmpc_device::Device;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Predictions for some rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// Number of rows.
    pub rows: usize,
    /// Number of outputs for each row.
    pub outputs: usize,
    /// `[rows, outputs]`, row-major. For regression in the units of the data file; for classes the scores before the
    /// softmax.
    pub values: Vec<f64>,
    /// The name of each row's class; empty for regression.
    pub classes: Vec<String>,
    /// The file of each row; empty unless the rows are images.
    pub files: Vec<String>,
    /// Names of class 0, 1, …; empty for regression.
    pub labels: Vec<String>,
    /// The line of the file on which each row begins; empty unless the file is a table.
    pub lines: Vec<u64>,
    /// Names of the input columns that are copied to the output (`--keep`).
    pub keep: Vec<String>,
    /// The cells of these columns: one list for each row.
    pub kept: Vec<Vec<String>>,
}

/// Predicts for every row of a table or of an NPY file. For a run on images, predicts for image files and for all
/// images in folders.
///
/// # Errors
/// There is no run folder or no checkpoint; a file cannot be read, or its columns do not fit the run.
pub fn predict(
    run: &Path,
    inputs: &[PathBuf],
    keep: &[String],
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<(Predictions, Warnings), Failure> {
    let (mut predictor, mut warnings) = Predictor::open(run, directories, device)?;
    let (rows, files, read) = match predictor.data()?.images() {
        Some(_) if !keep.is_empty() => {
            return Err(Failure::Usage(Message::new("images have no columns to keep").help("leave `--keep` out")));
        }
        Some(set) => {
            // Images have no lines and no cells, so `InputRows` stays empty.
            let (rows, files, notes) = image_rows(inputs, set, &predictor)?;
            warnings.notes.extend(notes);
            (rows, files, InputRows::default())
        }
        None => {
            let (rows, read) = table_rows(inputs, keep, &predictor)?;
            (rows, vec![], read)
        }
    };
    warnings.notes.extend(read.notes);
    let values = predictor.predict(&rows)?;
    let rows = rows.count();
    let outputs = values.len() / rows.max(1);
    let labels = predictor.about.inputs.labels;
    let classes = name_classes(&values, outputs, &labels);
    let (lines, keep, kept) = (read.lines, keep.to_vec(), read.kept);
    Ok((Predictions { rows, outputs, values, classes, files, labels, lines, keep, kept }, warnings))
}

/// Numbers of a table or an array, scaled as the run's were.
fn table_rows(inputs: &[PathBuf], keep: &[String], predictor: &Predictor) -> Result<(Rows, InputRows), Failure> {
    let [input] = inputs else {
        let message = Message::new(format!("{} inputs are named, but a run on a table takes one file", inputs.len()));
        return Err(Failure::Usage(message.help("name one table or one NPY file")));
    };
    let Inputs { features, feature_names, target_names, .. } = &predictor.about.inputs;
    let wanted = Wanted { features: *features, feature_names, target_names, keep };
    let mut read = read_inputs(input, &predictor.data()?.source, &wanted)?;
    let (numbers, file) = (std::mem::take(&mut read.numbers), input.display().to_string());
    let (rows, far) = predictor.table(numbers, read.rows, &read.lines, &file)?;
    read.notes.extend(far);
    Ok((rows, read))
}

/// Image files, prepared like the run's, and their paths.
fn image_rows(
    inputs: &[PathBuf],
    set: &Images,
    predictor: &Predictor,
) -> Result<(Rows, Vec<String>, Vec<Note>), Failure> {
    let (shape, scale) = predictor.image_facts()?;
    let paths = images::collect(inputs)?;
    let files = paths.iter().map(|path| path.display().to_string()).collect();
    let (part, notes) = images::rows_of(paths, set, shape, scale)?;
    Ok((Rows::of_images(predictor.network.precision(), part), files, notes))
}

/// The class with the largest score. A row with one score belongs to the second class if the score is above 0.
#[must_use]
pub fn name_classes(values: &[f64], outputs: usize, labels: &[String]) -> Vec<String> {
    if labels.is_empty() || outputs == 0 {
        return vec![];
    }
    let class = |scores: &[f64]| match scores {
        [score] => usize::from(*score > 0.0),
        // The first of several equal scores wins.
        _ => (1..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best }),
    };
    let name = |scores| labels.get(class(scores)).cloned().unwrap_or_default();
    values.chunks(outputs).map(name).collect()
}

impl Predictions {
    /// Where the first row is whose outputs are not all finite: `line 7`, `a.png`, `row 6`. Its class means nothing.
    #[must_use]
    pub fn not_finite(&self) -> Option<String> {
        let row = self.values.chunks(self.outputs.max(1)).position(|row| !row.iter().all(|value| value.is_finite()))?;
        let line = self.lines.get(row).map(|line| format!("line {line}"));
        Some(line.or_else(|| self.files.get(row).cloned()).unwrap_or_else(|| format!("row {row} (from 0)")))
    }

    /// The `most` most likely classes of a row, the best first: name and probability (softmax of the scores, or sigmoid
    /// of a single score). Empty for regression.
    #[must_use]
    pub fn best(&self, row: usize, most: usize) -> Vec<(String, f64)> {
        let scores = self.values.chunks(self.outputs.max(1)).nth(row).unwrap_or_default();
        let scores = match scores {
            [score] => vec![0.0, *score],
            scores => scores.to_vec(),
        };
        // The largest score is subtracted first, so that the exponential cannot overflow.
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| libm::exp(score - largest)).sum();
        let mut ranked: Vec<(String, f64)> =
            self.labels.iter().cloned().zip(scores.iter().map(|score| libm::exp(score - largest) / total)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(most);
        ranked
    }

    /// A CSV text: a header and one line for each row. The columns are the row's position (`line` of the table or
    /// `file` of the image), the columns of `--keep`, `class` for classes, and then the outputs.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        let class = (!self.classes.is_empty()).then(|| "class".to_string());
        let columns: Vec<String> = match (self.outputs, &class) {
            (1, None) => vec!["prediction".into()],
            (n, None) => (0..n).map(|i| format!("prediction{i}")).collect(),
            // A single score of two classes belongs to neither of them: above 0 it means the second.
            (1, Some(_)) => vec!["logit0".into()],
            (n, Some(_)) => (0..n).map(|i| self.score_name(i)).collect(),
        };
        let file = (!self.files.is_empty()).then(|| "file".to_string());
        let line = (!self.lines.is_empty()).then(|| "line".to_string());
        let keep = self.keep.iter().map(|name| quoted(name));
        let header: Vec<String> = line.into_iter().chain(file).chain(keep).chain(class).chain(columns).collect();
        let _ = writeln!(text, "{}", header.join(","));
        for (row, values) in self.values.chunks(self.outputs.max(1)).enumerate() {
            let class = self.classes.get(row).map(|name| quoted(name));
            let file = self.files.get(row).map(|name| quoted(name));
            let values = values.iter().map(ToString::to_string);
            let line = self.lines.get(row).map(ToString::to_string);
            let kept = self.kept.get(row).into_iter().flatten().map(|cell| quoted(cell));
            let cells = line.into_iter().chain(file).chain(kept).chain(class).chain(values);
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(","));
        }
        text
    }

    /// The name of a class's score column. It contains the class's name, because classes are sorted by their names as
    /// text, in which 10 comes before 2.
    fn score_name(&self, class: usize) -> String {
        self.labels.get(class).map_or_else(|| format!("score{class}"), |name| quoted(&format!("score.{name}")))
    }

    /// Writes NPY (`[rows, outputs]`, f64) if the path ends in `.npy`, else CSV.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let npy = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
        output::write(path, |to| match npy {
            true => write_npy(to, &self.values, self.outputs.max(1)),
            false => std::io::Write::write_all(to, self.to_csv().as_bytes()),
        })
    }
}

/// A cell of a CSV file.
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
        (found.lines, found.keep) = (vec![2, 4], vec!["id".into()]);
        found.kept = vec![vec!["x".into()], vec!["y,z".into()]];
        insta::assert_snapshot!(found.to_csv(), @r#"
        line,id,prediction
        2,x,1.5
        4,"y,z",-2
        "#);
        (found.lines, found.keep, found.kept) = (vec![], vec![], vec![]);
        found.classes = vec!["a,b".into(), "say \"c\"".into()];
        insta::assert_snapshot!(found.to_csv(), @r#"
        class,logit0
        "a,b",1.5
        "say ""c""",-2
        "#);
    }

    #[test]
    fn a_row_that_is_not_finite_is_found() {
        let values = vec![1.5, -2.0, 0.0, f64::NAN, f64::INFINITY, 1.0];
        let mut found = Predictions { rows: 3, outputs: 2, values, ..Predictions::default() };
        assert_eq!(found.not_finite().as_deref(), Some("row 1 (from 0)"));
        found.lines = vec![2, 5, 6];
        assert_eq!(found.not_finite().as_deref(), Some("line 5"));
        found.values[3] = 0.0;
        assert_eq!(found.not_finite().as_deref(), Some("line 6"));
        found.values[4] = 0.0;
        assert_eq!(found.not_finite(), None);
    }

    #[test]
    fn scores_are_called_after_their_classes() {
        let labels: Vec<String> = ["0", "1", "10", "2", "a,b"].map(String::from).into();
        let found = Predictions {
            rows: 1,
            outputs: 5,
            values: vec![0.0, 1.0, 2.0, 3.0, 4.0],
            classes: vec!["a,b".into()],
            labels,
            ..Predictions::default()
        };
        insta::assert_snapshot!(found.to_csv(), @r#"
        class,score.0,score.1,score.10,score.2,"score.a,b"
        "a,b",0,1,2,3,4
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
