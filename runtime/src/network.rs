//! The programs of one compiled network: the compiler's second half, asked for one (goal, batch) at a time.

use crate::failure::Failure;
use crate::session::Programs;
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::{Graph, Role};
use gmpc_compiler::layout::StateLayout;
use gmpc_compiler::module::Module;
use gmpc_compiler::net::{Layer, Net};
use gmpc_compiler::program::{Goal, Program};
use gmpc_compiler::{Options, compile, initialization, states};
use gmpc_grammar::diagnostic::Diagnostic;
use std::sync::Arc;

/// A resolved file with its network, ready to be compiled for any goal and batch size.
#[derive(Debug)]
pub struct Network {
    /// The resolved file.
    pub module: Arc<Module>,
    /// Its layers and shapes.
    pub net: Net,
    options: Options,
    initialization: Graph,
    layout: Arc<StateLayout>,
}

impl Network {
    /// Checks everything about a network that does not depend on the batch size.
    ///
    /// # Errors
    /// [`Failure::File`]: mistakes in the definitions the network uses.
    pub fn new(module: Arc<Module>, net: Net, options: Options) -> Result<Self, Failure> {
        let told = |diagnostics| wrong(&module, diagnostics);
        let initialization = initialization(&module, &net).map_err(told)?;
        let layout = Arc::new(StateLayout::new(&states(&module, &net).map_err(told)?));
        Ok(Network { module, net, options, initialization, layout })
    }

    /// Learned numbers.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let learned = self.layout.states.iter().filter(|state| state.role == Role::Parameter);
        learned.map(|state| state.shape.iter().product::<usize>()).sum()
    }
}

impl Programs for Network {
    fn program(&self, goal: Goal, batch: usize) -> Result<Program, Failure> {
        compile(&self.module, &self.net, goal, batch, &self.options).map_err(|told| wrong(&self.module, told))
    }

    fn initialization(&self) -> &Graph {
        &self.initialization
    }

    fn layout(&self) -> &Arc<StateLayout> {
        &self.layout
    }

    fn precision(&self) -> Precision {
        self.module.experiment.precision
    }

    fn layers(&self) -> &[Layer] {
        &self.net.layers
    }
}

/// Diagnostics with the texts they point into.
#[must_use]
pub fn wrong(module: &Module, diagnostics: Vec<Diagnostic>) -> Failure {
    Failure::File { diagnostics, sources: Box::new(module.sources.clone()) }
}
