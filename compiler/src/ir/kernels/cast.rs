//! Casts: the same numbers with another dtype, perhaps with bias and ReLU.

use super::{Access, Affine, BufferId, Expr, Nest, Store};
use crate::ir::graph::Op;

/// Copies numbers from a buffer to a buffer of another dtype.
///
/// Numbers are rounded to the nearest bfloat16, ties to even. Numbers that are too large become infinite, NaN stays NaN. From
/// bfloat16 the conversion is exact. Bias and ReLU are applied between reading and writing, in the program's precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// The buffer to read.
    pub source: BufferId,
    /// The buffer to write. It has the same number of elements.
    pub target: BufferId,
    /// One number for each unit, which is added.
    pub bias: Option<BufferId>,
    /// Number of units, the innermost axis; 1 without a bias.
    pub units: usize,
    /// Do negative results become 0? NaN stays.
    pub relu: bool,
}

impl Cast {
    /// A cast without bias and ReLU.
    #[must_use]
    pub fn plain(source: BufferId, target: BufferId) -> Self {
        Cast { source, target, bias: None, units: 1, relu: false }
    }

    /// Returns the cast of `elements` numbers as a nest. Its load and its store convert. `elements` is a multiple of the units.
    #[must_use]
    pub fn nest(&self, elements: usize) -> Nest {
        // Without a bias all numbers are treated alike, so they form one long row.
        let units = if self.bias.is_some() { self.units } else { elements };
        let mut nest = Nest { space: vec![elements / units.max(1), units], reduced: vec![false; 2], ..Nest::default() };
        let access = |buffer: BufferId, strides: [usize; 2]| Access {
            buffer,
            at: Affine { offset: 0, strides: strides.to_vec() },
        };
        let mut value = nest.push(Expr::Load(access(self.source, [units, 1])));
        if let Some(bias) = self.bias {
            let row = nest.push(Expr::Load(access(bias, [0, 1])));
            value = nest.push(Expr::Apply(Op::Add, vec![value, row]));
        }
        if self.relu {
            let zero = nest.push(Expr::Const(0.0));
            value = nest.push(Expr::Apply(Op::Max, vec![value, zero]));
        }
        nest.stores.push(Store { access: access(self.target, [units, 1]), value, after_reduction: false });
        nest
    }
}
