//! From what was typed to what the library takes: a request, and the network it asks for.

use crate::args::{DataDirArgs, DeviceArgs, DeviceName, FileArgs, OverrideArgs};
use crate::failure::{Failure, Findings, Kind};
use crate::output::Output;
use gmpc_compiler::experiment::Batch;
use gmpc_compiler::module::Module;
use gmpc_compiler::program::Goal;
use gmpc_compiler::resolve::Overrides;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, Sources};
use gmpc_runtime::data::Directories;
use gmpc_runtime::device::Device;
use gmpc_runtime::device::candle::Candle;
use gmpc_runtime::device::cpu::Cpu;
use gmpc_runtime::device::cuda;
use gmpc_runtime::network::Network;
use gmpc_runtime::request::{self, Request, Warnings};
use std::path::Path;
use std::sync::Arc;

/// Rows of a step where the file trains on all rows at once and they were not read.
const ROWS_WITHOUT_DATA: usize = 32;

/// No `.gmpnet` file is this large; a larger one was named by mistake.
const MOST_BYTES: u64 = 4 << 20;

/// Reads a text file of the language.
///
/// # Errors
/// It cannot be read, is no UTF-8 text, or is far too large.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let size = std::fs::metadata(path).map_err(|error| Failure::io("read", path, &error))?.len();
    if size > MOST_BYTES {
        let message = format!("{} has {size} bytes, more than any .gmpnet file", path.display());
        return Err(Failure::with_help(Kind::Io, message, "name the .gmpnet file, not its data"));
    }
    std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))
}

/// What `--param`, `--set` and `--seed` ask for.
///
/// # Errors
/// A `--set` without `=`.
pub fn overrides(param: Option<&str>, args: &OverrideArgs) -> Result<Overrides, Failure> {
    let set = args.set.iter().map(|text| key_value("--set", text)).collect::<Result<Vec<_>, _>>()?;
    Ok(Overrides { param: param.map(str::to_string), set, seed: args.seed, ..Overrides::default() })
}

/// `train.epochs=500` as key and value.
///
/// # Errors
/// There is no `=`.
pub fn key_value(option: &str, text: &str) -> Result<(String, String), Failure> {
    let split = text.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    match split.filter(|(key, _)| !key.is_empty()) {
        Some((key, value)) => Ok((key.to_string(), value.to_string())),
        None => Err(Failure::with_help(
            Kind::Usage,
            format!("`{option} {text}` has no `=`"),
            format!("write `{option} train.epochs=500`"),
        )),
    }
}

/// A request for a file with its options, on a device.
///
/// # Errors
/// The file cannot be read, a `--set` has no `=`.
pub fn request(args: &FileArgs, data: &DataDirArgs, device: Arc<dyn Device>) -> Result<Request, Failure> {
    let overrides = overrides(args.param.as_deref(), &args.overrides)?;
    request_for(&args.file, overrides, data, device)
}

/// As [`request()`], from a path and overrides.
///
/// # Errors
/// The file cannot be read.
pub fn request_for(
    file: &Path,
    overrides: Overrides,
    data: &DataDirArgs,
    device: Arc<dyn Device>,
) -> Result<Request, Failure> {
    let source = Source { name: file.display().to_string(), text: read_text(file)? };
    let directories = Directories::new(data.data_dir.as_deref(), Some(file));
    Ok(Request { file: source, overrides, directories, device })
}

/// Tells what there is to know about how programs ran on a device.
pub fn remark(device: &dyn Device, output: &Output) {
    device.remarks().iter().for_each(|remark| output.warn(remark));
}

/// The device that was asked for, with all of its threads.
///
/// # Errors
/// It is not there.
pub fn device(args: DeviceArgs) -> Result<Arc<dyn Device>, Failure> {
    device_with(args, threads(args))
}

/// As many threads as were asked for, else as many as there are cores.
pub fn threads(args: DeviceArgs) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    args.threads.map_or_else(cores, usize::from)
}

/// The device that was asked for, each of whose programs runs on so many threads.
///
/// # Errors
/// It is not there.
pub fn device_with(args: DeviceArgs, threads: usize) -> Result<Arc<dyn Device>, Failure> {
    Ok(match args.device {
        DeviceName::Cpu => Arc::new(Cpu::with_threads(threads)),
        DeviceName::Cuda => cuda::open().map_err(gmpc_runtime::failure::Failure::from)?,
        DeviceName::Candle => Arc::new(Candle),
    })
}

/// The resolved file; warnings are told.
///
/// # Errors
/// The file is wrong.
pub fn module(args: &FileArgs, data: &DataDirArgs, output: &Output) -> Result<Arc<Module>, Failure> {
    let (module, warnings) = request::read(&request(args, data, Arc::new(Cpu::default()))?)?;
    tell(warnings, output);
    Ok(module)
}

/// The network, without its rows where the file says enough; warnings are told.
///
/// # Errors
/// The file is wrong, or the data that would tell the shapes cannot be read.
pub fn network(args: &FileArgs, data: &DataDirArgs, output: &Output) -> Result<Arc<Network>, Failure> {
    let (network, warnings) = request::network(&request(args, data, Arc::new(Cpu::default()))?)?;
    tell(warnings, output);
    Ok(network)
}

/// Warnings with their places, on standard error.
pub fn tell(warnings: Warnings, output: &Output) {
    output.findings(&Findings { diagnostics: warnings.diagnostics, sources: warnings.sources });
}

/// Rows of a step: what was asked for, else what the file says, else a few.
pub fn batch(asked: Option<usize>, network: &Network) -> usize {
    let stated = network.module.experiment.train.as_ref().map(|train| train.batch);
    asked.unwrap_or(match stated {
        Some(Batch::Size(size)) => size,
        Some(Batch::All) | None => ROWS_WITHOUT_DATA,
    })
}

/// Training where the file trains; otherwise what comes nearest.
pub fn step_goal(network: &Network) -> Goal {
    match &network.module.training {
        Some(training) if training.optimizer.is_some() => Goal::Train,
        Some(_) => Goal::Evaluate,
        None => Goal::Predict,
    }
}

/// Errors of the file.
pub fn wrong(diagnostics: Vec<Diagnostic>, sources: Sources) -> Failure {
    Failure::File(Box::new(Findings { diagnostics, sources }))
}
