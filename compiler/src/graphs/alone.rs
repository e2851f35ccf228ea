//! One layer in evaluation as a graph of its own, for whoever computes it elsewhere: what `gmpc export` writes of definitions.
//!
//! ```text
//! stage rms_norm(eps = 1e-6) { … }     %0 = input x              : [1, 8]
//!                                      %1 = state rms_norm1.gain : [1, 8]    …
//! ```
//!
//! The graph has one row. No formula of an evaluation reads another row, so every row is computed in the same way.

use super::activate::{self, Call};
use super::parameterize::unit::{Act, unit};
use super::parameterize::{Forward, Mode, stage};
pub use super::store::Running;
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id};
use crate::ir::net::{LayerKind, Net};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// What of a layer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it, from its input to its value.
    Layer,
    /// The activation of a layer of units, whose argument has the shape of the layer.
    Activation,
}

/// A layer, or the activation of one, in evaluation.
#[derive(Debug, Clone)]
pub struct Alone {
    /// The computation, without outputs. Its states have the names that files have.
    pub graph: Graph,
    /// The input, one row.
    pub x: Id,
    /// The result, one row.
    pub value: Id,
    /// Nodes that no gradient goes back through.
    pub stopped: BTreeSet<Id>,
    /// What the running statistics among the states are statistics of.
    pub running: Vec<Running>,
}

/// The computation of one layer of units, activation or stage. `None` for any other layer.
///
/// # Errors
/// Mistakes in the definition, which compiling the network has told before.
pub fn alone(net: &Net, index: usize, part: Part) -> Result<Option<Alone>, Diagnostic> {
    let Some(layer) = net.layers.get(index) else { return Ok(None) };
    let input = layer.inputs.first().and_then(|&i| net.layers.get(i)).map_or(&[][..], |layer| &layer.shape);
    let example = if part == Part::Activation { &layer.shape } else { input };
    let mut forward = Forward::new(1, example);
    let x = forward.x;
    let axes = Axes::batch(forward.graph.shape(x).len(), Axis::Units);
    let value = match (&layer.kind, part) {
        (LayerKind::Unit(of), Part::Layer) => unit(&mut forward, layer, of, x, Mode::Evaluation, Act::Apply)?.value,
        (LayerKind::Unit(of), Part::Activation) => {
            let prefix = activate::prefix(&layer.name, &of.activation);
            let call = Call { prefix: &prefix, x, axes };
            activate::Parameters::default().apply(&mut forward.graph, &mut forward.store, &of.activation, &call)?
        }
        (LayerKind::Activation(activation), _) => {
            let call = Call { prefix: &layer.name, x, axes };
            activate::Parameters::default().apply(&mut forward.graph, &mut forward.store, activation, &call)?
        }
        (LayerKind::Stage(of), _) => stage::stage(&mut forward, layer, of, x, Mode::Evaluation)?,
        _ => return Ok(None),
    };
    let Forward { graph, store, .. } = forward;
    Ok(Some(Alone { graph, x, value, stopped: store.stopped, running: store.running }))
}
