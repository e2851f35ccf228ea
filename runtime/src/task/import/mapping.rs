//! Assigns the tensors of a file to layers: by equal names, or as the user states. If neither fits, the error suggests
//! a mapping.

use super::is_unit;
use crate::failure::Message;
use gmpc_compiler::graphs::convert::Tensors;
use gmpc_compiler::ir::graph::{Role, State};
use gmpc_compiler::ir::net::{Connection, Layer, LayerKind, Net, Way};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What the tensors of a file are used for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Mapping {
    /// Names of tensors, and the states of the network that they are.
    pub states: Vec<(String, String)>,
    /// A layer's index, and the names of its weight and bias in the file.
    pub layers: Vec<(usize, String, Option<String>)>,
    /// Layers, and parameters of stages and activations, without values in the file.
    pub drawn: Vec<String>,
    /// Tensors that are not used.
    pub unused: Vec<String>,
}

/// The scaling that `gmpc export --as torch` writes into the file. It is ignored: the run's own data define its
/// scaling.
const SCALING: [&str; 4] = ["input_mean", "input_deviation", "output_mean", "output_deviation"];
/// The end of the name of a counter that PyTorch's batch normalization keeps. Nothing is computed from it in evaluation.
const COUNTER: &str = "num_batches_tracked";

/// Finds the layer of each tensor. `names` are pairs of a name in the file and a layer; other tensors and layers may
/// then remain unassigned. If `names` is empty, everything must fit.
///
/// # Errors
/// A message with the names and shapes of both sides, and the mapping that the shapes suggest.
pub(super) fn mapping(
    net: &Net,
    states: &[State],
    file: &Tensors,
    names: &[(String, String)],
) -> Result<Mapping, Message> {
    let own: BTreeMap<&str, &State> =
        states.iter().filter(|state| state.role != Role::Optimizer).map(|state| (state.name.as_str(), state)).collect();
    let is_own = |name: &&String| own.get(name.as_str()).is_some_and(|state| state.file_shape == file[*name].shape);
    let same = file.keys().filter(is_own).map(|name| (name.clone(), name.clone())).collect();
    let mut found = Mapping { states: same, ..Mapping::default() };
    // A layer takes either all of its states by name or none, because a part of them would be another function.
    for layer in &net.layers {
        let whole =
            own.keys().filter(|name| belongs(name, layer)).all(|name| found.states.iter().any(|(_, own)| own == name));
        found.states.retain(|(_, name)| whole || !belongs(name, layer) || !is_unit(&layer.kind));
    }
    let by_layer: BTreeMap<&str, usize> = net
        .layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| is_unit(&layer.kind))
        .map(|(i, layer)| (layer.name.as_str(), i))
        .collect();
    let is_left = |layer: &&&str| !found.states.iter().any(|(_, name)| belongs(name, &net.layers[by_layer[**layer]]));
    let equal = by_layer.keys().filter(is_left).map(|layer| (layer.to_string(), layer.to_string()));
    let pairs: Vec<(String, String)> = if names.is_empty() { equal.collect() } else { names.to_vec() };
    for (place, (from, to)) in pairs.iter().enumerate() {
        if pairs[..place].iter().any(|(_, earlier)| earlier == to) {
            let message = Message::new(format!("`--names` gives `{to}` two names of the file"));
            return Err(message.help("name each layer once"));
        }
        // A parameter of a stage or an activation by its own name: `norm.weight=layer_norm1.gain`.
        if let (Some(state), Some(tensor)) = (own.get(to.as_str()), file.get(from)) {
            if state.file_shape != tensor.shape {
                let (has, takes) = (&tensor.shape, &state.file_shape);
                return Err(Message::new(format!("`{from}` is {has:?}, and `{to}` takes {takes:?}"))
                    .help("leave it out of `--names` to keep its first values"));
            }
            found.states.retain(|(_, known)| known != to);
            found.states.push((from.clone(), to.clone()));
            continue;
        }
        let Some(&index) = by_layer.get(to.as_str()) else { return Err(no_layer(to, &by_layer)) };
        match part(from, "weight", file) {
            Some(weight) if fits(net, index, &weight, file) => {
                found.layers.push((index, weight, part(from, "bias", file)));
            }
            Some(weight) => return Err(other_shape(net, index, &weight, file)),
            None if names.is_empty() => {}
            None => {
                let message = Message::new(format!("the file has no `{from}.weight`"));
                return Err(message.help(lists(net, &own, file, &found)));
            }
        }
    }
    finish(net, &own, file, &mut found, names.is_empty())?;
    Ok(found)
}

