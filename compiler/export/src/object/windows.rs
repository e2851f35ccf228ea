//! Convolutions and pools. An image is first copied with its padding, so that no window asks where the image ends.

use super::Fault;
use super::machine::{Machine, Numbers};
use crate::formula::Task;
use crate::network::{Defined, Layer, Network, Op, after};
use cranelift_codegen::ir::{InstBuilder, Value};
use gmpc_compiler::ir::net::Connection;
use gmpc_compiler::ir::window::Window;

/// Filters whose sums are made together: each pixel is then loaded once for all of them.
const TOGETHER: usize = 4;

/// A window over an image, with the sizes of both and of the result.
pub(super) struct Sliding {
    channels: usize,
    image: [usize; 2],
    /// Of the image with its padding.
    padded: [usize; 2],
    before: [usize; 2],
    /// Of the result.
    result: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
}

impl Sliding {
    pub(super) fn new(window: &Window, input: &[usize], result: &[usize]) -> Self {
        let [channels, height, width] = triple(input);
        let [_, rows, columns] = triple(result);
        let ([top, left], [bottom, right]) = (window.before, after(window, input, result));
        Sliding {
            channels,
            image: [height, width],
            padded: [height + top + bottom, width + left + right],
            before: [top, left],
            result: [rows, columns],
            kernel: window.kernel,
            stride: window.stride,
        }
    }

    fn numbers(&self) -> usize {
        self.channels * self.padded[0] * self.padded[1]
    }

    /// A copy of the image less `centre`, one number a channel, with `around` around it.
    fn pad(&self, m: &mut Machine<'_>, x: Numbers, centre: &[f64], around: f64, room: Numbers) -> Result<(), Fault> {
        let around = m.number(around);
        m.each(self.numbers(), |m, i| {
            m.store(around, room, i);
            Ok(())
        })?;
        let centre = if centre.is_empty() { None } else { Some(m.constants(centre)?) };
        let ([height, width], [padded_height, padded_width], [top, left]) = (self.image, self.padded, self.before);
        m.each(self.channels, |m, channel| {
            let middle = centre.map(|centre| m.load(centre, channel));
            m.each(height, |m, row| {
                let (from, to) = (m.place(channel, height, 0), m.place(channel, padded_height, top));
                let (from, to) = (m.plus(from, row), m.plus(to, row));
                let (from, to) = (m.place(from, width, 0), m.place(to, padded_width, left));
                m.each(width, |m, column| {
                    let (from, to) = (m.plus(from, column), m.plus(to, column));
                    let pixel = m.load(x, from);
                    let pixel = middle.map_or(pixel, |middle| m.b.ins().fsub(pixel, middle));
                    m.store(pixel, room, to);
                    Ok(())
                })
            })
        })
    }

