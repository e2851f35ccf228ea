//! More arithmetic on vectors, and the compiler's [`Machine`] built on it. Its elementary functions run on every vector
//! type and give the same bits in every lane.

use super::Simd;
#[cfg(target_arch = "x86_64")]
use super::{F32x8, F32x16, F64x4, F64x8};
use super::{PlainF32, PlainF64};
use gmpc_math::Machine;
use gmpc_math::Precision;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;
use std::marker::PhantomData;

/// The operations of [`Machine`] that [`Simd`] does not have, under the same names.
///
/// # Safety
/// All methods need the CPU features of the implementing type, and nothing else.
#[expect(missing_docs, clippy::missing_safety_doc, reason = "as in `Machine`")]
pub unsafe trait Arithmetic: Simd {
    /// A truth value for each lane.
    type Mask: Copy;
    /// The bits of each lane.
    type Bits: Copy;
    /// The precision of the numbers.
    const PRECISION: Precision;

    unsafe fn number(value: f64) -> Self;
    unsafe fn sub(a: Self, b: Self) -> Self;
    unsafe fn mul(a: Self, b: Self) -> Self;
    unsafe fn div(a: Self, b: Self) -> Self;
    /// a b + c, rounded once, on every CPU.
    unsafe fn fma(a: Self, b: Self, c: Self) -> Self;
    unsafe fn sqrt(a: Self) -> Self;
    unsafe fn less(a: Self, b: Self) -> Self::Mask;
    unsafe fn select(mask: Self::Mask, a: Self, b: Self) -> Self;
    unsafe fn bits(a: Self) -> Self::Bits;
    unsafe fn from_bits(a: Self::Bits) -> Self;
    unsafe fn whole(value: i64) -> Self::Bits;
    unsafe fn plus(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn and(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn or(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn xor(a: Self::Bits, b: Self::Bits) -> Self::Bits;
    unsafe fn shl(a: Self::Bits, by: u32) -> Self::Bits;
    unsafe fn shr(a: Self::Bits, by: u32) -> Self::Bits;
    unsafe fn is_zero(a: Self::Bits) -> Self::Mask;
}

/// The [`Machine`] that computes with vectors.
pub struct Vectors<S>(PhantomData<S>);

impl<S: Arithmetic> Vectors<S> {
    /// The machine.
    ///
    /// # Safety
    /// The CPU has the features of `S`, and the calling function has them enabled.
    #[inline(always)]
    #[must_use]
    pub unsafe fn new() -> Self {
        Vectors(PhantomData)
    }
}

macro_rules! forwarded {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[inline(always)]
        fn $name(&mut self, $($argument: $type),*) -> $result {
            // SAFETY: `new` is the only way to make this machine, and its contract is that the CPU has the features.
            unsafe { S::$name($($argument),*) }
        }
    )*};
}

impl<S: Arithmetic> Machine for Vectors<S> {
    type V = S;
    type M = S::Mask;
    type I = S::Bits;

    #[inline(always)]
    fn precision(&self) -> Precision {
        S::PRECISION
    }

