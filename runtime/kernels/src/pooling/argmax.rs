//! The gradient of a max-pool over windows of 2 x 2, from the argmax that the forward pass stored. The images of the pool
//! are not read, so they need no memory between the passes.

use super::window::Window;
use crate::Variant;
use crate::epilogue::{Epilogue, PIXELS, POSITIVE};
use crate::memory::{Parallel, SharedPtr, run_all};
use crate::simd::{Bytes, Number};
use crate::total::Total;
use crate::workers::Workers;

/// Vectors of channels whose sums stay in registers over all windows of an image.
const TOGETHER: usize = 4;

/// The gradient of a max-pool from its argmax. A task is one image.
pub struct FromArgmax<'a, T> {
    pub(super) window: &'a Window,
    /// See [`crate::epilogue::Pooled::argmax`].
    pub(super) argmax: SharedPtr<u8>,
    pub(super) dy: SharedPtr<T>,
    pub(super) dx: SharedPtr<T>,
    pub(super) epilogue: Epilogue<T>,
}

// SAFETY: the pointers in the epilogue are shared for reading, except those of its sums. Every task writes the sums of
// its own image.
unsafe impl<T> Sync for FromArgmax<'_, T> {}

impl<S: Bytes> Parallel<S> for FromArgmax<'_, S::Element> {
    fn tasks(&self) -> usize {
        self.window.batch
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let channels = self.window.channels;
        let vectors = channels.div_ceil(S::LANES);
        for first in (0..vectors).step_by(TOGETHER) {
            let (from, last) = (first * S::LANES, channels - first * S::LANES);
            // SAFETY: no other task has this image. The match chooses as many vectors as there are channels from `from` on.
            unsafe {
                match vectors - first {
                    1 => self.group::<S, 1>(task, from, last),
                    2 => self.group::<S, 2>(task, from, last),
                    3 => self.group::<S, 3>(task, from, last),
                    _ => self.group::<S, TOGETHER>(task, from, last.min(TOGETHER * S::LANES)),
                }
            }
        }
    }
}

impl<T: Number> FromArgmax<'_, T> {
    /// Computes `count` channels from `first` on, in `V` vectors, for all windows of an image, and their sums.
    ///
    /// # Safety
    /// The channels are inside the image, on which no other thread works. The pointers in the epilogue are valid. The CPU has
    /// the features of `S`.
    #[inline(always)]
    unsafe fn group<S: Bytes<Element = T>, const V: usize>(&self, image: usize, first: usize, count: usize) {
        let w = self.window;
        // SAFETY: the contract of this function; partial loads and stores of the last vector access only its channels.
        unsafe {
            let lanes = |v: usize| if v + 1 < V { S::LANES } else { count - v * S::LANES };
            let scale_shift: [ScaleShift<S>; V] =
                std::array::from_fn(|v| ScaleShift::new(&self.epilogue, first + v * S::LANES, lanes(v)));
            // Compensated sums: the gradients of a centred pool cancel over the pixels of an image.
            let (mut sums, mut weighted) = ([Total::<S>::new(); V], [Total::<S>::new(); V]);
            for row in 0..w.out_height {
                let mut small = ((image * w.out_height + row) * w.out_width) * w.channels + first;
                let mut large = ((image * w.height + 2 * row) * w.width) * w.channels + first;
                for _ in 0..w.out_width {
                    for v in 0..V {
                        let at = [small + v * S::LANES, large + v * S::LANES];
                        let [sum, product] = self.window(&scale_shift[v], at, lanes(v));
                        sums[v].add(sum);
                        weighted[v].add(product);
                    }
                    small += w.channels;
                    large += 2 * w.channels;
                }
            }
            for v in 0..V {
                let column = image * w.channels + first + v * S::LANES;
                for (to, total) in [(self.epilogue.sums, sums[v]), (self.epilogue.relu_mask.weighted, weighted[v])] {
                    if !to.is_null() {
                        total.value().store_first(to.add(column), lanes(v));
                    }
                }
            }
        }
    }

    /// Computes one window of a vector of channels; `at` holds its offsets in the small and in the large images. Returns
    /// the sum of the masked gradients, and the gradient times the largest value.
    ///
    /// # Safety
    /// As for [`Self::group`].
    #[inline(always)]
    unsafe fn window<S: Bytes<Element = T>>(
        &self,
        scale_shift: &ScaleShift<S>,
        at: [usize; 2],
        lanes: usize,
    ) -> [S; 2] {
        let ([small, large], w, relu_mask) = (at, self.window, &self.epilogue.relu_mask);
        // SAFETY: the contract of this function.
        unsafe {
            let full = lanes == S::LANES;
            let load = |from: *const T| if full { S::load(from) } else { S::load_first(from, lanes) };
            let argmax = self.argmax.at(small).cast_const();
            let argmax = if full { S::widen(argmax) } else { S::widen_first(argmax, lanes) };
            let dy = load(self.dy.at(small));
            let weighted =
                if relu_mask.weighted.is_null() { S::zero() } else { dy.times(load(relu_mask.relu_output.add(small))) };
            let mut sum = S::zero();
            // Every pixel gets the shift; only the winner also gets the gradient. The mask comes after both.
            for pixel in 0..PIXELS {
                let mut dx = where_argmax(argmax, 1 << pixel, dy).add(scale_shift.shift);
                if !relu_mask.relu_output.is_null() {
                    dx = where_argmax(argmax, 1 << POSITIVE << pixel, dx);
                }
                sum = sum.add(dx);
                if let Some(scale) = scale_shift.scale {
                    dx = dx.times(scale);
                }
                let to = self.dx.at(large + (pixel / 2 * w.width + pixel % 2) * w.channels);
                if full { dx.store(to) } else { dx.store_first(to, lanes) }
            }
            [sum, weighted]
        }
    }
}

/// The number that is added to each gradient, and the scale of masked gradients.
struct ScaleShift<S> {
    shift: S,
    scale: Option<S>,
}

impl<S: Bytes> ScaleShift<S> {
    /// Loads both for `lanes` channels from `first` on.
    ///
    /// # Safety
    /// The channels are inside the vectors of the epilogue, and the CPU has the features.
    #[inline(always)]
    unsafe fn new(epilogue: &Epilogue<S::Element>, first: usize, lanes: usize) -> Self {
        // SAFETY: the contract of this function.
        let some =
            |from: *const S::Element| (!from.is_null()).then(|| unsafe { S::load_first(from.add(first), lanes) });
        // SAFETY: the CPU has the features, by the contract of this function.
        Self { shift: some(epilogue.bias).unwrap_or(unsafe { S::zero() }), scale: some(epilogue.relu_mask.scale) }
    }
}

/// The lanes of a value whose argmax byte has the bit; the others are 0.
///
/// # Safety
/// The CPU has the features.
#[inline(always)]
unsafe fn where_argmax<S: Bytes>(argmax: S::Bits, bit: i64, value: S) -> S {
    // SAFETY: the contract of this function.
    unsafe { S::select(S::is_zero(S::and(argmax, S::whole(bit))), S::zero(), value) }
}

/// Runs the gradient with the vectors of a variant.
///
/// # Safety
/// The CPU has the variant's instructions, and the pointers are valid.
pub unsafe fn run<T: Number>(variant: Variant, pool: &FromArgmax<'_, T>, workers: &Workers) {
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