    /// Folds over the numbers that a window sees, from `first`: its upper left corner is at `corner` of the padded image.
    fn fold_window(
        &self,
        m: &mut Machine<'_>,
        padded: Numbers,
        corner: Value,
        first: Value,
        each: impl Fn(&mut Machine<'_>, Value, Value) -> Value,
    ) -> Result<Value, Fault> {
        let ([kh, kw], width) = (self.kernel, self.padded[1]);
        let folded = m.fold(kh, &[first], |m, i, so_far| {
            let line = m.place(i, width, 0);
            let line = m.plus(corner, line);
            m.fold(kw, so_far, |m, j, so_far| {
                let at = m.plus(line, j);
                let pixel = m.load(padded, at);
                Ok(vec![each(m, so_far[0], pixel)])
            })
        })?;
        Ok(folded[0])
    }

    /// Where the window of a result begins in the padded image.
    fn corner(&self, m: &mut Machine<'_>, channel: Value, row: Value, column: Value) -> Value {
        let line = m.place(row, self.stride[0], 0);
        let above = m.place(channel, self.padded[0], 0);
        let line = m.plus(above, line);
        let (line, column) = (m.place(line, self.padded[1], 0), m.place(column, self.stride[1], 0));
        m.plus(line, column)
    }

    /// A pool. `room` takes the padded image.
    pub(super) fn pool(
        &self,
        m: &mut Machine<'_>,
        kind: Pooling,
        x: Numbers,
        y: Numbers,
        room: Numbers,
    ) -> Result<(), Fault> {
        let first = match kind {
            Pooling::Largest => f64::NEG_INFINITY,
            Pooling::Mean => 0.0,
        };
        // The padding holds what the fold begins with: it never wins a maximum, and adds nothing to a sum.
        self.pad(m, x, &[], first, room)?;
        let ([rows, columns], [kh, kw]) = (self.result, self.kernel);
        m.each(self.channels, |m, channel| {
            m.each(rows, |m, row| {
                m.each(columns, |m, column| {
                    let corner = self.corner(m, channel, row, column);
                    let start = m.number(first);
                    let found = match kind {
                        Pooling::Largest => self.fold_window(m, room, corner, start, |m, so_far, pixel| {
                            m.if_greater(pixel, so_far, pixel, so_far)
                        })?,
                        Pooling::Mean => {
                            let sum = self.fold_window(m, room, corner, start, |m, so_far, pixel| {
                                m.b.ins().fadd(so_far, pixel)
                            })?;
                            // Of the whole window: padding counts as zeros.
                            let count = m.number((kh * kw) as f64);
                            m.b.ins().fdiv(sum, count)
                        }
                    };
                    let line = m.place(channel, rows, 0);
                    let line = m.plus(line, row);
                    let line = m.place(line, columns, 0);
                    let at = m.plus(line, column);
                    m.store(found, y, at);
                    Ok(())
                })
            })
        })
    }
}

/// What a pool makes of a window.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pooling {
    /// The largest number; padding never wins.
    Largest,
    /// The mean; padding counts as zeros.
    Mean,
}

/// Numbers of the largest image that is copied with its padding.
pub(super) fn largest_padded(network: &Network) -> usize {
    let of = |layer: &Layer| {
        let input = layer.inputs.first().map(|&input| network.layers[input].shape.as_slice())?;
        let window = match &layer.op {
            Op::Defined(defined) => return largest_padded_of(defined),
            Op::Unit(unit) => match &unit.product {
                Connection::Convolution(of) => &of.window,
                Connection::Dense { .. } => return None,
            },
            Op::MaxPool(window) | Op::AvgPool(window) => window,
            Op::Input
            | Op::Activation(_)
            | Op::Arithmetic(_)
            | Op::Scaled { .. }
            | Op::Concat
            | Op::Flatten
            | Op::GlobalAvgPool
            | Op::Dropout { .. }
            | Op::MeanNorm { .. } => return None,
        };
        Some(Sliding::new(window, input, &layer.shape).numbers())
    };
    network.layers.iter().filter_map(of).max().unwrap_or(0)
}

/// The same of the convolutions of a formula.
fn largest_padded_of(defined: &Defined) -> Option<usize> {
    let steps = &defined.closed.steps;
    let of = |task: &Task| match task {
        Task::Convolve { x, to, window, .. } => {
            Some(Sliding::new(window, &steps[*x].shape[1..], &steps[*to].shape[1..]).numbers())
        }
        Task::Loops(_) | Task::Product { .. } => None,
    };
    defined.schedule.tasks.iter().filter_map(of).max()
}

/// What filters are computed with.
pub(super) struct Filtering<'a> {
    /// `[units, channels, kh, kw]`
    pub(super) weight: &'a [f64],
    /// One number a unit.
    pub(super) offset: &'a [f64],
    /// One number a channel, or nothing.
    pub(super) centre: &'a [f64],
}

/// y = filters over x - centre, with zeros around it, + offset.
///
/// Columns of the result lie side by side, and with a stride of 1 so do the pixels they see: a vector of them is made at once, for
/// `TOGETHER` filters. What is left of a line, and every line with another stride, is made number by number.
pub(super) fn convolve(
    m: &mut Machine<'_>,
    of: &Filtering<'_>,
    sliding: &Sliding,
    [x, y, room]: [Numbers; 3],
) -> Result<(), Fault> {
    sliding.pad(m, x, of.centre, 0.0, room)?;
    let units = of.offset.len();
    let whole = units / TOGETHER * TOGETHER;
    // By pixel of the filter, so that the weights of filters that are made together lie side by side.
    let size = of.weight.len() / units.max(1);
    let group = |first: usize, count: usize| {
        (0..size).flat_map(move |k| (first..first + count).map(move |u| of.weight[u * size + k]))
    };
    let mut weights: Vec<f64> = (0..whole).step_by(TOGETHER).flat_map(|first| group(first, TOGETHER)).collect();
    weights.extend((whole..units).flat_map(|first| group(first, 1)));
    let (weights, offsets) = (m.constants(&weights)?, m.constants(of.offset)?);
    let filters = Filters { sliding, size, weights, offsets, room, y };
    m.each(units / TOGETHER, |m, group| filters.lines::<TOGETHER>(m, group, 0))?;
    m.each(units - whole, |m, single| filters.lines::<1>(m, single, whole))
}

