//! Unit vectors and their gradient: calls with sizes, the range of units and addresses.

use super::Import;
use super::emitter::{Emitter, immediate};
use crate::kernels::{BufferId, Spherical, SphericalGrad};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

/// Units that are worked on at once; a thread's share is a number of such blocks.
const BLOCK: usize = 64;
/// Angles in all from which threads share a scan (chosen by hand: about 100 us on one).
const SHARED: usize = 1 << 15;

/// Blocks of units that threads may share; 1 if all are worked on together.
pub(super) fn extent(angles: usize, units: usize) -> usize {
    if angles.saturating_mul(units) >= SHARED { units.div_ceil(BLOCK) } else { 1 }
}

pub(super) fn emit_forward(emitter: &mut Emitter, scan: &Spherical) {
    let mut arguments = sizes(emitter, scan.angles, scan.units);
    arguments.push(emitter.address(scan.theta, 0));
    for buffer in [scan.u, scan.kept] {
        arguments.push(optional(emitter, buffer));
    }
    emitter.call(Import::Spherical, &arguments);
}

pub(super) fn emit_backward(emitter: &mut Emitter, scan: &SphericalGrad) {
    let mut arguments = sizes(emitter, scan.angles, scan.units);
    arguments.push(emitter.address(scan.theta, 0));
    arguments.push(optional(emitter, scan.kept));
    arguments.push(emitter.address(scan.g, 0));
    arguments.push(emitter.address(scan.gradient, 0));
    emitter.call(Import::SphericalGrad, &arguments);
}

/// Angles, units, the first unit and the one after the last; the runtime stops at the last there is.
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
