//! `gmpc data …`: which data sets there are, where they are, getting them.

mod fetch;
mod import;
mod info;
mod list;
mod verify;

use crate::args::{DataCommand, DataDirArgs};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::project::read_text;
use gmpc_compiler::experiment::DataSpec;
use gmpc_compiler::module::Module;
use gmpc_compiler::resolve::{self, Overrides};
use gmpc_grammar::ast;
use gmpc_grammar::source::Source;
use gmpc_runtime::data::Directories;
use std::path::Path;

/// Does what was asked for.
///
/// # Errors
/// An unknown data set; the disk, the network, a wrong checksum.
pub fn run(command: &DataCommand, output: &Output) -> Result<(), Failure> {
    match command {
        DataCommand::List(data) => list::run(data, output),
        DataCommand::Info(args) => info::run(args, output),
        DataCommand::Fetch(args) => fetch::run(args, output),
        DataCommand::Import(args) => import::run(args, output),
        DataCommand::Verify { name, data } => verify::run(name.as_deref(), data, output),
    }
}

/// A small file that uses a data set, resolved: how a name becomes a declaration.
fn using(data: Option<&str>) -> Result<Module, Failure> {
    let data = data.map_or(String::new(), |name| format!("data = {name}\n"));
    let text = format!("{data}model any(input: [1]) {{ input -> linear(1) }}\n");
    let source = Source { name: "gmpc data".into(), text };
    Ok(resolve::read(source, &Overrides::default())?.0)
}

/// Names of the standard library's data sets.
fn names() -> Result<Vec<String>, Failure> {
    let definitions = using(None)?.definitions;
    Ok(definitions.into_keys().filter(|(kind, _)| *kind == ast::Kind::Dataset).map(|(_, name)| name).collect())
}

/// The declaration behind a name, or the one a `.gmpnet` file uses, and where its files are looked for.
fn find(name: &str, data: &DataDirArgs) -> Result<(DataSpec, Directories), Failure> {
    let path = Path::new(name);
    let option = data.data_dir.as_deref();
    if path.extension().is_some_and(|ending| ending == "gmpnet") {
        let source = Source { name: name.to_string(), text: read_text(path)? };
        let (module, _) = resolve::read(source, &Overrides::default())?;
        let no_data = || Failure::new(Kind::Usage, format!("{name} uses no data set"));
        return Ok((module.experiment.data.ok_or_else(no_data)?, Directories::new(option, Some(path))));
    }
    let names = names()?;
    if !names.iter().any(|known| known == name) {
        let near = gmpc_grammar::similar::nearest(name, names.iter().map(String::as_str));
        let help = near.map_or("`gmpc data list` names them".to_string(), |near| format!("did you mean `{near}`?"));
        return Err(Failure::with_help(Kind::Usage, format!("there is no data set `{name}`"), help));
    }
    let missing = || Failure::new(Kind::Bug, format!("the data set {name} has no declaration"));
    let spec = using(Some(name))?.experiment.data.ok_or_else(missing)?;
    Ok((spec, Directories::new(option, None)))
}
