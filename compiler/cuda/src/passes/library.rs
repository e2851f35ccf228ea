//! Rewrites convolutions into those that libraries have, and adds the kernels that this needs around them.
//!
//! ```text
//! filters [channels kh kw, units]      packed to [units, kh, kw, channels] before a convolution, unpacked after its gradient
//! a scale for each channel             multiplies the filters (they are small), or their gradient
//! a scale and a shift                  one kernel prepares the images for the convolution and its gradient
//! 1 x 1 convolutions                   are matmuls: no packing
//! different padding on two sides       becomes zeros in a copy of the images, see `pad`
//! ```
//!
//! Zero padding comes after the shift. So a shift cannot become part of the filters and a bias.

use super::pad;
use crate::emit::library::{is_matmul, sizes};
use gmpc_compiler::ir::graph::Op;
use gmpc_compiler::ir::kernels::{
    self, Access, Affine, BufferId, Convolve, Expr, ExprId, Kernel, Kernels, Nest, Pass, Prepare, Store,
};
use gmpc_grammar::source::Span;
use std::collections::HashMap;

/// Returns kernels in which libraries have every convolution.
pub(crate) fn prepare(kernels: &Kernels) -> Kernels {
    let mut packing = Packing {
        out: Kernels {
            precision: kernels.precision,
            buffers: kernels.buffers.clone(),
            kernels: Vec::new(),
            outputs: kernels.outputs.clone(),
        },
        known: HashMap::new(),
        span: None,
    };
    for kernel in &kernels.kernels {
        packing.span = kernel.span;
        match &kernel.work {
            kernels::Work::Convolve(product) => packing.convolve(product),
            work @ (kernels::Work::Nest(_)
            | kernels::Work::MatMul(_)
            | kernels::Work::Pool(_)
            | kernels::Work::Cast(_)) => packing.push(work.clone()),
            work @ (kernels::Work::Spherical(_) | kernels::Work::SphericalGrad(_) | kernels::Work::Uniform(_)) => {
                packing.push(work.clone())
            }
        }
    }
    // A buffer that only the original convolutions read is no longer needed.
    packing.out.drop_unread();
    packing.out
}

/// How a buffer was made, so that it is made once only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Made {
    /// Filters, times a scale for each channel.
    Filters(BufferId, Option<BufferId>),
    /// Images, times a scale, plus a shift.
    Images(BufferId, Option<BufferId>, BufferId),
    /// Images with zeros around them: height and width with the zeros, then the zeros above and to the left.
    Padded(BufferId, [usize; 2], [usize; 2]),
}

struct Packing {
    out: Kernels,
    /// Buffers that exist already. A write to a source of a buffer removes its entry.
    known: HashMap<Made, BufferId>,
    /// The place in the model of the kernel that is rewritten.
    span: Option<Span>,
}

impl Packing {
    /// Appends work and forgets the buffers that were made of what it writes.
    fn push(&mut self, work: kernels::Work) {
        let written = work.writes();
        let stays = |made: &Made| match made {
            Made::Padded(a, ..) => !written.contains(a),
            Made::Filters(a, b) => !written.contains(a) && !b.is_some_and(|b| written.contains(&b)),
            Made::Images(a, b, c) => {
                !written.contains(a) && !b.is_some_and(|b| written.contains(&b)) && !written.contains(c)
            }
        };
        self.known.retain(|made, _| stays(made));
        self.out.kernels.push(Kernel { work, span: self.span });
    }

    fn scratch(&mut self, word: &str, like: BufferId) -> BufferId {
        self.scratch_of(word, like, self.out.buffers[like.index()].elements)
    }

    fn scratch_of(&mut self, word: &str, like: BufferId, elements: usize) -> BufferId {
        let name = format!("{word}_{}", self.out.buffers[like.index()].name);
        self.out.scratch(name, elements)
    }

    fn convolve(&mut self, product: &Convolve) {
        let Prepare { scale, shift } = product.prepare;
        let mut product = Convolve { prepare: Prepare::default(), ..product.clone() };
        // A shift needs prepared images, which then contain the scale too. The gradient at the images reads no images.
        let scale = match shift {
            Some(shift) if product.pass != Pass::BackwardData => {
                product.a = self.images(&product, scale, shift);
                None
            }
            _ => scale,
        };
        // Libraries pad both sides alike. Any other padding becomes zeros in a larger image, which the gradient at the
        // images then crops again. A convolution that becomes a matmul has no padding.
        let grown = pad::grown(&product).filter(|_| !is_matmul(&product));
        match (product.pass, grown) {
            (_, None) => {}
            (Pass::Forward | Pass::BackwardFilter, Some(size)) => product = self.padded(product, size),
            (Pass::BackwardData, Some(size)) => return self.cropped(product, size, scale),
        }
        match product.pass {
            Pass::Forward | Pass::BackwardData => {
                product.b = self.filters(&product, scale);
                self.push(kernels::Work::Convolve(product));
            }
            Pass::BackwardFilter => self.weight(product, scale),
        }
    }

