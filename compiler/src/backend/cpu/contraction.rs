//! Matmuls become a call of the runtime with sizes, addresses and strides.

use super::Import;
use super::emitter::{Emitter, immediate};
use crate::ir::kernels::{MatMul, Matrix};
use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::types::I64;

pub(super) fn emit(emitter: &mut Emitter, MatMul { m, n, k, a, b, c, bias, relu }: &MatMul) {
    let mut arguments: Vec<_> = [m, n, k].iter().map(|&&size| emitter.b.ins().iconst(I64, immediate(size))).collect();
    for Matrix { buffer, offset, rows, columns } in [a, b, c] {
        arguments.push(emitter.address(*buffer, *offset));
        arguments.push(emitter.b.ins().iconst(I64, immediate(*rows)));
        arguments.push(emitter.b.ins().iconst(I64, immediate(*columns)));
    }
    arguments.pop(); // the columns of c are contiguous
    arguments.push(match bias {
        Some((buffer, offset)) => emitter.address(*buffer, *offset),
        None => emitter.b.ins().iconst(I64, 0),
    });
    arguments.push(emitter.b.ins().iconst(I64, i64::from(*relu)));
    emitter.call(Import::MatMul, &arguments);
}
