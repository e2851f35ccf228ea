//! The images and labels of one file.

use crate::DataError;

/// The images of one file, in the file's layout.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    /// `[images, channels, height, width]`: the layout of all these files.
    pub(super) planes: Vec<u8>,
    /// One label for each image, as the file numbers them.
    pub(super) labels: Vec<i64>,
}

/// Reserves memory. Too little memory is an error here and does not end the process.
pub(super) fn reserve(pixels: &mut Vec<u8>, bytes: usize, set: &str) -> Result<(), DataError> {
    pixels.try_reserve_exact(bytes).map_err(|_| {
        DataError::data("E0753", set, format!("there is not enough memory for {bytes} bytes of pixels"))
            .help("`sample` a part of the set does not help here; use a smaller set")
    })
}

/// Checks that an array has the axes of `labels` images. Another order of axes is refused, even if it has the same
/// number of bytes, because it would mix up colours and rows.
///
/// # Errors
/// A sentence that says what is wrong, and a next step.
pub(super) fn layout(
    found: &[usize],
    labels: usize,
    [height, width, channels]: [usize; 3],
) -> Result<(), (String, String)> {
    let shown = |axes: &[usize]| axes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let wrong = |help: String| {
        let expected = shown(&[labels, channels, height, width]);
        Err((format!("`data` has the shape [{}], and {labels} labels need [{expected}]", shown(found)), help))
    };
    let Some((&count, axes)) = found.split_first() else { return wrong("is it the right file?".to_string()) };
    if count != labels {
        return wrong(match labels.is_multiple_of(count.max(1)) && labels > count {
            true => "there must be one number for each image: convert one-hot rows with `labels.argmax(1)`".to_string(),
            false => "there is one label for each image: is it the right file?".to_string(),
        });
    }
    // Flat pixels and planes are accepted. Every other order gets the next step that leads to an accepted one.
    match *axes {
        [pixels] if pixels == channels * height * width => Ok(()),
        [a, b, c] if [a, b, c] == [channels, height, width] => Ok(()),
        [a, b] if channels == 1 && [a, b] == [height, width] => Ok(()),
        [a, b, c] if [a, b, c] == [height, width, channels] => {
            wrong("colours come before rows: save `numpy.ascontiguousarray(data.transpose(0, 3, 1, 2))`".to_string())
        }
        [a, b, c] if a == channels => wrong(format!("write `shape = [{a}, {b}, {c}]` in the data set")),
        [a, b, c @ (1 | 3)] => wrong(format!(
            "write `shape = [{c}, {a}, {b}]`, and save `numpy.ascontiguousarray(data.transpose(0, 3, 1, 2))`"
        )),
        [a @ (1 | 3), b, c] => wrong(format!("write `shape = [{a}, {b}, {c}]` in the data set")),
        [a, b] => wrong(format!("write `shape = [1, {a}, {b}]` in the data set")),
        _ => wrong("declare the shape of an image: `shape = [channels, height, width]`".to_string()),
    }
}
