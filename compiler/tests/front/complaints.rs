//! What is said about files that are wrong: a file of small sources per kind of error, each under the code it must raise.
//!
//! ```text
//! // === E0201 a loss that does not exist
//! model m(input: [2]) { input -> linear(1) }
//! train { loss = msee }
//! ```
//!
//! A line `// --set KEY=VALUE` below the title is an override.

use crate::{resolved, set, shown};
use gmpc_compiler::infer::infer;
use gmpc_compiler::resolve::Failure;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;

/// Every case of a file with what is said about it.
fn complaints(text: &str) -> String {
    let mut all = String::new();
    for case in text.split("// === ").skip(1) {
        let (title, source) = case.split_once('\n').unwrap_or((case, ""));
        let (sources, diagnostics) = compile(source);
        let code = title.split(' ').next().unwrap_or("");
        let codes: Vec<&str> = diagnostics.iter().map(|d| d.code).collect();
        assert!(codes.contains(&code), "{title}: found {codes:?}");
        for diagnostic in &diagnostics {
            assert!(!diagnostic.labels.is_empty(), "{title}: {} points nowhere", diagnostic.code);
            assert!(diagnostic.help.is_some(), "{title}: {} has no next step", diagnostic.code);
        }
        all.push_str(&format!("=== {title}\n{}\n", shown(&diagnostics, &sources)));
    }
    all
}

/// All diagnostics of a source, from whichever stage stops.
fn compile(source: &str) -> (Sources, Vec<Diagnostic>) {
    let edits: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("// --set ")).collect();
    match resolved(source, &set(&edits)) {
        Err(Failure { sources, diagnostics }) => (sources, diagnostics),
        Ok((module, mut diagnostics)) => {
            diagnostics.extend(infer(&module, None).err().unwrap_or_default());
            (module.sources, diagnostics)
        }
    }
}

macro_rules! stages {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            let text = include_str!(concat!("complaints/", stringify!($name), ".gmpnet"));
            insta::assert_snapshot!(stringify!($name), complaints(text));
        })*
    };
}

stages!(names, shapes, values, definitions, training, data, warnings);
