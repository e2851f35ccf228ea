//! The front of the compiler, from text to a network with known shapes, seen from outside.

mod complaints;
mod effective;
mod explained;
mod mutated;
mod nets;

use gmpc_compiler::module::Module;
use gmpc_compiler::resolve::{Failure, Overrides, read};
use gmpc_grammar::diagnostic::{Diagnostic, render};
use gmpc_grammar::source::{Source, Sources};

/// Resolves a text under the name `case.gmpnet`.
fn resolved(text: &str, overrides: &Overrides) -> Result<(Module, Vec<Diagnostic>), Failure> {
    read(Source { name: "case.gmpnet".to_string(), text: text.to_string() }, overrides)
}

/// `key=value` as an override.
fn set(edits: &[&str]) -> Overrides {
    let pairs = edits.iter().filter_map(|edit| edit.split_once('='));
    Overrides { set: pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect(), ..Overrides::default() }
}

/// What is said, as people read it.
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
