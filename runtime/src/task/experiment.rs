//! From a request to a network with its data: reads and resolves the file, loads the data, infers the shapes.

use crate::failure::{Failure, Message};
use crate::program::network::{Network, wrong};
use crate::program::session::{Programs, Session};
use crate::task::start::Beginning;
use crate::train::Tables;
use gmpc_compiler::front::resolve::{self, Overrides};
use gmpc_compiler::graphs::depends::constant;
use gmpc_compiler::ir::experiment::{Batch, DataFacts, DataSource, DataSpec, Precision, Select, Task, TrainSpec};
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::stage::Observer;
use gmpc_compiler::{Options, TargetScale, elaborate, front};
use gmpc_data::Rows;
use gmpc_data::{Directories, Note, Parts, Scale};
use gmpc_device::Device;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, Sources};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;

/// What the user asks for.
#[derive(Clone)]
pub struct Request {
    /// The `.gmpnet` file: its name and its text.
    pub file: Source,
    /// The options `--param`, `--set` and `--seed`.
    pub overrides: Overrides,
    /// The folders in which data are searched.
    pub directories: Directories,
    /// The device that programs run on.
    pub device: Arc<dyn Device>,
    /// Receives the begin and end of each stage of the compiler.
    pub observer: Arc<dyn Observer>,
}

/// Warnings that do not stop the command, and the texts that their spans point into.
#[derive(Debug, Clone, Default)]
pub struct Warnings {
    /// Warnings about the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that the spans point into.
    pub sources: Sources,
    /// Warnings about the data.
    pub notes: Vec<Note>,
}

/// A network with its data.
pub struct Prepared {
    /// The resolved file and its network.
    pub network: Arc<Network>,
    /// What a row is, and how it was scaled.
    pub described: Described,
    /// The rows of all parts, in the program's precision.
    pub tables: Tables,
    /// SHA-256 of all parts. A resumed run compares it to notice changed data.
    pub data_sha256: String,
    /// Warnings to print once.
    pub warnings: Warnings,
    /// The folder of the file, to which paths in it are relative.
    pub beside: Option<PathBuf>,
    device: Arc<dyn Device>,
}

/// What the rows of a run's data are.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Shapes and counts of the whole data set.
    pub facts: DataFacts,
    /// Number of rows of each class in the training, validation and test part; empty for regression and for images.
    pub class_rows: Vec<[usize; 3]>,
    /// Names of class 0, 1, …; empty for regression.
    pub labels: Vec<String>,
    /// Names of the input columns; empty if the data file has none.
    pub feature_names: Vec<String>,
    /// Names of the target columns; empty if the data file has none.
    pub target_names: Vec<String>,
    /// How inputs were scaled: each feature of a table, or each channel of images after division by 255.
    pub input_scale: Option<Scale>,
    /// How targets were scaled.
    pub target_scale: Option<Scale>,
}

/// Reads and resolves the file.
///
/// # Errors
/// [`Failure::File`] with all errors that were found.
pub fn read(request: &Request) -> Result<(Arc<Module>, Warnings), Failure> {
    match front(request.file.clone(), &request.overrides, request.observer.as_ref()) {
        Ok((module, diagnostics)) => {
            let sources = module.sources.clone();
            Ok((Arc::new(module), Warnings { diagnostics, sources, notes: vec![] }))
        }
        Err(resolve::Failure { sources, diagnostics }) => {
            Err(Failure::File { diagnostics, sources: Box::new(sources) })
        }
    }
}

/// The network without its rows. Shapes come from the model, from the declaration of the data set, or from the first
/// part of its file.
///
/// # Errors
/// [`Failure::File`]: shapes do not fit, or cannot be inferred. [`Failure::Data`]: the shapes depend on the data file,
/// and it cannot be used.
pub fn network(request: &Request) -> Result<(Arc<Network>, Warnings), Failure> {
    let (module, mut warnings) = read(request)?;
    let probed = module.experiment.data.as_ref().map(|spec| gmpc_data::probe(spec, &request.directories)).transpose();
    // Missing data are an error only if the model cannot be shaped without them, so their error is kept until then.
    let (facts, notes) = match probed {
        Ok(Some((facts, notes))) => (Ok(Some(facts)), notes),
        Ok(None) => (Ok(None), vec![]),
        Err(error) => (Err(error), vec![]),
    };
    warnings.notes = notes;
    let known = facts.as_ref().ok().and_then(Option::as_ref);
    let net = match (elaborate(&module, known, request.observer.as_ref()), facts) {
        (Ok(net), _) => net,
        (Err(_), Err(missing)) => return Err(missing.into()), // the data would have given the missing shapes
        (Err(diagnostics), Ok(_)) => return Err(wrong(&module, diagnostics)),
    };
    warnings.diagnostics.extend(constant(&net));
    Ok((Arc::new(Network::new(module, net, Options::default(), Arc::clone(&request.observer))?), warnings))
}

