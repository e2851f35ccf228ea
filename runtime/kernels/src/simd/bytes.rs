//! One byte for each lane, in which max-pools store the position of the largest value.

use super::Arithmetic;
#[cfg(target_arch = "x86_64")]
use super::{F32x8, F32x16, F64x4, F64x8};
use super::{PlainF32, PlainF64};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

/// The largest number of lanes of any vector.
const MOST: usize = 16;

/// Loads and stores of bytes, and the comparison that decides which value is the largest.
///
/// # Safety
/// All methods need the CPU features of the implementing type.
pub unsafe trait Bytes: Arithmetic {
    /// a > b, or a is NaN and b is not.
    ///
    /// # Safety
    /// The CPU has the features.
    unsafe fn larger(a: Self, b: Self) -> Self::Mask;

    /// Loads one byte for each lane, widened to the size of the lane.
    ///
    /// # Safety
    /// The CPU has the features. `LANES` bytes are readable.
    unsafe fn widen(from: *const u8) -> Self::Bits;

    /// Stores the lowest byte of each lane.
    ///
    /// # Safety
    /// The CPU has the features. `LANES` bytes are writable.
    unsafe fn narrow(bits: Self::Bits, to: *mut u8);

    /// Loads one byte for each of the first `count` lanes; the other lanes are 0.
    ///
    /// # Safety
    /// The CPU has the features. `count` bytes are readable, at most `LANES`.
    #[inline(always)]
    unsafe fn widen_first(from: *const u8, count: usize) -> Self::Bits {
        let mut bytes = [0; MOST];
        // SAFETY: `count` bytes are readable by contract, and `bytes` is as long as any vector.
        unsafe {
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), count);
            Self::widen(bytes.as_ptr())
        }
    }

    /// Stores the lowest byte of the first `count` lanes.
    ///
    /// # Safety
    /// The CPU has the features. `count` bytes are writable, at most `LANES`.
    #[inline(always)]
    unsafe fn narrow_first(bits: Self::Bits, to: *mut u8, count: usize) {
        let mut bytes = [0; MOST];
        // SAFETY: `bytes` is as long as any vector, and `count` bytes are writable by contract.
        unsafe {
            Self::narrow(bits, bytes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count);
        }
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! wide {
    ($vector:ty, $larger:expr, $widen:expr, $narrow:expr) => {
        // SAFETY: each method needs the CPU features and the memory of its intrinsic, which the trait demands from callers.
        unsafe impl Bytes for $vector {
            #[inline(always)]
            unsafe fn larger(a: Self, b: Self) -> Self::Mask {
                // SAFETY: the contract of the trait is that the CPU has the instructions. They access no memory.
                unsafe { $larger(a.0, b.0) }
            }
            #[inline(always)]
            unsafe fn widen(from: *const u8) -> Self::Bits {
                // SAFETY: the code reads one byte for each lane, which are readable by contract.
                unsafe { $widen(from) }
            }
            #[inline(always)]
            unsafe fn narrow(bits: Self::Bits, to: *mut u8) {
                // SAFETY: the code writes one byte for each lane, which are writable by contract.
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
        // The packs saturate, which is exact for values below 256. They narrow to 16 bits and then to 8.
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
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the lowest byte is meant")]
        to.cast::<[u8; 4]>().write(lanes.map(|lane| lane as u8));
    }
);

macro_rules! plain {
    ($vector:ty, $lanes:expr) => {
        // SAFETY: the methods compute on arrays; the trait demands the memory from callers.
        unsafe impl Bytes for $vector {
            #[inline(always)]
            unsafe fn larger(a: Self, b: Self) -> Self::Mask {
                std::array::from_fn(|lane| a.0[lane] > b.0[lane] || (a.0[lane].is_nan() && !b.0[lane].is_nan()))
            }
            #[inline(always)]
            unsafe fn widen(from: *const u8) -> Self::Bits {
                // SAFETY: one byte for each lane is readable by contract; bytes need no alignment.
                unsafe { from.cast::<[u8; $lanes]>().read() }.map(Into::into)
            }
            #[inline(always)]
            #[expect(clippy::cast_possible_truncation, reason = "the lowest byte is meant")]
            unsafe fn narrow(bits: Self::Bits, to: *mut u8) {
                // SAFETY: one byte for each lane is writable by contract; bytes need no alignment.
                unsafe { to.cast::<[u8; $lanes]>().write(bits.map(|lane| lane as u8)) }
            }
        }
    };
}
plain!(PlainF32, 4);
plain!(PlainF64, 2);
