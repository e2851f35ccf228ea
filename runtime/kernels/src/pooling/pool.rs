//! Pools and their gradients. A task is one image. The loops over channels are plain; the compiler turns them into
//! vectors of the variant's width.

use super::window::Window;
use crate::Variant;
use crate::epilogue::Epilogue;
use crate::memory::{Parallel, SharedPtr, run_all};
use crate::simd::{Number, Simd};
use crate::workers::Workers;

/// The function of each window that is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Max,
    MaxGradient,
    Sum,
    SumGradient,
}

/// Channels computed at once: their arrays fit the L1 cache.
const BLOCK: usize = 128;
/// Blocks whose sums are kept at the same time, so that pixels are read in the order of memory. The sums fit the L1 cache.
const SUMMED: usize = 4;

/// A pool or its gradient, with its operands.
pub struct Pool<'a, T> {
    pub(super) kind: Direction,
    pub(super) window: &'a Window,
    pub(super) x: SharedPtr<T>,
    /// A scale for each channel of `x`, applied before the search.
    pub(super) scale: Option<SharedPtr<T>>,
    /// The gradient dy, for the two gradients.
    pub(super) small: SharedPtr<T>,
    /// The result.
    pub(super) to: SharedPtr<T>,
    /// The epilogue of a max-pool's gradient. Windows must not overlap.
    pub(super) epilogue: Option<Through<T>>,
}

/// The epilogue of a gradient. Its sums are taken for each image.
pub struct Through<T>(pub(super) Epilogue<T>);

// SAFETY: the pointers in the epilogue are shared for reading, except those of its sums. Every task writes the sums of
// its own image.
unsafe impl<T> Sync for Through<T> {}

impl<S: Simd> Parallel<S> for Pool<'_, S::Element> {
    fn tasks(&self) -> usize {
        self.window.batch
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let w = self.window;
        // Overlapping windows add to a pixel, and pixels between windows get nothing: the gradient must start at 0.
        if matches!(self.kind, Direction::MaxGradient | Direction::SumGradient) && !w.tiles() {
            let size = w.height * w.width * w.channels;
            for index in task * size..(task + 1) * size {
                // SAFETY: the element is inside this task's image, which no other task has.
                unsafe { *self.to.at(index) = S::Element::default() }
            }
        }
        if let Some(Through(epilogue)) = &self.epilogue {
            // SAFETY: no other task has this image or its sums.
            return unsafe { self.gradient_with_epilogue(epilogue, task) };
        }
        for row in 0..w.out_height {
            for column in 0..w.out_width {
                for first in (0..w.channels).step_by(BLOCK) {
                    let place = WindowAt::new(w, task, [row, column], first);
                    // SAFETY: `place` is a window of this task's image, with channels below `w.channels`.
                    unsafe {
                        match self.kind {
                            Direction::Max => self.max(&place),
                            Direction::MaxGradient => self.largest_gradient(&place),
                            Direction::Sum => self.sum(&place),
                            Direction::SumGradient => self.sum_gradient(&place),
                        }
                    }
                }
            }
        }
    }
}

/// One window and some of its channels.
struct WindowAt {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    image: usize,
    /// The offset of the window's number in the small images.
    small: usize,
    first: usize,
    count: usize,
}

impl WindowAt {
    #[inline(always)]
    fn new(w: &Window, image: usize, [row, column]: [usize; 2], first: usize) -> Self {
        WindowAt {
            rows: w.covered(0, row),
            columns: w.covered(1, column),
            image,
            small: ((image * w.out_height + row) * w.out_width + column) * w.channels + first,
            first,
            count: BLOCK.min(w.channels - first),
        }
    }

    /// The offsets of the window's pixels in the large images.
    #[inline(always)]
    fn pixels(&self, w: &Window) -> impl Iterator<Item = usize> {
        let (columns, image, first) = (self.columns.clone(), self.image, self.first);
        let (height, width, channels) = (w.height, w.width, w.channels);
        self.rows.clone().flat_map(move |row| {
            columns.clone().map(move |column| ((image * height + row) * width + column) * channels + first)
        })
    }
}

