//! The cases on the CUDA backend without a GPU: the emulator runs the generated kernels and computes library calls as
//! plain sums.

use super::{Case, F32, F64, Judge, Machine, Make, cases, conform, kinds, on_device, other_cases};
use crate::cuda::device::{Collector, Emulated};
use crate::emulator::build::Build;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_device::Device;
use std::sync::Arc;

/// A seed with which threads and blocks run in a shuffled order.
const SEED: u64 = 2;

/// Checks the cases on a device that only collects the programs that they load. Every check fails there, which does not
/// matter.
fn collect(cases: &[Case], precision: Precision, judge: Judge) -> Arc<Collector> {
    let collector = Arc::new(Collector::default());
    let device: Arc<dyn Device> = collector.clone();
    let make = |source: &str| -> Result<Box<dyn Machine>, String> { on_device(source, Arc::clone(&device), precision) };
    cases.iter().for_each(|case| drop(kinds::check(case, &make, judge)));
    collector
}

fn agree(cases: &[Case], precision: Precision, judge: Judge) {
    let collector = collect(cases, precision, judge);
    let library = Arc::new(collector.build(Build::Plain).unwrap_or_else(|text| panic!("{text}")));
    let device: Arc<dyn Device> = Arc::new(Emulated { compiled: library, seed: SEED });
    let make: Make<'_> = &|source| on_device(source, Arc::clone(&device), precision);
    conform(&format!("emulator {precision:?}"), cases, make, judge);
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn golden_cases_agree_on_the_emulated_device() {
    agree(&cases(), Precision::F32, F32);
}

#[test]
#[cfg_attr(
    not(all(has_cxx, has_golden)),
    ignore = "needs a C++ compiler (install g++ or set CXX) and all golden cases (set GMPNET_GOLDEN to their folder)"
)]
fn other_golden_cases_agree_on_the_emulated_device() {
    agree(&other_cases(), Precision::F32, F32);
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn golden_cases_agree_on_the_emulated_device_in_f64() {
    agree(&cases(), Precision::F64, F64);
}

#[test]
#[cfg_attr(
    not(all(has_cxx, has_golden)),
    ignore = "needs a C++ compiler (install g++ or set CXX) and all golden cases (set GMPNET_GOLDEN to their folder)"
)]
fn other_golden_cases_agree_on_the_emulated_device_in_f64() {
    agree(&other_cases(), Precision::F64, F64);
}
