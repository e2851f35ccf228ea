//! Applies an activation: the formula of its definition, for every element.
//!
//! ```text
//! activation relu(s) { max(s, 0) }          %5 = max %3 %4
//! activation prelu(s, start = 0.25) {       its own parameter `slope`, one value a unit, is the state NAME.prelu.slope
//!     slope: unit = start
//!     max(s, 0) + slope * min(s, 0)
//! }
//! ```
//!
//! A formula sees one number at a time, so an activation reduces nothing.

use crate::front::functions::Dialect;
use crate::front::interpret::Statements;
use crate::graphs::declare::{ACTIVATION_KINDS, Room, Use, declared, declared_twice};
use crate::graphs::define::over::Reduce;
use crate::graphs::define::{Builtins, Scope, Term, node_of_shape};
use crate::graphs::store::{Origin, Own, Store};
use crate::ir::axes::Axes;
use crate::ir::graph::{Graph, Id};
use crate::ir::module::Instance;
use crate::ir::net::Activation;
use gmpc_grammar::ast::{Declaration, Definition, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// One place where an activation is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The beginning of its parameters' names: `prelu1`, `hidden.prelu`.
    pub(crate) prefix: &'a str,
    /// What it is applied to.
    pub(crate) x: Id,
    /// The axes of it.
    pub(crate) axes: Axes,
}

/// The parameters that the activation of one layer declared. A parameterization may call `act` more than once: all calls share
/// them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    terms: BTreeMap<String, Term>,
    own: Own,
}

/// The beginning of the names of an activation's parameters within a unit.
pub(crate) fn prefix(layer: &str, activation: &Activation) -> String {
    format!("{layer}.{}", activation.name())
}

/// Returns the name of the value that an activation is a formula of: its first parameter.
pub(crate) fn argument(definition: &Definition) -> Option<&str> {
    definition.parameters.first().filter(|_| definition.kind == Kind::Activation).map(|p| p.name.text.as_str())
}

impl Parameters {
    /// Applies an activation to every element of a value.
    ///
    /// # Errors
    /// Mistakes in the definition.
    pub(crate) fn apply(
        &mut self,
        graph: &mut Graph,
        store: &mut Store,
        activation: &Activation,
        call: &Call<'_>,
    ) -> Result<Id, Diagnostic> {
        let Some(instance) = &activation.definition else { return Ok(call.x) };
        let shape = graph.shape(call.x).to_vec();
        let room = room(instance, &shape);
        let mut builtins = ActivationBuiltins { store, prefix: call.prefix, parameters: self, room };
        let mut scope = Scope::new(graph, &mut builtins, instance);
        if let Some(name) = argument(&instance.definition) {
            scope.set_node(name, call.x, call.axes);
        }
        let term = scope.body(&instance.definition.body)?;
        let result = instance.definition.body.result.as_ref().map_or(instance.definition.span, |result| result.span);
        match &term {
            Term::Node(..) => node_of_shape(graph, &term, &shape, result),
            // A constant is no function of its argument: probably a forgotten name.
            Term::Known(_) => Err(constant(instance, result)),
        }
    }
}

/// What an activation may declare for values of this shape.
pub(crate) fn room(instance: &Instance, shape: &[usize]) -> Room {
    let units = shape.last().copied().unwrap_or(1);
    let (batch, arguments) = (shape.to_vec(), instance.arguments.clone());
    let place = "an activation";
    Room { kinds: ACTIVATION_KINDS, place, inputs: 1, units, batch, weight_in_file: vec![], arguments }
}

/// The functions of an activation.
struct ActivationBuiltins<'a> {
    store: &'a mut Store,
    prefix: &'a str,
    parameters: &'a mut Parameters,
    room: Room,
}

impl Builtins for ActivationBuiltins<'_> {
    fn call(&mut self, _: &mut Graph, _: &str, _: &[Term], _: Span) -> Option<Result<Term, Diagnostic>> {
        None
    }

    fn reduce(&mut self, _: &mut Graph, call: &Reduce<'_>) -> Option<Result<Term, Diagnostic>> {
        Some(Err(reduces(call)))
    }

    fn stop(&mut self, id: Id) {
        self.store.stopped.insert(id);
    }

    fn dialects(&self) -> &'static [Dialect] {
        &[Dialect::Definitions]
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, _initial: Option<Term>) -> Result<Term, Diagnostic> {
        if let Some(term) = self.parameters.terms.get(&d.name.text) {
            return Ok(term.clone());
        }
        if self.store.names.contains(&format!("{}.{}", self.prefix, d.name.text)) {
            return Err(declared_twice(d));
        }
        let declared = declared(d, &self.room)?;
        if declared.usage == Use::Kept {
            return Err(kept(d));
        }
        let before = self.store.origins.len();
        let term = self.parameters.own.declare(graph, self.store, self.prefix, d, declared);
        self.store.origins.iter_mut().skip(before).for_each(|origin| *origin = Origin::Activation);
        self.parameters.terms.insert(d.name.text.clone(), term.clone());
        Ok(term)
    }
}

fn constant(instance: &Instance, span: Span) -> Diagnostic {
    Diagnostic::error("E0518", format!("the activation `{}` does not depend on its argument", instance.name))
        .label(span, "the same for every argument")
        .label(instance.span, "applied here")
        .help("end with a formula of its first parameter")
}

fn reduces(call: &Reduce<'_>) -> Diagnostic {
    let word = call.what.word();
    Diagnostic::error(
        "E0518",
        format!("an activation is computed for one number at a time, so `{word}` has nothing to reduce"),
    )
    .label(call.span, "reduces several numbers")
    .label(call.argument, call.axes.description())
    .help("write a `stage`, which sees a whole example")
}

fn kept(d: &Declaration) -> Diagnostic {
    Diagnostic::error("E0518", "an activation has no state that it computes itself")
        .label(d.name.span, "declared as a state")
        .help("write a `stage` instead, or declare a parameter: leave `state` out")
}
