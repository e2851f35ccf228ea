//! The input of one result of a unit: the whole input of a dense layer, or the window of a filter at one position.
//!
//! Conversion works on the function of such a patch. This function is the same at all positions of a filter, except at the border
//! of the image: see [`Patch::padded`].

use crate::ir::net::{Connection, Layer, LayerKind, Net, Unit};
use crate::ir::window::Window;

/// A layer of units with one patch as its input.
#[derive(Debug, Clone)]
pub(crate) struct Patch {
    /// The layer, with a single result for each unit.
    pub(crate) layer: Layer,
    /// Its unit. A filter has neither stride nor padding here.
    pub(crate) unit: Unit,
    /// The patch's shape in the network, `[features]` or `[channels, kh, kw]`.
    pub(crate) shape: Vec<usize>,
    /// Do filters of the original layer read padding?
    pub(crate) padded: bool,
}

impl Patch {
    /// The patch of a layer of units of a network.
    pub(crate) fn new(net: &Net, layer: &Layer, unit: &Unit) -> Self {
        let input = layer.inputs.first().and_then(|&i| net.layers.get(i)).map_or(&[][..], |l| &l.shape);
        let (mut patch, mut of, mut shape, mut padded) = (layer.clone(), unit.clone(), input.to_vec(), false);
        if let Connection::Convolution { units, window } = unit.connection {
            let seen = |axis: usize| window.padded(axis, input[axis + 1], layer.shape[axis + 1]);
            padded = (0..2).any(|axis| seen(axis) != Some(input[axis + 1]));
            let alone = Window { kernel: window.kernel, stride: [1, 1], before: [0, 0] };
            of.connection = Connection::Convolution { units, window: alone };
            patch.kind = LayerKind::Unit(of.clone());
            patch.shape = vec![units, 1, 1];
            shape = vec![input[0], window.kernel[0], window.kernel[1]];
        }
        Patch { layer: patch, unit: of, shape, padded }
    }

    /// Returns the number of inputs of each unit.
    pub(crate) fn fan_in(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns how many numbers each feature or channel has.
    pub(crate) fn area(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Converts the numbers of several patches from the graph's order (channels last) to the network's (channels first).
    pub(crate) fn to_network(&self, data: &[f64]) -> Vec<f64> {
        each_transposed(data, self.area(), self.shape.first().copied().unwrap_or(1))
    }

    /// Converts the numbers of several patches from the network's order (channels first) to the graph's (channels last).
    pub(crate) fn to_graph(&self, data: &[f64]) -> Vec<f64> {
        each_transposed(data, self.shape.first().copied().unwrap_or(1), self.area())
    }
}

/// Transposes each of several matrices with these numbers of rows and columns.
fn each_transposed(data: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    data.chunks_exact((rows * columns).max(1)).flat_map(|matrix| super::transposed(matrix, rows)).collect()
}
