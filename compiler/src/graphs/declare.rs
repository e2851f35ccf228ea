//! The parameters that definitions declare: the shapes and axes of their kinds.
//!
//! ```text
//! w: weight            [inputs, units]      in files [units, inputs] or [units, channels, kh, kw]
//! g: unit              [1, units]           in files [units]
//! k: layer             [1, 1]               in files [1]
//! a: [units, rank]     [rank, units]        in files [units, rank]: graphs have the axes in reverse
//! w: weight ~ init, frozen                  never trained
//! u: unit ~ init, state                     its new value is what the body binds to it, after each training step
//! ```

mod complain;

pub(crate) use complain::declared_twice;

use crate::ir::axes::{Axes, Axis, Meaning, ParameterKind};
use crate::ir::module::Value;
use gmpc_grammar::ast::{Declaration, Ident};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// The largest number of elements of one parameter, as of any tensor.
const MAX_ELEMENTS: usize = 1 << 32;

/// What a definition may declare, and the sizes for it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// The kinds of this kind of definition.
    pub(crate) kinds: &'static [ParameterKind],
    /// The phrase for messages: "a parameterization".
    pub(crate) place: &'static str,
    /// Inputs of each unit; 1 where there are none.
    pub(crate) inputs: usize,
    /// Number of units.
    pub(crate) units: usize,
    /// Shape of a batch of inputs, as the graph has it.
    pub(crate) batch: Vec<usize>,
    /// Shape of a `weight` in files.
    pub(crate) weight_in_file: Vec<usize>,
    /// The arguments of the definition, which may be sizes of axes.
    pub(crate) arguments: BTreeMap<String, Value>,
}

impl Room {
    /// Nothing can be declared.
    pub(crate) fn nothing(place: &'static str) -> Self {
        let (batch, weight_in_file, arguments) = (vec![1, 1], vec![], BTreeMap::new());
        Room { kinds: &[], place, inputs: 1, units: 1, batch, weight_in_file, arguments }
    }
}

/// The kinds of a parameterization or a modifier.
pub(crate) const UNIT_KINDS: &[ParameterKind] = &[
    ParameterKind::Weight,
    ParameterKind::Angles,
    ParameterKind::Unit,
    ParameterKind::Offset,
    ParameterKind::Layer,
    ParameterKind::Feature,
    ParameterKind::Position,
    ParameterKind::Shape,
];
/// The kinds of an activation: it sees one number of a unit at a time.
pub(crate) const ACTIVATION_KINDS: &[ParameterKind] = &[ParameterKind::Unit, ParameterKind::Layer];
/// The kinds of a stage.
pub(crate) const STAGE_KINDS: &[ParameterKind] =
    &[ParameterKind::Layer, ParameterKind::Feature, ParameterKind::Position];

/// How a declared parameter is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Training changes it.
    Learned,
    /// It keeps its first value.
    Frozen,
    /// The body computes its next value.
    Kept,
}

/// A declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declared {
    /// Its shape in the graph.
    pub(crate) shape: Vec<usize>,
    /// Its shape in files.
    pub(crate) file: Vec<usize>,
    /// Does the file hold the transpose?
    pub(crate) transposed: bool,
    /// Its kind and its axes.
    pub(crate) meaning: Meaning,
    /// How it is used.
    pub(crate) usage: Use,
}

/// Returns shape and axes of a declaration.
///
/// # Errors
/// E0569: an unknown kind, or one that this definition cannot have. E0512: the input has no positions. E0514: an axis without a
/// size. E0515: an unknown word after the initial value.
pub(crate) fn declared(d: &Declaration, room: &Room) -> Result<Declared, Diagnostic> {
    let usage = usage(d)?;
    if let Some(names) = &d.axes {
        if !room.kinds.contains(&ParameterKind::Shape) {
            return Err(complain::no_shape(d, room));
        }
        return shape(d, names, room, usage);
    }
    let kind = ParameterKind::of(&d.kind.text).filter(|kind| room.kinds.contains(kind));
    let kind = kind.ok_or_else(|| complain::unknown_kind(d, room))?;
    let (axes, shape, file) = match kind {
        ParameterKind::Weight => (Axes::WEIGHT, vec![room.inputs, room.units], room.weight_in_file.clone()),
        // A unit with one input has no angles: the caller declares its fixed sign instead.
        ParameterKind::Angles => {
            let angles = room.inputs.saturating_sub(1);
            (Axes::ANGLES, vec![angles, room.units], vec![room.units, angles])
        }
        ParameterKind::Unit | ParameterKind::Offset => (Axes::UNIT, vec![1, room.units], vec![room.units]),
        ParameterKind::Layer => (Axes::LAYER, vec![1, 1], vec![1]),
        ParameterKind::Feature => of_input(room, Axis::Features),
        ParameterKind::Position => of_input(room, Axis::Positions),
        ParameterKind::Shape => return Err(complain::unknown_kind(d, room)),
    };
    if kind == ParameterKind::Position && file.is_empty() {
        return Err(complain::no_positions(d));
    }
    let transposed = file.len() > 1 && matches!(kind, ParameterKind::Weight | ParameterKind::Angles);
    Ok(Declared { shape, file, transposed, meaning: Meaning { kind, axes }, usage })
}

