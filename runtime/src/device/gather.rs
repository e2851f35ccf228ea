//! Data that a device with memory of its own keeps there, so that a step asks for rows by their numbers.

use super::{Numbers, Slice};
use crate::data::images::Store;
use gmpc_compiler::experiment::ImageStep;
use std::sync::Arc;

/// What the rows of an input are made of.
#[derive(Debug, Clone)]
pub enum Table<'a> {
    /// Rows of `width` numbers, one after another.
    Numbers {
        /// All of them.
        numbers: &'a Arc<Numbers>,
        /// Of one row.
        width: usize,
    },
    /// Images, made by flips and crops.
    Images {
        /// Their bytes: a [`Store::Kept`].
        store: &'a Arc<Store>,
        /// In order; the words they draw are those of [`crate::data::images::PURPOSE`].
        steps: &'a [ImageStep],
        /// The number of each byte in each channel, `[256, channels]`, in the program's precision.
        values: Slice<'a>,
    },
}

impl Table<'_> {
    /// Bytes that a device needs to keep it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Table::Numbers { numbers, .. } => numbers.len() * numbers.precision().bytes(),
            Table::Images { store, .. } => match &***store {
                Store::Kept { pixels, .. } => pixels.len(),
                Store::Files { .. } => 0,
            },
        }
    }
}
