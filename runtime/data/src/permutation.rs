//! Orders of rows as functions of a seed: the Fisher-Yates shuffle on Philox words, bit-identical on every platform.

use super::words::Words;

/// The purpose of an order. Each purpose has its own random numbers.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Purpose {
    /// `sample = N`
    Sample = 0xDA7A_0001,
    /// `random(train = …)`
    Split = 0xDA7A_0002,
    /// The validation part of the training rows.
    Validation = 0xDA7A_0003,
    /// The order of an epoch.
    Epoch = 0xDA7A_0004,
}

/// `0..rows` in an order that depends on the seed, the purpose and `count` (the epoch) only.
///
/// `rows` is below 2^32. Every order is equally likely, as far as 64 bits of seed allow.
pub(super) fn permutation(rows: u32, seed: u64, purpose: Purpose, count: u64) -> Vec<u32> {
    let mut order = Vec::new();
    permute_into(&mut order, rows, seed, purpose, count);
    order
}

/// [`permutation`] into existing memory.
pub(super) fn permute_into(order: &mut Vec<u32>, rows: u32, seed: u64, purpose: Purpose, count: u64) {
    order.clear();
    order.extend(0..rows);
    #[expect(clippy::cast_possible_truncation, reason = "low and high halves")]
    let mut words = Words::new(seed, [purpose as u32, count as u32, (count >> 32) as u32]);
    for last in (1..order.len()).rev() {
        #[expect(clippy::cast_possible_truncation, reason = "below 2^32, as `last < rows`")]
        let other = words.below(last as u32 + 1) as usize;
        order.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn these_orders_never_change() {
        // Computed by a second implementation in Python. A change here would silently change the data of every run.
        assert_eq!(permutation(8, 0, Purpose::Split, 0), [1, 2, 6, 7, 4, 5, 3, 0]);
        assert_eq!(permutation(8, 1, Purpose::Epoch, 5_000_000_000), [0, 7, 2, 3, 4, 5, 6, 1]);
    }

    #[test]
    fn every_row_is_first_about_equally_often() {
        let mut counts = [0u32; 6];
        for seed in 0..6000 {
            counts[permutation(6, seed, Purpose::Split, 0)[0] as usize] += 1;
        }
        // The expected count is 1000 with a standard deviation of 29. Five deviations exclude any relevant bias.
        assert!(counts.iter().all(|c| c.abs_diff(1000) < 145), "{counts:?}");
    }

    proptest! {
        #[test]
        fn every_row_occurs_once(rows in 0u32..500, seed: u64, count: u64) {
            let mut order = permutation(rows, seed, Purpose::Epoch, count);
            order.sort_unstable();
            prop_assert_eq!(order, (0..rows).collect::<Vec<_>>());
        }
    }
}
