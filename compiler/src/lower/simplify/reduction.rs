//! Rules for reductions and matmuls: sums of broadcasts, sums of sums, and matmuls with an inner or outer size of 1.

use super::Rewriter;
use crate::ir::graph::{Id, Op};
use crate::ir::window::Window;

/// Does every window contain at least one pixel of the image?
fn covers(window: &Window, image: &[usize], pooled: &[usize]) -> bool {
    (0..2).all(|axis| {
        let last = pooled[axis + 1].saturating_sub(1).saturating_mul(window.stride[axis]);
        window.before[axis] < window.kernel[axis] && last < image[axis + 1].saturating_add(window.before[axis])
    })
}

impl Rewriter {
    pub(super) fn sum(&mut self, id: Id, axes: &[usize]) -> Option<Id> {
        let axes: Vec<usize> = axes.iter().copied().filter(|&axis| self.shape(id)[axis] != 1).collect();
        if axes.is_empty() {
            return Some(id);
        }
        let operands = self.graph[id].inputs.clone();
        match self.op(id).clone() {
            Op::Sum(inner) => {
                let mut all = [inner, axes].concat();
                all.sort_unstable();
                self.sum_of(operands[0], &all)
            }
            Op::Broadcast => self.sum_of_repeated(operands[0], id, &axes),
            Op::Neg => {
                let sum = self.sum_of(operands[0], &axes)?;
                let shape = self.shape(sum).to_vec();
                Some(self.node(&Op::Neg, &[sum], &shape))
            }
            // Each window passes its gradient to exactly one pixel, so the sums before and after are equal.
            Op::MaxPoolGrad(window)
                if axes == [0, 1, 2] && covers(&window, self.shape(id), self.shape(operands[1])) =>
            {
                self.sum_of(operands[1], &axes)
            }
            // A factor that is constant along the summed axes can be applied after the sum.
            Op::Mul => {
                let (factor, other) = self.factor_along(id, &axes)?;
                let sum = self.sum_of(other, &axes)?;
                let shape = self.shape(sum).to_vec();
                let factor = self.broadcast(factor, &shape);
                Some(self.node(&Op::Mul, &[sum, factor], &shape))
            }
            _ => None,
        }
    }

    /// Finds a factor of the product `id` that is broadcast along all of the axes. Returns the factor before its
    /// broadcast, and the product without it. The factor is an operand of the product, or a factor of an operand that
    /// nothing else uses.
    fn factor_along(&mut self, id: Id, axes: &[usize]) -> Option<(Id, Id)> {
        let [a, b] = [self.graph[id].inputs[0], self.graph[id].inputs[1]];
        for (factor, other) in [(b, a), (a, b)] {
            if let Some(source) = self.repeated(factor).filter(|&s| axes.iter().all(|&axis| self.shape(s)[axis] == 1)) {
                return Some((source, other));
            }
        }
        for (product, other) in [(a, b), (b, a)] {
            if *self.op(product) == Op::Mul && self.used_once(product) {
                let Some((source, rest)) = self.factor_along(product, axes) else { continue };
                let shape = self.shape(id).to_vec();
                return Some((source, self.node(&Op::Mul, &[rest, other], &shape)));
            }
        }
        None
    }

    fn sum_of(&mut self, id: Id, axes: &[usize]) -> Option<Id> {
        if let Some(simpler) = self.sum(id, axes) {
            return Some(simpler);
        }
        let shape = self.reduced_shape(id, axes);
        Some(self.push(Op::Sum(axes.to_vec()), &[id], &shape))
    }

    fn reduced_shape(&self, id: Id, axes: &[usize]) -> Vec<usize> {
        let sizes = self.shape(id).iter().enumerate();
        sizes.map(|(axis, &size)| if axes.contains(&axis) { 1 } else { size }).collect()
    }

    /// The sum along a broadcast axis is the operand times the size of that axis.
    fn sum_of_repeated(&mut self, source: Id, repeated: Id, axes: &[usize]) -> Option<Id> {
        let (real, copied): (Vec<usize>, Vec<usize>) = axes.iter().partition(|&&axis| self.shape(source)[axis] != 1);
        if copied.is_empty() {
            return None;
        }
        let count: usize = copied.iter().map(|&axis| self.shape(repeated)[axis]).product();
        let target = self.reduced_shape(repeated, axes);
        let sum = if real.is_empty() { source } else { self.sum_of(source, &real)? };
        let shape = self.shape(sum).to_vec();
        let factor = self.full(count as f64, &shape);
        let scaled = self.node(&Op::Mul, &[sum, factor], &shape);
        Some(self.broadcast(scaled, &target))
    }

    pub(super) fn max_over(&mut self, id: Id, axes: &[usize]) -> Option<Id> {
        axes.iter().all(|&axis| self.shape(id)[axis] == 1).then_some(id)
    }

    /// Makes transposes of operands part of the matmul. A matmul with an inner size of 1 becomes an elementwise product,
    /// and one with an outer size of 1 a sum of products.
    pub(super) fn product(&mut self, inputs: &[Id], transposed: [bool; 2], shape: &[usize]) -> Option<Id> {
        for side in 0..2 {
            if matches!(self.op(inputs[side]), Op::Transpose(_)) {
                let mut inputs = inputs.to_vec();
                inputs[side] = self.graph[inputs[side]].inputs[0];
                let mut transposed = transposed;
                transposed[side] = !transposed[side];
                let op = Op::MatMul { transpose_a: transposed[0], transpose_b: transposed[1] };
                return Some(self.node(&op, &inputs, shape));
            }
        }
        let [a, b] = [inputs[0], inputs[1]];
        let (m, n) = (shape[0], shape[1]);
        // Elementwise operations and sums can share loops with others. A matmul is always a kernel of its own.
        let k = self.shape(a)[usize::from(!transposed[0])];
        if k == 1 {
            let (a, b) = (self.reshape(a, &[m, 1]), self.reshape(b, &[1, n]));
            let (a, b) = (self.broadcast(a, shape), self.broadcast(b, shape));
            return Some(self.node(&Op::Mul, &[a, b], shape));
        }
        if n == 1 {
            return self.product_with_vector(a, b, transposed[0], k, shape);
        }
        if m == 1 {
            return self.product_with_vector(b, a, !transposed[1], k, shape);
        }
        None
    }

    /// A matrix `[m, k]`, or `[k, m]` if `turned`, times a vector of k numbers, as a sum that fusion can combine with
    /// other loops.
    fn product_with_vector(&mut self, matrix: Id, vector: Id, turned: bool, k: usize, shape: &[usize]) -> Option<Id> {
        let full = self.shape(matrix).to_vec();
        let (axis, line) = if turned { (0, [k, 1]) } else { (1, [1, k]) };
        let vector = self.reshape(vector, &line);
        let vector = self.broadcast(vector, &full);
        let terms = self.node(&Op::Mul, &[matrix, vector], &full);
        let sum = self.sum_of(terms, &[axis])?;
        Some(self.reshape(sum, shape))
    }
}
