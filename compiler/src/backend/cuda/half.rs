//! `precision = bf16`: what libraries multiply is rounded to bfloat16 before. Copies that can be spared are taken out afterwards, see
//! `settle`.
//!
//! ```text
//! c = a b             h1 = narrow a                once for all products that read it, until it is written again
//!                     h2 = narrow b
//!                     c  = h1 h2                   sums, bias and result in single precision
//!
//! y = convolve x w    h3 = convolve h1 h2          cuDNN sums in single precision, and gives what it is given: bfloat16
//!                     y  = max 0, widen h3 + bias
//! ```

use super::library::is_product;
use crate::experiment::Contractions;
use crate::kernels::{Buffer, BufferId, Convolve, Kernel, Kernels, MatMul, Place, Round, Rounding, Work};
use gmpc_grammar::source::Span;
use std::collections::HashMap;

/// The same kernels with every contraction on rounded operands; unchanged where numbers stay whole.
pub(super) fn halve(kernels: Kernels, contractions: Contractions) -> Kernels {
    if contractions != Contractions::Bf16 {
        return kernels;
    }
    let out = Kernels { buffers: kernels.buffers, kernels: Vec::new(), outputs: kernels.outputs };
    let mut halving = Halving { out, narrowed: HashMap::new(), span: None };
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
    /// The line of the contraction.
    span: Option<Span>,
}

impl Halving {
    fn push(&mut self, work: Work) {
        for written in work.writes() {
            self.narrowed.remove(&written);
        }
        self.out.kernels.push(Kernel { work, span: self.span });
    }

    /// Room for the rounded numbers of a buffer.
    fn half(&mut self, like: BufferId) -> BufferId {
        let Buffer { name, elements, .. } = &self.out.buffers[like.index()];
        let buffer = Buffer { name: format!("half_{name}"), elements: *elements, place: Place::Scratch, half: true };
        self.out.buffers.push(buffer);
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
        (product.a, product.b) = (self.narrow(product.a), self.narrow(product.b));
        if is_product(&product) {
            return self.push(Work::Convolve(product));
        }
        let (target, source) = (product.c, self.half(product.c));
        let rounding = Rounding::Widen { bias: product.bias, units: product.result[2], relu: product.relu };
        self.push(Work::Convolve(Convolve { c: source, bias: None, relu: false, ..product }));
        self.push(Work::Round(Round { source, target, rounding }));
    }
}
