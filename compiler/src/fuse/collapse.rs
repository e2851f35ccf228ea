//! Fewer, longer loops: axes of size 1 go, neighbours that every access walks through as one are joined.

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

/// Joins neighbouring axes wherever all accesses allow.
pub(super) fn collapse(nest: &mut Nest) {
    for axis in (1..nest.space.len()).rev() {
        let size = nest.space[axis];
        let alike = nest.reduced[axis - 1] == nest.reduced[axis];
        if alike && nest.affines().all(|at| at.strides[axis - 1] == at.strides[axis] * size) {
            nest.space[axis - 1] *= size;
            nest.space.remove(axis);
            nest.reduced.remove(axis);
            nest.affines_mut().for_each(|at| {
                at.strides.remove(axis - 1);
            });
        }
    }
}
