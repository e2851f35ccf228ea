//! Direct gradient at the weights: a sum over all pixels of all images.
//!
//! The batch is cut into a fixed number of shares; each has its own sums, which are added in order at the end.

use super::pack::padded;
use super::shape::{Geometry, Prepare};
use super::slab::{Images, fill};
use super::tile::{Ahead, Product, Run, panel, part, split};
use crate::finish::Finish;
use crate::memory::{At, Parts, Phase, aligned, all};
use crate::simd::{Arithmetic, Number};
use crate::workers::Workers;
use std::marker::PhantomData;

/// Most numbers of a slab and pixels of a group, chosen so that slab and packed gradients stay in the second-level cache.
const SLAB: usize = 1 << 16;
const PIXELS: usize = 256;
/// Rows of pixels in a group at most.
const MOST_RUNS: usize = 128;
/// Shares of the batch; fewer where their sums would be more than this many numbers.
const SHARES: usize = 8;
const SHARE_NUMBERS: usize = 1 << 22;

/// How the work is cut up, and how working memory is used.
pub(super) struct Plan<S> {
    g: Geometry,
    /// Rows of output in a band, bands of an image, images in a group (several only if a band is a whole image).
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
        let line = ((g.out_width - 1) * g.stride[1] + g.kernel[1]) * g.channels;
        let size = |rows: usize| ((rows - 1) * g.stride[0] + g.kernel[0]) * line;
        let fits = |rows: &usize| *rows <= MOST_RUNS && rows * g.out_width <= PIXELS && size(*rows) <= SLAB;
        let most = (1..=g.out_height).rev().find(fits).unwrap_or(1);
        let bands = g.out_height.div_ceil(most);
        let band = g.out_height.div_ceil(bands);
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
/// As [`super::weight_gradient`]; the processor has the features of `S`.
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
    // SAFETY: the parts lie inside the working memory; the caller vouches for the operands and the features.
    unsafe {
        let sums = At::write(memory.at(plan.sums));
        let shares = Shares {
            plan: &plan,
            x: Images::new(x, [g.height, g.width, g.channels], prepare),
            dy: At::read(dy),
            slabs: At::write(memory.at(plan.slabs)),
            packs: At::write(memory.at(plan.packs)),
            sums,
        };
        all::<S, _>(&shares, workers);
        all::<S, _>(&Total { g, shares: plan.shares, sums, dw: At::write(dw) }, workers);
    }
}

/// The sums of all shares, each as `[kernel height, kernel width, channels, units]`; a job is a share.
struct Shares<'a, S: Arithmetic> {
    plan: &'a Plan<S>,
    x: Images<S::Element>,
    dy: At<S::Element>,
    slabs: At<S::Element>,
    packs: At<S::Element>,
    sums: At<S::Element>,
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only.
unsafe impl<S: Arithmetic> Sync for Shares<'_, S> {}

impl<S: Arithmetic> Phase<S> for Shares<'_, S> {
    fn jobs(&self) -> usize {
        self.plan.shares
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, worker: usize) {
        let plan = self.plan;
        let (first, count) = split(plan.g.batch, plan.shares, job);
        // SAFETY: the share's sums are this job's alone.
        unsafe { fill(self.sums.at(job * plan.g.weights()), plan.g.weights()) };
        let mut image = first;
        while image < first + count {
            let images = plan.images.min(first + count - image);
            for band in 0..plan.bands {
                let (row, rows) = part(plan.g.out_height, plan.band, band);
                // SAFETY: images and rows exist.
                unsafe { self.group([image, images, row, rows], job, worker) };
            }
            image += images;
        }
    }
}

impl<S: Arithmetic> Shares<'_, S> {
    /// Adds some rows of some images.
    ///
    /// # Safety
    /// They exist; no other thread works on this share or as this worker.
    #[inline(always)]
    unsafe fn group(&self, [image, images, row, rows]: [usize; 4], share: usize, worker: usize) {
        let (plan, g) = (self.plan, &self.plan.g);
        let size = [(rows - 1) * g.stride[0] + g.kernel[0], (g.out_width - 1) * g.stride[1] + g.kernel[1]];
        let one = size[0] * size[1] * g.channels;
        let top = (row * g.stride[0]).cast_signed().saturating_sub_unsigned(g.pad[0]);
        let left = 0_isize.saturating_sub_unsigned(g.pad[1]);
        let mut runs = [Run::default(); MOST_RUNS];
        // SAFETY: the worker's slab and pack have room for a group; panels and images exist.
        unsafe {
            let slab = self.slabs.at(worker * plan.slab);
            let pack = self.packs.at(worker * plan.pack);
            for index in 0..images {
                self.x.cut::<S>(image + index, [top, left], size, slab.add(index * one));
            }
            for index in 0..g.units.div_ceil(panel::<S>()) {
                let width = padded::<S>(g.units, index);
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

    /// Copies a row of dy, the columns of one panel.
    ///
    /// # Safety
    /// They exist; `to` has room.
    #[inline(always)]
    unsafe fn pack(&self, image: usize, row: usize, index: usize, to: *mut S::Element) {
        let g = &self.plan.g;
        let first = index * panel::<S>();
        let (columns, width) = ((g.units - first).min(panel::<S>()), padded::<S>(g.units, index));
        let from = ((image * g.out_height + row) * g.out_width) * g.units + first;
        for pixel in 0..g.out_width {
            for vector in (0..width).step_by(S::LANES) {
                let count = (columns - vector).min(S::LANES);
                // SAFETY: `count` units from `first + vector` on exist; the row of the pack is `width` long.
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
    /// As [`Self::group`].
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
        for i in 0..g.kernel[0] {
            // SAFETY: rows `i rows` to `(i + 1) rows` of the share's sums are those of tap row `i`.
            unsafe {
                S::enter(Product::<S, true> {
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
                    finish: Finish::none(),
                    ahead: [Ahead::none(); 2],
                });
            }
        }
    }
}

/// Adds up the shares and puts channels before taps; a job is a channel.
struct Total<'a, T> {
    g: &'a Geometry,
    shares: usize,
    sums: At<T>,
    dw: At<T>,
}

impl<S: Arithmetic> Phase<S> for Total<'_, S::Element> {
    fn jobs(&self) -> usize {
        self.g.channels
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let g = self.g;
        let taps = g.kernel[0] * g.kernel[1];
        for tap in 0..taps {
            let (from, to) = ((tap * g.channels + job) * g.units, (job * taps + tap) * g.units);
            for unit in 0..g.units {
                let mut sum = S::Element::default();
                for share in 0..self.shares {
                    // SAFETY: unit, tap and channel exist; every share's sums were computed before.
                    sum = sum.plus(unsafe { *self.sums.at(share * g.weights() + from + unit) });
                }
                // SAFETY: as above; this channel's weights are this job's alone.
                unsafe { *self.dw.at(to + unit) = sum }
            }
        }
    }
}
