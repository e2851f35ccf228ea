//! The cases on the CUDA backend without a GPU: generated kernels on the emulator, library calls as plain sums.

use super::{Case, F32, Judge, Machine, cases, conform, kinds, on_device};
use crate::cuda::device::{Emulated, Gatherer};
use crate::emulator::build::{Build, compiler};
use gmpc_compiler::experiment::Precision;
use gmpc_runtime::device::Device;
use std::sync::Arc;

/// Shuffled.
const SEED: u64 = 2;

/// A device on which every case is checked, and fails: what it is for is to see the programs that cases load.
fn gather(cases: &[Case], judge: Judge) -> Arc<Gatherer> {
    let gatherer = Arc::new(Gatherer::default());
    let device: Arc<dyn Device> = gatherer.clone();
    let make =
        |source: &str| -> Result<Box<dyn Machine>, String> { on_device(source, Arc::clone(&device), Precision::F32) };
    cases.iter().for_each(|case| drop(kinds::check(case, &make, judge)));
    gatherer
}

#[test]
fn golden_cases_agree_on_the_emulated_device() {
    if compiler().is_none() {
        return;
    }
    let gatherer = gather(&cases(), F32);
    let library = Arc::new(gatherer.build(Build::Plain).unwrap_or_else(|text| panic!("{text}")));
    let device: Arc<dyn Device> = Arc::new(Emulated { compiled: library, seed: SEED });
    conform("emulator f32", &|source| on_device(source, Arc::clone(&device), Precision::F32), F32);
}
