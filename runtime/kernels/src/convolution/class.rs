//! Which outputs of a direct convolution are computed alike, and in which portions.

use super::shape::Geometry;
use super::tile::part;

/// Most numbers of a slab, chosen so that it stays in the second-level cache beside a panel of weights.
const SLAB: usize = 1 << 16;
/// Jobs that there should be at least, if there are as many rows.
const JOBS: usize = 16;

/// One correlation: output (r, s) of it is the sum over its taps (i, j) of input `origin + (r, s) stride + (i, j)`.
#[derive(Clone, Copy)]
pub(super) struct Class {
    pub(super) origin: [isize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) outputs: [usize; 2],
    /// Output (r, s) is stored at pixel `first + (r, s) step`.
    pub(super) first: [usize; 2],
    pub(super) step: [usize; 2],
    /// Tap (i, j) is the kernel's `tap_first - (i, j) tap_step`, or plus.
    tap_first: [usize; 2],
    tap_step: [usize; 2],
    reversed: bool,
    /// Where its packed weights begin.
    pub(super) packed: usize,
    /// Most rows of output in a slab.
    band: usize,
    /// Rows are cut up in multiples of this: 2 if windows of 2 x 2 tile the output.
    together: usize,
}

impl Class {
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Which of the kernel's taps the `index`-th one is.
    #[inline(always)]
    pub(super) fn tap(&self, index: usize) -> [usize; 2] {
        let at = [index / self.kernel[1], index % self.kernel[1]];
        std::array::from_fn(|axis| {
            let distance = at[axis] * self.tap_step[axis];
            if self.reversed { self.tap_first[axis] - distance } else { self.tap_first[axis] + distance }
        })
    }

    pub(super) fn bands(&self) -> usize {
        self.outputs[0].div_ceil(self.band)
    }

    /// The first row of a band, and how many it has.
    #[inline(always)]
    pub(super) fn rows(&self, band: usize) -> (usize, usize) {
        let (first, count) = part(self.outputs[0] / self.together, self.band / self.together, band);
        (first * self.together, count * self.together)
    }

    /// Numbers of a band's results where they may be pooled, else 0.
    pub(super) fn pooled(&self, units: usize) -> usize {
        if self.together > 1 { self.band * self.outputs[1] * units } else { 0 }
    }

    /// Rows and columns of the slab for so many rows of output.
    #[inline(always)]
    pub(super) fn slab(&self, rows: usize) -> [usize; 2] {
        let [height, width] = [rows, self.outputs[1]];
        [(height - 1) * self.stride[0] + self.kernel[0], (width - 1) * self.stride[1] + self.kernel[1]]
    }

    /// Pixels of the slab for a whole band.
    pub(super) fn largest_slab(&self) -> usize {
        self.slab(self.band).iter().product()
    }

    /// Sets how many rows of output share a slab.
    pub(super) fn banded(mut self, batch: usize, channels: usize) -> Self {
        let groups = self.outputs[0] / self.together;
        let wanted = (batch * groups).div_ceil(JOBS).clamp(1, groups);
        let fits = |groups: &usize| {
            let [height, width] = self.slab(*groups * self.together);
            height * width * channels <= SLAB
        };
        let most = (1..=wanted).rev().find(fits).unwrap_or(1);
        self.band = groups.div_ceil(groups.div_ceil(most)) * self.together;
        self
    }
}

/// The one class of a convolution forwards.
pub(super) fn forward_class(g: &Geometry) -> Class {
    Class {
        origin: g.pad.map(|pad| 0_isize.saturating_sub_unsigned(pad)),
        kernel: g.kernel,
        stride: g.stride,
        outputs: [g.out_height, g.out_width],
        first: [0, 0],
        step: [1, 1],
        tap_first: [0, 0],
        tap_step: [1, 1],
        reversed: false,
        packed: 0,
        band: 1,
        together: if g.halves() { 2 } else { 1 },
    }
}

/// The pixels of the input whose `position + pad` leaves `rest` after division by the stride; none if there is none.
pub(super) fn input_class(g: &Geometry, rest: [usize; 2]) -> Option<Class> {
    let size = [g.height, g.width];
    let first: [usize; 2] = std::array::from_fn(|a| (rest[a] + g.stride[a] - g.pad[a] % g.stride[a]) % g.stride[a]);
    if first[0] >= size[0] || first[1] >= size[1] {
        return None;
    }
    let mut kernel: [usize; 2] = std::array::from_fn(|a| g.kernel[a].saturating_sub(rest[a]).div_ceil(g.stride[a]));
    if kernel.contains(&0) {
        kernel = [0, 0]; // pixels that no window reads
    }
    let origin = |a: usize| {
        let reached = (first[a] + g.pad[a] - rest[a]) / g.stride[a];
        (reached + 1).cast_signed().saturating_sub_unsigned(kernel[a])
    };
    Some(Class {
        origin: [origin(0), origin(1)],
        kernel,
        stride: [1, 1],
        outputs: std::array::from_fn(|a| (size[a] - first[a]).div_ceil(g.stride[a])),
        first,
        step: g.stride,
        tap_first: std::array::from_fn(|a| rest[a] + g.stride[a] * kernel[a].saturating_sub(1)),
        tap_step: g.stride,
        reversed: true,
        packed: 0,
        band: 1,
        together: 1,
    })
}

/// Bands of one image.
pub(super) fn bands(classes: &[Class]) -> usize {
    classes.iter().map(Class::bands).sum()
}
