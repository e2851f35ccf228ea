//! `export`: a trained network for others to run, with its scaling, compared with `predict` before it is handed over.

mod check;
mod facts;
mod rows;
mod tools;

pub use check::Checked;

use crate::failure::{Failure, Message, Place};
use crate::program::network::{Network as Compiled, wrong};
use crate::program::session::{Programs, Session};
use crate::run::checkpoint::{Disk, write_atomically};
use crate::run::folder::{About, RunFolder};
use crate::run::output;
use crate::task::convert::tensors;
use crate::task::evaluate::put_weights;
use crate::task::experiment::Warnings;
use crate::task::reopen::reopened_network;
use gmpc_compiler::graphs::convert::plain_units;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_data::{Directories, Note};
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_export::network::Trained;
use gmpc_export::{File, Network, Refusal, c, object, onnx, torch};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One `.onnx` file.
    Onnx,
    /// A `.c` file and its header.
    C {
        /// The weights in a file of their own.
        beside: bool,
    },
    /// Machine code in an `.o` file, and its header.
    Object,
    /// A `.py` file and its `.safetensors`.
    Torch {
        /// Plain weights instead of parameterizations.
        fold: bool,
    },
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is written.
    pub form: Form,
    /// Where to: with or without the form's own ending.
    pub output: PathBuf,
    /// Scaling stays outside.
    pub raw: bool,
    /// Compare with `predict`.
    pub check: bool,
}

/// What was written.
#[derive(Debug)]
pub struct Exported {
    /// The files.
    pub files: Vec<PathBuf>,
    /// How they compare with `predict`; `None` where nobody here could compute them, which a note tells.
    pub checked: Option<Checked>,
    /// Of the run's file, and what of the run is not in the files.
    pub warnings: Warnings,
}

impl Form {
    /// The ending of its main file, and all of its endings.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Form::Onnx => &["onnx"],
            Form::C { beside: false } => &["c", "h"],
            Form::C { beside: true } => &["c", "h", "weights"],
            Form::Object => &["o", "h"],
            Form::Torch { .. } => &["py", "safetensors"],
        }
    }
}

/// Exports the weights a run ended with. The training data need not be there; where they are, test rows are compared.
///
/// # Errors
/// No run folder or no checkpoint; a network or an ending that the form cannot have; E0595 where the file does not compute what
/// `predict` does, which is then not written; faults of the disk.
pub fn export(run: &Path, asked: &Asked, directories: &Directories) -> Result<Exported, Failure> {
    // First, because a wrong name costs nothing to refuse.
    let (stem, place) = placed(asked)?;
    let (folder, about) = RunFolder::open(run)?;
    let device: Arc<dyn Device> = Arc::new(Cpu::default());
    let (compiled, mut warnings) = reopened_network(&folder, &about, directories, &device)?;
    let shown = place.display().to_string();
    let told_of = |refusal| refused(refusal, &shown);
    let network = described(&folder, &about, &compiled)?.map_err(told_of)?;
    let network = if asked.raw { network.raw() } else { network };
    let files = match asked.form {
        Form::Onnx => vec![File { ending: "onnx", bytes: onnx::write(&network).map_err(told_of)? }],
        Form::C { beside } => c::write(&network, &stem, places(beside)),
        Form::Object => object::write(&network, &stem).map_err(told_of)?.files,
        Form::Torch { fold } => torch::write(&network, fold).map_err(told_of)?,
    };
    warnings.notes.extend(told(&network, asked, &shown));
    let checked = if asked.check {
        let mut session = Session::new(Arc::clone(&device), Arc::clone(&compiled) as Arc<dyn Programs>);
        put_weights(&mut session, &folder, &about)?;
        let rows = rows::rows(&folder, &about, &network, directories, &device);
        check::check(&network, asked.form, &stem, &files, &rows, &mut session)?
    } else {
        Err("`--no-check` was asked for".to_string())
    };
    let checked = match checked {
        Ok(checked) => Some(checked),
        Err(why) => {
            warnings.notes.push(not_checked(&shown, &why));
            None
        }
    };
    if let Some(checked) = &checked {
        warnings.notes.extend(check::judged(checked, &shown)?);
    }
    // Only now: what computes something else was refused by `judged`, and no file of it exists.
    let mut written = Vec::new();
    for file in &files {
        let path = place.with_file_name(format!("{stem}.{}", file.ending));
        write_atomically(&mut Disk, &path, &file.bytes, None)?;
        written.push(path);
    }
    Ok(Exported { files: written, checked, warnings })
}

/// Where the weights of a source are.
fn places(beside: bool) -> c::Weights {
    if beside { c::Weights::Beside } else { c::Weights::Inside }
}

