//! The cases on a real GPU, each step as one launch and launch by launch.

use super::{F32, F64, cases, conform, on_device};
use crate::gpu::gpu;
use gmpc_compiler::experiment::Precision;
use gmpc_runtime::device::Device;
use std::sync::Arc;

#[test]
fn golden_cases_agree_on_the_gpu() {
    let Some(gpu) = gpu() else { return };
    assert!(
        !cases().is_empty(),
        "on a machine with a GPU the cases have to be there: set GMPNET_GOLDEN to their folder"
    );
    for (name, graphs, precision, judge) in [
        ("gpu f32", true, Precision::F32, F32),
        ("gpu f32, launch by launch", false, Precision::F32, F32),
        ("gpu f64", true, Precision::F64, F64),
    ] {
        let device: Arc<dyn Device> = Arc::new(gpu.with_graphs(graphs));
        conform(name, &|source| on_device(source, Arc::clone(&device), precision), judge);
    }
}
