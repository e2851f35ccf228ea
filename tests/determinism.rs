//! The same file, data and seed give the same bits, with any number of threads and after any number of interruptions.

use crate::support::{TINY, gmpc, path_in, tensor_bytes, write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::tempdir;

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).expect("a file of the run folder")
}

#[test]
fn a_run_repeated_is_the_same_run() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let runs = ["a", "b"].map(|name| folder.path().join(name));
    for (run, threads) in runs.iter().zip(["1", "2"]) {
        gmpc(&["train", &file, "--out", &run.to_string_lossy(), "--threads", threads, "--quiet"]).expect(0);
    }
    assert_eq!(bytes(&runs[0], "best.safetensors"), bytes(&runs[1], "best.safetensors"));
    let other = folder.path().join("other");
    gmpc(&["train", &file, "--out", &other.to_string_lossy(), "--seed", "1", "--quiet"]).expect(0);
    assert_ne!(bytes(&runs[0], "best.safetensors"), bytes(&other, "best.safetensors"), "another seed is another run");
}

/// A network with every kind of layer that divides its work among threads. The last step of an epoch has fewer images.
const IMAGES: &str = "
data  = shapes32(train = 390, test = 16)
model m {
    pooled = input -> conv(16, 3) -> relu -> conv(32, 3, stride = 2) -> relu -> max_pool(2)
    inner = pooled -> conv(32, 3) -> relu
    inner + pooled -> conv(24, 1) -> relu -> dropout(0.2) -> avg_pool(2) -> flatten -> dense(40) -> relu -> linear(20)
}
train {
    loss      = cross_entropy
    optimizer = adam(lr = 0.003)
    batch     = 32
    epochs    = 2
    metrics   = [top1]
}
";

#[test]
fn a_network_of_convolutions_does_not_depend_on_the_number_of_threads() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "images.gmpnet", IMAGES);
    for param in ["bn", "gmp + mn"] {
        let run = |threads: &str| {
            let out = folder.path().join(format!("{param}{threads}"));
            let arguments = ["train", &file, "--param", param, "--out", &out.to_string_lossy(), "--threads", threads];
            gmpc(&[&arguments[..], &["--quiet"]].concat()).expect(0);
            tensor_bytes(&out.join("last.safetensors"))
        };
        let one = run("1");
        assert!(one == run("2") && one == run("3"), "{param}: 20 steps with 1, 2 and 3 threads");
    }
}

#[test]
fn a_run_folder_repeats_its_run() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let runs = ["a", "b"].map(|name| folder.path().join(name));
    let options = ["--param", "wn", "--set", "train.epochs=4", "--seed", "7", "--quiet"];
    gmpc(&[&["train", &file, "--out", &runs[0].to_string_lossy()], &options[..]].concat()).expect(0);
    let source = runs[0].join("source.gmpnet");
    gmpc(&["train", &source.to_string_lossy(), "--out", &runs[1].to_string_lossy(), "--quiet"]).expect(0);
    assert_eq!(bytes(&runs[0], "best.safetensors"), bytes(&runs[1], "best.safetensors"));
    assert_eq!(bytes(&runs[0], "source.gmpnet"), bytes(&runs[1], "source.gmpnet"));
}

#[test]
fn a_comparison_does_not_depend_on_the_number_of_threads() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    // Runs of a comparison end in any order. Lines of the output must not show it.
    let compare = |threads: &str| {
        let over = "train.optimizer.lr=0.01,0.1";
        let arguments = [
            "compare",
            &file,
            "--param",
            "sp,gmp",
            "--over",
            over,
            "--repeats",
            "3",
            "--threads",
            threads,
            "--json",
            "--quiet",
        ];
        gmpc(&arguments).expect(0).stdout
    };
    // Two parameterizations with two learning rates each.
    let one = compare("1");
    assert_eq!(one.lines().count(), 4, "{one}");
    assert_eq!(one, compare("3"));
}

