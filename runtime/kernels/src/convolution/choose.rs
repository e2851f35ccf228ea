//! The choice of an algorithm for a shape.

use super::shape::{Algorithm, Direction, Geometry};

impl Algorithm {
    /// Can this algorithm compute convolutions of this shape?
    #[must_use]
    pub fn fits(self, geometry: &Geometry) -> bool {
        self == Algorithm::Direct || (geometry.kernel == [3, 3] && geometry.stride == [1, 1])
    }

    /// The algorithm that was the fastest on such shapes. It depends only on the shape, so results do not depend on the
    /// machine.
    #[must_use]
    pub fn choose(geometry: &Geometry, direction: Direction) -> Self {
        let g = geometry;
        // With sums over fewer than 16 channels (units, for the gradient at the input) the transforms cost more than they
        // save. For the gradient at the weights the number of weights decides.
        let enough = match direction {
            Direction::Forward => g.channels >= 16,
            Direction::Input => g.units >= 16,
            Direction::Weight => g.channels * g.units >= 256,
        };
        if !Algorithm::Winograd4.fits(g) || !enough {
            return Algorithm::Direct;
        }
        let [height, width] =
            if direction == Direction::Input { [g.height, g.width] } else { [g.out_height, g.out_width] };
        // Multiplications for one channel and unit. Tiles at the edges compute results beyond the image, which are wasted.
        let small = 16 * height.div_ceil(2) * width.div_ceil(2);
        let large = 36 * height.div_ceil(4) * width.div_ceil(4);
        if small <= large { Algorithm::Winograd2 } else { Algorithm::Winograd4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[channels, units, height and width]`, 3 x 3 around every pixel.
    fn choose([channels, units, size]: [usize; 3], direction: Direction) -> Algorithm {
        let g = Geometry {
            batch: 4,
            height: size,
            width: size,
            channels,
            out_height: size,
            out_width: size,
            units,
            kernel: [3, 3],
            stride: [1, 1],
            pad: [1, 1],
        };
        Algorithm::choose(&g, direction)
    }

    #[test]
    fn the_choice_follows_channels_and_the_waste_at_the_edges() {
        assert_eq!(choose([3, 128, 32], Direction::Forward), Algorithm::Direct);
        assert_eq!(choose([3, 128, 32], Direction::Input), Algorithm::Winograd4);
        assert_eq!(choose([3, 128, 32], Direction::Weight), Algorithm::Winograd4);
        assert_eq!(choose([3, 8, 32], Direction::Weight), Algorithm::Direct);
        assert_eq!(choose([512, 512, 7], Direction::Forward), Algorithm::Winograd4);
        assert_eq!(choose([64, 64, 6], Direction::Forward), Algorithm::Winograd2);
        assert_eq!(choose([64, 64, 1], Direction::Weight), Algorithm::Winograd2);
    }
}
