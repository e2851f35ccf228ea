//! The grid of tiles that covers images.

use super::points::MOST;

/// The offset of a pixel outside the image.
pub(super) const OUTSIDE: usize = usize::MAX;

/// Tiles of `out` x `out` pixels that cover images of `size`.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) batch: usize,
    pub(super) out: usize,
    rows: usize,
    columns: usize,
}

impl Grid {
    pub(super) fn new(batch: usize, size: [usize; 2], out: usize) -> Self {
        Self { batch, out, rows: size[0].div_ceil(out), columns: size[1].div_ceil(out) }
    }

    pub(super) fn tiles(&self) -> usize {
        self.batch * self.rows * self.columns
    }

    /// The offsets of `size` x `size` pixels, row by row. The first pixel lies `pad` above and to the left of the tile.
    /// Pixels outside the image are [`OUTSIDE`].
    #[inline(always)]
    pub(super) fn pixels(
        &self,
        tile: usize,
        pad: [isize; 2],
        size: usize,
        [height, width, channels]: [usize; 3],
    ) -> [[usize; MOST]; MOST] {
        let (image, place) = (tile / (self.rows * self.columns), tile % (self.rows * self.columns));
        let first = [place / self.columns * self.out, place % self.columns * self.out];
        let inside = |axis: usize, step: usize, size: usize| {
            let at = (first[axis] + step).cast_signed() - pad[axis];
            usize::try_from(at).ok().filter(|at| *at < size)
        };
        let mut pixels = [[OUTSIDE; MOST]; MOST];
        for (row, pixels) in pixels.iter_mut().enumerate().take(size) {
            let Some(y) = inside(0, row, height) else { continue };
            for (column, pixel) in pixels.iter_mut().enumerate().take(size) {
                if let Some(x) = inside(1, column, width) {
                    *pixel = ((image * height + y) * width + x) * channels;
                }
            }
        }
        pixels
    }
}
