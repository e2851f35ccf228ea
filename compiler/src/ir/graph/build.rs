//! Methods that add nodes: one for each operation. Each computes the shape of its result.
//!
//! Earlier stages have checked all shapes and reported mistakes of the user. So a mismatch here is a bug of the compiler: the
//! method panics and prints the operands.

use super::{Graph, Id, Input, Node, Op, Output, Shape, State};
use crate::ir::internal::{index32, internal_error};
use crate::ir::window::Window;
use gmpc_grammar::source::Span;

impl Graph {
    /// Returns the shape of a node.
    #[must_use]
    pub fn shape(&self, id: Id) -> &[usize] {
        &self[id].shape
    }

    /// Returns all nodes. Operands come before their users.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id> + use<> {
        (0..index32(self.nodes.len(), "nodes")).map(Id)
    }

    /// Adds a node whose shape is known.
    pub fn push(&mut self, op: Op, inputs: Vec<Id>, shape: Shape) -> Id {
        self.nodes.push(Node { op, inputs, shape, span: None });
        Id::new(self.nodes.len() - 1)
    }

    /// Gives a span to every node from index `from` on that has none yet.
    pub fn mark(&mut self, from: usize, span: Span) {
        for node in self.nodes.iter_mut().skip(from).filter(|n| n.span.is_none()) {
            node.span = Some(span);
        }
    }

    /// Declares an input, and adds the node that reads it.
    pub fn input(&mut self, name: impl Into<String>, shape: Shape) -> Id {
        self.inputs.push(Input { name: name.into(), shape: shape.clone() });
        self.push(Op::Input(self.inputs.len() - 1), vec![], shape)
    }

    /// Declares a state, and adds the node that reads its old value. Returns the index of the state and the node.
    pub fn state(&mut self, state: State) -> (usize, Id) {
        let shape = state.shape.clone();
        self.states.push(state);
        let index = self.states.len() - 1;
        (index, self.push(Op::State(index), vec![], shape))
    }

    /// Adds an output with a name.
    pub fn output(&mut self, name: impl Into<String>, id: Id) {
        self.outputs.push(Output::Value { name: name.into(), id });
    }

    /// Sets the new value of a state.
    pub fn write(&mut self, state: usize, id: Id) {
        assert_eq!(self.states[state].shape, self[id].shape, "new value of {}", self.states[state].name);
        self.outputs.push(Output::Write { state, id });
    }

    /// Adds a number with shape `[]`.
    pub fn constant(&mut self, value: f64) -> Id {
        self.push(Op::Const(value), vec![], vec![])
    }

    /// Adds a number, repeated to a shape.
    pub fn full(&mut self, value: f64, shape: &[usize]) -> Id {
        let scalar = self.constant(value);
        self.expand(scalar, shape)
    }

    /// Repeats axes of size 1 to `shape`. Missing axes are inserted in front first.
    pub fn expand(&mut self, id: Id, shape: &[usize]) -> Id {
        if self.shape(id) == shape {
            return id;
        }
        let ones = self.with_rank(id, shape.len());
        if self.shape(ones) == shape {
            return ones;
        }
        assert!(
            self.shape(ones).iter().zip(shape).all(|(a, b)| a == b || *a == 1),
            "broadcast {:?} to {shape:?}",
            self.shape(ones)
        );
        self.push(Op::Broadcast, vec![ones], shape.to_vec())
    }

    /// Inserts axes of size 1 in front until there are `rank` axes.
    fn with_rank(&mut self, id: Id, rank: usize) -> Id {
        let shape = self.shape(id);
        let axes: Vec<usize> =
            std::iter::repeat_n(1, rank.saturating_sub(shape.len())).chain(shape.iter().copied()).collect();
        self.reshape(id, &axes)
    }

    /// Adds an elementwise operation with one operand.
    pub fn unary(&mut self, op: Op, a: Id) -> Id {
        let shape = self.shape(a).to_vec();
        self.push(op, vec![a], shape)
    }

    /// Adds an elementwise operation with two operands. Axes are matched from the last one on. An axis that is missing or has
    /// size 1 is repeated to the size of the other operand.
    pub fn binary(&mut self, op: Op, a: Id, b: Id) -> Id {
        let shape = self.common_shape(a, b);
        let (a, b) = (self.expand(a, &shape), self.expand(b, &shape));
        self.push(op, vec![a, b], shape)
    }

    /// Returns the shape to which two operands are repeated, if they fit together.
    #[must_use]
    pub fn fitted_shape(&self, a: Id, b: Id) -> Option<Shape> {
        let (a, b) = (self.shape(a), self.shape(b));
        let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
        let ones = std::iter::repeat_n(&1, long.len() - short.len());
        let pairs = long.iter().zip(ones.chain(short));
        pairs.map(|(&x, &y)| if x == y || y == 1 { Some(x) } else { (x == 1).then_some(y) }).collect()
    }

    fn common_shape(&self, a: Id, b: Id) -> Shape {
        let rule = format_args!("shapes {:?} and {:?} do not fit", self.shape(a), self.shape(b));
        self.fitted_shape(a, b).unwrap_or_else(|| internal_error("graph", rule, self.print(None)))
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

    /// Chooses `b` where `a` is not 0, otherwise `c`. `b` and `c` are repeated to the shape of `a`.
    pub fn select(&mut self, a: Id, b: Id, c: Id) -> Id {
        let shape = self.shape(a).to_vec();
        let (b, c) = (self.expand(b, &shape), self.expand(c, &shape));
        self.push(Op::Select, vec![a, b, c], shape)
    }

    /// Gives the same elements a new shape.
    pub fn reshape(&mut self, a: Id, shape: &[usize]) -> Id {
        if self.shape(a) == shape {
            return a;
        }
        assert_eq!(self.shape(a).iter().product::<usize>(), shape.iter().product::<usize>());
        self.push(Op::Reshape, vec![a], shape.to_vec())
    }

    /// Permutes axes: axis i of the result is axis `axes[i]` of the operand.
    pub fn transpose(&mut self, a: Id, axes: &[usize]) -> Id {
        let shape = axes.iter().map(|&axis| self.shape(a)[axis]).collect();
        self.push(Op::Transpose(axes.to_vec()), vec![a], shape)
    }

    /// Takes `start .. start + len` of one axis.
    pub fn slice(&mut self, a: Id, axis: usize, start: usize, len: usize) -> Id {
        let mut shape = self.shape(a).to_vec();
        assert!(start + len <= shape[axis]);
        if shape[axis] == len {
            return a;
        }
        shape[axis] = len;
        self.push(Op::Slice { axis, start }, vec![a], shape)
    }

    /// Joins values along an axis.
    pub fn concat(&mut self, parts: &[Id], axis: usize) -> Id {
        if let [only] = parts {
            return *only;
        }
        let mut shape = self.shape(parts[0]).to_vec();
        shape[axis] = parts.iter().map(|&p| self.shape(p)[axis]).sum();
        self.push(Op::Concat { axis }, parts.to_vec(), shape)
    }

    /// Adds zeros before and after along an axis, up to `size` in all.
    pub fn pad(&mut self, a: Id, axis: usize, before: usize, size: usize) -> Id {
        let mut shape = self.shape(a).to_vec();
        assert!(before + shape[axis] <= size);
        if shape[axis] == size {
            return a;
        }
        shape[axis] = size;
        self.push(Op::Pad { axis, before }, vec![a], shape)
    }

    /// Sums over axes, which stay with size 1. Axes that have size 1 already need no sum.
    pub fn sum(&mut self, a: Id, axes: &[usize]) -> Id {
        self.reduce(Op::Sum, a, axes)
    }

    /// Takes the maximum over axes, which stay with size 1.
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

    /// Takes the mean over axes, which stay with size 1.
    pub fn mean(&mut self, a: Id, axes: &[usize]) -> Id {
        let count: usize = axes.iter().map(|&axis| self.shape(a)[axis]).product();
        let sum = self.sum(a, axes);
        self.scale(sum, 1.0 / count as f64)
    }

    /// Multiplies two matrices, each transposed first if its flag says so.
    pub fn matmul(&mut self, a: Id, b: Id, transpose_a: bool, transpose_b: bool) -> Id {
        let (sa, sb) = (self.shape(a), self.shape(b));
        let (m, k) = if transpose_a { (sa[1], sa[0]) } else { (sa[0], sa[1]) };
        let (k2, n) = if transpose_b { (sb[1], sb[0]) } else { (sb[0], sb[1]) };
        assert_eq!(k, k2, "matmul of {sa:?} and {sb:?}");
        self.push(Op::MatMul { transpose_a, transpose_b }, vec![a, b], vec![m, n])
    }

    /// Convolves images `[batch, height, width, channels]` with filters `[channels kh kw, units]`. `size` is the height and
    /// width of the result.
    pub fn convolve(&mut self, x: Id, w: Id, window: Window, size: [usize; 2]) -> Id {
        let shape = vec![self.shape(x)[0], size[0], size[1], self.shape(w)[1]];
        self.push(Op::Convolve(window), vec![x, w], shape)
    }

    /// Adds a pool over images. `example` is the shape of the result in the network, `[channels, height, width]`.
    pub fn pool(&mut self, op: Op, x: Id, example: &[usize]) -> Id {
        let shape = vec![self.shape(x)[0], example[1], example[2], example[0]];
        self.push(op, vec![x], shape)
    }

    /// Computes unit vectors `[n, units]` from angles `[n - 1, units]`.
    pub fn spherical(&mut self, theta: Id) -> Id {
        let shape = vec![self.shape(theta)[0] + 1, self.shape(theta)[1]];
        self.push(Op::Spherical, vec![theta], shape)
    }
}