/// What a network needs to know of its data, for commands that do not load them.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Shape of the inputs, number of outputs and of classes.
    pub shape: DataFacts,
    /// How targets were standardized.
    pub target_scale: Option<Scale>,
    /// Number of training rows of each class; empty if there are no classes, or no rows.
    pub class_rows: Vec<usize>,
}

/// The network for data with these facts.
///
/// # Errors
/// [`Failure::File`]: the file has errors, or the shapes do not fit.
pub fn network_for(request: &Request, facts: &Facts) -> Result<(Arc<Network>, Warnings), Failure> {
    let (module, warnings) = read(request)?;
    Ok((Arc::new(shaped(request, module, facts)?), warnings))
}

fn shaped(request: &Request, module: Arc<Module>, facts: &Facts) -> Result<Network, Failure> {
    let net = elaborate(&module, Some(&facts.shape), request.observer.as_ref());
    let net = net.map_err(|diagnostics| wrong(&module, diagnostics))?;
    let scale = facts.target_scale.as_ref();
    let target_scale = scale.map(|s| TargetScale { scale: s.deviation.clone(), shift: s.mean.clone() });
    let options = Options { target_scale, class_rows: facts.class_rows.clone() };
    Network::new(module, net, options, Arc::clone(&request.observer))
}

/// The network with its rows, which are loaded, split into parts and scaled.
///
/// # Errors
/// The errors of [`network`]; data are missing or damaged.
pub fn prepare(request: &Request) -> Result<Prepared, Failure> {
    let (module, mut warnings) = read(request)?;
    let Some(spec) = &module.experiment.data else {
        let message = Message::new(format!("{} names no data", request.file.name));
        let message = message.code("E0814");
        return Err(Failure::Usage(
            message.help("add a line such as `data = uci.yacht`, or use `--set data=uci.yacht`"),
        ));
    };
    let select = module.experiment.train.as_ref().map_or(Select::Valid, |train| train.select);
    let precision = module.experiment.precision;
    let seed = module.experiment.seeds.data;
    // Images are decoded while training goes on; tables are loaded completely here.
    let (described, tables, data_sha256, notes) = match spec.images() {
        Some(images) => {
            let augment = module.experiment.train.as_ref().map_or(&[][..], |train| &train.augment);
            let parts = gmpc_data::images::prepare(spec, images, augment, select, seed, &request.directories)?;
            of_images(precision, parts)
        }
        None => {
            let parts = gmpc_data::prepare(spec, select, seed, &request.directories)?;
            let notes = fits_precision(spec, precision, &parts)?;
            let (described, tables, sha256, all) = of_table(precision, parts);
            (described, tables, sha256, all.into_iter().chain(notes).collect())
        }
    };
    warnings.notes = notes;
    warnings.notes.extend(batch_of_all(&module, tables.train.count(), &spec.name));
    let (shape, target_scale) = (described.facts.clone(), described.target_scale.clone());
    let class_rows = shape.classes.map_or(vec![], |classes| tables.train.rows_of_classes(classes));
    let network = Arc::new(shaped(request, module, &Facts { shape, target_scale, class_rows })?);
    warnings.diagnostics.extend(constant(&network.net));
    let (device, beside) = (Arc::clone(&request.device), request.directories.beside.clone());
    Ok(Prepared { network, described, tables, data_sha256, warnings, beside, device })
}

/// A note if the file asks for larger batches than there are training rows. Each batch then holds all rows, which is a
/// different training.
fn batch_of_all(module: &Module, rows: usize, data: &str) -> Option<Note> {
    let Batch::Size(size) = module.experiment.train.as_ref()?.batch else { return None };
    let message =
        format!("`batch = {size}` is more than the {rows} rows to train on: every batch contains all of them");
    (size > rows).then(|| Note::new("W0787", data, message).help("write `batch = all`, or a smaller number"))
}