    /// The convolution on images with zeros around them.
    fn padded(&mut self, product: Convolve, size: [usize; 2]) -> Convolve {
        let made = Made::Padded(product.a, size, product.window.before);
        let a = self.known.get(&made).copied();
        let a = a.unwrap_or_else(|| {
            let target = self.scratch_of("padded", product.a, pad::elements(&product, size));
            pad::pad(&product, product.a, target, size)
                .into_iter()
                .for_each(|nest| self.push(kernels::Work::Nest(nest)));
            self.known.insert(made, target);
            target
        });
        Convolve { a, ..pad::without(product, size) }
    }

    /// The gradient at images with zeros around them. A copy drops the gradient at the zeros.
    fn cropped(&mut self, product: Convolve, size: [usize; 2], scale: Option<BufferId>) {
        let grown = self.scratch_of("padded", product.c, pad::elements(&product, size));
        let nest = pad::crop(&product, grown, product.c, size);
        let mut whole = Convolve { c: grown, ..pad::without(product, size) };
        whole.b = self.filters(&whole, scale);
        self.push(kernels::Work::Convolve(whole));
        self.push(kernels::Work::Nest(nest));
    }

    /// The images times their scale, plus their shift.
    fn images(&mut self, product: &Convolve, scale: Option<BufferId>, shift: BufferId) -> BufferId {
        let made = Made::Images(product.a, scale, shift);
        if let Some(&known) = self.known.get(&made) {
            return known;
        }
        let target = self.scratch("prepared", product.a);
        let [n, h, w, c] = product.images;
        let mut nest = Nest { space: vec![n * h * w, c], reduced: vec![false; 2], ..Nest::default() };
        let mut value = load(&mut nest, product.a, &[c, 1]);
        if let Some(scale) = scale {
            let factor = load(&mut nest, scale, &[0, 1]);
            value = nest.push(Expr::Apply(Op::Mul, vec![value, factor]));
        }
        let shift = load(&mut nest, shift, &[0, 1]);
        let value = nest.push(Expr::Apply(Op::Add, vec![value, shift]));
        self.finish(nest, target, &[c, 1], value);
        self.known.insert(made, target);
        target
    }

    /// The filters in the order that the library wants, times their scale.
    fn filters(&mut self, product: &Convolve, scale: Option<BufferId>) -> BufferId {
        let [taps, channels, units] = sizes(product);
        if taps == 1 && is_matmul(product) && scale.is_none() {
            return product.b;
        }
        let made = Made::Filters(product.b, scale);
        if let Some(&known) = self.known.get(&made) {
            return known;
        }
        let target = self.scratch("packed", product.b);
        let packed = if is_matmul(product) { [1, units, units] } else { [taps * channels, channels, 1] };
        let mut nest = Nest { space: vec![units, taps, channels], reduced: vec![false; 3], ..Nest::default() };
        let mut value = load(&mut nest, product.b, &[1, units, taps * units]);
        if let Some(scale) = scale {
            let factor = load(&mut nest, scale, &[0, 0, 1]);
            value = nest.push(Expr::Apply(Op::Mul, vec![value, factor]));
        }
        self.finish(nest, target, &packed, value);
        self.known.insert(made, target);
        target
    }

    /// The gradient at the filters, unpacked, times the scale.
    fn weight(&mut self, product: Convolve, scale: Option<BufferId>) {
        let [taps, channels, units] = sizes(&product);
        let pointwise = is_matmul(&product);
        if pointwise && scale.is_none() {
            return self.push(kernels::Work::Convolve(product));
        }
        let target = product.c;
        let packed = self.scratch("packed", target);
        let from = if pointwise { [units, units, 1] } else { [1, channels, taps * channels] };
        self.push(kernels::Work::Convolve(Convolve { c: packed, ..product }));
        let mut nest = Nest { space: vec![channels, taps, units], reduced: vec![false; 3], ..Nest::default() };
        let mut value = load(&mut nest, packed, &from);
        if let Some(scale) = scale {
            let factor = load(&mut nest, scale, &[1, 0, 0]);
            value = nest.push(Expr::Apply(Op::Mul, vec![value, factor]));
        }
        self.finish(nest, target, &[taps * units, units, 1], value);
    }

    /// Appends a nest that stores one value.
    fn finish(&mut self, mut nest: Nest, target: BufferId, strides: &[usize], value: ExprId) {
        let access = Access { buffer: target, at: Affine { offset: 0, strides: strides.to_vec() } };
        nest.stores.push(Store { access, value, after_reduction: false });
        self.push(kernels::Work::Nest(nest));
    }
}

fn load(nest: &mut Nest, buffer: BufferId, strides: &[usize]) -> ExprId {
    nest.push(Expr::Load(Access { buffer, at: Affine { offset: 0, strides: strides.to_vec() } }))
}
