//! Writes NPY files, for predictions and imported tables.

use std::io::{self, Write};

/// Writes `data`, row-major with the shape `[rows, columns]`, as little-endian f64 that `numpy.load` can read.
///
/// # Errors
/// The errors of `output`; `InvalidInput` if `data` is not a whole number of rows.
pub fn write_npy(mut output: impl Write, data: &[f64], columns: usize) -> io::Result<()> {
    let rows = data.len().checked_div(columns).unwrap_or(0);
    if rows.checked_mul(columns) != Some(data.len()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the data are not a whole number of rows"));
    }
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Ten bytes and the text with its line end fill a multiple of 64 bytes, so that the numbers are aligned.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let short = u16::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    output.write_all(b"\x93NUMPY\x01\x00")?;
    output.write_all(&short.to_le_bytes())?;
    writeln!(output, "{header:<width$}", width = length - 1)?;
    data.iter().try_for_each(|value| output.write_all(&value.to_le_bytes()))?;
    output.flush()
}
