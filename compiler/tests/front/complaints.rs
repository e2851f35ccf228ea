//! Messages about wrong files. For each stage there is a file of small sources. The title of a source is the code it must raise.
//!
//! ```text
//! // === E0201 a loss that does not exist
//! model m(input: [2]) { input -> linear(1) }
//! train { loss = msee }
//! ```
//!
//! A line `// --set KEY=VALUE` below the title is an override.

use crate::{resolved, set, shown};
use gmpc_compiler::elaborate;
use gmpc_compiler::front::resolve::Failure;
use gmpc_compiler::stage::Silent;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;

/// Compiles every source of a file. Returns each title with the messages shown for it.
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

/// Returns all diagnostics of a source, up to the stage that stops.
fn compile(source: &str) -> (Sources, Vec<Diagnostic>) {
    let edits: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("// --set ")).collect();
    match resolved(source, &set(&edits)) {
        Err(Failure { sources, diagnostics }) => (sources, diagnostics),
        Ok((module, mut diagnostics)) => {
            diagnostics.extend(elaborate(&module, None, &Silent).err().unwrap_or_default());
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
