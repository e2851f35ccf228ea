//! From the arguments to the library's types: a request, and the network for it.

use crate::args::{DataDirArgs, DeviceArgs, DeviceName, FileArgs, OverrideArgs};
use crate::cuda;
use crate::failure::{Failure, Findings, Kind};
use crate::output::Output;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::Seeds;
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::stage::{Observer, Silent};
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, Sources};
use gmpc_runtime::program::network::Network;
use gmpc_runtime::task::check::stated_batch;
pub use gmpc_runtime::task::check::step_goal;
use gmpc_runtime::task::experiment::{self, Request, Warnings};
use gmpc_runtime::task::reopen::places_of_source;
use gmpc_runtime::timings::Timings;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Largest size of a `.gmpnet` file in bytes. A larger file was named by mistake.
const MOST_BYTES: u64 = 4 << 20;

/// Reads a `.gmpnet` file.
///
/// # Errors
/// The file cannot be read, is not UTF-8, or is too large.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let io = |error| Failure::io("read", path, &error);
    // Devices and pipes have no length, so the limit applies while reading.
    let file = std::fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MOST_BYTES {
        let message = format!("{} has more than {MOST_BYTES} bytes, more than any .gmpnet file", path.display());
        return Err(Failure::with_help(Kind::Io, message, "name the .gmpnet file, not its data"));
    }
    String::from_utf8(bytes).map_err(|error| io(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
}

/// The overrides of `--param`, `--set` and `--seed`.
///
/// # Errors
/// A `--set` has no `=`; a value is replaced twice.
pub fn overrides(param: Option<&str>, args: &OverrideArgs) -> Result<Overrides, Failure> {
    let set = args.set.iter().map(|text| key_value("--set", text)).collect::<Result<Vec<_>, _>>()?;
    once(set.iter().map(|(key, _)| key.as_str()).chain(param.map(|_| "param")).chain(args.seed.map(|_| "seed")))?;
    Ok(Overrides { param: param.map(str::to_string), set, seed: args.seed.map(Seeds::all), ..Overrides::default() })
}

/// Refuses to replace a value twice, because one of the two values would be ignored silently.
///
/// # Errors
/// A key appears twice.
pub fn once<'a>(keys: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut known = std::collections::BTreeSet::new();
    let mut twice = keys.filter(|key| !known.insert(*key));
    twice.next().map_or(Ok(()), |key| {
        let help = "leave one of them out: `--param` is short for `--set param=`, `--seed` for `--set seed=`";
        Err(Failure::with_help(Kind::Usage, format!("`{key}` is replaced twice"), help))
    })
}

/// Splits `train.epochs=500` into key and value.
///
/// # Errors
/// There is no `=`.
pub fn key_value(option: &str, text: &str) -> Result<(String, String), Failure> {
    let split = text.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
    match split.filter(|(key, _)| !key.is_empty()) {
        Some((key, value)) => Ok((key.to_string(), value.to_string())),
        None => Err(Failure::with_help(
            Kind::Usage,
            format!("`{option} {text}` is not `NAME=VALUE`"),
            if option == "--names" {
                "write `--names fc1=hidden`".into()
            } else {
                format!("write `{option} train.epochs=500`")
            },
        )),
    }
}

/// A request for a file with its options on a device.
///
/// # Errors
/// The file cannot be read; a `--set` has no `=`.
pub fn request(args: &FileArgs, data: &DataDirArgs, device: Arc<dyn Device>) -> Result<Request, Failure> {
    let overrides = overrides(args.param.as_deref(), &args.overrides)?;
    request_for(&args.file, overrides, data, device)
}

/// As [`request()`], with a path and overrides.
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
    let request = Request { file: source, overrides, directories, device, observer: Arc::new(Silent) };
    Ok(of_kept_source(file, request))
}

