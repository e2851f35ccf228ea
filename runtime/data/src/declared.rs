//! Tests of the standard library's data sets without their files: what a declaration says by itself. `tests/data.rs` of
//! the workspace reads the real files.

use super::{Directories, load, prepare, probe};
use gmpc_compiler::front;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::{DataSpec, Select};
use gmpc_compiler::stage::Silent;
use gmpc_grammar::source::Source;

/// The declaration that `data = …` stands for.
fn spec(data: &str) -> DataSpec {
    let text = format!("data = {data}\nmodel any(input: [1]) {{ input -> linear(1) }}\n");
    let (module, _) = front(Source { name: "test".to_string(), text }, &Overrides::default(), &Silent).unwrap();
    module.experiment.data.unwrap()
}

#[test]
fn every_declaration_says_enough_to_check_a_model_without_its_file() {
    let nowhere = Directories { data: "/nonexistent".into(), beside: None };
    let features =
        [("boston", 13), ("concrete", 8), ("energy", 8), ("naval", 16), ("power", 4), ("wine", 11), ("yacht", 6)];
    for (name, features) in features {
        let name = format!("uci.{name}");
        let facts = probe(&spec(&name), &nowhere).unwrap().0;
        assert_eq!((facts.features(), facts.outputs, facts.classes), (features, 1, None), "{name}");
    }
    let facts = probe(&spec("banana"), &nowhere).unwrap().0;
    assert_eq!((facts.features(), facts.outputs, facts.classes), (2, 1, Some(2)));
    let error = load(&spec("uci.yacht"), &nowhere).unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("E0750", 3));
    assert!(error.help.unwrap().contains("gmpc data fetch uci.yacht"));
}

#[test]
fn levy_needs_no_file() {
    let nowhere = Directories { data: "/nonexistent".into(), beside: None };
    let parts = prepare(&spec("levy"), Select::Test, 0, &nowhere).unwrap();
    assert_eq!((parts.train.rows, parts.test.rows, parts.input_scale), (50, 201, None));
    // Check values of the formula: f(-10) = 15.625, f(0) = 0.625, f(10) = 10.625.
    for (row, y) in [(0, 15.625), (100, 0.625), (200, 10.625)] {
        assert!((parts.test.targets[row] - y).abs() < 1e-12, "{}", parts.test.targets[row]);
    }
    assert!((parts.train.inputs[0] - 0.976_270_08).abs() < 5e-9);
    let held_out = prepare(&spec("levy(points = 40, validation = 0.25)"), Select::Valid, 0, &nowhere).unwrap();
    assert_eq!((held_out.train.rows, held_out.valid.unwrap().rows), (30, 10));
}
