//! The rows of a part that a step takes.

use std::ops::Range;

/// The rows that a step takes.
#[derive(Debug, Clone)]
pub enum Pick<'a> {
    /// Consecutive rows.
    Range(Range<usize>),
    /// These rows, in this order. All are below the number of rows.
    These(&'a [u32]),
}

impl Pick<'_> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Pick::Range(range) => range.len(),
            Pick::These(rows) => rows.len(),
        }
    }

    /// True if there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of the rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        let at = move |i: usize| match self {
            #[expect(clippy::cast_possible_truncation, reason = "rows are fewer than 2^32")]
            Pick::Range(range) => (range.start + i) as u32,
            Pick::These(rows) => rows[i],
        };
        (0..self.len()).map(at)
    }
}
