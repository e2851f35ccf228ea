//! The front end of the compiler through its public functions: from text to a network with known shapes.

mod bounds;
mod complaints;
mod effective;
mod explained;
mod functions;
mod mutated;
mod nets;
mod reference;

use gmpc_compiler::front;
use gmpc_compiler::front::resolve::{Failure, Overrides};
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::stage::Silent;
use gmpc_grammar::diagnostic::{Diagnostic, render};
use gmpc_grammar::source::{Source, Sources};

/// Resolves a text under the name `case.gmpnet`.
fn resolved(text: &str, overrides: &Overrides) -> Result<(Module, Vec<Diagnostic>), Failure> {
    front(Source { name: "case.gmpnet".to_string(), text: text.to_string() }, overrides, &Silent)
}

/// Makes overrides of texts `key=value`.
fn set(edits: &[&str]) -> Overrides {
    let pairs = edits.iter().filter_map(|edit| edit.split_once('='));
    Overrides { set: pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect(), ..Overrides::default() }
}

/// Returns diagnostics as they are shown.
fn shown(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    diagnostics.iter().map(|d| render(d, sources)).collect::<Vec<_>>().join("\n")
}

/// Every `.gmpnet` file of the examples and of the standard library, with its name.
fn files() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in ["examples", "stdlib", "stdlib/data"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        for path in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "gmpnet")) {
            let text = std::fs::read_to_string(&path).expect("a file that was just listed");
            found.push((format!("{folder}/{}", path.file_name().unwrap_or_default().to_string_lossy()), text));
        }
    }
    found.sort();
    assert!(found.len() > 6, "the standard library and the examples are where they were: {found:?}");
    found
}
