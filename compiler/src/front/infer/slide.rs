//! Slides a window over an image: padding, and the size of the result.
//!
//! ```text
//! explicit  size' = floor((size + 2 pad - kernel) / stride) + 1
//! same      size' = ceil(size / stride), with as few zeros as possible; an odd zero goes below or to the right
//! ```
//!
//! A transposed convolution goes the other way, from `size'` to `size`: with `same` to size' stride, otherwise to the smallest size
//! that a window with this padding maps back.

use crate::ir::window::Window;

/// The zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// As many as give the result the size ceil(size / stride).
    Same,
    /// This many rows above and also below, this many columns left and also right.
    Around([usize; 2]),
}

/// A window over images of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slide {
    /// The window.
    pub window: Window,
    /// Height and width of the result.
    pub size: [usize; 2],
}

/// Why a window does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// It is larger than the padded image, which has this height and width.
    TooLarge([usize; 2]),
    /// A size does not fit into `usize`.
    Uncountable,
}

/// Fits a window to images of `size`, height and width.
pub(super) fn slide(
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
) -> Result<Slide, Misfit> {
    let mut fitted = Slide { window: Window { kernel, stride, before: [0; 2] }, size: [0; 2] };
    let mut padded = [0; 2];
    for axis in [0, 1] {
        let (size, kernel, stride) = (size[axis], kernel[axis], stride[axis]);
        let (before, result, all) = match padding {
            Padding::Same => same(size, kernel, stride),
            Padding::Around(pad) => around(size, kernel, stride, pad[axis]),
        }
        .ok_or(Misfit::Uncountable)?;
        (fitted.window.before[axis], fitted.size[axis], padded[axis]) = (before, result, all);
    }
    if fitted.size.contains(&0) { Err(Misfit::TooLarge(padded)) } else { Ok(fitted) }
}

/// Fits the window of a transposed convolution to images of `size`, height and width. The window is that of the convolution from
/// the result back to the image.
pub(super) fn enlarge(
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
) -> Result<Slide, Misfit> {
    let mut fitted = Slide { window: Window { kernel, stride, before: [0; 2] }, size: [0; 2] };
    for axis in [0, 1] {
        let (size, kernel, stride) = (size[axis], kernel[axis], stride[axis]);
        let whole = size.checked_mul(stride).ok_or(Misfit::Uncountable)?;
        let (before, result) = match padding {
            Padding::Same => (same(whole, kernel, stride).ok_or(Misfit::Uncountable)?.0, whole),
            Padding::Around(pad) => {
                let pad = pad[axis];
                let spread = (whole - stride).checked_add(kernel).ok_or(Misfit::Uncountable)?;
                let cut = pad.checked_mul(2).ok_or(Misfit::Uncountable)?;
                // What is cut off must be padding of the convolution back: less than the window.
                let fits = pad < kernel && cut < spread;
                (pad, if fits { spread - cut } else { return Err(Misfit::TooLarge([spread; 2])) })
            }
        };
        (fitted.window.before[axis], fitted.size[axis]) = (before, result);
    }
    Ok(fitted)
}

/// Returns the padding before the image, the size of the result, and the size of the padded image. `None` if a number does not
/// fit into `usize`.
fn same(size: usize, kernel: usize, stride: usize) -> Option<(usize, usize, usize)> {
    let result = size.div_ceil(stride);
    let seen = result.checked_sub(1)?.checked_mul(stride)?.checked_add(kernel)?;
    Some((seen.saturating_sub(size) / 2, result, seen.max(size)))
}

/// As [`same`], for a stated padding. The size of the result is 0 if the window is too large.
fn around(size: usize, kernel: usize, stride: usize, pad: usize) -> Option<(usize, usize, usize)> {
    let padded = size.checked_add(pad.checked_mul(2)?)?;
    let result = padded.checked_sub(kernel).map_or(0, |rest| rest / stride + 1);
    Some((pad, result, padded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(size: usize, kernel: usize, stride: usize, padding: Padding) -> Result<(usize, usize), Misfit> {
        let slide = slide([size; 2], [kernel; 2], [stride; 2], padding)?;
        Ok((slide.window.before[0], slide.size[0]))
    }

    #[test]
    fn same_keeps_the_size_over_the_stride_and_puts_the_odd_zero_last() {
        assert_eq!(fit(32, 3, 1, Padding::Same), Ok((1, 32)));
        assert_eq!(fit(32, 3, 2, Padding::Same), Ok((0, 16)), "one zero in all, below");
        assert_eq!(fit(33, 3, 2, Padding::Same), Ok((1, 17)));
        assert_eq!(fit(224, 7, 2, Padding::Same), Ok((2, 112)), "two zeros above, three below");
        assert_eq!(fit(5, 1, 2, Padding::Same), Ok((0, 3)));
        assert_eq!(fit(2, 5, 1, Padding::Same), Ok((2, 2)), "a window may be larger than the image");
    }

    #[test]
    fn explicit_padding_rounds_down() {
        assert_eq!(fit(32, 2, 2, Padding::Around([0; 2])), Ok((0, 16)));
        assert_eq!(fit(33, 2, 2, Padding::Around([0; 2])), Ok((0, 16)));
        assert_eq!(fit(112, 3, 2, Padding::Around([1; 2])), Ok((1, 56)));
        assert_eq!(fit(5, 1, 2, Padding::Around([1; 2])), Ok((1, 4)));
    }

    #[test]
    fn a_transposed_convolution_is_as_large_as_what_the_convolution_back_reads() {
        let fit = |size: usize, kernel: usize, stride: usize, padding: Padding| {
            let large = enlarge([size; 2], [kernel; 2], [stride; 2], padding)?;
            let back = slide(large.size, [kernel; 2], [stride; 2], padding)?;
            assert_eq!((back.size, back.window), ([size; 2], large.window));
            Ok::<_, Misfit>(large.size[0])
        };
        assert_eq!(fit(8, 3, 2, Padding::Same), Ok(16));
        assert_eq!(fit(8, 2, 2, Padding::Same), Ok(16));
        assert_eq!(fit(5, 1, 3, Padding::Same), Ok(15), "what no tap reaches is the offset alone");
        assert_eq!(fit(8, 4, 2, Padding::Around([1; 2])), Ok(16));
        assert_eq!(fit(8, 3, 2, Padding::Around([0; 2])), Ok(17));
        assert_eq!(fit(1, 3, 1, Padding::Around([1; 2])), Ok(1));
        assert!(fit(8, 3, 2, Padding::Around([3; 2])).is_err());
        assert_eq!(fit(usize::MAX, 3, 2, Padding::Same), Err(Misfit::Uncountable));
    }

    #[test]
    fn a_window_that_is_too_large_and_a_size_that_overflows_are_different_errors() {
        assert_eq!(fit(2, 5, 1, Padding::Around([1; 2])), Err(Misfit::TooLarge([4, 4])));
        assert_eq!(fit(2, 5, 1, Padding::Around([usize::MAX / 2; 2])), Err(Misfit::Uncountable));
        assert_eq!(fit(2, usize::MAX, 1, Padding::Same), Err(Misfit::Uncountable));
    }
}