/// The files' name without an ending, and the main file's path.
fn placed(asked: &Asked) -> Result<(String, PathBuf), Failure> {
    let endings = asked.form.endings();
    let main = endings.first().copied().unwrap_or_default();
    let name = asked.output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty() || asked.output.is_dir() {
        let told = Message::new(format!("{} is a folder, or no name of a file", asked.output.display()));
        return Err(Failure::Usage(told.help(format!("name the file, such as `-o net.{main}`"))));
    }
    let ending = asked.output.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let others = ["onnx", "c", "h", "weights", "py", "safetensors", "pt", "pth", "o", "so", "csv", "npy", "json"];
    let stem = match ending.as_deref() {
        Some(ending) if endings.contains(&ending) => {
            asked.output.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or(name)
        }
        Some(ending) if others.contains(&ending) => {
            let told = Message::new(format!("{}: this form is written as `.{main}`", asked.output.display()));
            return Err(Failure::Usage(
                told.help("choose the form that the ending belongs to with `--as`, or another ending"),
            ));
        }
        _ => name, // `net.v2` is a name
    };
    for ending in endings {
        output::check(&asked.output.with_file_name(format!("{stem}.{ending}")), &[])?;
    }
    let place = asked.output.with_file_name(format!("{stem}.{main}"));
    check_header(&place, asked.form)?;
    Ok((stem, place))
}

/// Refuses to replace the header of the other form. A source and an object of one name would share a header, which says how
/// much scratch memory a caller provides: an object needs more, and would write beyond that of a source.
///
/// # Errors
/// [`Failure::Usage`] (E0808).
fn check_header(place: &Path, form: Form) -> Result<(), Failure> {
    let (other, what) = match form {
        Form::C { .. } => ("o", "an object"),
        Form::Object => ("c", "a source"),
        Form::Onnx | Form::Torch { .. } => return Ok(()),
    };
    let (header, code) = (place.with_extension("h"), place.with_extension(other));
    let is_of_object = std::fs::read_to_string(&header).is_ok_and(|text| text.contains(object::IN_HEADER));
    let is_of_other = header.exists() && is_of_object != matches!(form, Form::Object);
    if !is_of_other || !code.exists() {
        return Ok(());
    }
    let message = Message::new(format!("{} is the header of {what}, {}", header.display(), code.display()));
    Err(Failure::Usage(message.at("E0808", &header).help("choose another name, or remove both files")))
}

/// The description that every form is written from.
fn described(folder: &RunFolder, about: &About, compiled: &Compiled) -> Result<Result<Network, Refusal>, Failure> {
    let weights = tensors(folder.weights(about)?.tensors);
    let units = plain_units(&compiled.net, &weights).map_err(|told| wrong(&compiled.module, told))?;
    let (net, precision) = (&compiled.net, compiled.precision());
    let trained = Trained { net, tensors: &weights, units: &units, precision };
    let (inputs, outputs) = (facts::inputs(about, compiled), facts::outputs(about, compiled));
    Ok(Network::new(&trained, inputs, outputs, facts::facts(about, compiled)))
}

/// What is worth telling of files that are written all the same.
fn told(network: &Network, asked: &Asked, file: &str) -> Vec<Note> {
    let mut notes = Vec::new();
    for left in &network.facts.left_out {
        notes.push(
            Note::new("W0593", file, left.as_str())
                .help("the file's metadata says so, too: do it before, as `gmpc predict` does"),
        );
    }
    if asked.form == Form::Onnx && network.precision == Precision::F64 {
        let message = "the run computes in double precision, and the file in single: its weights are rounded";
        notes.push(Note::new("W0594", file, message).help("`--as c` and `--as torch` keep double precision"));
    }
    // With `fold` plain weights are what was asked for.
    if asked.form == (Form::Torch { fold: false }) {
        // A formula that cannot be written has been refused before.
        let fixed = torch::fixed(network).unwrap_or_default();
        if !fixed.is_empty() {
            let names = fixed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let message = format!("layers with a state that gmpc computes anew in each training step: {names}");
            notes.push(
                Note::new("W0595", file, message)
                    .help("they predict the same; trained further in PyTorch the state stays what it is"),
            );
        }
    }
    if asked.raw
        && (network.inputs.preparation != gmpc_export::network::Preparation::None || network.outputs.scale.is_some())
    {
        let message =
            "inputs and outputs are those of the layers: means and deviations stand in the file's metadata alone";
        notes.push(Note::new("W0596", file, message).help("leave `--raw` out to have the scaling inside"));
    }
    notes
}

fn not_checked(file: &str, why: &str) -> Note {
    Note::new("W0597", file, format!("nobody compared it with `gmpc predict`: {why}"))
        .help("compare a few rows yourself before you rely on it")
}

fn refused(refusal: Refusal, file: &str) -> Failure {
    match refusal.code {
        "E0594" => Failure::Bug(refusal.message),
        code => Failure::Usage(coded(code, file, refusal.message).help(refusal.help)),
    }
}

/// A sentence about a file, with its page.
fn coded(code: &'static str, file: &str, message: String) -> Message {
    let place = Place { code, file: file.to_string(), line: None, column: None };
    Message { place: Some(Box::new(place)), ..Message::new(message) }
}
