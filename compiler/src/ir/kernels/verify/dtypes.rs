//! The dtypes that operands and results of each kind of kernel may have.
//!
//! ```text
//! inputs, states, outputs     the program's dtype
//! nest                        loads and stores: the program's dtype, or bfloat16, which they convert
//! cast                        two different dtypes that the program's precision converts to
//! matmul, convolution         both operands alike; the result like the operands, or the program's; a bias like the result
//! pool                        images and gradients: the program's dtype or bfloat16; sums and scales: the program's
//! argmax bytes                u8
//! everything else             the program's dtype
//! ```

use super::super::{BufferId, Convolve, Dtype, Kernels, Location, MatMul, Pool, ReluMask, Work};
use super::require;

/// Checks that all buffers of the caller (inputs, states, outputs) have the program's dtype.
pub(super) fn outside(kernels: &Kernels) -> Result<(), String> {
    let own = Dtype::from(kernels.precision);
    let named = kernels.buffers.iter().filter(|buffer| buffer.location != Location::Scratch);
    let outputs = kernels.outputs.iter().map(|id| &kernels.buffers[id.index()]);
    match named.chain(outputs).find(|buffer| buffer.dtype != own) {
        Some(buffer) => Err(format!("{} is {}, the program {own}", buffer.name, buffer.dtype)),
        None => Ok(()),
    }
}

/// Checks the dtypes of one kernel.
pub(super) fn check(kernels: &Kernels, work: &Work) -> Result<(), &'static str> {
    match work {
        Work::Nest(_) => {
            let all = work.reads().into_iter().chain(work.writes());
            all.into_iter().try_for_each(|id| require(converts(kernels, id), "a nest cannot convert this dtype"))
        }
        Work::Cast(cast) => {
            let [source, target] = [cast.source, cast.target].map(|id| kernels.dtype(id));
            require(source != target, "a cast to the same dtype")?;
            require(converts(kernels, cast.source) && converts(kernels, cast.target), "no cast between these dtypes")?;
            require(own(kernels, cast.bias), "a bias of a cast has the program's dtype")
        }
        Work::MatMul(product) => check_product(kernels, product),
        Work::Convolve(product) => check_convolution(kernels, product),
        Work::Pool(pool) => check_pool(kernels, pool),
        Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => {
            let all = work.reads().into_iter().chain(work.writes());
            require(own(kernels, all), "scans and random numbers have the program's dtype")
        }
    }
}

fn check_product(kernels: &Kernels, product: &MatMul) -> Result<(), &'static str> {
    contraction(kernels, [product.a.buffer, product.b.buffer, product.c.buffer], product.bias.map(|bias| bias.0))
}

fn check_convolution(kernels: &Kernels, product: &Convolve) -> Result<(), &'static str> {
    contraction(kernels, [product.a, product.b, product.c], product.bias)?;
    let pooled = product.pooled.unwrap_or_default();
    let beside = product.prepare.buffers().chain(product.sums).chain(pooled.scale).chain(pooled.unscaled_max);
    require(own(kernels, beside), "scales, shifts and sums have the program's dtype")?;
    check_relu_mask(kernels, product.relu_mask.as_ref())?;
    require(bytes(kernels, pooled.argmax), "argmax holds bytes")
}

fn check_pool(kernels: &Kernels, pool: &Pool) -> Result<(), &'static str> {
    let mut images = pool.x.into_iter().chain(pool.dy).chain([pool.target]);
    require(images.all(|id| converts(kernels, id)), "a pool cannot convert this dtype")?;
    require(own(kernels, pool.scale.into_iter().chain(pool.sums)), "factors and sums have the program's dtype")?;
    check_relu_mask(kernels, pool.relu_mask.as_ref())?;
    require(bytes(kernels, pool.argmax), "argmax holds bytes")
}

/// Checks the operands, the result and the bias of a matmul or a convolution.
fn contraction(kernels: &Kernels, [a, b, c]: [BufferId; 3], bias: Option<BufferId>) -> Result<(), &'static str> {
    require(kernels.dtype(a) == kernels.dtype(b), "operands of different dtypes")?;
    require(converts(kernels, a), "no contraction of this dtype")?;
    require(
        kernels.dtype(c) == kernels.dtype(a) || own(kernels, [c]),
        "a result of a dtype that is not its operands'",
    )?;
    require(bias.is_none_or(|bias| kernels.dtype(bias) == kernels.dtype(c)), "a bias has the result's dtype")
}

fn check_relu_mask(kernels: &Kernels, relu_mask: Option<&ReluMask>) -> Result<(), &'static str> {
    let all = relu_mask.into_iter().flat_map(|relu_mask| relu_mask.reads().chain(relu_mask.weighted));
    require(own(kernels, all), "a ReLU mask has the program's dtype")
}

fn own(kernels: &Kernels, ids: impl IntoIterator<Item = BufferId>) -> bool {
    ids.into_iter().all(|id| kernels.dtype(id) == Dtype::from(kernels.precision))
}

fn converts(kernels: &Kernels, id: BufferId) -> bool {
    kernels.dtype(id).converts_to(kernels.precision)
}

fn bytes(kernels: &Kernels, ids: impl IntoIterator<Item = BufferId>) -> bool {
    ids.into_iter().all(|id| kernels.dtype(id) == Dtype::U8)
}