    forwarded! {
        number(value: f64) -> S;
        add(a: S, b: S) -> S;
        sub(a: S, b: S) -> S;
        mul(a: S, b: S) -> S;
        div(a: S, b: S) -> S;
        fma(a: S, b: S, c: S) -> S;
        sqrt(a: S) -> S;
        less(a: S, b: S) -> S::Mask;
        select(mask: S::Mask, a: S, b: S) -> S;
        bits(a: S) -> S::Bits;
        from_bits(a: S::Bits) -> S;
        whole(value: i64) -> S::Bits;
        plus(a: S::Bits, b: S::Bits) -> S::Bits;
        and(a: S::Bits, b: S::Bits) -> S::Bits;
        or(a: S::Bits, b: S::Bits) -> S::Bits;
        xor(a: S::Bits, b: S::Bits) -> S::Bits;
        shl(a: S::Bits, by: u32) -> S::Bits;
        shr(a: S::Bits, by: u32) -> S::Bits;
        is_zero(a: S::Bits) -> S::Mask;
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! instructions {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => {$(
        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "numbers are rounded, the low bits are meant")]
        unsafe fn $name($($argument: $type),*) -> $result {
            // SAFETY: the contract of the trait is that the CPU has the instructions. They access no memory.
            unsafe { $body }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
macro_rules! wide {
    ($vector:ty, $mask:ty, $bits:ty, $precision:expr, $element:ty, $integer:ty; $set:ident $sub:ident $mul:ident
     $div:ident $fma:ident $sqrt:ident $bits_of:ident $from_bits:ident $set_bits:ident $plus:ident $and:ident $or:ident
     $xor:ident $shl:ident $shr:ident; $less:expr, $select:expr, $is_zero:expr) => {
        // SAFETY: each method needs the CPU features of its intrinsic, which the trait demands from callers.
        unsafe impl Arithmetic for $vector {
            type Mask = $mask;
            type Bits = $bits;
            const PRECISION: Precision = $precision;

            instructions! {
                number(value: f64) -> Self = Self(arch::$set(value as $element));
                sub(a: Self, b: Self) -> Self = Self(arch::$sub(a.0, b.0));
                mul(a: Self, b: Self) -> Self = Self(arch::$mul(a.0, b.0));
                div(a: Self, b: Self) -> Self = Self(arch::$div(a.0, b.0));
                fma(a: Self, b: Self, c: Self) -> Self = Self(arch::$fma(a.0, b.0, c.0));
                sqrt(a: Self) -> Self = Self(arch::$sqrt(a.0));
                less(a: Self, b: Self) -> $mask = $less(a.0, b.0);
                select(mask: $mask, a: Self, b: Self) -> Self = Self($select(mask, a.0, b.0));
                bits(a: Self) -> $bits = arch::$bits_of(a.0);
                from_bits(a: $bits) -> Self = Self(arch::$from_bits(a));
                whole(value: i64) -> $bits = arch::$set_bits(value as $integer);
                plus(a: $bits, b: $bits) -> $bits = arch::$plus(a, b);
                and(a: $bits, b: $bits) -> $bits = arch::$and(a, b);
                or(a: $bits, b: $bits) -> $bits = arch::$or(a, b);
                xor(a: $bits, b: $bits) -> $bits = arch::$xor(a, b);
                shl(a: $bits, by: u32) -> $bits = arch::$shl(a, arch::_mm_cvtsi32_si128(by as i32));
                shr(a: $bits, by: u32) -> $bits = arch::$shr(a, arch::_mm_cvtsi32_si128(by as i32));
                is_zero(a: $bits) -> $mask = $is_zero(a);
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
wide!(
    F32x16, arch::__mmask16, arch::__m512i, Precision::F32, f32, i32;
    _mm512_set1_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_fmadd_ps _mm512_sqrt_ps _mm512_castps_si512
    _mm512_castsi512_ps _mm512_set1_epi32 _mm512_add_epi32 _mm512_and_si512 _mm512_or_si512 _mm512_xor_si512
    _mm512_sll_epi32 _mm512_srl_epi32;
    |a, b| arch::_mm512_cmp_ps_mask::<{ arch::_CMP_LT_OQ }>(a, b),
    |mask, a, b| arch::_mm512_mask_blend_ps(mask, b, a),
    |a| arch::_mm512_testn_epi32_mask(a, a)
);
#[cfg(target_arch = "x86_64")]
wide!(
    F64x8, arch::__mmask8, arch::__m512i, Precision::F64, f64, i64;
    _mm512_set1_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd _mm512_sqrt_pd _mm512_castpd_si512
    _mm512_castsi512_pd _mm512_set1_epi64 _mm512_add_epi64 _mm512_and_si512 _mm512_or_si512 _mm512_xor_si512
    _mm512_sll_epi64 _mm512_srl_epi64;
    |a, b| arch::_mm512_cmp_pd_mask::<{ arch::_CMP_LT_OQ }>(a, b),
    |mask, a, b| arch::_mm512_mask_blend_pd(mask, b, a),
    |a| arch::_mm512_testn_epi64_mask(a, a)
);
#[cfg(target_arch = "x86_64")]
wide!(
    F32x8, arch::__m256, arch::__m256i, Precision::F32, f32, i32;
    _mm256_set1_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_fmadd_ps _mm256_sqrt_ps _mm256_castps_si256
    _mm256_castsi256_ps _mm256_set1_epi32 _mm256_add_epi32 _mm256_and_si256 _mm256_or_si256 _mm256_xor_si256
    _mm256_sll_epi32 _mm256_srl_epi32;
    |a, b| arch::_mm256_cmp_ps::<{ arch::_CMP_LT_OQ }>(a, b),
    |mask, a, b| arch::_mm256_blendv_ps(b, a, mask),
    |a| arch::_mm256_castsi256_ps(arch::_mm256_cmpeq_epi32(a, arch::_mm256_setzero_si256()))
);
#[cfg(target_arch = "x86_64")]
wide!(
    F64x4, arch::__m256d, arch::__m256i, Precision::F64, f64, i64;
    _mm256_set1_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd _mm256_sqrt_pd _mm256_castpd_si256
    _mm256_castsi256_pd _mm256_set1_epi64x _mm256_add_epi64 _mm256_and_si256 _mm256_or_si256 _mm256_xor_si256
    _mm256_sll_epi64 _mm256_srl_epi64;
    |a, b| arch::_mm256_cmp_pd::<{ arch::_CMP_LT_OQ }>(a, b),
    |mask, a, b| arch::_mm256_blendv_pd(b, a, mask),
    |a| arch::_mm256_castsi256_pd(arch::_mm256_cmpeq_epi64(a, arch::_mm256_setzero_si256()))
);

macro_rules! lane_by_lane {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty = |$lane:ident| $body:expr;)*) => {$(
        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers are rounded, the low bits are meant")]
        unsafe fn $name($($argument: $type),*) -> $result {
            std::array::from_fn(|$lane| $body).into()
        }
    )*};
}

macro_rules! plain {
    ($vector:ty, $lanes:expr, $precision:expr, $element:ty, $integer:ty) => {
        impl From<[$element; $lanes]> for $vector {
            #[inline(always)]
            fn from(lanes: [$element; $lanes]) -> Self {
                Self(lanes)
            }
        }

        // SAFETY: the methods compute on arrays with safe code and need no CPU features.
        unsafe impl Arithmetic for $vector {
            type Mask = [bool; $lanes];
            type Bits = [$integer; $lanes];
            const PRECISION: Precision = $precision;

            lane_by_lane! {
                number(value: f64) -> Self = |_lane| value as $element;
                sub(a: Self, b: Self) -> Self = |lane| a.0[lane] - b.0[lane];
                mul(a: Self, b: Self) -> Self = |lane| a.0[lane] * b.0[lane];
                div(a: Self, b: Self) -> Self = |lane| a.0[lane] / b.0[lane];
                fma(a: Self, b: Self, c: Self) -> Self = |lane| a.0[lane].mul_add(b.0[lane], c.0[lane]);
                sqrt(a: Self) -> Self = |lane| a.0[lane].sqrt();
                less(a: Self, b: Self) -> Self::Mask = |lane| a.0[lane] < b.0[lane];
                select(mask: Self::Mask, a: Self, b: Self) -> Self = |lane| if mask[lane] { a.0[lane] } else { b.0[lane] };
                bits(a: Self) -> Self::Bits = |lane| a.0[lane].to_bits();
                from_bits(a: Self::Bits) -> Self = |lane| <$element>::from_bits(a[lane]);
                whole(value: i64) -> Self::Bits = |_lane| value as $integer;
                plus(a: Self::Bits, b: Self::Bits) -> Self::Bits = |lane| a[lane].wrapping_add(b[lane]);
                and(a: Self::Bits, b: Self::Bits) -> Self::Bits = |lane| a[lane] & b[lane];
                or(a: Self::Bits, b: Self::Bits) -> Self::Bits = |lane| a[lane] | b[lane];
                xor(a: Self::Bits, b: Self::Bits) -> Self::Bits = |lane| a[lane] ^ b[lane];
                shl(a: Self::Bits, by: u32) -> Self::Bits = |lane| a[lane].wrapping_shl(by);
                shr(a: Self::Bits, by: u32) -> Self::Bits = |lane| a[lane].wrapping_shr(by);
                is_zero(a: Self::Bits) -> Self::Mask = |lane| a[lane] == 0;
            }
        }
    };
}
plain!(PlainF32, 4, Precision::F32, f32, u32);
plain!(PlainF64, 2, Precision::F64, f64, u64);