#[test]
fn an_interrupted_comparison_goes_on_where_it_stopped() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let out = path_in(&folder, "compared");
    let compare = |repeats: &str| {
        gmpc(&["compare", &file, "--param", "sp,gmp", "--repeats", repeats, "--out", &out, "--format", "csv"]).expect(0)
    };
    compare("2");
    let again = compare("3");
    assert!(again.stderr.contains("stored before"), "finished runs are taken from the folder:\n{}", again.stderr);
    assert_eq!(again.stdout.lines().count(), 3, "a head and two cells:\n{}", again.stdout);
}

#[cfg(unix)]
#[test]
fn a_run_stopped_and_resumed_ends_with_the_same_bits() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let epochs = ["--set", "train.epochs=60000", "--quiet"];
    let arguments = |out: &Path| ["train", &file, "--out", &out.to_string_lossy()].map(str::to_string);
    let start = |out: &Path| {
        let arguments = arguments(out);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(epochs).collect();
        crate::support::command(folder.path(), &arguments)
    };
    // One run is never interrupted. The other is stopped with SIGINT and resumed, twice.
    crate::support::run(start(&whole)).expect(0);
    let mut child = start(&parts).spawn().unwrap();
    for _ in 0..2 {
        // A signal before the first epoch would stop nothing worth resuming. `try_wait` ends the loop should the program
        // fail.
        while std::fs::metadata(parts.join("metrics.jsonl")).map_or(0, |m| m.len()) == 0
            && child.try_wait().unwrap().is_none()
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(60));
        let _ = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).output();
        child.wait().unwrap();
        let resume = ["train", "--resume", &parts.to_string_lossy(), "--quiet"].map(str::to_string);
        let resume: Vec<&str> = resume.iter().map(String::as_str).collect();
        child = crate::support::command(folder.path(), &resume).spawn().unwrap();
    }
    assert_eq!(crate::support::code(child.wait().unwrap()), 0);
    assert_eq!(bytes(&whole, "best.safetensors"), bytes(&parts, "best.safetensors"));
}

/// Kills a run, resumes it and kills it again, at arbitrary moments: while the folder is made, while a checkpoint is
/// written, or between two checkpoints. The assertions hold for every such moment, so the test does not depend on timing.
#[cfg(unix)]
#[test]
fn a_run_killed_at_any_moment_and_resumed_ends_with_the_same_bits() {
    let folder = tempdir().unwrap();
    let file = write(folder.path(), "tiny.gmpnet", TINY);
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    // Checkpoints after every epoch make it likely that a kill interrupts the writing of one.
    let often = ["--save-every", "0", "--quiet"];
    let train = |out: &Path, options: &[&str]| {
        let out = out.to_string_lossy().into_owned();
        let arguments = [&["train", &file, "--out", &out, "--set", "train.epochs=2000"], options].concat();
        crate::support::command(folder.path(), &arguments)
    };
    let resume = |run: &Path, options: &[&str]| {
        let run = run.to_string_lossy().into_owned();
        crate::support::command(folder.path(), &[&["train", "--resume", &run], options].concat())
    };
    crate::support::run(train(&whole, &["--quiet"])).expect(0);
    let mut killed = 0;
    for wait in [1, 40, 7, 90, 15, 150, 3, 60] {
        // A folder with `run.json` is a run that can be resumed. Without the file, the kill came before there was a run.
        let begun = parts.join("run.json").exists();
        let mut command = if begun { resume(&parts, &often) } else { train(&parts, &often) };
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        match crate::support::code(child.wait().unwrap()) {
            0 => break, // the run ended before the kill
            137 => killed += 1,
            code => panic!("the run ended by itself with {code} after {killed} kills"),
        }
    }
    assert!(killed > 0, "no kill came in time");
    let begun = parts.join("run.json").exists();
    let last = if begun { resume(&parts, &["--quiet"]) } else { train(&parts, &["--quiet"]) };
    crate::support::run(last).expect(0);
    assert_eq!(bytes(&whole, "best.safetensors"), bytes(&parts, "best.safetensors"));
    let numbers =
        |run: &Path| gmpc(&["eval", &run.to_string_lossy(), "--json"]).expect(0).event("eval")["test.loss"].clone();
    assert_eq!(numbers(&whole), numbers(&parts));
}
