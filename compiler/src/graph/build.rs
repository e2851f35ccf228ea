//! Adding nodes: one method an operation, each computing its result's shape.
//!
//! The stages before have checked shapes in the user's words; a mismatch here is a bug of ours and panics in debug
//! builds with the operands in hand. Scalars broadcast by themselves, other broadcasts are asked for.

use super::{Graph, Id, Input, Node, Op, Output, Shape, State};
use crate::window::Window;
use gmpc_grammar::source::Span;

impl Graph {
    /// The shape of a node.
    #[must_use]
    pub fn shape(&self, id: Id) -> &[usize] {
        &self[id].shape
    }

    /// Every node, operands first.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(Id)
    }

    /// Adds a node with its shape already known.
    pub fn push(&mut self, op: Op, inputs: Vec<Id>, shape: Shape) -> Id {
        self.nodes.push(Node { op, inputs, shape, span: None });
        Id(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    /// Gives every node from `from` on, that has none yet, the place that asked for it.
    pub fn mark(&mut self, from: usize, span: Span) {
        for node in self.nodes.iter_mut().skip(from).filter(|n| n.span.is_none()) {
            node.span = Some(span);
        }
    }

    /// Declares an input and reads it.
    pub fn input(&mut self, name: impl Into<String>, shape: Shape) -> Id {
        self.inputs.push(Input { name: name.into(), shape: shape.clone() });
        self.push(Op::Input(self.inputs.len() - 1), vec![], shape)
    }

    /// Declares a state and reads its old value; returns its index too.
    pub fn state(&mut self, state: State) -> (usize, Id) {
        let shape = state.shape.clone();
        self.states.push(state);
        let index = self.states.len() - 1;
        (index, self.push(Op::State(index), vec![], shape))
    }

    /// Hands a value out under a name.
    pub fn output(&mut self, name: impl Into<String>, id: Id) {
        self.outputs.push(Output::Value { name: name.into(), id });
    }

    /// Sets the new value of a state.
    pub fn write(&mut self, state: usize, id: Id) {
        debug_assert_eq!(self.states[state].shape, self[id].shape, "new value of {}", self.states[state].name);
        self.outputs.push(Output::Write { state, id });
    }

    /// A number, shape `[]`.
    pub fn constant(&mut self, value: f64) -> Id {
        self.push(Op::Const(value), vec![], vec![])
    }

    /// A number repeated to a shape.
    pub fn full(&mut self, value: f64, shape: &[usize]) -> Id {
        let scalar = self.constant(value);
        self.expand(scalar, shape)
    }

    /// Repeats axes of size 1 to `shape`; missing axes are put in front first.
    pub fn expand(&mut self, id: Id, shape: &[usize]) -> Id {
        if self.shape(id) == shape {
            return id;
        }
        let ones = self.with_rank(id, shape.len());
        if self.shape(ones) == shape {
            return ones;
        }
        debug_assert!(
            self.shape(ones).iter().zip(shape).all(|(a, b)| a == b || *a == 1),
            "broadcast {:?} to {shape:?}",
            self.shape(ones)
        );
        self.push(Op::Broadcast, vec![ones], shape.to_vec())
    }

    /// Axes of size 1 put in front, until there are `rank`.
    fn with_rank(&mut self, id: Id, rank: usize) -> Id {
        let shape = self.shape(id);
        let axes: Vec<usize> =
            std::iter::repeat_n(1, rank.saturating_sub(shape.len())).chain(shape.iter().copied()).collect();
        self.reshape(id, &axes)
    }

    /// An elementwise operation with one operand.
    pub fn unary(&mut self, op: Op, a: Id) -> Id {
        let shape = self.shape(a).to_vec();
        self.push(op, vec![a], shape)
    }

    /// An elementwise operation with two operands; axes are matched from the last on, and one that is missing or of size 1
    /// is repeated to fit the other.
    pub fn binary(&mut self, op: Op, a: Id, b: Id) -> Id {
        let shape = self.common_shape(a, b);
        let (a, b) = (self.expand(a, &shape), self.expand(b, &shape));
        self.push(op, vec![a, b], shape)
    }

    /// The shape two operands are repeated to, if they fit together.
    #[must_use]
    pub fn fitted_shape(&self, a: Id, b: Id) -> Option<Shape> {
        let (a, b) = (self.shape(a), self.shape(b));
        let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
        let ones = std::iter::repeat_n(&1, long.len() - short.len());
        let pairs = long.iter().zip(ones.chain(short));
        pairs.map(|(&x, &y)| if x == y || y == 1 { Some(x) } else { (x == 1).then_some(y) }).collect()
    }

    fn common_shape(&self, a: Id, b: Id) -> Shape {
        let shape = self.fitted_shape(a, b);
        debug_assert!(shape.is_some(), "{:?} with {:?}", self.shape(a), self.shape(b));
        shape.unwrap_or_else(|| self.shape(a).to_vec())
    }

    /// a + b
    pub fn add(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op::Add, a, b)
    }

    /// a - b
    pub fn sub(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op::Sub, a, b)
    }

    /// a b
    pub fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op::Mul, a, b)
    }

    /// a / b
    pub fn div(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op::Div, a, b)
    }

    /// a times a number
    pub fn scale(&mut self, a: Id, factor: f64) -> Id {
        let factor = self.constant(factor);
        self.mul(a, factor)
    }

    /// `b` where `a` is not 0, else `c`; `b` and `c` are repeated to the shape of `a`.
    pub fn select(&mut self, a: Id, b: Id, c: Id) -> Id {
        let shape = self.shape(a).to_vec();
        let (b, c) = (self.expand(b, &shape), self.expand(c, &shape));
        self.push(Op::Select, vec![a, b, c], shape)
    }

    /// The same elements under a new shape.
    pub fn reshape(&mut self, a: Id, shape: &[usize]) -> Id {
        if self.shape(a) == shape {
            return a;
        }
        debug_assert_eq!(self.shape(a).iter().product::<usize>(), shape.iter().product::<usize>());
        self.push(Op::Reshape, vec![a], shape.to_vec())
    }

    /// Result axis i is operand axis `axes[i]`.
    pub fn transpose(&mut self, a: Id, axes: &[usize]) -> Id {
        let shape = axes.iter().map(|&axis| self.shape(a)[axis]).collect();
        self.push(Op::Transpose(axes.to_vec()), vec![a], shape)
    }

    /// `start .. start + len` of one axis.
    pub fn slice(&mut self, a: Id, axis: usize, start: usize, len: usize) -> Id {
        let mut shape = self.shape(a).to_vec();
        debug_assert!(start + len <= shape[axis]);
        if shape[axis] == len {
            return a;
        }
        shape[axis] = len;
        self.push(Op::Slice { axis, start }, vec![a], shape)
    }

    /// Joined along an axis.
    pub fn concat(&mut self, parts: &[Id], axis: usize) -> Id {
        if let [only] = parts {
            return *only;
        }
        let mut shape = self.shape(parts[0]).to_vec();
        shape[axis] = parts.iter().map(|&p| self.shape(p)[axis]).sum();
        self.push(Op::Concat { axis }, parts.to_vec(), shape)
    }

    /// Zeros before and after along an axis, `size` in all.
    pub fn pad(&mut self, a: Id, axis: usize, before: usize, size: usize) -> Id {
        let mut shape = self.shape(a).to_vec();
        debug_assert!(before + shape[axis] <= size);
        if shape[axis] == size {
            return a;
        }
        shape[axis] = size;
        self.push(Op::Pad { axis, before }, vec![a], shape)
    }

    /// Sum over axes, which stay with size 1; axes of size 1 need no sum.
    pub fn sum(&mut self, a: Id, axes: &[usize]) -> Id {
        self.reduce(Op::Sum, a, axes)
    }

    /// Largest over axes, which stay with size 1.
    pub fn max_over(&mut self, a: Id, axes: &[usize]) -> Id {
        self.reduce(Op::MaxOver, a, axes)
    }

    fn reduce(&mut self, op: fn(Vec<usize>) -> Op, a: Id, axes: &[usize]) -> Id {
        let mut shape = self.shape(a).to_vec();
        let axes: Vec<usize> = axes.iter().copied().filter(|&axis| shape[axis] != 1).collect();
        if axes.is_empty() {
            return a;
        }
        for &axis in &axes {
            shape[axis] = 1;
        }
        self.push(op(axes), vec![a], shape)
    }

    /// Mean over axes, which stay with size 1.
    pub fn mean(&mut self, a: Id, axes: &[usize]) -> Id {
        let count: usize = axes.iter().map(|&axis| self.shape(a)[axis]).product();
        let sum = self.sum(a, axes);
        #[allow(clippy::cast_precision_loss)] // counts stay far below 2^53
        self.scale(sum, 1.0 / count as f64)
    }

    /// Matrix product.
    pub fn matmul(&mut self, a: Id, b: Id, transpose_a: bool, transpose_b: bool) -> Id {
        let (sa, sb) = (self.shape(a), self.shape(b));
        let (m, k) = if transpose_a { (sa[1], sa[0]) } else { (sa[0], sa[1]) };
        let (k2, n) = if transpose_b { (sb[1], sb[0]) } else { (sb[0], sb[1]) };
        debug_assert_eq!(k, k2, "matmul of {sa:?} and {sb:?}");
        self.push(Op::MatMul { transpose_a, transpose_b }, vec![a, b], vec![m, n])
    }

    /// Filters `[channels kh kw, units]` over images `[batch, height, width, channels]`; `size` is the result's.
    pub fn convolve(&mut self, x: Id, w: Id, window: Window, size: [usize; 2]) -> Id {
        let shape = vec![self.shape(x)[0], size[0], size[1], self.shape(w)[1]];
        self.push(Op::Convolve(window), vec![x, w], shape)
    }

    /// A pooling operation over images; `example` is the result's shape in the network, `[channels, height, width]`.
    pub fn pool(&mut self, op: Op, x: Id, example: &[usize]) -> Id {
        let shape = vec![self.shape(x)[0], example[1], example[2], example[0]];
        self.push(op, vec![x], shape)
    }

    /// Unit vectors `[n, units]` from angles `[n - 1, units]`.
    pub fn spherical(&mut self, theta: Id) -> Id {
        let shape = vec![self.shape(theta)[0] + 1, self.shape(theta)[1]];
        self.push(Op::Spherical, vec![theta], shape)
    }
}
