//! Contractions: what libraries compute, and what has to be done around them because libraries cannot.
//!
//! ```text
//! filters [channels kh kw, units]      packed to [units, kh, kw, channels] before a convolution, unpacked after its gradient
//! a factor for each channel            goes into the filters (they are small), or into their gradient
//! factors and summands                 the images are prepared in a pass of their own, once for convolution and gradient
//! 1 x 1 convolutions                   are matrix products: no packing
//! more padding on one side than on the other   becomes zeros in a copy of the images, see `pad`
//! ```
//!
//! Zero padding comes after a summand, which is why that cannot go into the filters and a bias.

use super::launch::{Convolution, Operand, Product, Work};
use super::layout::Layout;
use super::pad;
use crate::graph::Op;
use crate::kernels::{
    self, Access, Affine, Buffer, BufferId, Convolve, Expr, ExprId, Kernel, Kernels, MatMul, Matrix, Nest, Pass, Place,
    Prepare, Store,
};
use gmpc_grammar::source::Span;
use std::collections::HashMap;

/// Kernels in which every convolution is one that libraries have.
pub(super) fn prepare(kernels: &Kernels) -> Kernels {
    let mut packing = Packing {
        out: Kernels { buffers: kernels.buffers.clone(), kernels: Vec::new(), outputs: kernels.outputs.clone() },
        known: HashMap::new(),
        span: None,
    };
    for kernel in &kernels.kernels {
        packing.span = kernel.span;
        match &kernel.work {
            kernels::Work::Convolve(product) => packing.convolve(product),
            work => packing.push(work.clone()),
        }
    }
    packing.out.drop_unread();
    packing.out
}

/// What a buffer was made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Made {
    /// Filters, times a factor for each channel.
    Filters(BufferId, Option<BufferId>),
    /// Images, times a factor, plus a summand.
    Images(BufferId, Option<BufferId>, BufferId),
    /// Images among zeros, of this height and width, with so many above and to the left.
    Padded(BufferId, [usize; 2], [usize; 2]),
}

struct Packing {
    out: Kernels,
    /// What is there already, as long as nothing that it was made of is written.
    known: HashMap<Made, BufferId>,
    /// The line of the convolution.
    span: Option<Span>,
}

impl Packing {
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
        let buffer = Buffer { name, elements, place: Place::Scratch, half: false };
        self.out.buffers.push(buffer);
        BufferId(u32::try_from(self.out.buffers.len() - 1).unwrap_or(u32::MAX))
    }

    fn convolve(&mut self, product: &Convolve) {
        let Prepare { scale, shift } = product.prepare;
        let mut product = Convolve { prepare: Prepare::default(), ..product.clone() };
        let scale = match shift {
            Some(shift) if product.pass != Pass::Input => {
                product.a = self.images(&product, scale, shift);
                None
            }
            _ => scale,
        };
        let grown = pad::grown(&product).filter(|_| !is_product(&product));
        match (product.pass, grown) {
            (_, None) => {}
            (Pass::Forward | Pass::Weight, Some(size)) => product = self.padded(product, size),
            (Pass::Input, Some(size)) => return self.cropped(product, size, scale),
        }
        match product.pass {
            Pass::Forward | Pass::Input => {
                product.b = self.filters(&product, scale);
                self.push(kernels::Work::Convolve(product));
            }
            Pass::Weight => self.weight(product, scale),
        }
    }

    /// The same on images among zeros.
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

    /// The gradient at images among zeros, of which the zeros' is dropped.
    fn cropped(&mut self, product: Convolve, size: [usize; 2], scale: Option<BufferId>) {
        let grown = self.scratch_of("padded", product.c, pad::elements(&product, size));
        let nest = pad::crop(&product, grown, product.c, size);
        let mut whole = Convolve { c: grown, ..pad::without(product, size) };
        whole.b = self.filters(&whole, scale);
        self.push(kernels::Work::Convolve(whole));
        self.push(kernels::Work::Nest(nest));
    }

    /// The images after their factors and summands.
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
        let summand = load(&mut nest, shift, &[0, 1]);
        let value = nest.push(Expr::Apply(Op::Add, vec![value, summand]));
        self.finish(nest, target, &[c, 1], value);
        self.known.insert(made, target);
        target
    }

    /// Filters as the library wants them.
    fn filters(&mut self, product: &Convolve, scale: Option<BufferId>) -> BufferId {
        let [taps, channels, units] = sizes(product);
        if taps == 1 && is_product(product) && scale.is_none() {
            return product.b;
        }
        let made = Made::Filters(product.b, scale);
        if let Some(&known) = self.known.get(&made) {
            return known;
        }
        let target = self.scratch("packed", product.b);
        let packed = if is_product(product) { [1, units, units] } else { [taps * channels, channels, 1] };
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

    /// The gradient at the filters, unpacked.
    fn weight(&mut self, product: Convolve, scale: Option<BufferId>) {
        let [taps, channels, units] = sizes(&product);
        let pointwise = is_product(&product);
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

    fn finish(&mut self, mut nest: Nest, target: BufferId, strides: &[usize], value: ExprId) {
        let access = Access { buffer: target, at: Affine { offset: 0, strides: strides.to_vec() } };
        nest.stores.push(Store { access, value, late: false });
        self.push(kernels::Work::Nest(nest));
    }
}

fn load(nest: &mut Nest, buffer: BufferId, strides: &[usize]) -> ExprId {
    nest.push(Expr::Load(Access { buffer, at: Affine { offset: 0, strides: strides.to_vec() } }))
}

/// Places of the window, channels, units.
fn sizes(product: &Convolve) -> [usize; 3] {
    [product.window.area(), product.images[3], product.result[2]]
}

/// Is the convolution a matrix product of pixels and filters?
pub(super) fn is_product(product: &Convolve) -> bool {
    product.window.is_pointwise()
}

/// `convolve`, `convolve_input`, `convolve_weight`
pub(super) fn word(pass: Pass) -> &'static str {
    match pass {
        Pass::Forward => "convolve",
        Pass::Input => "convolve_input",
        Pass::Weight => "convolve_weight",
    }
}

