//! Convolutions and pooling in the simplest way, one window at a time. Images are `[batch, height, width, channels]`.

use super::{Node, Tensor, larger};
use crate::ir::window::Window;
use std::borrow::Cow;

/// Calls `visit(output, input, place)` for every output pixel and every position of its window. `input` is the pixel at this
/// position, and `place` the number of the position. Pixels are flat indices of `[batch, height, width]`. Positions in the
/// padding are left out.
fn visit(window: &Window, input: &[usize], output: &[usize], mut visit: impl FnMut(usize, usize, usize)) {
    for (n, (i, j)) in (0..output[0]).flat_map(|n| places(output[1], output[2]).map(move |at| (n, at))) {
        let to = (n * output[1] + i) * output[2] + j;
        for (di, dj) in places(window.kernel[0], window.kernel[1]) {
            let (row, column) = (window.source(0, i, di, input[1]), window.source(1, j, dj, input[2]));
            if let (Some(row), Some(column)) = (row, column) {
                visit(to, (n * input[1] + row) * input[2] + column, di * window.kernel[1] + dj);
            }
        }
    }
}

fn places(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

/// Returns the images of a convolution, scaled and shifted if the node has these operands.
pub(super) fn prepared<'a>(node: &Node, values: &'a [Tensor]) -> Cow<'a, Tensor> {
    let operand = |i: usize| node.inputs.get(i).map(|id| &values[id.index()]);
    let x = &values[node.inputs[0].index()];
    let (Some(scale), Some(shift)) = (operand(2), operand(3)) else { return Cow::Borrowed(x) };
    let affine = scale.data.iter().zip(&shift.data).cycle();
    let data = x.data.iter().zip(affine).map(|(x, (scale, shift))| x * scale + shift).collect();
    Cow::Owned(Tensor { shape: x.shape.clone(), data })
}

/// Returns the images of a pool, scaled if the node has a scale, which is operand `place`.
pub(super) fn scaled<'a>(node: &Node, values: &'a [Tensor], place: usize) -> Cow<'a, Tensor> {
    let x = &values[node.inputs[0].index()];
    let Some(scale) = node.inputs.get(place).map(|id| &values[id.index()]) else { return Cow::Borrowed(x) };
    let data = x.data.iter().zip(scale.data.iter().cycle()).map(|(x, scale)| x * scale).collect();
    Cow::Owned(Tensor { shape: x.shape.clone(), data })
}

/// `Op::Convolve`: y\[pixel, u\] = sum over places and channels of x w.
pub(super) fn convolve(window: &Window, x: &Tensor, w: &Tensor, shape: &[usize]) -> Vec<f64> {
    let (channels, units, area) = (x.shape[3], shape[3], window.area());
    let mut y = vec![0.0; shape.iter().product()];
    visit(window, &x.shape, shape, |to, from, place| {
        for c in 0..channels {
            let value = x.data[from * channels + c];
            let row = &w.data[(c * area + place) * units..][..units];
            y[to * units..][..units].iter_mut().zip(row).for_each(|(y, w)| *y += value * w);
        }
    });
    y
}

/// `Op::ConvolveInput`
pub(super) fn convolve_input(window: &Window, dy: &Tensor, w: &Tensor, shape: &[usize]) -> Vec<f64> {
    let (channels, units, area) = (shape[3], dy.shape[3], window.area());
    let mut dx = vec![0.0; shape.iter().product()];
    visit(window, shape, &dy.shape, |to, from, place| {
        let dy = &dy.data[to * units..][..units];
        for c in 0..channels {
            let row = &w.data[(c * area + place) * units..][..units];
            dx[from * channels + c] += dy.iter().zip(row).map(|(dy, w)| dy * w).sum::<f64>();
        }
    });
    dx
}

/// `Op::ConvolveWeight`
pub(super) fn convolve_weight(window: &Window, x: &Tensor, dy: &Tensor, shape: &[usize]) -> Vec<f64> {
    let (channels, units, area) = (x.shape[3], shape[1], window.area());
    let mut dw = vec![0.0; shape.iter().product()];
    visit(window, &x.shape, &dy.shape, |to, from, place| {
        let dy = &dy.data[to * units..][..units];
        for c in 0..channels {
            let value = x.data[from * channels + c];
            let row = &mut dw[(c * area + place) * units..][..units];
            row.iter_mut().zip(dy).for_each(|(dw, dy)| *dw += value * dy);
        }
    });
    dw
}

/// `Op::MaxPool`
pub(super) fn max_pool(window: &Window, x: &Tensor, shape: &[usize]) -> Vec<f64> {
    let channels = shape[3];
    let mut y = vec![f64::NEG_INFINITY; shape.iter().product()];
    visit(window, &x.shape, shape, |to, from, _| {
        for c in 0..channels {
            y[to * channels + c] = larger(y[to * channels + c], x.data[from * channels + c]);
        }
    });
    y
}

/// `Op::MaxPoolGrad`: to the first largest value of each window.
pub(super) fn max_pool_grad(window: &Window, x: &Tensor, dy: &Tensor) -> Vec<f64> {
    let channels = x.shape[3];
    let mut winner: Vec<Option<usize>> = vec![None; dy.data.len()];
    visit(window, &x.shape, &dy.shape, |to, from, _| {
        for c in 0..channels {
            let (slot, place) = (&mut winner[to * channels + c], from * channels + c);
            let beaten = slot.is_none_or(|best: usize| {
                let (best, new) = (x.data[best], x.data[place]);
                new > best || new.is_nan() && !best.is_nan()
            });
            if beaten {
                *slot = Some(place);
            }
        }
    });
    let mut dx = vec![0.0; x.data.len()];
    winner.iter().zip(&dy.data).for_each(|(place, dy)| place.iter().for_each(|&place| dx[place] += dy));
    dx
}

/// `Op::SumPool`
pub(super) fn sum_pool(window: &Window, x: &Tensor, shape: &[usize]) -> Vec<f64> {
    let channels = shape[3];
    let mut y = vec![0.0; shape.iter().product()];
    visit(window, &x.shape, shape, |to, from, _| {
        (0..channels).for_each(|c| y[to * channels + c] += x.data[from * channels + c]);
    });
    y
}

/// `Op::SumPoolGrad`
pub(super) fn sum_pool_grad(window: &Window, dy: &Tensor, shape: &[usize]) -> Vec<f64> {
    let channels = shape[3];
    let mut dx = vec![0.0; shape.iter().product()];
    visit(window, shape, &dy.shape, |to, from, _| {
        (0..channels).for_each(|c| dx[from * channels + c] += dy.data[to * channels + c]);
    });
    dx
}
