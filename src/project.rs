//! From the file named on the command line to a network whose shapes are known.

use crate::args::{DataDirArgs, FileArgs, OverrideArgs};
use crate::failure::{Failure, Findings, Kind};
use crate::output::Output;
use gmpc_compiler::experiment::DataFacts;
use gmpc_compiler::module::Module;
use gmpc_compiler::resolve::{self, Overrides};
use gmpc_compiler::{Compiler, Options};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Source;
use gmpc_runtime::data::{Directories, probe};
use std::path::Path;
use std::sync::Arc;

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

/// Reads and resolves a file; its warnings are told.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn module(args: &FileArgs, output: &Output) -> Result<Arc<Module>, Failure> {
    let overrides = overrides(args.param.as_deref(), &args.overrides)?;
    module_of(&args.file, &overrides, output)
}

/// As [`module`], from a path and overrides.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn module_of(file: &Path, overrides: &Overrides, output: &Output) -> Result<Arc<Module>, Failure> {
    let source = Source { name: file.display().to_string(), text: read_text(file)? };
    let (module, diagnostics) = resolve::read(source, overrides)?;
    output.findings(&Findings { diagnostics, sources: module.sources.clone() });
    Ok(Arc::new(module))
}

/// Where the files of a data set are looked for.
pub fn directories(args: &DataDirArgs, file: &Path) -> Directories {
    Directories::new(args.data_dir.as_deref(), Some(file))
}

/// A network with its shapes, from what the file states about its data or, failing that, from the data themselves.
///
/// # Errors
/// The file is wrong, or the data that would tell the shapes cannot be read.
pub fn compiler(args: &FileArgs, data: &DataDirArgs, output: &Output) -> Result<Compiler, Failure> {
    let module = module(args, output)?;
    let facts = facts(&module, &directories(data, &args.file))?;
    let sources = module.sources.clone();
    Compiler::new(module, facts.as_ref(), Options::default()).map_err(|errors| wrong(errors, sources))
}

/// What shape inference needs to know of the data.
fn facts(module: &Module, directories: &Directories) -> Result<Option<DataFacts>, Failure> {
    match &module.experiment.data {
        Some(data) if module.declared_facts().is_none() => Ok(Some(probe(data, directories)?)),
        _ => Ok(module.declared_facts()),
    }
}

/// Errors of the file.
pub fn wrong(diagnostics: Vec<Diagnostic>, sources: gmpc_grammar::source::Sources) -> Failure {
    Failure::File(Box::new(Findings { diagnostics, sources }))
}
