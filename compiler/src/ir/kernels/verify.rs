//! The rules of well-formed kernels, one line for each rule. They are checked after every pass that makes kernels, in every
//! build, because devices access memory without further checks.
//!
//! The time is O(n log n) for n expressions, stores and operands. Kernels may be broken in any way, so every rule checks an index
//! before it uses it.

mod dtypes;

use super::{
    Access, Affine, BufferId, Cast, Convolve, Expr, ExprId, Kernels, Matrix, Nest, Pass, Pool, Pooling, ReluMask,
    Spherical, SphericalGrad, Store, Work,
};
use crate::ir::graph::Shape;
use gmpc_math::spherical::saved as saved_numbers;
use std::collections::BTreeMap;

/// Checks references, bounds, dtypes and the order of expressions.
///
/// # Errors
/// The first broken rule, with the kernel's number.
pub fn verify(kernels: &Kernels) -> Result<(), String> {
    for (index, kernel) in kernels.kernels.iter().enumerate() {
        check(kernels, &kernel.work).map_err(|rule| format!("kernel {index}: {rule}\n{:#?}", kernel.work))?;
    }
    require(kernels.outputs.iter().all(|o| o.index() < kernels.buffers.len()), "an output of an unknown buffer")?;
    dtypes::outside(kernels)?;
    Ok(())
}

/// Checks one kernel.
fn check(kernels: &Kernels, work: &Work) -> Result<(), &'static str> {
    // References first: all further rules look buffers up.
    let ids = work.reads().into_iter().chain(work.writes());
    require(ids.into_iter().all(|id| id.index() < kernels.buffers.len()), "unknown buffer")?;
    dtypes::check(kernels, work)?;
    match work {
        Work::Nest(nest) => check_nest(kernels, nest),
        Work::MatMul(p) => {
            require(p.c.columns == 1 || p.n == 1, "rows of a product are contiguous")?;
            let size = |id: BufferId| kernels.buffers[id.index()].elements;
            let fits = |x: &Matrix, rows: usize, columns: usize| {
                // Strides are not negative, so the last element has the largest index.
                let last = x.offset + (rows - 1) * x.rows + (columns - 1) * x.columns;
                last < size(x.buffer)
            };
            require(p.m > 0 && p.n > 0 && p.k > 0, "empty product")?;
            require(fits(&p.a, p.m, p.k) && fits(&p.b, p.k, p.n) && fits(&p.c, p.m, p.n), "leaves a buffer")?;
            require(p.c.buffer != p.a.buffer && p.c.buffer != p.b.buffer, "a product into its operand")?;
            require(p.bias.is_none_or(|(bias, at)| at + p.n <= size(bias)), "a bias that does not fit")
        }
        Work::Spherical(Spherical { angles, units, theta, u, saved }) => {
            let size = |id: BufferId| kernels.buffers[id.index()].elements;
            require(size(*theta) >= angles * units, "angles that do not fit")?;
            require(u.is_none_or(|u| size(u) >= (angles + 1) * units), "unit vectors that do not fit")?;
            require(
                saved.is_none_or(|saved| size(saved) >= saved_numbers(*angles) * units),
                "saved products that do not fit",
            )
        }
        Work::SphericalGrad(SphericalGrad { angles, units, theta, saved, g, gradient }) => {
            let size = |id: BufferId| kernels.buffers[id.index()].elements;
            require(size(*theta) >= angles * units && size(*gradient) >= angles * units, "angles that do not fit")?;
            require(size(*g) >= (angles + 1) * units, "unit vectors that do not fit")?;
            // Only with more than one group of angles does the gradient need the saved products.
            let wanted = saved_numbers(*angles) * units;
            require(saved.map_or(wanted == 0, |saved| size(saved) >= wanted), "saved products that do not fit")
        }
        // It fills its buffer, of any size.
        Work::Uniform(_) => Ok(()),
        Work::Convolve(product) => check_convolution(kernels, product),
        Work::Pool(pool) => check_pool(kernels, pool),
        Work::Cast(cast) => check_cast(kernels, cast),
    }
}

fn check_cast(kernels: &Kernels, cast: &Cast) -> Result<(), &'static str> {
    let elements = |id: BufferId| kernels.buffers[id.index()].elements;
    require(elements(cast.source) == elements(cast.target), "a cast to another size")?;
    let units = cast.units > 0 && (cast.bias.is_none() || elements(cast.target).is_multiple_of(cast.units));
    require(units && cast.bias.is_none_or(|bias| elements(bias) >= cast.units), "a bias that does not fit")
}

