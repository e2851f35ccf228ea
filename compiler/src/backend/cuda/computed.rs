//! Functions for pools and maps that lie in no memory.

use super::context::{Computed, Context};
use super::{mapped, pool};
use crate::kernels::Work;

/// For each work, in order; a pool's images may be what one before it computes.
pub(super) fn all(works: &[&Work], context: Context) -> Vec<Computed> {
    let mut all: Vec<Computed> = Vec::new();
    for work in works {
        let next = match work {
            Work::Nest(nest) => nest.stores.first().map(|store| Computed {
                target: store.access.buffer,
                operands: mapped::operands(nest),
                single: mapped::function(nest, context, 1),
                wide: mapped::wide(nest, context.precision).map(|lanes| mapped::function(nest, context, lanes)),
            }),
            Work::Pool(pool) => {
                let images = pool.x.and_then(|x| all.iter().find(|computed| computed.target == x));
                let lanes = pool::lanes(pool, context.precision);
                let is_wide = lanes > 1 && images.is_none_or(|images| images.wide.is_some());
                Some(Computed {
                    target: pool.target,
                    operands: pool::operands(pool, images),
                    single: pool::function(pool, images, context, 1),
                    wide: is_wide.then(|| pool::function(pool, images, context, lanes)),
                })
            }
            _ => None,
        };
        all.extend(next);
    }
    all
}
