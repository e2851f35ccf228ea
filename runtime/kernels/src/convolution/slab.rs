//! Slabs: contiguous copies of a rectangle of an image, with its zero padding. So kernels need no checks for edges.

use super::shape::Prepare;
use crate::memory::SharedPtr;
use crate::simd::{Number, Simd};

/// Images of `[height, width, channels]`, from which rectangles are cut.
#[derive(Clone, Copy)]
pub(super) struct Images<T> {
    pub(super) at: SharedPtr<T>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// One number for each channel, or null.
    pub(super) scale: SharedPtr<T>,
    pub(super) shift: SharedPtr<T>,
}

impl<T: Number> Images<T> {
    pub(super) fn new(at: *const T, [height, width, channels]: [usize; 3], prepare: Prepare<T>) -> Self {
        let (scale, shift) = (SharedPtr::read(prepare.scale), SharedPtr::read(prepare.shift));
        Self { at: SharedPtr::read(at), height, width, channels, scale, shift }
    }

    /// Copies `rows` x `columns` pixels of an image from (top, left) on, and prepares them. Pixels outside the image are
    /// zero.
    ///
    /// # Safety
    /// The image exists. `to` has room for `rows columns channels` numbers. The CPU has the features of `S`.
    #[inline(always)]
    pub(super) unsafe fn cut<S: Simd<Element = T>>(
        &self,
        image: usize,
        [top, left]: [isize; 2],
        [rows, columns]: [usize; 2],
        to: *mut T,
    ) {
        let (before, inside) = overlap(left, columns, self.width);
        let from_column = left.max(0).unsigned_abs();
        for row in 0..rows {
            // SAFETY: `row < rows`, so the row is inside `to`.
            let to = unsafe { to.add(row * columns * self.channels) };
            let y = top.saturating_add_unsigned(row);
            let Some(y) = usize::try_from(y).ok().filter(|y| *y < self.height && inside > 0) else {
                // SAFETY: a row of `to` has `columns channels` numbers.
                unsafe { fill(to, columns * self.channels) };
                continue;
            };
            // SAFETY: row `y` and `inside` columns from `from_column` on are inside the image. The three writes together
            // fill one row of the rectangle.
            unsafe {
                let from = self.at.at(((image * self.height + y) * self.width + from_column) * self.channels);
                fill(to, before * self.channels);
                self.copy::<S>(from, to.add(before * self.channels), inside);
                let done = before + inside;
                fill(to.add(done * self.channels), (columns - done) * self.channels);
            }
        }
    }

    /// Loads the first `count` channels from `channel` on of the pixel at an offset, and prepares them; the other lanes are
    /// 0.
    ///
    /// # Safety
    /// The pixel has these channels. The CPU has the features of `S`.
    #[inline(always)]
    pub(super) unsafe fn vector<S: Simd<Element = T>>(&self, pixel: usize, channel: usize, count: usize) -> S {
        // SAFETY: the contract of this function; scale and shift have one number for each channel unless they are null.
        unsafe {
            let x = S::load_first(self.at.at(pixel + channel), count);
            let (scale, shift) = (self.scale.at(0), self.shift.at(0));
            if scale.is_null() && shift.is_null() {
                return x;
            }
            let shift = if shift.is_null() { S::zero() } else { S::load_first(shift.add(channel), count) };
            if scale.is_null() { x.add(shift) } else { shift.add_product(x, S::load_first(scale.add(channel), count)) }
        }
    }

    /// Copies contiguous pixels and prepares them.
    ///
    /// # Safety
    /// Both sides have `pixels channels` numbers and do not overlap. The CPU has the features of `S`.
    #[inline(always)]
    unsafe fn copy<S: Simd<Element = T>>(&self, from: *const T, to: *mut T, pixels: usize) {
        // SAFETY: offset 0 is inside any allocation; nothing is read.
        let (scale, shift) = unsafe { (self.scale.at(0), self.shift.at(0)) };
        if scale.is_null() && shift.is_null() {
            // SAFETY: the contract of this function.
            unsafe { std::ptr::copy_nonoverlapping(from, to, pixels * self.channels) };
            return;
        }
        for channel in (0..self.channels).step_by(S::LANES) {
            let count = S::LANES.min(self.channels - channel);
            // SAFETY: `count` channels from `channel` on are inside every pixel, and inside scale and shift unless these
            // are null.
            unsafe {
                let scale = (!scale.is_null()).then(|| S::load_first(scale.add(channel), count));
                let shift = if shift.is_null() { S::zero() } else { S::load_first(shift.add(channel), count) };
                for pixel in 0..pixels {
                    let at = pixel * self.channels + channel;
                    let x = S::load_first(from.add(at), count);
                    let x = scale.map_or_else(|| x.add(shift), |scale| shift.add_product(x, scale));
                    x.store_first(to.add(at), count);
                }
            }
        }
    }
}

/// Among `count` positions from `first` on: how many lie before 0, and how many of the others lie below `size`.
fn overlap(first: isize, count: usize, size: usize) -> (usize, usize) {
    let before = first.min(0).unsigned_abs().min(count);
    let start = first.max(0).unsigned_abs();
    (before, (count - before).min(size.saturating_sub(start)))
}

/// Writes zeros.
///
/// # Safety
/// `to` has room for `count` numbers.
#[inline(always)]
pub(super) unsafe fn fill<T: Number>(to: *mut T, count: usize) {
    for index in 0..count {
        // SAFETY: `index < count`, and `to` has room for `count` numbers.
        unsafe { to.add(index).write(T::default()) }
    }
}
