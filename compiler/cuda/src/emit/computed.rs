//! Functions for inlined pools and maps, whose results need no memory.

use super::context::{Computed, Context};
use crate::emit::{mapped, pool};
use gmpc_compiler::ir::kernels::Work;

/// The functions of each work, in order. A pool may read the result of a map before it.
pub(crate) fn all(works: &[&Work], context: Context) -> Vec<Computed> {
    let mut all: Vec<Computed> = Vec::new();
    for work in works {
        let next = match work {
            // Only maps with one store are inlined: see `mapped::target`.
            Work::Nest(nest) => nest.stores.first().map(|store| Computed {
                target: store.access.buffer,
                operands: mapped::operands(nest),
                single: mapped::function(nest, context, 1),
                wide: mapped::wide(nest, context.precision).map(|lanes| mapped::function(nest, context, lanes)),
            }),
            Work::Pool(pool) => {
                let images = pool.x.and_then(|x| all.iter().find(|computed| computed.target == x));
                let lanes = pool::lanes(pool, context.precision);
                // A pool can compute neighbours at once only if its images can be computed so too.
                let is_wide = lanes > 1 && images.is_none_or(|images| images.wide.is_some());
                Some(Computed {
                    target: pool.target,
                    operands: pool::operands(pool, images),
                    single: pool::function(pool, images, context, 1),
                    wide: is_wide.then(|| pool::function(pool, images, context, lanes)),
                })
            }
            Work::MatMul(_) | Work::Convolve(_) | Work::Cast(_) => None,
            Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => None,
        };
        all.extend(next);
    }
    all
}
