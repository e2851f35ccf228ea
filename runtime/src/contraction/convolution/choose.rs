//! Which algorithm for which shape.

use super::{Algorithm, Direction, Geometry};

impl Algorithm {
    /// Whether this algorithm can compute convolutions of this shape.
    #[must_use]
    pub fn fits(self, geometry: &Geometry) -> bool {
        self == Algorithm::Direct || (geometry.kernel == [3, 3] && geometry.stride == [1, 1])
    }

    /// The algorithm that was fastest on such shapes. A function of the shape alone, so that results do not depend on the
    /// machine.
    #[must_use]
    pub fn choose(geometry: &Geometry, direction: Direction) -> Self {
        // With few channels or units the transforms cost more than they save, except that sums over all pixels for few
        // weights keep the direct gradient waiting for memory.
        let least = if direction == Direction::Weight { 3 } else { 16 };
        let enough = geometry.channels.min(geometry.units) >= least;
        if Algorithm::Winograd4.fits(geometry) && enough { Algorithm::Winograd4 } else { Algorithm::Direct }
    }
}
