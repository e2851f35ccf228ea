//! The standard library's data sets, read from their real files where these are there: `GMPNET_DATA`, or the folder
//! `../shared/data` beside the project. Without them the tests say what they skip; with `CI` set that is a failure.

use super::fetch::{Verdict, verify};
use super::info::{ClassInfo, TargetInfo, info};
use super::{Directories, Parts, load, prepare, probe};
use gmpc_compiler::experiment::{DataSpec, Select, Task};
use gmpc_compiler::resolve::{self, Overrides};
use gmpc_grammar::source::Source;
use std::path::{Path, PathBuf};

/// What `data = …` means.
fn spec(data: &str) -> DataSpec {
    let text = format!("data = {data}\nmodel any(input: [1]) {{ input -> linear(1) }}\n");
    let (module, _) = resolve::read(Source { name: "test".to_string(), text }, &Overrides::default()).unwrap();
    module.experiment.data.unwrap()
}

/// Where the real files are, if they are.
fn real(what: &str) -> Option<Directories> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let data = std::env::var_os("GMPNET_DATA").map_or(default, PathBuf::from);
    if data.join("uci").is_dir() && data.join("banana").is_dir() {
        return Some(Directories { data, beside: None });
    }
    eprintln!("SKIPPED: {what}: no data in {} (set GMPNET_DATA)", data.display());
    assert!(std::env::var_os("CI").is_none(), "with CI set, data have to be there");
    None
}

/// Name, folder, rows, features, rows of a published training part, range, mean and deviation of the target.
type Set = (&'static str, &'static str, usize, usize, usize, [f64; 4]);

/// As published.
const UCI: [Set; 7] = [
    ("uci.boston", "bostonHousing", 506, 13, 455, [5.0, 50.0, 22.53281, 9.18801]),
    ("uci.concrete", "concrete", 1030, 8, 927, [2.33, 82.6, 35.81796, 16.69763]),
    ("uci.energy", "energy", 768, 8, 691, [6.01, 43.1, 22.30720, 10.08362]),
    ("uci.naval", "naval-propulsion-plant", 11934, 16, 10741, [0.95, 1.0, 0.97500, 0.01472]),
    ("uci.power", "power-plant", 9568, 4, 8611, [420.26, 495.76, 454.36501, 17.06610]),
    ("uci.wine", "wine-quality-red", 1599, 11, 1439, [3.0, 8.0, 5.63602, 0.80732]),
    ("uci.yacht", "yacht", 308, 6, 277, [0.01, 62.42, 10.49536, 15.13586]),
];

#[test]
fn every_declaration_says_enough_to_check_a_model_without_its_file() {
    let nowhere = Directories { data: "/nonexistent".into(), beside: None };
    for (name, _, _, features, ..) in UCI {
        let facts = probe(&spec(name), &nowhere).unwrap();
        assert_eq!((facts.features(), facts.outputs, facts.classes), (features, 1, None), "{name}");
    }
    let facts = probe(&spec("banana"), &nowhere).unwrap();
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

#[test]
fn the_uci_files_hold_what_is_published_of_them() {
    let Some(directories) = real("figures of the UCI sets") else { return };
    for (name, _, rows, features, _, expected) in UCI {
        let contents = info(&spec(name), &directories).unwrap().contents.unwrap();
        assert_eq!((contents.rows, contents.features), (rows, features), "{name}");
        let [TargetInfo { low, high, mean, deviation, .. }] = &contents.targets[..] else { panic!("{name}") };
        for (found, expected) in [low, high, mean, deviation].into_iter().zip(expected) {
            assert!((found - expected).abs() < 6e-6, "{name}: {found} is not {expected}");
        }
        let constant: &[usize] = if name == "uci.naval" { &[8, 11] } else { &[] };
        assert_eq!(contents.constant_features, constant, "{name}");
    }
}

#[test]
fn the_files_have_the_declared_checksums() {
    let Some(directories) = real("checksums") else { return };
    for name in UCI.iter().map(|set| set.0).chain(["banana"]) {
        let verdicts: Vec<Verdict> =
            verify(&spec(name), &directories).unwrap().into_iter().map(|v| v.verdict).collect();
        assert_eq!(verdicts, [Verdict::Good], "{name}");
    }
}

#[test]
fn the_published_splits_cut_every_set_into_two_whole_parts() {
    let Some(directories) = real("the published splits") else { return };
    for (name, folder, rows, _, train, _) in UCI {
        let files = format!("uci/{folder}/data/index");
        let split = format!(
            "predefined(train = \"{files}_train_{{split}}.txt\", test = \"{files}_test_{{split}}.txt\", count = 20)"
        );
        let spec = spec(&format!("{name}(split = {split})"));
        let seeds: &[u64] = if rows > 5000 { &[0, 19] } else { &[0, 7, 19, 20] };
        let parts: Vec<Parts> =
            seeds.iter().map(|&seed| prepare(&spec, Select::Test, seed, &directories).unwrap()).collect();
        for part in &parts {
            assert_eq!((part.train.rows, part.test.rows), (train, rows - train), "{name}");
        }
        assert_ne!(parts[0].test, parts[1].test, "{name}");
        if let Some(again) = parts.get(3) {
            assert_eq!(parts[0], *again, "{name}: seed 20 is split 0");
        }
    }
}

#[test]
fn standardized_training_rows_have_mean_0_and_deviation_1() {
    let Some(directories) = real("standardizing naval") else { return };
    let parts = prepare(&spec("uci.naval"), Select::Valid, 3, &directories).unwrap();
    // 0.8 of 11,934 rows, and 0.2 of those held out.
    assert_eq!((parts.train.rows, parts.valid.map(|v| v.rows), parts.test.rows), (7638, Some(1909), 2387));
    for column in 0..16 {
        let (mean, deviation) =
            super::standardize::moments(|| parts.train.inputs.iter().skip(column).step_by(16).copied());
        let expected = if [8, 11].contains(&column) { 0.0 } else { 1.0 };
        assert!(mean.abs() < 1e-9 && (deviation - expected).abs() < 1e-9, "{column}: {mean} {deviation}");
    }
    assert!(parts.test.inputs.iter().all(|value| value.is_finite()));
}

#[test]
fn banana_is_two_classes_of_which_a_sample_is_drawn() {
    let Some(directories) = real("banana") else { return };
    let spec = spec("banana");
    assert_eq!((spec.task, spec.sample), (Task::Classification, Some(1000)));
    let classes = info(&spec, &directories).unwrap().contents.unwrap().classes;
    let class = |label: &str, rows| ClassInfo { label: label.to_string(), rows };
    assert_eq!(classes, [class("-1", 2924), class("1", 2376)]);
    let parts = prepare(&spec, Select::Test, 0, &directories).unwrap();
    assert_eq!((parts.train.rows, parts.test.rows, parts.facts.rows), (800, 200, Some(1000)));
    assert!(parts.train.targets.iter().all(|&class| class == 0.0 || class == 1.0));
    assert_ne!(parts.test, prepare(&spec, Select::Test, 1, &directories).unwrap().test);
}
