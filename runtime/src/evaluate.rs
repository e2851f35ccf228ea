//! `eval`: loss and metrics of a run that is there, with the weights it ended with.

use crate::data::Directories;
use crate::device::Device;
use crate::event::Figure;
use crate::failure::{Failure, Told};
use crate::launch::reopen;
use crate::request::Warnings;
use crate::run_folder::{About, RunFolder};
use crate::session::Session;
use gmpc_compiler::graph::Role;
use std::path::Path;
use std::sync::Arc;

/// Figures on every part of the data under full names: `train.loss`, …, `valid.rmse`, …, `test.rmse`.
///
/// The training rows are evaluated like the others here, with running statistics and the final weights, so their figures
/// differ from those of the last epoch, which are gathered while the weights change.
///
/// # Errors
/// No run folder or no checkpoint; data that are missing or have changed.
pub fn evaluate(
    run: &Path,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<(Vec<Figure>, Warnings), Failure> {
    let (folder, about, prepared) = reopen(run, directories, device)?;
    let mut session = prepared.session();
    put_weights(&mut session, &folder, &about)?;
    let tables = &prepared.tables;
    let mut figures = vec![];
    let valid = tables.valid.as_ref().map(|rows| ("valid", rows));
    for (part, rows) in [("train", &tables.train)].into_iter().chain(valid).chain([("test", &tables.test)]) {
        let found = session.evaluate(rows)?;
        figures.extend(found.into_iter().map(|(name, value)| (format!("{part}.{name}"), value)));
    }
    Ok((figures, prepared.warnings))
}

/// Puts the weights a run ended with into a session of its network.
///
/// # Errors
/// [`Failure::Io`]: no checkpoint, or one that does not fit.
pub fn put_weights(session: &mut Session, folder: &RunFolder, about: &About) -> Result<(), Failure> {
    let checkpoint = folder.weights(about)?;
    session.states.set_named(&checkpoint.tensors, |role| role != Role::Optimizer).map_err(|reason| {
        let told = Told::new(format!("the weights in {} do not fit its network: {reason}", folder.path.display()));
        Failure::Io(told)
    })
}
