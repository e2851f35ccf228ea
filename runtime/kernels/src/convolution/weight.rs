//! The direct gradient at the weights: a sum over all pixels of all images.
//!
//! The batch is cut into a fixed number of shares. Each share has its own sums, which are added in order at the end.

use super::pack::padded;
use super::shape::{Geometry, Prepare};
use super::slab::{Images, fill};
use super::tile::{Ahead, Run, TileMatMul, panel, part, split};
use crate::epilogue::Epilogue;
use crate::memory::{Parallel, Parts, SharedPtr, aligned, run_all};
use crate::simd::{Arithmetic, Number};
use crate::workers::Workers;
use std::marker::PhantomData;

/// Limits on the numbers of a slab and the pixels of a group: slab and packed gradients must stay in the L2 cache.
const SLAB: usize = 1 << 16;
const PIXELS: usize = 256;
/// Limit on the rows of pixels in a group.
const MOST_RUNS: usize = 128;
/// Shares of the batch. There are fewer if the sums of all shares would exceed `SHARE_NUMBERS` numbers.
const SHARES: usize = 8;
const SHARE_NUMBERS: usize = 1 << 22;

/// The cut of the work, and the layout of the workspace.
pub(super) struct Plan<S> {
    g: Geometry,
    /// Rows of output in a band, bands of an image, and images in a group (several only if a band is a whole image).
    band: usize,
    bands: usize,
    images: usize,
    shares: usize,
    sums: usize,
    slabs: usize,
    slab: usize,
    packs: usize,
    pack: usize,
    parts: Parts,
    vectors: PhantomData<S>,
}

impl<S: Arithmetic> Plan<S> {
    pub(super) fn new(geometry: &Geometry, workers: usize) -> Self {
        let g = *geometry;
        // A band is as high as the limits allow. Bands are then made equal, so that no short one is left over.
        let line = ((g.out_width - 1) * g.stride[1] + g.kernel[1]) * g.channels;
        let size = |rows: usize| ((rows - 1) * g.stride[0] + g.kernel[0]) * line;
        let fits = |rows: &usize| *rows <= MOST_RUNS && rows * g.out_width <= PIXELS && size(*rows) <= SLAB;
        let most = (1..=g.out_height).rev().find(fits).unwrap_or(1);
        let bands = g.out_height.div_ceil(most);
        let band = g.out_height.div_ceil(bands);
        // The number of shares must not depend on threads, because it decides the order of the sums.
        let share = |shares: usize| g.batch.div_ceil(shares);
        let shares = SHARES.min(g.batch).min((SHARE_NUMBERS / g.weights().max(1)).max(2)).max(1);
        let images = if bands > 1 {
            1
        } else {
            let most = (PIXELS / (band * g.out_width)).min(SLAB / size(band)).min(MOST_RUNS / band);
            most.clamp(1, share(shares))
        };
        let mut parts = Parts::default();
        let sums = parts.take(shares * g.weights());
        let slab = (images * size(band)).next_multiple_of(16);
        let slabs = parts.take(workers * slab);
        let pack = images * band * g.out_width * panel::<S>();
        let packs = parts.take(workers * pack);
        Self { g, band, bands, images, shares, sums, slabs, slab, packs, pack, parts, vectors: PhantomData }
    }

    pub(super) fn elements(&self) -> usize {
        self.parts.elements()
    }
}

/// Computes the gradient at w.
///
/// # Safety
/// The contract of [`super::weight_gradient`]. The CPU has the features of `S`.
pub(super) unsafe fn gradient<S: Arithmetic>(
    geometry: &Geometry,
    [x, dy]: [*const S::Element; 2],
    dw: *mut S::Element,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S>::new(geometry, workers.threads());
    let memory = aligned(workspace);
    let g = geometry;
    // SAFETY: the plan took the parts from the workspace; the rest is the contract of this function. The first `run_all`
    // returns when all shares are done, so `Total` reads complete sums.
    unsafe {
        let sums = SharedPtr::write(memory.at(plan.sums));
        let shares = Shares {
            plan: &plan,
            x: Images::new(x, [g.height, g.width, g.channels], prepare),
            dy: SharedPtr::read(dy),
            slabs: SharedPtr::write(memory.at(plan.slabs)),
            packs: SharedPtr::write(memory.at(plan.packs)),
            sums,
        };
        run_all::<S, _>(&shares, workers);
        run_all::<S, _>(&Total { g, shares: plan.shares, sums, dw: SharedPtr::write(dw) }, workers);
    }
}

/// The sums of all shares, each as `[kernel height, kernel width, channels, units]`. A task is one share.
struct Shares<'a, S: Arithmetic> {
    plan: &'a Plan<S>,
    x: Images<S::Element>,
    dy: SharedPtr<S::Element>,
    slabs: SharedPtr<S::Element>,
    packs: SharedPtr<S::Element>,
    sums: SharedPtr<S::Element>,
}

// SAFETY: the plan is plain numbers and contains `S` as a type only; all pointers are `SharedPtr`.
unsafe impl<S: Arithmetic> Sync for Shares<'_, S> {}

impl<S: Arithmetic> Parallel<S> for Shares<'_, S> {
    fn tasks(&self) -> usize {
        self.plan.shares
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, worker: usize) {
        let plan = self.plan;
        let (first, count) = split(plan.g.batch, plan.shares, task);
        // SAFETY: no other task has the sums of this share.
        unsafe { fill(self.sums.at(task * plan.g.weights()), plan.g.weights()) };
        let mut image = first;
        while image < first + count {
            let images = plan.images.min(first + count - image);
            for band in 0..plan.bands {
                let (row, rows) = part(plan.g.out_height, plan.band, band);
                // SAFETY: the images are in this share, the rows inside the result; no other task has this share.
                unsafe { self.group([image, images, row, rows], task, worker) };
            }
            image += images;
        }
    }
}

