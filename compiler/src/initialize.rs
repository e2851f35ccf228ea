//! The first values of all states, as a graph that is evaluated once in f64, the same on every device.
//!
//! ```text
//! theta: angles ~ init      uniform stream 0, stream 1 -> normal -> angles     write hidden.theta
//! r: unit = scale           const 1                                            write hidden.r
//! ```
//!
//! Running means start at 0, running variances at 1. Every draw has its own stream, numbered in the order of the text.

pub(crate) mod draw;

use crate::define::{Role, Scope, node_of_shape};
use crate::graph::{Graph, Id, State};
use crate::module::{Instance, Module};
use crate::net::{Layer, LayerKind, Net, Unit};
use crate::parameterize::unit::{Sizes, Step, schedule};
use crate::parameterize::{Mode, Origin, parameterize};
use crate::step::{declarations, state_name};
use draw::DrawPlace;
use gmpc_grammar::ast::{Definition, Initial, Kind, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What has no value before training.
const BEFORE_TRAINING: [&str; 1] = ["x"];

/// A graph without inputs whose outputs write every state of the network; [`crate::graph::evaluate()`] runs it with the seed
/// and step 0.
///
/// # Errors
/// Mistakes in the definitions the network uses, first of all parameters that start from something unknown yet.
pub fn initialization(module: &Module, net: &Net) -> Result<Graph, Vec<Diagnostic>> {
    let forward = parameterize(net, Mode::Evaluation, 2)?;
    let states = crate::step::states(module, net)?;
    let mut first = First {
        definitions: &module.definitions,
        graph: Graph { states, ..Graph::default() },
        values: BTreeMap::new(),
        streams: 0,
    };
    let mut errors: Vec<Diagnostic> = Vec::new();
    for layer in &net.layers {
        if let LayerKind::Unit(unit) = &layer.kind {
            errors.extend(first.unit(net, layer, unit).err().filter(|e| !errors.contains(e)));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    first.statistics(&forward.store.origins);
    if let Some(optimizer) = module.training.as_ref().and_then(|t| t.optimizer.as_ref()) {
        first.optimizer(optimizer).map_err(|e| vec![e])?;
    }
    Ok(first.graph)
}

/// First values found so far, by the states' names.
struct First<'a> {
    definitions: &'a BTreeMap<(Kind, String), Arc<Definition>>,
    graph: Graph,
    values: BTreeMap<String, Id>,
    streams: u32,
}

impl First<'_> {
    /// The parameters and fixed directions of one unit layer.
    fn unit(&mut self, net: &Net, layer: &Layer, unit: &Unit) -> Result<(), Diagnostic> {
        let input = layer.inputs.first().map_or(&[][..], |&i| &net.layers[i].shape);
        let sizes = Sizes::new(unit, input);
        let from = self.graph.nodes.len();
        let mut place = DrawPlace::new(self.definitions, sizes, unit.bias, self.streams);
        let mut scope = Scope::new(&mut self.graph, &mut place, &unit.param.base);
        sizes.bind(&mut scope);
        for name in BEFORE_TRAINING {
            scope.absent.insert(name.to_string(), "before training");
        }
        for step in schedule(&unit.param)? {
            match step {
                Step::Statement(statement) => first_value(&mut scope, statement)?,
                Step::Modifier(modifier, _) => {
                    let outside = scope.names.clone();
                    scope.add_arguments(modifier);
                    modifier.definition.body.statements.iter().try_for_each(|s| first_value(&mut scope, s))?;
                    scope.names = outside;
                }
            }
        }
        self.streams = place.streams;
        for (name, id) in place.declared {
            self.set(format!("{}.{name}", layer.name), id);
        }
        self.graph.mark(from, layer.span);
        Ok(())
    }

    fn statistics(&mut self, origins: &[Origin]) {
        for (index, origin) in origins.iter().enumerate() {
            let value = match origin {
                Origin::Mean => 0.0,
                Origin::Variance => 1.0,
                Origin::Parameter | Origin::Sign => continue,
            };
            let State { name, shape, .. } = self.graph.states[index].clone();
            let id = self.graph.full(value, &shape);
            self.set(name, id);
        }
    }

    /// A state may start from its parameter's first `value`.
    fn optimizer(&mut self, optimizer: &Instance) -> Result<(), Diagnostic> {
        let parameters: Vec<State> =
            self.graph.states.iter().filter(|s| s.role == crate::graph::Role::Parameter).cloned().collect();
        for parameter in parameters {
            let Some(&value) = self.values.get(&parameter.name) else { continue };
            let mut place =
                DrawPlace::new(self.definitions, Sizes { fan_in: 1, units: 1, spread: 1 }, true, self.streams);
            let mut scope = Scope::new(&mut self.graph, &mut place, optimizer);
            scope.set_node("value", value, Role::Weight);
            let mut found = Vec::new();
            for declaration in declarations(optimizer) {
                let Initial::Compute(expr) = &declaration.initial else {
                    return Err(no_draw(declaration.name.span));
                };
                let term = scope.eval(expr)?;
                let id = node_of_shape(scope.graph, &term, &parameter.shape, expr.span)?;
                found.push((state_name(optimizer, declaration, &parameter.name), id));
            }
            for (name, id) in found {
                self.set(name, id);
            }
        }
        Ok(())
    }

    fn set(&mut self, name: String, id: Id) {
        if let Some(index) = self.graph.states.iter().position(|s| s.name == name) {
            self.graph.write(index, id);
        }
        self.values.insert(name, id);
    }
}

/// Declarations must have a first value. Bindings may be formulas of the input, which is unknown yet: a name bound to one
/// is absent from then on.
fn first_value(scope: &mut Scope<'_, DrawPlace<'_>>, statement: &Statement) -> Result<(), Diagnostic> {
    let before = scope.graph.nodes.len();
    let result = scope.statement(statement);
    if let (Statement::Bind(binding), Err(_)) = (statement, &result) {
        scope.graph.nodes.truncate(before);
        scope.names.remove(&binding.name.text);
        scope.absent.insert(binding.name.text.clone(), "before training");
        return Ok(());
    }
    result
}

fn no_draw(span: gmpc_grammar::source::Span) -> Diagnostic {
    Diagnostic::error("E0575", "the state of an optimizer is not drawn at random")
        .label(span, "this state")
        .help("start it from a number: `m: state = 0`, or from the parameter: `= value`")
}

#[cfg(test)]
mod tests;
