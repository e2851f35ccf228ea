//! `gmpc compare` from outside: choosing on validation rows, paired differences, every format, several processes in one folder.

use crate::support::{TINY, command, gmpc_in, run, write};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// A folder with a small experiment.
fn tiny() -> TempDir {
    let folder = tempdir().unwrap();
    write(folder.path(), "tiny.gmpnet", TINY);
    folder
}

const CHOSEN: [&str; 13] = [
    "compare",
    "tiny.gmpnet",
    "--param",
    "sp,gmp",
    "--repeats",
    "6",
    "--over",
    "train.optimizer.lr=log(1e-3, 0.1, 3)",
    "--choose",
    "train.optimizer.lr",
    "--baseline",
    "sp",
    "--quiet",
];

/// A chosen comparison in a format.
fn chosen(folder: &Path, more: &[&str]) -> crate::support::Ran {
    gmpc_in(folder, &[&CHOSEN[..], more].concat()).expect(0)
}

#[test]
fn values_are_chosen_on_validation_rows_and_differences_are_paired() {
    let folder = tiny();
    let lines = chosen(folder.path(), &["--json"]).json();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<&Value>>();
    let cells = of("cell");
    assert_eq!(cells.len(), 6);
    for param in ["sp", "gmp"] {
        let own: Vec<&&Value> = cells.iter().filter(|cell| cell["param"] == param).collect();
        let best = own.iter().min_by(|a, b| a["choice"].as_f64().unwrap().total_cmp(&b["choice"].as_f64().unwrap()));
        let taken: Vec<&&&Value> = own.iter().filter(|cell| !cell["chosen"].is_null()).collect();
        assert_eq!(taken.len(), 1, "{param}");
        assert_eq!(
            (taken[0]["choice"].clone(), &taken[0]["chosen"]),
            (best.unwrap()["choice"].clone(), &taken[0]["over"])
        );
    }
    let difference = of("difference")[0];
    assert_eq!(
        (&difference["param"], &difference["baseline"], &difference["n"]),
        (&json!("gmp"), &json!("sp"), &json!(6))
    );
    let value = |param: &str| {
        let cell = cells.iter().find(|cell| cell["param"] == param && !cell["chosen"].is_null()).unwrap();
        cell["mean"].as_f64().unwrap()
    };
    assert!((difference["mean"].as_f64().unwrap() - (value("gmp") - value("sp"))).abs() < 1e-12, "{difference}");
    assert_eq!(difference["method"], "paired t", "the formula's test rows are the same for every seed");
    assert!(difference["low"].as_f64().unwrap() < difference["high"].as_f64().unwrap());
    assert_eq!(of("sensitivity").len(), 2);
}

#[test]
fn every_format_says_what_was_chosen_how_and_against_what() {
    let folder = tiny();
    for format in ["table", "markdown", "latex"] {
        let text = chosen(folder.path(), &["--format", format]).stdout;
        for word in ["chosen for each parameterization", "difference to sp", "level with it", "sensitivity"] {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(word), "{format} does not say `{word}`:\n{text}");
        }
    }
    let csv = chosen(folder.path(), &["--format", "csv"]).stdout;
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert!(columns.len() == 3 && columns.iter().all(|count| *count == columns[0]), "{csv}");
    assert!(csv.contains("train.optimizer.lr") && csv.contains("paired t"), "{csv}");
}

#[test]
fn a_choice_at_the_edge_is_warned_about_with_a_code_that_is_explained() {
    let folder = tiny();
    let arguments = ["compare", "tiny.gmpnet", "--param", "sp", "--repeats", "1", "--json"];
    let axis = ["--over", "train.optimizer.lr=0.001,0.01", "--choose", "train.optimizer.lr"];
    let ran = gmpc_in(folder.path(), &[&arguments[..], &axis].concat()).expect(0);
    assert!(ran.stderr.contains("at the end of what was tried"), "{}", ran.stderr);
    assert!(ran.json().iter().any(|line| line["code"] == "W0851"), "{}", ran.stdout);
    assert!(gmpc_in(folder.path(), &["explain", "W0851"]).expect(0).stdout.contains("Widen the axis"));
}

#[test]
fn mistakes_are_told_before_anything_is_trained() {
    let folder = tiny();
    let fails = |more: &[&str]| {
        let arguments = ["compare", "tiny.gmpnet", "--param", "sp,gmp", "--over", "train.optimizer.lr=0.01,0.1"];
        gmpc_in(folder.path(), &[&arguments[..], more].concat()).expect(2).stderr
    };
    assert!(fails(&["--choose", "train.optimiser.lr"]).contains("did you mean `--choose train.optimizer.lr`?"));
    assert!(fails(&["--baseline", "gpm"]).contains("did you mean `--baseline \"gmp\"`?"));
    assert!(fails(&["--random", "4"]).contains("nothing to draw from"));
    assert!(fails(&["--over", "train.batch=lin(2, 4)"]).contains("--random 40"));
    assert!(fails(&["--over", "train.batch=log(4, 2, 3)"]).contains("the first end is the lower one"));
    assert!(fails(&["--shard", "5/4", "--out", "kept"]).contains("no part of a whole"));
    assert!(fails(&["--shard", "1/2"]).contains("--out"));
    let blind = fails(&["--choose", "train.optimizer.lr", "--set", "data.validation=0"]);
    assert!(blind.contains("has no rows to choose on"), "{blind}");
}

