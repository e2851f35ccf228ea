//! From what a person asked for to a network with its data: reading, resolving, loading, shaping.

use crate::data::{self, Directories, Parts, Scale};
use crate::device::Device;
use crate::failure::{Failure, Told};
use crate::network::{Network, wrong};
use crate::rows::Rows;
use crate::session::{Programs, Session};
use crate::train::Tables;
use gmpc_compiler::experiment::{DataFacts, Precision, Select, TrainSpec};
use gmpc_compiler::infer::infer;
use gmpc_compiler::module::Module;
use gmpc_compiler::resolve::{self, Overrides};
use gmpc_compiler::{Options, TargetScale};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, Sources};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What is asked for.
#[derive(Clone)]
pub struct Request {
    /// The `.gmpnet` file: the name it is known by, and its text.
    pub file: Source,
    /// `--param`, `--set`, `--seed`.
    pub overrides: Overrides,
    /// Where data are looked for.
    pub directories: Directories,
    /// Where programs run.
    pub device: Arc<dyn Device>,
}

/// Something worth telling that does not stop the work, with the texts its places lie in.
#[derive(Debug, Clone, Default)]
pub struct Warnings {
    /// Warnings only.
    pub diagnostics: Vec<Diagnostic>,
    /// What their spans refer to.
    pub sources: Sources,
}

/// A network with its data.
pub struct Prepared {
    /// The resolved file and its network.
    pub network: Arc<Network>,
    /// What an example is, and how it was scaled.
    pub described: Described,
    /// In the program's precision.
    pub tables: Tables,
    /// SHA-256 of all parts, so that a resumed run notices other data.
    pub data_sha256: String,
    /// Told once.
    pub warnings: Warnings,
    device: Arc<dyn Device>,
}

/// What the rows of a run's data are.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Of the whole data set.
    pub facts: DataFacts,
    /// Names of class 0, 1, …; empty for regression.
    pub labels: Vec<String>,
    /// How inputs were scaled: of a table each feature, of images each channel after the division by 255.
    pub input_scale: Option<Scale>,
    /// How targets were scaled.
    pub target_scale: Option<Scale>,
}

/// Reads and resolves the file.
///
/// # Errors
/// [`Failure::File`] with everything found wrong.
pub fn read(request: &Request) -> Result<(Arc<Module>, Warnings), Failure> {
    match resolve::read(request.file.clone(), &request.overrides) {
        Ok((module, diagnostics)) => {
            let sources = module.sources.clone();
            Ok((Arc::new(module), Warnings { diagnostics, sources }))
        }
        Err(resolve::Failure { sources, diagnostics }) => {
            Err(Failure::File { diagnostics, sources: Box::new(sources) })
        }
    }
}

/// The network without its rows: shapes come from the model, from what the data set declares, or from a look into its file.
///
/// # Errors
/// [`Failure::File`]: shapes that do not fit, or none at all; [`Failure::Data`] where the file had to be looked into.
pub fn network(request: &Request) -> Result<(Arc<Network>, Warnings), Failure> {
    let (module, warnings) = read(request)?;
    let facts = module.experiment.data.as_ref().map(|spec| data::probe(spec, &request.directories)).transpose();
    let net = match (infer(&module, facts.as_ref().ok().and_then(Option::as_ref)), facts) {
        (Ok(net), _) => net,
        (Err(_), Err(missing)) => return Err(missing.into()), // the shapes would have come from there
        (Err(diagnostics), Ok(_)) => return Err(wrong(&module, diagnostics)),
    };
    Ok((Arc::new(Network::new(module, net, Options::default())?), warnings))
}

/// What a network needs to know of its data when the data are not there.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Features, outputs, classes.
    pub shape: DataFacts,
    /// How targets were standardized.
    pub target_scale: Option<Scale>,
}

/// The network for data of which these facts are known.
///
/// # Errors
/// [`Failure::File`].
pub fn network_for(request: &Request, facts: &Facts) -> Result<(Arc<Network>, Warnings), Failure> {
    let (module, warnings) = read(request)?;
    Ok((Arc::new(shaped(module, facts)?), warnings))
}

