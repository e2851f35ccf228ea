//! Does an exported file compute what `gmpc predict` computes? It is run on some rows, and nothing that differs is handed over.

use super::rows::Trial;
use super::{Form, coded, places, tools};
use crate::failure::Failure;
use crate::program::session::Session;
use gmpc_data::Note;
use gmpc_export::{File, Network, c, object, onnx};

/// A difference up to here is rounding; above, it is told.
const TOLD: f64 = 1e-5;
/// A difference above this is another function: no rounding of single precision makes it.
const REFUSED: f64 = 1e-3;

/// How the file compares with `predict`.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Rows.
    pub rows: usize,
    /// Where they are from: `test rows`.
    pub from: &'static str,
    /// What computed the file: `cc`.
    pub by: String,
    /// The largest difference, as a share of the largest prediction of the same output.
    pub difference: f64,
}

/// Runs the file on some rows. The inner error says why no program could.
///
/// # Errors
/// The run itself cannot be computed, or the file cannot: it is not what it should be.
pub(super) fn check(
    network: &Network,
    form: Form,
    stem: &str,
    files: &[File],
    trial: &Trial,
    session: &mut Session,
) -> Result<Result<Checked, String>, Failure> {
    let ours = session.predict(&trial.rows)?;
    let ran = match form {
        Form::Onnx => own(network, files, trial)?,
        Form::C { beside } => {
            let program = c::program(network, stem, places(beside));
            tools::compiled(&program, file(files, "weights"), trial.count, &c::rows(network, &trial.numbers))?
        }
        Form::Object => {
            let program = object::program(stem, file(files, "h").map_or(&[][..], |(_, header)| header));
            tools::compiled(&program, file(files, "o"), trial.count, &c::rows(network, &trial.numbers))?
        }
        Form::Torch { .. } => tools::torch(network, files, trial)?,
    };
    let (by, mut theirs) = match ran {
        Ok(ran) => ran,
        Err(why) => return Ok(Err(why)),
    };
    // A raw file gives the numbers of the last layer, and `predict` those of the data.
    if let (true, Some(scale)) = (network.is_raw, &network.outputs.scale) {
        for row in theirs.chunks_mut(scale.factor.len().max(1)) {
            row.iter_mut()
                .zip(&scale.factor)
                .zip(&scale.shift)
                .for_each(|((y, factor), shift)| *y = *y * factor + shift);
        }
    }
    if ours.len() != theirs.len() {
        return Err(Failure::Bug(format!(
            "the exported file gives {} numbers, and predict {}",
            theirs.len(),
            ours.len()
        )));
    }
    // Scores have one scale, since only their differences matter. Outputs of a regression have each their own.
    let width = if network.outputs.classes.is_empty() { network.outputs.width } else { 1 };
    let difference = difference(&ours, &theirs, width);
    Ok(Ok(Checked { rows: trial.count, from: trial.from, by, difference }))
}

/// The bytes of the file with this ending.
fn file<'a>(files: &'a [File], ending: &str) -> Option<(&'a str, &'a [u8])> {
    files.iter().find(|file| file.ending == ending).map(|file| (file.ending, file.bytes.as_slice()))
}

/// Computes an ONNX file with the evaluator of this program.
fn own(network: &Network, files: &[File], trial: &Trial) -> Result<Result<(String, Vec<f64>), String>, Failure> {
    let Some(file) = files.first() else { return Ok(Err("there is no file".into())) };
    let wrong = |why: String| Failure::Bug(format!("the exported file cannot be read back: {why}"));
    let mut outputs = onnx::evaluate(&file.bytes, trial.count, &trial.numbers).map_err(wrong)?;
    let name = if network.outputs.classes.is_empty() { onnx::PREDICTION } else { onnx::SCORES };
    let values = outputs.remove(name).ok_or_else(|| wrong(format!("it has no output `{name}`")))?;
    Ok(Ok(("an evaluation of its own".into(), values)))
}

/// The largest difference between columns of two tables, each as a share of the largest number of its column.
fn difference(ours: &[f64], theirs: &[f64], width: usize) -> f64 {
    let width = width.max(1);
    let column = |numbers: &[f64], of: usize| numbers.iter().skip(of).step_by(width).copied().collect::<Vec<f64>>();
    let of = |index: usize| {
        let (ours, theirs) = (column(ours, index), column(theirs, index));
        let largest = ours.iter().filter(|x| x.is_finite()).fold(f64::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
        let one = |(a, b): (&f64, &f64)| match (a - b).abs() / largest {
            _ if a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() => 0.0,
            share if share.is_nan() => f64::INFINITY,
            share => share,
        };
        ours.iter().zip(&theirs).map(one).fold(0.0, f64::max)
    };
    (0..width).map(of).fold(0.0, f64::max)
}

/// What is said about a difference.
///
/// # Errors
/// E0595: the file computes something else.
pub(super) fn judged(checked: &Checked, file: &str) -> Result<Option<Note>, Failure> {
    let Checked { rows, from, by, difference } = checked;
    if *difference > REFUSED {
        let message = format!(
            "{file} is not written: computed by {by} it differs from `gmpc predict` by {difference:.1e} of the largest prediction, on {rows} {from}"
        );
        let told = coded("E0595", file, message).help("please report it, with the run's source.gmpnet");
        return Err(Failure::Usage(told));
    }
    let message = || {
        format!(
            "computed by {by} it differs from `gmpc predict` by {difference:.1e} of the largest prediction, on {rows} {from}"
        )
    };
    let note =
        || Note::new("W0598", file, message()).help("the network makes much of rounding: compare rows of your own");
    Ok((*difference > TOLD).then(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shares_of_their_column() {
        assert_eq!(difference(&[1.0, 1000.0, 2.0, 2000.0], &[1.0, 1000.0, 2.0, 2001.0], 2), 0.0005);
        assert_eq!(difference(&[1.0, f64::NAN], &[1.0, f64::NAN], 1), 0.0);
        assert_eq!(difference(&[1.0, 1.0], &[1.0, f64::NAN], 1), f64::INFINITY);
    }

    #[test]
    fn another_function_is_not_handed_over() {
        let checked = |difference| Checked { rows: 7, from: "test rows", by: "cc".into(), difference };
        assert_eq!(judged(&checked(1e-7), "a.c").unwrap(), None);
        assert_eq!(judged(&checked(1e-4), "a.c").unwrap().unwrap().code, "W0598");
        let Err(failure) = judged(&checked(0.1), "a.c") else { panic!("it differs") };
        assert_eq!((failure.exit_code(), failure.place().unwrap().code), (2, "E0595"));
    }
}
