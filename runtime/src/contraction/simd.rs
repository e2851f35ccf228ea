//! Vectors of numbers behind one small trait: AVX-512, AVX2 with FMA, and plain arrays.

mod arithmetic;

pub use arithmetic::{Arithmetic, Vectors};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

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
        arch::_mm_prefetch::<{ arch::_MM_HINT_T0 }>(from.cast());
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
    type Avx512: Simd<Element = Self>;
    /// 256 bits of them.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Simd<Element = Self>;
    /// A plain array of them.
    type Portable: Simd<Element = Self>;
    /// The nearest one.
    fn from_f64(value: f64) -> Self;
    /// self + other
    fn plus(self, other: Self) -> Self;
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
            fn times(self, other: Self) -> Self {
                self * other
            }
        }
    };
}
number!(f32, F32x16, F32x8, PlainF32);
number!(f64, F64x8, F64x4, PlainF64);

macro_rules! avx512 {
    ($name:ident, $vector:ident, $element:ty, $lanes:expr, $mask:ty, $zero:ident, $load:ident, $load_first:ident,
     $store:ident, $store_first:ident, $splat:ident, $add:ident, $fma:ident,
     $max:ident) => {
        /// 512 bits.
        #[cfg(target_arch = "x86_64")]
        #[derive(Clone, Copy)]
        pub struct $name(arch::$vector);

        // SAFETY: every method's contract is the intrinsic's: AVX-512F and valid memory, which the trait asks for.
        #[cfg(target_arch = "x86_64")]
        unsafe impl Simd for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const TILE: (usize, usize) = (6, 4);

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has AVX-512F.
                Self(unsafe { arch::$zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: the caller vouches for the memory.
                Self(unsafe { arch::$load(from) })
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                let mask = ((1_u32 << count) - 1) as $mask;
                // SAFETY: masked lanes are not read; the caller vouches for the others.
                Self(unsafe { arch::$load_first(mask, from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: the caller vouches for the memory.
                unsafe { arch::$store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                let mask = ((1_u32 << count) - 1) as $mask;
                // SAFETY: masked lanes are not written; the caller vouches for the others.
                unsafe { arch::$store_first(to, mask, self.0) }
            }
            #[inline(always)]
            unsafe fn splat(from: *const $element) -> Self {
                // SAFETY: the caller vouches for one element.
                Self(unsafe { arch::$splat(*from) })
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller has AVX-512F.
                Self(unsafe { arch::$add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: the caller has the instructions. The second operand is what NaN gives.
                Self(unsafe { arch::$max(arch::$zero(), self.0) })
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller has AVX-512F.
                Self(unsafe { arch::$fma(a.0, b.0, self.0) })
            }
            #[target_feature(enable = "avx512f")]
            #[inline(never)]
            unsafe fn enter<W: Work<Self>>(work: W) {
                // SAFETY: passed on from the caller.
                unsafe { work.run() }
            }
        }
    };
}
avx512!(
    F32x16,
    __m512,
    f32,
    16,
    u16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_maskz_loadu_ps,
    _mm512_storeu_ps,
    _mm512_mask_storeu_ps,
    _mm512_set1_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps,
    _mm512_max_ps
);
avx512!(
    F64x8,
    __m512d,
    f64,
    8,
    u8,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_maskz_loadu_pd,
    _mm512_storeu_pd,
    _mm512_mask_storeu_pd,
    _mm512_set1_pd,
    _mm512_add_pd,
    _mm512_fmadd_pd,
    _mm512_max_pd
);

macro_rules! avx2 {
    ($name:ident, $vector:ident, $element:ty, $lanes:expr, $mask:ty, $zero:ident, $load:ident,
     $load_first:ident, $store:ident, $store_first:ident, $splat:ident, $add:ident, $fma:ident,
     $max:ident) => {
        /// 256 bits.
        #[cfg(target_arch = "x86_64")]
        #[derive(Clone, Copy)]
        pub struct $name(arch::$vector);

        #[cfg(target_arch = "x86_64")]
        impl $name {
            /// All ones in the first `count` lanes.
            #[inline(always)]
            unsafe fn mask(count: usize) -> arch::__m256i {
                const ONES: [$mask; 2 * $lanes] = {
                    let mut ones = [0; 2 * $lanes];
                    let mut lane = 0;
                    while lane < $lanes {
                        ones[lane] = -1;
                        lane += 1;
                    }
                    ones
                };
                // SAFETY: `count <= LANES`, so that the window of LANES numbers stays inside the table of twice as many.
                unsafe { arch::_mm256_loadu_si256(ONES.as_ptr().add($lanes - count).cast()) }
            }
        }

        // SAFETY: every method's contract is the intrinsic's: AVX2, FMA and valid memory, which the trait asks for.
        #[cfg(target_arch = "x86_64")]
        unsafe impl Simd for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const TILE: (usize, usize) = (4, 3);

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has AVX2.
                Self(unsafe { arch::$zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: the caller vouches for the memory.
                Self(unsafe { arch::$load(from) })
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                // SAFETY: masked lanes are not read; the caller vouches for the others.
                Self(unsafe { arch::$load_first(from, Self::mask(count)) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: the caller vouches for the memory.
                unsafe { arch::$store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                // SAFETY: masked lanes are not written; the caller vouches for the others.
                unsafe { arch::$store_first(to, Self::mask(count), self.0) }
            }
            #[inline(always)]
            unsafe fn splat(from: *const $element) -> Self {
                // SAFETY: the caller vouches for one element.
                Self(unsafe { arch::$splat(*from) })
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller has AVX2.
                Self(unsafe { arch::$add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: the caller has the instructions. The second operand is what NaN gives.
                Self(unsafe { arch::$max(arch::$zero(), self.0) })
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller has FMA.
                Self(unsafe { arch::$fma(a.0, b.0, self.0) })
            }
            #[target_feature(enable = "avx2,fma")]
            #[inline(never)]
            unsafe fn enter<W: Work<Self>>(work: W) {
                // SAFETY: passed on from the caller.
                unsafe { work.run() }
            }
        }
    };
}
avx2!(
    F32x8,
    __m256,
    f32,
    8,
    i32,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_maskload_ps,
    _mm256_storeu_ps,
    _mm256_maskstore_ps,
    _mm256_set1_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps,
    _mm256_max_ps
);
avx2!(
    F64x4,
    __m256d,
    f64,
    4,
    i64,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_maskload_pd,
    _mm256_storeu_pd,
    _mm256_maskstore_pd,
    _mm256_set1_pd,
    _mm256_add_pd,
    _mm256_fmadd_pd,
    _mm256_max_pd
);

macro_rules! portable {
    ($name:ident, $element:ty, $lanes:expr) => {
        /// A plain array; the compiler makes of it what the target has.
        #[derive(Clone, Copy)]
        pub struct $name([$element; $lanes]);

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