/// Finds unused tensors and layers without values. It is an error if there are any although `has_to_fit`, or if nothing
/// was assigned at all.
fn finish(
    net: &Net,
    own: &BTreeMap<&str, &State>,
    file: &Tensors,
    found: &mut Mapping,
    has_to_fit: bool,
) -> Result<(), Message> {
    // What has no use here is not counted as left over: the run has its own scaling, and counters compute nothing.
    let used: BTreeSet<&String> = found
        .states
        .iter()
        .map(|(name, _)| name)
        .chain(found.layers.iter().flat_map(|(_, weight, bias)| std::iter::once(weight).chain(bias)))
        .collect();
    let has_no_use = |name: &&String| SCALING.contains(&name.as_str()) || name.ends_with(COUNTER);
    let unused: Vec<String> = file.keys().filter(|name| !used.contains(name) && !has_no_use(name)).cloned().collect();
    let taken = |layer: &Layer| found.states.iter().any(|(_, state)| belongs(state, layer));
    let mapped = |index: usize| found.layers.iter().any(|(layer, ..)| *layer == index);
    let units = || net.layers.iter().enumerate().filter(|(_, layer)| is_unit(&layer.kind));
    let mut drawn: Vec<String> = units()
        .filter(|(index, layer)| !mapped(*index) && !taken(layer))
        .map(|(_, layer)| layer.name.clone())
        .collect();
    let left = of_others(net, own).filter(|name| !found.states.iter().any(|(_, known)| known == name));
    drawn.extend(left.map(str::to_string));
    (found.unused, found.drawn) = (unused, drawn);
    let nothing = found.layers.is_empty() && found.states.is_empty();
    // With names from the user a part may stay as it is. Without them, a tensor left over is a mistake.
    if nothing || has_to_fit && !(found.unused.is_empty() && found.drawn.is_empty()) {
        let what = if nothing {
            "no name of the file is one of a layer"
        } else {
            "not every name of the file and of the network has its like"
        };
        return Err(Message::new(what).help(lists(net, own, file, found)));
    }
    Ok(())
}

/// The states that belong to no layer of units: those of stages and of activations.
fn of_others<'a>(net: &Net, own: &BTreeMap<&'a str, &State>) -> impl Iterator<Item = &'a str> {
    let of_units = |name: &str| net.layers.iter().any(|layer| is_unit(&layer.kind) && belongs(name, layer));
    own.keys().copied().filter(move |name| !of_units(name)).collect::<Vec<_>>().into_iter()
}

/// True if the state belongs to the layer, as `hidden.theta` belongs to `hidden`.
fn belongs(state: &str, layer: &Layer) -> bool {
    state.strip_prefix(layer.name.as_str()).is_some_and(|rest| rest.starts_with('.') && !rest[1..].contains('.'))
}

/// The tensor `fc1.weight` or `fc1.w` of the name `fc1`, if the file has one.
fn part(name: &str, what: &str, file: &Tensors) -> Option<String> {
    let short = &what[..1];
    [what, short].iter().map(|what| format!("{name}.{what}")).find(|name| file.contains_key(name))
}

/// The shape of a layer's weight in a state dict: `[units, inputs]`, `[units, channels / groups, height, width]` for a convolution,
/// `[channels, units, height, width]` for a transposed one, and without the height for a series.
fn shape(net: &Net, index: usize) -> Vec<usize> {
    let layer = &net.layers[index];
    let input = layer.inputs.first().map_or(&[][..], |&input| &net.layers[input].shape);
    match &layer.kind {
        LayerKind::Unit(unit) => match &unit.connection {
            Connection::Dense { .. } => vec![unit.connection.units(), input.iter().product()],
            Connection::Convolution(of) => {
                let channels = of.channels(input.first().copied().unwrap_or(1));
                // A series has one axis of taps.
                let taps = if input.len() == 2 { &of.window.kernel[1..] } else { &of.window.kernel[..] };
                let first = if of.way == Way::Spread { [channels, of.units] } else { [of.units, channels] };
                [&first[..], taps].concat()
            }
        },
        _ => vec![],
    }
}

