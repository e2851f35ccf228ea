//! Tables of one's own through the whole program: what is odd in a file is told before a network learns from it.

use crate::support::{gmpc_in, write};
use std::path::Path;
use tempfile::tempdir;

const REGRESSION: &str =
    "model m { input -> linear(1) }\ntrain { loss = mse  optimizer = adam(lr = 0.01)  epochs = 1  metrics = [rmse] }\n";
const CLASSES: &str = "model m { input -> linear(data.classes) }\ntrain { loss = cross_entropy  optimizer = adam(lr = 0.01)  epochs = 1 }\n";

/// A table of 20 rows and a file that trains on it.
fn put(folder: &Path, header: &str, row: impl Fn(usize) -> String, arguments: &str, network: &str) {
    let rows: String = (0..20).map(|i| format!("{}\n", row(i))).collect();
    write(folder, "own.csv", &format!("{header}\n{rows}"));
    write(folder, "own.gmpnet", &format!("data = table(\"own.csv\", {arguments})\n{network}"));
}

#[test]
fn info_shows_every_column() {
    let folder = tempdir().unwrap();
    let grams = |i: usize| if i.is_multiple_of(6) { "-999".to_string() } else { format!("{}.5", i % 9) };
    let row = |i: usize| format!("{},{},{},{}", grams(i), if i == 3 { "" } else { "x" }, i % 4, i % 3);
    put(folder.path(), "grams,note,cups,price", row, "target = \"price\", columns = [\"grams\", \"cups\"]", REGRESSION);
    let ran = gmpc_in(folder.path(), &["data", "info", "own.gmpnet"]).expect(0);
    let table: Vec<&str> = ran.stdout.lines().skip_while(|line| !line.contains("deviation  missing")).collect();
    let words = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>().join(" ");
    let table: Vec<String> = table.into_iter().skip(1).map(words).collect();
    let expected = [
        "0 grams feature numbers -999.0 8.500 -196.2 401.4 0 10 -999 (20.0 %)",
        "1 note unused words 1 1 x (95.0 %)",
        "2 cups feature numbers 0 3.000 1.500 1.118 0 4 0 (25.0 %)",
        "3 price target numbers 0 2.000 0.9500 0.8047 0 3 0 (35.0 %)",
    ];
    assert_eq!(table, expected);
    assert!(ran.stderr.contains("column `grams` is -999 in 4 of 20 rows"), "{}", ran.stderr);
    let ran = gmpc_in(folder.path(), &["data", "info", "own.gmpnet", "--json"]).expect(0);
    let columns = &ran.json()[0]["contents"]["columns"];
    assert_eq!((columns[0]["frequent"].as_str(), columns[0]["share"].as_f64()), (Some("-999"), Some(0.2)));
    assert_eq!((columns[1]["role"].as_str(), columns[1]["missing"].as_u64()), (Some("unused"), Some(1)));
}

#[test]
fn info_shows_the_columns_where_one_cannot_be_used() {
    let folder = tempdir().unwrap();
    put(folder.path(), "town,price", |i| format!("t{},{i}", i % 3), "target = \"price\"", REGRESSION);
    let ran = gmpc_in(folder.path(), &["data", "info", "own.gmpnet"]).expect(3);
    assert!(ran.stdout.contains("words"), "{}", ran.stdout);
    assert!(ran.stderr.contains("error[E0755]") && ran.stderr.contains("3 different words"), "{}", ran.stderr);
}

#[test]
fn check_says_what_train_would() {
    let folder = tempdir().unwrap();
    put(folder.path(), "price,kind", |i| format!("{i},k{}", i % 2), "target = \"kind\"", REGRESSION);
    for command in ["check", "train"] {
        let ran = gmpc_in(folder.path(), &[command, "own.gmpnet"]).expect(3);
        assert!(ran.stderr.contains("the target `kind` holds words"), "{}", ran.stderr);
        assert!(ran.stderr.contains("write `task = classification`"), "{}", ran.stderr);
    }
    put(folder.path(), "id,x,y", |i| format!("{i},{},{}", i * i % 7, i % 3), "target = \"y\"", REGRESSION);
    let ran = gmpc_in(folder.path(), &["check", "own.gmpnet"]).expect(0);
    assert!(ran.stderr.contains("`id` counts the rows from 0 on"), "{}", ran.stderr);
}

