//! `eval`: loss and metrics of an existing run with its final weights.

use crate::event::Figure;
use crate::failure::{Failure, Message};
use crate::program::session::Session;
use crate::run::checkpoint::again;
use crate::run::folder::{About, RunFolder};
use crate::task::experiment::Warnings;
use crate::task::reopen::reopen;
use gmpc_compiler::ir::graph::Role;
use gmpc_data::Directories;
use gmpc_device::Device;
use std::path::Path;
use std::sync::Arc;

/// What [`evaluate`] found.
pub struct Evaluated {
    /// Metrics on every part of the data with their full names: `train.loss`, …, `valid.rmse`, …, `test.rmse`.
    pub figures: Vec<Figure>,
    /// The first loss, such as `test.loss`, behind which not all predictions are finite.
    pub broken: Option<String>,
    /// Warnings about the file and the data.
    pub warnings: Warnings,
}

/// Evaluates the final weights of a run on every part of its data.
///
/// The training rows are evaluated like the others, with running statistics and the final weights. So their metrics
/// differ from those of the last epoch, which are sums over steps between which the weights change.
///
/// # Errors
/// There is no run folder or no checkpoint; data are missing or have changed.
pub fn evaluate(run: &Path, directories: &Directories, device: &Arc<dyn Device>) -> Result<Evaluated, Failure> {
    let (folder, about, prepared) = reopen(run, directories, device)?;
    let mut session = prepared.session();
    put_weights(&mut session, &folder, &about)?;
    let tables = &prepared.tables;
    let (mut figures, mut broken) = (vec![], None);
    let valid = tables.valid.as_ref().map(|rows| ("valid", rows));
    for (part, rows) in [("train", &tables.train)].into_iter().chain(valid).chain([("test", &tables.test)]) {
        let found = session.evaluate(rows)?;
        let loss = found.iter().find(|(name, _)| name == "loss").map_or(0.0, |(_, loss)| *loss);
        if !session.predicts_numbers(rows, loss)? {
            broken = broken.or_else(|| Some(format!("{part}.loss")));
        }
        figures.extend(found.into_iter().map(|(name, value)| (format!("{part}.{name}"), value)));
    }
    Ok(Evaluated { figures, broken, warnings: prepared.warnings })
}

/// How the test rows of each class were classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Rows by their true class, then by the class that was predicted.
    pub counts: Vec<Vec<u64>>,
}

/// Counts the test rows by true and predicted class, with the weights that the run ended with. With a single output, a score above
/// 0 means class 1; of equal scores the first class counts.
///
/// # Errors
/// As [`evaluate`]; a run without classes.
pub fn confusion(run: &Path, directories: &Directories, device: &Arc<dyn Device>) -> Result<Confusion, Failure> {
    let (folder, about, prepared) = reopen(run, directories, device)?;
    let Some(classes) = prepared.described.facts.classes else {
        let told = Message::new(format!("{} predicts numbers, not classes", run.display())).at("E0821", run);
        return Err(Failure::Usage(told.help("leave `--confusion` out")));
    };
    let mut session = prepared.session();
    put_weights(&mut session, &folder, &about)?;
    let rows = &prepared.tables.test;
    let predictions = session.predict(rows)?;
    let mut counts = vec![vec![0; classes]; classes];
    let outputs = predictions.len() / rows.count().max(1);
    for (row, scores) in predictions.chunks_exact(outputs.max(1)).enumerate() {
        let predicted = match scores {
            [only] => usize::from(*only > 0.0),
            _ => (0..scores.len()).fold(0, |best, class| if scores[class] > scores[best] { class } else { best }),
        };
        let truly = (0..classes).find(|&class| class as f64 == rows.target(row));
        if let Some(count) = truly.and_then(|class| counts[class].get_mut(predicted)) {
            *count += 1;
        }
    }
    let named = |class: usize| about.inputs.labels.get(class).cloned().unwrap_or_else(|| class.to_string());
    Ok(Confusion { labels: (0..classes).map(named).collect(), counts })
}

/// Puts the final weights of a run into a session of its network.
///
/// # Errors
/// [`Failure::Io`]: there is no checkpoint, or it does not fit the network.
pub fn put_weights(session: &mut Session, folder: &RunFolder, about: &About) -> Result<(), Failure> {
    let checkpoint = folder.weights(about)?;
    session.states.set_named(&checkpoint.tensors, |role| role != Role::Optimizer).map_err(|reason| {
        let message =
            Message::new(format!("the weights in {} do not fit its network: {reason}", folder.path.display()));
        Failure::Io(message.at("E0805", &folder.path).help(again(&folder.file("run.json"))))
    })
}
