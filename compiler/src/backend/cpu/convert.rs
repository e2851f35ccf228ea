//! Loads and stores of nests and casts. They convert between bfloat16 in memory and single precision in registers.

use super::emitter::{Emitter, flags};
use super::machine::little;
use crate::ir::kernels::Dtype;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, I32};
use cranelift_codegen::ir::{InstBuilder, Value};

/// Loads one number in the program's precision.
pub(super) fn load(emitter: &mut Emitter, dtype: Dtype, pointer: Value, offset: i32) -> Value {
    if dtype != Dtype::Bf16 {
        let float = emitter.float(1);
        return emitter.b.ins().load(float, flags(), pointer, offset);
    }
    // A bfloat16 number is the upper half of a single-precision number.
    let bits16 = emitter.b.ins().uload16(I32, flags(), pointer, offset);
    let bits = emitter.b.ins().ishl_imm_u(bits16, 16);
    emitter.b.ins().bitcast(F32, little(), bits)
}

/// Stores one number of the program's precision. Where nothing is converted, it may also be a vector.
pub(super) fn store(emitter: &mut Emitter, dtype: Dtype, number: Value, pointer: Value, offset: i32) {
    if dtype != Dtype::Bf16 {
        emitter.b.ins().store(flags(), number, pointer, offset);
        return;
    }
    let bits16 = narrowed(emitter, number);
    emitter.b.ins().istore16(flags(), bits16, pointer, offset);
}

/// The bfloat16 nearest to a single-precision number, in the lower half of 32 bits. Of two that are equally near, the
/// even one.
fn narrowed(emitter: &mut Emitter, number: Value) -> Value {
    let bits = emitter.b.ins().bitcast(I32, little(), number);
    let truncated = emitter.b.ins().ushr_imm_u(bits, 16);
    // The sum adds just below half a unit of the upper half, and one more where the upper half is odd. It carries into
    // the upper half exactly where rounding goes up. The carry is also right from one power of two to the next, and from
    // the largest number to infinity.
    let odd = emitter.b.ins().band_imm_u(truncated, 1);
    let sum = emitter.b.ins().iadd_imm_u(bits, 0x7fff);
    let sum = emitter.b.ins().iadd(sum, odd);
    let rounded = emitter.b.ins().ushr_imm_u(sum, 16);
    // The carry could turn a NaN into a zero, and without the carry a NaN whose upper half is empty would become
    // infinity. Therefore a NaN is truncated and its quiet bit is set.
    let quiet = emitter.b.ins().bor_imm_u(truncated, 0x40);
    let unknown = emitter.b.ins().fcmp(FloatCC::Unordered, number, number);
    emitter.b.ins().select(unknown, quiet, rounded)
}