impl<S: Arithmetic> Shares<'_, S> {
    /// Adds the products of a group: some rows of some images.
    ///
    /// # Safety
    /// The images and rows exist. No other thread works on this share, or with this worker.
    #[inline(always)]
    unsafe fn group(&self, [image, images, row, rows]: [usize; 4], share: usize, worker: usize) {
        let (plan, g) = (self.plan, &self.plan.g);
        let size = [(rows - 1) * g.stride[0] + g.kernel[0], (g.out_width - 1) * g.stride[1] + g.kernel[1]];
        let one = size[0] * size[1] * g.channels;
        let top = (row * g.stride[0]).cast_signed().saturating_sub_unsigned(g.pad[0]);
        let left = 0_isize.saturating_sub_unsigned(g.pad[1]);
        let mut runs = [Run::default(); MOST_RUNS];
        // SAFETY: the plan has a slab and a pack for each worker, with room for the largest group. Panels and images exist.
        unsafe {
            let slab = self.slabs.at(worker * plan.slab);
            let pack = self.packs.at(worker * plan.pack);
            for index in 0..images {
                self.x.cut::<S>(image + index, [top, left], size, slab.add(index * one));
            }
            for index in 0..g.units.div_ceil(panel::<S>()) {
                let width = padded::<S>(g.units, index);
                // A run is one row of pixels: its terms are strided in the slab, and contiguous in the pack.
                for (at, run) in runs.iter_mut().enumerate().take(images * rows) {
                    let (image_at, row_at) = (at / rows, at % rows);
                    let left = image_at * one + row_at * g.stride[0] * size[1] * g.channels;
                    let right = at * g.out_width * width;
                    *run = Run { left, right, depth: g.out_width };
                    self.pack(image + image_at, row + row_at, index, pack.add(right));
                }
                self.panel(&runs[..images * rows], index, size[1] * g.channels, slab, pack, share);
            }
        }
    }

    /// Copies the columns of one panel of a row of dy.
    ///
    /// # Safety
    /// The row and the panel exist, and `to` has room for the row in whole vectors.
    #[inline(always)]
    unsafe fn pack(&self, image: usize, row: usize, index: usize, to: *mut S::Element) {
        let g = &self.plan.g;
        let first = index * panel::<S>();
        let (columns, width) = ((g.units - first).min(panel::<S>()), padded::<S>(g.units, index));
        let from = ((image * g.out_height + row) * g.out_width) * g.units + first;
        for pixel in 0..g.out_width {
            for vector in (0..width).step_by(S::LANES) {
                let count = (columns - vector).min(S::LANES);
                // SAFETY: `count` units from `first + vector` on are inside dy; a row of the pack has `width` numbers.
                unsafe {
                    let from = self.dy.at(from + pixel * g.units + vector);
                    let value = if count == S::LANES { S::load(from) } else { S::load_first(from, count) };
                    value.store(to.add(pixel * width + vector));
                }
            }
        }
    }

    /// Adds the products of one panel, for every row of taps.
    ///
    /// # Safety
    /// As for [`Self::group`]. `slab` and `pack` are filled.
    #[inline(always)]
    unsafe fn panel(
        &self,
        runs: &[Run],
        index: usize,
        line: usize,
        slab: *const S::Element,
        pack: *const S::Element,
        share: usize,
    ) {
        let g = &self.plan.g;
        let rows = g.kernel[1] * g.channels;
        let first = index * panel::<S>();
        // All taps of one row are one matmul: their pixels are neighbours in the slab.
        for i in 0..g.kernel[0] {
            // SAFETY: rows `i rows` to `(i + 1) rows` of the share's sums are those of tap row `i`.
            unsafe {
                S::enter(TileMatMul::<S, true> {
                    rows,
                    columns: (g.units - first).min(panel::<S>()),
                    runs,
                    left: slab.add(i * line),
                    left_stride: g.stride[1] * g.channels,
                    right: pack,
                    right_stride: padded::<S>(g.units, index),
                    target: self.sums.at(share * g.weights() + i * rows * g.units + first),
                    target_stride: g.units,
                    add: true,
                    epilogue: Epilogue::none(),
                    ahead: [Ahead::none(); 2],
                });
            }
        }
    }
}

/// Adds the shares up and puts channels before taps. A task is one channel.
struct Total<'a, T> {
    g: &'a Geometry,
    shares: usize,
    sums: SharedPtr<T>,
    dw: SharedPtr<T>,
}

impl<S: Arithmetic> Parallel<S> for Total<'_, S::Element> {
    fn tasks(&self) -> usize {
        self.g.channels
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let g = self.g;
        let taps = g.kernel[0] * g.kernel[1];
        for tap in 0..taps {
            let (from, to) = ((tap * g.channels + task) * g.units, (task * taps + tap) * g.units);
            for unit in 0..g.units {
                let mut sum = S::Element::default();
                for share in 0..self.shares {
                    // SAFETY: unit, tap and channel are inside the sums of every share, which are complete.
                    sum = sum.plus(unsafe { *self.sums.at(share * g.weights() + from + unit) });
                }
                // SAFETY: the weight is inside dw, and no other task has this channel.
                unsafe { *self.dw.at(to + unit) = sum }
            }
        }
    }
}
