//! `precision = bf16`: what libraries read and kernels write lies in memory as bfloat16, 2 bytes a number.
//!
//! ```text
//! t3 = max(widen h1 + bias, 0)        written by one kernel, read by a library and by kernels of ours alone:
//! h3 = narrow t3                      t3 is rounded where it is written, h3 vanishes
//!
//! t5 = widen h5                       what a library wrote is read as it lies by those that read t5
//!
//! c = x w + b                         a product whose result others read rounded, or round what they make of it, writes it
//!                                     rounded; its bias is narrowed, for cuBLASLt adds one of the result's kind
//! ```
//!
//! Inside kernels numbers, and all sums and statistics, are single precision; so are states, filters, inputs, outputs, gradients of
//! parameters that products give, and whatever no library reads.

use super::library::is_product;
use super::turn::is_turn;
use crate::graph::Op;
use crate::kernels::{
    Access, Affine, Buffer, BufferId, Expr, Kernel, Kernels, Nest, Pass, Place, Pool, Round, Rounding, Store, Work,
};

/// Kernels of [`super::half`] with as few copies between the two kinds of numbers as can be.
pub(super) fn settle(mut kernels: Kernels) -> Kernels {
    for place in (0..kernels.kernels.len()).rev() {
        match &kernels.kernels[place].work {
            Work::Round(Round { source, target, rounding: Rounding::Narrow }) => {
                let (source, target) = (*source, *target);
                if may_be_half(&kernels, source, place) {
                    kernels.kernels.remove(place);
                    kernels.buffers[source.index()].half = true;
                    rename(&mut kernels, target, source);
                }
            }
            Work::Round(Round { source, target, rounding: Rounding::Widen { bias: None, relu: false, .. } }) => {
                let (source, target) = (*source, *target);
                if kernels.buffers[target.index()].half || reads_alone(&kernels, target, None) {
                    kernels.kernels.remove(place);
                    rename(&mut kernels, target, source);
                }
            }
            work => {
                // What reads it comes later, and has been settled.
                if let Some(result) = activations(work).filter(|result| is_rounded_later(&kernels, *result)) {
                    kernels.buffers[result.index()].half = true;
                }
            }
        }
    }
    // What is read by kernels of ours alone is a map to them: one that may be computed where it is read.
    for place in 0..kernels.kernels.len() {
        let Work::Round(round) = &kernels.kernels[place].work else { continue };
        let target = &kernels.buffers[round.target.index()];
        let widens = matches!(round.rounding, Rounding::Widen { .. });
        if widens && (target.half || reads_alone(&kernels, round.target, None)) {
            kernels.kernels[place].work = Work::Nest(finished(round, target.elements));
        }
    }
    narrow_biases(kernels)
}

/// What a product results in, where that may be rounded: gradients at filters of 1 x 1 convolutions stay as they are. Those at
/// matrices are told from other products by who reads them.
fn activations(work: &Work) -> Option<BufferId> {
    match work {
        Work::MatMul(product) => Some(product.c.buffer),
        Work::Convolve(product) if is_product(product) && product.pass != Pass::Weight => Some(product.c),
        _ => None,
    }
}

/// May the result of a product that no library reads be rounded? That of a 1 x 1 convolution as those of other convolutions: where
/// all that read it can widen. That of a matrix product where all of them round what they make of it: what a loss reads stays.
fn is_rounded_later(kernels: &Kernels, id: BufferId) -> bool {
    let reads = |kernel: &&Kernel| kernel.work.reads().contains(&id);
    let rounds = |kernel: &Kernel| kernel.work.writes().iter().any(|written| kernels.buffers[written.index()].half);
    let mut writers = kernels.kernels.iter().filter(|kernel| kernel.work.writes().contains(&id));
    let Some(writer) = writers.next().filter(|_| writers.next().is_none()) else { return false };
    let images = matches!(writer.work, Work::Convolve(_));
    let mut readers = kernels.kernels.iter().filter(reads).peekable();
    let wanted = readers.peek().is_some() && (images || readers.all(rounds));
    wanted && !is_update(kernels, id) && reads_alone(kernels, id, None)
}

/// Does a kernel that reads a buffer change a state of as many numbers? Then it is the gradient of a parameter.
fn is_update(kernels: &Kernels, id: BufferId) -> bool {
    let elements = kernels.buffers[id.index()].elements;
    let is_such = |written: &BufferId| {
        let Buffer { place, elements: own, .. } = &kernels.buffers[written.index()];
        matches!(place, Place::State(_)) && *own == elements
    };
    let changes = |kernel: &Kernel| kernel.work.reads().contains(&id) && kernel.work.writes().iter().any(is_such);
    kernels.kernels.iter().any(changes)
}

