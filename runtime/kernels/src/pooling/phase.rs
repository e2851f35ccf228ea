//! What a pool does: a job is an image; inside it the loops over channels are plain ones that the compiler turns into
//! vectors of the variant's width.

use super::window::Window;
use crate::Variant;
use crate::finish::Finish;
use crate::memory::{At, Phase, all};
use crate::simd::{Number, Simd};
use crate::workers::Workers;

/// What is computed of each window.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Largest,
    LargestGradient,
    Sum,
    SumGradient,
}

/// Channels that are worked on at once: what is remembered of each fits the first-level cache.
const BLOCK: usize = 128;
/// Blocks that are summed at once, so that images are read in their order: their sums fit the first-level cache.
const SUMMED: usize = 4;

/// A pool or its gradient, and what it works on.
pub struct Pool<'a, T> {
    pub(super) kind: Kind,
    pub(super) window: &'a Window,
    pub(super) x: At<T>,
    /// A factor for each channel of `x`, before the largest is looked for.
    pub(super) scale: Option<At<T>>,
    /// Input to the sums and the gradients, where `x` is not.
    pub(super) small: At<T>,
    /// What is written.
    pub(super) to: At<T>,
    /// What happens to the gradient of the largest on the way, where windows do not overlap.
    pub(super) finish: Option<Through<T>>,
}

/// What happens to a gradient; sums are taken for each image.
pub struct Through<T>(pub(super) Finish<T>);

// SAFETY: addresses; what is read is shared, and every job has sums of its own.
unsafe impl<T> Sync for Through<T> {}

impl<S: Simd> Phase<S> for Pool<'_, S::Element> {
    fn jobs(&self) -> usize {
        self.window.batch
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let w = self.window;
        if matches!(self.kind, Kind::LargestGradient | Kind::SumGradient) && !w.tiles() {
            let size = w.height * w.width * w.channels;
            for index in job * size..(job + 1) * size {
                // SAFETY: an element of the image, which is this job's alone.
                unsafe { *self.to.at(index) = S::Element::default() }
            }
        }
        if let Some(Through(finish)) = &self.finish {
            // SAFETY: the image is this job's alone, and so are its sums.
            return unsafe { self.finished(finish, job) };
        }
        for row in 0..w.out_height {
            for column in 0..w.out_width {
                for first in (0..w.channels).step_by(BLOCK) {
                    let place = Place::new(w, job, [row, column], first);
                    // SAFETY: the window, the image and the channels exist.
                    unsafe {
                        match self.kind {
                            Kind::Largest => self.largest(&place),
                            Kind::LargestGradient => self.largest_gradient(&place),
                            Kind::Sum => self.sum(&place),
                            Kind::SumGradient => self.sum_gradient(&place),
                        }
                    }
                }
            }
        }
    }
}

/// One window, some channels of it.
struct Place {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    image: usize,
    /// Where its number lies in the smaller image.
    small: usize,
    first: usize,
    count: usize,
}

impl Place {
    #[inline(always)]
    fn new(w: &Window, image: usize, [row, column]: [usize; 2], first: usize) -> Self {
        Place {
            rows: w.covered(0, row),
            columns: w.covered(1, column),
            image,
            small: ((image * w.out_height + row) * w.out_width + column) * w.channels + first,
            first,
            count: BLOCK.min(w.channels - first),
        }
    }

    /// Where the pixels of the window lie in the larger image.
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
    /// The largest numbers of a window and which pixel of it has each; NaN is larger than any number.
    ///
    /// # Safety
    /// The window and the channels exist.
    #[inline(always)]
    unsafe fn find(&self, place: &Place, best: &mut [T; BLOCK], which: &mut [u32; BLOCK]) {
        for (pixel, at) in (0_u32..).zip(place.pixels(self.window)) {
            // SAFETY: `count` channels of a pixel of the image.
            let x = unsafe { std::slice::from_raw_parts(self.x.at(at), place.count) };
            let mut scaled = [T::default(); BLOCK];
            let x = match &self.scale {
                None => x,
                Some(scale) => {
                    // SAFETY: `count` channels of the factors.
                    let scale = unsafe { std::slice::from_raw_parts(scale.at(place.first), place.count) };
                    scaled.iter_mut().zip(x.iter().zip(scale)).for_each(|(to, (x, scale))| *to = x.times(*scale));
                    &scaled[..place.count]
                }
            };
            for ((best, which), x) in best.iter_mut().zip(which.iter_mut()).zip(x) {
                #[allow(clippy::eq_op)] // what only NaN fails
                let better = (pixel == 0) | (*x > *best) | ((*x != *x) & (*best == *best));
                *best = if better { *x } else { *best };
                *which = if better { pixel } else { *which };
            }
        }
    }

    /// # Safety
    /// The window and the channels exist.
    #[inline(always)]
    unsafe fn largest(&self, place: &Place) {
        let (mut best, mut which) = ([T::from_f64(f64::NEG_INFINITY); BLOCK], [0; BLOCK]);
        // SAFETY: passed on; `count` channels of the smaller image, which are this job's alone.
        unsafe {
            self.find(place, &mut best, &mut which);
            let to = std::slice::from_raw_parts_mut(self.to.at(place.small), place.count);
            to.copy_from_slice(&best[..place.count]);
        }
    }

