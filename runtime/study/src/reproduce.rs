//! `reproduce`: what the paper ran, run again, to stand beside the paper's numbers.
//!
//! ```text
//! paper.json     what each figure and table is of, the paper's numbers with their places, known disagreements
//! OUT/cells/     every cell of the comparison; finished ones are not run again
//! OUT/runs/      figures 2 and 3: runs with their boundaries recorded, in a folder named by their settings
//! ```

pub mod paper;
pub mod rates;
mod recorded;

pub use paper::{FigureOne, Item, Metric, Number, figure_1, item};
pub use recorded::Recorded;

use gmpc_compiler::ir::experiment::{Batch, DataSpec, Experiment};
use gmpc_compiler::ir::module::Module;
use gmpc_data::info::outline;
use gmpc_runtime::failure::{Failure, Message};
use gmpc_runtime::task::compare::{Axes, Kept, Step, compare, split_list};
use gmpc_runtime::task::experiment::{Request, read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What differs from what the paper ran, as a person asked for it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Runs of each cell.
    pub repeats: Option<u32>,
    /// These parameterizations only; empty for the paper's.
    pub params: Vec<String>,
}

/// What was run.
pub struct Reproduced {
    /// What the paper has.
    pub item: Item,
    /// The comparison with the epochs of its runs.
    pub kept: Kept,
    /// Everything in which it is not what the paper ran, a sentence each; empty where it is.
    pub changed: Vec<String>,
    /// The paper's data, where these are others: its numbers mean nothing for them.
    pub other_data: Option<String>,
    /// Of figures 2 and 3.
    pub recorded: Option<Recorded>,
}

/// The request for an item's experiment: its file, and the paper's settings before the person's own. Values of an axis are
/// no settings.
#[must_use]
pub fn request(item: &Item, own: &Request) -> Request {
    let mut request = own.clone();
    let set = item.set.iter().chain(&own.overrides.set);
    request.overrides.set = set.filter(|(key, _)| !item.over.iter().any(|(axis, _)| axis == key)).cloned().collect();
    request
}

/// Runs an item of the paper; `own.file` is its experiment, `own.overrides` what the person changes in it. `None` where
/// `stop` came before the end: what is finished is kept in `out`.
///
/// # Errors
/// [`Failure::Data`]: a data set is not here; else as [`compare`].
pub fn reproduce(
    item: &Item,
    asked: &Asked,
    own: &Request,
    out: &Path,
    threads: usize,
    told: &mut dyn FnMut(&Step),
    stop: &AtomicBool,
) -> Result<Option<Reproduced>, Failure> {
    let (request, axes) = (request(item, own), axes(item, asked, own));
    // Whatever may be refused comes before the training, which may take hours.
    present(&request, &axes)?;
    let changed = changed(item, asked, own, &request)?;
    let cells = out.join("cells");
    let (comparison, _) = compare(&request, &axes, Some(&cells), threads, told, stop)?;
    if !comparison.complete {
        return Ok(None);
    }
    // From the disk, because it also has the epochs of every run, which `comparison` has not.
    let kept = Kept::open(&cells)?;
    let recorded = match item.records {
        true => match recorded::record(item, &request, &kept.comparison, &out.join("runs"), stop)? {
            Some(recorded) => Some(recorded),
            None => return Ok(None),
        },
        false => None,
    };
    let other_data = if same_data(item, own)? { None } else { Some(data(item, own)?) };
    Ok(Some(Reproduced { item: item.clone(), kept, changed, other_data, recorded }))
}

/// The comparison's axes. A `--set` of one of them narrows it to that value, or to several.
fn axes(item: &Item, asked: &Asked, own: &Request) -> Axes {
    let mut over = item.over.clone();
    for (key, values) in &mut over {
        if let Some((_, value)) = own.overrides.set.iter().rev().find(|(set, _)| set == key) {
            *values = split_list(value);
        }
    }
    let params = if asked.params.is_empty() { item.params.clone() } else { asked.params.clone() };
    let metric = item.metrics.first().map(|metric| metric.name.clone());
    Axes { params, over, repeats: asked.repeats.unwrap_or(item.repeats), metric, ..Axes::default() }
}

