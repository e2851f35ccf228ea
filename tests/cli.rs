//! Details of the command line: which output goes to which stream, which arguments are optional, and what messages say.

use crate::support::{TINY, data_dir, gmpc, gmpc_in, path_in, root, write};
use tempfile::tempdir;

#[test]
fn results_go_to_standard_output_and_everything_else_to_standard_error() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let ran = gmpc_in(folder.path(), &["train", &file]).expect(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("test.rmse"));
    assert!(ran.stderr.contains("epoch 3/3"), "{}", ran.stderr);
    let quiet = gmpc_in(folder.path(), &["train", &file, "--quiet"]).expect(0);
    assert_eq!(quiet.stderr, "");
    let runs: Vec<_> = std::fs::read_dir(folder.path().join("runs")).unwrap().collect();
    assert_eq!(runs.len(), 2, "each run has a folder of its own");
}

#[test]
fn json_lines_are_those_of_the_design() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let ran = gmpc_in(folder.path(), &["train", &file, "--json"]).expect(0);
    let keys = |event: &str, keys: &[&str]| {
        let line = ran.event(event);
        for key in keys {
            assert!(!line[key].is_null(), "{event} has {key}: {line}");
        }
    };
    keys("start", &["seed", "param", "data", "device", "parameters", "planned_bytes", "source_sha256"]);
    keys("epoch", &["epoch", "lr", "train.loss", "valid.rmse", "seconds"]);
    keys("done", &["epochs", "best_epoch", "stopped_by", "test.rmse", "run"]);
    let cells = gmpc(&["compare", &file, "--param", "sp,gmp", "--repeats", "2", "--format", "json"]).expect(0).json();
    assert_eq!(cells.len(), 2);
    for key in ["event", "param", "over", "metric", "n", "mean", "stderr", "values"] {
        assert!(!cells[0][key].is_null(), "{key}: {}", cells[0]);
    }
}

#[test]
fn options_replace_values_of_the_file() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let module =
        gmpc(&["emit", &file, "--stage", "module", "--param", "wn + mbn", "--set", "train.epochs=7", "--seed", "9"]);
    let text = module.expect(0).stdout;
    assert!(text.contains("wn + mbn") && text.contains("epochs") && text.contains('7') && text.contains('9'), "{text}");
    let again = write(folder.path(), "again.gmpnet", &text);
    assert_eq!(gmpc(&["emit", &again, "--stage", "module"]).expect(0).stdout, text, "it is a fixed point");
}

#[test]
fn eval_and_predict_agree_with_training() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let run = path_in(&folder, "run");
    let done = gmpc(&["train", &file, "--out", &run, "--json"]).expect(0).event("done");
    let eval = gmpc(&["eval", &run, "--json"]).expect(0).event("eval");
    assert_eq!(done["test.rmse"], eval["test.rmse"]);
    let reference = gmpc(&["eval", &run, "--json", "--device", "candle"]).expect(0).event("eval");
    let (ours, theirs) = (eval["test.rmse"].as_f64().unwrap(), reference["test.rmse"].as_f64().unwrap());
    assert!((ours - theirs).abs() < 1e-4 * ours, "{ours} on the CPU, {theirs} on the reference device");
    let inputs = write(folder.path(), "x.csv", "x\n-10\n0\n10\n");
    assert_eq!(gmpc(&["predict", &run, "--input", &inputs]).expect(0).stdout.lines().count(), 4);
}

#[test]
fn fmt_changes_a_file_once_and_check_changes_nothing() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "loose.gmpnet", "param=gmp   // why\nmodel m(input:[3]){input->linear( 1 )}\n");
    let before = std::fs::read_to_string(&file).unwrap();
    gmpc(&["fmt", "--check", &file]).expect(1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    gmpc(&["fmt", &file]).expect(0);
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(after.contains("// why") && after.contains("input -> linear(1)"), "{after}");
    gmpc(&["fmt", "--check", &file]).expect(0);
}

#[test]
fn data_sets_can_be_listed_and_described_without_their_files() {
    let list = gmpc(&["data", "list", "--data-dir", "nowhere"]).expect(0).stdout;
    for name in ["levy", "banana", "uci.boston", "uci.yacht"] {
        assert!(list.contains(name), "{list}");
    }
    let info = gmpc(&["data", "info", "uci.yacht", "--data-dir", "nowhere"]).expect(0).stdout;
    assert!(info.contains("gmpc data fetch uci.yacht"), "{info}");
    let unknown = gmpc(&["data", "info", "uci.yaht"]).expect(2);
    assert!(unknown.stderr.contains("uci.yacht"), "{}", unknown.stderr);
}

#[test]
#[cfg_attr(not(has_data), ignore = "needs the data sets: set GMPNET_DATA to their folder")]
fn data_sets_can_be_verified_and_counted() {
    let data = data_dir();
    let data = data.to_string_lossy();
    gmpc(&["data", "verify", "--data-dir", &data]).expect(0);
    let info = gmpc(&["data", "info", "uci.yacht", "--data-dir", &data]).expect(0).stdout;
    assert!(info.contains("308"), "{info}");
}

