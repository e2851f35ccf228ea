//! Convolutions and pools as kernels, and what they do with numbers that they have at hand: sums, gates, the largest of windows.

use super::lower::{Lowering, row_major};
use super::{Builder, Epilogues, gate, operand, pooled, tail};
use crate::graph::{Id, Op};
use crate::kernels::{Affine, BufferId, Convolve, Expr, Gate, Join, Pass, Place, Pool, Pooled, Pooling, Prepare, Work};
use crate::window::Window;

/// What is known of a pool whose results were never written.
#[derive(Clone, Copy)]
pub(super) struct Marked {
    /// The convolution's results.
    results: Id,
    /// Where each of the largest was.
    marks: BufferId,
    /// The largest without their factor.
    largest: BufferId,
}

impl Builder<'_> {
    /// Lets the convolution that computes `operand` sum it over all pixels, if it is one.
    pub(super) fn sum_inside(&mut self, operand: Id, target: BufferId) -> bool {
        let pooled = self.memory.pooled.get(&operand).map(|pooled| pooled.pool);
        let written = pooled.unwrap_or(operand);
        let (Epilogues::Inside, Some(buffer)) = (self.epilogues, self.storage[written.index()]) else { return false };
        let convolution = self.kernels.kernels.iter_mut().rev().find_map(|kernel| match &mut kernel.work {
            Work::Convolve(product) if product.c == buffer && product.pooled.is_some() == pooled.is_some() => {
                Some(product)
            }
            _ => None,
        });
        match convolution {
            Some(product) if product.pass != Pass::Weight && product.sums.is_none() && !product.scales() => {
                product.sums = Some(target);
                true
            }
            _ => false,
        }
    }

    /// Lets whatever takes a gradient through a rectifier's sum what is kept of it, or all of it times what the rectifier gave,
    /// if that is what `operand` is.
    pub(super) fn sum_at_gate(&mut self, id: Id, operand: Id, target: BufferId) -> bool {
        let passes = |gated: &&gate::Gated| gated.kept == operand || gated.weighted == Some(operand);
        let Some(&gated) = self.memory.gates.values().find(passes) else { return false };
        let Some(buffer) = self.storage[gated.last.index()] else { return false };
        let shape = self.graph.shape(operand).to_vec();
        let pooled =
            self.kernels.kernels.iter().any(|kernel| matches!(&kernel.work, Work::Pool(p) if p.target == buffer));
        // A pool takes them for each image.
        let partial = [if pooled { shape[0] } else { 1 }, 1, 1, shape[3]];
        let sums = if pooled {
            self.buffer(&format!("images{}", id.0), partial.iter().product(), Place::Scratch)
        } else {
            target
        };
        let found = self.kernels.kernels.iter_mut().find_map(|kernel| match &mut kernel.work {
            Work::Convolve(product) if product.c == buffer => Some((&mut product.gate, &mut product.sums)),
            Work::Pool(pool) if pool.target == buffer => Some((&mut pool.gate, &mut pool.sums)),
            _ => None,
        });
        let Some((Some(gate), kept)) = found else { return false };
        let weighted = gated.weighted == Some(operand);
        *(if weighted { &mut gate.weighted } else { kept }) = Some(sums);
        if pooled {
            let added = if weighted { self.added(&gated) } else { None };
            self.sum_images(id, sums, partial, added, target);
        }
        true
    }

    /// Adds up what a pool summed for each image, and a product of two numbers a channel to that.
    fn sum_images(&mut self, id: Id, images: BufferId, shape: [usize; 4], added: Option<[Id; 2]>, target: BufferId) {
        let load = |l: &mut Lowering, at: &[Affine]| l.load(images, &shape, at);
        let Some([shift, total]) = added else {
            return self.reduction(id, target, &shape, &[0], Join::Sum, load);
        };
        let one = [1, 1, 1, shape[3]];
        let largest = self.buffer(&format!("largest{}", id.0), shape[3], Place::Scratch);
        self.reduction(id, largest, &shape, &[0], Join::Sum, load);
        self.map(id, &one, target, 0, &row_major(&one), |l, at| {
            let (sum, shift, total) = (l.load(largest, &one, at), l.value(shift, at), l.value(total, at));
            let product = l.nest.push(Expr::Apply(Op::Mul, vec![shift, total]));
            l.nest.push(Expr::Apply(Op::Add, vec![sum, product]))
        });
    }

    /// What is added to every pixel of a gradient from marks, and the sum of all results, which it is to be multiplied with: the
    /// largest of windows say nothing of the other pixels.
    fn added(&self, gated: &gate::Gated) -> Option<[Id; 2]> {
        let marked = self.marked.get(&gated.gradient)?;
        gated.shift.zip(self.memory.pooled.get(&marked.results)?.total).map(<[Id; 2]>::from)
    }

    /// What a gate does, where its gradient passes one.
    fn gate(&self, gradient: Id) -> Option<Gate> {
        let gated = self.memory.gates.values().find(|gated| gated.gradient == gradient)?;
        let scale = gated.scale.and_then(|scale| self.storage[scale.index()]);
        let shift = gated.shift.and_then(|shift| self.operand(shift));
        let rectified = match self.marked.get(&gradient) {
            Some(marked) => marked.largest,
            None => self.operand(gated.rectified)?,
        };
        Some(Gate { rectified, shift, scale, weighted: None })
    }

    pub(super) fn forward(&mut self, results: Id, tail: tail::Tail, window: Window, target: BufferId) {
        let bias = tail.bias.and_then(|bias| self.storage[bias.index()]);
        let pooled = self.memory.pooled.get(&results).copied().map(|pooled| self.inside(results, pooled, target));
        if let Some(product) = self.convolve(tail.product, window, Pass::Forward, target) {
            self.emit(tail.product, Work::Convolve(Convolve { bias, relu: tail.relu, pooled, ..product }));
        }
    }

    /// What a convolution stores of windows of its results.
    fn inside(&mut self, results: Id, pooled: pooled::Pooled, target: BufferId) -> Pooled {
        let count: usize = self.graph.shape(pooled.pool).iter().product();
        let scale = pooled.scale.and_then(|scale| self.operand(scale));
        let number = pooled.pool.0;
        let largest = pooled.largest.then(|| self.buffer(&format!("largest{number}"), count, Place::Scratch));
        let marks = pooled.gradient.map(|gradient| {
            // Four bytes are a number, whatever the precision.
            let marks = self.buffer(&format!("marks{number}"), count.div_ceil(4), Place::Scratch);
            self.marked.insert(gradient, Marked { marks, largest: largest.unwrap_or(target), results });
            marks
        });
        Pooled { scale, largest, marks }
    }

    pub(super) fn convolution(&mut self, id: Id, window: Window, pass: Pass, target: BufferId) {
        if let Some(product) = self.convolve(id, window, pass, target) {
            let gate = self.gate(id);
            self.emit(id, Work::Convolve(Convolve { gate, ..product }));
        }
    }

    fn convolve(&self, id: Id, window: Window, pass: Pass, c: BufferId) -> Option<Convolve> {
        let [first, second, ref affine @ ..] = self.graph[id].inputs[..] else { return None };
        let prepare = match affine {
            [scale, shift] => Prepare {
                scale: (!operand::is_number(self.graph, *scale, 1.0)).then(|| self.operand(*scale)).flatten(),
                shift: (!operand::is_number(self.graph, *shift, 0.0)).then(|| self.operand(*shift)).flatten(),
            },
            _ => Prepare::default(),
        };
        let (x, y) = match pass {
            Pass::Forward => (first, id),
            Pass::Input => (id, first),
            Pass::Weight => (first, second),
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
            gate: None,
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
        let marks = self.marked.get(&id).map(|marked| marked.marks);
        let (x, scale) = if marks.is_some() { (None, None) } else { (operand(x), operand(scale.copied())) };
        let (dy, result, gate, sums) = (operand(dy), [height, width], self.gate(id), None);
        self.emit(id, Work::Pool(Pool { pooling, window, images, result, x, scale, marks, dy, gate, sums, target }));
    }
}

/// Sizes of a batch of images.
fn image_shape(shape: &[usize]) -> [usize; 4] {
    std::array::from_fn(|axis| shape.get(axis).copied().unwrap_or(1))
}
