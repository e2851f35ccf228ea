//! The program writes complete output or reports that it could not. It never overwrites a file that something else
//! depends on.

use crate::support::{Ran, TINY, command, gmpc_in, run, write};
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

/// Runs a script in a shell. `$0` is the program.
#[cfg(unix)]
fn shell(folder: &Path, script: &str) -> Ran {
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", script, env!("CARGO_BIN_EXE_gmpc")]);
    shell.env("NO_COLOR", "1").env_remove("GMPNET_DATA");
    run(shell)
}

/// Trains a run of a few epochs that restores its best weights at the end.
fn trained(folder: &Path) {
    let text = TINY.replace("metrics = [rmse]", "metrics = [rmse]  stop = early_stop(valid.rmse, restore_best = true)");
    write(folder, "tiny.gmpnet", &text);
    gmpc_in(folder, &["train", "tiny.gmpnet", "--out", "run", "--quiet"]).expect(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_at_standard_output_is_an_error_of_every_command() {
    let folder = tempdir().unwrap();
    trained(folder.path());
    let rows: String = (0..20_000).map(|i| format!("{}\n", f64::from(i) / 1000.0)).collect();
    write(folder.path(), "rows.csv", &format!("x\n{rows}"));
    write(folder.path(), "wrong.gmpnet", "param = gpm\nmodel m(input: [3]) { input -> linear(1) }\n");
    let cases = [
        ("predict run --input rows.csv", 6),
        ("eval run", 6),
        ("explain E0303", 6),
        ("completions bash", 6),
        ("--help", 6),
        ("--version", 6),
        ("emit tiny.gmpnet --stage net", 6),
        ("compare tiny.gmpnet --repeats 1 --quiet --format latex", 6),
        // A command that already failed keeps its own exit code.
        ("check wrong.gmpnet --json", 1),
        ("train tiny.gmpnet --set train.optimizer=sgd\\(lr=1e30\\) --set train.epochs=50 --json --out diverged", 4),
        ("no-such-command --json", 2),
    ];
    for (arguments, code) in cases {
        let ran = shell(folder.path(), &format!("\"$0\" {arguments} > /dev/full"));
        assert_eq!(ran.code, code, "{arguments}: {}", ran.stderr);
        assert!(code == 2 || ran.stderr.contains("cannot write standard output"), "{arguments}: {}", ran.stderr);
    }
    // Where standard error cannot be written, only the exit code is left to report the fault.
    shell(folder.path(), "\"$0\" check tiny.gmpnet 2> /dev/full").expect(6);
}

#[cfg(target_os = "linux")]
#[test]
fn training_continues_when_its_output_cannot_be_written() {
    let folder = tempdir().unwrap();
    write(folder.path(), "tiny.gmpnet", TINY);
    let full =
        shell(folder.path(), "\"$0\" train tiny.gmpnet --set train.epochs=50 --json --out a > /dev/full").expect(6);
    assert!(full.stderr.contains("help:"), "{}", full.stderr);
    // A reader that closes the pipe is not an error. Not every shell has `set -o pipefail`, so the exit code goes through
    // a file.
    let gone = "(\"$0\" train tiny.gmpnet --set train.epochs=5000 --json --out b; echo $? > code) | head -n 1";
    shell(folder.path(), gone).expect(0);
    let code = std::fs::read_to_string(folder.path().join("code")).unwrap();
    assert_eq!(code.trim(), "0");
    for (name, epochs) in [("a", 50), ("b", 5000)] {
        let lines = std::fs::read_to_string(folder.path().join(name).join("metrics.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), epochs, "every epoch was trained");
        assert!(folder.path().join(name).join("result.json").is_file());
    }
}

#[test]
fn outputs_have_the_format_of_their_endings_and_overwrite_no_input() {
    let folder = tempdir().unwrap();
    trained(folder.path());
    write(folder.path(), "rows.csv", "x\n0.5\n1\n");
    let predict = |output: &str| gmpc_in(folder.path(), &["predict", "run", "--input", "rows.csv", "-o", output]);
    for name in ["p.npz", "p.xlsx", "p.parquet", "p.json", "p"] {
        let ran = predict(name).expect(2);
        assert!(ran.stderr.contains("`.csv` or `.npy`"), "{}", ran.stderr);
        assert!(!folder.path().join(name).exists());
    }
    assert!(predict("rows.csv").expect(2).stderr.contains("is an input"));
    predict("p.csv").expect(0);
    predict("p.NPY").expect(0);
    let kept =
        gmpc_in(folder.path(), &["predict", "run", "--input", "rows.csv", "--keep", "x", "-o", "q.npy"]).expect(2);
    assert!(kept.stderr.contains("`--keep`") && !folder.path().join("q.npy").exists(), "{}", kept.stderr);
    gmpc_in(folder.path(), &["report", "run", "-o", "run/source.gmpnet"]).expect(2);
    gmpc_in(folder.path(), &["report", "run", "-o", "page.pdf"]).expect(2);
    for name in ["run/best.safetensors", "run/last.safetensors", "w.pt"] {
        gmpc_in(folder.path(), &["convert", "run", "--param", "sp", "-o", name]).expect(2);
    }
    gmpc_in(folder.path(), &["eval", "run"]).expect(0);
}

#[test]
fn a_run_works_from_any_folder() {
    let folder = tempdir().unwrap();
    let project = folder.path().join("project");
    std::fs::create_dir_all(project.join("deeper")).unwrap();
    let rows: String = (0..30).map(|i| format!("{i},{}\n", i % 7)).collect();
    write(&project, "t.csv", &format!("x,y\n{rows}"));
    let text = "data = table(\"t.csv\", target = \"y\")\nmodel m { input -> dense(4) -> relu -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 0.001)  batch = 5  epochs = 3 }\n";
    write(&project, "net.gmpnet", text);
    // The file is named without a folder, so its table lies in the folder in which the program was started.
    gmpc_in(&project, &["train", "net.gmpnet", "--out", "run", "--quiet"]).expect(0);
    let here = gmpc_in(&project, &["eval", "run"]).expect(0).stdout;
    for (place, run) in [(project.join("deeper"), "../run"), (folder.path().to_path_buf(), "project/run")] {
        assert_eq!(gmpc_in(&place, &["eval", run]).expect(0).stdout, here);
        gmpc_in(&place, &["train", "--resume", run, "--quiet"]).expect(0);
    }
    // The source in the run folder finds the same table from another folder and gives the same weights.
    let again = ["train", "project/run/source.gmpnet", "--out", "again", "--quiet"];
    gmpc_in(folder.path(), &again).expect(0);
    let weights = |run: &str| std::fs::read(folder.path().join(run).join("best.safetensors")).unwrap();
    assert_eq!(weights("project/run"), weights("again"));
    std::fs::rename(&project, folder.path().join("moved")).unwrap();
    assert_eq!(gmpc_in(folder.path(), &["eval", "moved/run"]).expect(0).stdout, here);
}

#[test]
fn a_report_says_which_lines_it_cannot_read() {
    let folder = tempdir().unwrap();
    trained(folder.path());
    let file = folder.path().join("run/metrics.jsonl");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[30] = 0xff;
    std::fs::write(&file, bytes).unwrap();
    let ran = gmpc_in(folder.path(), &["report", "run", "-o", "page.html"]).expect(0);
    assert!(ran.stderr.contains("line 1 of") && ran.stderr.contains("cannot be read"), "{}", ran.stderr);
    let page = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("cannot be read") && page.contains("learning-curves"), "the other epochs are drawn");
}

#[test]
fn an_error_far_along_a_line_is_an_error_of_the_file() {
    let folder = tempdir().unwrap();
    write(folder.path(), "long.gmpnet", &format!("seed ={}@", " ".repeat(70_000)));
    let ran = gmpc_in(folder.path(), &["check", "long.gmpnet"]).expect(1);
    assert!(ran.stderr.contains("long.gmpnet:1:70007"), "{}", ran.stderr);
    write(folder.path(), "tiny.gmpnet", TINY);
    let set = format!("train.epochs={}@", " ".repeat(70_000));
    gmpc_in(folder.path(), &["check", "tiny.gmpnet", "--set", &set]).expect(1);
}

#[test]
fn figures_chosen_on_test_rows_are_marked_wherever_they_stand() {
    let folder = tempdir().unwrap();
    write(folder.path(), "tiny.gmpnet", TINY);
    let train = ["train", "tiny.gmpnet", "--set", "train.select=test", "--out", "run", "--quiet"];
    assert!(gmpc_in(folder.path(), &train).expect(0).stdout.contains("chosen on the test rows"));
    assert!(gmpc_in(folder.path(), &["eval", "run", "--quiet"]).expect(0).stdout.contains("chosen on the test rows"));
    let result = std::fs::read_to_string(folder.path().join("run/result.json")).unwrap();
    assert!(result.contains("\"chosen_on\":\"test\""), "{result}");
    for format in ["table", "latex"] {
        let mut compare = command(folder.path(), &["compare", "tiny.gmpnet", "--repeats", "1", "--quiet"]);
        compare.args(["--set", "train.select=test", "--format", format]);
        assert!(run(compare).expect(0).stdout.contains("chosen on the test rows"), "{format}");
    }
}

/// The program under `ulimit`, which acts as a cluster does on a job that needs more than it requested.
#[cfg(target_os = "linux")]
#[test]
fn limits_of_the_system_end_in_exit_codes_of_the_table() {
    let folder = tempdir().unwrap();
    let text = "data = levy(points = 200, noise = 0.1)\nmodel m { input -> dense(3000) -> relu -> dense(3000) -> relu -> linear(1) }\n\
                train { loss = mse  optimizer = adam(lr = 0.01)  batch = 100  epochs = 1 }\n";
    write(folder.path(), "wide.gmpnet", text);
    for (count, kilobytes) in [60_000, 90_000, 150_000, 250_000].into_iter().enumerate() {
        let ran = shell(
            folder.path(),
            &format!("ulimit -v {kilobytes}; \"$0\" train wide.gmpnet --threads 1 --out m{count}"),
        );
        assert!([0, 5, 6].contains(&ran.code), "{kilobytes} kB: {} {}", ran.code, ran.stderr);
        assert!(ran.code == 0 || !ran.stderr.is_empty(), "{kilobytes} kB: the reason is told");
    }
    let ran = shell(folder.path(), "ulimit -f 8; \"$0\" train wide.gmpnet --out f").expect(6);
    assert!(ran.stderr.contains("cannot write"), "{}", ran.stderr);
}

/// Every letter that LaTeX takes for something else, wherever a name can stand.
#[cfg_attr(not(has_latex), ignore = "needs LaTeX with booktabs and siunitx")]
#[test]
fn a_table_of_any_names_compiles() {
    use gmpc_runtime::task::compare::{Cell, Comparison, Outcome, Splits, Statistics};
    let hostile =
        ["a_b % # & c", "[x]", "]y[", "\\begin{z}", "~ ^ $ {", "}", "*", "é κ \u{1f600}", "<|>\"`'", "--", "\n\t", "%"];
    let outcome = |seed: u64, name: &str| Outcome {
        seed,
        figures: Err(name.into()),
        epochs: 0,
        seconds: 0.0,
        size: None,
        start: vec![],
    };
    let cell = |param: &str, name: &str, line: &str, values: &[f64]| Cell {
        param: param.into(),
        over: vec![(name.into(), name.into()), ("b".into(), format!("{name}{line}"))],
        splits: Splits::Fixed,
        stopped: None,
        outcomes: (0..3).map(|seed| outcome(seed, name)).collect(),
        values: values.to_vec(),
        statistics: Statistics::of(values),
        choice: 0.5,
        best: values.len() == 3,
    };
    let mut text = "\\documentclass{article}\n\\usepackage{booktabs, siunitx}\n\\begin{document}\n".to_string();
    for name in hostile {
        let comparison = Comparison {
            params: vec![name.into(), "sp".into()],
            over: vec![(name.into(), vec![]), ("b".into(), vec![])],
            metric: format!("test.{name}"),
            higher_is_better: false,
            chosen_by: format!("test.{name}"),
            choose: vec![],
            baseline: Some("sp".into()),
            halving: None,
            cells: vec![
                cell(name, name, "1", &[1.0, 2.0, 3.0]),
                cell("sp", name, "1", &[]),
                cell(name, name, "2", &[-1e-12, 1e300]),
                cell("sp", name, "2", &[f64::MIN_POSITIVE]),
            ],
            complete: true,
        };
        text += &gmpc_study::report::table::latex(&gmpc_study::judge::judge(&comparison));
        text += "\n\n";
    }
    let folder = tempdir().unwrap();
    write(folder.path(), "table.tex", &(text + "\\end{document}\n"));
    let mut latex = Command::new("pdflatex");
    latex.current_dir(folder.path()).args(["-interaction=nonstopmode", "-halt-on-error", "table.tex"]);
    let made = latex.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
}

#[test]
fn what_is_there_is_not_written_over_without_being_asked() {
    let folder = tempdir().unwrap();
    trained(folder.path());
    let at = |name: &str| folder.path().join(name);
    let refused = |arguments: &[&str], what: &str| {
        let ran = gmpc_in(folder.path(), arguments).expect(2);
        assert!(ran.stderr.contains("error[E0801]") && ran.stderr.contains(what), "{}", ran.stderr);
    };
    refused(&["train", "tiny.gmpnet", "--out", "run"], "already holds a run");
    refused(&["compare", "tiny.gmpnet", "--repeats", "1", "--out", "run"], "holds a run");
    gmpc_in(folder.path(), &["compare", "tiny.gmpnet", "--repeats", "1", "--quiet", "--out", "kept"]).expect(0);
    refused(&["train", "tiny.gmpnet", "--out", "kept", "--force"], "holds a comparison");
    std::fs::create_dir(at("mine")).unwrap();
    write(&at("mine"), "metrics.jsonl", "my own notes");
    refused(&["train", "tiny.gmpnet", "--out", "mine"], "holds `metrics.jsonl`");
    assert_eq!(std::fs::read(at("mine/metrics.jsonl")).unwrap(), b"my own notes");
    // With `--force` the old run goes, all of it, and nothing else in the folder.
    write(&at("run"), "p.csv", "mine");
    gmpc_in(folder.path(), &["train", "tiny.gmpnet", "--out", "run", "--force", "--seed", "5", "--quiet"]).expect(0);
    assert!(std::fs::read_to_string(at("run/run.json")).unwrap().contains("\"seed\": 5"));
    assert!(at("run/p.csv").exists() && !at("run/best.safetensors.tmp").exists());
    // The kept source is a file like any other, and may be what is trained.
    gmpc_in(folder.path(), &["train", "run/source.gmpnet", "--out", "run", "--force", "--quiet"]).expect(0);
    gmpc_in(folder.path(), &["eval", "run"]).expect(0);
    gmpc_in(folder.path(), &["train", "tiny.gmpnet", "--force"]).expect(2);
}

#[test]
fn the_file_that_changed_is_named() {
    let folder = tempdir().unwrap();
    let rows: String = (0..30).map(|i| format!("{i},{}\n", i % 7)).collect();
    write(folder.path(), "t.csv", &format!("x,y\n{rows}"));
    let text = "data = table(\"t.csv\", target = \"y\")\nmodel m { input -> dense(4) -> relu -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 0.001)  batch = 5  epochs = 2 }\n";
    write(folder.path(), "net.gmpnet", text);
    gmpc_in(folder.path(), &["train", "net.gmpnet", "--out", "run", "--quiet"]).expect(0);
    write(folder.path(), "t.csv", &format!("x,y\n{}", rows.replace("3,3", "3,4")));
    for command in [&["eval", "run"][..], &["train", "--resume", "run"]] {
        let ran = gmpc_in(folder.path(), command).expect(3);
        assert!(ran.stderr.contains("E0810") && ran.stderr.contains("`t.csv` has changed"), "{}", ran.stderr);
    }
    let report = gmpc_in(folder.path(), &["report", "run", "-o", "page.html"]).expect(0);
    assert!(report.stderr.contains("figures over its rows are left out"), "{}", report.stderr);
}

#[test]
fn edited_and_cut_files_of_a_run_are_told_by_whoever_reads_them() {
    let folder = tempdir().unwrap();
    trained(folder.path());
    let train = ["train", "tiny.gmpnet", "--record", "boundaries", "--out", "recorded", "--quiet"];
    gmpc_in(folder.path(), &train).expect(0);
    let result = folder.path().join("run/result.json");
    let whole = std::fs::read_to_string(&result).unwrap();
    std::fs::write(&result, whole.replacen("\"test.loss\":", "\"test.loss\":0", 1)).unwrap();
    let ran = gmpc_in(folder.path(), &["report", "run", "-o", "page.html"]).expect(6);
    assert!(ran.stderr.contains("error[E0803]") && ran.stderr.contains("--resume run"), "{}", ran.stderr);
    gmpc_in(folder.path(), &["train", "--resume", "run", "--quiet"]).expect(0);
    gmpc_in(folder.path(), &["report", "run", "-o", "page.html"]).expect(0);
    let records = folder.path().join("recorded/boundaries/hidden.npy");
    let bytes = std::fs::read(&records).unwrap();
    std::fs::write(&records, &bytes[..bytes.len() - 8]).unwrap();
    for command in [&["analyze", "recorded"][..], &["report", "recorded", "-o", "page.html"]] {
        let ran = gmpc_in(folder.path(), command).expect(6);
        assert!(ran.stderr.contains("has 3 of the 4 records"), "{}", ran.stderr);
    }
    std::fs::remove_dir_all(folder.path().join("recorded/boundaries")).unwrap();
    gmpc_in(folder.path(), &["analyze", "recorded"]).expect(6);
    // Weights of another run, or of another program, are neither used nor written over.
    gmpc_in(folder.path(), &["train", "tiny.gmpnet", "--seed", "9", "--out", "other", "--quiet"]).expect(0);
    for foreign in ["other", "elsewhere"] {
        let best = folder.path().join("run/best.safetensors");
        match foreign {
            "other" => drop(std::fs::copy(folder.path().join("other/best.safetensors"), &best).unwrap()),
            _ => {
                let header = b"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
                let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
                std::fs::write(&best, bytes).unwrap();
            }
        }
        let before = std::fs::read(&best).unwrap();
        let ran = gmpc_in(folder.path(), &["train", "--resume", "run"]).expect(6);
        assert!(ran.stderr.contains("error[E0805]") && ran.stderr.contains("move it away"), "{}", ran.stderr);
        assert_eq!(std::fs::read(&best).unwrap(), before);
        gmpc_in(folder.path(), &["eval", "run"]).expect(6);
    }
}

#[test]
fn every_error_has_a_code_and_a_kind_in_json() {
    let folder = tempdir().unwrap();
    trained(folder.path());
    write(folder.path(), "bare.gmpnet", "model m(input: [2]) { input -> linear(1) }\n");
    let cases: [(&[&str], i32, &str, &str); 12] = [
        (&["eval", "nowhere"], 6, "E0802", "io"),
        (&["train", "tiny.gmpnet", "--out", "run"], 2, "E0801", "usage"),
        (&["train", "bare.gmpnet"], 2, "E0814", "usage"),
        (&["check", "no.gmpnet"], 6, "E0807", "io"),
        (&["check", "tiny.gmpnet", "--set", "train.epochs=1", "--set", "train.epochs=2"], 2, "E0817", "usage"),
        (&["check", "tiny.gmpnet", "--param", "sp", "--set", "param=gmp"], 2, "E0817", "usage"),
        (&["compare", "tiny.gmpnet", "--over", "param=sp,gmp"], 2, "E0812", "usage"),
        (&["compare", "tiny.gmpnet", "--over", "train.batch="], 2, "E0812", "usage"),
        (&["compare", "tiny.gmpnet", "--over", "train.select=valid,test"], 2, "E0812", "usage"),
        (&["predict", "run", "--input", "tiny.gmpnet", "-o", "p.xlsx"], 2, "E0808", "usage"),
        (&["check", "tiny.gmpnet", "--set", "train.epochs=0"], 1, "E0603", "file"),
        (
            &[
                "train",
                "tiny.gmpnet",
                "--out",
                "d",
                "--set",
                "train.optimizer=sgd(lr = 1e30)",
                "--set",
                "train.epochs=50",
            ],
            4,
            "E0815",
            "diverged",
        ),
    ];
    for (arguments, exit, code, kind) in cases {
        let ran = gmpc_in(folder.path(), &[arguments, &["--json"]].concat()).expect(exit);
        let error = ran.event("error");
        assert_eq!((&error["code"], &error["kind"]), (&code.into(), &kind.into()), "{arguments:?}: {error}");
        assert!(error["help"].is_string(), "{arguments:?}: {error}");
        assert!(ran.stderr.contains(&format!("error[{code}]")), "{arguments:?}: {}", ran.stderr);
        gmpc_in(folder.path(), &["explain", code]).expect(0);
    }
}

#[cfg(unix)]
#[test]
fn an_output_over_an_input_by_another_name_is_refused() {
    let folder = tempdir().unwrap();
    trained(folder.path());
    let input = write(folder.path(), "rows.csv", "x\n0.5\n1\n");
    std::fs::hard_link(&input, folder.path().join("hard.csv")).unwrap();
    let predict = ["predict", "run", "--input", "rows.csv", "-o", "hard.csv"];
    assert!(gmpc_in(folder.path(), &predict).expect(2).stderr.contains("is an input"));
    assert_eq!(std::fs::read_to_string(&input).unwrap(), "x\n0.5\n1\n");
}

#[test]
fn comparisons_of_one_name_stay_two() {
    let folder = tempdir().unwrap();
    write(folder.path(), "tiny.gmpnet", TINY);
    for place in ["a", "b"] {
        std::fs::create_dir(folder.path().join(place)).unwrap();
        let out = format!("{place}/kept");
        gmpc_in(folder.path(), &["compare", "tiny.gmpnet", "--repeats", "1", "--quiet", "--out", &out]).expect(0);
    }
    gmpc_in(folder.path(), &["report", "a/kept", "b/kept", "-o", "page.html", "--figures", "figures"]).expect(0);
    for name in ["curves-a-kept.svg", "curves-b-kept.svg"] {
        assert!(folder.path().join("figures").join(name).exists(), "{name}");
    }
}
