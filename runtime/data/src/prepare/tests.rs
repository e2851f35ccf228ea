//! The data of a run: parts, scales, samples, and how much of a file the facts need.

use super::*;
use gmpc_compiler::ir::experiment::{Arrays, Column, FileSpec, Separator, Table};
use gmpc_grammar::source::{SourceId, Span};

/// Twenty rows `i, 7, 3 i` in `a.csv`.
fn twenty() -> (tempfile::TempDir, Directories, DataSpec) {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..20).map(|i| format!("{i},7,{}\n", 3 * i)).collect();
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    let file = FileSpec { path: "a.csv".to_string(), url: None, sha256: None };
    let separator = Separator::Character(',');
    let target = vec![Column::Index(2)];
    let table = Table { file, separator, header: None, skip: String::new(), missing: None, target, columns: vec![] };
    let spec = DataSpec {
        name: "a".to_string(),
        docs: vec![],
        source: DataSource::Table(table),
        task: Task::Regression,
        features: None,
        classes: None,
        split: Split::Random { train: 0.8 },
        validation: 0.25,
        standardize: Standardize::None,
        sample: None,
        span: Span { source: SourceId(0), start: 0, end: 0 },
    };
    (folder, directories, spec)
}

#[test]
fn a_validation_part_is_held_out_unless_the_test_part_selects() {
    let (_folder, directories, spec) = twenty();
    let sizes = |select| {
        let parts = prepare(&spec, select, 0, &directories).unwrap();
        (parts.train.rows, parts.valid.map_or(0, |valid| valid.rows), parts.test.rows)
    };
    assert_eq!(sizes(Select::Valid), (12, 4, 4));
    assert_eq!(sizes(Select::Test), (16, 0, 4));
}

#[test]
fn rows_stay_whole_and_the_test_rows_do_not_depend_on_the_validation_part() {
    let (_folder, directories, spec) = twenty();
    let parts = prepare(&spec, Select::Valid, 5, &directories).unwrap();
    for part in [&parts.train, parts.valid.as_ref().unwrap(), &parts.test] {
        for (row, target) in part.inputs.chunks(2).zip(&part.targets) {
            assert_eq!((row[1], 3.0 * row[0]), (7.0, *target));
        }
    }
    assert_eq!(parts.test, prepare(&spec, Select::Test, 5, &directories).unwrap().test);
    assert_eq!(parts.facts.rows, Some(20));
}

#[test]
fn scales_come_from_the_training_rows_alone() {
    let (_folder, directories, spec) = twenty();
    let raw = prepare(&spec, Select::Valid, 1, &directories).unwrap();
    let spec = DataSpec { standardize: Standardize::All, ..spec };
    let parts = prepare(&spec, Select::Valid, 1, &directories).unwrap();
    let first: Vec<f64> = raw.train.inputs.iter().step_by(2).copied().collect();
    let mean = first.iter().sum::<f64>() / 12.0;
    let deviation = (first.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 12.0).sqrt();
    let scale = parts.input_scale.unwrap();
    assert!((scale.mean[0] - mean).abs() < 1e-12 && (scale.deviation[0] - deviation).abs() < 1e-12);
    assert!((parts.test.inputs[0] - (raw.test.inputs[0] - mean) / deviation).abs() < 1e-12);
    assert!(parts.test.inputs.iter().skip(1).step_by(2).all(|&constant| constant == 0.0));
    let mut targets = parts.test.targets.clone();
    parts.target_scale.unwrap().undo(&mut targets);
    assert!(targets.iter().zip(&raw.test.targets).all(|(back, raw)| (back - raw).abs() < 1e-9));
}

#[test]
fn a_number_beyond_single_precision_is_found_wherever_the_split_puts_it() {
    let (folder, directories, spec) = twenty();
    assert_eq!(prepare(&spec, Select::Valid, 0, &directories).unwrap().fit_f32("a.csv"), Ok(()));
    let text: String = (0..20).map(|i| format!("{i},7,{}\n", if i == 2 { "1e39" } else { "4" })).collect();
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    for seed in 0..8 {
        let found = prepare(&spec, Select::Valid, seed, &directories).unwrap().fit_f32("a.csv").unwrap_err();
        assert_eq!(
            found.to_string(),
            "a.csv, line 3: target 1: 1e39 is beyond the numbers of f32 (3.4e38)",
            "seed {seed}"
        );
    }
}

#[test]
fn a_sample_is_drawn_before_the_split() {
    let (_folder, directories, spec) = twenty();
    let spec = DataSpec { sample: Some(10), ..spec };
    let parts = prepare(&spec, Select::Test, 0, &directories).unwrap();
    assert_eq!((parts.train.rows, parts.test.rows), (8, 2));
}

#[test]
fn what_the_declaration_says_is_compared_with_the_file() {
    let (_folder, directories, spec) = twenty();
    let wrong = DataSpec { features: Some(3), ..spec.clone() };
    let error = prepare(&wrong, Select::Test, 0, &directories).unwrap_err();
    assert_eq!(error.to_string(), "a: the declaration says 3 features, the file has 2");
    let given = DataSpec { split: Split::Given, ..spec };
    assert!(
        prepare(&given, Select::Test, 0, &directories).unwrap_err().to_string().contains("`split = given` needs data")
    );
}

