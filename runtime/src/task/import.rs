//! `import`: a state dict of another program becomes a run of this one, in any parameterization.
//!
//! ```text
//! fc1.weight [64, 5], fc1.bias [64] --fc1=hidden--> act(w . x + b) --from(w, b)--> hidden.theta, hidden.lambda, hidden.r
//! ```
//!
//! As after `convert`, the run contains weights and no state of a training. It can predict, be exported, and be the
//! start of another training.

mod mapping;

use crate::failure::{Failure, Message};
use crate::program::network::wrong;
use crate::program::session::Programs;
use crate::run::checkpoint::{Checkpoint, encode};
use crate::run::folder::RunFolder;
use crate::task::experiment::{Prepared, Request, Warnings, prepare};
use crate::task::train::about;
use gmpc_compiler::graphs::convert::{Tensors, unit_tensors};
use gmpc_compiler::ir::graph::{Role, Tensor};
use gmpc_compiler::ir::net::{Connection, LayerKind, Way};
use gmpc_data::{Note, rounded};
use gmpc_device::states::named::{Named, Stored};
use mapping::{Mapping, mapping};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};

/// Largest file in bytes: larger than the weights of any network that is trained here.
const MOST_BYTES: u64 = 16 << 30;

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// The folder of the new run.
    pub run: PathBuf,
    /// Tensors of the file, each with the layer or state that it was used for: `fc1.weight` and `hidden`.
    pub filled: Vec<(String, String)>,
    /// Layers without values in the file; their weights were initialized randomly.
    pub drawn: Vec<String>,
    /// Tensors of the file that were not used.
    pub unused: Vec<String>,
    /// Warnings about the file, its data and the import.
    pub warnings: Warnings,
}

/// Creates a run in the folder `out`: the network of `request` with the weights of a safetensors file. `names` are
/// pairs of a name in the file, without `.weight`, and a layer. If `names` is empty, all names must be equal and
/// everything must fit.
///
/// # Errors
/// [`Failure::File`]: the network's file has an error, or its parameterization cannot express a layer.
/// [`Failure::Data`]: data are missing. `E0830`: names or shapes do not fit; the help suggests a mapping.
/// [`Failure::Io`]: a file cannot be read or written.
pub fn import(request: &Request, weights: &Path, names: &[(String, String)], out: &Path) -> Result<Imported, Failure> {
    let prepared = prepare(request)?;
    let file = read(weights)?;
    let mapping = mapping(&prepared.network.net, &prepared.network.initialization().states, &file, names)
        .map_err(|told| Failure::Usage(told.at("E0830", weights)))?;
    check_finite(&mapping, &file).map_err(|why| refused(weights, &why))?;
    let (states, own) = filled(&prepared, &mapping, &file)?;
    check_rounded(&states).map_err(|why| refused(weights, &why))?;
    let mut warnings = prepared.warnings.clone();
    warnings.notes.extend(told(&mapping, weights));
    // The weights were trained elsewhere, so there is no training to resume.
    let about = crate::run::folder::About { ends_with_best: true, converted: true, ..about(&prepared, request) };
    let folder = RunFolder::create(Some(out), false, &about, &prepared.network.module.effective_source)?;
    let checkpoint =
        Checkpoint { progress: None, run: Some(about.identity()), inputs: None, files: vec![], tensors: states };
    folder.write("best.safetensors", &encode(&checkpoint)?)?;
    Ok(Imported { run: folder.path, filled: own, drawn: mapping.drawn, unused: mapping.unused, warnings })
}

/// All parameters and statistics of the network, from the file where it has them, otherwise drawn; and the used tensors
/// with their layers.
fn filled(prepared: &Prepared, mapping: &Mapping, file: &Tensors) -> Result<(Named, Vec<(String, String)>), Failure> {
    let network = &prepared.network;
    let mut session = prepared.session();
    session.initialize(prepared.weights_seed())?;
    let mut states = session.states.named(|role| role != Role::Optimizer);
    let (mut taken, mut own, mut errors) = (Tensors::new(), vec![], vec![]);
    for (name, state) in &mapping.states {
        taken.extend(file.get(name).map(|tensor| (state.clone(), tensor.clone())));
        own.push((name.clone(), state.clone()));
    }
    for (layer, weight, bias) in &mapping.layers {
        let offset = bias.as_ref().and_then(|bias| file.get(bias));
        let (Some(numbers), found) = (file.get(weight), &network.net.layers[*layer]) else { continue };
        let numbers = &in_own_order(&found.kind, numbers);
        match unit_tensors(&network.module, &network.net, *layer, numbers, offset.map(|offset| offset.data.as_slice()))
        {
            Ok(tensors) => taken.extend(tensors),
            Err(error) => errors.push(error),
        }
        own.extend([Some(weight), bias.as_ref()].into_iter().flatten().map(|name| (name.clone(), found.name.clone())));
    }
    if !errors.is_empty() {
        return Err(wrong(&network.module, errors));
    }
    let precision = network.precision();
    for (name, Tensor { shape, data }) in taken {
        states.insert(name, Stored { shape, numbers: rounded(precision, &data) });
    }
    // This refuses unknown names and wrong shapes.
    session.states.set_named(&states, |role| role != Role::Optimizer).map_err(Failure::Bug)?;
    Ok((states, own))
}

