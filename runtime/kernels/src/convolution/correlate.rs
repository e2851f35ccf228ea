//! Direct convolution forwards, and the gradient at the input, which is one too.
//!
//! With stride s the pixels of the input fall into s x s classes by what remains of `position + pad` after division by
//! s. One class's gradient is a correlation of dy, stride 1, with every s-th tap in reverse; together the classes have as
//! many taps as the kernel. Forwards there is one class.

use super::class::{Class, bands, forward_class, input_class};
use super::pack::{Pack, packed, padded};
use super::pooled;
use super::shape::{Geometry, Prepare, Side};
use super::slab::{Images, fill};
use super::sums::{Room, Sums};
use super::tile::{Ahead, Product, Run, panel};
use crate::finish::{Finish, Pooled};
use crate::memory::{At, Parts, Phase, aligned, all};
use crate::simd::{Arithmetic, Bytes};
use crate::workers::Workers;
use std::marker::PhantomData;

/// What is computed, and how working memory is used.
pub(super) struct Plan<S> {
    side: Side,
    classes: Vec<Class>,
    batch: usize,
    kernel: [usize; 2],
    units: usize,
    /// Height, width and channels of the image that is read, and of the one that is written.
    from: [usize; 3],
    to: [usize; 3],
    packed: usize,
    slabs: usize,
    slab: usize,
    /// Room for the results of a band, where they may be pooled.
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
/// As [`super::forward`]; the processor has the features of `S`.
pub(super) unsafe fn forward<S: Bytes>(
    geometry: &Geometry,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    finish: Finish<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S>::forward(geometry, workers.threads());
    // SAFETY: passed on from the caller.
    unsafe { run(&plan, [x, w], y, finish, prepare, workspace, workers) }
}

/// Computes the gradient at x.
///
/// # Safety
/// As [`super::input_gradient`]; the processor has the features of `S`.
pub(super) unsafe fn input<S: Bytes>(
    geometry: &Geometry,
    [dy, w]: [*const S::Element; 2],
    dx: *mut S::Element,
    finish: Finish<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S>::input(geometry, workers.threads());
    // SAFETY: passed on from the caller.
    unsafe { run(&plan, [dy, w], dx, finish, Prepare::none(), workspace, workers) }
}

/// Packs the weights, then does all bands of all images.
///
/// # Safety
/// As [`forward`].
unsafe fn run<S: Bytes>(
    plan: &Plan<S>,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    finish: Finish<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let memory = aligned(workspace);
    // SAFETY: the parts lie inside the working memory.
    let [packed, slabs, results] = [plan.packed, plan.slabs, plan.results].map(|part| unsafe { memory.at(part) });
    let pack = Pack {
        side: plan.side,
        classes: &plan.classes,
        kernel: plan.kernel,
        units: plan.units,
        depth: plan.from[2],
        columns: plan.to[2],
        w: At::read(w),
        packed: At::write(packed),
    };
    // SAFETY: the plan took the room.
    let sums = unsafe { Sums::<S>::both(plan.sums, memory, &finish) };
    let bands = Bands {
        plan,
        images: Images::new(x, plan.from, prepare),
        weights: At::write(packed),
        slabs: At::write(slabs),
        results: At::write(results),
        y: At::write(y),
        finish,
        sums,
    };
    // SAFETY: the caller vouches for the operands and the features.
    unsafe {
        all::<S, _>(&pack, workers);
        all::<S, _>(&bands, workers);
        sums[0].finish(workers);
        sums[1].finish(workers);
    }
}

/// All bands of all images; a job is one band of one class.
struct Bands<'a, S: Arithmetic> {
    plan: &'a Plan<S>,
    images: Images<S::Element>,
    weights: At<S::Element>,
    slabs: At<S::Element>,
    results: At<S::Element>,
    y: At<S::Element>,
    finish: Finish<S::Element>,
    sums: [Sums<S>; 2],
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only; what the finish points to is read only, but for its
// sums, of which every job has a part of its own.
unsafe impl<S: Arithmetic> Sync for Bands<'_, S> {}

impl<S: Bytes> Phase<S> for Bands<'_, S> {
    fn jobs(&self) -> usize {
        self.plan.batch * bands(&self.plan.classes)
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, worker: usize) {
        let (image, mut band) = (job % self.plan.batch, job / self.plan.batch);
        // SAFETY: every job has a part of its own.
        let sums = self.sums.map(|all| unsafe { all.begin(job, 0, self.plan.to[2]) });
        for class in &self.plan.classes {
            if band < class.bands() {
                // SAFETY: image, band and worker exist.
                return unsafe { self.band(class, [image, band], worker, sums) };
            }
            band -= class.bands();
        }
    }
}

