//! The disk fails, is full, or the power goes, at every call that training makes: the exit code and the message are right, and
//! going on ends in the very bytes of a run that nothing happened to.

use super::shim::{Told, gmpc};
use super::{Dice, long};
use crate::support::write;
use gmpc_runtime::exact::Exact;
use gmpc_runtime::run::checkpoint::{self, Checkpoint};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// Every kind of file that a run may have: metrics, both checkpoints, records of layers and of the network, an event file.
const NET: &str = "\
param = gmp
data  = levy(points = 30, noise = 0.1)
model small { input -> dense(6) -> relu -> linear(1) }
train {
    loss = mse  optimizer = adam(lr = 0.05)  batch = 8  epochs = 4  metrics = [rmse]
    stop = early_stop(valid.rmse, patience = 3, restore_best = true)
    record = boundaries(layers = all)
}
";

/// Calls that can fail, with what the system answers: EIO, ENOSPC, and a write of which half is done before the disk is full.
const FAULTS: [(&str, &str); 14] = [
    ("write", "5"),
    ("write", "28"),
    ("write", "short"),
    ("fsync", "5"),
    ("fsync", "28"),
    ("rename", "5"),
    ("rename", "13"),
    ("read", "5"),
    ("open", "13"),
    ("open", "28"),
    ("unlink", "5"),
    ("mkdir", "13"),
    ("mkdir", "28"),
    ("truncate", "5"),
];

/// A folder with the network, and what a run of it leaves that nothing happens to.
struct Place {
    folder: TempDir,
    whole: BTreeMap<String, String>,
    /// Calls of each name that such a run makes.
    calls: Vec<(String, u64)>,
}

impl Place {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        write(folder.path(), "net.gmpnet", NET);
        let path = folder.path().join("whole");
        let told = gmpc(folder.path(), &train("whole"), "", &path);
        assert_eq!(told.ran.code, 0, "{}", told.ran.stderr);
        Place { whole: state(&path), calls: told.calls, folder }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn gmpc(&self, arguments: &[&str], fault: &str) -> Told {
        gmpc(self.folder.path(), arguments, fault, &self.run())
    }

    /// Trains with a fault, from the beginning.
    fn begun(&self, fault: &str) -> Told {
        let _ = std::fs::remove_dir_all(self.run()); // there may be none
        self.gmpc(&train("run"), fault)
    }

    /// Goes on in the way that a person, or a loop in a script, would: with another fault, or with none.
    fn go_on(&self, fault: &str) -> Told {
        let begun = self.run().join("run.json").exists();
        self.gmpc(if begun { &["train", "--resume", "run", "--save-every", "0", "--quiet"] } else { &TRAIN }, fault)
    }

    /// Goes on without any fault, and compares every byte that means something.
    #[track_caller]
    fn ends_as_if_nothing_had_happened(&self, after: &str) {
        let before = epochs_told(&self.run());
        let told = self.go_on("");
        assert_eq!(told.ran.code, 0, "after {after}: {}", told.ran.stderr);
        assert!(epochs_told(&self.run()) >= before, "after {after}: epochs are lost");
        let found = state(&self.run());
        for name in found.keys().chain(self.whole.keys()) {
            assert_eq!(found.get(name), self.whole.get(name), "after {after}: {name}");
        }
    }
}

const TRAIN: [&str; 8] = ["train", "net.gmpnet", "--out", "run", "--save-every", "0", "--tensorboard", "--quiet"];

fn train(out: &str) -> [&str; 8] {
    let mut arguments = TRAIN;
    arguments[3] = if out == "run" { "run" } else { "whole" };
    arguments
}

/// Complete lines of `metrics.jsonl`.
fn epochs_told(run: &Path) -> usize {
    std::fs::read(run.join("metrics.jsonl")).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
}

/// What a run's folder says, file by file, without times and places.
fn state(run: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let names = ["best.safetensors", "last.safetensors"];
    for name in names {
        let read = checkpoint::read(&run.join(name)).unwrap_or_else(|failure| panic!("{failure}"));
        found.insert(name.to_string(), format!("{:?}", without_time(read)));
    }
    for name in ["source.gmpnet", "boundaries/dense1.npy", "states.npy"] {
        let bytes = std::fs::read(run.join(name)).unwrap_or_default();
        found.insert(name.to_string(), gmpc_data::digest::sha256(&bytes));
    }
    for name in ["metrics.jsonl", "result.json"] {
        let text = std::fs::read_to_string(run.join(name)).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(timeless).collect();
        found.insert(name.to_string(), lines.join("\n"));
    }
    found
}

fn without_time(mut checkpoint: Checkpoint) -> Checkpoint {
    checkpoint.files.clear(); // the lines of epochs hold seconds
    if let Some(progress) = &mut checkpoint.progress {
        progress.seconds = Exact(0.0);
    }
    checkpoint
}

/// A line of JSON without what differs from one run to the next.
fn timeless(line: &str) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        for key in ["seconds", "run", "seal"] {
            object.remove(key);
        }
    }
    value.to_string()
}

/// Some of the numbers from 1 to `count`, or all of them in the long form.
fn points(count: u64, some: u64) -> Vec<u64> {
    match long() {
        Some(_) => (1..=count).collect(),
        None => (1..=count).filter(|n| n % (count / some).max(1) == 0).collect(),
    }
}

