//! Small promises of the command line: what goes where, what can be left out, what is said.

use crate::support::{TINY, data_dir, gmpc, gmpc_in, root, write};
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
    let run = folder.path().join("run").to_string_lossy().into_owned();
    let done = gmpc(&["train", &file, "--out", &run, "--json"]).expect(0).event("done");
    let eval = gmpc(&["eval", &run, "--json"]).expect(0).event("eval");
    assert_eq!(done["test.rmse"], eval["test.rmse"]);
    let witness = gmpc(&["eval", &run, "--json", "--device", "candle"]).expect(0).event("eval");
    let (ours, theirs) = (eval["test.rmse"].as_f64().unwrap(), witness["test.rmse"].as_f64().unwrap());
    assert!((ours - theirs).abs() < 1e-4 * ours, "{ours} on the processor, {theirs} on the witness");
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
fn data_sets_can_be_listed_described_and_verified() {
    let list = gmpc(&["data", "list", "--data-dir", "nowhere"]).expect(0).stdout;
    for name in ["levy", "banana", "uci.boston", "uci.yacht"] {
        assert!(list.contains(name), "{list}");
    }
    let info = gmpc(&["data", "info", "uci.yacht", "--data-dir", "nowhere"]).expect(0).stdout;
    assert!(info.contains("gmpc data fetch uci.yacht"), "{info}");
    let unknown = gmpc(&["data", "info", "uci.yaht"]).expect(2);
    assert!(unknown.stderr.contains("uci.yacht"), "{}", unknown.stderr);
    if let Some(data) = data_dir() {
        let data = data.to_string_lossy();
        gmpc(&["data", "verify", "--data-dir", &data]).expect(0);
        let info = gmpc(&["data", "info", "uci.yacht", "--data-dir", &data]).expect(0).stdout;
        assert!(info.contains("308"), "{info}");
    }
}

#[test]
fn a_table_can_be_imported() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data").to_string_lossy().into_owned();
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
