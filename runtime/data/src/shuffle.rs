//! The order of an epoch's rows, as a function of the seed and the epoch. A resumed run therefore continues with the
//! same orders.

use super::permutation::{Purpose, permutation, permute_into};

/// The rows of epoch `epoch`, counted from 0, in the order of training.
///
/// ```text
/// result  [rows]   each of 0..rows once; identical on all platforms
/// ```
#[must_use]
pub fn order(seed: u64, epoch: u64, rows: u32) -> Vec<u32> {
    permutation(rows, seed, Purpose::Epoch, epoch)
}

/// [`order`] into existing memory: from the second epoch on, nothing is allocated.
pub fn order_into(order: &mut Vec<u32>, seed: u64, epoch: u64, rows: u32) {
    permute_into(order, rows, seed, Purpose::Epoch, epoch);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_depends_on_seed_and_epoch_only() {
        assert_eq!(order(3, 7, 100), order(3, 7, 100));
        assert_ne!(order(3, 7, 100), order(3, 8, 100));
        assert_ne!(order(3, 7, 100), order(4, 7, 100));
        let mut reused = vec![9; 3];
        order_into(&mut reused, 3, 7, 100);
        assert_eq!(reused, order(3, 7, 100));
    }
}
