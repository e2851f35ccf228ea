//! Vectors as plain arrays, for any CPU.

use super::{Simd, Work};

macro_rules! portable {
    ($name:ident, $element:ty, $lanes:expr) => {
        /// A plain array, which the compiler turns into the vector instructions of the target.
        #[derive(Clone, Copy)]
        pub struct $name(pub(super) [$element; $lanes]);

        // SAFETY: the methods compute on arrays; the trait demands the memory from callers.
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
                // SAFETY: LANES elements are readable by contract; an array has the alignment of its element.
                Self(unsafe { from.cast::<[$element; $lanes]>().read() })
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                let mut lanes = [0.0; $lanes];
                for (lane, slot) in lanes.iter_mut().enumerate().take(count) {
                    // SAFETY: `lane < count`, and `count` elements are readable by contract.
                    *slot = unsafe { *from.add(lane) };
                }
                Self(lanes)
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: LANES elements are writable by contract.
                unsafe { to.cast::<[$element; $lanes]>().write(self.0) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                for (lane, value) in self.0.iter().enumerate().take(count) {
                    // SAFETY: `lane < count`, and `count` elements are writable by contract.
                    unsafe { *to.add(lane) = *value }
                }
            }
            #[inline(always)]
            unsafe fn splat(from: *const $element) -> Self {
                // SAFETY: one element is readable by contract.
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
                // Not fused: on a CPU without the instruction, a fused multiply-add is a slow library call.
                Self(std::array::from_fn(|lane| self.0[lane] + a.0[lane] * b.0[lane]))
            }
            #[inline(never)]
            unsafe fn enter<W: Work<Self>>(work: W) {
                // SAFETY: the contract of this function is that of the call.
                unsafe { work.run() }
            }
        }
    };
}
portable!(PlainF32, f32, 4);
portable!(PlainF64, f64, 2);
