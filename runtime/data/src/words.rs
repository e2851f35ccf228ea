//! A stream of random words: Philox at the counters 0, 1, 2, …, the same on every platform.

use gmpc_compiler::math::philox::philox;

/// Words, drawn one after another. They repeat after 2^34 words, more than four times the largest number of rows.
pub(super) struct Words {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Words {
    /// From a seed and a counter. The first word of the counter starts at 0 and counts up; the others are given.
    #[expect(clippy::cast_possible_truncation, reason = "low and high halves")]
    pub(super) fn new(seed: u64, [purpose, low, high]: [u32; 3]) -> Self {
        Words { key: [seed as u32, (seed >> 32) as u32], counter: [0, purpose, low, high], block: [0; 4], used: 4 }
    }

    pub(super) fn next(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        let word = self.block[self.used];
        self.used += 1;
        word
    }

    /// A uniform number in `0..bound`, `bound > 0`, without bias: Lemire, "Fast random integer generation in an
    /// interval", 2019.
    #[expect(clippy::cast_possible_truncation, reason = "low and high halves")]
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }
}