fn shaped(module: Arc<Module>, facts: &Facts) -> Result<Network, Failure> {
    let net = infer(&module, Some(&facts.shape)).map_err(|diagnostics| wrong(&module, diagnostics))?;
    let scale = facts.target_scale.as_ref();
    let target_scale = scale.map(|s| TargetScale { scale: s.deviation.clone(), shift: s.mean.clone() });
    Network::new(module, net, Options { target_scale })
}

/// The network with its rows loaded, cut and scaled.
///
/// # Errors
/// As [`network`]; and data that are missing or damaged.
pub fn prepare(request: &Request) -> Result<Prepared, Failure> {
    let (module, warnings) = read(request)?;
    let Some(spec) = &module.experiment.data else {
        let told = Told::new(format!("{} names no data", request.file.name));
        return Err(Failure::Usage(told.help("add a line such as `data = uci.yacht`, or use `--set data=uci.yacht`")));
    };
    let select = module.experiment.train.as_ref().map_or(Select::Valid, |train| train.select);
    let precision = module.experiment.precision;
    let seed = module.experiment.seed;
    let (described, tables, data_sha256) = match spec.images() {
        Some(images) => {
            let augment = module.experiment.train.as_ref().map_or(&[][..], |train| &train.augment);
            let parts = data::images::prepare(spec, images, augment, select, seed, &request.directories)?;
            of_images(precision, parts)
        }
        None => of_table(precision, data::prepare(spec, select, seed, &request.directories)?),
    };
    let facts = Facts { shape: described.facts.clone(), target_scale: described.target_scale.clone() };
    let network = Arc::new(shaped(module, &facts)?);
    Ok(Prepared { network, described, tables, data_sha256, warnings, device: Arc::clone(&request.device) })
}

impl Prepared {
    /// The `train` block.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the file has none.
    pub fn spec(&self) -> Result<&TrainSpec, Failure> {
        let spec = self.network.module.experiment.train.as_ref();
        spec.ok_or_else(|| {
            let told = Told::new("the file has no `train` block, so there is nothing to train");
            Failure::Usage(told.help("add `train { loss = mse optimizer = adam(lr = 0.001) epochs = 100 }`"))
        })
    }

    /// A session on the requested device, all states zero.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.device), Arc::clone(&self.network) as Arc<dyn Programs>)
    }

    /// The run's seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.network.module.experiment.seed
    }

    /// The device's name.
    #[must_use]
    pub fn device(&self) -> &'static str {
        self.device.name()
    }
}

fn of_table(precision: Precision, parts: Parts) -> (Described, Tables, String) {
    let rows = |e: &data::Examples| Rows::new(precision, e.rows, &e.inputs, &e.targets);
    let tables = Tables { train: rows(&parts.train), valid: parts.valid.as_ref().map(rows), test: rows(&parts.test) };
    let sha256 = hash(&parts);
    let Parts { facts, labels, input_scale, target_scale, .. } = parts;
    (Described { facts, labels, input_scale, target_scale }, tables, sha256)
}

fn of_images(precision: Precision, parts: data::images::ImageParts) -> (Described, Tables, String) {
    let rows = |part| Rows::of_images(precision, part);
    let tables = Tables { train: rows(parts.train), valid: parts.valid.map(rows), test: rows(parts.test) };
    let (facts, labels, input_scale) = (parts.facts, parts.labels, Some(parts.scale));
    (Described { facts, labels, input_scale, target_scale: None }, tables, parts.sha256)
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
    crate::checkpoint::hexadecimal(&hash.finalize())
}

impl From<data::DataError> for Failure {
    fn from(error: data::DataError) -> Self {
        let told = Told { message: error.to_string(), help: error.help.clone() };
        match error.fault {
            data::Fault::Data => Failure::Data(told),
            data::Fault::InputOutput => Failure::Io(told),
        }
    }
}
