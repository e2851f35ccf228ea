//! Writes plain weights in a parameterization, with its own `from(w, b)` section.

use super::fold::{Plain, fold};
use super::patch::Patch;
use super::{Tensors, complain, to_file};
use crate::front::interpret::Statements;
use crate::graphs::define::{Scope, Term, node_of_shape};
use crate::graphs::initialize::draw::DrawBuiltins;
use crate::graphs::parameterize::unit::Sizes;
use crate::graphs::parameterize::unit::builtins::room;
use crate::graphs::parameterize::{Origin, image};
use crate::graphs::pieces::{is_homogeneous, pieces};
use crate::ir::axes::Axes;
use crate::ir::graph::{self, Graph, Random, State, Tensor, evaluate};
use crate::ir::module::Module;
use crate::ir::net::{Activation, Layer};
use gmpc_grammar::ast::{Declaration, Definition, From, Ident, Statement};
use gmpc_grammar::diagnostic::Diagnostic;

/// A parameter that is this many times larger than its unit's offset counts as infinite.
const EXTREME: f64 = 1e9;

/// Returns the tensors of one layer of units for `act(w . x + b)`. `plain` has scale 1 and shift 0.
pub(super) fn write(module: &Module, of: &Patch, plain: &Plain) -> Result<Tensors, Diagnostic> {
    let (layer, unit) = (&of.layer, &of.unit);
    let tensors = by_section(module, of, plain)?;
    let Some(empty) = extreme(plain, &tensors) else {
        check(of, plain, &tensors)?;
        return Ok(tensors);
    };
    // A unit whose weights are all 0 is a constant. If a ReLU makes it 0, an offset of 0 gives the same function.
    let mut without = plain.clone();
    for i in (0..plain.b.len()).filter(|&i| weightless(plain, i) && cuts_off(&unit.activation)) {
        without.b[i] = without.b[i].max(0.0);
    }
    let tensors = by_section(module, of, &without)?;
    match extreme(&without, &tensors) {
        Some(_) => Err(complain::weightless(layer, unit, empty)),
        None => check(of, &without, &tensors).map(|()| tensors),
    }
}

/// Is the activation 0 for every negative argument, as a ReLU is?
fn cuts_off(activation: &Activation) -> bool {
    pieces(activation).is_ok_and(|found| {
        found.parts.first() == Some(&[0.0, 0.0]) && found.kinks.first().is_some_and(|kink| *kink >= 0.0)
    })
}

fn weightless(plain: &Plain, unit: usize) -> bool {
    let units = plain.b.len();
    (0..plain.w.shape[0]).all(|i| plain.w.data[i * units + unit] == 0.0)
}

/// Returns the first unit with zero weights whose parameters are (nearly) infinite.
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

/// Evaluates the `from` section of the parameterization.
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
    // A `from` section can use the same functions as an initial value: `angles(w)`, `norm(w)`.
    let room = room(unit, sizes, image::in_graph(1, &of.shape));
    let mut builtins = DrawBuiltins::new(&module.definitions, sizes, unit.bias, room, first_stream(&layer.name));
    let mut scope = Scope::new(&mut graph, &mut builtins, &unit.param.base);
    sizes.bind(&mut scope);
    bind_plain(&mut scope, w, b, sizes);
    for statement in &section.body.statements {
        scope.statement(statement)?;
    }
    // Each parameter gets the value that the section binds to its name.
    let states = super::fold::states(of)?;
    let mut written: Vec<&State> = Vec::new();
    for (state, origin) in states
        .iter()
        .filter(|(_, origin)| matches!(origin, Origin::Parameter | Origin::Sign | Origin::Frozen | Origin::Kept))
    {
        let term = match (bound_value(&scope, layer, state, *origin, section), drawn(definition, layer, state)) {
            (Some(term), _) => term,
            // What the function does not depend on, such as one factor of a product of 0, is drawn as before a training. If it does
            // depend on it, it is another function, and that is refused.
            (None, Some(declaration)) => {
                scope.declare(declaration)?;
                let name = &declaration.name.text;
                scope.names.get(name).cloned().ok_or_else(|| complain::not_bound(name, section, unit))?
            }
            (None, None) => return Err(complain::not_bound(within(layer, state), section, unit)),
        };
        let id = node_of_shape(scope.graph, &term, &state.shape, section.span)?;
        scope.graph.output(state.name.clone(), id);
        written.push(state);
    }
    let offset = Tensor { shape: vec![1, sizes.units], data: plain.b.clone() };
    let values = evaluate(&graph, &[of.own(&plain.w), offset], &[], Random::default());
    let mut tensors: Tensors = written.iter().zip(&values).map(|(s, v)| (s.name.clone(), to_file(s, v))).collect();
    // The plain weights include the statistics of the source, so those of the target are neutral.
    for (state, origin) in
        states.iter().filter(|(s, origin)| s.role == graph::Role::Statistic && *origin != Origin::Kept)
    {
        let neutral = if *origin == Origin::Variance { 1.0 } else { 0.0 };
        tensors.insert(state.name.clone(), Tensor::full(&state.file_shape, neutral));
    }
    Ok(tensors)
}

