//! CUDA C++ on the CPU. The C++ compiler builds a program from the text, in which fibers stand for the threads of a GPU
//! (`schedule.cpp`). Commands through a pipe allocate memory and launch kernels. No GPU is needed, and the emulator finds
//! faults that a GPU may not report: races, reads of memory that was never written, stores out of range, and barriers
//! that some threads miss.
//!
//! `emulator/bugs` holds a correct kernel and copies of it with one bug each. The tests here show that every bug is found.
//! Without a C++ compiler the tests are ignored.

pub mod build;
pub mod process;

use build::{Build, Unit, program};
use process::{Argument, Launch, Process, Region};
use std::path::{Path, PathBuf};

/// Columns of the matrix whose rows the kernels of `emulator/bugs` sum up. Not a multiple of a warp, but rows end on 16
/// bytes.
const COLUMNS: usize = 100;
const ROWS: usize = 6;

/// The path of a program with every kernel of `emulator/bugs`. It is compiled once per build.
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

/// The row sums that a kernel of `emulator/bugs` computes, or the message with which it failed.
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

/// Fails the test unless the kernel fails with a message that contains these words.
#[track_caller]
fn dies(name: &str, build: Build, words: &str) {
    let found = row_sums(name, build, 0);
    assert!(matches!(&found, Err(said) if said.contains(words)), "{name}, {build:?}, should say `{words}`: {found:?}");
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_kernel_without_a_bug_runs_in_every_build_and_order() {
    for build in [Build::Plain, Build::Address, Build::Thread] {
        for seed in 0..5 {
            assert_eq!(row_sums("sound", build, seed), Ok(expected()), "{build:?}, seed {seed}");
        }
    }
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_missing_barrier_is_found_by_shuffled_orders_and_named_by_the_thread_sanitizer() {
    for name in ["missing_barrier", "missing_second_barrier"] {
        let results: Vec<_> = (0..5).map(|seed| row_sums(name, Build::Plain, seed)).collect();
        let bits = |r: &Result<Vec<f32>, String>| r.clone().map(|r| r.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        assert!(results.iter().any(|r| bits(r) != bits(&results[0])), "{name}: {results:?}");
        dies(name, Build::Thread, "data race");
        dies(name, Build::Thread, &format!("{name}.cu:"));
    }
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_race_between_blocks_is_found_by_shuffled_orders_and_named_by_the_thread_sanitizer() {
    let results: Vec<_> = (0..5).map(|seed| row_sums("race_between_blocks", Build::Plain, seed).unwrap()[0]).collect();
    assert!(results.iter().any(|r| *r != results[0]), "{results:?}");
    dies("race_between_blocks", Build::Thread, "data race");
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn loads_and_stores_out_of_range_are_found() {
    dies("store_out_of_range", Build::Plain, "stored 0 bytes past the end of argument 1");
    dies("store_far_out_of_range", Build::Plain, "signal");
    dies("load_out_of_range", Build::Plain, "signal");
    for name in ["store_out_of_range", "store_far_out_of_range", "load_out_of_range"] {
        dies(name, Build::Address, &format!("{name}.cu:"));
    }
    dies("shared_out_of_range", Build::Address, "index 63 out of bounds");
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_load_from_memory_that_should_only_be_written_changes_the_result() {
    let sums = |seed| row_sums("load_of_output", Build::Plain, seed).unwrap();
    assert!(sums(0)[0].is_nan() && sums(1)[0] > 1e17, "{:?} {:?}", sums(0), sums(1));
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_store_to_memory_that_should_only_be_read_is_found() {
    dies("store_to_input", Build::Plain, "it stored to argument 0, which it should only read");
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_shared_word_that_was_never_set_changes_the_result() {
    let sums = |seed| row_sums("unset_shared_word", Build::Plain, seed).unwrap();
    assert_ne!(sums(0), sums(1));
    assert!(sums(1)[0] > 1e17, "the pattern of odd seeds is large: {:?}", sums(1));
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn barriers_that_not_every_thread_reaches_are_found() {
    dies("divergent_barrier", Build::Plain, "divergent barrier: threads wait at lines 16 and 18");
    dies("barrier_after_return", Build::Plain, "divergent barrier: 63 of 64 threads wait at line 16, 1 have ended");
    dies("half_a_warp", Build::Plain, "mask 0xffffffff");
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_launch_that_passes_other_arguments_than_the_kernel_takes_is_found() {
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
