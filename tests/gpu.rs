//! The CUDA backend on a real GPU, with the feature `cuda`. Where there is no GPU the tests say so and pass, except where
//! `GMPC_REQUIRE_GPU` is set; `tests/gpu/run` sets it, runs them on a machine with a GPU, and stores what they said.
//!
//! The golden cases on the GPU are in `golden/on_gpu.rs`.

use gmpc_compiler::experiment::Precision;
use gmpc_compiler::program::Goal;
use gmpc_compiler::resolve::Overrides;
use gmpc_grammar::source::Source;
use gmpc_runtime::data::Directories;
use gmpc_runtime::device::cpu::Cpu;
use gmpc_runtime::device::cuda::Gpu;
use gmpc_runtime::device::{Activity, Device, Numbers};
use gmpc_runtime::request::{Request, network};
use gmpc_runtime::rows::{Pick, Rows};
use gmpc_runtime::session::{Clock, Programs, Session};
use std::sync::Arc;

/// Set where a GPU has to be there.
const REQUIRED: &str = "GMPC_REQUIRE_GPU";
/// In which steps are replayed.
const PRECISIONS: [&str; 3] = ["f32", "tf32", "bf16"];
const STEPS: u64 = 6;
const BATCH: usize = 16;

/// The first GPU, or why there is none, aloud.
pub fn gpu() -> Option<Gpu> {
    match Gpu::open(0) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set: {error}");
            println!("SKIPPED: no GPU: {error}");
            None
        }
    }
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

/// Every kind of kernel: text and parameterization.
fn networks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let params = ["sp", "wn", "bn", "gmp", "gmp + mn"];
    [MLP, IMAGES].into_iter().flat_map(move |text| params.into_iter().map(move |param| (text, param)))
}

/// What some steps of training leave behind, and what they told the device from the third on.
fn trained(text: &str, param: &str, device: Arc<dyn Device>) -> (Numbers, Option<Activity>) {
    trained_in("f32", text, param, device)
}

/// The same in a precision.
fn trained_in(precision: &str, text: &str, param: &str, device: Arc<dyn Device>) -> (Numbers, Option<Activity>) {
    let file = Source { name: "m.gmpnet".into(), text: text.into() };
    let set = vec![("precision".to_string(), precision.to_string())];
    let overrides = Overrides { param: Some(param.into()), set, ..Overrides::default() };
    let directories = Directories { data: "nowhere".into(), beside: None };
    let request = Request { file, overrides, directories, device: Arc::clone(&device) };
    let (network, _) = network(&request).unwrap_or_else(|e| panic!("{param}: {e:?}"));
    let mut session = Session::new(Arc::clone(&device), network as Arc<dyn Programs>);
    session.initialize(7).unwrap_or_else(|e| panic!("{e:?}"));
    let handle = session.load(Goal::Train, BATCH).unwrap_or_else(|e| panic!("{param}: {e:?}"));
    let graph = &session.program(handle).graph;
    let width = |name: &str| graph.inputs.iter().find(|i| i.name == name).map_or(0, |i| i.shape.iter().product());
    let (x, target): (usize, usize) = (width("x"), width("target"));
    let rows = Rows::new(Precision::F32, BATCH, &numbers(x, 1), &numbers(target, 2));
    let mut sums = session.empty_sums(handle);
    let mut before = None;
    for step in 1..=STEPS {
        if step == 3 {
            before = device.activity();
        }
        let clock = Clock { lr: 0.01, step, seed: 3 };
        let pick = Pick::Range(0..BATCH);
        session.step(handle, &rows, &pick, clock, &mut sums).unwrap_or_else(|e| panic!("{param}: {e:?}"));
    }
    let told = before.and_then(|before| device.activity().map(|after| after.since(before)));
    (session.states.data().clone(), told)
}

/// Numbers in [-1, 1) that have no pattern: SplitMix64.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / 2.0_f64.powi(52) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// How far numbers are from others, relative to those.
fn apart(here: &Numbers, there: &Numbers) -> f64 {
    let norm = |terms: &mut dyn Iterator<Item = f64>| terms.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut (0..here.len()).map(|i| here.get(i) - there.get(i)));
    difference / norm(&mut (0..here.len()).map(|i| here.get(i)))
}

fn bits(numbers: &Numbers) -> Vec<u64> {
    (0..numbers.len()).map(|i| numbers.get(i).to_bits()).collect()
}

#[test]
fn a_replayed_step_is_the_step_launched_one_by_one_bit_for_bit() {
    let Some(gpu) = gpu() else { return };
    for (precision, (text, param)) in PRECISIONS.into_iter().flat_map(|p| networks().map(move |network| (p, network))) {
        let eager = trained_in(precision, text, param, Arc::new(gpu.with_graphs(false))).0;
        let replayed = trained_in(precision, text, param, Arc::new(gpu.with_graphs(true))).0;
        assert!(bits(&eager) == bits(&replayed), "{precision}, {param}: {text}");
        let again = trained_in(precision, text, param, Arc::new(gpu.clone())).0;
        assert!(bits(&again) == bits(&replayed), "{precision}, {param}, a second time: {text}");
    }
}

#[test]
fn training_on_the_gpu_leads_where_training_on_the_processor_leads() {
    let Some(gpu) = gpu() else { return };
    for (text, param) in networks() {
        let (there, here) =
            (trained(text, param, Arc::new(gpu.clone())).0, trained(text, param, Arc::new(Cpu::default())).0);
        let relative = apart(&here, &there);
        println!("{param:<10} {relative:.2e} apart after {STEPS} steps");
        assert!(relative < 1e-3, "{param}: {relative:.2e} apart: {text}");
    }
}

/// Where this fails and what comes before does not, a library or what it is told is to blame.
#[test]
fn plain_kernels_lead_where_libraries_lead() {
    let Some(gpu) = gpu() else { return };
    for (text, param) in networks() {
        let by_libraries = trained(text, param, Arc::new(gpu.clone())).0;
        let by_kernels = trained(text, param, Arc::new(gpu.with_libraries(false))).0;
        let relative = apart(&by_kernels, &by_libraries);
        println!("{param:<10} {relative:.2e} between libraries and plain kernels after {STEPS} steps");
        assert!(relative < 1e-3, "{param}: {relative:.2e} apart: {text}");
    }
}

#[test]
fn a_step_is_one_launch_without_allocation_and_with_one_wait() {
    let Some(gpu) = gpu() else { return };
    for (text, param) in networks() {
        let told = trained(text, param, Arc::new(gpu.clone())).1.unwrap_or_default();
        let steps = STEPS - 2;
        assert_eq!(told, Activity { graph_launches: steps, synchronizations: steps, ..Activity::default() }, "{param}");
    }
}

/// For `compute-sanitizer`, which sees kernels best one by one.
#[test]
fn a_few_steps_launch_by_launch() {
    let Some(gpu) = gpu() else { return };
    for (precision, (text, param)) in
        ["f32", "bf16"].into_iter().flat_map(|p| networks().map(move |network| (p, network)))
    {
        let states = trained_in(precision, text, param, Arc::new(gpu.with_graphs(false))).0;
        assert!((0..states.len()).all(|i| states.get(i).is_finite()), "{precision}, {param}: {text}");
    }
}
