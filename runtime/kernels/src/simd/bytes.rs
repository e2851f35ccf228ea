//! A byte for each lane, for what is remembered of many numbers: which of a window was the largest.

use super::Arithmetic;
#[cfg(target_arch = "x86_64")]
use super::{F32x8, F32x16, F64x4, F64x8};
use super::{PlainF32, PlainF64};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

/// Most lanes of a vector.
const MOST: usize = 16;

/// Bytes from and to memory, and the comparison that decides what they say.
///
/// # Safety
/// All methods need the processor features of the implementing type.
pub unsafe trait Bytes: Arithmetic {
    /// a > b, or a is NaN and b is not.
    ///
    /// # Safety
    /// The processor has the features.
    unsafe fn larger(a: Self, b: Self) -> Self::Mask;

    /// The bits of each lane from a byte of its own.
    ///
    /// # Safety
    /// The processor has the features; there are `LANES` bytes.
    unsafe fn widen(from: *const u8) -> Self::Bits;

    /// The lowest byte of each lane.
    ///
    /// # Safety
    /// The processor has the features; there is room for `LANES` bytes.
    unsafe fn narrow(bits: Self::Bits, to: *mut u8);

    /// As [`Self::widen`], of the first `count` lanes; 0 in the others.
    ///
    /// # Safety
    /// The processor has the features; there are `count` bytes, at most `LANES`.
    #[inline(always)]
    unsafe fn widen_first(from: *const u8, count: usize) -> Self::Bits {
        let mut bytes = [0; MOST];
        // SAFETY: the caller vouches for `count` bytes; the array is as long as any vector.
        unsafe {
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), count);
            Self::widen(bytes.as_ptr())
        }
    }

    /// As [`Self::narrow`], of the first `count` lanes.
    ///
    /// # Safety
    /// The processor has the features; there is room for `count` bytes, at most `LANES`.
    #[inline(always)]
    unsafe fn narrow_first(bits: Self::Bits, to: *mut u8, count: usize) {
        let mut bytes = [0; MOST];
        // SAFETY: as above.
        unsafe {
            Self::narrow(bits, bytes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count);
        }
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! wide {
    ($vector:ty, $larger:expr, $widen:expr, $narrow:expr) => {
        // SAFETY: every method's contract is the intrinsic's: the processor features and valid memory, which the trait asks for.
        unsafe impl Bytes for $vector {
            #[inline(always)]
            unsafe fn larger(a: Self, b: Self) -> Self::Mask {
                // SAFETY: the caller has the instructions; they touch no memory.
                unsafe { $larger(a.0, b.0) }
            }
            #[inline(always)]
            unsafe fn widen(from: *const u8) -> Self::Bits {
                // SAFETY: the caller vouches for a byte a lane, which is what is read.
                unsafe { $widen(from) }
            }
            #[inline(always)]
            unsafe fn narrow(bits: Self::Bits, to: *mut u8) {
                // SAFETY: the caller vouches for a byte a lane, which is what is written.
                unsafe { $narrow(bits, to) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
wide!(
    F32x16,
    |a, b| arch::_mm512_mask_cmp_ps_mask::<{ arch::_CMP_NLE_UQ }>(
        arch::_mm512_cmp_ps_mask::<{ arch::_CMP_ORD_Q }>(b, b),
        a,
        b
    ),
    |from: *const u8| arch::_mm512_cvtepu8_epi32(arch::_mm_loadu_si128(from.cast())),
    |bits, to: *mut u8| arch::_mm_storeu_si128(to.cast(), arch::_mm512_cvtepi32_epi8(bits))
);
#[cfg(target_arch = "x86_64")]
wide!(
    F64x8,
    |a, b| arch::_mm512_mask_cmp_pd_mask::<{ arch::_CMP_NLE_UQ }>(
        arch::_mm512_cmp_pd_mask::<{ arch::_CMP_ORD_Q }>(b, b),
        a,
        b
    ),
    |from: *const u8| arch::_mm512_cvtepu8_epi64(arch::_mm_loadl_epi64(from.cast())),
    |bits, to: *mut u8| arch::_mm_storel_epi64(to.cast(), arch::_mm512_cvtepi64_epi8(bits))
);
#[cfg(target_arch = "x86_64")]
wide!(
    F32x8,
    |a, b| arch::_mm256_and_ps(
        arch::_mm256_cmp_ps::<{ arch::_CMP_NLE_UQ }>(a, b),
        arch::_mm256_cmp_ps::<{ arch::_CMP_ORD_Q }>(b, b)
    ),
    |from: *const u8| arch::_mm256_cvtepu8_epi32(arch::_mm_loadl_epi64(from.cast())),
    |bits, to: *mut u8| {
        // Saturating packs, which are exact for bytes: to 16 bits, then to 8, of each half by itself.
        let words =
            arch::_mm_packus_epi32(arch::_mm256_castsi256_si128(bits), arch::_mm256_extracti128_si256::<1>(bits));
        arch::_mm_storel_epi64(to.cast(), arch::_mm_packus_epi16(words, words));
    }
);
#[cfg(target_arch = "x86_64")]
wide!(
    F64x4,
    |a, b| arch::_mm256_and_pd(
        arch::_mm256_cmp_pd::<{ arch::_CMP_NLE_UQ }>(a, b),
        arch::_mm256_cmp_pd::<{ arch::_CMP_ORD_Q }>(b, b)
    ),
    |from: *const u8| arch::_mm256_cvtepu8_epi64(arch::_mm_cvtsi32_si128(from.cast::<i32>().read_unaligned())),
    |bits, to: *mut u8| {
        let mut lanes = [0_i64; 4];
        arch::_mm256_storeu_si256(lanes.as_mut_ptr().cast(), bits);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the lowest byte is meant
        to.cast::<[u8; 4]>().write(lanes.map(|lane| lane as u8));
    }
);

macro_rules! plain {
    ($vector:ty, $lanes:expr) => {
        // SAFETY: plain arithmetic on arrays; memory is vouched for by the caller, as the trait asks.
        unsafe impl Bytes for $vector {
            #[inline(always)]
            unsafe fn larger(a: Self, b: Self) -> Self::Mask {
                std::array::from_fn(|lane| a.0[lane] > b.0[lane] || (a.0[lane].is_nan() && !b.0[lane].is_nan()))
            }
            #[inline(always)]
            unsafe fn widen(from: *const u8) -> Self::Bits {
                // SAFETY: the caller vouches for a byte a lane; bytes have no alignment.
                unsafe { from.cast::<[u8; $lanes]>().read() }.map(Into::into)
            }
            #[inline(always)]
            #[allow(clippy::cast_possible_truncation)] // the lowest byte is meant
            unsafe fn narrow(bits: Self::Bits, to: *mut u8) {
                // SAFETY: as above.
                unsafe { to.cast::<[u8; $lanes]>().write(bits.map(|lane| lane as u8)) }
            }
        }
    };
}
plain!(PlainF32, 4);
plain!(PlainF64, 2);
