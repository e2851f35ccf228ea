//! A stage that a definition describes: normalizations with their parameters and their running statistics.
//!
//! The body of the definition is a formula of the input `x`, example by example and position by position. Its value has the shape
//! of the input.

use super::statistic::Statistics;
use super::{Forward, Mode, Store};
use crate::front::functions::Dialect;
use crate::front::interpret::Statements;
use crate::graphs::declare::{Room, STAGE_KINDS, declared, declared_twice};
use crate::graphs::define::over::Reduce;
use crate::graphs::define::{Builtins, Scope, Term, node_of_shape};
use crate::graphs::store::Own;
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id};
use crate::ir::net::{Layer, Stage};
use gmpc_grammar::ast::Declaration;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Adds the value of a stage for its input `x`.
pub(crate) fn stage(forward: &mut Forward, layer: &Layer, stage: &Stage, x: Id, mode: Mode) -> Result<Id, Diagnostic> {
    let shape = forward.graph.shape(x).to_vec();
    let instance = &stage.definition;
    let mut builtins = StageBuiltins {
        store: &mut forward.store,
        layer,
        name: &instance.name,
        mode,
        statistics: Statistics::new(mode, instance.arguments.get("momentum").cloned()),
        own: Own::default(),
        room: room(stage, shape.clone()),
    };
    let mut scope = Scope::new(&mut forward.graph, &mut builtins, instance);
    bind_sizes(&mut scope, &shape);
    scope.set_node("x", x, Axes::batch(shape.len(), Axis::Features));
    let term = scope.body(&instance.definition.body)?;
    let result = instance.definition.body.result.as_ref().map_or(instance.definition.span, |result| result.span);
    let value = match &term {
        // A value with one number for each example would be repeated for all of its features without a word.
        Term::Node(_, axes)
            if axes.is_batch() && axes.iter().zip(&shape).any(|(axis, &n)| axis == Axis::One && n > 1) =>
        {
            return Err(reduced(result));
        }
        Term::Node(_, axes) if axes.is_batch() => node_of_shape(scope.graph, &term, &shape, result)?,
        _ => return Err(not_per_example(result)),
    };
    builtins.statistics.name(&mut forward.graph, builtins.store, &layer.name);
    Ok(value)
}

/// What a stage may declare for inputs of this shape, as graphs have it.
pub(crate) fn room(stage: &Stage, batch: Vec<usize>) -> Room {
    let arguments = stage.definition.arguments.clone();
    Room { kinds: STAGE_KINDS, place: "a stage", inputs: 1, units: 1, batch, weight_in_file: vec![], arguments }
}

/// Binds `features` and `positions`, the numbers of both in an example; `positions` is 1 for a row.
pub(crate) fn bind_sizes<P: Builtins>(scope: &mut Scope<'_, P>, batch: &[usize]) {
    let axes = Axes::batch(batch.len(), Axis::Features);
    let size = |wanted: Axis| axes.places(|axis| axis == wanted).iter().map(|&place| batch[place]).product::<usize>();
    // An argument of the definition of one of these names stays what it is.
    for (name, axis) in [("features", Axis::Features), ("positions", Axis::Positions)] {
        if !scope.names.contains_key(name) {
            scope.set_size(name, size(axis));
        }
    }
}

/// The functions of a stage.
struct StageBuiltins<'a> {
    store: &'a mut Store,
    layer: &'a Layer,
    name: &'a str,
    mode: Mode,
    statistics: Statistics,
    own: Own,
    room: Room,
}

impl Builtins for StageBuiltins<'_> {
    fn call(&mut self, _: &mut Graph, _: &str, _: &[Term], _: Span) -> Option<Result<Term, Diagnostic>> {
        None
    }

    fn reduce(&mut self, graph: &mut Graph, call: &Reduce<'_>) -> Option<Result<Term, Diagnostic>> {
        let one_row = || super::unit::complain::one_row(call.span, self.layer.span, self.name);
        call.axes.is_batch().then(|| self.statistics.reduce(graph, self.store, call, one_row))
    }

    fn stop(&mut self, id: Id) {
        self.store.stopped.insert(id);
    }

    fn bound(&mut self, graph: &mut Graph, name: &str, term: &Term) -> Option<Result<Term, Diagnostic>> {
        if let (Mode::Training, Some(shape)) = (self.mode, self.own.misfit(graph, name, term)) {
            return Some(Err(super::unit::complain::state_of_another_shape(name, &shape, self.layer.span)));
        }
        self.own.bound(graph, self.store, self.mode, name, term).map(Ok)
    }

    fn dialects(&self) -> &'static [Dialect] {
        &[Dialect::Stages, Dialect::Definitions]
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, _initial: Option<Term>) -> Result<Term, Diagnostic> {
        if self.store.names.contains(&format!("{}.{}", self.layer.name, d.name.text)) {
            return Err(declared_twice(d));
        }
        let declared = declared(d, &self.room)?;
        Ok(self.own.declare(graph, self.store, &self.layer.name, d, declared))
    }
}

fn reduced(span: Span) -> Diagnostic {
    Diagnostic::error("E0564", "the value of a stage must have the shape of the example")
        .label(span, "was reduced, and has fewer values")
        .help("combine it with `x`, as in `x - mean(x, over = features)`")
}

fn not_per_example(span: Span) -> Diagnostic {
    Diagnostic::error("E0564", "the value of a stage must depend on the example")
        .label(span, "is the same for every example")
        .help("compute it from `x`")
}
