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

/// Angles up to which a plain product keeps a unit vector's length to 4e-6 in f32 (2^-25 a factor).
const SHORT: usize = 64;

/// Columns of the units: vectors as long as they last, then one by one. `body` gets the width, the byte offset that
/// changes with the loop, and the fixed one.
fn columns(emitter: &mut Emitter, units: usize, mut body: impl FnMut(&mut Emitter, Column)) {
    let lanes = emitter.lanes();
    let whole = units - units % lanes;
    if whole > 0 {
        let open = emitter.begin_loop(0);
        let bytes = emitter.times(open.index, emitter.bytes());
        body(emitter, Column { width: lanes, bytes: Some(bytes), fixed: 0 });
        emitter.end_loop(&open, whole, lanes);
    }
    for unit in whole..units {
        body(emitter, Column { width: 1, bytes: None, fixed: unit * emitter.bytes() });
    }
}

/// Which units are worked on.
#[derive(Clone, Copy)]
struct Column {
    width: usize,
    /// Byte offset of the first unit that changes with the loop.
    bytes: Option<Value>,
    /// Byte offset that does not.
    fixed: usize,
}

impl Column {
    /// Bytes from a buffer's beginning to row `row` of this column, and the fixed part.
    fn at(self, emitter: &mut Emitter, row: Option<Value>) -> Option<Value> {
        match (self.bytes, row) {
            (Some(bytes), Some(row)) => Some(emitter.b.ins().iadd(bytes, row)),
            (bytes, row) => bytes.or(row),
        }
    }

    /// Address and immediate of an element: one index for all buffers, which the address mode adds.
    fn place(self, emitter: &mut Emitter, buffer: BufferId, at: Option<Value>, fixed: usize) -> (Value, i32) {
        let (base, offset) = emitter.base(buffer);
        let pointer = at.map_or(base, |at| emitter.b.ins().iadd(base, at));
        let bytes = offset + self.fixed + fixed;
        match i32::try_from(bytes) {
            Ok(bytes) => (pointer, bytes),
            Err(_) => (emitter.b.ins().iadd_imm_s(pointer, immediate(bytes)), 0),
        }
    }

    fn load(self, emitter: &mut Emitter, buffer: BufferId, at: Option<Value>, fixed: usize) -> Value {
        let (pointer, offset) = self.place(emitter, buffer, at, fixed);
        let float = emitter.float(self.width);
        emitter.b.ins().load(float, flags(), pointer, offset)
    }

    fn store(self, emitter: &mut Emitter, buffer: BufferId, at: Option<Value>, fixed: usize, value: Value) {
        let (pointer, offset) = self.place(emitter, buffer, at, fixed);
        emitter.b.ins().store(flags(), value, pointer, offset);
    }
}

pub(super) fn emit_forward(emitter: &mut Emitter, scan: &Spherical) {
    columns(emitter, scan.units, |emitter, column| forward_column(emitter, scan, column));
}

fn forward_column(emitter: &mut Emitter, scan: &Spherical, column: Column) {
    let float = emitter.float(column.width);
    let row_bytes = scan.units * emitter.bytes();
    let exact = emitter.precision == Precision::F32 && scan.angles > SHORT;
    let (high, low) = (emitter.b.declare_var(float), emitter.b.declare_var(float));
    let mut m = emitter.machine(column.width);
    let (one, zero) = (m.number(1.0), m.number(0.0));
    emitter.b.def_var(high, one);
    emitter.b.def_var(low, zero);
    if scan.angles > 0 {
        let open = emitter.begin_loop(0);
        let row = emitter.times(open.index, row_bytes);
        let at = column.at(emitter, Some(row));
        let t = column.load(emitter, scan.theta, at, 0);
        let p = emitter.b.use_var(high);
        let mut m = emitter.machine(column.width);
        let (cosine, versine) = cosine_and_versine(&mut m, t);
        let mut value = m.mul(p, cosine);
        if exact {
            let error = emitter.b.use_var(low);
            let mut m = emitter.machine(column.width);
            value = m.fma(error, cosine, value);
            let (sum, error) = shrink(&mut m, p, error, versine);
            emitter.b.def_var(high, sum);
            emitter.b.def_var(low, error);
        } else {
            let minus = m.neg(p);
            let next = m.fma(minus, versine, p);
            emitter.b.def_var(high, next);
        }
        let targets = scan.u.into_iter().chain(scan.kept.into_iter().flatten());
        let values = scan.u.map(|_| value).into_iter().chain([cosine, versine, p]);
        for (target, value) in targets.zip(values) {
            column.store(emitter, target, at, 0, value);
        }
        emitter.end_loop(&open, scan.angles, 1);
    }
    if let Some(u) = scan.u {
        let last = emitter.b.use_var(high);
        let at = column.at(emitter, None);
        column.store(emitter, u, at, row_bytes * scan.angles, last);
    }
}

/// (P + error)(1 - q) as a rounded number and its error; exact products by fma, exact sums after Knuth.
fn shrink<A: Machine>(m: &mut A, p: A::V, error: A::V, q: A::V) -> (A::V, A::V) {
    let zero = m.number(0.0);
    let minus_q = m.sub(zero, q);
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
        columns(emitter, scan.units, |emitter, column| backward_column(emitter, scan, column));
    }
}

/// F = g_n; then for the angles from the last: dL/dt = P (cos t F - g sin t), F = g cos t + sin t F.
fn backward_column(emitter: &mut Emitter, scan: &SphericalGrad, column: Column) {
    let float = emitter.float(column.width);
    let row_bytes = scan.units * emitter.bytes();
    let suffix = emitter.b.declare_var(float);
    let at = column.at(emitter, None);
    let g = column.load(emitter, scan.g, at, row_bytes * scan.angles);
    emitter.b.def_var(suffix, g);
    let open = emitter.begin_loop(0);
    let last = emitter.b.ins().iconst(I64, immediate(scan.angles - 1));
    let down = emitter.b.ins().isub(last, open.index);
    let row = emitter.times(down, row_bytes);
    let at = column.at(emitter, Some(row));
    let [cosine, versine, p] = scan.kept.map(|buffer| column.load(emitter, buffer, at, 0));
    let g = column.load(emitter, scan.g, at, 0);
    let f = emitter.b.use_var(suffix);
    let mut m = emitter.machine(column.width);
    let minus_g = m.neg(g);
    let straight = m.fma(cosine, f, minus_g);
    let slope = m.fma(g, versine, straight);
    let gradient = m.mul(p, slope);
    let minus_f = m.neg(f);
    let sine_f = m.fma(minus_f, versine, f);
    let next = m.fma(g, cosine, sine_f);
    column.store(emitter, scan.gradient, at, 0, gradient);
    emitter.b.def_var(suffix, next);
    emitter.end_loop(&open, scan.angles, 1);
}
