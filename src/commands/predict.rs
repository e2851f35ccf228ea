//! `gmpc predict RUN --input F`: predictions of a finished run for new rows, as CSV or NPY.

use super::train::data_directories;
use crate::args::{DataDirArgs, PredictArgs};
use crate::failure::{Failure, Kind};
use crate::output::{Output, printable, to_stdout};
use crate::project::{device, tell};
use gmpc_runtime::run::output::{check, check_ending};
use gmpc_runtime::task::predict::{Predictions, predict};
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Number of most likely classes that are printed for an image.
const BEST: usize = 5;

/// Predicts and writes the predictions.
///
/// # Errors
/// There is no run folder; an input does not fit the network; a prediction is not finite; a file cannot be read or written.
pub fn run(args: &PredictArgs, output: &Output) -> Result<(), Failure> {
    if let Some(path) = &args.output {
        check_ending(path, &["csv", "npy"])?;
        if !args.keep.is_empty() && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
            let message = "a `.npy` file holds the outputs alone, and no columns of `--keep`";
            return Err(Failure::with_help(Kind::Usage, message, "name a file that ends in `.csv`"));
        }
        check(path, &args.input.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let directories = data_directories(&DataDirArgs { data_dir: None });
    let (predictions, warnings) = predict(&args.run, &args.input, &args.keep, &directories, &device(args.device)?)?;
    tell(warnings, output);
    if let Some(place) = predictions.not_finite() {
        let run = args.run.display();
        let message = format!("the prediction for {place} is not finite: no class and no number follows from it");
        let help = format!(
            "check that input, and `gmpc eval {run}`: weights that predict so everywhere need another training"
        );
        return Err(Failure::with_help(Kind::Diverged, message, help));
    }
    match &args.output {
        Some(path) => {
            predictions.write(path)?;
            let path = path.display().to_string();
            output.line(&json!({ "event": "predicted", "rows": predictions.rows, "output": path }));
            output.note(format_args!("{} predictions in {path}", predictions.rows));
        }
        None if output.json => lines(&predictions, output),
        None if !predictions.files.is_empty() => to_stdout(&printable(&best(&predictions).trim_end())),
        // A program reads names as they are, a terminal obeys what is in them.
        None if std::io::stdout().is_terminal() => to_stdout(&printable(&predictions.to_csv().trim_end())),
        None => to_stdout(&predictions.to_csv().trim_end()),
    }
    Ok(())
}

/// One line for each image: its file, and its most likely classes.
fn best(predictions: &Predictions) -> String {
    let line = |(row, file): (usize, &String)| {
        let best =
            predictions.best(row, BEST).into_iter().map(|(name, share)| format!("{name} {:.1} %", 100.0 * share));
        format!("{file}: {}\n", best.collect::<Vec<_>>().join(", "))
    };
    predictions.files.iter().enumerate().map(line).collect()
}

/// One JSON line for each row.
fn lines(predictions: &Predictions, output: &Output) {
    for (row, values) in predictions.values.chunks(predictions.outputs.max(1)).enumerate() {
        let class = predictions.classes.get(row);
        let mut line = json!({ "event": "prediction", "row": row, "values": values, "class": class });
        if let Some(at) = predictions.lines.get(row) {
            line["line"] = json!(at);
        }
        if let Some(kept) = predictions.kept.get(row).filter(|kept| !kept.is_empty()) {
            line["keep"] = predictions.keep.iter().cloned().zip(kept.iter().map(|cell| json!(cell))).collect();
        }
        if let Some(file) = predictions.files.get(row) {
            line["file"] = json!(file);
            line["best"] = json!(predictions.best(row, BEST));
        }
        output.line(&line);
    }
}