/// Checks the sizes of all buffers of a convolution. Kernels on images use them without further checks.
fn check_convolution(kernels: &Kernels, product: &Convolve) -> Result<(), &'static str> {
    let size = |id: BufferId| kernels.buffers[id.index()].elements;
    let [n, h, w, c] = product.images;
    let [oh, ow, units] = product.result;
    let (x, y, filters) = (n * h * w * c, n * oh * ow * units, c * product.window.area() * units);
    let wanted = match product.pass {
        Pass::Forward => [x, filters, y],
        Pass::BackwardData => [y, filters, x],
        Pass::BackwardFilter => [x, y, filters],
    };
    // A fused pool writes one number for each window of 2 x 2.
    let divisor = if product.pooled.is_some() { 4 } else { 1 };
    let sizes = [product.a, product.b].map(size);
    require(sizes == wanted[..2] && divisor * size(product.c) == wanted[2], "an operand of another size")?;
    check_pooled(kernels, product)?;
    require(product.c != product.a && product.c != product.b, "a convolution into its operand")?;
    // Sums have one number for each channel of the result. The gradient at the filters has none.
    let columns = match product.pass {
        Pass::Forward => units,
        Pass::BackwardData => c,
        Pass::BackwardFilter => 0,
    };
    require(product.sums.is_none_or(|sums| size(sums) == columns), "sums that do not fit")?;
    require(product.relu_mask.is_none() || product.pass == Pass::BackwardData, "a ReLU mask before another product")?;
    check_relu_mask(kernels, product.relu_mask.as_ref(), x, [columns, columns])?;
    let channels = |id: BufferId| size(id) >= c && product.pass != Pass::BackwardData;
    require(product.prepare.buffers().all(channels), "a factor that does not fit")?;
    let plain = product.pass == Pass::Forward || (product.bias.is_none() && !product.relu);
    require(plain && product.bias.is_none_or(|bias| size(bias) >= units), "a bias that does not fit")
}

fn check_pooled(kernels: &Kernels, product: &Convolve) -> Result<(), &'static str> {
    let Some(pooled) = product.pooled else { return Ok(()) };
    let size = |id: BufferId| kernels.buffers[id.index()].elements;
    let [oh, ow, units] = product.result;
    let halves = oh % 2 == 0 && ow % 2 == 0;
    require(product.pass == Pass::Forward && halves, "a pool of what windows do not tile")?;
    require(pooled.scale.is_none_or(|id| size(id) >= units), "a pool's factor that does not fit")?;
    require(pooled.unscaled_max.is_none_or(|id| size(id) == size(product.c)), "largest numbers that do not fit")?;
    require(pooled.argmax.is_none_or(|id| size(id) == size(product.c)), "an argmax that does not fit")
}

fn check_relu_mask(
    kernels: &Kernels,
    relu_mask: Option<&ReluMask>,
    size: usize,
    [channels, sums]: [usize; 2],
) -> Result<(), &'static str> {
    let Some(relu_mask) = relu_mask else { return Ok(()) };
    let elements = |id: BufferId| kernels.buffers[id.index()].elements;
    require(elements(relu_mask.relu_output) == size, "a ReLU mask of another size")?;
    let fits = |id: Option<BufferId>| id.is_none_or(|id| elements(id) >= channels);
    require(fits(relu_mask.scale) && fits(relu_mask.shift), "a ReLU mask's scale or shift that does not fit")?;
    require(relu_mask.weighted.is_none_or(|weighted| elements(weighted) == sums), "a ReLU mask's sums that do not fit")
}

