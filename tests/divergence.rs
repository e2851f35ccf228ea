//! Finding the first value of a step that is not finite: the runtime's search against the reference device, which stores
//! every value.

use crate::networks::compiled;
use gmpc_compiler::Options;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Id, Random};
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::stage::Silent;
use gmpc_data::{Pick, Rows};
use gmpc_device::{Numbers, States};
use gmpc_device_cpu::Cpu;
use gmpc_device_reference::{is_finite, trace};
use gmpc_runtime::diverge::first_not_finite;
use gmpc_runtime::program::network::Network;
use gmpc_runtime::program::session::{Clock, Session};
use std::sync::Arc;

const RANDOM: Random = Random { seed: 3, step: 1 };

/// A training step of a network with all inputs and states that it reads.
struct Step {
    program: Arc<Program>,
    inputs: Vec<Numbers>,
    states: States,
}

fn step(text: &str, precision: Precision, inputs: usize, targets: usize) -> Step {
    let word = if precision == Precision::F32 { "f32" } else { "f64" };
    let (module, net) = compiled(&format!("precision = {word} {text}"));
    let network = Network::new(Arc::new(module), net, Options::default(), Arc::new(Silent)).unwrap();
    let mut session = Session::new(Arc::new(Cpu::default()), Arc::new(network));
    session.initialize(RANDOM.seed).unwrap();
    let numbers = |count: usize| (0..count).map(|i| (i * 37 % 101) as f64 / 50.0 - 1.0).collect::<Vec<_>>();
    let rows = Rows::new(precision, 5, &numbers(5 * inputs), &numbers(5 * targets));
    let handle = session.load(Goal::Train, 5).unwrap();
    session.fill(handle, &rows, &Pick::Range(0..5), Clock { lr: 0.1, step: 1, seed: RANDOM.seed }).unwrap();
    let (program, inputs) = (Arc::clone(session.program(handle)), session.inputs(handle).unwrap());
    Step { program, inputs, states: session.states.clone() }
}

/// The first value that is not finite according to the reference device, which stores every value.
fn expected(step: &Step, states: &States) -> Option<Id> {
    let values = trace(&step.program.graph, &step.inputs, states, RANDOM).unwrap();
    step.program.graph.ids().zip(&values).find(|(_, value)| !is_finite(value).unwrap()).map(|(id, _)| id)
}

/// Puts infinity and NaN into every state in turn, and into all states at once, and compares the values at which the two
/// searches stop.
fn agree(step: &Step) {
    let find = |states: &States| first_not_finite(&step.program, &step.inputs, states, RANDOM, 2).unwrap();
    // An untouched step must be finite everywhere, otherwise the comparisons below would say nothing about the changed
    // state.
    let sound = find(&step.states);
    assert_eq!(sound, None, "nothing is wrong with {}", step.program.graph.print(None));
    assert_eq!(expected(step, &step.states), None);
    let layout = Arc::clone(&step.states.layout);
    let all: Vec<usize> = (0..layout.states.len()).collect();
    let mut broken = 0;
    for which in all.chunks(1).chain([all.as_slice()]) {
        // Large finite numbers are no good test: whether a sum of them overflows depends on its order, in which the
        // devices may differ.
        for value in [f64::INFINITY, f64::NAN] {
            let mut states = step.states.clone();
            for &state in which {
                let mut tensor = states.tensor(state);
                tensor.data.iter_mut().step_by(2).for_each(|number| *number = value);
                states.set_tensor(state, &tensor).unwrap();
            }
            let found = find(&states);
            let names: Vec<&str> = which.iter().map(|&state| layout.states[state].name.as_str()).collect();
            assert_eq!(found, expected(step, &states), "{value} in {names:?} of {}", step.program.graph.print(None));
            broken += usize::from(found.is_some());
        }
    }
    // Not every state reaches a value of the step, but more than half of the changes must be found.
    assert!(broken > all.len(), "{broken} breaks of {} states", all.len());
}

#[test]
fn a_watched_step_breaks_where_the_reference_breaks() {
    for param in ["sp", "wn", "bn", "gmp", "gmp + mn"] {
        let train = "train { loss = cross_entropy  optimizer = adam(lr = 0.1) }";
        let dense = "model a(input: [3]) { input -> dense(4) -> relu -> dense(3) -> gelu -> linear(2) }";
        let images =
            "model b(input: [2, 6, 5]) { input -> conv(3, 3, pad = 1) -> relu -> max_pool(2) -> conv(2, 2) -> relu
            -> global_avg_pool -> linear(2) }";
        for precision in [Precision::F32, Precision::F64] {
            agree(&step(&format!("param = {param} {dense} {train}"), precision, 3, 1));
            agree(&step(&format!("param = {param} {images} {train}"), precision, 60, 1));
        }
    }
}