    /// # Safety
    /// The window and the channels exist.
    #[inline(always)]
    unsafe fn largest_gradient(&self, place: &Place) {
        let (mut best, mut which) = ([T::default(); BLOCK], [0; BLOCK]);
        // SAFETY: passed on; `count` channels of a pixel of each image, that of the larger one is this job's alone.
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

    /// The gradient of an image's largest numbers, finished, and the sums of that.
    ///
    /// # Safety
    /// The image exists, nobody else works on it; windows do not overlap; what the finish points to is there.
    #[inline(always)]
    unsafe fn finished(&self, finish: &Finish<T>, image: usize) {
        let w = self.window;
        for group in (0..w.channels).step_by(SUMMED * BLOCK) {
            let mut totals = [[Total::new(); 2]; SUMMED];
            let blocks = || (group..w.channels).step_by(BLOCK);
            for row in 0..w.out_height {
                for column in 0..w.out_width {
                    for (first, totals) in blocks().zip(&mut totals) {
                        let place = Place::new(w, image, [row, column], first);
                        // SAFETY: the window and the channels exist.
                        let sums = unsafe { self.through(finish, &place) };
                        totals.iter_mut().zip(&sums).for_each(|(total, sums)| total.add(sums));
                    }
                }
            }
            for (first, totals) in blocks().zip(&totals) {
                for (to, total) in [finish.sums, finish.gate.weighted].into_iter().zip(totals) {
                    if !to.is_null() {
                        let count = BLOCK.min(w.channels - first);
                        // SAFETY: there is a number for each channel of each image.
                        let to = unsafe { std::slice::from_raw_parts_mut(to.add(image * w.channels + first), count) };
                        to.iter_mut().zip(total.sum.iter().zip(&total.lost)).for_each(|(to, (a, b))| *to = a.plus(*b));
                    }
                }
            }
        }
    }

    /// The gradient of a window's largest numbers, finished; its sums, those before the gate times what the rectifier gave.
    ///
    /// # Safety
    /// The window and the channels exist; windows do not overlap.
    #[inline(always)]
    unsafe fn through(&self, finish: &Finish<T>, place: &Place) -> [[T; BLOCK]; 2] {
        let (mut best, mut which) = ([T::default(); BLOCK], [0; BLOCK]);
        let (mut sums, mut weighted) = ([T::default(); BLOCK], [T::default(); BLOCK]);
        let gate = &finish.gate;
        // SAFETY: `count` channels of a pixel of each image, that of the larger one is this job's alone, and of the factors.
        unsafe {
            self.find(place, &mut best, &mut which);
            let some = |from: *const T| std::slice::from_raw_parts(from, place.count);
            let dy = some(self.small.at(place.small));
            let scale = (!gate.scale.is_null()).then(|| some(gate.scale.add(place.first)));
            let bias = (!finish.bias.is_null()).then(|| some(finish.bias.add(place.first)));
            for (pixel, at) in (0_u32..).zip(place.pixels(self.window)) {
                let dx = std::slice::from_raw_parts_mut(self.to.at(at), place.count);
                for ((dx, dy), which) in dx.iter_mut().zip(dy).zip(&which) {
                    *dx = if *which == pixel { *dy } else { T::default() };
                }
                if let Some(bias) = bias {
                    dx.iter_mut().zip(bias).for_each(|(dx, bias)| *dx = dx.plus(*bias));
                }
                if !gate.rectified.is_null() {
                    for ((dx, by), weighted) in dx.iter_mut().zip(some(gate.rectified.add(at))).zip(&mut weighted) {
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
    /// The window and the channels exist.
    #[inline(always)]
    unsafe fn sum(&self, place: &Place) {
        let mut sum = [T::default(); BLOCK];
        // SAFETY: `count` channels of a pixel of each image, that of the smaller one is this job's alone.
        unsafe {
            for at in place.pixels(self.window) {
                let x = std::slice::from_raw_parts(self.x.at(at), place.count);
                sum.iter_mut().zip(x).for_each(|(sum, x)| *sum = sum.plus(*x));
            }
            std::slice::from_raw_parts_mut(self.to.at(place.small), place.count).copy_from_slice(&sum[..place.count]);
        }
    }

    /// # Safety
    /// The window and the channels exist.
    #[inline(always)]
    unsafe fn sum_gradient(&self, place: &Place) {
        // SAFETY: `count` channels of a pixel of each image, that of the larger one is this job's alone.
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

/// Sums of many numbers, and what rounding lost of them: gradients of centred values cancel.
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

    /// Exact sums after Knuth; what they lose is added up.
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
/// The processor has the variant's instructions; the addresses are valid.
pub unsafe fn run<T: Number>(variant: Variant, pool: &Pool<'_, T>, workers: &Workers) {
    // SAFETY: passed on from the caller.
    unsafe {
        match variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512 => all::<T::Avx512, _>(pool, workers),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => all::<T::Avx2, _>(pool, workers),
            _ => all::<T::Portable, _>(pool, workers),
        }
    }
}
