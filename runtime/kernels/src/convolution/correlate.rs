//! Direct convolution, and the gradient at the input, which is a convolution too.
//!
//! With stride s, the pixels of the input form s x s classes, by the remainder of `position + pad` after division by s.
//! The gradient of one class is a correlation of dy with every s-th tap in reverse order, with stride 1. All classes
//! together have as many taps as the kernel. A forward convolution has one class.

use super::class::{Class, bands, forward_class, input_class};
use super::pack::{Pack, packed, padded};
use super::pooled;
use super::shape::{Geometry, Prepare, Side};
use super::slab::{Images, fill};
use super::sums::{Room, Sums};
use super::tile::{Ahead, Run, TileMatMul, panel};
use crate::epilogue::{Epilogue, Pooled};
use crate::memory::{Parallel, Parts, SharedPtr, aligned, run_all};
use crate::simd::{Arithmetic, Bytes};
use crate::workers::Workers;
use std::marker::PhantomData;

/// The cut of the work into classes and bands, and the layout of the workspace.
pub(super) struct Plan<S> {
    side: Side,
    classes: Vec<Class>,
    batch: usize,
    kernel: [usize; 2],
    units: usize,
    /// Height, width and channels of the image that is read, and of the one that is written.
    from: [usize; 3],
    to: [usize; 3],
    /// Offset of the packed weights.
    packed: usize,
    /// Offset of the slabs, one for each worker, and the size of one.
    slabs: usize,
    slab: usize,
    /// Offset of the results of bands that may be pooled, one for each worker, and the size of one.
    results: usize,
    result: usize,
    sums: [Room; 2],
    parts: Parts,
    vectors: PhantomData<S>,
}

impl<S: Arithmetic> Plan<S> {
    pub(super) fn forward(geometry: &Geometry, workers: usize) -> Self {
        let g = geometry;
        let (from, to) = ([g.height, g.width, g.channels], [g.out_height, g.out_width, g.units]);
        Self::new(g, Side::Forward, vec![forward_class(g)], [from, to], workers)
    }

    pub(super) fn input(geometry: &Geometry, workers: usize) -> Self {
        let g = geometry;
        let rests = (0..g.stride[0]).flat_map(|a| (0..g.stride[1]).map(move |b| [a, b]));
        let classes = rests.filter_map(|rest| input_class(g, rest)).collect();
        let (from, to) = ([g.out_height, g.out_width, g.units], [g.height, g.width, g.channels]);
        Self::new(g, Side::Input, classes, [from, to], workers)
    }

    fn new(g: &Geometry, side: Side, classes: Vec<Class>, [from, to]: [[usize; 3]; 2], workers: usize) -> Self {
        // All parts of the workspace have the size of the largest class, so that a worker may take a band of any class.
        let mut classes: Vec<Class> = classes.into_iter().map(|class| class.banded(g.batch, from[2])).collect();
        let (mut parts, mut rows) = (Parts::default(), 0);
        for class in &mut classes {
            class.packed = packed::<S>(rows, to[2]);
            rows += class.taps() * from[2];
        }
        let packed = parts.take(packed::<S>(rows, to[2]));
        let slab_of = |class: &Class| class.largest_slab() * from[2];
        let slab = classes.iter().map(slab_of).max().unwrap_or(0).next_multiple_of(16);
        let slabs = parts.take(slab * workers);
        let result = classes.iter().map(|class| class.pooled(to[2])).max().unwrap_or(0).next_multiple_of(16);
        let results = parts.take(result * workers);
        let (batch, kernel, units) = (g.batch, g.kernel, g.units);
        // Each band has partial sums of its own, so that their order does not depend on threads.
        let sums = [(); 2].map(|()| Room::take::<S>(batch * bands(&classes), to[2], &mut parts));
        Self {
            side,
            classes,
            batch,
            kernel,
            units,
            from,
            to,
            packed,
            slabs,
            slab,
            results,
            result,
            sums,
            parts,
            vectors: PhantomData,
        }
    }

    pub(super) fn elements(&self) -> usize {
        self.parts.elements()
    }
}

/// Computes y.
///
/// # Safety
/// The contract of [`super::forward`]. The CPU has the features of `S`.
pub(super) unsafe fn forward<S: Bytes>(
    geometry: &Geometry,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    epilogue: Epilogue<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S>::forward(geometry, workers.threads());
    // SAFETY: the contract of this function is that of the call.
    unsafe { run(&plan, [x, w], y, epilogue, prepare, workspace, workers) }
}

/// Computes the gradient at x.
///
/// # Safety
/// The contract of [`super::input_gradient`]. The CPU has the features of `S`.
pub(super) unsafe fn input<S: Bytes>(
    geometry: &Geometry,
    [dy, w]: [*const S::Element; 2],
    dx: *mut S::Element,
    epilogue: Epilogue<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S>::input(geometry, workers.threads());
    // SAFETY: the contract of this function is that of the call.
    unsafe { run(&plan, [dy, w], dx, epilogue, Prepare::none(), workspace, workers) }
}

