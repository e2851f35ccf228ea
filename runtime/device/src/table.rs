//! Data that a device keeps in its own memory. A step then selects rows by their indices.

use crate::{Numbers, Slice};
use gmpc_compiler::ir::experiment::ImageStep;
use std::sync::Arc;

/// The data from which the rows of an input are gathered.
#[derive(Debug, Clone)]
pub enum Table<'a> {
    /// Rows of `width` numbers, one after another.
    Numbers {
        /// The numbers of all rows.
        numbers: &'a Arc<Numbers>,
        /// Numbers in one row.
        width: usize,
    },
    /// Images, to which random flips and crops are applied.
    Images {
        /// The bytes of all images, `[images, height, width, channels]`.
        pixels: &'a Arc<Vec<u8>>,
        /// Height, width, channels.
        shape: [usize; 3],
        /// A word of the counter of the random numbers, see [`gmpc_compiler::math::philox`]. It separates these numbers
        /// from all other draws.
        purpose: u32,
        /// The steps in order.
        steps: &'a [ImageStep],
        /// The number that each byte stands for in each channel, `[256, channels]`, in the program's precision.
        values: Slice<'a>,
    },
}

impl Table<'_> {
    /// Bytes that a device needs for a copy.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Table::Numbers { numbers, .. } => numbers.len() * numbers.precision().bytes(),
            Table::Images { pixels, .. } => pixels.len(),
        }
    }
}