/// Rounds the biases of products that write rounded numbers.
fn narrow_biases(mut kernels: Kernels) -> Kernels {
    let mut settled = Vec::with_capacity(kernels.kernels.len());
    for mut kernel in std::mem::take(&mut kernels.kernels) {
        let (result, bias) = match &mut kernel.work {
            Work::MatMul(product) => (product.c.buffer, product.bias.as_mut().map(|bias| &mut bias.0)),
            Work::Convolve(product) if is_product(product) => (product.c, product.bias.as_mut()),
            _ => (BufferId(0), None),
        };
        if let Some(bias) = bias.filter(|_| kernels.buffers[result.index()].half) {
            let (source, span) = (*bias, kernel.span);
            if let Some(target) = narrowed(&mut kernels.buffers, source) {
                settled.push(Kernel { work: Work::Round(Round { source, target, rounding: Rounding::Narrow }), span });
                *bias = target;
            }
        }
        settled.push(kernel);
    }
    Kernels { kernels: settled, ..kernels }
}

/// Room for the rounded numbers of a buffer; `None` where they are rounded.
fn narrowed(buffers: &mut Vec<Buffer>, source: BufferId) -> Option<BufferId> {
    let Buffer { name, elements, half, .. } = &buffers[source.index()];
    if *half {
        return None;
    }
    let buffer = Buffer { name: format!("half_{name}"), elements: *elements, place: Place::Scratch, half: true };
    buffers.push(buffer);
    Some(BufferId(u32::try_from(buffers.len() - 1).unwrap_or(u32::MAX)))
}

/// Is a buffer written by one kernel that can round, and read by kernels that can widen, but for the one at `narrow`?
fn may_be_half(kernels: &Kernels, id: BufferId, narrow: usize) -> bool {
    let mut writers = kernels.kernels.iter().filter(|kernel| kernel.work.writes().contains(&id));
    let can = |kernel: &Kernel| match &kernel.work {
        Work::Nest(nest) => !is_turn(nest),
        Work::Pool(_) => true,
        Work::Round(round) => matches!(round.rounding, Rounding::Widen { units, .. } if units > 0),
        work => activations(work).is_some() && !is_update(kernels, id),
    };
    let alone = writers.next().is_some_and(can) && writers.next().is_none();
    alone && reads_alone(kernels, id, Some(narrow))
}

/// Is a buffer of scratch memory read by nests and pools alone, but for the kernel at `except`?
fn reads_alone(kernels: &Kernels, id: BufferId, except: Option<usize>) -> bool {
    let can = |(place, kernel): (usize, &Kernel)| match &kernel.work {
        _ if Some(place) == except || !kernel.work.reads().contains(&id) => true,
        Work::Nest(nest) => !is_turn(nest),
        Work::Pool(pool) => pool.scale != Some(id),
        _ => false,
    };
    let is_scratch = kernels.buffers[id.index()].place == Place::Scratch;
    is_scratch && !kernels.outputs.contains(&id) && kernels.kernels.iter().enumerate().all(can)
}

/// Reads `to` wherever `from` is read.
fn rename(kernels: &mut Kernels, from: BufferId, to: BufferId) {
    let other = |id: &mut BufferId| {
        if *id == from {
            *id = to;
        }
    };
    for kernel in &mut kernels.kernels {
        match &mut kernel.work {
            Work::Nest(nest) => nest.exprs.iter_mut().for_each(|expr| {
                if let Expr::Load(access) = expr {
                    other(&mut access.buffer);
                }
            }),
            Work::Pool(Pool { x, dy, .. }) => x.iter_mut().chain(dy).for_each(other),
            Work::MatMul(product) => [&mut product.a.buffer, &mut product.b.buffer].into_iter().for_each(other),
            Work::Convolve(product) => [&mut product.a, &mut product.b].into_iter().for_each(other),
            _ => {}
        }
    }
}

/// What follows a convolution, as a map from bfloat16 to bfloat16.
fn finished(round: &Round, elements: usize) -> Nest {
    let (bias, units, relu) = match round.rounding {
        Rounding::Widen { bias, units, relu } => (bias, units, relu),
        Rounding::Narrow => (None, elements, false),
    };
    // Gradients have no bias, and another number of channels.
    let units = if bias.is_some() { units } else { elements };
    let mut nest = Nest { space: vec![elements / units.max(1), units], reduced: vec![false; 2], ..Nest::default() };
    let access =
        |buffer: BufferId, strides: [usize; 2]| Access { buffer, at: Affine { offset: 0, strides: strides.to_vec() } };
    let mut value = nest.push(Expr::Load(access(round.source, [units, 1])));
    if let Some(bias) = bias {
        let row = nest.push(Expr::Load(access(bias, [0, 1])));
        value = nest.push(Expr::Apply(Op::Add, vec![value, row]));
    }
    if relu {
        let zero = nest.push(Expr::Const(0.0));
        value = nest.push(Expr::Apply(Op::Max, vec![value, zero]));
    }
    nest.stores.push(Store { access: access(round.target, [units, 1]), value, late: false });
    nest
}
