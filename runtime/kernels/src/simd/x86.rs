//! Vectors of 512 bits (AVX-512F) and 256 bits (AVX2 and FMA).

use super::{Simd, Work};
use std::arch::x86_64 as arch;

macro_rules! avx512 {
    ($name:ident, $vector:ident, $element:ty, $lanes:expr, $mask:ty, $zero:ident, $load:ident, $load_first:ident,
     $store:ident, $store_first:ident, $splat:ident, $add:ident, $mul:ident, $fma:ident,
     $max:ident, $compare:ident, $keep:ident $(, $transposed:item)?) => {
        /// A vector of 512 bits.
        #[derive(Clone, Copy)]
        pub struct $name(pub(super) arch::$vector);

        // SAFETY: each method needs AVX-512F and the memory of its intrinsic, which the trait demands from callers.
        unsafe impl Simd for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const TILE: (usize, usize) = (6, 4);

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: AVX-512F is the contract of the trait.
                Self(unsafe { arch::$zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: `LANES` numbers are accessible, by the contract of the trait.
                Self(unsafe { arch::$load(from) })
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                #[expect(clippy::cast_possible_truncation, reason = "a mask has a bit for each lane")]
                let mask = ((1_u32 << count) - 1) as $mask;
                // SAFETY: masked lanes are not read; the others are readable, by the contract of the trait.
                Self(unsafe { arch::$load_first(mask, from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: `LANES` numbers are accessible, by the contract of the trait.
                unsafe { arch::$store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                #[expect(clippy::cast_possible_truncation, reason = "a mask has a bit for each lane")]
                let mask = ((1_u32 << count) - 1) as $mask;
                // SAFETY: masked lanes are not written; the others are writable, by the contract of the trait.
                unsafe { arch::$store_first(to, mask, self.0) }
            }
            $($transposed)?
            #[inline(always)]
            unsafe fn splat(from: *const $element) -> Self {
                // SAFETY: one element is readable, by the contract of the trait.
                Self(unsafe { arch::$splat(*from) })
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: AVX-512F is the contract of the trait.
                Self(unsafe { arch::$add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn times(self, other: Self) -> Self {
                // SAFETY: AVX-512F is the contract of the trait.
                Self(unsafe { arch::$mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn where_positive(self, by: Self) -> Self {
                // SAFETY: AVX-512F is the contract of the trait.
                Self(unsafe { arch::$keep(arch::$compare::<{ arch::_CMP_LT_OQ }>(arch::$zero(), by.0), self.0) })
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: the instructions are the contract of the trait. (`max` returns its second operand for NaN.)
                Self(unsafe { arch::$max(arch::$zero(), self.0) })
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: AVX-512F is the contract of the trait.
                Self(unsafe { arch::$fma(a.0, b.0, self.0) })
            }
            #[target_feature(enable = "avx512f")]
            #[inline(never)]
            unsafe fn enter<W: Work<Self>>(work: W) {
                // SAFETY: the contract of this function is that of the call.
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
    _mm512_maskz_mov_ps,
    #[inline(always)]
    unsafe fn load_transposed(from: *const f32, stride: usize) -> [Self; 4] {
        // SAFETY: AVX-512F is the contract of the trait, and each of the 16 columns has 4 numbers.
        unsafe {
            // Vector j holds columns j, j + 4, j + 8 and j + 12, so that the transposition stays inside blocks of 128 bits.
            let column = |j: usize| {
                let at = |block: usize| arch::_mm_loadu_ps(from.add((j + 4 * block) * stride));
                let two = arch::_mm512_insertf32x4::<1>(arch::_mm512_castps128_ps512(at(0)), at(1));
                arch::_mm512_insertf32x4::<3>(arch::_mm512_insertf32x4::<2>(two, at(2)), at(3))
            };
            let [a, b, c, d] = [column(0), column(1), column(2), column(3)];
            let (low, high) = (arch::_mm512_unpacklo_ps(a, b), arch::_mm512_unpackhi_ps(a, b));
            let (more_low, more_high) = (arch::_mm512_unpacklo_ps(c, d), arch::_mm512_unpackhi_ps(c, d));
            [
                Self(arch::_mm512_shuffle_ps::<0x44>(low, more_low)),
                Self(arch::_mm512_shuffle_ps::<0xee>(low, more_low)),
                Self(arch::_mm512_shuffle_ps::<0x44>(high, more_high)),
                Self(arch::_mm512_shuffle_ps::<0xee>(high, more_high)),
            ]
        }
    }
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
     $max:ident, $compare:ident, $keep:ident $(, $transposed:item)?) => {
        /// A vector of 256 bits.
        #[derive(Clone, Copy)]
        pub struct $name(pub(super) arch::$vector);

        impl $name {
            /// A mask with all bits set in the first `count` lanes.
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
                // SAFETY: `count <= LANES`, so the LANES numbers from `LANES - count` on are inside the table of 2 LANES
                // numbers.
                unsafe { arch::_mm256_loadu_si256(ONES.as_ptr().add($lanes - count).cast()) }
            }
        }

        // SAFETY: each method needs AVX2, FMA and the memory of its intrinsic, which the trait demands from callers.
        unsafe impl Simd for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const TILE: (usize, usize) = (4, 3);

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: AVX2 is the contract of the trait.
                Self(unsafe { arch::$zero() })
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: `LANES` numbers are accessible, by the contract of the trait.
                Self(unsafe { arch::$load(from) })
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                // SAFETY: masked lanes are not read; the others are readable, by the contract of the trait.
                Self(unsafe { arch::$load_first(from, Self::mask(count)) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: `LANES` numbers are accessible, by the contract of the trait.
                unsafe { arch::$store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                // SAFETY: masked lanes are not written; the others are writable, by the contract of the trait.
                unsafe { arch::$store_first(to, Self::mask(count), self.0) }
            }
            $($transposed)?
            #[inline(always)]
            unsafe fn splat(from: *const $element) -> Self {
                // SAFETY: one element is readable, by the contract of the trait.
                Self(unsafe { arch::$splat(*from) })
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: AVX2 is the contract of the trait.
                Self(unsafe { arch::$add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn times(self, other: Self) -> Self {
                // SAFETY: AVX2 is the contract of the trait.
                Self(unsafe { arch::$mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn where_positive(self, by: Self) -> Self {
                // SAFETY: AVX2 is the contract of the trait.
                Self(unsafe { arch::$keep(arch::$compare::<{ arch::_CMP_LT_OQ }>(arch::$zero(), by.0), self.0) })
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: the instructions are the contract of the trait. (`max` returns its second operand for NaN.)
                Self(unsafe { arch::$max(arch::$zero(), self.0) })
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: FMA is the contract of the trait.
                Self(unsafe { arch::$fma(a.0, b.0, self.0) })
            }
            #[target_feature(enable = "avx2,fma")]
            #[inline(never)]
            unsafe fn enter<W: Work<Self>>(work: W) {
                // SAFETY: the contract of this function is that of the call.
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
    _mm256_and_ps,
    #[inline(always)]
    unsafe fn load_transposed(from: *const f32, stride: usize) -> [Self; 4] {
        // SAFETY: AVX2 is the contract of the trait, and each of the 8 columns has 4 numbers.
        unsafe {
            // Vector j holds columns j and j + 4, so that the transposition stays inside blocks of 128 bits.
            let column = |j: usize| {
                let at = |block: usize| arch::_mm_loadu_ps(from.add((j + 4 * block) * stride));
                arch::_mm256_insertf128_ps::<1>(arch::_mm256_castps128_ps256(at(0)), at(1))
            };
            let [a, b, c, d] = [column(0), column(1), column(2), column(3)];
            let (low, high) = (arch::_mm256_unpacklo_ps(a, b), arch::_mm256_unpackhi_ps(a, b));
            let (more_low, more_high) = (arch::_mm256_unpacklo_ps(c, d), arch::_mm256_unpackhi_ps(c, d));
            [
                Self(arch::_mm256_shuffle_ps::<0x44>(low, more_low)),
                Self(arch::_mm256_shuffle_ps::<0xee>(low, more_low)),
                Self(arch::_mm256_shuffle_ps::<0x44>(high, more_high)),
                Self(arch::_mm256_shuffle_ps::<0xee>(high, more_high)),
            ]
        }
    }
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
