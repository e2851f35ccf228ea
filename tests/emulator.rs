//! CUDA C++ on this processor: a text becomes a program of its own, built with the C++ compiler, whose threads are fibers
//! (`schedule.cpp`), and is told through a pipe what memory to have and what to launch. Nothing of a GPU is needed, and what a
//! GPU would let pass is found: races, reads of what was never written, stores out of range, barriers that not all reach.
//!
//! `emulator/bugs` holds a kernel without a bug and copies with one each; the tests here show that every one is caught.
//! Without a C++ compiler the tests say so and pass, except where `CI` is set.

pub mod build;
pub mod process;

use build::{Build, Unit, compiler, program};
use process::{Argument, Launch, Process, Region};
use std::path::{Path, PathBuf};

/// Columns of the rows that the kernels of `emulator/bugs` add up: not a multiple of anything, but rows end on 16 bytes.
const COLUMNS: usize = 100;
const ROWS: usize = 6;

/// Every kernel of `emulator/bugs` in one program, which is compiled once.
fn bugs(build: Build) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/bugs");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
    files.sort();
    let unit = |path: &PathBuf| Unit {
        name: path.file_stem().expect("a file").to_string_lossy().into_owned(),
        text: std::fs::read_to_string(path).expect("a file of the tests"),
        kernels: vec!["row_sums".to_string()],
    };
    program(&files.iter().map(unit).collect::<Vec<_>>(), build)
}

/// The row sums that a kernel of `emulator/bugs` gives, or how it failed.
fn row_sums(name: &str, build: Build, seed: u64) -> Result<Vec<f32>, String> {
    let mut process = Process::start(&bugs(build)?, seed)?;
    let numbers: Vec<u8> = (0..ROWS * COLUMNS).flat_map(|i| (1.0 + (i % 7) as f32).to_le_bytes()).collect();
    let (x, y) = (process.memory(numbers.len()), process.memory(ROWS * 4));
    process.write(x, 0, &numbers);
    let kernel = format!("{name}.row_sums");
    process.launch(&Launch {
        kernel: &kernel,
        grid: [ROWS as u32, 1, 1],
        block: [64, 1, 1],
        shared: 0,
        arguments: vec![at(x, numbers.len(), false), at(y, ROWS * 4, true), Argument::Value(COLUMNS as u64)],
    });
    let bytes = process.read(y, 0, ROWS * 4)?;
    process.end()?;
    Ok(bytes.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().expect("four bytes"))).collect())
}

fn at(memory: usize, bytes: usize, written: bool) -> Argument {
    Argument::At(Region { memory, offset: 0, bytes, read: !written, written })
}

fn expected() -> Vec<f32> {
    let row = |r: usize| (0..COLUMNS).map(|i| 1.0 + ((r * COLUMNS + i) % 7) as f32).sum();
    (0..ROWS).map(row).collect()
}

/// Fails unless the kernel fails with this in its last words.
#[track_caller]
fn dies(name: &str, build: Build, words: &str) {
    let found = row_sums(name, build, 0);
    assert!(matches!(&found, Err(said) if said.contains(words)), "{name}, {build:?}, should say `{words}`: {found:?}");
}

#[test]
fn a_kernel_without_a_bug_runs_in_every_build_and_order() {
    if compiler().is_none() {
        return;
    }
    for build in [Build::Plain, Build::Address, Build::Thread] {
        for seed in 0..5 {
            assert_eq!(row_sums("sound", build, seed), Ok(expected()), "{build:?}, seed {seed}");
        }
    }
}

#[test]
fn a_missing_barrier_is_found_by_shuffled_orders_and_named_by_the_thread_sanitizer() {
    if compiler().is_none() {
        return;
    }
    for name in ["missing_barrier", "missing_second_barrier"] {
        let results: Vec<_> = (0..5).map(|seed| row_sums(name, Build::Plain, seed)).collect();
        let bits = |r: &Result<Vec<f32>, String>| r.clone().map(|r| r.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        assert!(results.iter().any(|r| bits(r) != bits(&results[0])), "{name}: {results:?}");
        dies(name, Build::Thread, "data race");
        dies(name, Build::Thread, &format!("{name}.cu:"));
    }
}

#[test]
fn a_race_between_blocks_is_found_by_shuffled_orders_and_named_by_the_thread_sanitizer() {
    if compiler().is_none() {
        return;
    }
    let results: Vec<_> = (0..5).map(|seed| row_sums("race_between_blocks", Build::Plain, seed).unwrap()[0]).collect();
    assert!(results.iter().any(|r| *r != results[0]), "{results:?}");
    dies("race_between_blocks", Build::Thread, "data race");
}

#[test]
fn loads_and_stores_out_of_range_are_found() {
    if compiler().is_none() {
        return;
    }
    dies("store_out_of_range", Build::Plain, "stored 0 bytes past the end of argument 1");
    dies("store_far_out_of_range", Build::Plain, "signal");
    dies("load_out_of_range", Build::Plain, "signal");
    for name in ["store_out_of_range", "store_far_out_of_range", "load_out_of_range"] {
        dies(name, Build::Address, &format!("{name}.cu:"));
    }
    dies("shared_out_of_range", Build::Address, "index 63 out of bounds");
}

#[test]
fn a_load_of_what_should_only_be_written_changes_the_result() {
    if compiler().is_none() {
        return;
    }
    let sums = |seed| row_sums("load_of_output", Build::Plain, seed).unwrap();
    assert!(sums(0)[0].is_nan() && sums(1)[0] > 1e17, "{:?} {:?}", sums(0), sums(1));
}

#[test]
fn a_store_to_what_should_only_be_read_is_found() {
    if compiler().is_none() {
        return;
    }
    dies("store_to_input", Build::Plain, "it stored to argument 0, which it should only read");
}

#[test]
fn a_shared_word_that_was_never_set_changes_the_result() {
    if compiler().is_none() {
        return;
    }
    let sums = |seed| row_sums("unset_shared_word", Build::Plain, seed).unwrap();
    assert_ne!(sums(0), sums(1));
    assert!(sums(1)[0] > 1e17, "the pattern of odd seeds is large: {:?}", sums(1));
}

#[test]
fn barriers_that_not_every_thread_reaches_are_found() {
    if compiler().is_none() {
        return;
    }
    dies("divergent_barrier", Build::Plain, "divergent barrier: threads wait at lines 16 and 18");
    dies("barrier_after_return", Build::Plain, "divergent barrier: 63 of 64 threads wait at line 16, 1 have ended");
    dies("half_a_warp", Build::Plain, "mask 0xffffffff");
}

#[test]
fn a_launch_that_passes_other_arguments_than_the_kernel_takes_is_found() {
    if compiler().is_none() {
        return;
    }
    let exe = bugs(Build::Plain).unwrap();
    let launch = |kernel, arguments| {
        let mut process = Process::start(&exe, 0).unwrap();
        process.memory(16);
        process.launch(&Launch { kernel, grid: [1, 1, 1], block: [64, 1, 1], shared: 0, arguments });
        process.end().unwrap_err()
    };
    let (at, value) = (at(0, 16, true), Argument::Value(1));
    assert!(launch("sound.row_sums", vec![at, at]).contains("it has 3 parameters, the launch passes 2"));
    assert!(launch("sound.row_sums", vec![at, value, value]).contains("parameter 1 is a pointer"));
    assert!(launch("sound.row_sum", vec![]).contains("no kernel has this name"));
}