/// The weight of a layer with its units first. Other programs have the channels of a transposed convolution first.
fn in_own_order(kind: &LayerKind, weight: &Tensor) -> Tensor {
    let is_spread = matches!(kind, LayerKind::Unit(unit)
        if matches!(unit.connection, Connection::Convolution(of) if of.way == Way::Spread));
    let (&[channels, units], true) = (weight.shape.first_chunk::<2>().unwrap_or(&[1, 1]), is_spread) else {
        return weight.clone();
    };
    let taps: usize = weight.shape.iter().skip(2).product();
    let filter = |unit: usize, channel: usize| &weight.data[(channel * units + unit) * taps..][..taps];
    let each = (0..units).flat_map(|unit| (0..channels).map(move |channel| (unit, channel)));
    let data = each.flat_map(|(unit, channel)| filter(unit, channel).iter().copied()).collect();
    Tensor { shape: [&[units, channels], &weight.shape[2..]].concat(), data }
}

/// The notes about drawn layers and unused tensors.
fn told(mapping: &Mapping, weights: &Path) -> Vec<Note> {
    let (file, list) = (weights.display().to_string(), |names: &[String]| names.join("`, `"));
    let mut notes = vec![];
    if !mapping.drawn.is_empty() {
        let message = format!("what is not in the file keeps its first values: `{}`", list(&mapping.drawn));
        notes.push(Note::new("W0830", &file, message).help("train it before you rely on the network"));
    }
    if !mapping.unused.is_empty() {
        let message = format!("tensors of the file that nothing was made of: `{}`", list(&mapping.unused));
        notes.push(
            Note::new("W0831", &file, message)
                .help("name a layer for each with `--names NAME=LAYER,…` if they are needed"),
        );
    }
    notes
}

/// Checks the numbers of all tensors that are used. Others may hold anything: the scaling that gmpc exports divides
/// columns with one value by infinity, which makes them 0.
fn check_finite(mapping: &Mapping, file: &Tensors) -> Result<(), String> {
    let of_layers = mapping.layers.iter().flat_map(|(_, weight, bias)| std::iter::once(weight).chain(bias));
    for name in mapping.states.iter().map(|(name, _)| name).chain(of_layers) {
        let numbers = file.get(name).map(|tensor| tensor.data.as_slice()).unwrap_or_default();
        if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(format!("number {place} of `{name}` is not finite"));
        }
    }
    Ok(())
}

/// Checks the numbers as the network has them: a number of double precision may be too large for single precision, and a
/// parameterization may compute others from it.
fn check_rounded(states: &Named) -> Result<(), String> {
    let is_finite = |stored: &Stored| stored.numbers.as_slice().to_f64().iter().all(|number| number.is_finite());
    match states.iter().find(|(_, stored)| !is_finite(stored)) {
        Some((name, _)) => Err(format!("the numbers for `{name}` are too large for the precision of the network")),
        None => Ok(()),
    }
}

/// The failure for a file that is not a state dict.
fn refused(path: &Path, why: &str) -> Failure {
    let told = Message::new(format!("{}: {why}", path.display())).at("E0830", path);
    Failure::Io(told.help("write the state dict with `safetensors.torch.save_file(model.state_dict(), …)`"))
}

/// The tensors of the file, converted to f64.
fn read(path: &Path) -> Result<Tensors, Failure> {
    let io = |error| Failure::io("read", path, &error);
    let size = std::fs::metadata(path).map_err(io)?.len();
    let refused = |why: String| refused(path, &why);
    if size > MOST_BYTES {
        return Err(refused(format!("{size} bytes are more than any network has that is trained here")));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let found =
        SafeTensors::deserialize(&bytes).map_err(|error| refused(format!("it is no safetensors file: {error}")))?;
    let one = |(name, view): (String, TensorView<'_>)| {
        let data =
            numbers(&view).ok_or_else(|| refused(format!("`{name}` holds {:?}, which is not read", view.dtype())))?;
        Ok((name, Tensor { shape: view.shape().to_vec(), data }))
    };
    found.tensors().into_iter().map(one).collect()
}

/// Converts bf16, f32, f64 or integers to f64. `None` for other types.
fn numbers(view: &TensorView<'_>) -> Option<Vec<f64>> {
    let data = view.data();
    Some(match view.dtype() {
        Dtype::F64 => data.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
        Dtype::BF16 => {
            let wide = |bytes: &[u8; 2]| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16));
            data.as_chunks::<2>().0.iter().map(wide).collect()
        }
        Dtype::I64 => data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect(),
        Dtype::I32 => data.as_chunks::<4>().0.iter().map(|bytes| f64::from(i32::from_le_bytes(*bytes))).collect(),
        Dtype::U8 | Dtype::BOOL => data.iter().map(|byte| f64::from(*byte)).collect(),
        _ => return None,
    })
}

/// True for layers with units.
fn is_unit(kind: &LayerKind) -> bool {
    matches!(kind, LayerKind::Unit(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::front::resolve::Overrides;
    use gmpc_compiler::stage::Silent;
    use gmpc_compiler::{elaborate, front};
    use gmpc_grammar::source::Source;

    fn first_layer(flow: &str) -> LayerKind {
        let text = format!("model m(input: [2, 4, 4]) {{ input -> {flow} -> flatten -> linear(1) }}");
        let file = Source { name: "m.gmpnet".to_string(), text };
        let Ok((module, _)) = front(file, &Overrides::default(), &Silent) else { panic!("no module") };
        let net = elaborate(&module, None, &Silent).expect("a network");
        net.layers[1].kind.clone()
    }

    #[test]
    fn weights_of_transposed_convolutions_get_their_units_first() {
        let weight = Tensor { shape: vec![2, 3, 1, 2], data: (0..12).map(f64::from).collect() };
        let own = in_own_order(&first_layer("conv_transpose(3, [1, 2])"), &weight);
        assert_eq!(own.shape, [3, 2, 1, 2]);
        assert_eq!(own.data, [0.0, 1.0, 6.0, 7.0, 2.0, 3.0, 8.0, 9.0, 4.0, 5.0, 10.0, 11.0]);
        assert_eq!(in_own_order(&first_layer("conv(3, [1, 2])"), &weight), weight);
    }
}
