//! Vectors of numbers behind one small trait: AVX-512, AVX2 with FMA, and plain arrays.

mod arithmetic;
mod bytes;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use arithmetic::{Arithmetic, Vectors};
pub use bytes::Bytes;
pub use portable::{PlainF32, PlainF64};
#[cfg(target_arch = "x86_64")]
pub use x86::{F32x8, F32x16, F64x4, F64x8};

/// Several numbers side by side.
///
/// # Safety
/// All methods need the processor features of the implementing type. Loads and stores need memory for `LANES` numbers, or
/// for the first `count` in the partial forms, which touch nothing beyond and give 0 in the other lanes.
pub unsafe trait Simd: Copy {
    /// One number.
    type Element: Number;
    /// How many numbers.
    const LANES: usize;
    /// Most rows and vectors of a register tile, so that accumulators, a row of B and one element of A fit the registers.
    const TILE: (usize, usize);

    /// 0 in every lane.
    ///
    /// # Safety
    /// The processor has the features.
    unsafe fn zero() -> Self;
    /// `LANES` numbers from memory, with any alignment.
    ///
    /// # Safety
    /// The processor has the features, the memory is valid.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// The first `count` numbers from memory, 0 in the other lanes.
    ///
    /// # Safety
    /// The processor has the features, the memory is valid for `count`, which is at most `LANES`.
    unsafe fn load_first(from: *const Self::Element, count: usize) -> Self;
    /// `LANES` numbers to memory, with any alignment.
    ///
    /// # Safety
    /// The processor has the features, the memory is valid.
    unsafe fn store(self, to: *mut Self::Element);
    /// The first `count` lanes to memory.
    ///
    /// # Safety
    /// The processor has the features, the memory is valid for `count`, which is at most `LANES`.
    unsafe fn store_first(self, to: *mut Self::Element, count: usize);
    /// One number from memory in every lane.
    ///
    /// # Safety
    /// The processor has the features, the memory is valid.
    unsafe fn splat(from: *const Self::Element) -> Self;
    /// self + other
    ///
    /// # Safety
    /// The processor has the features.
    unsafe fn add(self, other: Self) -> Self;
    /// 0 in lanes that are negative; NaN stays.
    ///
    /// # Safety
    /// The processor has the features.
    unsafe fn relu(self) -> Self;
    /// self other
    ///
    /// # Safety
    /// The processor has the features.
    unsafe fn times(self, other: Self) -> Self;
    /// Lanes of self where `by` is above 0, else 0.
    ///
    /// # Safety
    /// The processor has the features.
    unsafe fn where_positive(self, by: Self) -> Self;
    /// self + a b
    ///
    /// # Safety
    /// The processor has the features.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// The sum of all lanes, in halves: lane i and lane i + n/2, and so on.
    ///
    /// # Safety
    /// The processor has the features.
    #[inline(always)]
    unsafe fn total(self) -> Self::Element {
        const MOST: usize = 16;
        let mut lanes = [Self::Element::default(); MOST];
        debug_assert!(Self::LANES <= MOST);
        // SAFETY: the caller has the features; there is room for every lane.
        unsafe { self.store(lanes.as_mut_ptr()) };
        let mut half = Self::LANES / 2;
        while half > 0 {
            for lane in 0..half {
                lanes[lane] = lanes[lane].plus(lanes[lane + half]);
            }
            half /= 2;
        }
        lanes[0]
    }
    /// Does the work in a function that has the instructions enabled, so that everything inlined into it has too.
    ///
    /// # Safety
    /// The processor has the features; what the [`Work`] asks for.
    unsafe fn enter<W: Work<Self>>(work: W);
}

/// Asks for the cache line of an address that will be read soon; any address will do.
#[inline(always)]
pub(super) fn prefetch<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; every x86-64 processor has the instruction.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// As [`prefetch`], into the second-level cache: for what will be read somewhat later.
#[inline(always)]
pub(super) fn prefetch_far<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; every x86-64 processor has the instruction.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// Something to do with the instructions of `S`.
pub trait Work<S: Simd> {
    /// Does it. Implementations are `#[inline(always)]`: they become part of [`Simd::enter`].
    ///
    /// # Safety
    /// The processor has the features of `S`; what the implementation asks for.
    unsafe fn run(self);
}

/// A kind of number that there are vectors of.
pub trait Number: Copy + Default + PartialOrd + Send + Sync + 'static {
    /// 512 bits of them.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Bytes + Simd<Element = Self>;
    /// 256 bits of them.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Bytes + Simd<Element = Self>;
    /// A plain array of them.
    type Portable: Bytes + Simd<Element = Self>;
    /// The nearest one.
    fn from_f64(value: f64) -> Self;
    /// self + other
    fn plus(self, other: Self) -> Self;
    /// self - other
    fn minus(self, other: Self) -> Self;
    /// self other
    fn times(self, other: Self) -> Self;
}

macro_rules! number {
    ($element:ty, $avx512:ty, $avx2:ty, $portable:ty) => {
        impl Number for $element {
            #[cfg(target_arch = "x86_64")]
            type Avx512 = $avx512;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = $avx2;
            type Portable = $portable;
            #[inline(always)]
            #[allow(clippy::cast_possible_truncation)] // rounded, as it says
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
        }
    };
}
number!(f32, F32x16, F32x8, PlainF32);
number!(f64, F64x8, F64x4, PlainF64);
