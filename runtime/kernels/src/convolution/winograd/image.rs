//! Transforms images to the Winograd domain.

use super::grid::{Grid, OUTSIDE};
use super::panels::Panels;
use super::points::{MOST, Square, Transform, square};
use crate::convolution::slab::Images;
use crate::simd::{Simd, prefetch};

/// Transforms the `L::FROM` x `L::FROM` pixels of the tiles `first + rows`, and stores them in these rows of the panels
/// at `to`.
///
/// # Safety
/// The CPU has the features of `S`. The tiles exist. `to` has room for the panels, and no other thread writes these rows.
#[inline(always)]
pub(super) unsafe fn transform<S: Simd, L: Transform>(
    images: &Images<S::Element>,
    grid: &Grid,
    pad: [isize; 2],
    first: usize,
    rows: std::ops::Range<usize>,
    panels: &Panels,
    to: *mut S::Element,
) {
    let size = [images.height, images.width, images.channels];
    let mut next = grid.pixels(first + rows.start, pad, L::FROM, size);
    for row in rows.clone() {
        let pixels = next;
        if row + 1 < rows.end {
            next = grid.pixels(first + row + 1, pad, L::FROM, size);
        }
        for channel in (0..images.channels).step_by(S::LANES) {
            // Prefetches the next tile: its rows are too many streams for the CPU's own prefetcher.
            for line in next.iter().take(L::FROM) {
                for pixel in line.iter().take(L::FROM) {
                    // SAFETY: offset 0 is inside any allocation; a prefetch needs no valid address.
                    prefetch(unsafe { images.at.at(0) }.wrapping_add(pixel.wrapping_add(channel)));
                }
            }
            // SAFETY: `pixels` holds offsets inside the images; row and channel are inside the panels.
            unsafe {
                let block = load::<S>(images, &pixels, L::FROM, channel);
                let block = square::<S, L>(&block);
                let to = to.add(panels.at(row, channel));
                for i in 0..L::TO {
                    for j in 0..L::TO {
                        block[i][j].store(to.add((i * L::TO + j) * panels.position_stride));
                    }
                }
            }
        }
    }
}

/// A vector of channels of a tile's pixels, prepared. Pixels outside the image are zero.
///
/// # Safety
/// As for [`transform`].
#[inline(always)]
unsafe fn load<S: Simd>(
    images: &Images<S::Element>,
    pixels: &[[usize; MOST]; MOST],
    size: usize,
    channel: usize,
) -> Square<S> {
    let count = S::LANES.min(images.channels - channel);
    // SAFETY: `count` channels from `channel` on are inside every pixel, and inside scale and shift unless these are null.
    unsafe {
        let mut block = [[S::zero(); MOST]; MOST];
        let full = count == S::LANES;
        for i in 0..size {
            for j in 0..size {
                if pixels[i][j] != OUTSIDE {
                    let from = images.at.at(pixels[i][j] + channel);
                    block[i][j] = if full { S::load(from) } else { S::load_first(from, count) };
                }
            }
        }
        // Padding is zero after the preparation, so pixels outside get no shift.
        let (scale, shift) = (images.scale.at(0), images.shift.at(0));
        if !scale.is_null() || !shift.is_null() {
            let scale = (!scale.is_null()).then(|| S::load_first(scale.add(channel), count));
            let shift = if shift.is_null() { S::zero() } else { S::load_first(shift.add(channel), count) };
            for i in 0..size {
                for j in 0..size {
                    if pixels[i][j] != OUTSIDE {
                        block[i][j] = match scale {
                            Some(scale) => shift.add_product(block[i][j], scale),
                            None => block[i][j].add(shift),
                        };
                    }
                }
            }
        }
        block
    }
}
