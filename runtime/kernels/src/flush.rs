//! Numbers too small for full precision count as zero while programs run, on every thread that does a part of one.
//!
//! A unit whose gradient is exactly 0 leaves Adam's averages shrinking for ever: after some hundred steps they are subnormal,
//! and every operation on them takes the processor a hundred times as long. Nothing in training depends on such numbers.

/// Bits of the control register: results that would be subnormal become zero, subnormal operands count as zero.
#[cfg(target_arch = "x86_64")]
const FLUSH: u32 = 0x8040;

/// While this lives, subnormal numbers are zeros on this thread.
pub struct Flush {
    #[cfg(target_arch = "x86_64")]
    before: u32,
}

impl Flush {
    /// From now on.
    #[cfg(target_arch = "x86_64")]
    pub fn begin() -> Self {
        let mut before = 0_u32;
        // SAFETY: stores the control register, of 32 bits, to `before`.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack, preserves_flags)) }
        load(before | FLUSH);
        Flush { before }
    }

    /// Other processors keep what they do.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn begin() -> Self {
        Flush {}
    }
}

#[cfg(target_arch = "x86_64")]
fn load(register: u32) {
    // SAFETY: sets the control register to what it was, or to that with two bits more, which change how subnormal numbers
    // are rounded and nothing else. In between only generated code and contractions run, which hold no constant arithmetic
    // that was done under other rules.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const register, options(nostack, preserves_flags)) }
}

impl Flush {
    /// For as long as this thread lives.
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