impl<T: Number> Pool<'_, T> {
    /// Finds the largest number of a window for each channel, and the first pixel that has it. NaN is larger than any
    /// number.
    ///
    /// # Safety
    /// The window and the channels are inside the images.
    #[inline(always)]
    unsafe fn find(&self, place: &WindowAt, best: &mut [T; BLOCK], which: &mut [u32; BLOCK]) {
        for (pixel, at) in (0_u32..).zip(place.pixels(self.window)) {
            // SAFETY: `at` is a pixel of the window with `count` channels, by the contract of this function.
            let x = unsafe { std::slice::from_raw_parts(self.x.at(at), place.count) };
            let mut scaled = [T::default(); BLOCK];
            let x = match &self.scale {
                None => x,
                Some(scale) => {
                    // SAFETY: there is a scale for each channel, so for `count` channels from `first` on.
                    let scale = unsafe { std::slice::from_raw_parts(scale.at(place.first), place.count) };
                    scaled.iter_mut().zip(x.iter().zip(scale)).for_each(|(to, (x, scale))| *to = x.times(*scale));
                    &scaled[..place.count]
                }
            };
            // Without branches, so that the loop becomes vectors. `x != x` is true for NaN only.
            for ((best, which), x) in best.iter_mut().zip(which.iter_mut()).zip(x) {
                #[expect(clippy::eq_op, reason = "a number differs from itself only if it is NaN")]
                let better = (pixel == 0) | (*x > *best) | ((*x != *x) & (*best == *best));
                *best = if better { *x } else { *best };
                *which = if better { pixel } else { *which };
            }
        }
    }

    /// # Safety
    /// The window and the channels are inside the images; no other thread writes this window.
    #[inline(always)]
    unsafe fn max(&self, place: &WindowAt) {
        let (mut best, mut which) = ([T::from_f64(f64::NEG_INFINITY); BLOCK], [0; BLOCK]);
        // SAFETY: the contract of this function, also for `find`; `small` is the window's number with `count` channels.
        unsafe {
            self.find(place, &mut best, &mut which);
            let to = std::slice::from_raw_parts_mut(self.to.at(place.small), place.count);
            to.copy_from_slice(&best[..place.count]);
        }
    }

    /// # Safety
    /// The window and the channels are inside the images; no other thread writes this image.
    #[inline(always)]
    unsafe fn largest_gradient(&self, place: &WindowAt) {
        let (mut best, mut which) = ([T::default(); BLOCK], [0; BLOCK]);
        // SAFETY: the contract of this function, also for `find`; every slice is `count` channels of a pixel or window.
        unsafe {
            self.find(place, &mut best, &mut which);
            let dy = std::slice::from_raw_parts(self.small.at(place.small), place.count);
            let alone = self.window.tiles();
            for (pixel, at) in (0_u32..).zip(place.pixels(self.window)) {
                let dx = std::slice::from_raw_parts_mut(self.to.at(at), place.count);
                for ((dx, dy), which) in dx.iter_mut().zip(dy).zip(&which) {
                    let more = if *which == pixel { *dy } else { T::default() };
                    *dx = if alone { more } else { dx.plus(more) };
                }
            }
        }
    }

    /// Computes the gradient of a max-pool of one image, with its epilogue and the sums.
    ///
    /// # Safety
    /// No other thread works on this image. Windows do not overlap. The pointers in the epilogue are valid.
    #[inline(always)]
    unsafe fn gradient_with_epilogue(&self, epilogue: &Epilogue<T>, image: usize) {
        let w = self.window;
        for group in (0..w.channels).step_by(SUMMED * BLOCK) {
            let mut totals = [[Total::new(); 2]; SUMMED];
            let blocks = || (group..w.channels).step_by(BLOCK);
            for row in 0..w.out_height {
                for column in 0..w.out_width {
                    for (first, totals) in blocks().zip(&mut totals) {
                        let place = WindowAt::new(w, image, [row, column], first);
                        // SAFETY: `place` is a window of this image; the rest is the contract of this function.
                        let sums = unsafe { self.window_with_epilogue(epilogue, &place) };
                        totals.iter_mut().zip(&sums).for_each(|(total, sums)| total.add(sums));
                    }
                }
            }
            for (first, totals) in blocks().zip(&totals) {
                for (to, total) in [epilogue.sums, epilogue.relu_mask.weighted].into_iter().zip(totals) {
                    if !to.is_null() {
                        let count = BLOCK.min(w.channels - first);
                        // SAFETY: the sums have one number for each channel of each image.
                        let to = unsafe { std::slice::from_raw_parts_mut(to.add(image * w.channels + first), count) };
                        to.iter_mut().zip(total.sum.iter().zip(&total.lost)).for_each(|(to, (a, b))| *to = a.plus(*b));
                    }
                }
            }
        }
    }

    /// Computes the gradient of one window with the epilogue. Returns the sum of the masked gradients, and the sum of the
    /// gradients before the mask times the ReLU's output.
    ///
    /// # Safety
    /// As for [`Self::gradient_with_epilogue`]. The window and the channels are inside the images.
    #[inline(always)]
    unsafe fn window_with_epilogue(&self, epilogue: &Epilogue<T>, place: &WindowAt) -> [[T; BLOCK]; 2] {
        let (mut best, mut which) = ([T::default(); BLOCK], [0; BLOCK]);
        let (mut sums, mut weighted) = ([T::default(); BLOCK], [T::default(); BLOCK]);
        let relu_mask = &epilogue.relu_mask;
        // SAFETY: every slice is `count` channels of a pixel, of a window, or of a vector of the epilogue, by the
        // contract of this function.
        unsafe {
            self.find(place, &mut best, &mut which);
            let some = |from: *const T| std::slice::from_raw_parts(from, place.count);
            let dy = some(self.small.at(place.small));
            let scale = (!relu_mask.scale.is_null()).then(|| some(relu_mask.scale.add(place.first)));
            let bias = (!epilogue.bias.is_null()).then(|| some(epilogue.bias.add(place.first)));
            // The order of `Epilogue`: bias, ReLU mask, sums, scale.
            for (pixel, at) in (0_u32..).zip(place.pixels(self.window)) {
                let dx = std::slice::from_raw_parts_mut(self.to.at(at), place.count);
                for ((dx, dy), which) in dx.iter_mut().zip(dy).zip(&which) {
                    *dx = if *which == pixel { *dy } else { T::default() };
                }
                if let Some(bias) = bias {
                    dx.iter_mut().zip(bias).for_each(|(dx, bias)| *dx = dx.plus(*bias));
                }
                if !relu_mask.relu_output.is_null() {
                    for ((dx, by), weighted) in
                        dx.iter_mut().zip(some(relu_mask.relu_output.add(at))).zip(&mut weighted)
                    {
                        *weighted = weighted.plus(dx.times(*by));
                        *dx = if *by > T::default() { *dx } else { T::default() };
                    }
                }
                sums.iter_mut().zip(&*dx).for_each(|(sum, dx)| *sum = sum.plus(*dx));
                if let Some(scale) = scale {
                    dx.iter_mut().zip(scale).for_each(|(dx, scale)| *dx = dx.times(*scale));
                }
            }
        }
        [sums, weighted]
    }

    /// # Safety
    /// The window and the channels are inside the images; no other thread writes this window.
    #[inline(always)]
    unsafe fn sum(&self, place: &WindowAt) {
        let mut sum = [T::default(); BLOCK];
        // SAFETY: every slice is `count` channels of a pixel or window, by the contract of this function.
        unsafe {
            for at in place.pixels(self.window) {
                let x = std::slice::from_raw_parts(self.x.at(at), place.count);
                sum.iter_mut().zip(x).for_each(|(sum, x)| *sum = sum.plus(*x));
            }
            std::slice::from_raw_parts_mut(self.to.at(place.small), place.count).copy_from_slice(&sum[..place.count]);
        }
    }

    /// # Safety
    /// The window and the channels are inside the images; no other thread writes this image.
    #[inline(always)]
    unsafe fn sum_gradient(&self, place: &WindowAt) {
        // SAFETY: every slice is `count` channels of a pixel or window, by the contract of this function.
        unsafe {
            let dy = std::slice::from_raw_parts(self.small.at(place.small), place.count);
            for at in place.pixels(self.window) {
                let dx = std::slice::from_raw_parts_mut(self.to.at(at), place.count);
                let alone = self.window.tiles();
                dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = if alone { *dy } else { dx.plus(*dy) });
            }
        }
    }
}

