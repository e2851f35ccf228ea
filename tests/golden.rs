//! Conformance with an independent reference: every case of the folder `GMPNET_GOLDEN` (by default `../shared/golden` beside
//! the workspace), compiled from the case's own source, every tensor within the tolerance the case states.
//!
//! Training cases that rounding alone leads elsewhere are judged by how far (`noise.rs`), aloud, in f32 only.
//! Without the folder the tests say so and pass, except where `CI` is set.

mod case;
mod emulated;
mod kinds;
mod layout;
mod machine;
mod noise;
mod on_device;
#[cfg(feature = "cuda")]
mod on_gpu;

use case::Case;
use gmpc_compiler::experiment::Precision;
use gmpc_kernels::Variant;
use gmpc_kernels::convolution::Algorithm;
use gmpc_runtime::device::Device;
use gmpc_runtime::device::candle::Candle;
use gmpc_runtime::device::cpu::Cpu;
use machine::{Evaluator, Machine};
use on_device::OnDevice;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Makes a machine for the text of a network.
type Make<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Machine>, String>;

/// How a machine is judged: its numbers have 24 or 53 bits.
#[derive(Clone, Copy)]
struct Judge {
    /// The cases' tolerances are for f32; f64 has to be a million times better.
    tighter: f64,
    /// Training cases are judged after ten and a hundred steps, too, not only after one.
    far: bool,
}

const F32: Judge = Judge { tighter: 1.0, far: true };
const F64: Judge = Judge { tighter: 1e-6, far: true };
/// Winograd's F(4x4, 3x3) rounds ten times as much as plain sums; where many steps lead is then a matter of chance in networks
/// whose activations switch. The planner does not use it on sums as short as the training cases'.
const ROUGH: Judge = Judge { tighter: 1.0, far: false };

fn folder() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    std::env::var_os("GMPNET_GOLDEN").map_or(default, PathBuf::from)
}

/// Every case; says so where there are none, which is a fault with `CI` set.
fn cases() -> Vec<Case> {
    let folder = folder();
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(std::env::var_os("CI").is_none(), "no golden cases in {}", folder.display());
        println!("SKIPPED: no golden cases in {}: set GMPNET_GOLDEN to their folder", folder.display());
        return vec![];
    };
    let mut cases: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    cases.retain(|p| p.extension().is_some_and(|e| e == "json") && p.file_stem().is_some_and(|s| s != "index"));
    cases.sort();
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    cases.iter().map(|path| Case::read(path)).collect()
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing")
}

/// Runs all cases and fails with every tensor that is off.
fn conform(name: &str, make: Make<'_>, judge: Judge) {
    let (mut passed, mut failures) = (0, Vec::new());
    for case in &cases() {
        // A case that a machine panics at says nothing about the others.
        let checked = catch_unwind(AssertUnwindSafe(|| kinds::check(case, make, judge)));
        match checked.unwrap_or_else(|panic| Err(format!("panicked: {}", said(panic.as_ref())))) {
            Ok(worst) => {
                passed += 1;
                println!("{name}: {:<50} {:>10.2e} of the tolerance ({})", case.name, worst.ratio, worst.tensor);
                if !worst.noisy.is_empty() {
                    println!("{name}: {:<50} no further off than rounding puts it: {}", "", worst.noisy.join(", "));
                }
            }
            Err(text) => failures.push(format!("{}: {text}", case.name)),
        }
    }
    println!("{name}: {passed} cases pass, {} fail", failures.len());
    assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
}

/// Loads every program of every case onto a device that gives no numbers, in both precisions.
#[cfg(feature = "cuda")]
pub fn compile_ahead(device: &Arc<dyn Device>) {
    for (case, precision) in cases().iter().flat_map(|case| [(case, Precision::F32), (case, Precision::F64)]) {
        let make: Make<'_> = &|source| on_device(source, Arc::clone(device), precision);
        // Nothing can be right, and nothing is asked.
        drop(catch_unwind(AssertUnwindSafe(|| kinds::check(case, make, F64))));
    }
}

#[test]
fn golden_cases_agree_on_the_evaluator() {
    conform("evaluator", &|source| Evaluator::new(source).map(|m| Box::new(m) as Box<dyn Machine>), F64);
}

fn on_device(source: &str, device: Arc<dyn Device>, precision: Precision) -> Result<Box<dyn Machine>, String> {
    OnDevice::new(source, device, precision).map(|m| Box::new(m) as Box<dyn Machine>)
}

#[test]
fn golden_cases_agree_on_the_processor_in_f32() {
    conform("cpu f32", &|source| on_device(source, Arc::new(Cpu::default()), Precision::F32), F32);
}

#[test]
fn golden_cases_agree_on_the_processor_in_f64() {
    conform("cpu f64", &|source| on_device(source, Arc::new(Cpu::default()), Precision::F64), F64);
}

/// The processor with one kind of vectors, one algorithm for every convolution that it fits, and some threads.
fn forced<const VARIANT: usize, const ALGORITHM: usize>(source: &str) -> Result<Box<dyn Machine>, String> {
    let variant = Variant::all()[VARIANT.min(Variant::all().len() - 1)];
    let algorithm = [Algorithm::Direct, Algorithm::Winograd2, Algorithm::Winograd4][ALGORITHM];
    let cpu = Cpu { variant, algorithm: Some(algorithm), ..Cpu::with_threads(1 + ALGORITHM) };
    on_device(source, Arc::new(cpu), Precision::F32)
}

/// Makes a machine for the text of a case.
type Made = fn(&str) -> Result<Box<dyn Machine>, String>;

#[test]
fn golden_cases_agree_with_every_kernel_forced_in_turn() {
    let machines: [(&str, Made); 9] = [
        ("widest, direct", forced::<0, 0>),
        ("widest, winograd 2", forced::<0, 1>),
        ("widest, winograd 4", forced::<0, 2>),
        ("second, direct", forced::<1, 0>),
        ("second, winograd 2", forced::<1, 1>),
        ("second, winograd 4", forced::<1, 2>),
        ("portable, direct", forced::<2, 0>),
        ("portable, winograd 2", forced::<2, 1>),
        ("portable, winograd 4", forced::<2, 2>),
    ];
    for (name, machine) in machines {
        conform(name, &machine, if name.ends_with("winograd 4") { ROUGH } else { F32 });
    }
}

#[test]
fn golden_cases_agree_on_candle_in_f32() {
    conform("candle f32", &|source| on_device(source, Arc::new(Candle), Precision::F32), F32);
}

#[test]
fn golden_cases_agree_on_candle_in_f64() {
    conform("candle f64", &|source| on_device(source, Arc::new(Candle), Precision::F64), F64);
}
