//! From a text to a network or to a request, for the tests that call the crates instead of the program.

use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::Net;
use gmpc_compiler::stage::Silent;
use gmpc_compiler::{elaborate, front};
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Source;
use gmpc_runtime::task::experiment::Request;
use std::sync::Arc;

/// Compiles a text as far as the network.
///
/// # Errors
/// All diagnostics of the stage that failed, as one text.
pub fn compile(text: &str) -> Result<(Module, Net), String> {
    let (module, _) =
        front(source(text), &Overrides::default(), &Silent).map_err(|failure| messages(&failure.diagnostics))?;
    let net = elaborate(&module, None, &Silent).map_err(|errors| messages(&errors))?;
    Ok((module, net))
}

/// Compiles a text that has no error; fails the test with the text and its errors otherwise.
#[track_caller]
pub fn compiled(text: &str) -> (Module, Net) {
    compile(text).unwrap_or_else(|messages| panic!("{text}\n{messages}"))
}

/// Codes, messages and next steps of diagnostics, as one text.
pub fn messages(errors: &[Diagnostic]) -> String {
    let one = |e: &Diagnostic| format!("{} {} {:?}", e.code, e.message, e.help);
    errors.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A request for a file on a device. Its data folder does not exist: only computed data can be used.
pub fn request(file: Source, overrides: Overrides, device: Arc<dyn Device>) -> Request {
    let directories = Directories { data: "nowhere".into(), beside: None };
    Request { file, overrides, directories, device, observer: Arc::new(Silent) }
}

/// Overrides that choose a parameterization and a precision.
#[cfg(feature = "cuda")]
pub fn overrides(param: &str, precision: &str) -> Overrides {
    let set = vec![("precision".to_string(), precision.to_string())];
    Overrides { param: Some(param.into()), set, ..Overrides::default() }
}

/// A text as a file whose name does not matter.
pub fn source(text: &str) -> Source {
    Source { name: "test.gmpnet".to_string(), text: text.to_string() }
}
