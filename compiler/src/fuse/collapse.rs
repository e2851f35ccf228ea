//! Fewer loops: axes of size 1 go.

use crate::kernels::Nest;

/// Removes axes of size 1.
pub(super) fn drop_unit_axes(nest: &mut Nest) {
    for axis in (0..nest.space.len()).rev() {
        // A reduction over nothing but axes of size 1 keeps one, so that there is something to reduce over.
        let last_reduced = nest.reduced[axis] && nest.reduced.iter().filter(|r| **r).count() == 1;
        let is_needed = last_reduced && !nest.reductions.is_empty();
        if nest.space[axis] == 1 && !is_needed {
            nest.space.remove(axis);
            nest.reduced.remove(axis);
            nest.affines_mut().for_each(|at| {
                at.strides.remove(axis);
            });
        }
    }
}
