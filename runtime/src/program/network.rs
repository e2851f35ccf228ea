//! The programs of one network. Each is compiled when a goal and a batch size are asked for.

use crate::failure::Failure;
use crate::program::session::Programs;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Graph, Role};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::{Layer, Net};
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::stage::{Harness, Observer, Part};
use gmpc_compiler::{Options, initialization, program, states};
use gmpc_grammar::diagnostic::Diagnostic;
use std::sync::Arc;

/// A resolved file with its network, ready to be compiled for any goal and batch size.
#[derive(Debug)]
pub struct Network {
    /// The resolved file.
    pub module: Arc<Module>,
    /// The network's layers and shapes.
    pub net: Net,
    options: Options,
    initialization: Graph,
    layout: Arc<StateLayout>,
    observer: Arc<dyn Observer>,
}

impl Network {
    /// Checks everything about a network that does not depend on the batch size.
    ///
    /// # Errors
    /// [`Failure::File`]: mistakes in the definitions the network uses.
    pub fn new(module: Arc<Module>, net: Net, options: Options, observer: Arc<dyn Observer>) -> Result<Self, Failure> {
        let failure = |diagnostics| wrong(&module, diagnostics);
        let harness = Harness::new(observer.as_ref(), Some(&module.sources));
        let initialization = harness.try_run("initialize", || initialization(&module, &net)).map_err(failure)?;
        let states = harness.timed("states", Part::Pass, || states(&module, &net)).map_err(failure)?;
        let layout = Arc::new(StateLayout::new(&states));
        Ok(Network { module, net, options, initialization, layout, observer })
    }

    /// The facts that graphs depend on besides the module and the network.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Number of learned scalars.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let learned = self.layout.states.iter().filter(|state| state.role == Role::Parameter);
        learned.map(|state| state.shape.iter().product::<usize>()).sum()
    }

    /// True if training collects statistics over batches, as batch normalization does.
    #[must_use]
    pub fn takes_statistics(&self) -> bool {
        self.layout.states.iter().any(|state| state.role == Role::Statistic)
    }
}

impl Programs for Network {
    fn program(&self, goal: Goal, batch: usize) -> Result<Program, Failure> {
        program(&self.module, &self.net, goal, batch, &self.options, self.observer.as_ref())
            .map_err(|diagnostics| wrong(&self.module, diagnostics))
    }

    fn observer(&self) -> &dyn Observer {
        self.observer.as_ref()
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

/// A failure with diagnostics and the source texts that they point into.
#[must_use]
pub fn wrong(module: &Module, diagnostics: Vec<Diagnostic>) -> Failure {
    Failure::File { diagnostics, sources: Box::new(module.sources.clone()) }
}
