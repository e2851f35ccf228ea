//! Counter-based random numbers: Philox 4x32-10, one block of four words at a time.

use super::emitter::{Emitter, flags, immediate};
use crate::kernels::Uniform;
use crate::math::philox::{MULTIPLIERS, ROUNDS, WEYL};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

pub(super) fn emit(emitter: &mut Emitter, draw: &Uniform) {
    let count = emitter.elements(draw.target);
    let base = emitter.address(draw.target, 0);
    let at = i32::try_from(emitter.random()).unwrap_or(i32::MAX);
    let scratch = emitter.scratch;
    let key: Vec<Value> = (0..4).map(|i| emitter.b.ins().load(I32, flags(), scratch, at + 4 * i)).collect();
    let stream = emitter.b.ins().iconst(I32, i64::from(draw.stream));
    let blocks = count / 4;
    if blocks > 0 {
        let open = emitter.begin_loop(0);
        let counter = emitter.b.ins().ireduce(I32, open.index);
        let words = philox(emitter, [counter, stream, key[2], key[3]], [key[0], key[1]]);
        let bytes = emitter.times(open.index, 4 * emitter.bytes());
        let target = emitter.b.ins().iadd(base, bytes);
        store(emitter, &words, target);
        emitter.end_loop(&open, blocks, 1);
    }
    if !count.is_multiple_of(4) {
        let counter = emitter.b.ins().iconst(I32, immediate(blocks));
        let words = philox(emitter, [counter, stream, key[2], key[3]], [key[0], key[1]]);
        let offset = immediate(blocks * 4 * emitter.bytes());
        let target = emitter.b.ins().iadd_imm_s(base, offset);
        store(emitter, &words[..count % 4], target);
    }
}

/// Words as numbers in [0, 1), side by side.
fn store(emitter: &mut Emitter, words: &[Value], target: Value) {
    let (float, bytes) = (emitter.float(1), emitter.bytes());
    for (index, &word) in words.iter().enumerate() {
        let high = emitter.b.ins().ushr_imm_u(word, 8);
        let number = emitter.b.ins().fcvt_from_sint(float, high);
        let unit = crate::math::Machine::number(&mut emitter.machine(1), 1.0 / 16_777_216.0);
        let number = emitter.b.ins().fmul(number, unit);
        emitter.b.ins().store(flags(), number, target, i32::try_from(index * bytes).unwrap_or(0));
    }
}

/// The same rounds as [`crate::math::philox::philox`].
fn philox(emitter: &mut Emitter, mut counter: [Value; 4], mut key: [Value; 2]) -> [Value; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key = [0, 1].map(|i| emitter.b.ins().iadd_imm_u(key[i], i64::from(WEYL[i])));
        }
        let (high0, low0) = multiply(emitter, MULTIPLIERS[0], counter[0]);
        let (high1, low1) = multiply(emitter, MULTIPLIERS[1], counter[2]);
        let first = emitter.b.ins().bxor(high1, counter[1]);
        let third = emitter.b.ins().bxor(high0, counter[3]);
        counter = [emitter.b.ins().bxor(first, key[0]), low1, emitter.b.ins().bxor(third, key[1]), low0];
    }
    counter
}

/// High and low half of a product.
fn multiply(emitter: &mut Emitter, a: u32, b: Value) -> (Value, Value) {
    let wide = emitter.b.ins().uextend(I64, b);
    let product = emitter.b.ins().imul_imm_u(wide, i64::from(a));
    let high = emitter.b.ins().ushr_imm_u(product, 32);
    (emitter.b.ins().ireduce(I32, high), emitter.b.ins().ireduce(I32, product))
}
