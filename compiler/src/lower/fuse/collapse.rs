//! Removes loops over axes of size 1.

use crate::ir::kernels::Nest;

/// Removes axes of size 1.
pub(super) fn drop_unit_axes(nest: &mut Nest) {
    for axis in (0..nest.space.len()).rev() {
        // Where all reduced axes have size 1, one of them must stay: a nest with reductions needs a reduced axis.
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