#[test]
fn a_table_can_be_imported() {
    let folder = tempdir().unwrap();
    let data = path_in(&folder, "data");
    let imported = gmpc(&["data", "import", "examples/coffee.csv", "--data-dir", &data]).expect(0);
    let text = format!(
        "{}\ndata = coffee\nmodel m {{ input -> dense(4) -> relu -> linear(1) }}\n\
         train {{ loss = mse  optimizer = adam(lr = 0.01)  epochs = 2 }}\n",
        imported.stdout
    );
    let file = write(folder.path(), "imported.gmpnet", &text);
    gmpc_in(folder.path(), &["train", &file, "--data-dir", &data]).expect(0);
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = gmpc(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("gradcheck"), "{shell}");
    }
}

#[test]
fn every_command_has_help() {
    let help = gmpc(&["--help"]).expect(0).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Lines that go on below a long description are indented further.
    let commands = commands.filter(|line| !line.starts_with("   "));
    let names: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 14, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(gmpc(&[name, "--help"]).expect(0).stdout.contains("Usage"), "{name}");
    }
    assert!(root().join("README.md").is_file());
}

#[test]
fn a_last_batch_of_one_row_is_told_by_check_where_the_table_is_there() {
    let folder = tempdir().unwrap();
    let rows: String = (0..21).map(|k| format!("{k},{}\n", k * k)).collect();
    std::fs::write(folder.path().join("squares.csv"), format!("side,area\n{rows}")).unwrap();
    let text = "param = bn\ndata = table(\"squares.csv\", target = \"area\", validation = 0)\n\
        model m { input -> dense(4) -> relu -> linear(1) }\n\
        train { loss = mse  optimizer = sgd(lr = 0.01)  epochs = 1  batch = 5 }\n";
    // 0.8 of 21 rows are 16: three batches of 5, and one row.
    let file = write(folder.path(), "squares.gmpnet", text);
    let told = gmpc_in(folder.path(), &["check", &file]).expect(1).stderr;
    assert!(told.contains("E0567") && told.contains("`last_batch = drop`"), "{told}");
    gmpc_in(folder.path(), &["check", &file, "--set", "train.last_batch=drop"]).expect(0);
    gmpc_in(folder.path(), &["train", &file, "--set", "train.last_batch=drop"]).expect(0);
    gmpc_in(folder.path(), &["check", &file, "--param", "wn"]).expect(0);
    gmpc_in(folder.path(), &["check", &file, "--set", "train.batch=8"]).expect(0);
}

#[test]
fn a_seed_that_is_none_is_told_what_one_is() {
    let told = gmpc(&["train", "any.gmpnet", "--seed", "-1"]).expect(2).stderr;
    assert!(told.contains("a seed is a whole number from 0"), "{told}");
}

/// A table or a folder of a stranger must not move the cursor, change colours or hide text.
#[test]
fn names_of_others_do_not_command_the_terminal() {
    let folder = tempdir().unwrap();
    let rows: String = (0..30).map(|i| format!("{i},{},{}\n", i * i, ["x\u{9b}2Jy", "z\u{9b}1m"][i % 2])).collect();
    let table = write(folder.path(), "rows.csv", &format!("a\u{1b}[31mred,b\u{7},kind\n{rows}"));
    let file = write(
        folder.path(),
        "net.gmpnet",
        "data = table(\"rows.csv\", target = \"kind\", task = classification, split = random(train = 0.8))
         model net { input -> dense(4) -> relu -> linear(data.classes) }
         train { loss = cross_entropy  optimizer = adam(lr = 0.01)  batch = 8  epochs = 1 }",
    );
    let run = path_in(&folder, "run\u{1b}]0;title");
    let told = [
        gmpc(&["train", &file, "--out", &run]).expect(0),
        gmpc(&["data", "info", &file]).expect(0),
        gmpc(&["summary", &file]).expect(0),
        gmpc(&["eval", &run]).expect(0),
        gmpc(&["convert", &run, "--param", "gmp"]).expect(0),
        gmpc(&["export", &run, "--as", "onnx", "-o", &path_in(&folder, "n\u{1b}[m.onnx")]).expect(0),
        gmpc(&["predict", &run, "--input", &table, "-o", &path_in(&folder, "p\u{1b}[m.csv")]).expect(0),
        gmpc(&["predict", &run, "--input", &path_in(&folder, "no\u{1b}[m.csv")]),
    ];
    for ran in &told {
        let obeyed = |c: char| c.is_control() && !"\n\t".contains(c);
        assert!(!ran.stderr.contains(obeyed) && !ran.stdout.contains(obeyed), "{:?}\n{:?}", ran.stderr, ran.stdout);
    }
    assert!(told[0].stderr.contains("run\\u{1b}]0;title"), "{}", told[0].stderr);
    // A program that reads the predictions gets the names as they are.
    let csv = gmpc(&["predict", &run, "--input", &table]).expect(0).stdout;
    assert!(csv.contains("x\u{9b}2Jy") && csv.contains("z\u{9b}1m"), "{csv:?}");
}
