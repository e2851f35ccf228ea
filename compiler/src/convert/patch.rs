//! What one result of a unit is computed from: the whole input of a dense layer, or what a filter sees at one place.
//!
//! Converted is the function of such a patch. Where the filter stands, and that it stands at many places, changes nothing, but
//! for what lies outside of the image: see [`Patch::padded`].

use crate::net::{Layer, LayerKind, Net, Product, Unit};
use crate::window::Window;

/// A unit layer over one patch of its input.
#[derive(Debug, Clone)]
pub(crate) struct Patch {
    /// The layer, with a single result for each unit.
    pub(crate) layer: Layer,
    /// Its unit; a filter has neither stride nor padding here.
    pub(crate) unit: Unit,
    /// The patch's shape in the network, `[features]` or `[channels, kh, kw]`.
    pub(crate) shape: Vec<usize>,
    /// Do filters see zeros outside of the image?
    pub(crate) padded: bool,
}

impl Patch {
    /// Of a unit layer of a network.
    pub(crate) fn new(net: &Net, layer: &Layer, unit: &Unit) -> Self {
        let input = layer.inputs.first().and_then(|&i| net.layers.get(i)).map_or(&[][..], |l| &l.shape);
        let (mut patch, mut of, mut shape, mut padded) = (layer.clone(), unit.clone(), input.to_vec(), false);
        if let Product::Convolution { units, window } = unit.product {
            let seen = |axis: usize| window.padded(axis, input[axis + 1], layer.shape[axis + 1]);
            padded = (0..2).any(|axis| seen(axis) != Some(input[axis + 1]));
            let alone = Window { kernel: window.kernel, stride: [1, 1], before: [0, 0] };
            of.product = Product::Convolution { units, window: alone };
            patch.kind = LayerKind::Unit(of.clone());
            patch.shape = vec![units, 1, 1];
            shape = vec![input[0], window.kernel[0], window.kernel[1]];
        }
        Patch { layer: patch, unit: of, shape, padded }
    }

    /// Inputs of each unit.
    pub(crate) fn fan_in(&self) -> usize {
        self.shape.iter().product()
    }

    /// Numbers of each feature or channel.
    pub(crate) fn area(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// The patch's numbers in the network's order, channels outermost, out of many patches in the graph's.
    pub(crate) fn to_network(&self, data: &[f64]) -> Vec<f64> {
        turned(data, self.area(), self.shape.first().copied().unwrap_or(1))
    }

    /// The other way.
    pub(crate) fn to_graph(&self, data: &[f64]) -> Vec<f64> {
        turned(data, self.shape.first().copied().unwrap_or(1), self.area())
    }
}

/// Matrices of so many rows and columns, each transposed.
fn turned(data: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    data.chunks_exact((rows * columns).max(1)).flat_map(|matrix| super::transposed(matrix, rows)).collect()
}
