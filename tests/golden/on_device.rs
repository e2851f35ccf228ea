//! Runs a case on a real device, through the session that training uses, too.

use super::case::Tensors;
use super::machine::Machine;
use crate::networks::compile;
use gmpc_compiler::graphs::convert::{from_file, to_file};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Graph, Random, Tensor};
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::stage::Silent;
use gmpc_compiler::{Options, lower};
use gmpc_data::{Pick, Rows};
use gmpc_device::{Device, SliceMut, States};
use gmpc_runtime::program::network::Network;
use gmpc_runtime::program::session::{Clock, Session};
use std::sync::Arc;

/// A network on a device.
pub struct OnDevice {
    device: Arc<dyn Device>,
    precision: Precision,
    session: Session,
}

impl OnDevice {
    /// Compiles a network in a precision and initializes it.
    pub fn new(source: &str, device: Arc<dyn Device>, precision: Precision) -> Result<Self, String> {
        let word = if precision == Precision::F32 { "f32" } else { "f64" };
        let (module, net) = compile(&format!("precision = {word}\n{source}"))?;
        let network =
            Network::new(Arc::new(module), net, Options::default(), Arc::new(Silent)).map_err(|e| format!("{e:?}"))?;
        let mut session = Session::new(Arc::clone(&device), Arc::new(network));
        session.initialize(0).map_err(|e| format!("{e:?}"))?;
        Ok(OnDevice { device, precision, session })
    }
}

impl Machine for OnDevice {
    fn set(&mut self, tensors: &Tensors) {
        let layout = Arc::clone(self.session.programs().layout());
        for (index, state) in layout.states.iter().enumerate() {
            if let Some(tensor) = tensors.get(&state.name) {
                let value = from_file(state, tensor).unwrap_or_else(|| panic!("{} is {:?}", state.name, tensor.shape));
                self.session.states.set_tensor(index, &value).unwrap_or_else(|text| panic!("{text}"));
            }
        }
    }

    fn states(&self) -> Tensors {
        let layout = self.session.programs().layout();
        let named = layout.states.iter().enumerate();
        named.map(|(i, state)| (state.name.clone(), to_file(state, &self.session.states.tensor(i)))).collect()
    }

    fn run(&mut self, goal: Goal, x: &Tensor, target: &Tensor, (lr, step): (f64, u64)) -> Tensors {
        let rows = Rows::new(self.precision, x.shape[0], &x.data, &target.data);
        let handle = self.session.load(goal, rows.count()).unwrap_or_else(|e| panic!("{e:?}"));
        let clock = Clock { lr, step, seed: 0 };
        self.session.fill(handle, &rows, &Pick::Range(0..rows.count()), clock).expect("rows of numbers");
        let outputs = self.session.outputs(handle, Random { seed: 0, step }).unwrap_or_else(|e| panic!("{e:?}"));
        let layout = Arc::clone(self.session.programs().layout());
        let to_file = |(name, value): (String, Tensor)| {
            let parameter = name.strip_prefix("grad.").and_then(|n| layout.states.iter().find(|s| s.name == n));
            let value = parameter.map_or(value.clone(), |state| to_file(state, &value));
            (name, value)
        };
        outputs.into_iter().map(to_file).collect()
    }

    fn compute(&self, graph: &Graph, inputs: &[Tensor]) -> Vec<Tensor> {
        let program = Arc::new(lower(Goal::Predict, self.precision, 1, graph, vec![]));
        let mut executable = self.device.load(&program).unwrap_or_else(|e| panic!("{e}"));
        for (input, value) in graph.inputs.iter().zip(inputs) {
            let Some(place) = program.graph.inputs.iter().position(|i| i.name == input.name) else { continue };
            match executable.input(place) {
                SliceMut::F32(to) => to.iter_mut().zip(&value.data).for_each(|(to, x)| *to = *x as f32),
                SliceMut::F64(to) => to.copy_from_slice(&value.data),
            }
        }
        let layout = Arc::new(gmpc_compiler::ir::layout::StateLayout::new(&[]));
        let mut states = States::zeros(&layout, self.precision);
        executable.run(&mut states, Random::default()).unwrap_or_else(|e| panic!("{e}"));
        let shapes = graph.outputs.iter().map(|o| graph.shape(o.id()).to_vec()).enumerate();
        shapes.map(|(i, shape)| Tensor { shape, data: executable.output(i).to_f64() }).collect()
    }
}
