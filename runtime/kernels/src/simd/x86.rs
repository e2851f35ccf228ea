//! 512 and 256 bits at a time.

use super::{Simd, Work};
use std::arch::x86_64 as arch;

macro_rules! avx512 {
    ($name:ident, $vector:ident, $element:ty, $lanes:expr, $mask:ty, $zero:ident, $load:ident, $load_first:ident,
     $store:ident, $store_first:ident, $splat:ident, $add:ident, $mul:ident, $fma:ident,
     $max:ident, $compare:ident, $keep:ident) => {
        /// 512 bits.
        #[derive(Clone, Copy)]
        pub struct $name(pub(super) arch::$vector);

        // SAFETY: every method's contract is the intrinsic's: AVX-512F and valid memory, which the trait asks for.
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
            unsafe fn times(self, other: Self) -> Self {
                // SAFETY: the caller has AVX-512F.
                Self(unsafe { arch::$mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn where_positive(self, by: Self) -> Self {
                // SAFETY: the caller has AVX-512F.
                Self(unsafe { arch::$keep(arch::$compare::<{ arch::_CMP_LT_OQ }>(arch::$zero(), by.0), self.0) })
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
    _mm512_mul_ps,
    _mm512_fmadd_ps,
    _mm512_max_ps,
    _mm512_cmp_ps_mask,
    _mm512_maskz_mov_ps
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
    _mm512_mul_pd,
    _mm512_fmadd_pd,
    _mm512_max_pd,
    _mm512_cmp_pd_mask,
    _mm512_maskz_mov_pd
);

macro_rules! avx2 {
    ($name:ident, $vector:ident, $element:ty, $lanes:expr, $mask:ty, $zero:ident, $load:ident,
     $load_first:ident, $store:ident, $store_first:ident, $splat:ident, $add:ident, $mul:ident, $fma:ident,
     $max:ident, $compare:ident, $keep:ident) => {
        /// 256 bits.
        #[derive(Clone, Copy)]
        pub struct $name(pub(super) arch::$vector);

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
            unsafe fn times(self, other: Self) -> Self {
                // SAFETY: the caller has AVX2.
                Self(unsafe { arch::$mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn where_positive(self, by: Self) -> Self {
                // SAFETY: the caller has AVX2.
                Self(unsafe { arch::$keep(arch::$compare::<{ arch::_CMP_LT_OQ }>(arch::$zero(), by.0), self.0) })
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
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_max_ps,
    _mm256_cmp_ps,
    _mm256_and_ps
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
    _mm256_mul_pd,
    _mm256_fmadd_pd,
    _mm256_max_pd,
    _mm256_cmp_pd,
    _mm256_and_pd
);
