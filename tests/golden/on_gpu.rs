//! The cases on a real GPU, with each step as one launch and with single launches. Each is a test of its own, so that
//! each can have a process of its own: after some faults, a GPU refuses all further work of the process that caused them.

use super::{F32, F64, Judge, all_cases, conform, on_device};
use crate::gpu::gpu;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_device::Device;
use std::sync::Arc;

fn conform_on_the_gpu(name: &str, graphs: bool, precision: Precision, judge: Judge) {
    let gpu = gpu();
    let device: Arc<dyn Device> = Arc::new(gpu.with_graphs(graphs));
    conform(name, &all_cases(), &|source| on_device(source, Arc::clone(&device), precision), judge);
    device.remarks().iter().for_each(|remark| println!("{name}: {remark}"));
}

#[test]
#[ignore = "needs an NVIDIA GPU and all golden cases: tests/gpu/run starts it there"]
fn golden_cases_agree_on_the_gpu_in_f32() {
    conform_on_the_gpu("gpu f32", true, Precision::F32, F32);
}

#[test]
#[ignore = "needs an NVIDIA GPU and all golden cases: tests/gpu/run starts it there"]
fn golden_cases_agree_on_the_gpu_launch_by_launch() {
    conform_on_the_gpu("gpu f32, launch by launch", false, Precision::F32, F32);
}

#[test]
#[ignore = "needs an NVIDIA GPU and all golden cases: tests/gpu/run starts it there"]
fn golden_cases_agree_on_the_gpu_in_f64() {
    conform_on_the_gpu("gpu f64", true, Precision::F64, F64);
}
