//! What "well formed" means for kernels, one line a rule. Run between stages in debug builds and in tests.

use super::{
    Access, Affine, BufferId, Convolve, Expr, Gate, Kernels, Matrix, Nest, Pass, Pool, Pooling, Round, Rounding, Work,
};
use crate::graph::Shape;

/// Checks references, bounds and the order of expressions.
///
/// # Errors
/// The first broken rule, with the kernel's number.
pub fn verify(kernels: &Kernels) -> Result<(), String> {
    for (index, kernel) in kernels.kernels.iter().enumerate() {
        check(kernels, &kernel.work).map_err(|rule| format!("kernel {index}: {rule}\n{:#?}", kernel.work))?;
    }
    require(kernels.outputs.iter().all(|o| o.index() < kernels.buffers.len()), "an output of an unknown buffer")?;
    Ok(())
}

fn check(kernels: &Kernels, work: &Work) -> Result<(), &'static str> {
    let ids = work.reads().into_iter().chain(work.writes());
    require(ids.into_iter().all(|id| id.index() < kernels.buffers.len()), "unknown buffer")?;
    match work {
        Work::Nest(nest) => check_nest(kernels, nest),
        Work::MatMul(p) => {
            require(p.c.columns == 1 || p.n == 1, "rows of a product are contiguous")?;
            let fits = |x: &Matrix, rows: usize, columns: usize| {
                let last = x.offset + (rows - 1) * x.rows + (columns - 1) * x.columns;
                last < kernels.buffers[x.buffer.index()].elements
            };
            require(p.m > 0 && p.n > 0 && p.k > 0, "empty product")?;
            require(fits(&p.a, p.m, p.k) && fits(&p.b, p.k, p.n) && fits(&p.c, p.m, p.n), "leaves a buffer")
        }
        Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => Ok(()),
        Work::Convolve(product) => check_convolution(kernels, product),
        Work::Pool(pool) => check_pool(kernels, pool),
        Work::Round(round) => check_round(kernels, round),
    }
}

fn check_round(kernels: &Kernels, round: &Round) -> Result<(), &'static str> {
    let buffer = |id: BufferId| &kernels.buffers[id.index()];
    let (source, target) = (buffer(round.source), buffer(round.target));
    require(source.elements == target.elements && source.half != target.half, "rounding needs a half on one side")?;
    match &round.rounding {
        Rounding::Narrow => require(target.half, "narrowed to what is not narrow"),
        Rounding::Widen { bias, units, .. } => require(
            source.half && *units > 0 && bias.is_none_or(|bias| buffer(bias).elements >= *units),
            "a bias that does not fit",
        ),
    }
}

fn check_convolution(kernels: &Kernels, product: &Convolve) -> Result<(), &'static str> {
    let size = |id: BufferId| kernels.buffers[id.index()].elements;
    let [n, h, w, c] = product.images;
    let [oh, ow, units] = product.result;
    let (x, y, filters) = (n * h * w * c, n * oh * ow * units, c * product.window.area() * units);
    let wanted = match product.pass {
        Pass::Forward => [x, filters, y],
        Pass::Input => [y, filters, x],
        Pass::Weight => [x, y, filters],
    };
    let divisor = if product.pooled.is_some() { 4 } else { 1 };
    let sizes = [product.a, product.b].map(size);
    require(sizes == wanted[..2] && divisor * size(product.c) == wanted[2], "an operand of another size")?;
    check_pooled(kernels, product)?;
    require(product.c != product.a && product.c != product.b, "a convolution into its operand")?;
    let columns = match product.pass {
        Pass::Forward => units,
        Pass::Input => c,
        Pass::Weight => 0,
    };
    require(product.sums.is_none_or(|sums| size(sums) == columns), "sums that do not fit")?;
    require(product.gate.is_none() || product.pass == Pass::Input, "a gate before another product")?;
    check_gate(kernels, product.gate.as_ref(), x, [columns, columns])?;
    let channels = |id: BufferId| size(id) >= c && product.pass != Pass::Input;
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
    require(pooled.largest.is_none_or(|id| size(id) == size(product.c)), "largest numbers that do not fit")?;
    require(pooled.marks.is_none_or(|id| 4 * size(id) >= size(product.c)), "marks that do not fit")
}

