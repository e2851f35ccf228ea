//! Classes of outputs of a direct convolution that are computed in the same way, and their cut into bands of rows.

use super::shape::Geometry;
use super::tile::part;

/// Limit on the numbers of a slab: it must stay in the L2 cache together with a panel of weights.
const SLAB: usize = 1 << 16;
/// The least number of tasks, if there are enough rows for it. With fewer tasks, threads would be idle.
const TASKS: usize = 16;

/// One correlation: its output (r, s) is the sum over its taps (i, j) of input `origin + (r, s) stride + (i, j)`.
#[derive(Clone, Copy)]
pub(super) struct Class {
    pub(super) origin: [isize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) outputs: [usize; 2],
    /// Output (r, s) is stored at pixel `first + (r, s) step`.
    pub(super) first: [usize; 2],
    pub(super) step: [usize; 2],
    /// Tap (i, j) of the class is tap `tap_first + (i, j) tap_step` of the kernel; if `reversed`, minus instead of plus.
    tap_first: [usize; 2],
    tap_step: [usize; 2],
    reversed: bool,
    /// The offset of its packed weights.
    pub(super) packed: usize,
    /// Limit on the rows of output in a band.
    band: usize,
    /// The number of rows of a band is a multiple of this: 2 if windows of 2 x 2 tile the output, so that no band cuts a
    /// window.
    row_multiple: usize,
}

impl Class {
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The tap of the kernel that tap number `index` of the class is.
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
        let (first, count) = part(self.outputs[0] / self.row_multiple, self.band / self.row_multiple, band);
        (first * self.row_multiple, count * self.row_multiple)
    }

    /// The number of results of a band if they may be pooled, else 0.
    pub(super) fn pooled(&self, units: usize) -> usize {
        if self.row_multiple > 1 { self.band * self.outputs[1] * units } else { 0 }
    }

    /// Rows and columns of the slab that `rows` rows of output read.
    #[inline(always)]
    pub(super) fn slab(&self, rows: usize) -> [usize; 2] {
        let [height, width] = [rows, self.outputs[1]];
        [(height - 1) * self.stride[0] + self.kernel[0], (width - 1) * self.stride[1] + self.kernel[1]]
    }

    /// Pixels of the slab for a whole band.
    pub(super) fn largest_slab(&self) -> usize {
        self.slab(self.band).iter().product()
    }

    /// Sets the number of rows in a band: enough tasks for threads, and slabs that fit the cache.
    pub(super) fn banded(mut self, batch: usize, channels: usize) -> Self {
        let groups = self.outputs[0] / self.row_multiple;
        let wanted = (batch * groups).div_ceil(TASKS).clamp(1, groups);
        let fits = |groups: &usize| {
            let [height, width] = self.slab(*groups * self.row_multiple);
            height * width * channels <= SLAB
        };
        let most = (1..=wanted).rev().find(fits).unwrap_or(1);
        self.band = groups.div_ceil(groups.div_ceil(most)) * self.row_multiple;
        self
    }
}

/// The only class of a forward convolution.
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
        row_multiple: if g.halves() { 2 } else { 1 },
    }
}

/// The class of the input pixels whose `position + pad` leaves `rest` after division by the stride. `None` if there are
/// none.
pub(super) fn input_class(g: &Geometry, rest: [usize; 2]) -> Option<Class> {
    let size = [g.height, g.width];
    let first: [usize; 2] = std::array::from_fn(|a| (rest[a] + g.stride[a] - g.pad[a] % g.stride[a]) % g.stride[a]);
    if first[0] >= size[0] || first[1] >= size[1] {
        return None;
    }
    // A pixel of this class meets every stride-th tap of the kernel, from tap `rest` on.
    let mut kernel: [usize; 2] = std::array::from_fn(|a| g.kernel[a].saturating_sub(rest[a]).div_ceil(g.stride[a]));
    if kernel.contains(&0) {
        kernel = [0, 0]; // pixels that no window reads
    }
    // The last window that contains the first pixel uses tap `rest`. Earlier windows use later taps, hence `reversed`.
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
        row_multiple: 1,
    })
}

/// The number of bands of one image, over all classes.
pub(super) fn bands(classes: &[Class]) -> usize {
    classes.iter().map(Class::bands).sum()
}
