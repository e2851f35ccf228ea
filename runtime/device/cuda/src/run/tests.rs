//! The driver calls of a program, observed on a GPU that only records them.

use super::super::driver::Queue;
use super::super::fake::{Fake, Notes};
use super::super::shared::{How, Shared};
use super::Loaded;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_data::{Pick, Rows};
use gmpc_device::{Activity, Device, DeviceError, Executable};
use gmpc_grammar::source::Source;
use gmpc_runtime::program::network::Network;
use gmpc_runtime::program::session::{Clock, Handle, Programs, Session};
use gmpc_runtime::task::experiment::{Request, network};
use std::sync::{Arc, Mutex};

/// A device whose GPU only records the calls.
#[derive(Debug)]
struct Noted {
    shared: Arc<Shared>,
    notes: Notes,
    sent: Arc<Mutex<Vec<u32>>>,
    graphs: bool,
}

impl Noted {
    /// A GPU with memory for data, which records graphs.
    fn new() -> Arc<Self> {
        Noted::with(Fake::default(), true)
    }

    fn with(fake: Fake, graphs: bool) -> Arc<Self> {
        let (notes, sent) = (Arc::clone(&fake.notes), Arc::clone(&fake.sent));
        let shared = Shared { queue: Queue::new(Box::new(fake)), turn: Mutex::default() };
        Arc::new(Noted { shared: Arc::new(shared), notes, sent, graphs })
    }

    /// The calls since the last time.
    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.notes.lock().unwrap())
    }
}

impl Device for Noted {
    fn name(&self) -> &'static str {
        "noted"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(Loaded::new(&self.shared, program, How { graphs: self.graphs, libraries: true })?))
    }

    fn activity(&self) -> Option<Activity> {
        Some(self.shared.queue.activity())
    }

    fn remarks(&self) -> Vec<String> {
        self.shared.queue.remarks()
    }
}

const MLP: &str = "param = gmp\nmodel m(input: [13]) { input -> dense(100) -> relu -> linear(1) }\n\
    train { loss = mse optimizer = adam(lr = 0.001) batch = 8 epochs = 1 }\n";

const VGG: &str = include_str!("../../../../../examples/vgg6.gmpnet");

/// The training program of a model, and rows for it.
fn training(text: &str, device: Arc<dyn Device>, set: &[(&str, &str)]) -> (Session, Handle, Rows, Arc<Network>) {
    let file = Source { name: "m.gmpnet".into(), text: text.into() };
    let directories = Directories { data: "nowhere".into(), beside: None };
    let set = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let overrides = Overrides { set, ..Overrides::default() };
    let (network, _) =
        network(&Request { file, overrides, directories, device: Arc::clone(&device), observer: Arc::new(Silent) })
            .unwrap();
    let mut session = Session::new(device, Arc::clone(&network) as Arc<dyn Programs>);
    session.initialize(0).unwrap();
    let handle = session.load(Goal::Train, 8).unwrap();
    let graph = &session.program(handle).graph;
    let width = |name: &str| graph.inputs.iter().find(|i| i.name == name).map_or(0, |i| i.shape.iter().product());
    let (x, target): (usize, usize) = (width("x"), width("target"));
    let rows = Rows::new(network.precision(), 8, &vec![0.5; x], &vec![0.0; target]);
    (session, handle, rows, network)
}

fn step(session: &mut Session, handle: Handle, rows: &Rows, step: u64) {
    let mut sums = session.empty_sums(handle);
    let order = [7, 6, 5, 4, 3, 2, 1, 0];
    session.step(handle, rows, &Pick::These(&order), Clock { lr: 0.1, step, seed: 1 }, &mut sums).unwrap();
}

#[test]
fn a_step_of_an_mlp_is_one_graph_launch() {
    let device = Noted::new();
    let (mut session, handle, rows, _) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    step(&mut session, handle, &rows, 1);
    let first = device.calls();
    assert!(first.contains(&"launch") && first.contains(&"matmul"), "the first step goes launch by launch: {first:?}");
    step(&mut session, handle, &rows, 2);
    let second = device.calls();
    assert_eq!((second.first(), &second[second.len() - 3..]), (Some(&"begin"), &["end", "replay", "wait"][..]));
    for number in 3..6 {
        step(&mut session, handle, &rows, number);
        assert_eq!(device.calls(), ["replay", "wait"], "copies, kernels and products in one launch");
    }
}

