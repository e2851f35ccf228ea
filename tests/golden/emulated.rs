//! The cases on the CUDA backend without a GPU: generated kernels on the emulator, library calls as plain sums.

use super::{Case, F32, F64, Judge, Machine, cases, conform, kinds, on_device};
use crate::cuda::device::{Emulated, Gatherer};
use crate::emulator::build::{Build, compiler};
use gmpc_compiler::experiment::Precision;
use gmpc_runtime::device::Device;
use std::sync::Arc;

/// Shuffled.
const SEED: u64 = 2;

/// A device on which every case is checked, and fails: what it is for is to see the programs that cases load.
fn gather(cases: &[Case], precision: Precision, judge: Judge) -> Arc<Gatherer> {
    let gatherer = Arc::new(Gatherer::default());
    let device: Arc<dyn Device> = gatherer.clone();
    let make = |source: &str| -> Result<Box<dyn Machine>, String> { on_device(source, Arc::clone(&device), precision) };
    cases.iter().for_each(|case| drop(kinds::check(case, &make, judge)));
    gatherer
}

fn agree(name: &str, precision: Precision, judge: Judge) {
    if compiler().is_none() {
        return;
    }
    let gatherer = gather(&cases(), precision, judge);
    let library = Arc::new(gatherer.build(Build::Plain).unwrap_or_else(|text| panic!("{text}")));
    let device: Arc<dyn Device> = Arc::new(Emulated { compiled: library, seed: SEED });
    conform(name, &|source| on_device(source, Arc::clone(&device), precision), judge);
}

#[test]
fn golden_cases_agree_on_the_emulated_device() {
    agree("emulator f32", Precision::F32, F32);
}

#[test]
fn golden_cases_agree_on_the_emulated_device_in_f64() {
    agree("emulator f64", Precision::F64, F64);
}
