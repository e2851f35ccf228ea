//! The CUDA backend on a real GPU, with the feature `cuda`. Machines that only build have no GPU, so the tests are
//! ignored by default. On a machine with a GPU, `tests/gpu/run` starts them and stores their output.
//!
//! The golden cases on the GPU are in `golden/on_gpu.rs`.

use crate::networks::{overrides, request, source};
use crate::support::next_number;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::program::Goal;
use gmpc_data::{Pick, Rows};
use gmpc_device::{Activity, Device, Numbers};
use gmpc_device_cpu::Cpu;
use gmpc_device_cuda::Gpu;
use gmpc_runtime::program::session::{Clock, Programs, Session};
use gmpc_runtime::task::experiment::network;
use std::sync::Arc;

/// Precisions in which replayed steps are compared with single launches.
const PRECISIONS: [&str; 3] = ["f32", "tf32", "bf16"];
const STEPS: u64 = 6;
const BATCH: usize = 16;

/// The first GPU; fails with the reason where there is none.
pub fn gpu() -> Gpu {
    Gpu::open(0).unwrap_or_else(|error| panic!("no GPU: {error}"))
}

const MLP: &str = "model m(input: [13]) { input -> dense(100) -> relu -> dropout(0.2) -> linear(3) }\n\
    train { loss = mse optimizer = adam(lr = 0.01) batch = 16 epochs = 1 }\n";
const IMAGES: &str = "model m(input: [3, 12, 12]) {
    pooled = input -> conv(16, 3) -> relu -> conv(24, 3, stride = 2) -> relu -> max_pool(2)
    inner = pooled -> conv(24, 3) -> relu
    inner + pooled -> conv(20, 1) -> relu -> avg_pool(3) -> flatten -> dense(40) -> relu -> linear(10)
}
train { loss = mse optimizer = sgd(momentum = 0.9, lr = 0.01) batch = 16 epochs = 1 }
";

/// Networks, as text and parameterization, that together need every kind of kernel.
fn networks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let params = ["sp", "wn", "bn", "gmp", "gmp + mn"];
    [MLP, IMAGES].into_iter().flat_map(move |text| params.into_iter().map(move |param| (text, param)))
}

/// The states after `STEPS` steps of training in f32, and the device's activity from the third step on.
fn trained(text: &str, param: &str, device: Arc<dyn Device>) -> (Numbers, Option<Activity>) {
    trained_in("f32", text, param, device)
}

/// The same in any precision.
fn trained_in(precision: &str, text: &str, param: &str, device: Arc<dyn Device>) -> (Numbers, Option<Activity>) {
    let request = request(source(text), overrides(param, precision), Arc::clone(&device));
    let (network, _) = network(&request).unwrap_or_else(|e| panic!("{param}: {e:?}"));
    let mut session = Session::new(Arc::clone(&device), network as Arc<dyn Programs>);
    session.initialize(7).unwrap_or_else(|e| panic!("{e:?}"));
    let handle = session.load(Goal::Train, BATCH).unwrap_or_else(|e| panic!("{param}: {e:?}"));
    let graph = &session.program(handle).graph;
    let width = |name: &str| graph.inputs.iter().find(|i| i.name == name).map_or(0, |i| i.shape.iter().product());
    let (x, target): (usize, usize) = (width("x"), width("target"));
    let rows = Rows::new(Precision::F32, BATCH, &numbers(x, 1), &numbers(target, 2));
    let mut sums = session.empty_sums(handle);
    // The first steps load kernels, try algorithms of libraries and record the step. Only from the third step on is every
    // step alike.
    let mut before = None;
    for step in 1..=STEPS {
        if step == 3 {
            before = device.activity();
        }
        let clock = Clock { lr: 0.01, step, seed: 3 };
        let pick = Pick::Range(0..BATCH);
        session.step(handle, &rows, &pick, clock, &mut sums).unwrap_or_else(|e| panic!("{param}: {e:?}"));
    }
    let activity = before.and_then(|before| device.activity().map(|after| after.since(before)));
    (session.states.data().clone(), activity)
}