/// Compensated sums for a block of channels, see [`crate::total`]. Arrays here, because the loops are plain.
#[derive(Clone, Copy)]
struct Total<T> {
    sum: [T; BLOCK],
    lost: [T; BLOCK],
}

impl<T: Number> Total<T> {
    #[inline(always)]
    fn new() -> Self {
        Total { sum: [T::default(); BLOCK], lost: [T::default(); BLOCK] }
    }

    /// Adds numbers. Knuth's two-sum gives the rounding error of each addition exactly; the errors are added up.
    #[inline(always)]
    fn add(&mut self, more: &[T; BLOCK]) {
        for ((sum, lost), more) in self.sum.iter_mut().zip(&mut self.lost).zip(more) {
            let whole = sum.plus(*more);
            let back = whole.minus(*sum);
            let error = sum.minus(whole.minus(back)).plus(more.minus(back));
            *lost = lost.plus(error);
            *sum = whole;
        }
    }
}

/// Runs a pool with the vectors of a variant.
///
/// # Safety
/// The CPU has the variant's instructions, and the pointers are valid.
pub unsafe fn run<T: Number>(variant: Variant, pool: &Pool<'_, T>, workers: &Workers) {
    // SAFETY: the contract of this function is that of the call.
    unsafe {
        match variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512 => run_all::<T::Avx512, _>(pool, workers),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => run_all::<T::Avx2, _>(pool, workers),
            _ => run_all::<T::Portable, _>(pool, workers),
        }
    }
}
