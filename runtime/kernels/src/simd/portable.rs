//! Plain arrays, for any processor.

use super::{Simd, Work};

macro_rules! portable {
    ($name:ident, $element:ty, $lanes:expr) => {
        /// A plain array; the compiler makes of it what the target has.
        #[derive(Clone, Copy)]
        pub struct $name(pub(super) [$element; $lanes]);

        // SAFETY: plain arithmetic on arrays; memory is vouched for by the caller, as the trait asks.
        unsafe impl Simd for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const TILE: (usize, usize) = (4, 2);

            #[inline(always)]
            unsafe fn zero() -> Self {
                Self([0.0; $lanes])
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: the caller vouches for LANES elements; an array has no alignment beyond its element's.
                Self(unsafe { from.cast::<[$element; $lanes]>().read() })
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                let mut lanes = [0.0; $lanes];
                for (lane, slot) in lanes.iter_mut().enumerate().take(count) {
                    // SAFETY: `lane < count`, for which the caller vouches.
                    *slot = unsafe { *from.add(lane) };
                }
                Self(lanes)
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: the caller vouches for LANES elements.
                unsafe { to.cast::<[$element; $lanes]>().write(self.0) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                for (lane, value) in self.0.iter().enumerate().take(count) {
                    // SAFETY: `lane < count`, for which the caller vouches.
                    unsafe { *to.add(lane) = *value }
                }
            }
            #[inline(always)]
            unsafe fn splat(from: *const $element) -> Self {
                // SAFETY: the caller vouches for one element.
                Self([unsafe { *from }; $lanes])
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                Self(self.0.map(|x| if x < 0.0 { 0.0 } else { x }))
            }
            #[inline(always)]
            unsafe fn times(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
            }
            #[inline(always)]
            unsafe fn where_positive(self, by: Self) -> Self {
                Self(std::array::from_fn(|lane| if by.0[lane] > 0.0 { self.0[lane] } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // Not fused: without the instruction, fused multiplication is a slow library call.
                Self(std::array::from_fn(|lane| self.0[lane] + a.0[lane] * b.0[lane]))
            }
            #[inline(never)]
            unsafe fn enter<W: Work<Self>>(work: W) {
                // SAFETY: passed on from the caller.
                unsafe { work.run() }
            }
        }
    };
}
portable!(PlainF32, f32, 4);
portable!(PlainF64, f64, 2);
