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