/// Packs the weights, then computes all bands of all images, then joins the sums.
///
/// # Safety
/// As for [`forward`].
unsafe fn run<S: Bytes>(
    plan: &Plan<S>,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    epilogue: Epilogue<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let memory = aligned(workspace);
    // SAFETY: the plan took these parts of the workspace.
    let [packed, slabs, results] = [plan.packed, plan.slabs, plan.results].map(|part| unsafe { memory.at(part) });
    let pack = Pack {
        side: plan.side,
        classes: &plan.classes,
        kernel: plan.kernel,
        units: plan.units,
        depth: plan.from[2],
        columns: plan.to[2],
        w: SharedPtr::read(w),
        packed: SharedPtr::write(packed),
    };
    // SAFETY: the plan took the room for the sums from this workspace.
    let sums = unsafe { Sums::<S>::both(plan.sums, memory, &epilogue) };
    let bands = Bands {
        plan,
        images: Images::new(x, plan.from, prepare),
        weights: SharedPtr::write(packed),
        slabs: SharedPtr::write(slabs),
        results: SharedPtr::write(results),
        y: SharedPtr::write(y),
        epilogue,
        sums,
    };
    // SAFETY: operands and features are the contract of this function. `run_all` returns when all its tasks are done, so
    // bands read complete weights, and `finish` reads complete sums.
    unsafe {
        run_all::<S, _>(&pack, workers);
        run_all::<S, _>(&bands, workers);
        sums[0].finish(workers);
        sums[1].finish(workers);
    }
}

/// All bands of all images. A task is one band of one class of one image.
struct Bands<'a, S: Arithmetic> {
    plan: &'a Plan<S>,
    images: Images<S::Element>,
    weights: SharedPtr<S::Element>,
    slabs: SharedPtr<S::Element>,
    results: SharedPtr<S::Element>,
    y: SharedPtr<S::Element>,
    epilogue: Epilogue<S::Element>,
    sums: [Sums<S>; 2],
}

// SAFETY: the plan is plain numbers and contains `S` as a type only. The pointers in the epilogue are only read, except
// those of the sums, of which every task has its own part.
unsafe impl<S: Arithmetic> Sync for Bands<'_, S> {}

impl<S: Bytes> Parallel<S> for Bands<'_, S> {
    fn tasks(&self) -> usize {
        self.plan.batch * bands(&self.plan.classes)
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, worker: usize) {
        let (image, mut band) = (task % self.plan.batch, task / self.plan.batch);
        // SAFETY: there is a part for each task, and no other thread has this one.
        let sums = self.sums.map(|all| unsafe { all.begin(task, 0, self.plan.to[2]) });
        for class in &self.plan.classes {
            if band < class.bands() {
                // SAFETY: `band` is a band of the class, and no other thread has it or this worker.
                return unsafe { self.band(class, [image, band], worker, sums) };
            }
            band -= class.bands();
        }
    }
}

