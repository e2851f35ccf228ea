//! The initial values of all states, as a graph. It is evaluated once in f64, so that they are the same for every device.
//!
//! ```text
//! theta: angles ~ init      uniform stream 0, stream 1 -> normal -> angles     write hidden.theta
//! r: unit = scale           const 1                                            write hidden.r
//! ```
//!
//! Running means start at 0, running variances at 1. Every draw has its own stream. Streams are numbered in the order of the
//! text.

pub(crate) mod draw;

use crate::front::interpret::{Statements, Vocabulary};
use crate::graphs::activate;
use crate::graphs::declare::Room;
use crate::graphs::define::{Scope, node_of_shape};
use crate::graphs::parameterize::unit::builtins::room;
use crate::graphs::parameterize::unit::{Sizes, run};
use crate::graphs::parameterize::{Mode, Origin, image, parameterize, stage};
use crate::graphs::parameters::facts;
use crate::graphs::states::{average_of, declarations, gathered_of, state_name};
use crate::ir::graph::{Graph, Id, State};
use crate::ir::module::{Instance, Module};
use crate::ir::net::{Activation, Layer, LayerKind, Net, Unit};
use draw::DrawBuiltins;
use gmpc_grammar::ast::{Definition, Initial, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The reason why the input, and everything computed from it, has no value here. It is a part of a message.
const BEFORE_TRAINING: &str = "before training";

/// Returns a graph without inputs whose outputs write every state of the network. [`crate::ir::graph::evaluate()`] runs it with
/// the seed and step 0.
///
/// # Errors
/// Mistakes in the definitions that the network uses, such as parameters whose initial value depends on the input.
pub fn initialization(module: &Module, net: &Net) -> Result<Graph, Vec<Diagnostic>> {
    // The batch size does not matter for states. It is 2 because a variance over one row is an error.
    let forward = parameterize(net, Mode::Evaluation, 2)?;
    let states = crate::graphs::states::states(module, net)?;
    let mut first = First {
        definitions: &module.definitions,
        by_name: (0..).zip(&states).map(|(index, state)| (state.name.clone(), index)).collect(),
        graph: Graph { states, ..Graph::default() },
        values: BTreeMap::new(),
        streams: 0,
    };
    let mut errors: Vec<Diagnostic> = Vec::new();
    for layer in &net.layers {
        // A mistake in a definition is reported once, not once for each layer that uses it.
        errors.extend(first.layer(net, layer).err().filter(|e| !errors.contains(e)));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // After the parameters: the state of an optimizer may start from the initial value of its parameter.
    first.statistics(&forward.store.origins);
    if let Some(optimizer) = module.training.as_ref().and_then(|t| t.optimizer.as_ref()) {
        first.optimizer(optimizer, net).map_err(|e| vec![e])?;
    }
    first.kept();
    Ok(first.graph)
}

/// The graph of initial values under construction.
struct First<'a> {
    definitions: &'a BTreeMap<(Kind, String), Arc<Definition>>,
    graph: Graph,
    /// Indices of the states, by name.
    by_name: BTreeMap<String, usize>,
    /// Initial values so far, by the names of their states.
    values: BTreeMap<String, Id>,
    /// The next free stream of random numbers.
    streams: u32,
}

impl First<'_> {
    /// Adds the parameters, fixed signs and states of one layer.
    fn layer(&mut self, net: &Net, layer: &Layer) -> Result<(), Diagnostic> {
        let input = layer.inputs.first().map_or(&[][..], |&i| &net.layers[i].shape);
        let from = self.graph.nodes.len();
        match &layer.kind {
            LayerKind::Unit(unit) => {
                self.unit(layer, unit, input)?;
                // After the unit: every draw takes the next stream, so another order would give other numbers.
                let prefix = activate::prefix(&layer.name, &unit.activation);
                self.activation(&unit.activation, &prefix, Sizes::new(unit, input), &layer.shape)?;
            }
            LayerKind::Activation(activation) => {
                let features = layer.shape.first().copied().unwrap_or(1);
                let sizes = Sizes::of_features(features);
                self.activation(activation, &layer.name, sizes, &layer.shape)?;
            }
            LayerKind::Stage(of) => {
                let features = layer.shape.first().copied().unwrap_or(1);
                let sizes = Sizes::of_features(features);
                let batch = image::in_graph(1, &layer.shape);
                let room = stage::room(of, batch.clone());
                self.body(&of.definition, "x", &layer.name, (sizes, room), Some(&batch))?;
            }
            LayerKind::Input
            | LayerKind::Arithmetic(_)
            | LayerKind::Scaled { .. }
            | LayerKind::Concat
            | LayerKind::Flatten
            | LayerKind::MaxPool(_)
            | LayerKind::AvgPool(_)
            | LayerKind::GlobalAvgPool
            | LayerKind::GlobalMaxPool
            | LayerKind::Upsample { .. }
            | LayerKind::Maxout { .. }
            | LayerKind::Noise { .. }
            | LayerKind::StochasticDepth { .. }
            | LayerKind::Dropout { .. } => {}
        }
        // Nodes whose definition gave them no place in the text get that of the layer.
        self.graph.mark(from, layer.span);
        Ok(())
    }

    fn unit(&mut self, layer: &Layer, unit: &Unit, input: &[usize]) -> Result<(), Diagnostic> {
        let sizes = Sizes::new(unit, input);
        let room = room(unit, sizes, image::in_graph(1, input));
        let mut builtins = DrawBuiltins::new(self.definitions, sizes, unit.bias, room, self.streams);
        let mut scope = Scope::new(&mut self.graph, &mut builtins, &unit.param.base);
        sizes.bind(&mut scope);
        scope.absent.insert("x".to_string(), BEFORE_TRAINING);
        // Declarations must have an initial value. Bindings may be formulas of the input, which has no value yet.
        scope.unknown = Some(BEFORE_TRAINING);
        run(&mut scope, &unit.param)?;
        self.streams = builtins.streams;
        for (name, id) in builtins.declared {
            self.set(format!("{}.{name}", layer.name), id);
        }
        Ok(())
    }

    /// Adds the parameters of an activation. `shape` is that of an example.
    fn activation(
        &mut self,
        activation: &Activation,
        prefix: &str,
        sizes: Sizes,
        shape: &[usize],
    ) -> Result<(), Diagnostic> {
        let Some(instance) = &activation.definition else { return Ok(()) };
        let room = activate::room(instance, &image::in_graph(1, shape));
        let argument = activate::argument(&instance.definition).unwrap_or_default();
        self.body(instance, argument, prefix, (sizes, room), None)
    }

    /// Adds what the body of a definition declares. The value of `argument` has no value yet.
    fn body(
        &mut self,
        instance: &Instance,
        argument: &str,
        prefix: &str,
        (sizes, room): (Sizes, Room),
        batch: Option<&[usize]>,
    ) -> Result<(), Diagnostic> {
        let mut builtins = DrawBuiltins::new(self.definitions, sizes, true, room, self.streams);
        let mut scope = Scope::new(&mut self.graph, &mut builtins, instance);
        scope.absent.insert(argument.to_string(), BEFORE_TRAINING);
        scope.unknown = Some(BEFORE_TRAINING);
        batch.into_iter().for_each(|batch| stage::bind_sizes(&mut scope, batch));
        for statement in &instance.definition.body.statements {
            scope.statement(statement)?;
        }
        self.streams = builtins.streams;
        for (name, id) in builtins.declared {
            self.set(format!("{prefix}.{name}"), id);
        }
        Ok(())
    }

    fn statistics(&mut self, origins: &[Origin]) {
        for (index, origin) in origins.iter().enumerate() {
            let value = match origin {
                Origin::Mean => 0.0,
                Origin::Variance => 1.0,
                Origin::Parameter | Origin::Sign | Origin::Frozen | Origin::Kept | Origin::Activation => continue,
            };
            let State { name, shape, .. } = self.graph.states[index].clone();
            let id = self.graph.full(value, &shape);
            self.set(name, id);
        }
    }

    /// Adds the states of the optimizer. They may start from `value`, the initial value of their parameter.
    fn optimizer(&mut self, optimizer: &Instance, net: &Net) -> Result<(), Diagnostic> {
        let facts = facts(net, &self.graph.states);
        let parameters: Vec<State> =
            self.graph.states.iter().filter(|s| s.role == crate::ir::graph::Role::Parameter).cloned().collect();
        for parameter in parameters {
            let Some(&value) = self.values.get(&parameter.name) else { continue };
            // An optimizer cannot draw, so the sizes for draws are not used.
            let sizes = Sizes::of_features(1);
            let room = Room::nothing("an optimizer");
            let mut builtins = DrawBuiltins::new(self.definitions, sizes, true, room, self.streams);
            let mut scope = Scope::new(&mut self.graph, &mut builtins, optimizer);
            if let Some(facts) = facts.get(&parameter.name) {
                facts.tell(&mut scope, optimizer);
            }
            scope.set_node("value", value, parameter.meaning.axes);
            let mut found = Vec::new();
            for declaration in declarations(optimizer) {
                let Initial::Compute(expr) = &declaration.initial else {
                    return Err(no_draw(declaration.name.span));
                };
                let term = scope.evaluate(expr)?;
                let id = node_of_shape(scope.graph, &term, &parameter.shape, expr.span)?;
                found.push((state_name(optimizer, declaration, &parameter.name), id));
            }
            // The scope borrows the graph until here, so the states are set only now.
            for (name, id) in found {
                self.set(name, id);
            }
        }
        Ok(())
    }

    /// An average starts from the initial value of its parameter, a gathered gradient from 0.
    fn kept(&mut self) {
        let values: Vec<(String, Id)> = self.values.iter().map(|(name, id)| (name.clone(), *id)).collect();
        for (name, id) in values {
            if self.by_name.contains_key(&average_of(&name)) {
                self.set(average_of(&name), id);
            }
            if self.by_name.contains_key(&gathered_of(&name)) {
                let shape = self.graph.shape(id).to_vec();
                let zero = self.graph.full(0.0, &shape);
                self.set(gathered_of(&name), zero);
            }
        }
    }

    fn set(&mut self, name: String, id: Id) {
        if let Some(&index) = self.by_name.get(&name) {
            self.graph.write(index, id);
        }
        self.values.insert(name, id);
    }
}

fn no_draw(span: gmpc_grammar::source::Span) -> Diagnostic {
    Diagnostic::error("E0575", "the state of an optimizer is not drawn at random")
        .label(span, "this state")
        .help("start it from a number: `m: state = 0`, or from the parameter: `= value`")
}

#[cfg(test)]
mod tests;
