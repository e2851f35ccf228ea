//! Whatever a file holds, reading it ends in the numbers that other readers find in it, or in a message: no panic, no hang, no
//! memory that its size does not explain. Tables are compared with a reader by RFC 4180 as Python's `csv` behaves, arrays with
//! the bytes they were made of.
//!
//! `cargo test` tries some hundreds of files in a few seconds. `GMPC_CAMPAIGN=100 cargo test --workspace --test readers` tries
//! a hundred times as many. The tests have a process of their own, so that its largest memory is theirs.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "numbers of tests are small, or meant to be rounded"
)]

mod arrays;
mod reference;
mod tables;

use gmpc_compiler::ir::experiment::{DataSource, DataSpec, FileSpec, Split, Standardize, Task};
use gmpc_data::Directories;
use gmpc_grammar::source::{SourceId, Span};
use proptest::test_runner::Config;
use std::path::Path;
use std::time::{Duration, Instant};

/// Files a test tries where nothing is said.
const CASES: u32 = 300;
/// No file here has more than 64 KiB, so this is plenty, on a busy machine too.
const LONGEST: Duration = Duration::from_secs(20);
/// Of the whole process, test code and all.
const MOST_MEMORY: u64 = 300 << 20;

fn config() -> Config {
    let asked: Option<u32> = std::env::var("GMPC_CAMPAIGN").ok().and_then(|times| times.parse().ok());
    let cases = CASES.saturating_mul(asked.unwrap_or(1).max(1));
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// A file of these bytes, by itself in a folder.
fn put(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn file(path: &str) -> FileSpec {
    FileSpec { path: path.to_string(), url: None, sha256: None }
}

fn spec(source: DataSource, task: Task) -> DataSpec {
    DataSpec {
        name: "a".to_string(),
        docs: vec![],
        source,
        task,
        features: None,
        classes: None,
        split: Split::Random { train: 0.8 },
        validation: 0.2,
        standardize: Standardize::Features,
        sample: None,
        span: Span { source: SourceId(0), start: 0, end: 0 },
    }
}

fn beside(folder: &Path) -> Directories {
    Directories { data: folder.to_path_buf(), beside: None }
}

/// Runs `read`, which must be quick and leave the process small.
fn bounded<T>(read: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = read();
    assert!(start.elapsed() < LONGEST, "it took {:?}", start.elapsed());
    let most = most_memory();
    assert!(most < MOST_MEMORY, "the process took {most} bytes");
    result
}

/// The largest memory of this process so far, where the system tells; 0 elsewhere.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}
