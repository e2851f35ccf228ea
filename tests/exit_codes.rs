//! Every exit code has the meaning that the table in the README states.

use crate::support::{TINY, command, gmpc, gmpc_in, run, write};
use tempfile::tempdir;

#[test]
fn zero_for_work_done() {
    gmpc(&["check", "examples/first.gmpnet"]).expect(0);
    gmpc(&["--version"]).expect(0);
    gmpc(&["help"]).expect(0);
}

#[test]
fn one_for_a_file_that_is_wrong() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "wrong.gmpnet", "param = gpm\nmodel m(input: [3]) { input -> linear(1) }\n");
    let ran = gmpc(&["check", &file]).expect(1);
    assert!(ran.stderr.contains("gmp"), "the nearest name is offered:\n{}", ran.stderr);
    assert!(ran.stderr.contains("wrong.gmpnet:1:9"), "the place is shown:\n{}", ran.stderr);
}

#[test]
fn two_for_bad_usage() {
    gmpc(&["chekc", "examples/first.gmpnet"]).expect(2);
    gmpc(&["train"]).expect(2);
    gmpc(&["compare", "examples/first.gmpnet", "--repeats", "0"]).expect(2);
    gmpc(&["train", "examples/first.gmpnet", "--set", "no equals sign"]).expect(2);
}

#[test]
fn three_for_data_that_are_missing_or_damaged() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_string_lossy();
    let ran = gmpc(&["train", "examples/uci.gmpnet", "--data-dir", &data]).expect(3);
    assert!(ran.stderr.contains("gmpc data fetch uci.boston"), "the next step is told:\n{}", ran.stderr);

    write(folder.path(), "bad.csv", "a,b\n1,2\n3,x\n4,5\n6,7\n8,9\n");
    let text = "data = table(\"bad.csv\", target = \"b\")\nmodel m { input -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 0.1) }\n";
    let file = write(folder.path(), "bad.gmpnet", text);
    let ran = gmpc_in(folder.path(), &["train", &file]).expect(3);
    assert!(ran.stderr.contains("line 3"), "the place in the table is told:\n{}", ran.stderr);
}

#[test]
fn three_for_a_number_that_the_precision_cannot_hold() {
    let folder = tempdir().unwrap();
    let rows: String = (0..20).map(|i| format!("{i},{}\n", if i == 2 { "1e39" } else { "4" })).collect();
    write(folder.path(), "far.csv", &format!("a,b\n{rows}"));
    let text = "data = table(\"far.csv\", target = \"b\")\nmodel m { input -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 0.1)  epochs = 1 }\n";
    let file = write(folder.path(), "far.gmpnet", text);
    let ran = gmpc_in(folder.path(), &["train", &file]).expect(3);
    assert!(ran.stderr.contains("line 4") && ran.stderr.contains("precision = f64"), "{}", ran.stderr);
}

#[test]
fn one_for_a_network_too_large_to_compile_before_memory_is_asked_for() {
    let folder = tempdir().unwrap();
    write(folder.path(), "a.csv", "a,b\n1,2\n2,3\n3,4\n4,5\n5,6\n6,7\n7,8\n8,9\n9,10\n10,11\n");
    let text = "data = table(\"a.csv\", target = \"b\")\nmodel m { input -> dense(1000000000) -> relu -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 0.1)  epochs = 1  batch = 8 }\n";
    let file = write(folder.path(), "huge.gmpnet", text);
    let ran = gmpc_in(folder.path(), &["train", &file]).expect(1);
    assert!(ran.stderr.contains("E0352"), "{}", ran.stderr);
}

#[test]
fn four_for_training_that_diverges() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let run = folder.path().join("run");
    let options = ["--set", "train.optimizer=sgd(lr = 1e30)", "--set", "train.epochs=50"];
    let arguments = ["train", &file, "--out", &run.to_string_lossy(), options[0], options[1], options[2], options[3]];
    let ran = gmpc(&arguments).expect(4);
    assert!(ran.stderr.contains("epoch"), "when it happened is told:\n{}", ran.stderr);
}