#[test]
fn bias_and_relu_go_into_the_calls_of_libraries_that_have_them() {
    let small = [("data", "shapes32"), ("model.width", "4")];
    let calls = |fake: Fake, precision: &str| {
        let device = Noted::with(fake, false);
        let set = [&small[..], &[("precision", precision)]].concat();
        let (mut session, handle, rows, _) = training(VGG, Arc::clone(&device) as Arc<dyn Device>, &set);
        device.calls();
        step(&mut session, handle, &rows, 1);
        device.calls()
    };
    let count = |calls: &[&str], what: &str| calls.iter().filter(|&&one| one == what).count();
    for precision in ["f32", "tf32"] {
        let (apart, inside) = (calls(Fake::default(), precision), calls(Fake::with_epilogues(), precision));
        // Six convolutions with a ReLU and one linear layer: seven launches fewer.
        assert_eq!(count(&inside, "convolution, bias, ReLU"), 6, "{inside:?}");
        assert_eq!(count(&inside, "matmul, bias"), 1, "{inside:?}");
        assert_eq!(count(&apart, "launch"), count(&inside, "launch") + 7);
        assert_eq!(count(&apart, "convolution"), count(&inside, "convolution") + 6, "gradients stay what they are");
        for (place, _) in apart.iter().enumerate().filter(|(_, what)| **what == "convolution").take(6) {
            assert_eq!(apart[place + 1], "launch", "what the call does not do follows it");
        }
    }
}

#[test]
fn products_of_bf16_whose_results_are_rounded_have_their_bias_in_the_call_too() {
    let text = "param = sp\nmodel m(input: [13]) { input -> dense(40) -> relu -> dense(24) -> relu -> linear(1) }\n\
        train { loss = mse optimizer = sgd(lr = 0.1) batch = 8 epochs = 1 }\n";
    let calls = |fake: Fake| {
        let device = Noted::with(fake, false);
        let (mut session, handle, rows, _) =
            training(text, Arc::clone(&device) as Arc<dyn Device>, &[("precision", "bf16")]);
        device.calls();
        step(&mut session, handle, &rows, 1);
        device.calls()
    };
    let count = |calls: &[&str], what: &str| calls.iter().filter(|&&one| one == what).count();
    let (apart, inside) = (calls(Fake::default()), calls(Fake::with_epilogues()));
    // The last layer has one unit. No library computes it.
    assert_eq!(count(&inside, "matmul, bias, ReLU"), 2, "{inside:?}");
    assert_eq!(count(&apart, "launch"), count(&inside, "launch") + 2, "what a call does not do follows it");
}

#[test]
fn what_libraries_have_no_algorithm_for_is_a_kernel_of_its_own_and_is_told_with_its_sizes() {
    let small = [("data", "shapes32"), ("model.width", "4")];
    for precision in ["f32", "f64", "bf16"] {
        let set = [&small[..], &[("precision", precision)]].concat();
        let device = Noted::with(Fake::without_algorithms(), true);
        let (mut session, handle, rows, _) = training(VGG, Arc::clone(&device) as Arc<dyn Device>, &set);
        (1..3).for_each(|number| step(&mut session, handle, &rows, number));
        let calls = device.calls();
        assert!(!calls.contains(&"convolution") && !calls.contains(&"matmul"), "{calls:?}");
        step(&mut session, handle, &rows, 3);
        assert_eq!(device.calls(), ["replay", "wait"], "in the recording as everything else");
        let remarks = device.remarks();
        let is_first = |remark: &&String| remark.starts_with("convolve ") && remark.contains("to 32x32x4");
        let first = remarks.iter().find(is_first).unwrap_or_else(|| panic!("{remarks:?}"));
        assert!(first.contains("(8 x 32x32x") && first.contains("no algorithm"), "{first}");
        // For six layers: the result, the gradient at the images (not of the first layer), the gradient at the filters.
        // Then three matmuls.
        assert_eq!(remarks.len(), 6 + 5 + 6 + 3, "{remarks:?}");
    }
}

#[test]
fn what_cannot_be_recorded_is_launched_one_by_one_and_told() {
    let device = Noted::with(Fake::without_recording(), true);
    let (mut session, handle, rows, _) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    step(&mut session, handle, &rows, 1);
    device.calls();
    step(&mut session, handle, &rows, 2);
    let second = device.calls();
    let end = second.iter().position(|&what| what == "end").expect("it tried");
    assert!(second[end..].contains(&"matmul") && second.last() == Some(&"wait"), "{second:?}");
    step(&mut session, handle, &rows, 3);
    let third = device.calls();
    assert!(!third.contains(&"begin") && third.contains(&"matmul"), "{third:?}");
    assert_eq!(device.remarks(), ["a step is launched kernel by kernel, for cannot record the step (INVALIDATED)"]);
}

#[test]
fn a_call_that_fails_says_which() {
    let device = Noted::with(Fake::breaking(), false);
    let (mut session, handle, rows, _) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    let mut sums = session.empty_sums(handle);
    let pick = Pick::Range(0..8);
    let result = session.step(handle, &rows, &pick, Clock { lr: 0.1, step: 1, seed: 1 }, &mut sums);
    let message = format!("{:?}", result.expect_err("the library refuses"));
    assert!(message.contains("product ") && message.contains("8 x 13 x 100"), "{message}");
}

