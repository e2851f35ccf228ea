//! The pipeline, once: a network of a file, compiled for any goal and batch size.
//!
//! ```text
//! Module -infer-> Net -parameterize, differentiate-> Graph -simplify-> Graph -fuse, plan, emit-> Program
//!                     step_graph                                       lower
//! ```

use crate::experiment::{Batch, DataFacts, Precision};
use crate::graph::Graph;
use crate::infer::infer;
use crate::module::Module;
use crate::net::Net;
use crate::program::{Goal, Measure, Program, StateLayout};
use crate::simplify::simplify;
use crate::{Options, initialization, lower, step_graph};
use gmpc_grammar::diagnostic::Diagnostic;
use std::sync::Arc;

/// Rows of the programs that [`Compiler::check`] goes through where the file trains on all rows at once; any number does.
const ROWS_TO_CHECK: usize = 32;

/// A network whose shapes are known. Pure: the same question always has the same answer.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The resolved file.
    pub module: Arc<Module>,
    /// Its network.
    pub net: Net,
    /// What the data's preparation adds.
    pub options: Options,
    /// Gives every state its first value.
    pub initialization: Graph,
    /// Where every state lies, in all programs.
    pub layout: Arc<StateLayout>,
}

impl Compiler {
    /// Infers the network's shapes, from `facts` about the data or from what the file itself states.
    ///
    /// # Errors
    /// Shapes that do not fit, definitions that cannot be understood.
    pub fn new(module: Arc<Module>, facts: Option<&DataFacts>, options: Options) -> Result<Self, Vec<Diagnostic>> {
        let net = infer(&module, facts)?;
        let initialization = initialization(&module, &net)?;
        let layout = Arc::new(StateLayout::new(&initialization.states));
        Ok(Compiler { module, net, options, initialization, layout })
    }

    /// Of all programs.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.module.experiment.precision
    }

    /// Rows of a training step; `rows` where the file says `batch = all`.
    #[must_use]
    pub fn batch(&self, rows: usize) -> usize {
        match self.module.experiment.train.as_ref().map(|train| train.batch) {
            Some(Batch::Size(size)) => size,
            Some(Batch::All) | None => rows,
        }
    }

    /// The computation for a goal as a simplified graph.
    ///
    /// # Errors
    /// A goal that the file says nothing about, mistakes in definitions, a batch that is too small.
    pub fn graph(&self, goal: Goal, batch: usize) -> Result<(Graph, Vec<Measure>), Vec<Diagnostic>> {
        let (graph, measures) = step_graph(&self.module, &self.net, goal, batch, &self.options)?;
        Ok((simplify(&graph), measures))
    }

    /// The computation for a goal as code.
    ///
    /// # Errors
    /// As [`Compiler::graph`].
    pub fn program(&self, goal: Goal, batch: usize) -> Result<Program, Vec<Diagnostic>> {
        let (graph, measures) = self.graph(goal, batch)?;
        Ok(lower(goal, self.precision(), batch, graph, measures))
    }

    /// Goes through everything the file can be asked for, up to the code.
    ///
    /// # Errors
    /// Whatever a later command would meet.
    pub fn check(&self) -> Result<(), Vec<Diagnostic>> {
        let batch = self.batch(ROWS_TO_CHECK);
        self.program(Goal::Predict, batch)?;
        if let Some(training) = &self.module.training {
            self.program(Goal::Evaluate, batch)?;
            if training.optimizer.is_some() {
                self.program(Goal::Train, batch)?;
            }
        }
        Ok(())
    }
}
