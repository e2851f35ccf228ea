//! `precision = bf16`: the operands of library calls are rounded to bfloat16 first. The pass `bf16_results` removes needless
//! copies afterwards.
//!
//! ```text
//! c = a b             h1 = narrow a                one copy for all matmuls that read a, until a is written again
//!                     h2 = narrow b
//!                     c  = h1 h2                   sums and bias are f32; c is f32 too, unless `bf16_results` changes it
//!
//! y = convolve x w    h3 = convolve h1 h2          cuDNN sums in f32; its result has the dtype of its operands: bf16
//!                     y  = max 0, widen h3 + bias
//! ```
//!
//! Tensor cores need a multiple of eight channels. Images with fewer channels, and their filters, get extra channels of zeros.

use crate::emit::library::is_matmul;
use gmpc_compiler::ir::kernels::{
    Access, Affine, Buffer, BufferId, Cast, Convolve, Dtype, Expr, ExprId, Kernel, Kernels, Location, MatMul, Nest,
    Pass, Store, Work,
};
use gmpc_grammar::source::Span;
use std::collections::HashMap;

/// Channels that a tensor core reads at once: 16 bytes of bfloat16.
const CHANNELS: usize = 8;

/// Returns the kernels with bf16 operands for every contraction.
pub(crate) fn use_bf16(kernels: Kernels) -> Kernels {
    let Kernels { precision, buffers, kernels, outputs } = kernels;
    let out = Kernels { precision, buffers, kernels: Vec::new(), outputs };
    let mut pass = Bf16Operands { out, narrowed: HashMap::new(), widened: HashMap::new(), span: None };
    for kernel in kernels {
        pass.span = kernel.span;
        match kernel.work {
            Work::MatMul(product) => pass.matmul(product),
            Work::Convolve(product) => pass.convolve(product),
            work @ (Work::Nest(_) | Work::Pool(_) | Work::Cast(_)) => pass.push(work),
            work @ (Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_)) => pass.push(work),
        }
    }
    pass.out
}

struct Bf16Operands {
    out: Kernels,
    /// The bf16 copy of each buffer that has one. A write to the buffer removes its entry.
    narrowed: HashMap<BufferId, BufferId>,
    /// The bf16 copy with extra channels of zeros. A write to the buffer removes its entry.
    widened: HashMap<BufferId, BufferId>,
    /// The place in the model of the kernel that is rewritten.
    span: Option<Span>,
}

impl Bf16Operands {
    /// Appends work and forgets the copies of the buffers that it writes.
    fn push(&mut self, work: Work) {
        for written in work.writes() {
            self.narrowed.remove(&written);
            self.widened.remove(&written);
        }
        self.out.kernels.push(Kernel { work, span: self.span });
    }

    /// A new bf16 buffer as large as `like`.
    fn bf16_like(&mut self, like: BufferId) -> BufferId {
        self.bf16_of(like, self.out.buffers[like.index()].elements)
    }

    /// A new bf16 buffer of `elements` numbers, named after `like`.
    fn bf16_of(&mut self, like: BufferId, elements: usize) -> BufferId {
        let name = format!("half_{}", self.out.buffers[like.index()].name);
        self.out.buffers.push(Buffer { name, elements, location: Location::Scratch, dtype: Dtype::Bf16 });
        BufferId::new(self.out.buffers.len() - 1)
    }

    /// The bf16 copy of a buffer, made at the first call.
    fn narrow(&mut self, source: BufferId) -> BufferId {
        if let Some(&known) = self.narrowed.get(&source) {
            return known;
        }
        let target = self.bf16_like(source);
        self.push(Work::Cast(Cast::plain(source, target)));
        self.narrowed.insert(source, target);
        target
    }

    fn matmul(&mut self, mut product: MatMul) {
        product.a.buffer = self.narrow(product.a.buffer);
        product.b.buffer = self.narrow(product.b.buffer);
        self.push(Work::MatMul(product));
    }

