//! Flush to zero: while programs run, subnormal numbers count as zero, on every thread that runs a part of one.
//!
//! If the gradient of a unit is exactly 0, Adam's averages shrink in every step. After some hundred steps they are
//! subnormal, and every operation on them takes a CPU a hundred times as long. Nothing in training depends on such
//! numbers.

/// Bits of the control register MXCSR: subnormal results become zero, and subnormal operands count as zero.
#[cfg(target_arch = "x86_64")]
const FLUSH: u32 = 0x8040;

/// A guard: while it lives, subnormal numbers are zeros on this thread.
pub struct Flush {
    #[cfg(target_arch = "x86_64")]
    before: u32,
}

impl Flush {
    /// Sets the mode until the guard is dropped.
    #[cfg(target_arch = "x86_64")]
    pub fn begin() -> Self {
        let mut before = 0_u32;
        // SAFETY: the instruction writes the 32 bits of the control register to `before`, a live local variable.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack, preserves_flags)) }
        load(before | FLUSH);
        Flush { before }
    }

    /// Other CPUs keep their default mode.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn begin() -> Self {
        Flush {}
    }
}

#[cfg(target_arch = "x86_64")]
fn load(register: u32) {
    // SAFETY: `register` is the former value of the control register, with or without the two bits of `FLUSH`. These bits
    // change only how subnormal numbers are treated. While they are set, only generated code and kernels compute; no
    // arithmetic of theirs was done at compile time under the other rules.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const register, options(nostack, preserves_flags)) }
}

impl Flush {
    /// Keeps the mode as long as this thread lives.
    pub(super) fn stay(self) {
        std::mem::forget(self);
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        load(self.before);
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::Flush;
    use std::hint::black_box;

    #[test]
    fn subnormal_numbers_are_zeros_only_while_it_lives() {
        let tiny = black_box(1e-39_f32);
        {
            let _flush = Flush::begin();
            assert_eq!(black_box(tiny) * black_box(1.0), 0.0);
        }
        assert_eq!(black_box(tiny) * black_box(1.0), tiny);
    }
}
