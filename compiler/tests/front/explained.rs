//! Every code in the sources has an explain page. The wrong program of a page raises the code, and the right one raises nothing.

use crate::resolved;
use gmpc_compiler::elaborate;
use gmpc_compiler::explain::pages;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::graphs::depends::constant;
use gmpc_compiler::ir::graph::Graph;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::stage::Silent;
use gmpc_compiler::{Options, initialization, step_graph};
use std::collections::BTreeSet;
use std::path::Path;

/// Returns the codes of all diagnostics of a text, up to the graph of a training step.
pub(crate) fn raised(text: &str) -> BTreeSet<&'static str> {
    let (module, warnings) = match resolved(text, &Overrides::default()) {
        Ok(resolved) => resolved,
        Err(failure) => return failure.diagnostics.iter().map(|d| d.code).collect(),
    };
    let mut raised: BTreeSet<&'static str> = warnings.iter().map(|d| d.code).collect();
    let Ok(net) = elaborate(&module, module.declared_facts().as_ref(), &Silent)
        .map_err(|e| raised.extend(e.iter().map(|d| d.code)))
    else {
        return raised;
    };
    raised.extend(constant(&net).map(|warning| warning.code));
    let mut keep = |result: Result<Graph, Vec<gmpc_grammar::diagnostic::Diagnostic>>| {
        raised.extend(result.err().unwrap_or_default().iter().map(|d| d.code));
    };
    keep(initialization(&module, &net));
    if let Some(training) = &module.training {
        let goal = if training.optimizer.is_some() { Goal::Train } else { Goal::Evaluate };
        keep(step_graph(&module, &net, goal, 8, &Options::default()).map(|(graph, _)| graph));
    }
    raised
}

#[test]
fn the_wrong_program_of_a_page_raises_its_code_and_the_right_one_nothing() {
    let mut faults = Vec::new();
    // The pages of the grammar are tested there, because their programs need not be whole files.
    for page in pages().filter(|page| !page.code.starts_with("E01")) {
        if page.wrong.is_empty() {
            assert!(page.about.len() > 60, "{} is explained in too few words", page.code);
            continue;
        }
        if !raised(page.wrong).contains(page.code) {
            faults.push(format!("{}: the wrong program raises {:?}", page.code, raised(page.wrong)));
        }
        let left = raised(page.right);
        if !left.is_empty() {
            faults.push(format!("{}: the right program raises {left:?}", page.code));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_code_of_the_sources_has_a_page_and_every_page_has_a_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut used = BTreeSet::new();
    for folder in [
        "grammar/src",
        "compiler/src",
        "compiler/export/src",
        "runtime/src",
        "runtime/data/src",
        "runtime/study/src",
        "src",
    ] {
        collect(&root.join(folder), &mut used);
    }
    // Codes about data have their pages and their test in the crate of the readers, those of runs and comparisons (E08, W08)
    // in the runtime.
    used.retain(|code| !(code.starts_with("E08") || code.starts_with("W08")));
    let front: BTreeSet<String> = pages().map(|page| page.code.to_string()).collect();
    used.retain(|code| !(code.starts_with("E07") || code.starts_with("W07")) || front.contains(code));
    let known: BTreeSet<String> = pages().map(|page| page.code.to_string()).collect();
    let missing: Vec<_> = used.difference(&known).collect();
    let left: Vec<_> = known.difference(&used).collect();
    assert!(missing.is_empty(), "without a page: {missing:?}");
    assert!(left.is_empty(), "raised nowhere: {left:?}");
}

#[test]
fn every_code_of_the_front_stages_is_raised_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = BTreeSet::new();
    for place in ["front/resolve", "front/infer", "front/constant"] {
        collect(&root.join("src").join(place), &mut used);
    }
    let snapshots = std::fs::read_dir(root.join("tests/front/snapshots")).expect("the snapshots").flatten();
    let shown: String = snapshots.map(|file| std::fs::read_to_string(file.path()).expect("a snapshot")).collect();
    let bounds = std::fs::read_to_string(root.join("tests/front/bounds.rs")).expect("the tests of bounds");
    let is_raised = |code: &String| shown.contains(&format!("[{code}]")) || bounds.contains(code.as_str());
    let missing: Vec<_> = used.iter().filter(|code| !is_raised(code)).collect();
    assert!(used.len() > 45 && missing.is_empty(), "no test raises {missing:?}");
}

/// Collects the string literals that are codes in the Rust files of a folder. Tests at the end of a file are left out.
fn collect(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
            let literals = text.split('"').skip(1);
            codes.extend(literals.filter(|word| is_code(word)).map(str::to_string));
        }
    }
}

fn is_code(word: &str) -> bool {
    word.len() == 5 && word.starts_with(['E', 'W']) && word.bytes().skip(1).all(|b| b.is_ascii_digit())
}
