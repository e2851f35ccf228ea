//! Opens a run folder again: its file, its network and its rows. The data may have been moved. Changed data are
//! refused.

use crate::failure::{Failure, Message};
use crate::program::network::Network;
use crate::run::folder::{About, Inputs, RunFolder};
use crate::task::experiment::{Facts, Prepared, Request, Warnings, network_for, prepare};
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::DataFacts;
use gmpc_compiler::stage::Silent;
use gmpc_data::{Directories, changed, data_files};
use gmpc_device::Device;
use gmpc_grammar::source::Source;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder, the network and the data of a run.
///
/// # Errors
/// There is no run folder; its file no longer compiles; data are missing or have changed.
pub fn reopen(
    path: &Path,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<(RunFolder, About, Prepared), Failure> {
    let (folder, about) = RunFolder::open(path)?;
    let prepared = reopened(&folder, &about, directories, device)?;
    Ok((folder, about, prepared))
}

/// The network and the rows of an opened run. The rows are searched in several folders.
///
/// # Errors
/// The errors of [`reopen`].
pub fn reopened(
    folder: &RunFolder,
    about: &About,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<Prepared, Failure> {
    let request = reopened_request(folder, about, directories, device)?;
    let mut first = None;
    for places in places(folder, about, directories) {
        match prepare(&Request { directories: places.clone(), ..request.clone() }) {
            Ok(prepared) if is_the_runs(about, &prepared) => return Ok(prepared),
            Ok(prepared) => {
                let failure = || other_rows(folder, about, Some((&prepared, &places)));
                first.get_or_insert_with(failure)
            }
            Err(failure @ (Failure::Data(_) | Failure::Io(_))) => first.get_or_insert(failure),
            Err(failure) => return Err(failure), // it does not depend on the rows
        };
    }
    Err(first.unwrap_or_else(|| other_rows(folder, about, None)))
}

/// True if the rows and classes of all parts equal those of the run.
fn is_the_runs(about: &About, prepared: &Prepared) -> bool {
    let (now, then) = (&prepared.described, &about.inputs);
    prepared.data_sha256 == about.data_sha256 && now.labels == then.labels && renamed(about, prepared).is_none()
}

/// The first column whose name is another than in the run, of then and of now.
fn renamed<'a>(about: &'a About, prepared: &'a Prepared) -> Option<(&'a str, &'a str)> {
    let (now, then) = (&prepared.described, &about.inputs);
    let pairs = [(&then.feature_names, &now.feature_names), (&then.target_names, &now.target_names)];
    // A file without a header has no names, then or now.
    let pairs = pairs.into_iter().filter(|(then, now)| then.len() == now.len());
    let mut all = pairs.flat_map(|(then, now)| then.iter().zip(now));
    all.find(|(then, now)| then != now).map(|(then, now)| (then.as_str(), now.as_str()))
}

/// The failure for rows that are not the run's. It names a class that was added and one that was removed, and the
/// changed files, as far as they are known.
fn other_rows(folder: &RunFolder, about: &About, found: Option<(&Prepared, &Directories)>) -> Failure {
    let before = &about.inputs.labels;
    let now = found.map_or(before, |(prepared, _)| &prepared.described.labels);
    let differ = |a: &[String], b: &[String]| a.iter().find(|name| !b.contains(name)).cloned();
    let what = match (differ(before, now), differ(now, before)) {
        (Some(gone), Some(new)) => {
            format!("the classes of {} differ from those of the run: there is `{new}`, and no `{gone}`", about.data)
        }
        _ => match found.and_then(|(prepared, _)| renamed(about, prepared)) {
            Some((then, now)) => {
                format!("the columns of {} are not those of the run: `{then}` is now called `{now}`", about.data)
            }
            None => format!("the rows of {} have changed since the run began", about.data),
        },
    };
    let files = found.and_then(|(prepared, directories)| changed_files(folder, prepared, directories));
    let message = Message::new(what + &files.map(|files| format!(": {files}")).unwrap_or_default());
    Failure::Data(message.at("E0810", &folder.path).help("restore the data files, or start a new run"))
}

/// The files that changed since the run; `None` if the run does not list its files, or if none changed.
fn changed_files(folder: &RunFolder, prepared: &Prepared, directories: &Directories) -> Option<String> {
    let then = folder.data_files();
    let spec = prepared.network.module.experiment.data.as_ref().filter(|_| !then.is_empty())?;
    changed(&then, &data_files(spec, directories).ok()?)
}

/// The folders in which a run's data may lie, the most likely first. A table may lie beside the run's file: in its old
/// folder, or in the one it has if the file and the run moved together. A data set may lie in the given data directory
/// or in that of the run.
#[must_use]
pub fn places(folder: &RunFolder, about: &About, directories: &Directories) -> Vec<Directories> {
    let mut beside: Vec<Option<PathBuf>> = folder.beside(about).into_iter().map(Some).collect();
    if beside.is_empty() {
        beside.push(None);
    }
    let then = about.data_directory.iter().filter(|then| **then != directories.data);
    let data: Vec<&PathBuf> = std::iter::once(&directories.data).chain(then).collect();
    let all = data.iter().flat_map(|data| beside.iter().map(|beside| (data.to_path_buf(), beside.clone())));
    all.map(|(data, beside)| Directories { data, beside }).collect()
}

/// The folders of the data if `file` is the `source.gmpnet` in a run folder: it names tables relative to the original
/// file's folder. Else empty.
#[must_use]
pub fn places_of_source(file: &Path, directories: &Directories) -> Vec<Directories> {
    let folder = file.parent().filter(|_| file.file_name().is_some_and(|name| name == "source.gmpnet"));
    let here = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() };
    match folder.map(|folder| RunFolder::open(&here(folder))) {
        Some(Ok((folder, about))) => places(&folder, &about, directories),
        _ => vec![],
    }
}

/// The request that makes the network of a run folder again.
///
/// # Errors
/// [`Failure::Io`]: the source cannot be read.
pub fn reopened_request(
    folder: &RunFolder,
    about: &About,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<Request, Failure> {
    let name = folder.file("source.gmpnet").display().to_string();
    let file = Source { name, text: folder.source()? };
    let directories = Directories { data: directories.data.clone(), beside: about.beside.clone() };
    let observer = Arc::new(Silent);
    Ok(Request { file, overrides: Overrides::default(), directories, device: Arc::clone(device), observer })
}

/// The network of a run folder without its data. Shapes and scales come from `run.json`.
///
/// # Errors
/// [`Failure::File`]: the file no longer compiles.
pub fn reopened_network(
    folder: &RunFolder,
    about: &About,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<(Arc<Network>, Warnings), Failure> {
    network_for(&reopened_request(folder, about, directories, device)?, &facts(about))
}

/// What shape inference needs to know of a run's data.
#[must_use]
pub fn facts(about: &About) -> Facts {
    let Inputs { features, shape, outputs, classes, target_scale, .. } = &about.inputs;
    let rows = Some(about.rows.iter().sum());
    // Older versions stored no shape; they knew no images.
    let shape = if shape.is_empty() { vec![*features] } else { shape.clone() };
    let shape = DataFacts { rows, shape, outputs: *outputs, classes: *classes };
    Facts { shape, target_scale: target_scale.clone(), class_rows: vec![] }
}
