//! The input of one result of a unit: the whole input of a dense layer, or the window of a filter at one position.
//!
//! Conversion works on the function of such a patch. This function is the same at all positions of a filter, except at the border
//! of the image: see [`Patch::padded`].

use crate::graphs::parameterize::image::image_shape;
use crate::ir::graph::Tensor;
use crate::ir::net::{Connection, Convolution, Layer, LayerKind, Net, Unit, Way};
use crate::ir::window::Window;

/// A layer of units with one patch as its input.
///
/// A patch has all channels, also where a unit reads those of its group alone: its other weights are 0. The patch of a transposed
/// convolution stands for a result that all taps reach.
#[derive(Debug, Clone)]
pub(crate) struct Patch {
    /// The layer, with a single result for each unit.
    pub(crate) layer: Layer,
    /// Its unit. A filter has neither stride nor padding nor dilation here.
    pub(crate) unit: Unit,
    /// The patch's shape in the network, `[features]`, `[channels, kw]` or `[channels, kh, kw]`.
    pub(crate) shape: Vec<usize>,
    /// Do filters of the original layer read padding?
    pub(crate) padded: bool,
}

impl Patch {
    /// The patch of a layer of units of a network.
    pub(crate) fn new(net: &Net, layer: &Layer, unit: &Unit) -> Self {
        let input = layer.inputs.first().and_then(|&i| net.layers.get(i)).map_or(&[][..], |l| &l.shape);
        let (mut patch, mut of, mut shape, mut padded) = (layer.clone(), unit.clone(), input.to_vec(), false);
        if let Connection::Convolution(convolution) = unit.connection {
            padded = is_padded(&convolution, input, &layer.shape);
            let kernel = convolution.window.kernel;
            let window = Window { kernel, stride: [1, 1], before: [0, 0] };
            let alone = Convolution { groups: convolution.groups, ..Convolution::plain(convolution.units, window) };
            of.connection = Connection::Convolution(alone);
            patch.kind = LayerKind::Unit(of.clone());
            // The taps of a series are the width of a window of height 1.
            let taps = if input.len() == 2 { &kernel[1..] } else { &kernel[..] };
            patch.shape = [&[convolution.units][..], &[1, 1][..taps.len()]].concat();
            shape = [&[input[0]], taps].concat();
        }
        Patch { layer: patch, unit: of, shape, padded }
    }

    /// Number of groups of units, each of which reads channels of its own.
    fn groups(&self) -> usize {
        match self.unit.connection {
            Connection::Dense { .. } => 1,
            Connection::Convolution(of) => of.groups,
        }
    }

    /// The shape of the weight in files: `[units, inputs]`, `[units, channels / groups, kw]` or `[units, channels / groups, kh, kw]`.
    pub(crate) fn file_shape(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        shape[0] /= self.groups();
        shape.insert(0, self.unit.connection.units());
        shape
    }

    /// The rows of a weight `[inputs of the patch, units]` that belong to the group of each unit, `[inputs of a unit, units]`.
    pub(crate) fn own(&self, w: &Tensor) -> Tensor {
        let (groups, units) = (self.groups(), self.unit.connection.units());
        let rows = self.fan_in() / groups;
        let of = |row: usize, unit: usize| w.data[(unit / (units / groups) * rows + row) * units + unit];
        let data = (0..rows).flat_map(|row| (0..units).map(move |unit| of(row, unit))).collect();
        Tensor { shape: vec![rows, units], data }
    }

    /// The way back from [`Self::own`]: 0 for the channels of other groups.
    pub(crate) fn all(&self, own: &Tensor) -> Tensor {
        let (groups, units) = (self.groups(), self.unit.connection.units());
        let rows = self.fan_in() / groups;
        let mut w = Tensor::full(&[self.fan_in(), units], 0.0);
        for (row, unit) in (0..rows).flat_map(|row| (0..units).map(move |unit| (row, unit))) {
            w.data[(unit / (units / groups) * rows + row) * units + unit] = own.data[row * units + unit];
        }
        w
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

    /// Converts the numbers of several patches from the network's order (channels first) to the order in which a program takes its
    /// input: channels last for images, as they are for series.
    pub(crate) fn to_input(&self, data: &[f64]) -> Vec<f64> {
        if self.shape.len() == 2 {
            return data.to_vec();
        }
        each_transposed(data, self.shape.first().copied().unwrap_or(1), self.area())
    }
}

/// Do results read what stands around the input? Those of a transposed convolution do: at the border fewer taps reach them, and with
/// a stride not all of them reach any.
fn is_padded(of: &Convolution, input: &[usize], result: &[usize]) -> bool {
    let ([_, high, wide], [_, height, width]) = (image_shape(input), image_shape(result));
    let window = of.reach();
    let seen = |axis: usize, size, results| window.and_then(|window| window.padded(axis, size, results));
    of.way == Way::Spread || seen(0, high, height) != Some(high) || seen(1, wide, width) != Some(wide)
}

/// Transposes each of several matrices with these numbers of rows and columns.
fn each_transposed(data: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    data.chunks_exact((rows * columns).max(1)).flat_map(|matrix| super::transposed(matrix, rows)).collect()
}
