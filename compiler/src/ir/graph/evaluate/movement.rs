//! Movement and reductions. Each axis is a step through memory, so that no element needs an allocation for its index.

use super::{Node, Tensor};

/// Returns the distance in memory between neighbours along each axis of a tensor.
fn steps(shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        steps[axis - 1] = steps[axis] * shape[axis];
    }
    steps
}

/// Calls `visit` with `start + sum of index times step` for every index of a shape, in row-major order.
fn walk(shape: &[usize], steps: &[usize], start: usize, visit: &mut impl FnMut(usize)) {
    match (shape, steps) {
        ([size, shape @ ..], [step, steps @ ..]) if !shape.is_empty() => {
            (0..*size).for_each(|i| walk(shape, steps, start + i * step, visit));
        }
        ([size], [step]) => (0..*size).for_each(|i| visit(start + i * step)),
        _ => visit(start),
    }
}

/// Reads the numbers that [`walk`] visits.
fn collect(from: &Tensor, shape: &[usize], steps: &[usize], start: usize) -> Vec<f64> {
    let mut data = Vec::with_capacity(shape.iter().product());
    walk(shape, steps, start, &mut |place| data.push(from.data[place]));
    data
}

/// Writes `from` into `to`, a tensor with this shape, from index `start` of an axis on.
fn scatter(from: &Tensor, to: &mut [f64], shape: &[usize], axis: usize, start: usize) {
    let (steps, mut next) = (steps(shape), from.data.iter());
    walk(&from.shape, &steps, start * steps[axis], &mut |place| {
        if let Some(&value) = next.next() {
            to[place] = value;
        }
    });
}

/// `Op::Transpose`
pub(super) fn transpose(from: &Tensor, axes: &[usize], shape: &[usize]) -> Vec<f64> {
    let own = steps(&from.shape);
    collect(from, shape, &axes.iter().map(|&axis| own[axis]).collect::<Vec<_>>(), 0)
}

/// `Op::Broadcast`: a repeated axis has step 0.
pub(super) fn broadcast(from: &Tensor, shape: &[usize]) -> Vec<f64> {
    let own = steps(&from.shape);
    let steps: Vec<usize> = from.shape.iter().zip(own).map(|(&size, step)| if size == 1 { 0 } else { step }).collect();
    collect(from, shape, &steps, 0)
}

/// `Op::Slice`
pub(super) fn slice(from: &Tensor, axis: usize, start: usize, shape: &[usize]) -> Vec<f64> {
    let own = steps(&from.shape);
    collect(from, shape, &own, start * own[axis])
}

/// `Op::Pad`
pub(super) fn pad(from: &Tensor, axis: usize, before: usize, shape: &[usize]) -> Vec<f64> {
    let mut data = vec![0.0; shape.iter().product()];
    scatter(from, &mut data, shape, axis, before);
    data
}

/// `Op::Concat`
pub(super) fn concat(node: &Node, values: &[Tensor], axis: usize) -> Vec<f64> {
    let mut data = vec![0.0; node.shape.iter().product()];
    let mut start = 0;
    for input in &node.inputs {
        let part = &values[input.index()];
        scatter(part, &mut data, &node.shape, axis, start);
        start += part.shape[axis];
    }
    data
}

/// `Op::Sum` and `Op::MaxOver`: `shape` has size 1 on the reduced axes. Their step is 0, so that all their elements meet.
pub(super) fn reduce(a: &Tensor, shape: &[usize], start: f64, join: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut result = vec![start; shape.iter().product()];
    let own = steps(shape);
    let steps: Vec<usize> = shape.iter().zip(own).map(|(&size, step)| if size == 1 { 0 } else { step }).collect();
    let mut values = a.data.iter();
    walk(&a.shape, &steps, 0, &mut |place| {
        if let Some(&value) = values.next() {
            result[place] = join(result[place], value);
        }
    });
    result
}

/// `Op::Iota`
pub(super) fn iota(shape: &[usize], axis: usize) -> Vec<f64> {
    let mut data = Vec::with_capacity(shape.iter().product());
    let steps: Vec<usize> = (0..shape.len()).map(|i| usize::from(i == axis)).collect();
    walk(shape, &steps, 0, &mut |place| data.push(place as f64));
    data
}
