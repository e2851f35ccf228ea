//! `gmpc data …`: lists, describes, downloads, imports and verifies data sets.

mod fetch;
mod import;
mod info;
mod list;
mod verify;

use crate::args::{DataCommand, DataDirArgs};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::project::request_for;
use gmpc_compiler::front;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::{DataSource, DataSpec};
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::ast;
use gmpc_grammar::source::Source;
use std::path::Path;
use std::sync::Arc;

/// Runs one of the commands about data.
///
/// # Errors
/// The data set is unknown; a file, the network or a checksum fails.
pub fn run(command: &DataCommand, output: &Output) -> Result<(), Failure> {
    match command {
        DataCommand::List(data) => list::run(data, output),
        DataCommand::Info(args) => info::run(args, output),
        DataCommand::Fetch(args) => fetch::run(args, output),
        DataCommand::Import(args) => import::run(args, output),
        DataCommand::Verify { name, data } => verify::run(name.as_deref(), data, output),
    }
}

/// Resolves a small file that uses a data set. This turns the name of a data set into its declaration.
fn using(data: Option<&str>) -> Result<Module, Failure> {
    let data = data.map_or(String::new(), |name| format!("data = {name}\n"));
    let text = format!("{data}model any(input: [1]) {{ input -> linear(1) }}\n");
    let source = Source { name: "gmpc data".into(), text };
    Ok(front(source, &Overrides::default(), &Silent)?.0)
}

/// Names of the data sets in the standard library.
fn names() -> Result<Vec<String>, Failure> {
    let definitions = using(None)?.definitions;
    Ok(definitions.into_keys().filter(|(kind, _)| *kind == ast::Kind::Dataset).map(|(_, name)| name).collect())
}

/// The declaration of a data set by its name, or of the one that a `.gmpnet` file uses, and the folders of its files.
fn find(name: &str, data: &DataDirArgs) -> Result<(DataSpec, Directories), Failure> {
    let path = Path::new(name);
    if path.extension().is_some_and(|ending| ending == "gmpnet") {
        // As training would search them. For the `source.gmpnet` of a run these are the folders of the original file.
        let request = request_for(path, Overrides::default(), data, Arc::new(Cpu::default()))?;
        let module = declared(&request.file)?;
        let help = "add a line such as `data = uci.yacht`, or name a data set";
        let no_data = || Failure::with_help(Kind::Usage, format!("{name} uses no data set"), help);
        return Ok((module.experiment.data.ok_or_else(no_data)?, request.directories));
    }
    let names = names()?;
    if !names.iter().any(|known| known == name) {
        let near = gmpc_grammar::similar::nearest(name, names.iter().map(String::as_str));
        let help = near.map_or("`gmpc data list` names them".to_string(), |near| format!("did you mean `{near}`?"));
        return Err(Failure::with_help(Kind::Usage, format!("there is no data set `{name}`"), help));
    }
    let missing = || Failure::new(Kind::Bug, format!("the data set {name} has no declaration"));
    let spec = using(Some(name))?.experiment.data.ok_or_else(missing)?;
    Ok((spec, Directories::new(data.data_dir.as_deref(), None)))
}

/// Resolves a file. It may leave the size of images open (E0715), which listing and verifying them do not need.
fn declared(source: &Source) -> Result<Module, Failure> {
    let failure = match front(source.clone(), &Overrides::default(), &Silent) {
        Ok((module, _)) => return Ok(module),
        Err(failure) => failure,
    };
    if failure.diagnostics.iter().any(|diagnostic| diagnostic.code != "E0715") {
        return Err(failure.into());
    }
    let any = ("data.transform".to_string(), "[resize(8), center_crop(8)]".to_string());
    let overrides = Overrides { set: vec![any], ..Overrides::default() };
    let Ok((mut module, _)) = front(source.clone(), &overrides, &Silent) else { return Err(failure.into()) };
    if let Some(DataSource::Images(images)) = module.experiment.data.as_mut().map(|data| &mut data.source) {
        images.transform.clear();
    }
    Ok(module)
}
