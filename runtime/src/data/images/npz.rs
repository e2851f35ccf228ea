//! Images in an NPZ archive: `data`, bytes `[images, pixels]` or `[images, channels, height, width]`, and integer `labels`.

use super::batches::Batch;
use crate::data::{DataError, numpy};
use gmpc_compiler::experiment::Batches;
use std::io::Cursor;

/// Reads both arrays; `image` is the pixels of an image, times channels.
pub(super) fn batch(bytes: Vec<u8>, image: u64, source: &Batches, file: &str) -> Result<Batch, DataError> {
    let mut input = Cursor::new(bytes);
    let (shape, planes) = numpy::bytes_member(&mut input, "data", file)?;
    input.set_position(0);
    let labels = numpy::member_of(&mut input, &source.labels, file)?;
    let count = labels.data.len();
    if shape.first() != Some(&count) || planes.len() as u64 != (count as u64).saturating_mul(image) {
        let reason = format!("`data` has the shape {shape:?}, and there are {count} labels of {image} pixels");
        return Err(DataError::data("E0753", file, reason).help("is it the right archive?"));
    }
    #[allow(clippy::cast_possible_truncation)] // labels are small whole numbers; others saturate and are out of range
    let labels = labels.data.iter().map(|&label| label as i64).collect();
    Ok(Batch { planes, labels })
}