#[test]
fn none_can_be_the_name_of_a_class() {
    let folder = tempdir().unwrap();
    let row = |i: usize| format!("{i},{}", ["None", "NA", "some"][i % 3]);
    put(folder.path(), "x,topping", row, "target = \"topping\", task = classification", CLASSES);
    let ran = gmpc_in(folder.path(), &["check", "own.gmpnet"]).expect(3);
    assert!(ran.stderr.contains("the label is missing (`None`)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("write `missing = [\"\"]` in `table(...)`"), "{}", ran.stderr);
    let arguments = "target = \"topping\", task = classification, missing = [\"\"]";
    put(folder.path(), "x,topping", row, arguments, CLASSES);
    let ran = gmpc_in(folder.path(), &["train", "own.gmpnet", "--out", "run"]).expect(0);
    assert!(ran.stderr.contains("NA (7), None (7), some (6)"), "{}", ran.stderr);
    write(folder.path(), "new.csv", "x\n3\n");
    let ran = gmpc_in(folder.path(), &["predict", "run", "--input", "new.csv"]).expect(0);
    assert!(ran.stdout.starts_with("line,class,"), "{}", ran.stdout);
}

#[test]
fn figures_that_single_precision_cannot_hold_have_a_reason() {
    let folder = tempdir().unwrap();
    let row = |size: &str| {
        let size = size.to_string();
        move |i: usize| format!("{i},{}{size}", 1 + i % 3)
    };
    put(folder.path(), "x,y", row("e39"), "target = \"y\", standardize = all", REGRESSION);
    let ran = gmpc_in(folder.path(), &["train", "own.gmpnet"]).expect(3);
    assert!(
        ran.stderr.contains(": target `y`: ") && ran.stderr.contains("is beyond the numbers of f32"),
        "{}",
        ran.stderr
    );
    put(folder.path(), "x,y", row("e20"), "target = \"y\", standardize = all", REGRESSION);
    let ran = gmpc_in(folder.path(), &["train", "own.gmpnet"]).expect(0);
    assert!(ran.stderr.contains("and their squares beyond the numbers of f32"), "{}", ran.stderr);
    assert!(ran.stderr.contains("precision = f64"), "{}", ran.stderr);
}

#[test]
fn a_small_loss_of_two_classes_is_kept_on_both_sides() {
    let folder = tempdir().unwrap();
    // The score is the feature itself. Right answers at a distance of 17 have a loss of log(1 + exp(-17)) each.
    let network = "model m { input -> identity }\ntrain { loss = binary_cross_entropy  optimizer = sgd(lr = 1e-30)  epochs = 1 }\n";
    let row = |i: usize| if i.is_multiple_of(2) { "17,1".to_string() } else { "-17,0".to_string() };
    put(folder.path(), "x,y", row, "target = \"y\", task = classification, standardize = none", network);
    let ran = gmpc_in(folder.path(), &["train", "own.gmpnet", "--json"]).expect(0);
    let done = ran.event("done");
    for name in ["valid.loss", "test.loss"] {
        let (loss, right) = (done[name].as_f64().unwrap(), (-17.0_f64).exp().ln_1p());
        assert!((loss - right).abs() < 1e-6 * right, "{name} is {loss:e}, not {right:e}");
    }
}

#[test]
fn numbers_that_single_precision_makes_equal_are_told() {
    let folder = tempdir().unwrap();
    let row = |i: usize| format!("{},{}", 1_700_000_000 + 60 * (i * 7 % 20), i % 3);
    put(folder.path(), "t,y", row, "target = \"y\", standardize = none", REGRESSION);
    let options = ["train", "own.gmpnet", "--set", "train.optimizer=adam(lr = 1e-12)"];
    let ran = gmpc_in(folder.path(), &options).expect(0);
    assert!(ran.stderr.contains("W0770") && ran.stderr.contains("feature `t` goes from 1700000000"), "{}", ran.stderr);
    put(folder.path(), "t,y", row, "target = \"y\"", REGRESSION);
    let ran = gmpc_in(folder.path(), &options).expect(0);
    assert!(!ran.stderr.contains("W0770"), "{}", ran.stderr);
}