impl<S: Bytes> Bands<'_, S> {
    /// Some rows of output of one class and image.
    ///
    /// # Safety
    /// They exist; no other thread works on them or as this worker; `sums` is from [`Sums::begin`].
    #[inline(always)]
    unsafe fn band(&self, class: &Class, [image, band]: [usize; 2], worker: usize, sums: [*mut S::Element; 2]) {
        let (row, rows) = class.rows(band);
        if class.taps() == 0 {
            // SAFETY: passed on from the caller.
            return unsafe { self.zero(class, image, row, rows) };
        }
        let down = (row * class.stride[0]).cast_signed();
        // SAFETY: the worker's slab has room for a band.
        let slab = unsafe { self.slabs.at(worker * self.plan.slab) };
        let origin = [class.origin[0] + down, class.origin[1]];
        // SAFETY: as above; the image exists.
        unsafe { self.images.cut::<S>(image, origin, class.slab(rows), slab) };
        // SAFETY: so has its room for results.
        let own = self.finish.pooled.map(|_| unsafe { self.results.at(worker * self.plan.result) });
        for index in 0..self.plan.to[2].div_ceil(panel::<S>()) {
            // SAFETY: the panel exists; the slab holds what these rows read.
            unsafe { self.panel(class, [image, row, rows], index, slab, own, sums) }
        }
        if let (Some(pooled), Some(own)) = (&self.finish.pooled, own) {
            // SAFETY: the panels are done.
            unsafe { self.pool(pooled, own, [image, row, rows]) }
        }
    }

    /// The largest of windows of 2 x 2 of some rows of output.
    ///
    /// # Safety
    /// As [`Self::band`]; the rows lie side by side at `from`.
    #[inline(always)]
    unsafe fn pool(&self, pooled: &Pooled<S::Element>, from: *const S::Element, [image, row, rows]: [usize; 3]) {
        let [height, width, units] = self.plan.to;
        let first = (image * height / 2 + row / 2) * (width / 2) * units;
        // SAFETY: bands begin and end between windows.
        unsafe { pooled::rows::<S>(pooled, from, [rows, width, units], first, self.y) }
    }

    /// The columns of one panel, for some rows of output; they go to `own`, if there is such a place.
    ///
    /// # Safety
    /// As [`Self::band`]; the slab is filled; `own` has room for the rows.
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
        for at in 0..rows {
            let mut add = false;
            for start in (0..class.kernel[0]).step_by(MOST_RUNS) {
                let count = MOST_RUNS.min(class.kernel[0] - start);
                for (i, run) in runs.iter_mut().enumerate().take(count) {
                    *run = Run { left: (start + i) * line, right: (start + i) * depth * width, depth };
                }
                let last = start + count == class.kernel[0];
                let pixel = self.pixel(class, image, row + at);
                let finish = if last { self.finish_of(pixel, first, sums) } else { Finish::none() };
                // SAFETY: the panels before this one are full; rows and columns are inside the image.
                unsafe {
                    let target =
                        own.map_or(self.y.at(pixel + first), |own| own.add(at * class.outputs[1] * columns + first));
                    S::enter(Product::<S, false> {
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
                        finish,
                        ahead: [Ahead::none(); 2],
                    });
                }
                add = true;
            }
        }
    }

    /// What happens to the units from `first` on, at a row of pixels that begins at `pixel`.
    #[inline(always)]
    fn finish_of(&self, pixel: usize, first: usize, [sums, weighted]: [*mut S::Element; 2]) -> Finish<S::Element> {
        let units = |of: *mut S::Element| if of.is_null() { of } else { of.wrapping_add(first) };
        let total = |of: *mut S::Element| if of.is_null() { of } else { of.wrapping_add(2 * first) };
        let gate = self.finish.gate.at(pixel + first, first, total(weighted));
        Finish { bias: units(self.finish.bias.cast_mut()), gate, sums: total(sums), ..self.finish }
    }

    /// Where the first pixel of a row of output is stored.
    #[inline(always)]
    fn pixel(&self, class: &Class, image: usize, row: usize) -> usize {
        let [height, width, columns] = self.plan.to;
        ((image * height + class.first[0] + row * class.step[0]) * width + class.first[1]) * columns
    }

    /// Zeros for pixels that no window reads.
    ///
    /// # Safety
    /// As [`Self::band`].
    #[inline(always)]
    unsafe fn zero(&self, class: &Class, image: usize, row: usize, rows: usize) {
        let columns = self.plan.to[2];
        for row in row..row + rows {
            for column in 0..class.outputs[1] {
                // SAFETY: a pixel of the image.
                unsafe { fill(self.y.at(self.pixel(class, image, row) + column * class.step[1] * columns), columns) }
            }
        }
    }
}

/// Most rows of taps summed in registers at once; higher kernels go on from memory.
const MOST_RUNS: usize = 16;
