//! `precision = bf16`: activations between generated kernels and libraries lie in memory as bfloat16, 2 bytes a number.
//!
//! ```text
//! t3 = max(widen h1 + bias, 0)        one kernel writes t3; only a library and generated kernels read it:
//! h3 = narrow t3                      the kernel writes t3 as bf16, and h3 is not needed
//!
//! t5 = widen h5                       readers of t5 read h5, the bf16 result of a library
//!
//! c = x w + b                         a matmul writes bf16 if its readers read bf16 or write bf16 themselves;
//!                                     its bias becomes bf16, because cuBLASLt wants a bias of the result's dtype
//! ```
//!
//! These stay single precision: values inside kernels, all sums and statistics, states, filters, inputs, outputs, gradients of
//! parameters from matmuls, and every buffer that no library reads.

use crate::emit::library::is_matmul;
use crate::emit::transpose::is_transpose;
use gmpc_compiler::ir::kernels::{Buffer, BufferId, Cast, Dtype, Expr, Kernel, Kernels, Location, Pass, Pool, Work};

/// Removes copies between f32 and bf16 from the kernels of [`crate::passes::bf16_operands`] where possible.
pub(crate) fn keep_bf16(mut kernels: Kernels) -> Kernels {
    // From last to first: the dtype of a result depends on its readers, which come later and are decided already.
    for place in (0..kernels.kernels.len()).rev() {
        match &kernels.kernels[place].work {
            &Work::Cast(Cast { source, target, .. }) if kernels.dtype(source) != Dtype::Bf16 => {
                if may_be_bf16(&kernels, source, place) {
                    kernels.kernels.remove(place);
                    kernels.buffers[source.index()].dtype = Dtype::Bf16;
                    rename(&mut kernels, target, source);
                }
            }
            &Work::Cast(Cast { source, target, bias: None, relu: false, .. }) => {
                if kernels.dtype(target) == Dtype::Bf16 || reads_alone(&kernels, target, None) {
                    kernels.kernels.remove(place);
                    rename(&mut kernels, target, source);
                }
            }
            work @ (Work::Nest(_) | Work::MatMul(_) | Work::Convolve(_) | Work::Pool(_) | Work::Cast(_)) => {
                // Every reader comes later, so its dtypes are final.
                if let Some(result) = activations(work).filter(|result| is_rounded_later(&kernels, *result)) {
                    kernels.buffers[result.index()].dtype = Dtype::Bf16;
                }
            }
            Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => {}
        }
    }
    // A cast that only generated kernels read becomes a nest, so that the pass `inline` can compute it in its readers.
    for place in 0..kernels.kernels.len() {
        let Work::Cast(cast) = &kernels.kernels[place].work else { continue };
        let target = &kernels.buffers[cast.target.index()];
        let widens = kernels.dtype(cast.source) == Dtype::Bf16;
        if widens && (target.dtype == Dtype::Bf16 || reads_alone(&kernels, cast.target, None)) {
            kernels.kernels[place].work = Work::Nest(cast.nest(target.elements));
        }
    }
    narrow_biases(kernels)
}

/// The result of a matmul or 1 x 1 convolution if it may be bf16. The gradient of the filters of a 1 x 1 convolution may not.
/// The gradient of a weight matrix may not either; [`is_update`] recognizes it by its readers.
fn activations(work: &Work) -> Option<BufferId> {
    match work {
        Work::MatMul(product) => Some(product.c.buffer),
        Work::Convolve(product) if is_matmul(product) && product.pass != Pass::BackwardFilter => Some(product.c),
        Work::Convolve(_) | Work::Nest(_) | Work::Pool(_) | Work::Cast(_) => None,
        Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => None,
    }
}

/// May a result that no library reads be bf16? A 1 x 1 convolution may write bf16 if every reader can widen it. A matmul may
/// write bf16 only if every reader also writes bf16: logits that a loss reads stay f32.
fn is_rounded_later(kernels: &Kernels, id: BufferId) -> bool {
    let reads = |kernel: &&Kernel| kernel.work.reads().contains(&id);
    let rounds = |kernel: &Kernel| kernel.work.writes().iter().any(|written| kernels.dtype(*written) == Dtype::Bf16);
    let mut writers = kernels.kernels.iter().filter(|kernel| kernel.work.writes().contains(&id));
    let Some(writer) = writers.next().filter(|_| writers.next().is_none()) else { return false };
    let images = matches!(writer.work, Work::Convolve(_));
    let mut readers = kernels.kernels.iter().filter(reads).peekable();
    let wanted = readers.peek().is_some() && (images || readers.all(rounds));
    wanted && !is_update(kernels, id) && reads_alone(kernels, id, None)
}