#[test]
fn more_draws_begin_with_the_same_points() {
    let folder = tiny();
    let drawn = |count: &str| {
        let arguments = ["compare", "tiny.gmpnet", "--param", "sp", "--repeats", "1", "--json", "--quiet"];
        let axis = ["--over", "train.optimizer.lr=log(1e-4, 1)", "--random", count];
        let lines = gmpc_in(folder.path(), &[&arguments[..], &axis].concat()).expect(0).json();
        let cells = lines.into_iter().filter(|line| line["event"] == "cell");
        cells.map(|cell| cell["over"]["train.optimizer.lr"].as_f64().unwrap()).collect::<Vec<f64>>()
    };
    let (few, more) = (drawn("2"), drawn("3"));
    assert_eq!((few.len(), more.len()), (2, 3));
    assert_eq!(few, more[..2]);
}

#[test]
fn processes_share_a_folder_and_a_killed_one_is_no_loss() {
    let folder = tiny();
    let arguments = [&CHOSEN[..], &["--out", "kept", "--json"]].concat();
    let mut killed = command(folder.path(), &arguments).spawn().unwrap();
    let others: Vec<_> = (0..2).map(|_| command(folder.path(), &arguments)).collect();
    let _ = killed.kill(); // it may have ended already
    killed.wait().unwrap();
    let ran: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = others.into_iter().map(|one| scope.spawn(move || run(one).expect(0).stdout)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ran[0], ran[1]);
    assert_eq!(ran[0], chosen(folder.path(), &["--json"]).stdout, "the same as alone and without a folder");
}

#[test]
fn shards_do_everything_and_the_whole_gathers() {
    let folder = tiny();
    for part in ["1/2", "2/2"] {
        let told = chosen(folder.path(), &["--out", "kept", "--shard", part]).stdout;
        assert!(told.contains("18 runs done, 0 of them failed"), "{told}");
    }
    let all = &CHOSEN[..CHOSEN.len() - 1];
    let whole = gmpc_in(folder.path(), &[all, &["--out", "kept"]].concat()).expect(0);
    assert!(whole.stderr.contains("stored before"), "{}", whole.stderr);
    gmpc_in(folder.path(), &["report", "kept", "-o", "page.html", "--figures", "figures"]).expect(0);
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    for part in ["<nav class=\"contents\"", "sensitivity-kept-train-optimizer-lr", "differences-kept", "curves-kept"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

/// Nine rates, halved by three over nine epochs.
const HALVED: [&str; 16] = [
    "compare",
    "tiny.gmpnet",
    "--param",
    "sp,gmp",
    "--repeats",
    "2",
    "--set",
    "train.epochs=9",
    "--over",
    "train.optimizer.lr=log(1e-4, 1, 9)",
    "--choose",
    "train.optimizer.lr",
    "--halve",
    "3",
    "--out",
    "kept",
];

#[test]
fn a_halved_comparison_says_what_was_stopped_when_in_every_place() {
    let folder = tiny();
    let lines = gmpc_in(folder.path(), &[&HALVED[..], &["--json", "--quiet"]].concat()).expect(0).json();
    let halving = lines.iter().find(|line| line["event"] == "halving").expect("a line about the rungs");
    let rungs = json!([{ "epochs": 1, "values": 9 }, { "epochs": 3, "values": 3 }, { "epochs": 9, "values": 1 }]);
    assert_eq!((&halving["factor"], &halving["rungs"]), (&json!(3), &rungs));
    let after =
        |epochs: Value| lines.iter().filter(|line| line["event"] == "cell" && line["stopped_after"] == epochs).count();
    assert_eq!([after(json!(1)), after(json!(3)), after(Value::Null)], [12, 4, 2]);
    assert!(lines.iter().all(|line| line["event"] != "sensitivity"), "values were stopped after different epochs");
    let table = gmpc_in(folder.path(), &HALVED).expect(0);
    let text = table.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "halved by 3: for each parameterization 9 values were trained for 1 epoch, then the best 3 to 3",
        "stopped after 1 epoch:",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
    assert!(table.stderr.contains("52/52") && table.stderr.contains("found"), "{}", table.stderr);
    gmpc_in(folder.path(), &["report", "kept", "-o", "page.html"]).expect(0);
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("What was stopped when") && page.contains("16 values"), "16 of 18 values");
    let fails = |arguments: &[&str]| gmpc_in(folder.path(), arguments).expect(2).stderr;
    assert!(fails(&HALVED[..14]).contains("--out"));
    assert!(fails(&[&HALVED[..10], &HALVED[12..]].concat()).contains("--choose"));
}

#[cfg(unix)]
#[test]
fn a_halved_comparison_that_is_killed_again_and_again_comes_to_the_same() {
    let (once, killed) = (tiny(), tiny());
    let arguments = [&HALVED[..], &["--json", "--threads", "1"]].concat();
    let expected = gmpc_in(once.path(), &arguments).expect(0).stdout;
    for pause in [60, 90, 120, 150] {
        let mut one = command(killed.path(), &arguments);
        let mut one = one.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let _ = one.kill(); // it may have ended already
        one.wait().unwrap();
    }
    let shards = ["1/2", "2/2"].map(|part| command(killed.path(), &[&arguments[..], &["--shard", part]].concat()));
    std::thread::scope(|scope| {
        let threads = shards.map(|one| scope.spawn(move || run(one).expect(0).stdout));
        for told in threads.map(|thread| thread.join().unwrap()) {
            assert!(told.contains("\"event\":\"shard\""), "{told}");
        }
    });
    let two = [&HALVED[..], &["--json", "--threads", "2"]].concat();
    assert_eq!(gmpc_in(killed.path(), &two).expect(0).stdout, expected);
}
