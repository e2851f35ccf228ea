//! One layer of units: the contraction, the parameterization around it, its modifiers and its activation.
//!
//! Statements run in the order of the text. A modifier of `x` runs before the first statement. A modifier of another name (`s`)
//! runs right after the last assignment to that name.

pub(crate) mod builtins;
pub(crate) mod complain;

use super::{Forward, Mode, image};
use crate::front::interpret::{Statements, Vocabulary};
use crate::graphs::define::{Builtins, Scope, Term, first_batch, node, node_of_shape};
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id};
use crate::ir::internal::internal_error;
use crate::ir::module::{Instance, ParamUse};
use crate::ir::net::{Connection, Layer, Unit};
use builtins::UnitBuiltins;
use gmpc_grammar::ast::{Declaration, Definition, Expr, Initial, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// The meaning of `act(a)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The activation is applied.
    Apply,
    /// A new input `act` replaces its result, so that the formulas inside and outside `act` can be examined separately.
    Cut,
}

/// The value of a layer of units, and the calls in its formula.
#[derive(Debug, Clone)]
pub(crate) struct UnitValue {
    /// `[batch, units]` or `[batch, height, width, units]`
    pub(crate) value: Id,
    /// `(a, act(a))` for each call of `act`.
    pub(crate) acts: Vec<(Id, Id)>,
    /// The input of each call of `dot`: `x`, perhaps changed by modifiers.
    pub(crate) dots: Vec<Id>,
}

/// Sizes of a layer of units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Inputs of each unit.
    pub(crate) fan_in: usize,
    /// Number of units.
    pub(crate) units: usize,
    /// Number of positions of a filter, kh kw; 1 for a dense layer.
    pub(crate) area: usize,
    /// Number of groups of units, each of which reads inputs of its own; 1 for a dense layer.
    pub(crate) groups: usize,
    /// The position in the middle of a filter; 0 for a dense layer.
    pub(crate) centre: usize,
}

impl Sizes {
    /// The sizes of a layer of units. `input` is the shape of its input in the network, `[features]` or
    /// `[channels, height, width]`.
    pub(crate) fn new(unit: &Unit, input: &[usize]) -> Self {
        let counted = unit.connection.fan_in(input);
        // `parameterize` has rejected larger layers.
        let fan_in =
            counted.unwrap_or_else(|| internal_error("parameterize", "too many inputs", format_args!("{unit:?}")));
        let (area, groups, centre) = match unit.connection {
            Connection::Dense { .. } => (1, 1, 0),
            Connection::Convolution(of) => {
                let [height, width] = of.window.kernel;
                (of.window.area(), of.groups, height / 2 * width + width / 2)
            }
        };
        Sizes { fan_in, units: unit.connection.units(), area, groups, centre }
    }

    /// The sizes of an activation or a stage, which has as many units as its input has features.
    pub(crate) fn of_features(features: usize) -> Self {
        Sizes { fan_in: features, units: features, area: 1, groups: 1, centre: 0 }
    }

    /// Returns the number of results that depend on each input, for a filter without padding and strides.
    pub(crate) fn fan_out(self) -> usize {
        (self.units / self.groups.max(1)).saturating_mul(self.area)
    }

    /// Binds `fan_in`, `fan_out` and `units`.
    pub(crate) fn bind<P: Builtins>(self, scope: &mut Scope<'_, P>) {
        scope.set_size("fan_in", self.fan_in);
        scope.set_size("fan_out", self.fan_out());
        scope.set_size("units", self.units);
    }
}

/// Adds the value of a layer of units for the input `x`, `[batch, features]` or `[batch, height, width, channels]`.
pub(crate) fn unit(
    forward: &mut Forward,
    layer: &Layer,
    unit: &Unit,
    x: Id,
    mode: Mode,
    act: Act,
) -> Result<UnitValue, Diagnostic> {
    unit_and_starts(forward, layer, unit, x, (mode, act), false).map(|(value, _)| value)
}

/// A state and the node of its new value.
pub(crate) type Written = (usize, Id);

/// As [`unit`]. With `starts`, also the values that `first_batch(…)` gives to parameters.
pub(crate) fn unit_and_starts(
    forward: &mut Forward,
    layer: &Layer,
    unit: &Unit,
    x: Id,
    (mode, act): (Mode, Act),
    starts: bool,
) -> Result<(UnitValue, Vec<Written>), Diagnostic> {
    // The result has the shape of the layer. A definition cannot change it.
    let shape = forward.graph.shape(x).to_vec();
    let rank = shape.len();
    let sizes = Sizes::new(unit, &image::in_network(&shape));
    let result_shape = image::in_graph(shape[0], &layer.shape);
    let mut builtins = UnitBuiltins::new(&mut forward.store, layer, unit, shape, mode, act);
    let mut scope = Scope::new(&mut forward.graph, &mut builtins, &unit.param.base);
    sizes.bind(&mut scope);
    scope.set_node("x", x, Axes::batch(rank, Axis::Features));
    run(&mut scope, &unit.param)?;
    let definition = &unit.param.base.definition;
    let result = definition.body.result.as_ref().ok_or_else(|| complain::no_value(definition))?;
    let term = scope.evaluate(result)?;
    // A value per unit or a number would be the same for every example: probably a forgotten `dot`.
    let value = match &term {
        // A value that was reduced over all units would be the same for all of them.
        Term::Node(_, axes) if axes.is_batch() && (axes.iter().next_back() != Some(Axis::One) || sizes.units == 1) => {
            node_of_shape(scope.graph, &term, &result_shape, result.span)?
        }
        _ => return Err(complain::not_per_example(result.span)),
    };
    let mut found = Vec::new();
    if starts {
        scope.builtins.begin_starts();
        for (declaration, formula) in first_batches(definition) {
            let term = scope.evaluate(formula)?;
            let value = of_units(scope.graph, &term, sizes.units, formula.span)?;
            found.push((format!("{}.{}", layer.name, declaration.name.text), value));
        }
    }
    let calls = builtins.finish(&mut forward.graph)?;
    let index = |name: &String| forward.graph.states.iter().position(|state| state.name == *name);
    // An offset of a layer without bias is no state.
    let starts = found.iter().filter_map(|(name, id)| index(name).map(|state| (state, *id))).collect();
    Ok((UnitValue { value, acts: calls.acts, dots: calls.dots }, starts))
}