impl Prepared {
    /// The `train` block.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the file has no `train` block.
    pub fn spec(&self) -> Result<&TrainSpec, Failure> {
        let spec = self.network.module.experiment.train.as_ref();
        spec.ok_or_else(|| {
            let message = Message::new("the file has no `train` block, so there is nothing to train").code("E0814");
            Failure::Usage(message.help("add `train { loss = mse optimizer = adam(lr = 0.001) epochs = 100 }`"))
        })
    }

    /// What a run begins with.
    #[must_use]
    pub fn beginning(&self) -> Beginning<'_> {
        Beginning { network: &self.network, tables: &self.tables, beside: self.beside.as_deref() }
    }

    /// A session on the requested device. All states are zero.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.device), Arc::clone(&self.network) as Arc<dyn Programs>)
    }

    /// The seed of the first weights.
    #[must_use]
    pub fn weights_seed(&self) -> u64 {
        self.network.module.experiment.seeds.weights
    }

    /// The run's seed: of the order of rows and of what is drawn while training.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.network.module.experiment.seeds.order
    }

    /// The device's name.
    #[must_use]
    pub fn device(&self) -> &'static str {
        self.device.name()
    }
}

/// Refuses data (E0755) that become infinite in the precision of the program, or when predictions are scaled back.
/// Returns notes if only their squares would be infinite, or if rounding makes different numbers equal.
fn fits_precision(spec: &DataSpec, precision: Precision, parts: &Parts) -> Result<Vec<Note>, Failure> {
    let file = match &spec.source {
        DataSource::Table(table) => &table.file.path,
        DataSource::Arrays(_) | DataSource::Formula(_) | DataSource::Images(_) => &spec.name,
    };
    match precision {
        Precision::F32 => {
            parts.fit_f32(file)?;
            let squares = (spec.task == Task::Regression).then(|| parts.squares_beyond_f32(file)).flatten();
            Ok(squares.into_iter().chain(parts.rounded_by_f32(file)).collect())
        }
        _ => Ok(vec![]),
    }
}

fn of_table(precision: Precision, parts: Parts) -> (Described, Tables, String, Vec<Note>) {
    let rows = |e: &gmpc_data::Examples| Rows::new(precision, e.rows, &e.inputs, &e.targets);
    let tables = Tables { train: rows(&parts.train), valid: parts.valid.as_ref().map(rows), test: rows(&parts.test) };
    let sha256 = hash(&parts);
    let class_rows = class_rows(&parts);
    let Parts { facts, labels, input_scale, target_scale, feature_names, target_names, notes, .. } = parts;
    let described = Described { facts, class_rows, labels, feature_names, target_names, input_scale, target_scale };
    (described, tables, sha256, notes)
}

fn class_rows(parts: &Parts) -> Vec<[usize; 3]> {
    let mut rows = vec![[0; 3]; parts.labels.len()];
    for (part, examples) in [Some(&parts.train), parts.valid.as_ref(), Some(&parts.test)].into_iter().enumerate() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "classes are numbered from 0")]
        let classes = examples.iter().flat_map(|examples| &examples.targets).map(|class| *class as usize);
        classes.for_each(|class| rows.iter_mut().skip(class).take(1).for_each(|counts| counts[part] += 1));
    }
    rows
}

fn of_images(precision: Precision, parts: gmpc_data::images::ImageParts) -> (Described, Tables, String, Vec<Note>) {
    let rows = |part| Rows::of_images(precision, part);
    let tables = Tables { train: rows(parts.train), valid: parts.valid.map(rows), test: rows(parts.test) };
    let (facts, labels, input_scale) = (parts.facts, parts.labels, Some(parts.scale));
    let (feature_names, target_names) = (vec![], vec![]);
    let described =
        Described { facts, class_rows: vec![], labels, feature_names, target_names, input_scale, target_scale: None };
    (described, tables, parts.sha256, parts.notes)
}

fn hash(parts: &Parts) -> String {
    let mut hash = Sha256::new();
    for part in [Some(&parts.train), parts.valid.as_ref(), Some(&parts.test)].into_iter().flatten() {
        hash.update((part.rows as u64).to_le_bytes());
        for numbers in [&part.inputs, &part.targets] {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            hash.update(bytes);
        }
    }
    gmpc_data::digest::hexadecimal(&hash.finalize())
}

impl From<gmpc_data::DataError> for Failure {
    fn from(error: gmpc_data::DataError) -> Self {
        let message =
            Message { message: error.to_string(), help: error.help.clone(), place: Some(Box::new((&error).into())) };
        match error.fault {
            gmpc_data::Fault::Data => Failure::Data(message),
            gmpc_data::Fault::InputOutput => Failure::Io(message),
        }
    }
}
