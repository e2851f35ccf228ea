//! Conversion of images between cases, which have channels first, and graphs, which have channels last.

use super::case::Tensors;
use super::machine::Machine;
use gmpc_compiler::ir::graph::Tensor;
use gmpc_compiler::ir::program::Goal;

/// Runs a goal on the tensors of a case and returns the outputs in the layout of cases.
pub fn run(machine: &mut dyn Machine, goal: Goal, x: &Tensor, target: &Tensor, clock: (f64, u64)) -> Tensors {
    let mut outputs = machine.run(goal, &channels_last(x), &channels_last(target), clock);
    for name in ["prediction", "grad.output", "grad.input"] {
        if let Some(output) = outputs.get_mut(name) {
            *output = channels_first(output);
        }
    }
    outputs
}

/// `[batch, channels, height, width]` to `[batch, height, width, channels]`; tensors of other ranks stay.
pub fn channels_last(images: &Tensor) -> Tensor {
    match images.shape[..] {
        [batch, channels, height, width] => Tensor {
            shape: vec![batch, height, width, channels],
            data: swapped(&images.data, channels, height * width),
        },
        _ => images.clone(),
    }
}

/// `[batch, height, width, channels]` to `[batch, channels, height, width]`; tensors of other ranks stay.
fn channels_first(images: &Tensor) -> Tensor {
    match images.shape[..] {
        [batch, height, width, channels] => Tensor {
            shape: vec![batch, channels, height, width],
            data: swapped(&images.data, height * width, channels),
        },
        _ => images.clone(),
    }
}

/// Transposes each matrix of a sequence of matrices with this many rows and columns.
fn swapped(data: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let transpose = |matrix: &[f64]| -> Vec<f64> {
        (0..columns).flat_map(|j| (0..rows).map(move |i| (i, j))).map(|(i, j)| matrix[i * columns + j]).collect()
    };
    data.chunks_exact(rows * columns).flat_map(transpose).collect()
}

#[test]
fn converting_images_there_and_back_changes_nothing() {
    let images = Tensor { shape: vec![2, 3, 2, 2], data: (0..24).map(f64::from).collect() };
    let last = channels_last(&images);
    assert_eq!((last.shape.as_slice(), &last.data[..4]), (&[2, 2, 2, 3][..], &[0.0, 4.0, 8.0, 1.0][..]));
    assert_eq!(channels_first(&last), images);
}
