//! One unit: the product, the parameterization around it, its modifiers and its activation.
//!
//! Statements run in the order written. A modifier of `x` runs before the first of them, one of another name (`s`) right
//! after the last assignment to that name.

pub(crate) mod complain;
pub(crate) mod place;

use super::{Forward, Mode, image};
use crate::define::{Place, Role, Scope, Term, node_of_shape};
use crate::graph::Id;
use crate::module::{Instance, ParamUse};
use crate::net::{Layer, Product, Unit};
use gmpc_grammar::ast::{Definition, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use place::UnitPlace;

/// What becomes of `act(a)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The activation is applied.
    Apply,
    /// A new input `act` takes its place, so that what is inside and what is outside can be looked at one by one.
    Cut,
}

/// A unit's value, and its calls of `act`.
#[derive(Debug, Clone)]
pub(crate) struct UnitValue {
    /// `[batch, units]` or `[batch, height, width, units]`
    pub(crate) value: Id,
    /// `(a, act(a))` for each call.
    pub(crate) acts: Vec<(Id, Id)>,
    /// The input of each call of `dot`: `x`, as modifiers have left it.
    pub(crate) dots: Vec<Id>,
}

/// Sizes of a unit layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Inputs of each unit.
    pub(crate) fan_in: usize,
    /// Number of units.
    pub(crate) units: usize,
    /// Places of a filter: 1, or kh kw.
    pub(crate) spread: usize,
}

impl Sizes {
    /// Of a unit over an example of this shape in the network, `[features]` or `[channels, height, width]`.
    pub(crate) fn new(unit: &Unit, input: &[usize]) -> Self {
        let fan_in = unit.product.fan_in(input).unwrap_or(usize::MAX);
        let spread = match unit.product {
            Product::Dense { .. } => 1,
            Product::Convolution { window, .. } => window.area(),
        };
        Sizes { fan_in, units: unit.product.units(), spread }
    }

    /// The number of results that each input flows into, where padding and strides do not matter.
    pub(crate) fn fan_out(self) -> usize {
        self.units.saturating_mul(self.spread)
    }

    /// Binds `fan_in`, `fan_out` and `units`.
    pub(crate) fn bind<P: Place>(self, scope: &mut Scope<'_, P>) {
        scope.set_size("fan_in", self.fan_in);
        scope.set_size("fan_out", self.fan_out());
        scope.set_size("units", self.units);
    }
}

/// The value of a unit layer over the input `x`, `[batch, features]` or `[batch, height, width, channels]`.
pub(crate) fn unit(
    forward: &mut Forward,
    layer: &Layer,
    unit: &Unit,
    x: Id,
    mode: Mode,
    act: Act,
) -> Result<UnitValue, Diagnostic> {
    let schedule = schedule(&unit.param)?;
    let shape = forward.graph.shape(x).to_vec();
    let sizes = Sizes::new(unit, &image::in_network(&shape));
    let result_shape = image::in_graph(shape[0], &layer.shape);
    let mut place = UnitPlace::new(&mut forward.store, layer, unit, shape, mode, act);
    let mut scope = Scope::new(&mut forward.graph, &mut place, &unit.param.base);
    sizes.bind(&mut scope);
    scope.set_node("x", x, Role::Batch);
    for step in &schedule {
        match step {
            Step::Statement(statement) => scope.statement(statement)?,
            Step::Modifier(modifier, target) => modify(&mut scope, modifier, target)?,
        }
    }
    let definition = &unit.param.base.definition;
    let result = definition.body.result.as_ref().ok_or_else(|| complain::no_value(definition))?;
    let term = scope.eval(result)?;
    let value = match &term {
        Term::Node(_, Role::Batch) => node_of_shape(scope.graph, &term, &result_shape, result.span)?,
        _ => return Err(complain::not_per_example(result.span)),
    };
    let calls = place.finish(&mut forward.graph)?;
    Ok(UnitValue { value, acts: calls.acts, dots: calls.dots })
}

/// What is done in turn.
pub(crate) enum Step<'a> {
    /// A statement of the parameterization.
    Statement(&'a Statement),
    /// A modifier and the name it rebinds.
    Modifier(&'a Instance, &'a str),
}

/// The statements of a parameterization with its modifiers at their places.
pub(crate) fn schedule(param: &ParamUse) -> Result<Vec<Step<'_>>, Diagnostic> {
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
        steps.extend(places.iter().filter(|(p, ..)| *p == i).map(|(_, m, target)| Step::Modifier(m, target)));
        steps.extend(statements.get(i).map(Step::Statement));
    }
    Ok(steps)
}

/// The one name of the parameterization that a modifier rebinds.
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

/// Runs a modifier with its own arguments and helper names; only its target is seen afterwards.
fn modify(scope: &mut Scope<'_, UnitPlace<'_>>, modifier: &Instance, target: &str) -> Result<(), Diagnostic> {
    let outside = scope.names.clone();
    scope.add_arguments(modifier);
    scope.place.enter(Some(modifier));
    for statement in &modifier.definition.body.statements {
        scope.statement(statement)?;
    }
    let Some(value) = scope.names.remove(target) else { return Ok(()) };
    scope.names = outside;
    scope.names.insert(target.to_string(), value);
    scope.place.enter(None);
    Ok(())
}