/// Is the buffer the gradient of a parameter? It is if a kernel reads it and writes a state with the same number of elements.
fn is_update(kernels: &Kernels, id: BufferId) -> bool {
    let elements = kernels.buffers[id.index()].elements;
    let is_such = |written: &BufferId| {
        let Buffer { location, elements: own, .. } = &kernels.buffers[written.index()];
        matches!(location, Location::State(_)) && *own == elements
    };
    let changes = |kernel: &Kernel| kernel.work.reads().contains(&id) && kernel.work.writes().iter().any(is_such);
    kernels.kernels.iter().any(changes)
}

/// Casts the biases of matmuls with a bf16 result to bf16: cuBLASLt wants a bias of the result's dtype.
fn narrow_biases(mut kernels: Kernels) -> Kernels {
    let mut rewritten = Vec::with_capacity(kernels.kernels.len());
    for mut kernel in std::mem::take(&mut kernels.kernels) {
        let (result, bias) = match &mut kernel.work {
            Work::MatMul(product) => (product.c.buffer, product.bias.as_mut().map(|bias| &mut bias.0)),
            Work::Convolve(product) if is_matmul(product) => (product.c, product.bias.as_mut()),
            Work::Convolve(_) | Work::Nest(_) | Work::Pool(_) | Work::Cast(_) => (BufferId(0), None),
            Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => (BufferId(0), None),
        };
        if let Some(bias) = bias.filter(|_| kernels.dtype(result) == Dtype::Bf16) {
            let (source, span) = (*bias, kernel.span);
            if let Some(target) = narrowed(&mut kernels.buffers, source) {
                rewritten.push(Kernel { work: Work::Cast(Cast::plain(source, target)), span });
                *bias = target;
            }
        }
        rewritten.push(kernel);
    }
    Kernels { kernels: rewritten, ..kernels }
}

/// Adds a bf16 buffer as large as `source`. `None` if `source` is bf16 already.
fn narrowed(buffers: &mut Vec<Buffer>, source: BufferId) -> Option<BufferId> {
    let Buffer { name, elements, dtype, .. } = &buffers[source.index()];
    if *dtype == Dtype::Bf16 {
        return None;
    }
    let buffer =
        Buffer { name: format!("half_{name}"), elements: *elements, location: Location::Scratch, dtype: Dtype::Bf16 };
    buffers.push(buffer);
    Some(BufferId::new(buffers.len() - 1))
}

/// May a buffer become bf16? Exactly one kernel writes it and can round. All readers can widen; the cast at `narrow` does not
/// count, because it vanishes.
fn may_be_bf16(kernels: &Kernels, id: BufferId, narrow: usize) -> bool {
    let mut writers = kernels.kernels.iter().filter(|kernel| kernel.work.writes().contains(&id));
    let can = |kernel: &Kernel| match &kernel.work {
        Work::Nest(nest) => !is_transpose(nest),
        Work::Pool(_) => true,
        Work::Cast(cast) => kernels.dtype(cast.source) == Dtype::Bf16,
        Work::MatMul(_) | Work::Convolve(_) => activations(&kernel.work).is_some() && !is_update(kernels, id),
        Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => false,
    };
    let alone = writers.next().is_some_and(can) && writers.next().is_none();
    alone && reads_alone(kernels, id, Some(narrow))
}

/// Do only nests and pools read a buffer of scratch memory? The kernel at `except` does not count.
fn reads_alone(kernels: &Kernels, id: BufferId, except: Option<usize>) -> bool {
    let can = |(place, kernel): (usize, &Kernel)| match &kernel.work {
        _ if Some(place) == except || !kernel.work.reads().contains(&id) => true,
        Work::Nest(nest) => !is_transpose(nest),
        Work::Pool(pool) => pool.scale != Some(id),
        Work::MatMul(_) | Work::Convolve(_) | Work::Cast(_) => false,
        Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => false,
    };
    let is_scratch = kernels.buffers[id.index()].location == Location::Scratch;
    is_scratch && !kernels.outputs.contains(&id) && kernels.kernels.iter().enumerate().all(can)
}

/// Lets every reader of `from` read `to` instead.
fn rename(kernels: &mut Kernels, from: BufferId, to: BufferId) {
    let other = |id: &mut BufferId| {
        if *id == from {
            *id = to;
        }
    };
    for kernel in &mut kernels.kernels {
        match &mut kernel.work {
            Work::Nest(nest) => nest.exprs.iter_mut().for_each(|expr| {
                if let Expr::Load(access) = expr {
                    other(&mut access.buffer);
                }
            }),
            Work::Pool(Pool { x, dy, .. }) => x.iter_mut().chain(dy).for_each(other),
            Work::MatMul(product) => [&mut product.a.buffer, &mut product.b.buffer].into_iter().for_each(other),
            Work::Convolve(product) => [&mut product.a, &mut product.b].into_iter().for_each(other),
            // These never read a buffer that becomes bf16: `reads_alone` excludes them.
            Work::Cast(_) | Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => {}
        }
    }
}