/// True if the weight has the layer's shape, and its bias, if there is one, one number for each unit.
fn fits(net: &Net, index: usize, weight: &str, file: &Tensors) -> bool {
    let wanted = shape(net, index);
    let name = weight.rsplit_once('.').map_or(weight, |(name, _)| name);
    let bias = part(name, "bias", file).and_then(|bias| file.get(&bias));
    let units = match &net.layers[index].kind {
        LayerKind::Unit(unit) => unit.connection.units(),
        _ => return false,
    };
    file.get(weight).is_some_and(|tensor| tensor.shape == wanted) && bias.is_none_or(|bias| bias.shape[..] == [units])
}

fn no_layer(name: &str, known: &BTreeMap<&str, usize>) -> Message {
    let names: Vec<&str> = known.keys().copied().collect();
    let told = Message::new(format!("the network has no layer of units called `{name}`"));
    told.help(format!("its layers are `{}`", names.join("`, `")))
}

fn other_shape(net: &Net, index: usize, weight: &str, file: &Tensors) -> Message {
    let (found, wanted) = (&file[weight].shape, shape(net, index));
    let layer = &net.layers[index].name;
    let name = weight.rsplit_once('.').map_or(weight, |(name, _)| name);
    let bias = part(name, "bias", file).filter(|_| *found == wanted);
    let told = Message::new(match bias {
        Some(bias) => format!("`{bias}` is {:?}, and the layer `{layer}` takes {:?}", file[&bias].shape, &wanted[..1]),
        None => format!("`{weight}` is {found:?}, and the layer `{layer}` takes {wanted:?}"),
    });
    told.help("leave the layer out of `--names` to have its weights drawn, or give the network the file's sizes")
}

/// A help text: names and shapes of both sides, and the mapping that the shapes suggest.
fn lists(net: &Net, own: &BTreeMap<&str, &State>, file: &Tensors, found: &Mapping) -> String {
    let mut text = String::from(if file.is_empty() { "the file has no tensors\n" } else { "the file has\n" });
    for (name, tensor) in file {
        let _ = writeln!(text, "  {} {:?}", shown(name), tensor.shape);
    }
    text.push_str("the network takes\n");
    let units: Vec<usize> = (0..net.layers.len()).filter(|&index| is_unit(&net.layers[index].kind)).collect();
    for &index in &units {
        let _ = writeln!(text, "  {}.weight {:?}", net.layers[index].name, shape(net, index));
    }
    for name in of_others(net, own) {
        let _ = writeln!(text, "  {name} {:?}", own[name].file_shape);
    }
    let mapped: Vec<usize> = found.layers.iter().map(|(index, ..)| *index).collect();
    let mut pairs: Vec<String> = found
        .layers
        .iter()
        .filter_map(|(index, weight, _)| Some(format!("{}={}", weight.rsplit_once('.')?.0, net.layers[*index].name)))
        .collect();
    let mut left: Vec<&str> = file
        .keys()
        .filter(|name| !found.layers.iter().any(|(_, weight, _)| weight == *name))
        .filter_map(|name| name.strip_suffix(".weight"))
        .collect();
    left.sort_by_key(|name| natural(name));
    // In the network's order, each layer gets the first remaining name whose weight fits.
    for index in units.into_iter().filter(|index| !mapped.contains(index)) {
        if let Some(place) = left.iter().position(|name| fits(net, index, &format!("{name}.weight"), file)) {
            pairs.push(format!("{}={}", left.remove(place), net.layers[index].name));
        }
    }
    match pairs.is_empty() {
        true => text.push_str("no weight of the file has the shape of a layer"),
        false => {
            let _ = write!(text, "if this is what belongs together, write\n  --names {}", shown(&pairs.join(",")));
        }
    }
    text
}

/// A name of the file without control characters, which a terminal would obey.
fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A sort key by which `layers.10` comes after `layers.2`.
fn natural(name: &str) -> Vec<(u64, String)> {
    let parts = name.split(|c: char| !c.is_alphanumeric());
    parts.map(|part| (part.parse().unwrap_or(u64::MAX), part.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_their_numbers() {
        let mut names = ["layers.10", "layers.2", "head"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["head", "layers.2", "layers.10"]);
    }
}