    fn convolve(&mut self, mut product: Convolve) {
        let channels = product.images[3];
        if !is_matmul(&product) && channels < CHANNELS {
            return self.convolve_among_zeros(product, channels);
        }
        (product.a, product.b) = (self.narrow(product.a), self.narrow(product.b));
        // cuBLASLt computes 1 x 1 convolutions and can write f32. cuDNN writes bf16, so the result is widened afterwards, and
        // bias and ReLU follow in f32.
        if is_matmul(&product) {
            return self.push(Work::Convolve(product));
        }
        let (target, source) = (product.c, self.bf16_like(product.c));
        let cast = Cast { source, target, bias: product.bias, units: product.result[2], relu: product.relu };
        self.push(Work::Convolve(Convolve { c: source, bias: None, relu: false, ..product }));
        self.push(Work::Cast(cast));
    }

    /// The convolution with extra channels of zeros. In the forward pass images and filters get them. In a backward pass the
    /// operand that has channels gets them, and the extra channels of the result are dropped.
    fn convolve_among_zeros(&mut self, product: Convolve, channels: usize) {
        let wide = CHANNELS;
        let [batch, height, width, _] = product.images;
        let images = [batch, height, width, wide];
        let (target, units) = (product.c, product.result[2]);
        let (a, b) = match product.pass {
            Pass::Forward => (self.among_zeros(product.a, channels, wide), self.among_zeros(product.b, channels, wide)),
            Pass::BackwardData => (self.narrow(product.a), self.among_zeros(product.b, channels, wide)),
            Pass::BackwardFilter => (self.among_zeros(product.a, channels, wide), self.narrow(product.b)),
        };
        // The forward result has units, not channels: it keeps its shape.
        if product.pass == Pass::Forward {
            let source = self.bf16_like(target);
            let cast = Cast { source, target, bias: product.bias, units, relu: product.relu };
            self.push(Work::Convolve(Convolve { images, a, b, c: source, bias: None, relu: false, ..product }));
            return self.push(Work::Cast(cast));
        }
        // The gradient has the extra channels too. Only the first `channels` of each row are copied to the target.
        let rows = self.out.buffers[target.index()].elements / channels;
        let source = self.bf16_of(target, rows * wide);
        self.push(Work::Convolve(Convolve { images, a, b, c: source, ..product }));
        self.push(Work::Nest(columns([rows, channels], (source, wide), (target, channels))));
    }

    /// The bf16 copy of a buffer in rows of `channels` numbers, each filled up to `wide` numbers with zeros.
    fn among_zeros(&mut self, source: BufferId, channels: usize, wide: usize) -> BufferId {
        if let Some(&known) = self.widened.get(&source) {
            return known;
        }
        let rows = self.out.buffers[source.index()].elements / channels;
        let target = self.bf16_of(source, rows * wide);
        self.push(Work::Nest(among_zeros(rows, (source, channels), (target, wide))));
        self.widened.insert(source, target);
        target
    }
}

/// Copies the first `count` columns of each row.
fn columns([rows, count]: [usize; 2], from: (BufferId, usize), to: (BufferId, usize)) -> Nest {
    let mut nest = Nest { space: vec![rows, count], reduced: vec![false; 2], ..Nest::default() };
    let access =
        |(buffer, step): (BufferId, usize)| Access { buffer, at: Affine { offset: 0, strides: vec![step, 1] } };
    let value = nest.push(Expr::Load(access(from)));
    nest.stores.push(Store { access: access(to), value, after_reduction: false });
    nest
}

/// Copies rows into longer rows and fills the rest with zeros.
fn among_zeros(rows: usize, from: (BufferId, usize), to: (BufferId, usize)) -> Nest {
    let mut nest = Nest { space: vec![rows], reduced: vec![false], ..Nest::default() };
    let access =
        |(buffer, step): (BufferId, usize), offset| Access { buffer, at: Affine { offset, strides: vec![step] } };
    let mut values: Vec<ExprId> = (0..from.1).map(|column| nest.push(Expr::Load(access(from, column)))).collect();
    let zero = nest.push(Expr::Const(0.0));
    values.resize(to.1, zero);
    let store = |(column, value)| Store { access: access(to, column), value, after_reduction: false };
    nest.stores.extend(values.into_iter().enumerate().map(store));
    nest
}
