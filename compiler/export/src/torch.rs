//! PyTorch: a module as a person would write it, and a safetensors file with its state dict.
//!
//! - Dense layers are `nn.Linear`, convolutions `nn.Conv2d`; scaling is done by buffers of the module.
//! - The library's parameterizations are kept as modules that can be trained further; with `fold`, or where a parameterization is
//!   one of the file's own, a layer has plain weights.
//! - Means, batch normalization and dropout behave in training as gmpc's do.

mod classes;
mod kept;
mod module;
mod state;

use crate::File;
use crate::network::{Layer, Network, Op};
use crate::refusal::Refusal;

/// The module and its state dict.
///
/// # Errors
/// E0594: the description contradicts itself.
pub fn write(network: &Network, fold: bool) -> Result<Vec<File>, Refusal> {
    let (text, state) = module::module(network, fold);
    let bytes = state.encoded(network)?;
    Ok(vec![File { ending: "py", bytes: text.into_bytes() }, File { ending: "safetensors", bytes }])
}

/// Units whose parameterization is not kept though nobody asked to fold it: the layers' names.
#[must_use]
pub fn folded(network: &Network) -> Vec<&str> {
    let is_folded = |layer: &&Layer| match &layer.op {
        Op::Unit(unit) => kept::kept(unit).is_none(),
        Op::Input | Op::Activation(_) | Op::Arithmetic(_) | Op::Scaled { .. } | Op::Concat | Op::Flatten => false,
        Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool | Op::Dropout { .. } | Op::MeanNorm { .. } => false,
    };
    network.layers.iter().filter(is_folded).map(|layer| layer.name.as_str()).collect()
}
