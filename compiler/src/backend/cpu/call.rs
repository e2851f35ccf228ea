//! What a program does in turn: generated functions, and work that the runtime has kernels for.

use crate::kernels::{BufferId, Convolve, Kernels, Pool, Work};
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
        prepare: Option<[Address; 2]>,
        /// One number a unit.
        bias: Option<Address>,
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
        /// The gradient at the result.
        dy: Option<Address>,
        /// What is written.
        target: Address,
    },
}

/// Is this work for a kernel of the runtime?
pub(super) fn is_call(work: &Work) -> bool {
    matches!(work, Work::Convolve(_) | Work::Pool(_))
}

/// The step of such work; `None` for what is generated.
pub(super) fn step(kernels: &Kernels, plan: &Plan, work: &Work) -> Option<Step> {
    let address = |id: BufferId| plan.address(kernels, id);
    match work {
        Work::Convolve(product) => Some(Step::Convolve {
            operands: [product.a, product.b, product.c].map(address),
            prepare: product.prepare.map(|both| both.map(address)),
            bias: product.bias.map(address),
            sums: product.sums.map(address),
            product: product.clone(),
        }),
        Work::Pool(pool) => Some(Step::Pool {
            x: pool.x.map(address),
            scale: pool.scale.map(address),
            dy: pool.dy.map(address),
            target: address(pool.target),
            pool: pool.clone(),
        }),
        _ => None,
    }
}
