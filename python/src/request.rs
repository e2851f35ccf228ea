//! From arguments in Python to a request of the library.

use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::Seeds;
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::source::Source;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::task::experiment::Request;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The settings of a file that are replaced, as text of the language.
pub type Set = Vec<(String, String)>;

/// Overrides as `--param`, `--set` and `--seed` of the program say them.
pub fn overrides(param: Option<String>, set: Set, seed: Option<u64>) -> Overrides {
    Overrides { param, set, seed: seed.map(Seeds::all), ..Overrides::default() }
}

/// The CPU with so many threads, by default as many as there are cores.
pub fn device(threads: Option<NonZero<usize>>) -> Arc<dyn Device> {
    Arc::new(Cpu::with_threads(count(threads)))
}

/// So many threads, by default as many as there are cores.
pub fn count(threads: Option<NonZero<usize>>) -> usize {
    threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get)
}

/// A request for a file.
///
/// # Errors
/// It cannot be read.
pub fn of_file(
    file: &Path,
    overrides: Overrides,
    data_dir: Option<&Path>,
    device: Arc<dyn Device>,
) -> Result<Request, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::io("read", file, &error))?;
    Ok(of_text((file.display().to_string(), text), Some(file), overrides, data_dir, device))
}

/// A request for a text under a name; tables that it names are looked for beside `beside`.
pub fn of_text(
    (name, text): (String, String),
    beside: Option<&Path>,
    overrides: Overrides,
    data_dir: Option<&Path>,
    device: Arc<dyn Device>,
) -> Request {
    let directories = Directories::new(data_dir, beside);
    Request { file: Source { name, text }, overrides, directories, device, observer: Arc::new(Silent) }
}

/// Where data are looked for, of a run that knows its own file.
pub fn directories(data_dir: Option<&PathBuf>) -> Directories {
    Directories::new(data_dir.map(PathBuf::as_path), None)
}
