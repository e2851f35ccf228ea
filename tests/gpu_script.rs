//! The script `tests/gpu/run` without a GPU. Its behaviour with a GPU is tested with stand-ins for the two programs it
//! starts, which only print their arguments or fail.

use std::path::Path;
use std::process::{Command, Output};
use tempfile::{TempDir, tempdir};

/// A folder as `tests/gpu/pack` makes it, with two shell scripts in place of the programs.
fn packed(gmpc: &str, tests: &str) -> TempDir {
    let folder = tempdir().unwrap();
    std::fs::copy(source().join("run"), folder.path().join("run")).unwrap();
    std::fs::write(folder.path().join("commit"), "0123456789abcdef\n").unwrap();
    for (name, text) in [("gmpc", gmpc), ("tests", tests)] {
        std::fs::write(folder.path().join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(folder.path().join(name)).status().unwrap().success());
    }
    folder
}

fn source() -> std::path::PathBuf {
    crate::support::root().join("tests/gpu")
}

/// Runs the script without Python, so that it does not look for a PyTorch of this machine.
fn run(folder: &Path, parts: &[&str]) -> Output {
    let mut command = Command::new(folder.join("run"));
    command.args(parts).env("PYTHON", "false").env_remove("GMPC_CUDA_LIB_DIR").env_remove("GMPC_GPU_LOGS");
    command.output().unwrap()
}

/// Names and texts of the logs in a folder, in alphabetical order.
fn logs(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = || std::fs::read_to_string(entry.path()).unwrap();
        name.contains(".log").then(|| (name.clone(), text()))
    };
    let mut all: Vec<_> = entries.filter_map(read).collect();
    all.sort();
    all
}

/// Standard output and standard error of the script.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[test]
fn both_scripts_are_bash() {
    for script in ["run", "pack"] {
        let parses = Command::new("bash").arg("-n").arg(source().join(script)).status().unwrap();
        assert!(parses.success(), "{script}");
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn five_and_no_log_where_there_is_no_gpu() {
    let folder = packed("", "");
    std::fs::copy(env!("CARGO_BIN_EXE_gmpc"), folder.path().join("gmpc")).unwrap();
    std::fs::create_dir(folder.path().join("examples")).unwrap();
    let example = "examples/first.gmpnet";
    std::fs::copy(crate::support::root().join(example), folder.path().join(example)).unwrap();
    for parts in [&[][..], &["golden"], &["replay", "timings"]] {
        let ran = run(folder.path(), parts);
        assert_eq!(ran.status.code(), Some(5), "{}", said(&ran));
        assert!(said(&ran).contains("GPU: not run") && said(&ran).contains("libcudnn.so.9"), "{}", said(&ran));
        assert_eq!(logs(folder.path()), [], "{}", said(&ran));
    }
}

#[test]
fn every_part_stores_a_log_of_its_own_with_what_was_not_run() {
    let folder = packed("echo gmpc $*", "echo tests $*");
    let ran = run(folder.path(), &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let logs = logs(folder.path());
    let parts: Vec<&str> = logs.iter().filter_map(|(name, _)| name.strip_suffix(".log")?.rsplit('-').next()).collect();
    assert_eq!(parts, ["compiled", "golden", "replay", "sanitizer", "timings"]);
    for (name, text) in &logs {
        assert!(name.starts_with("gpu-20") && name.contains("-0123456-"), "{name}");
        assert!(
            ["date ", "commit  0123456789abcdef", "GPU ", "result "].iter().all(|line| text.contains(line)),
            "{text}"
        );
    }
    assert!(logs[1].1.contains("golden::on_gpu") && logs[1].1.contains("result  golden: complete"), "{}", logs[1].1);
    assert!(logs[4].1.contains("--param gmp + mn --set precision=bf16"), "{}", logs[4].1);
    assert!(logs[0].1.contains("NOT RUN") && logs[0].1.contains("NOT COMPLETE"), "{}", logs[0].1);
}

#[test]
fn one_for_a_check_that_fails_or_does_not_end_and_two_for_a_part_that_is_none() {
    let failing = packed("", "exit 101");
    assert_eq!(run(failing.path(), &["golden"]).status.code(), Some(1));
    assert!(logs(failing.path())[0].1.contains("FAILED with 101"));
    let slow = packed("", "exec sleep 60");
    let mut command = Command::new(slow.path().join("run"));
    let ran = command.arg("replay").env("GMPC_GPU_SECONDS", "1").output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
    assert!(logs(slow.path())[0].1.contains("STOPPED"), "{}", said(&ran));
    assert_eq!(run(slow.path(), &["everything"]).status.code(), Some(2));
}