fn check_gate(
    kernels: &Kernels,
    gate: Option<&Gate>,
    size: usize,
    [channels, sums]: [usize; 2],
) -> Result<(), &'static str> {
    let Some(gate) = gate else { return Ok(()) };
    let elements = |id: BufferId| kernels.buffers[id.index()].elements;
    require(elements(gate.rectified) == size, "a gate of another size")?;
    let fits = |id: Option<BufferId>| id.is_none_or(|id| elements(id) >= channels);
    require(fits(gate.scale) && fits(gate.shift), "a gate's factor or summand that does not fit")?;
    require(gate.weighted.is_none_or(|weighted| elements(weighted) == sums), "a gate's sums that do not fit")
}

fn check_pool(kernels: &Kernels, pool: &Pool) -> Result<(), &'static str> {
    let fits = |id: Option<BufferId>, size: usize| id.is_none_or(|id| kernels.buffers[id.index()].elements == size);
    let ([n, h, w, c], [oh, ow]) = (pool.images, pool.result);
    let (whole, pooled) = (n * h * w * c, n * oh * ow * c);
    let (x, dy, target) = match pool.pooling {
        Pooling::Max | Pooling::Sum => (true, false, pooled),
        Pooling::MaxGradient => (true, true, whole),
        Pooling::SumGradient => (false, true, whole),
    };
    require(pool.scale.is_none_or(|id| kernels.buffers[id.index()].elements >= c && x), "a factor that does not fit")?;
    let tiles =
        pool.window.kernel == pool.window.stride && [oh * pool.window.stride[0], ow * pool.window.stride[1]] == [h, w];
    require(pool.gate.is_none() || (pool.pooling == Pooling::MaxGradient && tiles), "a gate where windows overlap")?;
    require(pool.sums.is_none_or(|_| pool.gate.is_some()) && fits(pool.sums, n * c), "sums that do not fit")?;
    let marked = pool.marks.is_some();
    let fits_marks = |id: BufferId| 4 * kernels.buffers[id.index()].elements >= pooled;
    let two = pool.pooling == Pooling::MaxGradient && tiles && pool.window.kernel == [2, 2];
    require(pool.marks.is_none_or(|id| fits_marks(id) && two), "marks that do not fit")?;
    check_gate(kernels, pool.gate.as_ref(), if marked { pooled } else { whole }, [c, n * c])?;
    require(pool.x.is_some() == (x && !marked) && pool.dy.is_some() == dy, "other operands than it needs")?;
    require(
        fits(pool.x, whole) && fits(pool.dy, pooled) && fits(Some(pool.target), target),
        "an operand of another size",
    )
}

fn check_nest(kernels: &Kernels, nest: &Nest) -> Result<(), &'static str> {
    require(nest.reduced.len() == nest.space.len(), "a mark for each axis")?;
    require(!nest.spread || (nest.space.len() > 1 && !nest.reduced[0]), "no axis that threads could share")?;
    require(nest.reductions.is_empty() || nest.space.is_empty() || nest.reduced.contains(&true), "nothing to join")?;
    let late = nest.late();
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
    require(nest.reductions.iter().all(|r| !late[r.value.index()]), "a reduction of a reduction")?;
    for store in &nest.stores {
        check_access(kernels, nest, &store.access)?;
        require(store.late || !late[store.value.index()], "a store before its value")?;
        let strides = store.access.at.strides.iter();
        let moves =
            strides.zip(&nest.space).zip(&nest.reduced).all(|((&s, &n), &r)| n == 1 || (s != 0) != (store.late && r));
        require(moves, "two points write one element")?;
    }
    let pairs = nest.stores.iter().flat_map(|s| nest.loads().map(move |l| (s, l)));
    let mut shared = pairs.filter(|(s, l)| s.access.buffer == l.buffer);
    require(shared.all(|(s, l)| s.access == *l), "reads and writes different elements of one buffer")
}

fn check_access(kernels: &Kernels, nest: &Nest, access: &Access) -> Result<(), &'static str> {
    require(access.at.strides.len() == nest.space.len(), "a stride for each axis")?;
    require(last(&access.at, &nest.space) < kernels.buffers[access.buffer.index()].elements, "leaves a buffer")
}

/// The largest index reached.
fn last(at: &Affine, space: &Shape) -> usize {
    at.offset + at.strides.iter().zip(space).map(|(s, n)| s * n.saturating_sub(1)).sum::<usize>()
}

fn require(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}
