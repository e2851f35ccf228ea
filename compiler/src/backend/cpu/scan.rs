//! Unit vectors and their gradients become calls of the runtime with sizes, a range of units, and addresses.

use super::Import;
use super::emitter::{Emitter, immediate};
use crate::ir::kernels::{BufferId, Spherical, SphericalGrad};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

/// Units of a block. A task computes one or more whole blocks.
const BLOCK: usize = 64;
/// The number of angles from which threads divide a scan among them (chosen by hand: about 100 us on one thread).
const SHARED: usize = 1 << 15;

/// The number of blocks that threads may divide among them, or 1 if one call computes all units.
pub(super) fn extent(angles: usize, units: usize) -> usize {
    if angles.saturating_mul(units) >= SHARED { units.div_ceil(BLOCK) } else { 1 }
}

pub(super) fn emit_forward(emitter: &mut Emitter, scan: &Spherical) {
    let mut arguments = sizes(emitter, scan.angles, scan.units);
    arguments.push(emitter.address(scan.theta, 0));
    for buffer in [scan.u, scan.saved] {
        arguments.push(optional(emitter, buffer));
    }
    emitter.call(Import::Spherical, &arguments);
}

pub(super) fn emit_backward(emitter: &mut Emitter, scan: &SphericalGrad) {
    let mut arguments = sizes(emitter, scan.angles, scan.units);
    arguments.push(emitter.address(scan.theta, 0));
    arguments.push(optional(emitter, scan.saved));
    arguments.push(emitter.address(scan.g, 0));
    arguments.push(emitter.address(scan.gradient, 0));
    emitter.call(Import::SphericalGrad, &arguments);
}

/// Angles, units, the first unit and the unit after the last. The last block may be incomplete: the runtime stops at the
/// last unit.
fn sizes(emitter: &mut Emitter, angles: usize, units: usize) -> Vec<Value> {
    let number = |emitter: &mut Emitter, size: usize| emitter.b.ins().iconst(I64, immediate(size));
    let (first, end) = if extent(angles, units) > 1 {
        let (first, end) = emitter.share();
        (emitter.times(first, BLOCK), emitter.times(end, BLOCK))
    } else {
        (number(emitter, 0), number(emitter, units))
    };
    vec![number(emitter, angles), number(emitter, units), first, end]
}

/// The address of a buffer, or null.
fn optional(emitter: &mut Emitter, buffer: Option<BufferId>) -> Value {
    match buffer {
        Some(buffer) => emitter.address(buffer, 0),
        None => emitter.b.ins().iconst(I64, 0),
    }
}
