//! Vectors of numbers behind one small trait. The vectors are AVX-512, AVX2 with FMA, or plain arrays.

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

/// A vector of numbers.
///
/// # Safety
/// All methods need the CPU features of the implementing type. Loads and stores access `LANES` numbers. The partial forms access
/// only the first `count` numbers; a partial load sets the other lanes to 0.
pub unsafe trait Simd: Copy {
    /// The type of one number.
    type Element: Number;
    /// The number of lanes.
    const LANES: usize;
    /// Largest register tile: rows, and vectors in a row. Accumulators, a row of B and one element of A fit the registers.
    const TILE: (usize, usize);

    /// 0 in every lane.
    ///
    /// # Safety
    /// The CPU has the features.
    unsafe fn zero() -> Self;
    /// Loads `LANES` numbers from memory with any alignment.
    ///
    /// # Safety
    /// The CPU has the features, the memory is valid.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// Loads the first `count` numbers from memory; the other lanes are 0.
    ///
    /// # Safety
    /// The CPU has the features, the memory is valid for `count`, which is at most `LANES`.
    unsafe fn load_first(from: *const Self::Element, count: usize) -> Self;
    /// Stores `LANES` numbers to memory with any alignment.
    ///
    /// # Safety
    /// The CPU has the features, the memory is valid.
    unsafe fn store(self, to: *mut Self::Element);
    /// Stores the first `count` lanes to memory.
    ///
    /// # Safety
    /// The CPU has the features, the memory is valid for `count`, which is at most `LANES`.
    unsafe fn store_first(self, to: *mut Self::Element, count: usize);
    /// Loads 4 numbers from each of `LANES` columns, which are `stride` apart: lane j of vector i is number i of column j.
    ///
    /// # Safety
    /// The CPU has the features, the memory is valid.
    #[inline(always)]
    unsafe fn load_transposed(from: *const Self::Element, stride: usize) -> [Self; 4] {
        const MOST: usize = 16;
        const { assert!(Self::LANES <= MOST) };
        let mut rows = [[Self::Element::default(); MOST]; 4];
        for lane in 0..Self::LANES {
            for (i, row) in rows.iter_mut().enumerate() {
                // SAFETY: the column has four numbers, by the contract of this function.
                row[lane] = unsafe { *from.add(lane * stride + i) };
            }
        }
        // SAFETY: the CPU has the features by contract; each row has room for `LANES` numbers, asserted above.
        rows.map(|row| unsafe { Self::load(row.as_ptr()) })
    }
    /// Loads one number from memory into every lane.
    ///
    /// # Safety
    /// The CPU has the features, the memory is valid.
    unsafe fn splat(from: *const Self::Element) -> Self;
    /// self + other
    ///
    /// # Safety
    /// The CPU has the features.
    unsafe fn add(self, other: Self) -> Self;
    /// 0 in lanes that are negative; NaN stays.
    ///
    /// # Safety
    /// The CPU has the features.
    unsafe fn relu(self) -> Self;
    /// self other
    ///
    /// # Safety
    /// The CPU has the features.
    unsafe fn times(self, other: Self) -> Self;
    /// Lanes of self where `by` is above 0, else 0.
    ///
    /// # Safety
    /// The CPU has the features.
    unsafe fn where_positive(self, by: Self) -> Self;
    /// self + a b
    ///
    /// # Safety
    /// The CPU has the features.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// The sum of all lanes by halving: lane i plus lane i + n/2, and so on. The order is the same for every type.
    ///
    /// # Safety
    /// The CPU has the features.
    #[inline(always)]
    unsafe fn total(self) -> Self::Element {
        const MOST: usize = 16;
        let mut lanes = [Self::Element::default(); MOST];
        const { assert!(Self::LANES <= MOST) };
        // SAFETY: the contract of this function; `lanes` has room for `LANES` numbers, asserted above.
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
    /// Runs the work inside a function that has the instructions enabled. Code that is inlined into it may then use them.
    ///
    /// # Safety
    /// The CPU has the features. The contract of [`Work::run`] for this work.
    unsafe fn enter<W: Work<Self>>(work: W);
}

/// Prefetches the cache line of an address that will be read soon. The address need not be valid.
#[inline(always)]
pub(super) fn prefetch<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint: it never faults and changes no value. Every x86-64 CPU has the instruction.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// Prefetches into the L2 cache, for an address that will be read somewhat later.
#[inline(always)]
pub(super) fn prefetch_far<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint: it never faults and changes no value. Every x86-64 CPU has the instruction.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// Work that uses the instructions of `S`.
pub trait Work<S: Simd> {
    /// Runs the work. Implementations are `#[inline(always)]`, so that [`Simd::enter`] compiles them with its instructions.
    ///
    /// # Safety
    /// The CPU has the features of `S`. The implementation may demand more.
    unsafe fn run(self);
}

/// A number type that has vector types.
pub trait Number: Copy + Default + PartialOrd + Send + Sync + 'static {
    /// The vector of 512 bits.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Bytes + Simd<Element = Self>;
    /// The vector of 256 bits.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Bytes + Simd<Element = Self>;
    /// The plain array.
    type Portable: Bytes + Simd<Element = Self>;
    /// The nearest number of this type.
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
            #[allow(clippy::cast_possible_truncation, reason = "rounded, as it says")]
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
