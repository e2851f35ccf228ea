//! The cases on a real GPU, each step as one launch and launch by launch. A test each, so that each can have a process of its own:
//! after some faults a GPU answers nothing more to the process that caused them.

use super::{F32, F64, Judge, cases, conform, on_device};
use crate::gpu::gpu;
use gmpc_compiler::experiment::Precision;
use gmpc_runtime::device::Device;
use std::sync::Arc;

fn conform_on_the_gpu(name: &str, graphs: bool, precision: Precision, judge: Judge) {
    let Some(gpu) = gpu() else { return };
    assert!(
        !cases().is_empty(),
        "on a machine with a GPU the cases have to be there: set GMPNET_GOLDEN to their folder"
    );
    let device: Arc<dyn Device> = Arc::new(gpu.with_graphs(graphs));
    conform(name, &|source| on_device(source, Arc::clone(&device), precision), judge);
    device.remarks().iter().for_each(|remark| println!("{name}: {remark}"));
}

#[test]
fn golden_cases_agree_on_the_gpu_in_f32() {
    conform_on_the_gpu("gpu f32", true, Precision::F32, F32);
}

#[test]
fn golden_cases_agree_on_the_gpu_launch_by_launch() {
    conform_on_the_gpu("gpu f32, launch by launch", false, Precision::F32, F32);
}

#[test]
fn golden_cases_agree_on_the_gpu_in_f64() {
    conform_on_the_gpu("gpu f64", true, Precision::F64, F64);
}