#[test]
fn every_fault_of_the_disk_is_told_and_loses_nothing() {
    let place = Place::new();
    let (mut faults, mut failed) = (0, 0);
    for (name, what) in FAULTS {
        let count = place.calls.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
        for n in points(count, 2) {
            let fault = format!("{name}:{n}:{what}");
            let told = place.begun(&fault);
            faults += u64::from(told.hit);
            failed += u64::from(told.ran.code != 0);
            let ran = &told.ran;
            assert!([0, 6].contains(&ran.code), "{fault}: {} {}", ran.code, ran.stderr);
            let said = ran.stderr.contains("error[E08") && ran.stderr.contains("help:");
            assert!(ran.code == 0 || said, "{fault}: {}", ran.stderr);
            place.ends_as_if_nothing_had_happened(&fault);
        }
    }
    println!("faults of the disk: {faults}, of which {failed} ended a run; nothing lost");
    assert!(faults >= 20, "{faults}");
}

#[test]
fn a_process_killed_at_any_call_loses_nothing() {
    let place = Place::new();
    let all: u64 = place.calls.iter().map(|(_, count)| count).sum();
    let mut killed = 0;
    for n in points(all, 12) {
        let fault = format!("any:{n}:kill");
        let told = place.begun(&fault);
        assert_eq!((told.hit, told.ran.code), (true, 137), "{fault}: {}", told.ran.stderr);
        killed += 1;
        place.ends_as_if_nothing_had_happened(&fault);
    }
    println!("killed at a call: {killed}; nothing lost");
}

#[test]
fn faults_and_kills_one_after_the_other_lose_nothing() {
    let place = Place::new();
    let all: u64 = place.calls.iter().map(|(_, count)| count).sum();
    let mut dice = Dice(7);
    let (rounds, mut interrupted) = (long().unwrap_or(3), 0);
    for round in 0..rounds {
        let mut story = Vec::new();
        for _ in 0..1 + dice.below(4) {
            let n = 1 + dice.next() % all;
            let what = ["kill", "5", "28", "short"][dice.below(4)];
            let fault = format!("any:{n}:{what}");
            let told = if story.is_empty() { place.begun(&fault) } else { place.go_on(&fault) };
            interrupted += u64::from(told.ran.code != 0);
            story.push(fault);
            assert!([0, 6, 137].contains(&told.ran.code), "round {round}, {story:?}: {}", told.ran.stderr);
        }
        place.ends_as_if_nothing_had_happened(&format!("round {round}, {story:?}"));
    }
    println!("{rounds} rounds with {interrupted} interruptions; nothing lost");
}

#[test]
fn a_process_killed_at_any_moment_loses_nothing_but_the_last_epochs() {
    let place = Place::new();
    let mut dice = Dice(11);
    let rounds = long().unwrap_or(2);
    let longer =
        ["--set", "train.epochs=80", "--set", "train.stop=early_stop(valid.rmse, patience = 80, restore_best = true)"];
    let arguments = |out| [&train(out)[..], &longer].concat();
    std::fs::remove_dir_all(place.folder.path().join("whole")).unwrap();
    assert_eq!(place.gmpc(&arguments("whole"), "").ran.code, 0);
    let whole = state(&place.folder.path().join("whole"));
    let mut killed = 0;
    for round in 0..rounds {
        let _ = std::fs::remove_dir_all(place.run()); // there may be none
        let mut command = crate::support::command(place.folder.path(), &arguments("run"));
        for _ in 0..if long().is_some() { 20 } else { 8 } {
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(Duration::from_millis(20 + dice.next() % 180));
            let ended = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            child.wait().unwrap();
            killed += u64::from(!ended);
            if ended && place.run().join("result.json").exists() {
                break;
            }
            let begun = place.run().join("run.json").exists();
            let resume = ["train", "--resume", "run", "--save-every", "0", "--quiet"];
            let next: Vec<&str> = if begun { resume.to_vec() } else { arguments("run") };
            command = crate::support::command(place.folder.path(), &next);
        }
        let told = place.go_on("");
        assert_eq!(told.ran.code, 0, "round {round}: {}", told.ran.stderr);
        assert_eq!(state(&place.run()), whole, "round {round}");
    }
    println!("{rounds} runs killed {killed} times at random moments; each ended in the same bytes");
}

#[test]
fn a_comparison_whose_disk_fails_is_told_and_goes_on() {
    let place = Place::new();
    let compare =
        ["compare", "net.gmpnet", "--param", "sp,gmp", "--repeats", "2", "--out", "run", "--quiet", "--format", "csv"];
    let expected = place.gmpc(&compare, "").ran.expect(0).stdout;
    let calls = {
        std::fs::remove_dir_all(place.run()).unwrap();
        place.gmpc(&compare, "").calls
    };
    for (name, what) in [("write", "28"), ("rename", "5"), ("open", "13"), ("fsync", "5"), ("write", "kill")] {
        let count = calls.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
        for n in points(count, 1) {
            std::fs::remove_dir_all(place.run()).unwrap();
            let fault = format!("{name}:{n}:{what}");
            let told = place.gmpc(&compare, &fault);
            let expected_code = if what == "kill" { [137, 137] } else { [0, 6] };
            assert!(expected_code.contains(&told.ran.code), "{fault}: {} {}", told.ran.code, told.ran.stderr);
            assert_eq!(place.gmpc(&compare, "").ran.expect(0).stdout, expected, "{fault}");
        }
    }
}
