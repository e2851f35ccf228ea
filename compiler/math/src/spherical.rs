//! What the scans over hyperspherical angles keep of the way forwards for the way back, the same on every device.

/// Angles of a group: the prefix product of sines is kept before each group but the first, with its rounding error, and the
/// gradient computes everything else of a group anew.
pub const GROUP: usize = 16;

/// Numbers kept for so many angles of each unit.
#[must_use]
pub fn kept(angles: usize) -> usize {
    angles.saturating_sub(1) / GROUP * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_needs_nothing_and_each_further_one_two_numbers() {
        assert_eq!([0, 1, GROUP, GROUP + 1, 2 * GROUP, 2 * GROUP + 1].map(kept), [0, 0, 0, 2, 2, 4]);
    }
}