#[test]
fn four_for_weights_that_predict_no_numbers() {
    let folder = tempdir().unwrap();
    let text = "data = levy(points = 50, noise = 0.1)\n\
                model m { input -> dense(16) -> relu -> dense(16) -> relu -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 1e19)  batch = all  epochs = 1 }\n";
    write(folder.path(), "steep.gmpnet", text);
    write(folder.path(), "new.csv", "x\n1\n");
    let ran = gmpc_in(folder.path(), &["train", "steep.gmpnet", "--out", "run"]).expect(4);
    assert!(ran.stderr.contains("of the last weights is not finite"), "{}", ran.stderr);
    // The weights are finite, so they are there: nothing that reads them may go on as if they were good.
    let ran = gmpc_in(folder.path(), &["eval", "run"]).expect(4);
    assert!(ran.stdout.contains("test.loss") || ran.stderr.contains("test.loss"), "{}{}", ran.stdout, ran.stderr);
    let ran = gmpc_in(folder.path(), &["predict", "run", "--input", "new.csv", "-o", "new.npy"]).expect(4);
    assert!(ran.stderr.contains("the prediction for line 2 is not finite"), "{}", ran.stderr);
    assert!(!folder.path().join("new.npy").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn five_for_a_device_without_room_for_the_program() {
    let folder = tempdir().unwrap();
    let text = "model wide(input: [1, 256, 256]) { input -> conv(256, 1) -> relu -> conv(256, 1) -> global_avg_pool -> linear(1) }\n\
                train { loss = mse  optimizer = sgd(lr = 0.1)  batch = 32 }\n";
    write(folder.path(), "wide.gmpnet", text);
    // The step needs several GiB, but the process may have only 1.5 GiB of addresses.
    let mut limited = std::process::Command::new("sh");
    limited.current_dir(folder.path()).env("NO_COLOR", "1");
    limited.args(["-c", "ulimit -v 1572864; exec \"$0\" bench wide.gmpnet", env!("CARGO_BIN_EXE_gmpc")]);
    let ran = run(limited).expect(5);
    assert!(ran.stderr.contains("no room") && ran.stderr.contains("smaller batch"), "{}", ran.stderr);
}

#[test]
fn five_for_a_gpu_that_is_not_there() {
    let ran = gmpc(&["train", "examples/first.gmpnet", "--device", "cuda", "--set", "train.epochs=1"]);
    if ran.code == 0 {
        println!("there is a GPU: nothing to see");
        return;
    }
    let ran = ran.expect(5);
    assert!(ran.stderr.contains("help:"), "what to install is told:\n{}", ran.stderr);
}

#[test]
fn six_for_a_folder_that_cannot_be_written() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let blocked = write(folder.path(), "blocked", "a file where a folder should be");
    gmpc(&["train", &file, "--out", &format!("{blocked}/run")]).expect(6);
    gmpc(&["check", "there/is/no/such.gmpnet"]).expect(6);
}

#[cfg(unix)]
#[test]
fn a_hundred_and_thirty_and_more_for_a_signal_and_the_run_goes_on_afterwards() {
    // SIGHUP is tested, too, except where the test itself was started with `nohup`, which makes child processes ignore
    // that signal.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let hangup = mask.filter(|mask| mask & 1 == 0).map(|_| ("HUP", 129));
    for (signal, expected) in [("INT", 130), ("TERM", 143)].into_iter().chain(hangup) {
        let folder = tempdir().unwrap();
        let file = write(folder.path(), "tiny.gmpnet", TINY);
        let run_folder = folder.path().join("run");
        let run_folder = run_folder.to_string_lossy();
        let arguments = ["train", &file, "--out", &run_folder, "--set", "train.epochs=100000000", "--quiet"];
        let mut child = command(folder.path(), &arguments).spawn().unwrap();
        wait_for(&folder.path().join("run/metrics.jsonl"));
        let mut kill = std::process::Command::new("kill");
        kill.args([format!("-{signal}"), child.id().to_string()]);
        run(kill).expect(0);
        assert_eq!(crate::support::code(child.wait().unwrap()), expected);
        assert!(folder.path().join("run/last.safetensors").is_file(), "the state was saved");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_is_heard_while_a_network_compiles() {
    use std::time::{Duration, Instant};
    // `check` has no handler of its own for signals. It gets SIGTERM, since a shell's background jobs inherit an ignored
    // SIGINT.
    let cases = [(&["check"][..], "TERM", 143), (&["train", "--out", "run", "--quiet"], "INT", 130)];
    for (command_line, signal, expected) in cases {
        let folder = tempdir().unwrap();
        let deep = "param = wn + mbn\ndata = levy(points = 50, noise = 0.1)\n\
                    model deep { input -> repeat(4000, dense(100) -> relu) -> linear(1) }\n\
                    train { loss = mse  optimizer = adam(lr = 0.01)  batch = 10  epochs = 1 }\n";
        let file = write(folder.path(), "deep.gmpnet", deep);
        let arguments: Vec<&str> = [command_line, &[file.as_str()]].concat();
        let mut child = command(folder.path(), &arguments).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().unwrap().is_none(), "{command_line:?}: still compiling");
        let mut kill = std::process::Command::new("kill");
        kill.args([format!("-{signal}"), child.id().to_string()]);
        let sent = Instant::now();
        run(kill).expect(0);
        assert_eq!(crate::support::code(child.wait().unwrap()), expected, "{command_line:?}");
        assert!(sent.elapsed() < Duration::from_secs(2), "{command_line:?}: {:?}", sent.elapsed());
        assert!(!folder.path().join("run").exists(), "nothing was begun");
    }
}

/// Waits until a file exists and is not empty.
#[cfg(unix)]
fn wait_for(path: &std::path::Path) {
    for _ in 0..600 {
        if std::fs::metadata(path).is_ok_and(|m| m.len() > 0) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{} did not appear within 30 s", path.display());
}

#[test]
fn errors_are_json_lines_where_json_was_asked_for() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "wrong.gmpnet", "param = gpm\nmodel m(input: [3]) { input -> linear(1) }\n");
    let error = gmpc(&["check", &file, "--json"]).expect(1).event("error");
    assert_eq!((&error["line"], &error["column"]), (&1.into(), &9.into()));
    assert!(error["code"].as_str().unwrap().starts_with("E02"), "{error}");
    let usage = gmpc(&["chekc", "--json"]).expect(2).event("error");
    assert_eq!((&usage["code"], &usage["kind"]), (&"E0817".into(), &"usage".into()));
}
