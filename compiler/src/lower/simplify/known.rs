//! Finds the node that computes the same as a new one would: operation, operands (in any order where it does not matter) and
//! shape are equal. Every pass asks for every node, so that asking allocates nothing.

use crate::ir::graph::{Graph, Id, Op};
use crate::ir::window::Window;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The nodes of one graph, by what they compute.
#[derive(Default)]
pub(super) struct Known {
    /// The last node of each hash.
    last: HashMap<u64, Id, BuildHasherDefault<Hashed>>,
    /// For each node the one before it with its hash.
    before: Vec<Option<Id>>,
}

impl Known {
    /// The node that computes this, if there is one.
    pub(super) fn find(&self, graph: &Graph, op: &Op, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        let mut next = self.last.get(&hash(op, inputs, shape)).copied();
        while let Some(id) = next {
            let node = &graph[id];
            if node.shape == shape && is_same(&node.op, op) && same_operands(op, &node.inputs, inputs) {
                return Some(id);
            }
            next = self.before[id.index()];
        }
        None
    }

    /// Remembers a node, the newest of the graph.
    pub(super) fn insert(&mut self, graph: &Graph, id: Id) {
        let node = &graph[id];
        let before = self.last.insert(hash(&node.op, &node.inputs, &node.shape), id);
        self.before.resize(id.index(), None);
        self.before.push(before);
    }
}

/// a + b is b + a, to the last bit.
fn commutes(op: &Op) -> bool {
    matches!(op, Op::Add | Op::Mul)
}

fn same_operands(op: &Op, a: &[Id], b: &[Id]) -> bool {
    a == b || (commutes(op) && a.iter().eq(b.iter().rev()))
}

/// Equal; constants are compared by their bits.
fn is_same(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Const(a), Op::Const(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

fn hash(op: &Op, inputs: &[Id], shape: &[usize]) -> u64 {
    let mut hash = Mixed(0);
    hash.add(kind(op));
    match op {
        Op::Input(index) | Op::State(index) | Op::Iota(index) | Op::Concat { axis: index } => hash.add(*index as u64),
        Op::Const(value) => hash.add(value.to_bits()),
        Op::Uniform { stream } => hash.add(u64::from(*stream)),
        Op::Transpose(axes) | Op::Sum(axes) | Op::MaxOver(axes) => axes.iter().for_each(|&axis| hash.add(axis as u64)),
        Op::Slice { axis, start } => [*axis, *start].into_iter().for_each(|number| hash.add(number as u64)),
        Op::Pad { axis, before } => [*axis, *before].into_iter().for_each(|number| hash.add(number as u64)),
        Op::Convolve(window) | Op::ConvolveInput(window) | Op::ConvolveWeight(window) => hash.window(window),
        Op::MaxPool(window) | Op::MaxPoolGrad(window) | Op::SumPool(window) | Op::SumPoolGrad(window) => {
            hash.window(window)
        }
        Op::MatMul { transpose_a, transpose_b } => hash.add(u64::from(*transpose_a) + 2 * u64::from(*transpose_b)),
        _ => {}
    }
    match inputs {
        [a, b] if commutes(op) => [a.min(b), a.max(b)].into_iter().for_each(|id| hash.add(u64::from(id.0))),
        inputs => inputs.iter().for_each(|id| hash.add(u64::from(id.0))),
    }
    shape.iter().for_each(|&size| hash.add(size as u64));
    hash.0
}

/// A number that tells most operations apart: the first letters of the name.
fn kind(op: &Op) -> u64 {
    op.name().bytes().take(8).fold(0, |sum, byte| sum << 8 | u64::from(byte))
}

/// Numbers mixed into one: quick, and good enough for numbers that nobody chose to collide.
struct Mixed(u64);

impl Mixed {
    fn add(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn window(&mut self, window: &Window) {
        let Window { kernel, stride, before } = window;
        kernel.iter().chain(stride).chain(before).for_each(|&number| self.add(number as u64));
    }
}

/// The hash of what is a hash already.
#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        // The table looks at the highest and the lowest bits.
        self.0 = hash ^ (hash >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }
}
