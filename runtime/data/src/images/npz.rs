//! Images in an NPZ archive: `data`, bytes `[images, pixels]` or `[images, channels, height, width]`, and integer `labels`.

use super::batch::{Batch, layout};
use crate::{DataError, numpy};
use gmpc_compiler::ir::experiment::Batches;
use std::io::Cursor;

/// Reads both arrays. `shape` is the height, width and number of channels of an image.
pub(super) fn batch(bytes: Vec<u8>, shape: [usize; 3], source: &Batches, file: &str) -> Result<Batch, DataError> {
    let mut input = Cursor::new(bytes);
    let renamed = |error: DataError| match error.code {
        "E0754" => DataError {
            help: Some(format!(
                "save it again: `numpy.savez(\"NAME.npz\", data=images, {}=labels)`, images as bytes (of 0 to 1 `(x * 255).round().astype(\"uint8\")`) [images, channels, height, width]",
                source.labels
            )),
            ..error
        },
        _ => error,
    };
    let (found, planes) = numpy::bytes_member(&mut input, "data", file).map_err(renamed)?;
    input.set_position(0);
    let (_, labels) = numpy::labels_member(&mut input, &source.labels, file).map_err(renamed)?;
    layout(&found, labels.len(), shape).map_err(|(reason, help)| DataError::data("E0753", file, reason).help(help))?;
    Ok(Batch { planes, labels })
}
