//! Hoists updates of states: each update runs as early as possible.
//!
//! ```text
//! %160 = spherical_grad …            %160 = spherical_grad …
//! … the gradients before it          theta = theta - lr %160      still in a cache
//! theta = theta - lr %160            … the gradients before it
//! ```
//!
//! The values that the update reads were then written a moment before. They are still in a cache, and their memory is
//! free again before the end of the step.

use super::depend::Dependencies;
use crate::ir::kernels::{BufferId, Kernel, Kernels, Location};

/// Moves every kernel that writes states directly behind the last kernel that must run before it.
pub(super) fn hoist_updates(kernels: &mut Kernels) {
    let is_state = |id: &BufferId| matches!(kernels.buffers[id.index()].location, Location::State(_));
    let mut dependencies = Dependencies::new(kernels.buffers.len());
    for kernel in &kernels.kernels {
        let number = dependencies.push(&kernel.work);
        if dependencies.writes(number).iter().any(is_state) {
            let last = dependencies.last_predecessor(number);
            match last {
                Some(last) => dependencies.order.move_after(last, &[number]),
                None => dependencies.order.move_first(number),
            }
        }
    }
    let mut all: Vec<Option<Kernel>> = kernels.kernels.drain(..).map(Some).collect();
    kernels.kernels = dependencies.order.iter().filter_map(|number| all[number].take()).collect();
}
