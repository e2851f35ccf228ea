//! Makes fewer and longer loops: joins neighbouring axes if every access walks through both as through one.

use super::Nest;

impl Nest {
    /// Joins neighbouring axes wherever all accesses allow it.
    pub fn collapse(&mut self) {
        for axis in (1..self.space.len()).rev() {
            let size = self.space[axis];
            // A reduced axis and one that is not cannot become one axis.
            let alike = self.reduced[axis - 1] == self.reduced[axis];
            if alike && self.affines().all(|at| at.strides[axis - 1] == at.strides[axis] * size) {
                self.space[axis - 1] *= size;
                self.space.remove(axis);
                self.reduced.remove(axis);
                self.affines_mut().for_each(|at| {
                    at.strides.remove(axis - 1);
                });
            }
        }
    }
}
