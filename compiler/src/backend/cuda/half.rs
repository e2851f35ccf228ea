//! `precision = bf16`: what libraries multiply is rounded to bfloat16 before. Copies that can be spared are taken out afterwards, see
//! `settle`.
//!
//! ```text
//! c = a b             h1 = narrow a                once for all products that read it, until it is written again
//!                     h2 = narrow b
//!                     c  = h1 h2                   sums, bias and, as long as `settle` says nothing else, result in single precision
//!
//! y = convolve x w    h3 = convolve h1 h2          cuDNN sums in single precision, and gives what it is given: bfloat16
//!                     y  = max 0, widen h3 + bias
//! ```
//!
//! Tensor cores take channels by eights: images of three channels, and their filters, are copied among channels of zeros.

use super::library::is_product;
use crate::kernels::{
    Access, Affine, Buffer, BufferId, Convolve, Expr, ExprId, Kernel, Kernels, MatMul, Nest, Pass, Place, Round,
    Rounding, Store, Work,
};
use gmpc_grammar::source::Span;
use std::collections::HashMap;

/// Channels that tensor cores take at once: 16 bytes.
const CHANNELS: usize = 8;

/// The same kernels with every contraction on rounded operands.
pub(super) fn halve(kernels: Kernels) -> Kernels {
    let out = Kernels { buffers: kernels.buffers, kernels: Vec::new(), outputs: kernels.outputs };
    let mut halving = Halving { out, narrowed: HashMap::new(), widened: HashMap::new(), span: None };
    for kernel in kernels.kernels {
        halving.span = kernel.span;
        match kernel.work {
            Work::MatMul(product) => halving.product(product),
            Work::Convolve(product) => halving.convolve(product),
            work => halving.push(work),
        }
    }
    halving.out
}

struct Halving {
    out: Kernels,
    /// What is rounded already, as long as it is not written anew.
    narrowed: HashMap<BufferId, BufferId>,
    /// What is rounded and has its channels of zeros already, as long.
    widened: HashMap<BufferId, BufferId>,
    /// The line of the contraction.
    span: Option<Span>,
}

impl Halving {
    fn push(&mut self, work: Work) {
        for written in work.writes() {
            self.narrowed.remove(&written);
            self.widened.remove(&written);
        }
        self.out.kernels.push(Kernel { work, span: self.span });
    }

    /// Room for the rounded numbers of a buffer.
    fn half(&mut self, like: BufferId) -> BufferId {
        self.half_of(like, self.out.buffers[like.index()].elements)
    }

    fn half_of(&mut self, like: BufferId, elements: usize) -> BufferId {
        let name = format!("half_{}", self.out.buffers[like.index()].name);
        self.out.buffers.push(Buffer { name, elements, place: Place::Scratch, half: true });
        BufferId(u32::try_from(self.out.buffers.len() - 1).unwrap_or(u32::MAX))
    }

    fn narrow(&mut self, source: BufferId) -> BufferId {
        if let Some(&known) = self.narrowed.get(&source) {
            return known;
        }
        let target = self.half(source);
        self.push(Work::Round(Round { source, target, rounding: Rounding::Narrow }));
        self.narrowed.insert(source, target);
        target
    }

    fn product(&mut self, mut product: MatMul) {
        product.a.buffer = self.narrow(product.a.buffer);
        product.b.buffer = self.narrow(product.b.buffer);
        self.push(Work::MatMul(product));
    }

    fn convolve(&mut self, mut product: Convolve) {
        let channels = product.images[3];
        if !is_product(&product) && channels < CHANNELS {
            return self.convolve_among_zeros(product, channels);
        }
        (product.a, product.b) = (self.narrow(product.a), self.narrow(product.b));
        if is_product(&product) {
            return self.push(Work::Convolve(product));
        }
        let (target, source) = (product.c, self.half(product.c));
        let rounding = Rounding::Widen { bias: product.bias, units: product.result[2], relu: product.relu };
        self.push(Work::Convolve(Convolve { c: source, bias: None, relu: false, ..product }));
        self.push(Work::Round(Round { source, target, rounding }));
    }

    /// The same with more channels, of zeros: of images and filters, or of gradients at them, whichever it reads and gives.
    fn convolve_among_zeros(&mut self, product: Convolve, channels: usize) {
        let wide = CHANNELS;
        let [batch, height, width, _] = product.images;
        let images = [batch, height, width, wide];
        let (target, units) = (product.c, product.result[2]);
        let (a, b) = match product.pass {
            Pass::Forward => (self.among_zeros(product.a, channels, wide), self.among_zeros(product.b, channels, wide)),
            Pass::Input => (self.narrow(product.a), self.among_zeros(product.b, channels, wide)),
            Pass::Weight => (self.among_zeros(product.a, channels, wide), self.narrow(product.b)),
        };
        if product.pass == Pass::Forward {
            let source = self.half(target);
            let rounding = Rounding::Widen { bias: product.bias, units, relu: product.relu };
            self.push(Work::Convolve(Convolve { images, a, b, c: source, bias: None, relu: false, ..product }));
            return self.push(Work::Round(Round { source, target, rounding }));
        }
        let rows = self.out.buffers[target.index()].elements / channels;
        let source = self.half_of(target, rows * wide);
        self.push(Work::Convolve(Convolve { images, a, b, c: source, ..product }));
        self.push(Work::Nest(columns([rows, channels], (source, wide), (target, channels))));
    }

    /// Rounded numbers in rows of `channels`, each row made as long as `wide` by zeros.
    fn among_zeros(&mut self, source: BufferId, channels: usize, wide: usize) -> BufferId {
        if let Some(&known) = self.widened.get(&source) {
            return known;
        }
        let rows = self.out.buffers[source.index()].elements / channels;
        let target = self.half_of(source, rows * wide);
        self.push(Work::Nest(among_zeros(rows, (source, channels), (target, wide))));
        self.widened.insert(source, target);
        target
    }
}

/// Copies the first columns of rows.
fn columns([rows, count]: [usize; 2], from: (BufferId, usize), to: (BufferId, usize)) -> Nest {
    let mut nest = Nest { space: vec![rows, count], reduced: vec![false; 2], ..Nest::default() };
    let access =
        |(buffer, step): (BufferId, usize)| Access { buffer, at: Affine { offset: 0, strides: vec![step, 1] } };
    let value = nest.push(Expr::Load(access(from)));
    nest.stores.push(Store { access: access(to), value, late: false });
    nest
}

/// Copies whole rows into longer ones, and fills those up with zeros.
fn among_zeros(rows: usize, from: (BufferId, usize), to: (BufferId, usize)) -> Nest {
    let mut nest = Nest { space: vec![rows], reduced: vec![false], ..Nest::default() };
    let access =
        |(buffer, step): (BufferId, usize), offset| Access { buffer, at: Affine { offset, strides: vec![step] } };
    let mut values: Vec<ExprId> = (0..from.1).map(|column| nest.push(Expr::Load(access(from, column)))).collect();
    let zero = nest.push(Expr::Const(0.0));
    values.resize(to.1, zero);
    let store = |(column, value)| Store { access: access(to, column), value, late: false };
    nest.stores.extend(values.into_iter().enumerate().map(store));
    nest
}
