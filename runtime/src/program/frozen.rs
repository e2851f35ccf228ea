//! A session for predictions: what follows from the weights alone, such as unit vectors of angles, is computed once and kept, and the
//! programs of predictions read it as their states.

use crate::failure::Failure;
use crate::program::network::{Network, wrong};
use crate::program::session::{Programs, Session};
use gmpc_compiler::graphs::freeze::{Frozen, Source, freeze};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Graph, Random, Tensor};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::net::Layer;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::stage::Observer;
use gmpc_compiler::{lower, step_graph};
use std::sync::Arc;

/// The programs of predictions with such states.
struct FrozenNetwork {
    network: Arc<Network>,
    layout: Arc<StateLayout>,
    /// Its states are never drawn.
    initialization: Graph,
}

/// The same network with what its predictions need of the states of `session`. The session itself, where that depends on the number
/// of rows.
///
/// # Errors
/// The network cannot be compiled; the device failed.
pub fn frozen(mut session: Session, network: &Arc<Network>) -> Result<Session, Failure> {
    let Frozen { derived, rest, sources } = parts(network, 1)?;
    // Two numbers of rows are compared, for a shape that follows the rows cannot be kept for all of them.
    if parts(network, 2)?.rest.states != rest.states {
        return Ok(session);
    }
    let mut values: Vec<Tensor> = vec![];
    if !derived.outputs.is_empty() {
        let shapes: Vec<Vec<usize>> =
            derived.outputs.iter().map(|output| derived.shape(output.id()).to_vec()).collect();
        let program = Arc::new(lowered(network, 1, &derived));
        let device = Arc::clone(session.device());
        let mut executable = device.load(&program)?;
        executable.run(&mut session.states, Random::default())?;
        let value = |(index, shape)| Tensor { shape, data: executable.output(index).to_f64() };
        values.extend(shapes.into_iter().enumerate().map(value));
    }
    let layout = Arc::new(StateLayout::new(&rest.states));
    let programs = FrozenNetwork { network: Arc::clone(network), layout, initialization: Graph::default() };
    let mut result = Session::new(Arc::clone(session.device()), Arc::new(programs));
    for (index, source) in sources.iter().enumerate() {
        let tensor = match source {
            Source::State(state) => Some(session.states.tensor(*state)),
            Source::Derived(output) => values.get_mut(*output).map(std::mem::take),
        };
        let tensor = tensor.ok_or_else(|| Failure::Bug(format!("state {index} of a prediction comes from nowhere")))?;
        result.states.set_tensor(index, &tensor).map_err(Failure::Bug)?;
    }
    Ok(result)
}

fn parts(network: &Network, batch: usize) -> Result<Frozen, Failure> {
    let graph = step_graph(&network.module, &network.net, Goal::Predict, batch, network.options());
    let (graph, _) = graph.map_err(|diagnostics| wrong(&network.module, diagnostics))?;
    Ok(freeze(&graph))
}

fn lowered(network: &Network, batch: usize, graph: &Graph) -> Program {
    let contractions = network.module.experiment.contractions;
    Program { contractions, ..lower(Goal::Predict, network.precision(), batch, graph, vec![]) }
}

impl Programs for FrozenNetwork {
    fn program(&self, goal: Goal, batch: usize) -> Result<Program, Failure> {
        if goal != Goal::Predict {
            return Err(Failure::Bug(format!("a session for predictions was asked for {goal:?}")));
        }
        Ok(lowered(&self.network, batch, &parts(&self.network, batch)?.rest))
    }

    fn observer(&self) -> &dyn Observer {
        self.network.observer()
    }

    fn initialization(&self) -> &Graph {
        &self.initialization
    }

    fn layout(&self) -> &Arc<StateLayout> {
        &self.layout
    }

    fn precision(&self) -> Precision {
        self.network.precision()
    }

    fn layers(&self) -> &[Layer] {
        self.network.layers()
    }
}
