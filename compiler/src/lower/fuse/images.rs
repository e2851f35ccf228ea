//! Kernels for convolutions and pools, and the epilogues that they apply to numbers in registers: sums, ReLU masks and
//! max pools.

use super::lower::{Lowering, row_major};
use super::{Builder, Epilogues, epilogue, operand, pooled, relu_mask};
use crate::ir::graph::{Id, Op};
use crate::ir::kernels::{
    Affine, BufferId, Convolve, Dtype, Expr, Join, Location, Pass, Pool, Pooled, Pooling, Prepare, ReluMask, Work,
};
use crate::ir::window::Window;

/// The values that a convolution with a max pool inside writes for the gradient of the pool. Its own results are not
/// written.
#[derive(Clone, Copy)]
pub(super) struct FromArgmax {
    /// The convolution's results.
    results: Id,
    /// The position of the largest number in each window.
    argmax: BufferId,
    /// The largest number of each window, without its scale.
    unscaled_max: BufferId,
}

impl Builder<'_> {
    /// Lets the convolution that computes `operand` also sum it over all pixels. Returns false if no convolution can do
    /// that.
    pub(super) fn sum_inside(&mut self, operand: Id, target: BufferId) -> bool {
        let pooled = self.memory.pooled.get(&operand).map(|pooled| pooled.pool);
        let written = pooled.unwrap_or(operand);
        let (Epilogues::Inside, Some(buffer)) = (self.epilogues, self.storage[written.index()]) else { return false };
        let alike = |product: &Convolve| product.pooled.is_some() == pooled.is_some();
        match self.image_kernel(buffer) {
            Some(Work::Convolve(product))
                if alike(product)
                    && product.pass != Pass::BackwardFilter
                    && product.sums.is_none()
                    && !product.scales() =>
            {
                product.sums = Some(target);
                true
            }
            _ => false,
        }
    }

    /// The kernel of the convolution or pool that writes a buffer.
    fn image_kernel(&mut self, buffer: BufferId) -> Option<&mut Work> {
        let index = *self.image_kernels.get(&buffer)?;
        Some(&mut self.kernels.kernels[index].work)
    }

    /// Moves a reduction into the kernel that applies a ReLU mask. This is possible if `operand` is the masked gradient,
    /// or the product of the gradient with the ReLU's output. Returns false if it is not.
    pub(super) fn sum_at_relu_mask(&mut self, id: Id, operand: Id, target: BufferId) -> bool {
        let Some(&masked) = self.memory.relu_mask_behind(operand) else { return false };
        let Some(buffer) = self.storage[masked.last.index()] else { return false };
        let shape = self.graph.shape(operand).to_vec();
        let pooled = matches!(self.image_kernel(buffer), Some(Work::Pool(_)));
        // A pool computes one sum per image, since threads divide the images. The sum over images is a nest of its own.
        let partial = [if pooled { shape[0] } else { 1 }, 1, 1, shape[3]];
        let sums = if pooled {
            self.buffer(&format!("images{}", id.0), partial.iter().product(), Location::Scratch)
        } else {
            target
        };
        let found = match self.image_kernel(buffer) {
            Some(Work::Convolve(product)) => Some((&mut product.relu_mask, &mut product.sums)),
            Some(Work::Pool(pool)) => Some((&mut pool.relu_mask, &mut pool.sums)),
            Some(Work::Nest(_) | Work::MatMul(_) | Work::Spherical(_) | Work::SphericalGrad(_)) => None,
            Some(Work::Uniform(_) | Work::Cast(_)) | None => None,
        };
        let Some((Some(relu_mask), kept)) = found else { return false };
        // A ReLU mask has two sums: of the product with the ReLU's output, and of the masked gradient itself.
        let weighted = masked.weighted == Some(operand);
        *(if weighted { &mut relu_mask.weighted } else { kept }) = Some(sums);
        if pooled {
            let added = if weighted { self.added(&masked) } else { None };
            self.sum_images(id, sums, partial, added, target);
        }
        true
    }

    /// Emits the sum over images of a pool's sums per image. With `added`, the product of a shift and a total per channel
    /// is added.
    fn sum_images(&mut self, id: Id, images: BufferId, shape: [usize; 4], added: Option<[Id; 2]>, target: BufferId) {
        let load = |l: &mut Lowering, at: &[Affine]| l.load(images, &shape, at);
        let Some([shift, total]) = added else {
            return self.reduction(id, target, &shape, &[0], Join::Sum, load);
        };
        let one = [1, 1, 1, shape[3]];
        let largest = self.buffer(&format!("largest{}", id.0), shape[3], Location::Scratch);
        self.reduction(id, largest, &shape, &[0], Join::Sum, load);
        self.map(id, &one, target, 0, &row_major(&one), |l, at| {
            let (sum, shift, total) = (l.load(largest, &one, at), l.value(shift, at), l.value(total, at));
            let product = l.nest.push(Expr::Apply(Op::Mul, vec![shift, total]));
            l.nest.push(Expr::Apply(Op::Add, vec![sum, product]))
        });
    }

    /// The shift of a gradient that comes from an argmax, and the sum of all results of the convolution.
    ///
    /// Such a gradient has numbers only at the largest pixels of windows, but the shift is added at every pixel. Its
    /// contribution to the sum of gradient times result is therefore the shift times the sum of all results.
    fn added(&self, masked: &relu_mask::MaskedGradient) -> Option<[Id; 2]> {
        let from_argmax = self.from_argmax.get(&masked.gradient)?;
        masked.shift.zip(self.memory.pooled.get(&from_argmax.results)?.total).map(<[Id; 2]>::from)
    }

    /// The ReLU mask of a gradient, if it has one.
    fn relu_mask(&self, gradient: Id) -> Option<ReluMask> {
        let masked = self.memory.relu_mask_of(gradient)?;
        let scale = masked.scale.and_then(|scale| self.storage[scale.index()]);
        let shift = masked.shift.and_then(|shift| self.operand(shift));
        let relu_output = match self.from_argmax.get(&gradient) {
            Some(from_argmax) => from_argmax.unscaled_max,
            None => self.operand(masked.relu_output)?,
        };
        Some(ReluMask { relu_output, shift, scale, weighted: None })
    }

    pub(super) fn forward(&mut self, results: Id, epilogue: epilogue::Epilogue, window: Window, target: BufferId) {
        let bias = epilogue.bias.and_then(|bias| self.storage[bias.index()]);
        let pooled = self.memory.pooled.get(&results).copied().map(|pooled| self.inside(results, pooled, target));
        if let Some(product) = self.convolve(epilogue.product, window, Pass::Forward, target) {
            self.emit(epilogue.product, Work::Convolve(Convolve { bias, relu: epilogue.relu, pooled, ..product }));
        }
    }

    /// The max pool inside a convolution: the buffers that the convolution writes instead of its results.
    fn inside(&mut self, results: Id, pooled: pooled::Pooled, target: BufferId) -> Pooled {
        let count: usize = self.graph.shape(pooled.pool).iter().product();
        let scale = pooled.scale.and_then(|scale| self.operand(scale));
        let number = pooled.pool.0;
        let largest = pooled.largest.then(|| self.buffer(&format!("largest{number}"), count, Location::Scratch));
        let argmax = pooled.gradient.map(|gradient| {
            let argmax = self.typed(&format!("argmax{number}"), count, Location::Scratch, Dtype::U8);
            self.from_argmax.insert(gradient, FromArgmax { argmax, unscaled_max: largest.unwrap_or(target), results });
            argmax
        });
        Pooled { scale, unscaled_max: largest, argmax }
    }

    pub(super) fn convolution(&mut self, id: Id, window: Window, pass: Pass, target: BufferId) {
        if let Some(product) = self.convolve(id, window, pass, target) {
            let relu_mask = self.relu_mask(id);
            self.emit(id, Work::Convolve(Convolve { relu_mask, ..product }));
        }
    }

    /// A convolution in one of its passes, without epilogues.
    fn convolve(&self, id: Id, window: Window, pass: Pass, c: BufferId) -> Option<Convolve> {
        let [first, second, ref affine @ ..] = self.graph[id].inputs[..] else { return None };
        // A scale of 1 and a shift of 0 are left out: they have no memory (`memory::mark_convolution`).
        let prepare = match affine {
            [scale, shift] => Prepare {
                scale: (!operand::is_number(self.graph, *scale, 1.0)).then(|| self.operand(*scale)).flatten(),
                shift: (!operand::is_number(self.graph, *shift, 0.0)).then(|| self.operand(*shift)).flatten(),
            },
            _ => Prepare::default(),
        };
        // `x` has the shape of the images and `y` that of the result, whichever of them this pass computes.
        let (x, y) = match pass {
            Pass::Forward => (first, id),
            Pass::BackwardData => (id, first),
            Pass::BackwardFilter => (first, second),
        };
        let (images, result) = (image_shape(self.graph.shape(x)), image_shape(self.graph.shape(y)));
        let (a, b) = (self.operand(first)?, self.operand(second)?);
        let result = [result[1], result[2], result[3]];
        Some(Convolve {
            pass,
            window,
            images,
            result,
            a,
            b,
            c,
            prepare,
            bias: None,
            relu: false,
            pooled: None,
            relu_mask: None,
            sums: None,
        })
    }

    pub(super) fn pool(&mut self, id: Id, window: Window, pooling: Pooling, target: BufferId) {
        let inputs = self.graph[id].inputs.clone();
        let (x, dy, scale) = match pooling {
            Pooling::Max | Pooling::Sum => (Some(inputs[0]), None, inputs.get(1)),
            Pooling::MaxGradient => (Some(inputs[0]), Some(inputs[1]), inputs.get(2)),
            Pooling::SumGradient => (None, Some(inputs[0]), None),
        };
        let images = image_shape(self.graph.shape(x.unwrap_or(id)));
        let [_, height, width, _] = image_shape(self.graph.shape(dy.unwrap_or(id)));
        let operand = |id: Option<Id>| id.and_then(|id| self.operand(id));
        let argmax = self.from_argmax.get(&id).map(|from_argmax| from_argmax.argmax);
        let (x, scale) = if argmax.is_some() { (None, None) } else { (operand(x), operand(scale.copied())) };
        let (dy, result, relu_mask, sums) = (operand(dy), [height, width], self.relu_mask(id), None);
        self.emit(
            id,
            Work::Pool(Pool { pooling, window, images, result, x, scale, argmax, dy, relu_mask, sums, target }),
        );
    }
}

/// Sizes of a batch of images.
fn image_shape(shape: &[usize]) -> [usize; 4] {
    std::array::from_fn(|axis| shape.get(axis).copied().unwrap_or(1))
}
