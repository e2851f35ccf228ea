//! Plain weights in a parameterization, by its own `from(w, b)` section.

use super::fold::{Plain, fold};
use super::patch::Patch;
use super::{Tensors, complain, is_homogeneous, to_file};
use crate::define::{Role, Scope, Term, node_of_shape};
use crate::graph::{self, Graph, Random, State, Tensor, evaluate};
use crate::initialize::draw::DrawPlace;
use crate::module::Module;
use crate::net::{Activation, Layer, Unit};
use crate::parameterize::Origin;
use crate::parameterize::unit::Sizes;
use gmpc_grammar::ast::{From, Ident, Statement};
use gmpc_grammar::diagnostic::Diagnostic;

/// A parameter this many times larger than its unit's offset stands for one that would have to be infinite.
const EXTREME: f64 = 1e9;

/// The tensors of one unit layer for `act(w . x + b)`; `plain` has scale 1 and shift 0.
pub(super) fn write(module: &Module, of: &Patch, plain: &Plain) -> Result<Tensors, Diagnostic> {
    let (layer, unit) = (&of.layer, &of.unit);
    let tensors = by_section(module, of, plain)?;
    let Some(empty) = extreme(plain, &tensors) else {
        check(of, plain, &tensors)?;
        return Ok(tensors);
    };
    // A unit without weights is a constant. If that constant is 0, an offset of 0 says so as well.
    let mut without = plain.clone();
    for i in (0..plain.b.len()).filter(|&i| weightless(plain, i) && unit.activation == Activation::Relu) {
        without.b[i] = without.b[i].max(0.0);
    }
    let tensors = by_section(module, of, &without)?;
    match extreme(&without, &tensors) {
        Some(_) => Err(complain::weightless(layer, unit, empty)),
        None => check(of, &without, &tensors).map(|()| tensors),
    }
}

fn weightless(plain: &Plain, unit: usize) -> bool {
    let units = plain.b.len();
    (0..plain.w.shape[0]).all(|i| plain.w.data[i * units + unit] == 0.0)
}

/// The first unit without weights whose parameters explode.
fn extreme(plain: &Plain, tensors: &Tensors) -> Option<usize> {
    let units = plain.b.len();
    (0..units).filter(|&unit| weightless(plain, unit)).find(|&unit| {
        let limit = EXTREME * (1.0 + plain.b[unit].abs());
        let per_unit = |t: &Tensor| t.data.len() / units.max(1);
        tensors.values().any(|t| {
            let n = per_unit(t);
            t.data.iter().skip(unit * n).take(n).any(|x| x.abs() > limit || x.is_nan())
        })
    })
}

/// Evaluates the section.
fn by_section(module: &Module, of: &Patch, plain: &Plain) -> Result<Tensors, Diagnostic> {
    let (layer, unit) = (&of.layer, &of.unit);
    let definition = &unit.param.base.definition;
    let section = definition.body.statements.iter().find_map(|s| match s {
        Statement::From(from) => Some(from),
        Statement::Bind(_) | Statement::Declare(_) => None,
    });
    let section = section.ok_or_else(|| complain::no_section(layer, unit))?;
    let [w, b] = &section.parameters[..] else { return Err(complain::section_parameters(section)) };
    let sizes = Sizes::new(unit, &of.shape);
    let mut graph = Graph::default();
    let mut place = DrawPlace::new(&module.definitions, sizes, unit.bias, 0);
    let mut scope = Scope::new(&mut graph, &mut place, &unit.param.base);
    sizes.bind(&mut scope);
    bind_plain(&mut scope, w, b, sizes);
    for statement in &section.body.statements {
        scope.statement(statement)?;
    }
    let states = super::fold::states(of)?;
    let mut written: Vec<&State> = Vec::new();
    for (state, origin) in states.iter().filter(|(_, origin)| matches!(origin, Origin::Parameter | Origin::Sign)) {
        let term = bound_value(&scope, layer, state, *origin, section, unit)?;
        let id = node_of_shape(scope.graph, &term, &state.shape, section.span)?;
        scope.graph.output(state.name.clone(), id);
        written.push(state);
    }
    let offset = Tensor { shape: vec![1, sizes.units], data: plain.b.clone() };
    let values = evaluate(&graph, &[plain.w.clone(), offset], &[], Random::default());
    let mut tensors: Tensors = written.iter().zip(&values).map(|(s, v)| (s.name.clone(), to_file(s, v))).collect();
    for (state, origin) in states.iter().filter(|(s, _)| s.role == graph::Role::Statistic) {
        let neutral = if *origin == Origin::Variance { 1.0 } else { 0.0 };
        tensors.insert(state.name.clone(), Tensor::full(&state.file_shape, neutral));
    }
    Ok(tensors)
}

fn bind_plain(scope: &mut Scope<'_, DrawPlace<'_>>, w: &Ident, b: &Ident, sizes: Sizes) {
    let weight = scope.graph.input("w", vec![sizes.fan_in, sizes.units]);
    let offset = scope.graph.input("b", vec![1, sizes.units]);
    scope.set_node(&w.text, weight, Role::Weight);
    scope.set_node(&b.text, offset, Role::Unit);
}

/// What the section binds a state's name to; for the fixed sign, the first name that is one.
fn bound_value(
    scope: &Scope<'_, DrawPlace<'_>>,
    layer: &Layer,
    state: &State,
    origin: Origin,
    section: &From,
    unit: &Unit,
) -> Result<Term, Diagnostic> {
    let name = state.name.strip_prefix(&format!("{}.", layer.name)).unwrap_or(&state.name);
    let name = name.strip_suffix(".sign").unwrap_or(name);
    let is_bound = |name: &str| {
        section.body.statements.iter().any(|s| matches!(s, Statement::Bind(binding) if binding.name.text == name))
    };
    let term = match origin {
        Origin::Sign if name == "sign" => scope.names.values().find(|t| matches!(t, Term::Node(_, Role::Sign))),
        _ if is_bound(name) => scope.names.get(name),
        _ => None,
    };
    term.cloned().ok_or_else(|| complain::not_bound(name, section, unit))
}

/// Folds what was written and compares it with what was meant.
fn check(of: &Patch, plain: &Plain, tensors: &Tensors) -> Result<(), Diagnostic> {
    let (layer, unit) = (&of.layer, &of.unit);
    let mut again = fold(of, tensors)?;
    if !is_homogeneous(unit.activation) && again.scale.iter().any(|s| *s != 1.0) {
        return Err(complain::curved(layer, unit));
    }
    let (scale, shift) = again.absorb_output(unit.activation);
    let whole = scale.iter().all(|s| *s == 1.0) && shift.iter().all(|s| *s == 0.0);
    if whole && again.is_close(plain) { Ok(()) } else { Err(complain::not_reproduced(layer, unit)) }
}