/// What the filters of a layer read and write.
struct Filters<'a> {
    sliding: &'a Sliding,
    /// Numbers of a filter.
    size: usize,
    weights: Numbers,
    offsets: Numbers,
    room: Numbers,
    y: Numbers,
}

impl Filters<'_> {
    /// All results of `N` filters: those of group `group` behind the first `from` filters.
    fn lines<const N: usize>(&self, m: &mut Machine<'_>, group: Value, from: usize) -> Result<(), Fault> {
        let ([rows, columns], lanes) = (self.sliding.result, m.lanes());
        let vectors = if self.sliding.stride[1] == 1 { columns / lanes } else { 0 };
        let first = m.place(group, N, from);
        m.each(rows, |m, row| {
            m.each(vectors, |m, vector| {
                let column = m.place(vector, lanes, 0);
                self.sums::<N>(m, first, row, column, true)
            })?;
            m.each(columns - vectors * lanes, |m, rest| {
                let column = m.place(rest, 1, vectors * lanes);
                self.sums::<N>(m, first, row, column, false)
            })
        })
    }

    /// One number, or a vector of neighbours, of each of `N` filters.
    fn sums<const N: usize>(
        &self,
        m: &mut Machine<'_>,
        first: Value,
        row: Value,
        column: Value,
        vector: bool,
    ) -> Result<(), Fault> {
        let Sliding { channels, padded: [height, width], kernel: [kh, kw], stride, .. } = *self.sliding;
        let spread = |m: &mut Machine<'_>, number| if vector { m.splat(number) } else { number };
        let mut sums = Vec::with_capacity(N);
        for filter in 0..N {
            let at = m.place(first, 1, filter);
            let offset = m.load(self.offsets, at);
            sums.push(spread(m, offset));
        }
        let (line, column_at) = (m.place(row, stride[0], 0), m.place(column, stride[1], 0));
        // Weights of a filter's group follow one another.
        let base = m.place(first, self.size, 0);
        let sums = m.fold(channels, &sums, |m, channel, sums| {
            let above = m.place(channel, height, 0);
            let line = m.plus(above, line);
            m.fold(kh, sums, |m, i, sums| {
                let line = m.plus(line, i);
                let line = m.place(line, width, 0);
                let line = m.plus(line, column_at);
                let k = m.place(channel, kh, 0);
                let k = m.plus(k, i);
                m.fold(kw, sums, |m, j, sums| {
                    let at = m.plus(line, j);
                    let pixel = if vector { m.load_vector(self.room, at) } else { m.load(self.room, at) };
                    let k = m.place(k, kw, 0);
                    let k = m.plus(k, j);
                    let k = m.place(k, N, 0);
                    let k = m.plus(base, k);
                    let mut new = Vec::with_capacity(N);
                    for (filter, &sum) in sums.iter().enumerate() {
                        let at = m.place(k, 1, filter);
                        let weight = m.load(self.weights, at);
                        let weight = spread(m, weight);
                        new.push(m.multiply_add(sum, weight, pixel));
                    }
                    Ok(new)
                })
            })
        })?;
        let [rows, columns] = self.sliding.result;
        for (filter, sum) in sums.into_iter().enumerate() {
            let unit = m.place(first, 1, filter);
            let at = m.place(unit, rows, 0);
            let at = m.plus(at, row);
            let at = m.place(at, columns, 0);
            let at = m.plus(at, column);
            m.store(sum, self.y, at);
        }
        Ok(())
    }
}

/// Channels, height and width.
fn triple(shape: &[usize]) -> [usize; 3] {
    std::array::from_fn(|axis| shape.get(axis).copied().unwrap_or(1))
}
