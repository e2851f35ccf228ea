//! Steps for work that the runtime computes with its own kernels: large matmuls, convolutions and pools.

use crate::ir::code::{PooledAt, ReluMaskAt, Step};
use crate::ir::kernels::{BufferId, Kernels, MatMul, Pooled, ReluMask, Work};
use crate::lower::plan::Plan;

/// Multiply-adds from which on a matmul is a step of its own (measured: below, a call from generated code is as fast, and
/// neighbours stay in one function).
const LARGE: usize = 1 << 18;
/// Rows and columns that the result of such a matmul has at least: the tiles of the large kernel would be mostly empty.
const LEAST: [usize; 2] = [4, 8];

/// Does the runtime compute this work with a kernel of its own?
pub(super) fn is_call(work: &Work) -> bool {
    match work {
        Work::MatMul(product) => is_large(product),
        Work::Convolve(_) | Work::Pool(_) => true,
        Work::Nest(_) | Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) | Work::Cast(_) => false,
    }
}

/// Is a matmul large enough for the kernel that packs its operands? A function of the shape alone, so that results repeat.
fn is_large(&MatMul { m, n, k, .. }: &MatMul) -> bool {
    m >= LEAST[0] && n >= LEAST[1] && m.saturating_mul(n).saturating_mul(k) >= LARGE
}

/// The step of such work. `None` for work that becomes generated code.
pub(super) fn step(kernels: &Kernels, plan: &Plan, work: &Work) -> Option<Step> {
    // A step holds addresses beside the kernel's description, because the runtime knows no buffers.
    let address = |id: BufferId| plan.address(kernels, id);
    let relu_mask_at = |relu_mask: &ReluMask| ReluMaskAt {
        relu_output: address(relu_mask.relu_output),
        shift: relu_mask.shift.map(address),
        scale: relu_mask.scale.map(address),
        weighted: relu_mask.weighted.map(address),
    };
    let pooled_at = |pooled: &Pooled| PooledAt {
        scale: pooled.scale.map(address),
        unscaled_max: pooled.unscaled_max.map(address),
        argmax: pooled.argmax.map(address),
    };
    // The runtime also needs sizes, window and pass, so the description is copied into the step.
    match work {
        Work::Convolve(product) => Some(Step::Convolve {
            operands: [product.a, product.b, product.c].map(address),
            prepare: [product.prepare.scale, product.prepare.shift].map(|id| id.map(address)),
            bias: product.bias.map(address),
            pooled: product.pooled.as_ref().map(pooled_at),
            relu_mask: product.relu_mask.as_ref().map(relu_mask_at),
            sums: product.sums.map(address),
            product: product.clone(),
        }),
        Work::Pool(pool) => Some(Step::Pool {
            x: pool.x.map(address),
            scale: pool.scale.map(address),
            argmax: pool.argmax.map(address),
            dy: pool.dy.map(address),
            relu_mask: pool.relu_mask.as_ref().map(relu_mask_at),
            sums: pool.sums.map(address),
            target: address(pool.target),
            pool: pool.clone(),
        }),
        Work::MatMul(product) if is_large(product) => Some(Step::MatMul {
            operands: [product.a.buffer, product.b.buffer, product.c.buffer].map(address),
            bias: product.bias.map(|(buffer, _)| address(buffer)),
            product: product.clone(),
        }),
        Work::Nest(_) | Work::MatMul(_) | Work::Spherical(_) | Work::SphericalGrad(_) => None,
        Work::Uniform(_) | Work::Cast(_) => None,
    }
}
