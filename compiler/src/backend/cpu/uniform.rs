//! Counter-based random numbers: Philox 4x32-10, which gives four words for each block.

use super::emitter::{Emitter, flags, immediate};
use crate::ir::kernels::Uniform;
use crate::math::philox::{MULTIPLIERS, ROUNDS, WEYL};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

pub(super) fn emit(emitter: &mut Emitter, draw: &Uniform) {
    let count = emitter.elements(draw.target);
    let base = emitter.address(draw.target, 0);
    // The offset is added to the address, because the offset of a load has only 32 bits and scratch memory may be larger.
    let at = immediate(emitter.random());
    let random = emitter.b.ins().iadd_imm_s(emitter.scratch, at);
    let key: Vec<Value> = (0..4).map(|i| emitter.b.ins().load(I32, flags(), random, 4 * i)).collect();
    let stream = emitter.b.ins().iconst(I32, i64::from(draw.stream));
    // A number depends only on seed, step, stream and its own position. Results therefore do not depend on how the work
    // is divided.
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
    // The last block computes four words, of which only the needed ones are stored.
    if !count.is_multiple_of(4) {
        let counter = emitter.b.ins().iconst(I32, immediate(blocks));
        let words = philox(emitter, [counter, stream, key[2], key[3]], [key[0], key[1]]);
        let offset = immediate(blocks * 4 * emitter.bytes());
        let target = emitter.b.ins().iadd_imm_s(base, offset);
        store(emitter, &words[..count % 4], target);
    }
}

/// Stores words as numbers in [0, 1), one after the other.
fn store(emitter: &mut Emitter, words: &[Value], target: Value) {
    // The upper 24 bits are as many as an f32 holds exactly, so that both precisions draw the same numbers.
    let (float, bytes) = (emitter.float(1), emitter.bytes());
    for (&word, index) in words.iter().zip(0..4i32) {
        let at = if bytes == 4 { 4 * index } else { 8 * index };
        let high = emitter.b.ins().ushr_imm_u(word, 8);
        let number = emitter.b.ins().fcvt_from_sint(float, high);
        let unit = crate::math::Machine::number(&mut emitter.machine(1), 1.0 / 16_777_216.0);
        let number = emitter.b.ins().fmul(number, unit);
        emitter.b.ins().store(flags(), number, target, at);
    }
}

/// Emits the rounds of [`crate::math::philox::philox`].
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

/// The high and the low half of a product.
fn multiply(emitter: &mut Emitter, a: u32, b: Value) -> (Value, Value) {
    let wide = emitter.b.ins().uextend(I64, b);
    let product = emitter.b.ins().imul_imm_u(wide, i64::from(a));
    let high = emitter.b.ins().ushr_imm_u(product, 32);
    (emitter.b.ins().ireduce(I32, high), emitter.b.ins().ireduce(I32, product))
}