fn bind_plain(scope: &mut Scope<'_, DrawBuiltins<'_>>, w: &Ident, b: &Ident, sizes: Sizes) {
    let weight = scope.graph.input("w", vec![sizes.fan_in, sizes.units]);
    let offset = scope.graph.input("b", vec![1, sizes.units]);
    scope.set_node(&w.text, weight, Axes::WEIGHT);
    scope.set_node(&b.text, offset, Axes::UNIT);
}

/// Returns the term that the section binds to the name of a state. For the fixed sign, it is the first term that is a sign.
fn bound_value(
    scope: &Scope<'_, DrawBuiltins<'_>>,
    layer: &Layer,
    state: &State,
    origin: Origin,
    section: &From,
) -> Option<Term> {
    let name = within(layer, state);
    let is_bound = |name: &str| {
        section.body.statements.iter().any(|s| matches!(s, Statement::Bind(binding) if binding.name.text == name))
    };
    let term = match origin {
        Origin::Sign if name == "sign" => {
            scope.names.values().find(|t| matches!(t, Term::Node(_, axes) if axes.is_sign()))
        }
        _ if is_bound(name) => scope.names.get(name),
        _ => None,
    };
    term.cloned()
}

/// The name of a state within its layer.
fn within<'a>(layer: &Layer, state: &'a State) -> &'a str {
    let name = state.name.strip_prefix(&format!("{}.", layer.name)).unwrap_or(&state.name);
    name.strip_suffix(".sign").unwrap_or(name)
}

/// The declaration of a state, if a conversion may draw it.
fn drawn<'a>(definition: &'a Definition, layer: &Layer, state: &State) -> Option<&'a Declaration> {
    definition.body.statements.iter().find_map(|statement| match statement {
        Statement::Declare(d) if d.name.text == within(layer, state) && d.may_be_drawn() => Some(d),
        Statement::Declare(_) | Statement::Bind(_) | Statement::From(_) => None,
    })
}

/// Layers draw different numbers: the first of 64 streams that only this layer's name has, but for one chance in sixteen million.
fn first_stream(layer: &str) -> u32 {
    let hash = layer.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 8) << 6
}

/// Folds the written tensors again, and checks that the function is the same.
fn check(of: &Patch, plain: &Plain, tensors: &Tensors) -> Result<(), Diagnostic> {
    let (layer, unit) = (&of.layer, &of.unit);
    let mut again = fold(of, tensors)?;
    if !is_homogeneous(&unit.activation) && again.scale.iter().any(|s| *s != 1.0) {
        return Err(complain::curved(layer, unit));
    }
    let (scale, shift) = again.absorb_output(&unit.activation);
    let whole = scale.iter().all(|s| *s == 1.0) && shift.iter().all(|s| *s == 0.0);
    if whole && again.is_close(plain) { Ok(()) } else { Err(complain::not_reproduced(layer, unit)) }
}
