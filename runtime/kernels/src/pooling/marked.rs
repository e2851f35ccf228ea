//! The gradient of the largest of windows of 2 x 2 that were marked when they were found: what they were found in is not read,
//! and needs no memory in between.

use super::window::Window;
use crate::Variant;
use crate::finish::{Finish, PIXELS, POSITIVE};
use crate::memory::{At, Phase, all};
use crate::simd::{Bytes, Number};
use crate::total::Total;
use crate::workers::Workers;

/// Vectors of channels whose sums stay in registers while an image is gone through.
const TOGETHER: usize = 4;

/// The gradient of a pool, and what it works on.
pub struct Marked<'a, T> {
    pub(super) window: &'a Window,
    /// See [`crate::finish::Pooled::marks`].
    pub(super) marks: At<u8>,
    pub(super) dy: At<T>,
    pub(super) dx: At<T>,
    pub(super) finish: Finish<T>,
}

// SAFETY: addresses; what is read is shared, and every job has sums of its own.
unsafe impl<T> Sync for Marked<'_, T> {}

impl<S: Bytes> Phase<S> for Marked<'_, S::Element> {
    fn jobs(&self) -> usize {
        self.window.batch
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let channels = self.window.channels;
        let vectors = channels.div_ceil(S::LANES);
        for first in (0..vectors).step_by(TOGETHER) {
            let (from, last) = (first * S::LANES, channels - first * S::LANES);
            // SAFETY: the image is this job's alone; so many channels exist from `from` on.
            unsafe {
                match vectors - first {
                    1 => self.group::<S, 1>(job, from, last),
                    2 => self.group::<S, 2>(job, from, last),
                    3 => self.group::<S, 3>(job, from, last),
                    _ => self.group::<S, TOGETHER>(job, from, last.min(TOGETHER * S::LANES)),
                }
            }
        }
    }
}

impl<T: Number> Marked<'_, T> {
    /// `V` vectors with `count` channels from `first` on, of all windows of an image, and their sums.
    ///
    /// # Safety
    /// They exist; nobody else works on them; what the finish points to is there; the processor has the features of `S`.
    #[inline(always)]
    unsafe fn group<S: Bytes<Element = T>, const V: usize>(&self, image: usize, first: usize, count: usize) {
        let w = self.window;
        // SAFETY: as the caller says; of the last vector only the lanes that exist are touched.
        unsafe {
            let lanes = |v: usize| if v + 1 < V { S::LANES } else { count - v * S::LANES };
            let factors: [Factors<S>; V] =
                std::array::from_fn(|v| Factors::new(&self.finish, first + v * S::LANES, lanes(v)));
            let (mut sums, mut weighted) = ([Total::<S>::new(); V], [Total::<S>::new(); V]);
            for row in 0..w.out_height {
                let mut small = ((image * w.out_height + row) * w.out_width) * w.channels + first;
                let mut large = ((image * w.height + 2 * row) * w.width) * w.channels + first;
                for _ in 0..w.out_width {
                    for v in 0..V {
                        let at = [small + v * S::LANES, large + v * S::LANES];
                        let [sum, product] = self.window(&factors[v], at, lanes(v));
                        sums[v].add(sum);
                        weighted[v].add(product);
                    }
                    small += w.channels;
                    large += 2 * w.channels;
                }
            }
            for v in 0..V {
                let column = image * w.channels + first + v * S::LANES;
                for (to, total) in [(self.finish.sums, sums[v]), (self.finish.gate.weighted, weighted[v])] {
                    if !to.is_null() {
                        total.value().store_first(to.add(column), lanes(v));
                    }
                }
            }
        }
    }

    /// One window of a vector of channels, its numbers at `small` and `large` in the images. Returns the sum of what is
    /// kept, and the gradient times the largest.
    ///
    /// # Safety
    /// As [`Self::group`].
    #[inline(always)]
    unsafe fn window<S: Bytes<Element = T>>(&self, factors: &Factors<S>, at: [usize; 2], lanes: usize) -> [S; 2] {
        let ([small, large], w, gate) = (at, self.window, &self.finish.gate);
        // SAFETY: as the caller says.
        unsafe {
            let full = lanes == S::LANES;
            let load = |from: *const T| if full { S::load(from) } else { S::load_first(from, lanes) };
            let marks = self.marks.at(small).cast_const();
            let marks = if full { S::widen(marks) } else { S::widen_first(marks, lanes) };
            let dy = load(self.dy.at(small));
            let weighted = if gate.weighted.is_null() { S::zero() } else { dy.times(load(gate.rectified.add(small))) };
            let mut sum = S::zero();
            for pixel in 0..PIXELS {
                let mut dx = where_marked(marks, 1 << pixel, dy).add(factors.shift);
                if !gate.rectified.is_null() {
                    dx = where_marked(marks, 1 << POSITIVE << pixel, dx);
                }
                sum = sum.add(dx);
                if let Some(scale) = factors.scale {
                    dx = dx.times(scale);
                }
                let to = self.dx.at(large + (pixel / 2 * w.width + pixel % 2) * w.channels);
                if full { dx.store(to) } else { dx.store_first(to, lanes) }
            }
            [sum, weighted]
        }
    }
}

/// What is added to gradients, and what those that are kept are multiplied by.
struct Factors<S> {
    shift: S,
    scale: Option<S>,
}

impl<S: Bytes> Factors<S> {
    /// # Safety
    /// There are `lanes` channels from `first` on; the processor has the features.
    #[inline(always)]
    unsafe fn new(finish: &Finish<S::Element>, first: usize, lanes: usize) -> Self {
        // SAFETY: as the caller says.
        let some =
            |from: *const S::Element| (!from.is_null()).then(|| unsafe { S::load_first(from.add(first), lanes) });
        // SAFETY: as above.
        Self { shift: some(finish.bias).unwrap_or(unsafe { S::zero() }), scale: some(finish.gate.scale) }
    }
}

/// Lanes of a value whose marks have a bit, 0 in the others.
///
/// # Safety
/// The processor has the features.
#[inline(always)]
unsafe fn where_marked<S: Bytes>(marks: S::Bits, bit: i64, value: S) -> S {
    // SAFETY: as the caller says.
    unsafe { S::select(S::is_zero(S::and(marks, S::whole(bit))), S::zero(), value) }
}

/// Runs it with the vectors of a variant.
///
/// # Safety
/// The processor has the variant's instructions; the addresses are valid.
pub unsafe fn run<T: Number>(variant: Variant, pool: &Marked<'_, T>, workers: &Workers) {
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
