//! Fewer, longer loops: neighbouring axes that every access walks through as one are joined.

use super::Nest;

impl Nest {
    /// Joins neighbouring axes wherever all accesses allow.
    pub(crate) fn collapse(&mut self) {
        for axis in (1..self.space.len()).rev() {
            let size = self.space[axis];
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