/// A matrix product as a launch.
pub(super) fn product(layout: &Layout, MatMul { m, n, k, a, b, c, bias, relu }: &MatMul) -> Work {
    let operand = |matrix: &Matrix, written: bool| Operand {
        region: layout.region(matrix.buffer, !written, written),
        offset: matrix.offset,
        rows: matrix.rows,
        columns: matrix.columns,
    };
    let row = |&(buffer, offset): &(BufferId, usize)| operand(&Matrix { buffer, offset, rows: *n, columns: 1 }, false);
    Work::Product(Product {
        m: *m,
        n: *n,
        k: *k,
        a: operand(a, false),
        b: operand(b, false),
        c: operand(c, true),
        bias: bias.as_ref().map(row),
        relu: *relu,
        contractions: layout.contractions,
        half: layout.is_half(c.buffer),
    })
}

/// A convolution as a launch.
pub(super) fn convolution(layout: &Layout, product: &Convolve) -> Work {
    if is_product(product) {
        return self::product(layout, &pointwise(product));
    }
    Work::Convolution(Convolution {
        pass: product.pass,
        window: product.window,
        images: product.images,
        result: product.result,
        a: layout.region(product.a, true, false),
        b: layout.region(product.b, true, false),
        c: layout.region(product.c, false, true),
        bias: product.bias.map(|bias| layout.region(bias, true, false)),
        relu: product.relu,
        contractions: layout.contractions,
    })
}

/// Pixels `[n h w, channels]`, filters `[channels, units]`, results `[n h w, units]`.
fn pointwise(product: &Convolve) -> MatMul {
    let [_, channels, units] = sizes(product);
    let pixels: usize = product.images[..3].iter().product();
    let plain = |buffer: BufferId, columns: usize| Matrix { buffer, offset: 0, rows: columns, columns: 1 };
    let turned = |buffer: BufferId, rows: usize| Matrix { buffer, offset: 0, rows: 1, columns: rows };
    let (m, n, k, a, b, c) = match product.pass {
        Pass::Forward => (pixels, units, channels, plain(product.a, channels), plain(product.b, units), units),
        Pass::Input => (pixels, channels, units, plain(product.a, units), turned(product.b, units), channels),
        Pass::Weight => (channels, units, pixels, turned(product.a, channels), plain(product.b, units), units),
    };
    let bias = product.bias.map(|bias| (bias, 0));
    MatMul { m, n, k, a, b, c: plain(product.c, c), bias, relu: product.relu }
}