/// A parameter with the sizes of some axes of the input and 1 elsewhere.
fn of_input(room: &Room, wanted: Axis) -> (Axes, Vec<usize>, Vec<usize>) {
    let all = Axes::batch(room.batch.len(), Axis::Features);
    let others = all.places(|axis| axis != wanted);
    let mut shape = room.batch.clone();
    others.iter().for_each(|&place| shape[place] = 1);
    let file = all.places(|axis| axis == wanted).into_iter().map(|place| room.batch[place]).collect();
    // Rows of features are as `[1, features]` as numbers of units are, also where the input is an image.
    if wanted == Axis::Features && all.iter().next_back() == Some(Axis::Features) {
        let features = room.batch.last().copied().unwrap_or(1);
        return (Axes::FEATURE, vec![1, features], file);
    }
    (all.without(&others), shape, file)
}

fn usage(d: &Declaration) -> Result<Use, Diagnostic> {
    match &d.flags[..] {
        [] => Ok(Use::Learned),
        [flag] if flag.text == "frozen" => Ok(Use::Frozen),
        [flag] if flag.text == "state" => Ok(Use::Kept),
        [flag] => Err(complain::unknown_flag(flag)),
        [first, second, ..] => Err(complain::two_flags(first, second)),
    }
}

/// `[units, rank]`: one or two axes.
fn shape(d: &Declaration, names: &[Ident], room: &Room, usage: Use) -> Result<Declared, Diagnostic> {
    let listed = names.iter().map(|name| axis(d, name, room)).collect::<Result<Vec<_>, _>>()?;
    if let [(a, _), (b, _)] = listed[..]
        && a == b
        && !matches!(a, Axis::Own(_))
    {
        return Err(complain::twice(&names[1]));
    }
    let elements = listed.iter().try_fold(1_usize, |n, (_, size)| n.checked_mul(*size));
    if elements.is_none_or(|n| n > MAX_ELEMENTS) {
        return Err(complain::too_large(d));
    }
    // Units come last in graphs, as of a weight: so the graph has the axes in reverse.
    let (axes, shape) = match listed[..] {
        [(axis @ (Axis::Inputs | Axis::Positions), size)] => (Axes::new(&[axis, Axis::One]), vec![size, 1]),
        [(axis, size)] => (Axes::new(&[Axis::One, axis]), vec![1, size]),
        [(first, rows), (second, columns)] => (Axes::new(&[second, first]), vec![columns, rows]),
        _ => return Err(complain::how_many(d, names.len())),
    };
    let file: Vec<usize> = listed.iter().map(|(_, size)| *size).collect();
    let transposed = file.len() == 2;
    Ok(Declared { shape, file, transposed, meaning: Meaning { kind: ParameterKind::Shape, axes }, usage })
}

fn axis(d: &Declaration, name: &Ident, room: &Room) -> Result<(Axis, usize), Diagnostic> {
    match name.text.as_str() {
        "units" => Ok((Axis::Units, room.units)),
        "inputs" => Ok((Axis::Inputs, room.inputs)),
        "features" => Ok((Axis::Features, room.batch.last().copied().unwrap_or(1))),
        own => {
            let size = match room.arguments.get(own) {
                Some(Value::Integer(n)) => usize::try_from(*n).ok().filter(|n| *n > 0),
                Some(_) => None,
                None => return Err(complain::unknown_axis(d, name, room)),
            };
            let place = room.arguments.keys().position(|key| key == own).unwrap_or(0);
            let own = Axis::Own(u8::try_from(place).unwrap_or(u8::MAX));
            size.map(|size| (own, size)).ok_or_else(|| complain::no_size(name))
        }
    }
}
