//! What a program does in turn: generated functions, and work that the runtime has kernels for.

use crate::kernels::{BufferId, Convolve, Gate, Kernels, Pool, Pooled, Work};
use crate::plan::{Address, Plan};

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Calls a function with `first..end` of `0..extent`; threads may share the rounds.
    Run {
        /// Index into the functions.
        function: usize,
        /// Rounds; a function whose extent is 1 does all of its work whatever it is called with.
        extent: usize,
    },
    /// A convolution or one of its gradients.
    Convolve {
        /// Sizes, and what is done to the result.
        product: Convolve,
        /// Operands and result.
        operands: [Address; 3],
        /// A factor and a summand for each channel of the images.
        prepare: [Option<Address>; 2],
        /// One number a unit.
        bias: Option<Address>,
        /// What is stored of windows.
        pooled: Option<PooledAt>,
        /// What is kept.
        gate: Option<GateAt>,
        /// Where sums go.
        sums: Option<Address>,
    },
    /// Pooling or its gradient.
    Pool {
        /// Sizes, and what is done.
        pool: Pool,
        /// The images.
        x: Option<Address>,
        /// A factor for each of their channels.
        scale: Option<Address>,
        /// In place of the images.
        marks: Option<Address>,
        /// The gradient at the result.
        dy: Option<Address>,
        /// What is kept.
        gate: Option<GateAt>,
        /// Where sums go.
        sums: Option<Address>,
        /// What is written.
        target: Address,
    },
}

/// Where the parts of a [`Gate`] lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateAt {
    /// What the rectifier gave.
    pub rectified: Address,
    /// A summand for each channel.
    pub shift: Option<Address>,
    /// A factor for each channel.
    pub scale: Option<Address>,
    /// Where the gate's sums go.
    pub weighted: Option<Address>,
}

/// Where the parts of a [`Pooled`] lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledAt {
    /// A factor for each unit.
    pub scale: Option<Address>,
    /// Where the largest go without it.
    pub largest: Option<Address>,
    /// Where the bytes go.
    pub marks: Option<Address>,
}

/// Is this work for a kernel of the runtime?
pub(super) fn is_call(work: &Work) -> bool {
    matches!(work, Work::Convolve(_) | Work::Pool(_))
}

/// The step of such work; `None` for what is generated.
pub(super) fn step(kernels: &Kernels, plan: &Plan, work: &Work) -> Option<Step> {
    let address = |id: BufferId| plan.address(kernels, id);
    let gate_at = |gate: &Gate| GateAt {
        rectified: address(gate.rectified),
        shift: gate.shift.map(address),
        scale: gate.scale.map(address),
        weighted: gate.weighted.map(address),
    };
    let pooled_at = |pooled: &Pooled| PooledAt {
        scale: pooled.scale.map(address),
        largest: pooled.largest.map(address),
        marks: pooled.marks.map(address),
    };
    match work {
        Work::Convolve(product) => Some(Step::Convolve {
            operands: [product.a, product.b, product.c].map(address),
            prepare: [product.prepare.scale, product.prepare.shift].map(|id| id.map(address)),
            bias: product.bias.map(address),
            pooled: product.pooled.as_ref().map(pooled_at),
            gate: product.gate.as_ref().map(gate_at),
            sums: product.sums.map(address),
            product: product.clone(),
        }),
        Work::Pool(pool) => Some(Step::Pool {
            x: pool.x.map(address),
            scale: pool.scale.map(address),
            marks: pool.marks.map(address),
            dy: pool.dy.map(address),
            gate: pool.gate.as_ref().map(gate_at),
            sums: pool.sums.map(address),
            target: address(pool.target),
            pool: pool.clone(),
        }),
        _ => None,
    }
}