/// The `source.gmpnet` of a run names data relative to the original file's folder. The data are therefore searched
/// there.
fn of_kept_source(file: &Path, request: Request) -> Request {
    let places = places_of_source(file, &request.directories);
    if places.is_empty() {
        return request;
    }
    let Ok((module, _)) = experiment::read(&request) else { return request }; // the next reader reports the errors
    let Some(spec) = &module.experiment.data else { return request };
    let found = places.iter().find(|place| gmpc_data::probe(spec, place).is_ok()).or(places.first()).cloned();
    Request { directories: found.unwrap_or_else(|| request.directories.clone()), ..request }
}

/// Prints remarks of a device about how programs ran.
pub fn remark(device: &dyn Device, output: &Output) {
    device.remarks().iter().for_each(|remark| output.warn(remark));
}

/// The device of the options, with all of its threads.
///
/// # Errors
/// The device is not available.
pub fn device(args: DeviceArgs) -> Result<Arc<dyn Device>, Failure> {
    device_with(args, threads(args))
}

/// The number of threads of the options, or else the number of CPU cores.
pub fn threads(args: DeviceArgs) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    args.threads.map_or_else(cores, usize::from)
}

/// The device of the options. Each of its programs runs on `threads` threads.
///
/// # Errors
/// The device is not available.
pub fn device_with(args: DeviceArgs, threads: usize) -> Result<Arc<dyn Device>, Failure> {
    Ok(match args.device {
        DeviceName::Cpu => Arc::new(Cpu::with_threads(threads)),
        DeviceName::Cuda => cuda::open().map_err(gmpc_runtime::failure::Failure::from)?,
        DeviceName::Candle => gmpc_device_reference::open().map_err(gmpc_runtime::failure::Failure::from)?,
    })
}

/// The resolved file. Prints its warnings.
///
/// # Errors
/// The file has errors.
pub fn module(
    args: &FileArgs,
    data: &DataDirArgs,
    observer: Arc<dyn Observer>,
    output: &Output,
) -> Result<Arc<Module>, Failure> {
    let request = Request { observer, ..request(args, data, Arc::new(Cpu::default()))? };
    let (module, warnings) = experiment::read(&request)?;
    tell(warnings, output);
    Ok(module)
}

/// The network without its rows, if the file says enough. Prints warnings.
///
/// # Errors
/// The file has errors, or data that determine the shapes cannot be read.
pub fn network(args: &FileArgs, data: &DataDirArgs, output: &Output) -> Result<Arc<Network>, Failure> {
    network_with(args, data, Arc::new(Silent), output)
}

/// As [`network`], with an observer of the compiler's stages.
///
/// # Errors
/// The errors of [`network`].
pub fn network_with(
    args: &FileArgs,
    data: &DataDirArgs,
    observer: Arc<dyn Observer>,
    output: &Output,
) -> Result<Arc<Network>, Failure> {
    let request = Request { observer, ..request(args, data, Arc::new(Cpu::default()))? };
    let (network, warnings) = experiment::network(&request)?;
    tell(warnings, output);
    Ok(network)
}

/// The times of the compiler's stages, if `--timings` asks for them, and the observer that measures them.
pub fn clock(asked: bool) -> (Option<Arc<Timings>>, Arc<dyn Observer>) {
    if !asked {
        return (None, Arc::new(Silent));
    }
    let timings = Arc::new(Timings::default());
    (Some(Arc::clone(&timings)), timings)
}

/// Prints warnings with their positions and notes about the data to standard error.
pub fn tell(warnings: Warnings, output: &Output) {
    output.findings(&Findings { diagnostics: warnings.diagnostics, sources: warnings.sources });
    output.notes(&warnings.notes);
}

/// Number of rows in a step: from the options, or else from the file, or else a small default.
pub fn batch(asked: Option<usize>, network: &Network) -> usize {
    asked.unwrap_or_else(|| stated_batch(network))
}

/// The failure for errors in a file.
pub fn wrong(diagnostics: Vec<Diagnostic>, sources: Sources) -> Failure {
    Failure::File(Box::new(Findings { diagnostics, sources }))
}
