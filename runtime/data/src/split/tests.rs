//! Sizes, seeds, and index files with every kind of error.

use super::*;
use proptest::prelude::*;

fn all(rows: u32) -> Vec<u32> {
    (0..rows).collect()
}

#[test]
fn the_training_part_is_rounded_down() {
    for (rows, train, test) in [(506, 404, 102), (1030, 824, 206), (308, 246, 62), (1000, 800, 200)] {
        let parts = random(&all(rows), 0.8, 3, "a").unwrap();
        assert_eq!((parts.train.len(), parts.test.len()), (train, test));
    }
    assert_eq!(random(&all(100), 0.29, 0, "a").unwrap().train.len(), 29);
}

#[test]
fn a_split_depends_on_the_seed_only() {
    let split = |seed| random(&all(50), 0.8, seed, "a").unwrap();
    assert_eq!(split(7), split(7));
    assert_ne!(split(7).test, split(8).test);
}

#[test]
fn parts_without_rows_are_told() {
    assert!(random(&all(1), 0.8, 0, "a").unwrap_err().to_string().contains("leaves 0 of 1 rows for training"));
    assert!(sample(5, 6, 0, "a").unwrap_err().to_string().contains("`sample = 6` rows are asked for, and there are 5"));
    let mut rows = Rows { train: vec![4], valid: vec![], test: vec![1] };
    assert!(hold_out(&mut rows, 0.5, 0, "a").unwrap_err().to_string().contains("takes all of the 1 training rows"));
}

/// Reads splits from files with these contents, for 6 rows and seed 21 of 20 splits.
fn from_files(train: &str, test: &str) -> Result<Rows, DataError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train_1.txt"), train).unwrap();
    std::fs::write(folder.path().join("test_1.txt"), test).unwrap();
    let directories = Directories { data: folder.path().to_path_buf(), beside: None };
    let split =
        Split::Predefined { train: "train_{split}.txt".to_string(), test: "test_{split}.txt".to_string(), count: 20 };
    predefined(&split, 6, 21, Some("http://x"), "a", &directories)
}

#[test]
fn index_files_name_the_rows() {
    let rows = from_files("5\n0\r\n2", " 1 4\n\n3\n").unwrap();
    assert_eq!((rows.train, rows.test), (vec![0, 2, 5], vec![1, 3, 4]));
}

#[test]
fn wrong_index_files_are_told_with_file_and_line() {
    let fault = |train: &str, test: &str| {
        let error = from_files(train, test).unwrap_err();
        let file = Path::new(&error.file).file_name().unwrap().to_string_lossy().into_owned();
        format!("{file} {}: {}", error.line.unwrap_or(0), error.reason)
    };
    assert_eq!(fault("0\n6\n", "1"), "train_1.txt 2: row 6 is named, and the data have 6 (0 to 5)");
    assert_eq!(fault("0\n1\n0", "1"), "train_1.txt 3: row 0 is named a second time");
    assert_eq!(fault("0\n1\n", "2\n1"), "test_1.txt 2: row 1 is named a second time");
    assert_eq!(fault("0\n1\n", "2.5"), "test_1.txt 1: `2.5` is not a row number");
    assert_eq!(fault("0", " \n"), "test_1.txt 0: there is no row number in it");
}

proptest! {
    #[test]
    fn every_row_is_in_exactly_one_part(rows in 3u32..300, train in 0.05f64..0.95, hold in 0.01f64..0.6, seed: u64) {
        let Ok(mut parts) = random(&all(rows), train, seed, "a") else { return Ok(()) };
        let Ok(()) = hold_out(&mut parts, hold, seed, "a") else { return Ok(()) };
        prop_assert!(!parts.train.is_empty() && !parts.valid.is_empty() && !parts.test.is_empty());
        let together = sorted([parts.train, parts.valid, parts.test].concat());
        prop_assert_eq!(together, all(rows));
    }
}
