//! The numbers that the scan over hyperspherical angles saves for its gradient. They are the same on every device.

/// Number of angles in a group. The prefix product of sines before each group except the first is saved, with its rounding error.
/// The gradient computes all other products again.
pub const GROUP: usize = 16;

/// Returns how many numbers are saved for each unit with this number of angles.
#[must_use]
pub fn saved(angles: usize) -> usize {
    angles.saturating_sub(1) / GROUP * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_needs_nothing_and_each_further_one_two_numbers() {
        assert_eq!([0, 1, GROUP, GROUP + 1, 2 * GROUP, 2 * GROUP + 1].map(saved), [0, 0, 0, 2, 2, 4]);
    }
}