/// Checks the buffers of a pool.
fn check_pool(kernels: &Kernels, pool: &Pool) -> Result<(), &'static str> {
    let fits = |id: Option<BufferId>, size: usize| id.is_none_or(|id| kernels.buffers[id.index()].elements == size);
    let ([n, h, w, c], [oh, ow]) = (pool.images, pool.result);
    let (whole, pooled) = (n * h * w * c, n * oh * ow * c);
    // Whether the kernel reads images and a gradient, and the size of its result.
    let (x, dy, target) = match pool.pooling {
        Pooling::Max | Pooling::Sum => (true, false, pooled),
        Pooling::MaxGradient => (true, true, whole),
        Pooling::SumGradient => (false, true, whole),
    };
    require(pool.scale.is_none_or(|id| kernels.buffers[id.index()].elements >= c && x), "a factor that does not fit")?;
    // A ReLU mask is applied when a pixel of the gradient is written. With overlapping windows a pixel is written several times.
    let tiles =
        pool.window.kernel == pool.window.stride && [oh * pool.window.stride[0], ow * pool.window.stride[1]] == [h, w];
    require(
        pool.relu_mask.is_none() || (pool.pooling == Pooling::MaxGradient && tiles),
        "a ReLU mask where windows overlap",
    )?;
    require(pool.sums.is_none_or(|_| pool.relu_mask.is_some()) && fits(pool.sums, n * c), "sums that do not fit")?;
    let from_argmax = pool.argmax.is_some();
    let fits_argmax = |id: BufferId| kernels.buffers[id.index()].elements == pooled;
    // An argmax byte has room for four pixels, and the pixels outside all windows would stay unwritten.
    let two = pool.pooling == Pooling::MaxGradient && tiles && pool.window.kernel == [2, 2];
    require(pool.argmax.is_none_or(|id| fits_argmax(id) && two), "an argmax that does not fit")?;
    check_relu_mask(kernels, pool.relu_mask.as_ref(), if from_argmax { pooled } else { whole }, [c, n * c])?;
    require(pool.x.is_some() == (x && !from_argmax) && pool.dy.is_some() == dy, "other operands than it needs")?;
    require(
        fits(pool.x, whole) && fits(pool.dy, pooled) && fits(Some(pool.target), target),
        "an operand of another size",
    )
}

/// Checks a nest: its references, its bounds, and that no two points write the same element.
fn check_nest(kernels: &Kernels, nest: &Nest) -> Result<(), &'static str> {
    require(nest.reduced.len() == nest.space.len(), "a mark for each axis")?;
    require(!nest.parallel || (nest.space.len() > 1 && !nest.reduced[0]), "no axis that threads could share")?;
    require(nest.reductions.is_empty() || nest.space.is_empty() || nest.reduced.contains(&true), "nothing to join")?;
    let value = |id: ExprId| require(id.index() < nest.exprs.len(), "an unknown value");
    nest.stores.iter().map(|store| store.value).chain(nest.reductions.iter().map(|r| r.value)).try_for_each(value)?;
    let after_reduction = nest.after_reduction();
    for (index, expr) in nest.exprs.iter().enumerate() {
        match expr {
            Expr::Const(_) => {}
            Expr::Load(access) => check_access(kernels, nest, access)?,
            Expr::Index(at) => require(at.strides.len() == nest.space.len(), "a stride for each axis")?,
            Expr::Reduced(r) => require(*r < nest.reductions.len(), "unknown reduction")?,
            Expr::Apply(op, operands) => {
                require(op.is_elementwise(), "an operation that is not elementwise")?;
                require(operands.iter().all(|o| o.index() < index), "an operand does not stand before its user")?;
            }
        }
    }
    require(nest.reductions.iter().all(|r| !after_reduction[r.value.index()]), "a reduction of a reduction")?;
    for store in &nest.stores {
        check_access(kernels, nest, &store.access)?;
        require(store.after_reduction || !after_reduction[store.value.index()], "a store before its value")?;
        // A store needs a stride on every axis that it runs over, and none on the axes that are reduced before it. Otherwise the
        // order of the points would decide which value remains.
        let strides = store.access.at.strides.iter();
        let moves = strides
            .zip(&nest.space)
            .zip(&nest.reduced)
            .all(|((&s, &n), &r)| n == 1 || (s != 0) != (store.after_reduction && r));
        require(moves, "two points write one element")?;
    }
    // A nest may update a buffer in place only at the same element, because backends reorder points and use vectors. Maps each
    // written buffer to the index of its store; `None` if it has stores at different indices.
    let mut written: BTreeMap<BufferId, Option<&Affine>> = BTreeMap::new();
    for Store { access, .. } in &nest.stores {
        let all = written.entry(access.buffer).or_insert(Some(&access.at));
        *all = all.filter(|at| **at == access.at);
    }
    let alike = |load: &Access| written.get(&load.buffer).is_none_or(|at| *at == Some(&load.at));
    require(nest.loads().all(alike), "reads and writes different elements of one buffer")
}

fn check_access(kernels: &Kernels, nest: &Nest, access: &Access) -> Result<(), &'static str> {
    require(access.at.strides.len() == nest.space.len(), "a stride for each axis")?;
    require(last(&access.at, &nest.space) < kernels.buffers[access.buffer.index()].elements, "leaves a buffer")
}

/// Returns the largest index that an access reaches.
fn last(at: &Affine, space: &Shape) -> usize {
    at.offset + at.strides.iter().zip(space).map(|(s, n)| s * n.saturating_sub(1)).sum::<usize>()
}

fn require(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}

#[cfg(test)]
mod tests;
