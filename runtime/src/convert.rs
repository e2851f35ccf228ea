//! `convert`: a trained network written in another parameterization.

use crate::checkpoint::{Checkpoint, Disk, encode, sha256, write_atomically};
use crate::data::Directories;
use crate::device::Device;
use crate::device::candle::Candle;
use crate::failure::Failure;
use crate::launch::{facts, reopened_network, reopened_request};
use crate::network::{Network, wrong};
use crate::request::{Warnings, network_for};
use crate::rows::rounded;
use crate::run_folder::{About, RunFolder};
use crate::session::Programs;
use crate::states::{Named, Stored};
use gmpc_compiler::convert::{Tensors, convert as convert_tensors};
use gmpc_compiler::graph::Tensor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes the weights a run ended with in parameterization `param`: to `out` where that ends in `.safetensors`, by default to
/// `best.PARAM.safetensors` in the run's folder; any other `out` becomes a run folder. Returns what was written. Neither the data nor a device are needed.
///
/// # Errors
/// No run folder or no checkpoint; a parameterization that is not known, or in which the network cannot be written; faults of
/// the disk.
pub fn convert(run: &Path, param: &str, out: Option<&Path>) -> Result<(PathBuf, Warnings), Failure> {
    let (folder, about) = RunFolder::open(run)?;
    let directories = Directories { data: PathBuf::new(), beside: None };
    let device: Arc<dyn Device> = Arc::new(Candle); // nothing is run
    let (from, _) = reopened_network(&folder, &about, &directories, &device)?;
    let mut request = reopened_request(&folder, &about, &directories, &device)?;
    request.overrides.param = Some(param.to_string());
    let (to, warnings) = network_for(&request, &facts(&about))?;
    let weights = tensors(folder.weights(&about)?.tensors);
    let converted = convert_tensors(&from.module, &from.net, &weights, &to.module, &to.net);
    let converted = converted.map_err(|diagnostics| wrong(&to.module, diagnostics))?;
    let stored = |(name, tensor): (String, Tensor)| {
        (name, Stored { shape: tensor.shape, numbers: rounded(to.precision(), &tensor.data) })
    };
    let tensors: Named = converted.into_iter().map(stored).collect();
    let weights = encode(&Checkpoint { progress: None, tensors })?;
    if let Some(out) = out.filter(|out| out.extension().is_none_or(|extension| extension != "safetensors")) {
        return Ok((run_folder(out, &about, &to, &weights)?, warnings));
    }
    let name = to.module.experiment.param.replace(" + ", "-");
    let path = out.map_or_else(|| folder.file(&format!("best.{name}.safetensors")), Path::to_path_buf);
    write_atomically(&mut Disk, &path, &weights, None)?;
    Ok((path, warnings))
}

/// A run folder of the converted network: same data, seed and scales, another parameterization, no training of its own.
fn run_folder(path: &Path, about: &About, to: &Network, weights: &[u8]) -> Result<PathBuf, Failure> {
    let source = &to.module.effective_source;
    let about = About {
        gmpc: env!("CARGO_PKG_VERSION").into(),
        param: to.module.experiment.param.clone(),
        source_sha256: sha256(source.as_bytes()),
        ends_with_best: true, // its only weights
        ..about.clone()
    };
    let folder = RunFolder::create(Some(path), &about, source)?;
    folder.write("best.safetensors", weights)?;
    Ok(folder.path)
}

/// A checkpoint's tensors for the compiler, widened.
pub(crate) fn tensors(named: Named) -> Tensors {
    let tensor = |stored: Stored| Tensor { data: stored.numbers.as_slice().to_f64(), shape: stored.shape };
    named.into_iter().map(|(name, stored)| (name, tensor(stored))).collect()
}
