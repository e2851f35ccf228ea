//! What is known of each parameter of a network besides its numbers: its kind, its layer, the sizes of that layer.
//!
//! An optimizer reads it (`match kind { weight => …, _ => … }`), and `groups` and `freeze` of the `train` block speak of it.
//!
//! ```text
//! hidden.theta          angles   hidden       parameter of a parameterization or a modifier
//! hidden.prelu.slope    unit     hidden       of the activation of the same unit
//! layer_norm1.gain      feature  layer_norm1  of a stage
//! ```

use crate::graphs::define::{Builtins, Scope, Term};
use crate::graphs::parameterize::unit::Sizes;
use crate::ir::graph::{Role, State};
use crate::ir::module::{Instance, Value};
use crate::ir::net::{Layer, LayerKind, Net};
use std::collections::BTreeMap;

/// What is known of one parameter.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The kind that it is declared with: `weight`, `angles`, `unit`; `shape` for one with axes of its own.
    pub(crate) kind: &'static str,
    /// The name of its layer: `hidden`, `narrow2.dense1`.
    pub(crate) label: String,
    /// The sizes of its layer.
    pub(crate) sizes: Sizes,
    /// `frozen = true`: training does not change it.
    pub(crate) frozen: bool,
}

impl Facts {
    /// Does a word of `groups` mean this parameter? It is a kind, the name of a layer, or the name of a block that has the layer.
    pub(crate) fn is_meant(&self, word: &str) -> bool {
        self.kind == word || self.is_in(word)
    }

    /// Is the layer called this, or in a block called this?
    pub(crate) fn is_in(&self, label: &str) -> bool {
        self.label.strip_prefix(label).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Binds what an optimizer may know of a parameter. Its own arguments keep their names.
    pub(crate) fn tell<P: Builtins>(&self, scope: &mut Scope<'_, P>, optimizer: &Instance) {
        let word = |text: &str| Value::Word(text.to_string());
        let size = |n: usize| Value::Float(n as f64);
        let known = [
            ("kind", word(self.kind)),
            ("label", word(&self.label)),
            ("fan_in", size(self.sizes.fan_in)),
            ("fan_out", size(self.sizes.fan_out())),
            ("units", size(self.sizes.units)),
        ];
        for (name, value) in known {
            if !optimizer.arguments.contains_key(name) {
                scope.names.insert(name.to_string(), Term::Known(value));
            }
        }
    }
}

/// Returns what is known of every learned parameter, by the name of its state. `states` are those of the network.
pub(crate) fn facts(net: &Net, states: &[State]) -> BTreeMap<String, Facts> {
    let layers: BTreeMap<&str, &Layer> = net.layers.iter().map(|layer| (layer.name.as_str(), layer)).collect();
    let mut found = BTreeMap::new();
    for state in states.iter().filter(|state| state.role == Role::Parameter) {
        // The name of a layer may have dots itself, so the longest one that fits is the layer's.
        let ends = state.name.rmatch_indices('.').map(|(place, _)| &state.name[..place]);
        let Some(layer) = ends.into_iter().find_map(|name| layers.get(name)) else { continue };
        let (sizes, frozen) = sizes(net, layer);
        let (kind, label) = (state.meaning.kind.word(), layer.name.clone());
        found.insert(state.name.clone(), Facts { kind, label, sizes, frozen });
    }
    found
}

/// The sizes of a layer, and whether it is frozen.
fn sizes(net: &Net, layer: &Layer) -> (Sizes, bool) {
    let input = layer.inputs.first().map_or(&[][..], |&i| &net.layers[i].shape);
    match &layer.kind {
        LayerKind::Unit(unit) => (Sizes::new(unit, input), unit.frozen),
        _ => (Sizes::of_features(layer.shape.first().copied().unwrap_or(1)), false),
    }
}

/// Returns every word that means a parameter: kinds first, then names of layers and of the blocks around them.
pub(crate) fn words(facts: &BTreeMap<String, Facts>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut add = |word: &str| {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_string());
        }
    };
    facts.values().for_each(|facts| add(facts.kind));
    for facts in facts.values() {
        let dots = facts.label.match_indices('.').map(|(place, _)| place);
        dots.chain([facts.label.len()]).for_each(|end| add(&facts.label[..end]));
    }
    words
}
