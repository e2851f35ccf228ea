//! `precision = bf16`: what libraries read and kernels write lies in memory as bfloat16, 2 bytes a number.
//!
//! ```text
//! t3 = max(widen h1 + bias, 0)        written by one kernel, read by a library and by kernels of ours alone:
//! h3 = narrow t3                      t3 is rounded where it is written, h3 vanishes
//!
//! t5 = widen h5                       what a library wrote is read as it lies by those that read t5
//! ```
//!
//! Inside kernels numbers, and all sums and statistics, are single precision; so are states, filters, inputs, outputs, and whatever
//! no library reads.

use super::turn::is_turn;
use crate::graph::Op;
use crate::kernels::{
    Access, Affine, BufferId, Expr, Kernel, Kernels, Nest, Place, Pool, Round, Rounding, Store, Work,
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
            _ => {}
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
    kernels
}

/// Is a buffer written by one kernel that can round, and read by kernels that can widen, but for the one at `narrow`?
fn may_be_half(kernels: &Kernels, id: BufferId, narrow: usize) -> bool {
    let mut writers = kernels.kernels.iter().filter(|kernel| kernel.work.writes().contains(&id));
    let can = |kernel: &Kernel| match &kernel.work {
        Work::Nest(nest) => !is_turn(nest),
        Work::Pool(_) => true,
        Work::Round(round) => matches!(round.rounding, Rounding::Widen { units, .. } if units > 0),
        _ => false,
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