/// Fails with the name of every data set that is not here, and how to get it.
fn present(request: &Request, axes: &Axes) -> Result<(), Failure> {
    let data = axes.over.iter().find(|(key, _)| key == "data").map_or(vec![], |(_, values)| values.clone());
    // Without an axis of data sets it is the one that the file names.
    let sets = if data.is_empty() { vec![None] } else { data.into_iter().map(Some).collect() };
    let mut missing: Vec<(String, String)> = Vec::new();
    for set in sets {
        let mut request = request.clone();
        request.overrides.set.extend(set.map(|name| ("data".to_string(), name)));
        // Read anew for each set: its name stands for a definition with files of its own.
        let (module, _) = read(&request)?;
        let Some(spec) = &module.experiment.data else { continue };
        let found = outline(spec, &request.directories)?;
        if !found.present {
            let fetched = found.files.iter().any(|file| file.url.is_some());
            let how = if fetched { format!("`gmpc data fetch {}` downloads it", spec.name) } else { documented(spec) };
            missing.push((spec.name.clone(), how));
        }
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let Some((first, how)) = missing.first() else { return Ok(()) };
    let verb = if names.len() == 1 { "is" } else { "are" };
    let folder = request.directories.data.display();
    let told = Message::new(format!("{} {verb} not in the data folder {folder}", names.join(", ")));
    let images = first.starts_with("imagenet");
    let instead =
        if images { "; or run it on other images, as in `--set data=cifar10` or `data=shapes32`" } else { "" };
    let each = if names.len() > 1 { ", and so each of the others" } else { "" };
    let place = "; `--data-dir` or GMPNET_DATA says where data are kept";
    Err(Failure::Data(told.help(format!("{how}{each}{place}{instead}"))))
}

fn documented(spec: &DataSpec) -> String {
    let text = spec.docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    text.trim_end_matches('.').to_string() // more comes behind it
}

/// The file as the paper ran it.
fn original(item: &Item, own: &Request) -> Result<std::sync::Arc<Module>, Failure> {
    let mut bare = own.clone();
    bare.overrides = gmpc_compiler::front::resolve::Overrides { set: item.set.clone(), ..Default::default() };
    Ok(read(&bare)?.0)
}

fn same_data(item: &Item, own: &Request) -> Result<bool, Failure> {
    let ours = own.overrides.set.iter().rev().find(|(key, _)| key == "data");
    let known = item.over.iter().find(|(key, _)| key == "data");
    Ok(match (ours, known) {
        (None, _) => true,
        (Some((_, name)), Some((_, values))) => split_list(name).iter().all(|name| values.contains(name)),
        (Some(_), None) => {
            let (original, ours) = (original(item, own)?, read(own)?.0);
            name_of(&original) == name_of(&ours)
        }
    })
}

/// What the paper's data are called.
fn data(item: &Item, own: &Request) -> Result<String, Failure> {
    item.data.clone().map_or_else(|| Ok(name_of(&*original(item, own)?)), Ok)
}

fn name_of(module: &Module) -> String {
    module.experiment.data.as_ref().map(|data| data.name.clone()).unwrap_or_default()
}

/// Sentences about everything that is not as the paper has it.
fn changed(item: &Item, asked: &Asked, own: &Request, request: &Request) -> Result<Vec<String>, Failure> {
    let mut said = Vec::new();
    let original = original(item, own)?;
    let same_data = same_data(item, own)?;
    if !same_data {
        let ours = own.overrides.set.iter().rev().find(|(key, _)| key == "data").map_or("", |(_, name)| name.as_str());
        let theirs = item.data.clone().unwrap_or_else(|| name_of(&original));
        said.push(format!(
            "The data are {ours}, not {theirs}: the paper has no numbers for them, and its own stand beside \
                           ours for orientation only."
        ));
    }
    for (key, value) in own.overrides.set.iter().filter(|(key, _)| key != "data" || same_data) {
        // An axis has several values in the paper, whatever the file says.
        let axis = item.over.iter().find(|(axis, _)| axis == key).map(|(_, values)| values.join(", "));
        let before = axis.or_else(|| stated(&original.experiment, key));
        let before = before.filter(|before| before != value).map(|before| format!(" (the paper: {before})"));
        said.push(format!("{key} = {value}{}.", before.unwrap_or_default()));
    }
    if let Some(seed) = own.overrides.seed {
        said.push(format!("Seeds from {} upwards.", seed.order));
    }
    if let Some(repeats) = asked.repeats.filter(|repeats| *repeats != item.repeats) {
        let runs = if repeats == 1 { "1 run".to_string() } else { format!("{repeats} runs") };
        said.push(format!("{runs} of each instead of {}.", item.repeats));
    }
    if !asked.params.is_empty() && asked.params != item.params {
        said.push(format!("Only {} of {}.", asked.params.join(", "), item.params.join(", ")));
    }
    read(request)?; // a key that leads nowhere is told before anything is run
    Ok(said)
}

/// What the file says where a person is likely to shorten it.
fn stated(experiment: &Experiment, key: &str) -> Option<String> {
    let train = experiment.train.as_ref()?;
    match key {
        "train.epochs" => Some(train.epochs.to_string()),
        "train.batch" => Some(match train.batch {
            Batch::Size(size) => size.to_string(),
            Batch::All => "all".to_string(),
        }),
        "train.select" => Some("test".to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
