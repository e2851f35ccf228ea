//! `gradcheck` on a device: compares its gradients with difference quotients of the reference evaluator's loss.

use crate::failure::Failure;
use crate::program::network::wrong;
use gmpc_compiler::gradcheck::{Problem, Report, problem};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Output, Tensor};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::Net;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::lower;
use gmpc_device::{Device, SliceMut, States};
use std::sync::Arc;

/// Compiles the gradients of a network in f64, runs them on a device with random inputs, and compares those of every
/// parameter and of the input with difference quotients.
///
/// # Errors
/// The definitions that the network uses have errors; the device failed.
pub fn gradcheck(module: &Module, net: &Net, batch: usize, seed: u64, device: &dyn Device) -> Result<Report, Failure> {
    let problem = problem(module, net, batch, seed).map_err(|errors| wrong(module, errors))?;
    let program = Arc::new(lower(Goal::Gradients, Precision::F64, batch, &problem.graph, vec![]));
    let values = run(&problem, &program, device)?;
    Ok(problem.compare(&values))
}

/// One value for each output of the problem's graph. An output that is written to a state has an empty value.
fn run(problem: &Problem, program: &Arc<Program>, device: &dyn Device) -> Result<Vec<Tensor>, Failure> {
    let mut executable = device.load(program)?;
    // Compiling may drop inputs that nothing uses, so inputs and outputs are matched by name.
    for (input, value) in problem.graph.inputs.iter().zip(&problem.inputs) {
        let index = program.graph.inputs.iter().position(|known| known.name == input.name);
        if let Some(SliceMut::F64(to)) = index.map(|index| executable.input(index)) {
            to.copy_from_slice(&value.data);
        }
    }
    let layout = Arc::new(StateLayout::new(&program.graph.states));
    let mut states = States::zeros(&layout, Precision::F64);
    for (index, value) in problem.states.iter().enumerate() {
        states.set_tensor(index, value).map_err(Failure::Bug)?;
    }
    executable.run(&mut states, problem.random)?;
    let named = |wanted: &str| {
        let values = program.graph.outputs.iter().filter(|o| matches!(o, Output::Value { .. }));
        values.enumerate().find(|(_, o)| matches!(o, Output::Value { name, .. } if name == wanted)).map(|(i, _)| i)
    };
    let value = |output: &Output| {
        let Output::Value { name, id } = output else { return Ok(Tensor { shape: vec![], data: vec![] }) };
        let index = named(name).ok_or_else(|| Failure::Bug(format!("the program has no output `{name}`")))?;
        Ok(Tensor { shape: problem.graph.shape(*id).to_vec(), data: executable.output(index).to_f64() })
    };
    problem.graph.outputs.iter().map(value).collect()
}
