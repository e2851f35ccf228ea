//! The harness in which every pass of the pipeline runs. It names the pass, tells an observer when the pass begins and ends,
//! verifies the result, and prints the result if the observer wants it.
//!
//! The compiler has no clock and no files. A caller that measures or shows stages implements [`Observer`].

use crate::ir::graph::{self, Graph};
use crate::ir::internal::internal_error;
use crate::ir::kernels::{self, Kernels};
use crate::ir::module::Module;
use crate::ir::net::Net;
use crate::ir::program::Measure;
use gmpc_grammar::ast::Ast;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;
use std::convert::Infallible;
use std::fmt::{Debug, Write};

/// The two parts of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The pass itself.
    Pass,
    /// The check of the pass's result.
    Verify,
}

/// Receives the events of stages. Every method may be called from several threads, for different compilations.
pub trait Observer: Debug + Send + Sync {
    /// A part of a stage begins. Stages are not nested.
    fn begin(&self, _stage: &'static str, _part: Part) {}

    /// The part that began last on this thread has ended, with or without success.
    fn end(&self, _stage: &'static str, _part: Part) {}

    /// Should [`Observer::printed`] be called with the result of this stage?
    fn wants(&self, _stage: &'static str) -> bool {
        false
    }

    /// The result of a stage as text. Called each time that the stage has run.
    fn printed(&self, _stage: &'static str, _text: String) {}
}

/// Observes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// The result of a stage.
pub trait Made {
    /// Is it well formed?
    ///
    /// # Errors
    /// The first broken rule, and the node, kernel or layer that breaks it.
    fn verify(&self) -> Result<(), String>;

    /// As text for people. `sources` are the texts that spans lie in: they give the lines of the model.
    fn print(&self, sources: Option<&Sources>) -> String;
}

/// Runs passes.
#[derive(Debug, Clone, Copy)]
pub struct Harness<'a> {
    observer: &'a dyn Observer,
    sources: Option<&'a Sources>,
}

impl<'a> Harness<'a> {
    /// A harness for an observer. `sources` are the texts that spans lie in, if they are known.
    #[must_use]
    pub fn new(observer: &'a dyn Observer, sources: Option<&'a Sources>) -> Self {
        Harness { observer, sources }
    }

    /// The texts that spans lie in.
    #[must_use]
    pub fn sources(&self) -> Option<&'a Sources> {
        self.sources
    }

    /// Runs a pass in which only the compiler can be wrong.
    ///
    /// # Panics
    /// Ends with an internal error if the result of the pass is not well formed.
    pub fn run<T: Made>(&self, stage: &'static str, pass: impl FnOnce() -> T) -> T {
        let Ok(made) = self.try_run(stage, || Ok::<T, Infallible>(pass()));
        made
    }

    /// Runs a pass that others of its kind follow. A release build leaves the verification to the last of them, which finds
    /// what is wrong all the same, but not which of them did it; other builds verify here, too.
    ///
    /// # Panics
    /// As [`Harness::run`].
    pub fn run_within<T: Made>(&self, stage: &'static str, pass: impl FnOnce() -> T) -> T {
        let Ok(made) = self.passed(stage, cfg!(debug_assertions), || Ok::<T, Infallible>(pass()));
        made
    }

    /// Runs a pass in which the person at the keyboard can be wrong, too.
    ///
    /// # Errors
    /// The errors of the pass itself.
    ///
    /// # Panics
    /// As [`Harness::run`].
    pub fn try_run<T: Made, E>(&self, stage: &'static str, pass: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        // Release builds verify too, because later passes and the device rely on these rules without checking them.
        self.passed(stage, true, pass)
    }

    fn passed<T: Made, E>(
        &self,
        stage: &'static str,
        verified: bool,
        pass: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let made = self.timed(stage, Part::Pass, pass)?;
        if verified && let Err(rule) = self.timed(stage, Part::Verify, || made.verify()) {
            internal_error(stage, rule, made.print(self.sources));
        }
        if self.observer.wants(stage) {
            self.observer.printed(stage, made.print(self.sources));
        }
        Ok(made)
    }

    /// Tells the observer about work whose result is neither verified nor printed.
    pub fn timed<T>(&self, stage: &'static str, part: Part, work: impl FnOnce() -> T) -> T {
        self.observer.begin(stage, part);
        let made = work();
        self.observer.end(stage, part);
        made
    }
}

/// The syntax tree. It needs no check: the reader has already reported what is wrong with the text.
impl Made for Ast {
    fn verify(&self) -> Result<(), String> {
        Ok(())
    }

    fn print(&self, _: Option<&Sources>) -> String {
        gmpc_grammar::dump(self)
    }
}

/// A resolved file with its warnings. It needs no check: `resolve` has already reported the mistakes of the user.
impl Made for (Module, Vec<Diagnostic>) {
    fn verify(&self) -> Result<(), String> {
        Ok(())
    }

    fn print(&self, _: Option<&Sources>) -> String {
        self.0.effective_source.clone()
    }
}

impl Made for Net {
    fn verify(&self) -> Result<(), String> {
        for (place, layer) in self.layers.iter().enumerate() {
            if layer.inputs.iter().any(|&input| input >= place) {
                return Err(format!("layer `{}` reads a layer that does not stand before it", layer.name));
            }
        }
        if self.output < self.layers.len() { Ok(()) } else { Err("the output is no layer".to_string()) }
    }

    fn print(&self, _: Option<&Sources>) -> String {
        self.to_string()
    }
}

impl Made for Graph {
    fn verify(&self) -> Result<(), String> {
        graph::verify(self)
    }

    fn print(&self, sources: Option<&Sources>) -> String {
        Graph::print(self, sources)
    }
}

/// The graph of a step and how its outputs make losses and metrics.
impl Made for (Graph, Vec<Measure>) {
    fn verify(&self) -> Result<(), String> {
        let (graph, measures) = self;
        graph::verify(graph)?;
        let values = graph.outputs.iter().filter(|output| matches!(output, graph::Output::Value { .. })).count();
        for measure in measures {
            graph::verify(&measure.finish).map_err(|rule| format!("measure `{}`: {rule}", measure.name))?;
            if measure.sums.iter().any(|&sum| sum >= values) {
                return Err(format!("measure `{}` reads an output that does not exist", measure.name));
            }
        }
        Ok(())
    }

    fn print(&self, sources: Option<&Sources>) -> String {
        let mut text = self.0.print(sources);
        for measure in &self.1 {
            let _ = write!(text, "\n# measure {}\n{}", measure.name, measure.finish.print(None));
        }
        text
    }
}

/// The graph of a step, and the prologue that computes its scalars before each run.
impl Made for (Graph, Graph) {
    fn verify(&self) -> Result<(), String> {
        graph::verify(&self.0)?;
        graph::verify(&self.1).map_err(|rule| format!("prologue: {rule}"))
    }

    fn print(&self, sources: Option<&Sources>) -> String {
        let (graph, prologue) = self;
        let graph = graph.print(sources);
        if prologue.outputs.is_empty() { graph } else { format!("{graph}\n# prologue\n{}", prologue.print(None)) }
    }
}

impl Made for Kernels {
    fn verify(&self) -> Result<(), String> {
        kernels::verify(self)
    }

    fn print(&self, sources: Option<&Sources>) -> String {
        kernels::print(self, sources)
    }
}

#[cfg(test)]
mod tests;