#[test]
fn facts_need_no_more_of_the_file_than_the_declaration_leaves_open() {
    let (_folder, directories, spec) = twenty();
    let facts = super::super::probe(&spec, &directories).unwrap().0;
    assert_eq!((facts.features(), facts.outputs, facts.classes), (2, 1, None));
    let nowhere = Directories { data: "/nonexistent".into(), beside: None };
    assert_eq!(super::super::probe(&spec, &nowhere).unwrap_err().code, "E0750");
    let declared = DataSpec { features: Some(2), ..spec };
    assert_eq!(super::super::probe(&declared, &nowhere).unwrap().0.features(), 2);
    let labels = DataSpec { task: Task::Classification, ..declared };
    assert_eq!(super::super::probe(&labels, &nowhere).unwrap_err().code, "E0750");
    let labels = DataSpec { classes: Some(4), ..labels };
    assert_eq!(super::super::probe(&labels, &nowhere).unwrap().0.classes, Some(4));
}

#[test]
fn arrays_are_prepared_as_tables_are() {
    let (folder, directories, spec) = twenty();
    let table = load(&spec, &directories).unwrap();
    let write = |name: &str, data: &[f64], columns| {
        super::super::write_npy(std::fs::File::create(folder.path().join(name)).unwrap(), data, columns).unwrap();
        FileSpec { path: name.to_string(), url: None, sha256: None }
    };
    let inputs = write("x.npy", &table.examples.inputs, 2);
    let targets = write("y.npy", &table.examples.targets, 1);
    let source = DataSource::Arrays(Arrays { inputs, inputs_key: None, targets, targets_key: None });
    let arrays = DataSpec { source, ..spec.clone() };
    let prepared = |spec: &DataSpec| {
        let mut parts = prepare(spec, Select::Valid, 3, &directories).unwrap();
        [Some(&mut parts.train), parts.valid.as_mut(), Some(&mut parts.test)]
            .into_iter()
            .flatten()
            .for_each(|part| part.lines.clear());
        parts.notes.clear();
        parts
    };
    assert_eq!(prepared(&arrays), prepared(&spec));
}

#[test]
fn a_number_of_an_array_beyond_f32_is_told_with_its_row_of_the_array() {
    let (folder, directories, spec) = twenty();
    let table = load(&spec, &directories).unwrap();
    let write = |name: &str, data: &[f64], columns| {
        super::super::write_npy(std::fs::File::create(folder.path().join(name)).unwrap(), data, columns).unwrap();
        FileSpec { path: name.to_string(), url: None, sha256: None }
    };
    let mut numbers = table.examples.targets.clone();
    numbers[6] = 1e39;
    let (inputs, targets) = (write("x.npy", &table.examples.inputs, 2), write("y.npy", &numbers, 1));
    let source = DataSource::Arrays(Arrays { inputs, inputs_key: None, targets, targets_key: None });
    let arrays = DataSpec { source, ..spec };
    for seed in 0..5 {
        let error = prepare(&arrays, Select::Valid, seed, &directories).unwrap().fit_f32("x").unwrap_err();
        assert_eq!(error.reason, "row 6 (from 0), target 1: 1e39 is beyond the numbers of f32 (3.4e38)", "seed {seed}");
    }
}

#[test]
fn a_number_beyond_f32_is_told_with_its_line() {
    let (folder, directories, spec) = twenty();
    let file = folder.path().join("a.csv");
    let text = std::fs::read_to_string(&file).unwrap().replace("4,7,12\n", "4,7,-1e39\n");
    std::fs::write(&file, text).unwrap();
    let parts = prepare(&spec, Select::Valid, 0, &directories).unwrap();
    let error = parts.fit_f32("a.csv").unwrap_err();
    assert_eq!(error.to_string(), "a.csv, line 5: target 1: -1e39 is beyond the numbers of f32 (3.4e38)");
    let scaled = DataSpec { standardize: Standardize::Features, ..spec };
    assert!(prepare(&scaled, Select::Valid, 0, &directories).unwrap().fit_f32("a.csv").is_err());
}

#[test]
fn targets_that_are_scaled_are_held_to_f32_in_their_own_units() {
    let (folder, directories, spec) = twenty();
    let all = DataSpec { standardize: Standardize::All, ..spec };
    let written = |size: &str| -> String {
        (0..20).map(|i| format!("{i},7,{}{}{size}\n", if i % 2 == 0 { "" } else { "-" }, 1 + i % 3)).collect()
    };
    for (size, code, squares) in [("e39", Some("E0755"), true), ("e30", None, true), ("e10", None, false)] {
        std::fs::write(folder.path().join("a.csv"), written(size)).unwrap();
        let parts = prepare(&all, Select::Valid, 0, &directories).unwrap();
        assert_eq!(parts.fit_f32("a.csv").err().map(|error| error.code), code, "{size}");
        assert_eq!(parts.squares_beyond_f32("a.csv").is_some(), squares, "{size}");
    }
}

#[test]
fn classes_without_rows_are_told() {
    let labels = ["a", "b", "c"].map(String::from);
    let told = |valid: Option<&[usize]>| -> Vec<String> {
        absent(&labels, &[3, 0, 1], valid, &[1, 0, 0], "d").iter().map(ToString::to_string).collect()
    };
    let (train, test) = ("d: 1 of 3 classes has no training row: `b`", "d: 2 of 3 classes have no test row: `b`, `c`");
    assert_eq!(told(None), [train, test]);
    assert_eq!(told(Some(&[1, 1, 0])), [train, "d: 1 of 3 classes has no validation row: `c`", test]);
}
