//! Files of a run that were edited or damaged are found by the commands that read them.

use crate::support::{TINY, gmpc_in, write};
use std::path::{Path, PathBuf};
use tempfile::tempdir;

/// Trains a run that records its boundaries.
fn recorded(folder: &Path) -> PathBuf {
    write(folder, "tiny.gmpnet", TINY);
    gmpc_in(folder, &["train", "tiny.gmpnet", "--record", "boundaries", "--out", "run", "--quiet"]).expect(0);
    folder.join("run")
}

/// Changes one byte of a file: the last that fulfils the condition.
fn change(path: &Path, is_it: impl Fn(u8) -> bool, to: impl Fn(u8) -> u8) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.iter().rposition(|byte| is_it(*byte)).unwrap();
    bytes[at] = to(bytes[at]);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_report_says_that_a_figure_of_an_epoch_was_changed() {
    let folder = tempdir().unwrap();
    let run = recorded(folder.path());
    let report = || gmpc_in(folder.path(), &["report", "run", "-o", "page.html"]).expect(0);
    assert!(!report().stderr.contains("edited"), "a run as it was written is nothing to tell of");
    change(
        &run.join("metrics.jsonl"),
        |byte| byte.is_ascii_digit(),
        |digit| if digit == b'9' { b'8' } else { digit + 1 },
    );
    let told = "metrics.jsonl is not what gmpc wrote: it was edited or damaged";
    let ran = report();
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains(told), "the page says it, too");
    let resumed = gmpc_in(folder.path(), &["train", "--resume", "run"]).expect(0);
    assert!(resumed.stderr.contains(told), "{}", resumed.stderr);
}

#[test]
fn changed_records_are_refused() {
    let folder = tempdir().unwrap();
    let run = recorded(folder.path());
    gmpc_in(folder.path(), &["analyze", "run"]).expect(0);
    let path = run.join("boundaries/hidden.npy");
    let whole = std::fs::read(&path).unwrap();
    change(&path, |_| true, |byte| byte ^ 1);
    let ran = gmpc_in(folder.path(), &["analyze", "run"]).expect(6);
    assert!(ran.stderr.contains("E0811") && ran.stderr.contains("hidden.npy is not what gmpc wrote"), "{}", ran.stderr);
    std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    gmpc_in(folder.path(), &["analyze", "run"]).expect(6);
    std::fs::write(&path, whole).unwrap();
    gmpc_in(folder.path(), &["analyze", "run"]).expect(0);
}

#[test]
fn columns_that_were_renamed_are_not_those_of_the_run() {
    let folder = tempdir().unwrap();
    let rows: String = (0..20).map(|i| format!("{i},{},{}\n", i * 7 % 11, i * 3 % 5)).collect();
    let text = "data = table(\"t.csv\", target = \"y\")\nmodel m { input -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 0.01)  batch = 4  epochs = 2 }\n";
    write(folder.path(), "m.gmpnet", text);
    write(folder.path(), "t.csv", &format!("a,b,y\n{rows}"));
    gmpc_in(folder.path(), &["train", "m.gmpnet", "--out", "run", "--quiet"]).expect(0);
    gmpc_in(folder.path(), &["eval", "run"]).expect(0);
    // The same numbers in the same places, which are now said to be of other features.
    for header in ["b,a,y", "a,b,z", "a,c,y"] {
        write(folder.path(), "t.csv", &format!("{header}\n{rows}"));
        let ran = gmpc_in(folder.path(), &["eval", "run"]).expect(3);
        assert!(ran.stderr.contains("E0810") || ran.stderr.contains("there is no column"), "{}", ran.stderr);
    }
    write(folder.path(), "t.csv", &format!("b,a,y\n{rows}"));
    let ran = gmpc_in(folder.path(), &["eval", "run"]).expect(3);
    assert!(ran.stderr.contains("`a` is now called `b`"), "{}", ran.stderr);
}