/// Numbers without a pattern in [-1, 1).
fn numbers(count: usize, mut seed: u64) -> Vec<f64> {
    (0..count).map(|_| next_number(&mut seed)).collect()
}

/// The norm of the difference of two lists, relative to the norm of the first.
fn apart(here: &Numbers, there: &Numbers) -> f64 {
    let norm = |terms: &mut dyn Iterator<Item = f64>| terms.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut (0..here.len()).map(|i| here.get(i) - there.get(i)));
    difference / norm(&mut (0..here.len()).map(|i| here.get(i)))
}

fn bits(numbers: &Numbers) -> Vec<u64> {
    (0..numbers.len()).map(|i| numbers.get(i).to_bits()).collect()
}

#[test]
#[ignore = "needs an NVIDIA GPU: tests/gpu/run starts it on one"]
fn a_replayed_step_is_the_step_launched_one_by_one_bit_for_bit() {
    let gpu = gpu();
    for (precision, (text, param)) in PRECISIONS.into_iter().flat_map(|p| networks().map(move |network| (p, network))) {
        let eager = trained_in(precision, text, param, Arc::new(gpu.with_graphs(false))).0;
        let replayed = trained_in(precision, text, param, Arc::new(gpu.with_graphs(true))).0;
        assert!(bits(&eager) == bits(&replayed), "{precision}, {param}: {text}");
        let again = trained_in(precision, text, param, Arc::new(gpu.clone())).0;
        assert!(bits(&again) == bits(&replayed), "{precision}, {param}, a second time: {text}");
    }
}

#[test]
#[ignore = "needs an NVIDIA GPU: tests/gpu/run starts it on one"]
fn training_on_the_gpu_gives_the_weights_of_training_on_the_cpu() {
    let gpu = gpu();
    for (text, param) in networks() {
        let (there, here) =
            (trained(text, param, Arc::new(gpu.clone())).0, trained(text, param, Arc::new(Cpu::default())).0);
        let relative = apart(&here, &there);
        println!("{param:<10} {relative:.2e} apart after {STEPS} steps");
        assert!(relative < 1e-3, "{param}: {relative:.2e} apart: {text}");
    }
}

/// Where this test fails and the test above passes, the fault lies in a library or in the arguments of its calls.
#[test]
#[ignore = "needs an NVIDIA GPU: tests/gpu/run starts it on one"]
fn plain_kernels_give_the_weights_that_libraries_give() {
    let gpu = gpu();
    for (text, param) in networks() {
        let by_libraries = trained(text, param, Arc::new(gpu.clone())).0;
        let by_kernels = trained(text, param, Arc::new(gpu.with_libraries(false))).0;
        let relative = apart(&by_kernels, &by_libraries);
        println!("{param:<10} {relative:.2e} between libraries and plain kernels after {STEPS} steps");
        assert!(relative < 1e-3, "{param}: {relative:.2e} apart: {text}");
    }
}

#[test]
#[ignore = "needs an NVIDIA GPU: tests/gpu/run starts it on one"]
fn a_step_is_one_launch_without_allocation_and_with_one_wait() {
    let gpu = gpu();
    for (text, param) in networks() {
        let activity = trained(text, param, Arc::new(gpu.clone())).1.unwrap_or_default();
        let steps = STEPS - 2;
        assert_eq!(
            activity,
            Activity { graph_launches: steps, synchronizations: steps, ..Activity::default() },
            "{param}"
        );
    }
}

/// A test for `compute-sanitizer`, which reports faults of single launches more exactly than faults of a recorded graph.
#[test]
#[ignore = "needs an NVIDIA GPU: tests/gpu/run starts it on one"]
fn a_few_steps_launch_by_launch() {
    let gpu = gpu();
    for (precision, (text, param)) in
        ["f32", "bf16"].into_iter().flat_map(|p| networks().map(move |network| (p, network)))
    {
        let states = trained_in(precision, text, param, Arc::new(gpu.with_graphs(false))).0;
        assert!((0..states.len()).all(|i| states.get(i).is_finite()), "{precision}, {param}: {text}");
    }
}
