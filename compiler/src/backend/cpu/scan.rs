//! Unit vectors and their gradient: scans over the angles, vectorized over units.
//!
//! The prefix product is updated as `P -= P q` with `q = 1 - sin t`, which keeps its low bits where sines are near 1. In f32
//! its rounding error is carried along in a second number, so that vectors of thousands of elements keep their length.

use super::emitter::{Emitter, flags, immediate};
use crate::experiment::Precision;
use crate::kernels::{BufferId, Spherical, SphericalGrad};
use crate::math::{Machine, cosine_and_versine};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

/// Columns `start .. start + width` of the units, as vectors where they last, then one by one.
fn columns(emitter: &mut Emitter, units: usize, mut body: impl FnMut(&mut Emitter, usize, Column)) {
    let lanes = emitter.lanes();
    let whole = units - units % lanes;
    if whole > 0 {
        let open = emitter.begin_loop(0);
        let bytes = emitter.times(open.index, emitter.bytes());
        body(emitter, lanes, Column { bytes: Some(bytes), start: 0 });
        emitter.end_loop(&open, whole, lanes);
    }
    for start in whole..units {
        body(emitter, 1, Column { bytes: None, start });
    }
}

/// Which units are worked on.
#[derive(Clone, Copy)]
struct Column {
    /// Byte offset that changes with the loop.
    bytes: Option<Value>,
    /// Fixed first unit.
    start: usize,
}

/// The address of a buffer's first row in a column.
fn top(emitter: &mut Emitter, buffer: BufferId, column: Column) -> Value {
    let address = emitter.address(buffer, column.start);
    match column.bytes {
        Some(bytes) => emitter.b.ins().iadd(address, bytes),
        None => address,
    }
}

pub(super) fn emit_forward(emitter: &mut Emitter, scan: &Spherical) {
    columns(emitter, scan.units, |emitter, width, column| forward_column(emitter, scan, width, column));
}

fn forward_column(emitter: &mut Emitter, scan: &Spherical, width: usize, column: Column) {
    let float = emitter.float(width);
    let row_bytes = immediate(scan.units * emitter.bytes());
    let theta = top(emitter, scan.theta, column);
    let u = scan.u.map(|buffer| top(emitter, buffer, column));
    let kept = scan.kept.map(|buffers| buffers.map(|buffer| top(emitter, buffer, column)));
    let (high, low) = (emitter.b.declare_var(float), emitter.b.declare_var(float));
    let mut m = emitter.machine(width);
    let (one, zero) = (m.number(1.0), m.number(0.0));
    emitter.b.def_var(high, one);
    emitter.b.def_var(low, zero);
    if scan.angles > 0 {
        let open = emitter.begin_loop(0);
        let row = emitter.times(open.index, scan.units * emitter.bytes());
        let at = emitter.b.ins().iadd(theta, row);
        let t = emitter.b.ins().load(float, flags(), at, 0);
        let (p, error) = (emitter.b.use_var(high), emitter.b.use_var(low));
        let mut m = emitter.machine(width);
        let (cosine, versine) = cosine_and_versine(&mut m, t);
        let lead = m.mul(p, cosine);
        let value = if m.precision() == Precision::F32 { m.fma(error, cosine, lead) } else { lead };
        let next = shrink(&mut m, p, error, versine);
        let targets = u.into_iter().chain(kept.into_iter().flatten());
        let values = u.map(|_| value).into_iter().chain([cosine, versine, p]);
        for (target, value) in targets.zip(values) {
            let at = emitter.b.ins().iadd(target, row);
            emitter.b.ins().store(flags(), value, at, 0);
        }
        emitter.b.def_var(high, next.0);
        emitter.b.def_var(low, next.1);
        emitter.end_loop(&open, scan.angles, 1);
    }
    if let Some(u) = u {
        let last = emitter.b.use_var(high);
        let at = emitter.b.ins().iadd_imm_s(u, row_bytes * immediate(scan.angles));
        emitter.b.ins().store(flags(), last, at, 0);
    }
}

/// (P + error)(1 - q) as a rounded number and its error; exact products by fma, exact sums after Knuth.
fn shrink<A: Machine>(m: &mut A, p: A::V, error: A::V, q: A::V) -> (A::V, A::V) {
    let zero = m.number(0.0);
    let minus_q = m.sub(zero, q);
    if m.precision() == Precision::F64 {
        return (m.fma(p, minus_q, p), error);
    }
    let change = m.mul(p, minus_q);
    let minus_change = m.sub(zero, change);
    let change_error = m.fma(p, minus_q, minus_change);
    let sum = m.add(p, change);
    let back = m.sub(sum, p);
    let whole = m.sub(sum, back);
    let lost_p = m.sub(p, whole);
    let lost_change = m.sub(change, back);
    let sum_error = m.add(lost_p, lost_change);
    let carried = m.fma(error, minus_q, error);
    let lost = m.add(sum_error, change_error);
    (sum, m.add(carried, lost))
}

pub(super) fn emit_backward(emitter: &mut Emitter, scan: &SphericalGrad) {
    if scan.angles > 0 {
        columns(emitter, scan.units, |emitter, width, column| backward_column(emitter, scan, width, column));
    }
}

/// F = g_n; then for the angles from the last: dL/dt = P (cos t F - g sin t), F = g cos t + sin t F.
fn backward_column(emitter: &mut Emitter, scan: &SphericalGrad, width: usize, column: Column) {
    let float = emitter.float(width);
    let row_bytes = immediate(scan.units * emitter.bytes());
    let sources = [scan.kept[0], scan.kept[1], scan.kept[2], scan.g, scan.gradient];
    let tops = sources.map(|buffer| top(emitter, buffer, column));
    let suffix = emitter.b.declare_var(float);
    let last = emitter.b.ins().iadd_imm_s(tops[3], row_bytes * immediate(scan.angles));
    let g = emitter.b.ins().load(float, flags(), last, 0);
    emitter.b.def_var(suffix, g);
    let open = emitter.begin_loop(0);
    let top = emitter.b.ins().iconst(I64, immediate(scan.angles - 1));
    let down = emitter.b.ins().isub(top, open.index);
    let row = emitter.times(down, scan.units * emitter.bytes());
    let at = tops.map(|top| emitter.b.ins().iadd(top, row));
    let [cosine, versine, p, g] = [0, 1, 2, 3].map(|i: usize| emitter.b.ins().load(float, flags(), at[i], 0));
    let f = emitter.b.use_var(suffix);
    let mut m = emitter.machine(width);
    let minus_g = m.neg(g);
    let straight = m.fma(cosine, f, minus_g);
    let slope = m.fma(g, versine, straight);
    let gradient = m.mul(p, slope);
    let minus_f = m.neg(f);
    let sine_f = m.fma(minus_f, versine, f);
    let next = m.fma(g, cosine, sine_f);
    emitter.b.ins().store(flags(), gradient, at[4], 0);
    emitter.b.def_var(suffix, next);
    emitter.end_loop(&open, scan.angles, 1);
}
