//! `convert`: writes a trained network in another parameterization.

use crate::failure::{Failure, Message};
use crate::program::network::{Network, wrong};
use crate::program::session::Programs;
use crate::run::checkpoint::{Checkpoint, encode};
use crate::run::folder::{About, RunFolder};
use crate::run::output;
use crate::task::experiment::{Warnings, network_for};
use crate::task::reopen::{facts, reopened_network, reopened_request};
use gmpc_compiler::graphs::convert::{Tensors, convert as convert_tensors};
use gmpc_compiler::ir::graph::Tensor;
use gmpc_data::Directories;
use gmpc_data::digest::sha256;
use gmpc_data::rounded;
use gmpc_device::Device;
use gmpc_device::states::named::{Named, Stored};
use gmpc_device_cpu::Cpu;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes the final weights of a run in parameterization `param`. Without `out`, the file is `best.PARAM.safetensors`
/// in the run's folder. An `out` that ends in `.safetensors` names the file; any other `out` becomes a run folder.
/// `scaling` gets the part of the file's metadata about rows and their scaling, as JSON. Returns the path that was
/// written. Needs neither the data nor a device.
///
/// # Errors
/// There is no run folder or no checkpoint; the parameterization is unknown or cannot represent the network; a file
/// cannot be read or written.
pub fn convert(
    run: &Path,
    param: &str,
    out: Option<&Path>,
    scaling: Option<&Path>,
) -> Result<(PathBuf, Warnings), Failure> {
    let (folder, about) = RunFolder::open(run)?;
    if let Some(out) = out {
        output::check(out, &[])?;
    }
    if let Some(scaling) = scaling {
        output::check(scaling, &out.into_iter().collect::<Vec<_>>())?;
        output::check_ending(scaling, &["json"])?;
    }
    // All output paths are checked above, before any work is done.
    let directories = Directories { data: PathBuf::new(), beside: None };
    let device: Arc<dyn Device> = Arc::new(Cpu::default()); // only a name is needed; nothing runs
    let (from, _) = reopened_network(&folder, &about, &directories, &device)?;
    let mut request = reopened_request(&folder, &about, &directories, &device)?;
    request.overrides.param = Some(param.to_string());
    let (to, warnings) = network_for(&request, &facts(&about))?;
    let weights = tensors(folder.weights(&about)?.tensors);
    let converted = convert_tensors(&from.module, &from.net, &weights, &to.module, &to.net);
    let converted = converted.map_err(|diagnostics| wrong(&to.module, diagnostics))?;
    // Converted in f64, and rounded once to the precision of the run.
    let stored = |(name, tensor): (String, Tensor)| {
        (name, Stored { shape: tensor.shape, numbers: rounded(to.precision(), &tensor.data) })
    };
    let tensors: Named = converted.into_iter().map(stored).collect();
    let of = converted_about(&about, &to);
    let described = described(&about, &of)?;
    let inputs = Some(described.to_string());
    let weights =
        encode(&Checkpoint { progress: None, run: Some(of.identity()), inputs, tensors, ..Checkpoint::default() })?;
    if let Some(scaling) = scaling {
        let text = serde_json::to_string_pretty(&described).map_err(|error| Failure::Bug(error.to_string()))? + "\n";
        output::write_text(scaling, &text)?;
    }
    let is_file = |out: &Path| {
        let special = std::fs::metadata(out).is_ok_and(|found| !found.is_file() && !found.is_dir());
        special || out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"))
    };
    if let Some(out) = out.filter(|out| !is_file(out)) {
        check_ending_of_folder(out)?;
        if out.join("run.json").exists() {
            let message = Message::new(format!("{} already holds a run", out.display())).at("E0801", out);
            return Err(Failure::Usage(message.help("choose another folder with --output")));
        }
        let folder = RunFolder::create(Some(out), false, &of, &to.module.effective_source)?;
        folder.write("best.safetensors", &weights)?;
        return Ok((folder.path, warnings));
    }
    let name = to.module.experiment.param.replace(" + ", "-");
    let path = out.map_or_else(|| folder.file(&format!("best.{name}.safetensors")), Path::to_path_buf);
    output::write(&path, |to| to.write_all(&weights))?;
    Ok((path, warnings))
}

/// The metadata for readers that have only the weights: what a row is, how it is scaled, how the classes are called,
/// and which run the weights are from.
fn described(parent: &About, converted: &About) -> Result<Value, Failure> {
    let mut all = serde_json::to_value(&parent.inputs).map_err(|error| Failure::Bug(error.to_string()))?;
    all["precision"] = json!(converted.precision);
    all["model"] = json!(converted.model);
    all["param"] = json!(converted.param);
    all["gmpc"] = json!(converted.gmpc);
    all["parent"] = json!({
        "run": parent.identity(),
        "gmpc": parent.gmpc,
        "param": parent.param,
        "data": parent.data,
        "seed": parent.seed,
        "source_sha256": parent.source_sha256,
        "data_sha256": parent.data_sha256,
    });
    Ok(all)
}

/// The description of the converted network: the same data, seed and scales, another parameterization, and no training
/// of its own.
fn converted_about(about: &About, to: &Network) -> About {
    About {
        gmpc: env!("CARGO_PKG_VERSION").into(),
        param: to.module.experiment.param.clone(),
        source_sha256: sha256(to.module.effective_source.as_bytes()),
        ends_with_best: true, // `best` holds the only weights
        converted: true,
        ..about.clone()
    }
}

/// Refuses a folder whose name ends like a file of weights: the user probably expects such a file.
fn check_ending_of_folder(out: &Path) -> Result<(), Failure> {
    const FILES: [&str; 18] = [
        "bin", "ckpt", "csv", "gguf", "h5", "hdf5", "joblib", "json", "keras", "mat", "npy", "npz", "onnx", "pb",
        "pickle", "pkl", "pt", "pth",
    ];
    let ending = out.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !FILES.contains(&ending.as_str()) {
        return Ok(());
    }
    let message = Message::new(format!("{}: this command writes no `.{ending}` files", out.display())).at("E0808", out);
    Err(Failure::Usage(message.help("name a file that ends in `.safetensors`, or a folder")))
}

/// A checkpoint's tensors as the compiler takes them, widened to f64.
pub fn tensors(named: Named) -> Tensors {
    let tensor = |stored: Stored| Tensor { data: stored.numbers.as_slice().to_f64(), shape: stored.shape };
    named.into_iter().map(|(name, stored)| (name, tensor(stored))).collect()
}