impl<S: Bytes> Bands<'_, S> {
    /// Computes a band: some rows of output of one class and image.
    ///
    /// # Safety
    /// The band exists. No other thread works on it, or with this worker. `sums` is from [`Sums::begin`].
    #[inline(always)]
    unsafe fn band(&self, class: &Class, [image, band]: [usize; 2], worker: usize, sums: [*mut S::Element; 2]) {
        let (row, rows) = class.rows(band);
        if class.taps() == 0 {
            // SAFETY: the contract of this function is that of the call.
            return unsafe { self.zero(class, image, row, rows) };
        }
        let down = (row * class.stride[0]).cast_signed();
        // SAFETY: the plan has a slab for each worker, as large as the largest band needs.
        let slab = unsafe { self.slabs.at(worker * self.plan.slab) };
        let origin = [class.origin[0] + down, class.origin[1]];
        // SAFETY: the image exists, and the slab has room for `class.slab(rows)` pixels.
        unsafe { self.images.cut::<S>(image, origin, class.slab(rows), slab) };
        // SAFETY: the plan has room for the results of the largest band for each worker.
        let own = self.epilogue.pooled.map(|_| unsafe { self.results.at(worker * self.plan.result) });
        for index in 0..self.plan.to[2].div_ceil(panel::<S>()) {
            // SAFETY: the panel exists, and `cut` has filled the slab with all that these rows read.
            unsafe { self.panel(class, [image, row, rows], index, slab, own, sums) }
        }
        if let (Some(pooled), Some(own)) = (&self.epilogue.pooled, own) {
            // SAFETY: the loop above has computed all panels of the band.
            unsafe { self.pool(pooled, own, [image, row, rows]) }
        }
    }

    /// Pools windows of 2 x 2 in some rows of output.
    ///
    /// # Safety
    /// As for [`Self::band`]. The rows are contiguous at `from`.
    #[inline(always)]
    unsafe fn pool(&self, pooled: &Pooled<S::Element>, from: *const S::Element, [image, row, rows]: [usize; 3]) {
        let [height, width, units] = self.plan.to;
        let first = (image * height / 2 + row / 2) * (width / 2) * units;
        // SAFETY: bands are multiples of two rows, so they contain whole windows, which no other thread has.
        unsafe { pooled::rows::<S>(pooled, from, [rows, width, units], first, self.y) }
    }

    /// Computes the columns of one panel for some rows of output. The results go to `own` if it is given, else to the image.
    ///
    /// # Safety
    /// As for [`Self::band`]. The slab is filled, and `own` has room for the rows.
    #[inline(always)]
    unsafe fn panel(
        &self,
        class: &Class,
        [image, row, rows]: [usize; 3],
        index: usize,
        slab: *const S::Element,
        own: Option<*mut S::Element>,
        sums: [*mut S::Element; 2],
    ) {
        let (channels, columns) = (self.plan.from[2], self.plan.to[2]);
        let first = index * panel::<S>();
        let width = padded::<S>(columns, index);
        let line = class.slab(rows)[1] * channels;
        let depth = class.kernel[1] * channels;
        let mut runs = [Run::default(); MOST_RUNS];
        // A row of output is a matmul of pixels by columns. Each row of taps is a run: contiguous in the slab and in the
        // panel.
        for at in 0..rows {
            let mut add = false;
            for start in (0..class.kernel[0]).step_by(MOST_RUNS) {
                let count = MOST_RUNS.min(class.kernel[0] - start);
                for (i, run) in runs.iter_mut().enumerate().take(count) {
                    *run = Run { left: (start + i) * line, right: (start + i) * depth * width, depth };
                }
                // The epilogue follows the complete sum. Kernels with more rows of taps than runs are added up in memory.
                let last = start + count == class.kernel[0];
                let pixel = self.pixel(class, image, row + at);
                let epilogue = if last { self.finish_of(pixel, first, sums) } else { Epilogue::none() };
                // SAFETY: all panels before this one are full, so `first` columns lie before it. The row and its columns
                // are inside the image or `own`. The runs are inside the slab and the packed weights.
                unsafe {
                    let target =
                        own.map_or(self.y.at(pixel + first), |own| own.add(at * class.outputs[1] * columns + first));
                    S::enter(TileMatMul::<S, false> {
                        rows: class.outputs[1],
                        columns: (columns - first).min(panel::<S>()),
                        runs: &runs[..count],
                        left: slab.add(at * class.stride[0] * line),
                        left_stride: class.stride[1] * channels,
                        right: self.weights.at(class.packed + first * class.taps() * channels),
                        right_stride: width,
                        target,
                        target_stride: class.step[1] * columns,
                        add,
                        epilogue,
                        ahead: [Ahead::none(); 2],
                    });
                }
                add = true;
            }
        }
    }

    /// The epilogue for the units from `first` on, for a row of pixels that begins at `pixel`.
    #[inline(always)]
    fn finish_of(&self, pixel: usize, first: usize, [sums, weighted]: [*mut S::Element; 2]) -> Epilogue<S::Element> {
        let units = |of: *mut S::Element| if of.is_null() { of } else { of.wrapping_add(first) };
        let total = |of: *mut S::Element| if of.is_null() { of } else { of.wrapping_add(2 * first) };
        let relu_mask = self.epilogue.relu_mask.at(pixel + first, first, total(weighted));
        Epilogue { bias: units(self.epilogue.bias.cast_mut()), relu_mask, sums: total(sums), ..self.epilogue }
    }

    /// The offset in the image of the first pixel of a row of output.
    #[inline(always)]
    fn pixel(&self, class: &Class, image: usize, row: usize) -> usize {
        let [height, width, columns] = self.plan.to;
        ((image * height + class.first[0] + row * class.step[0]) * width + class.first[1]) * columns
    }

    /// Writes zeros to pixels that no window reads.
    ///
    /// # Safety
    /// As for [`Self::band`].
    #[inline(always)]
    unsafe fn zero(&self, class: &Class, image: usize, row: usize, rows: usize) {
        let columns = self.plan.to[2];
        for row in row..row + rows {
            for column in 0..class.outputs[1] {
                // SAFETY: the pixel is one of this band, inside the image.
                unsafe { fill(self.y.at(self.pixel(class, image, row) + column * class.step[1] * columns), columns) }
            }
        }
    }
}

/// Limit on the rows of taps that are summed in registers at once.
const MOST_RUNS: usize = 16;