#[test]
fn a_step_of_vgg6_allocates_nothing_and_waits_only_at_its_end() {
    let device = Noted::new();
    let small = [("data", "shapes32"), ("model.width", "4")];
    let (mut session, handle, rows, _) = training(VGG, Arc::clone(&device) as Arc<dyn Device>, &small);
    step(&mut session, handle, &rows, 1);
    device.calls();
    step(&mut session, handle, &rows, 2);
    let calls = device.calls();
    assert!(calls.contains(&"convolution") && !calls.contains(&"allocate") && !calls.contains(&"free"), "{calls:?}");
    assert_eq!(calls.iter().position(|&what| what == "wait"), Some(calls.len() - 1), "{calls:?}");
    let before = device.activity().unwrap();
    step(&mut session, handle, &rows, 3);
    let one = device.activity().unwrap().since(before);
    assert_eq!(one, Activity { graph_launches: 1, synchronizations: 1, ..Activity::default() });
}

#[test]
fn states_that_were_changed_here_go_back_and_inputs_that_stay_are_not_sent_again() {
    let device = Noted::new();
    let (mut session, handle, rows, _) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    (1..4).for_each(|number| step(&mut session, handle, &rows, number));
    device.calls();
    let _ = session.states.data_mut();
    assert_eq!(device.calls(), ["fetch", "wait"]);
    step(&mut session, handle, &rows, 4);
    assert_eq!(device.calls(), ["send", "wait", "replay", "wait"]);
    let (executable, states) = session.executable(handle);
    executable.run(states, gmpc_compiler::ir::graph::Random::default()).unwrap();
    let calls = device.calls();
    assert!(!calls.contains(&"send"), "no input has changed: {calls:?}");
}

/// Runs one step for each of `firsts`, the first of its eight rows. Each step also prepares the rows of the next one.
fn steps_ahead(session: &mut Session, handle: Handle, rows: &Rows, firsts: &[u32]) {
    let mut sums = session.empty_sums(handle);
    for (step, first) in (1..).zip(firsts) {
        let pick = |first: u32| [first, 1, 2, 3, 4, 5, 6, 7];
        let (now, next) = (pick(*first), firsts.get(step as usize).map(|first| pick(*first)));
        let next = next.as_ref().map_or(Pick::Range(0..0), |next| Pick::These(next));
        let clock = Clock { lr: 0.1, step, seed: 1 };
        session.step_before(handle, rows, [&Pick::These(&now), &next], clock, &mut sums).unwrap();
    }
}

#[test]
fn data_that_do_not_fit_are_made_ahead_in_two_buffers_that_take_turns() {
    let full = |graphs| Noted::with(Fake::full(), graphs);
    let rows = |width: usize| {
        let numbers: Vec<f64> = (0..8 * width).map(|i| (i / width) as f64 + 100.0).collect();
        Rows::new(Precision::F32, 8, &numbers, &[0.0; 8])
    };
    let firsts = [3, 6, 0, 5, 2, 7];
    // Launch by launch: each step sends the rows that it asks for.
    let device = full(false);
    let (mut session, handle, ..) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    device.sent.lock().unwrap().clear();
    steps_ahead(&mut session, handle, &rows(13), &firsts);
    let sent: Vec<f32> = device.sent.lock().unwrap().iter().map(|&word| f32::from_bits(word)).collect();
    let inputs: Vec<f32> = sent.into_iter().filter(|&x| (100.0..108.0).contains(&x)).collect();
    assert_eq!(inputs, firsts.map(|first| first as f32 + 100.0));
    // As one launch: one recording for each of the two buffers, then only replays.
    let device = full(true);
    let (mut session, handle, ..) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    steps_ahead(&mut session, handle, &rows(13), &firsts[..4]);
    device.calls();
    let before = device.activity().unwrap();
    steps_ahead(&mut session, handle, &rows(13), &firsts);
    let calls = device.calls();
    assert_eq!(calls, ["replay", "wait"].repeat(6), "{calls:?}");
    assert_eq!(device.activity().unwrap().since(before).copies, 0);
}

#[test]
fn data_that_fit_are_sent_once_and_rows_by_their_numbers() {
    let device = Noted::new();
    let (mut session, handle, rows, _) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    device.calls();
    step(&mut session, handle, &rows, 1);
    device.sent.lock().unwrap().clear();
    (2..5).for_each(|number| step(&mut session, handle, &rows, number));
    let sent = device.sent.lock().unwrap().clone();
    assert!(sent.contains(&7) && !sent.contains(&0.5_f32.to_bits()), "row 7 is the first that is asked for: {sent:?}");
}

#[test]
fn what_is_counted_is_what_was_told() {
    let device = Noted::new();
    let (mut session, handle, rows, _) = training(MLP, Arc::clone(&device) as Arc<dyn Device>, &[]);
    (1..4).for_each(|number| step(&mut session, handle, &rows, number));
    let (calls, counted) = (device.calls(), device.activity().unwrap());
    let count = |what: &[&str]| calls.iter().filter(|call| what.contains(call)).count() as u64;
    assert_eq!(counted.allocations, count(&["allocate"]));
    assert_eq!(counted.synchronizations, count(&["wait"]));
    assert_eq!(counted.graph_launches, count(&["replay"]));
    let (done, put) =
        (counted.launches + counted.to_libraries + counted.copies, count(&["launch", "matmul", "send", "fetch"]));
    assert_eq!(done + counted.recorded, put);
}