/// Returns a value per unit as `[1, units]`: a statistic of a batch of images has axes of positions, too.
fn of_units(graph: &mut Graph, term: &Term, units: usize, span: Span) -> Result<Id, Diagnostic> {
    let (id, _) = node(graph, term, span)?;
    let shape = graph.shape(id);
    if shape.len() > 2 && shape.last() == Some(&units) && shape.iter().product::<usize>() == units {
        return Ok(graph.reshape(id, &[1, units]));
    }
    node_of_shape(graph, term, &[1, units], span)
}

/// Returns the declarations whose first value comes from the first batch, with the formula of that value.
pub(crate) fn first_batches(definition: &Definition) -> impl Iterator<Item = (&Declaration, &Expr)> {
    definition.body.statements.iter().filter_map(|statement| match statement {
        Statement::Declare(declaration) => match &declaration.initial {
            Initial::Compute(expr) => first_batch(expr).map(|formula| (declaration, formula)),
            Initial::Draw(_) => None,
        },
        Statement::Bind(_) | Statement::From(_) => None,
    })
}

/// Runs the statements of a parameterization and, between them, its modifiers.
pub(crate) fn run<P: Builtins>(scope: &mut Scope<'_, P>, param: &ParamUse) -> Result<(), Diagnostic> {
    for step in schedule(param)? {
        match step {
            UnitStep::Statement(statement) => scope.statement(statement)?,
            UnitStep::Modifier(modifier, target) => modify(scope, modifier, target)?,
        }
    }
    Ok(())
}

/// One step of a unit's computation.
enum UnitStep<'a> {
    /// A statement of the parameterization.
    Statement(&'a Statement),
    /// A modifier and the name it rebinds.
    Modifier(&'a Instance, &'a str),
}

/// Returns the statements of a parameterization in order, with the modifiers between them.
fn schedule(param: &ParamUse) -> Result<Vec<UnitStep<'_>>, Diagnostic> {
    let statements = &param.base.definition.body.statements;
    let last_assignment = |name: &str| statements.iter().rposition(|s| bound(s) == Some(name));
    let mut places: Vec<(usize, &Instance, &str)> = Vec::new();
    for modifier in &param.modifiers {
        let target = target(modifier, &param.base.definition)?;
        let place = if target == "x" { 0 } else { last_assignment(target).map_or(0, |i| i + 1) };
        places.push((place, modifier, target));
    }
    let mut steps = Vec::new();
    for i in 0..=statements.len() {
        steps.extend(places.iter().filter(|(p, ..)| *p == i).map(|(_, m, target)| UnitStep::Modifier(m, target)));
        steps.extend(statements.get(i).map(UnitStep::Statement));
    }
    Ok(steps)
}

/// Returns the name of the parameterization that a modifier rebinds. It must be exactly one.
fn target<'a>(modifier: &'a Instance, base: &Definition) -> Result<&'a str, Diagnostic> {
    let assigned = |name: &str| name == "x" || base.body.statements.iter().any(|s| bound(s) == Some(name));
    let mut targets: Vec<&str> = modifier.definition.body.statements.iter().filter_map(bound).collect();
    targets.retain(|name| assigned(name));
    targets.dedup();
    match targets[..] {
        [only] => Ok(only),
        [] => Err(complain::modifies_nothing(modifier, base)),
        _ => Err(complain::modifies_two(modifier, &targets)),
    }
}

fn bound(statement: &Statement) -> Option<&str> {
    match statement {
        Statement::Bind(binding) => Some(&binding.name.text),
        Statement::Declare(_) | Statement::From(_) => None,
    }
}

/// Runs a modifier with its own arguments and names. Afterwards only the new value of its target remains (or that the target is
/// absent).
fn modify<P: Builtins>(scope: &mut Scope<'_, P>, modifier: &Instance, target: &str) -> Result<(), Diagnostic> {
    let (mut names, mut absent) = (scope.names.clone(), scope.absent.clone());
    scope.add_arguments(modifier);
    scope.builtins.enter(Some(modifier));
    for statement in &modifier.definition.body.statements {
        scope.statement(statement)?;
    }
    scope.builtins.enter(None);
    names.remove(target);
    names.extend(scope.names.remove_entry(target));
    absent.extend(scope.absent.remove_entry(target));
    (scope.names, scope.absent) = (names, absent);
    Ok(())
}
