//! Keeps gradients at weights exactly zero where no pixel of x meets a pixel of dy.
//!
//! The gradient at a weight is a sum of products of a pixel of x and a pixel of dy. If one factor of each is 0, so is the
//! gradient: for example where a unit that is rarely above 0 follows a channel that is rarely above 0. In Winograd's domain the
//! same sum is a difference of numbers that cancel up to rounding only. Adam divides a gradient by its size, so it would
//! make whole steps of such noise.
//!
//! Therefore every channel of x and every unit of dy gets a string of bits: which of its pixels are not 0? All strings have
//! the places of the padded x, so that a tap is a shift of the string of x:
//!
//! ```text
//! dw[c, i, j, o] is exactly 0   if   (bits[x, c] >> (i line + j)) & bits[dy, o] = 0
//! ```
//!
//! Nearly all weights meet in the first words of their strings, which are compared when their gradient is transformed back.
//! The rest of the strings is made only if some weights have not met by then, and compared for these weights alone.

use crate::convolution::shape::Geometry;
use crate::convolution::slab::Images;
use crate::memory::{Parallel, Parts, SharedPtr, run_all};
use crate::simd::{Number, Simd};
use crate::workers::Workers;
use std::sync::atomic::{AtomicBool, Ordering};

/// Words of a chunk of the strings of dy.
const WORDS: usize = 64;
/// Words after which weights whose gradient is 0 anyway are left out.
const FEW: usize = 4;
/// Bits of a word.
const BITS: usize = 32;
/// Words that a task makes.
const TASK: usize = 4;
/// The largest number of lanes of any vector.
const LANES: usize = 16;
/// The places of a word that lie outside the image.
const OUTSIDE: usize = usize::MAX;

/// The layout of the strings in the workspace.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Places of a line, and lines of an image: those of the padded x.
    line: usize,
    lines: usize,
    /// Words of a whole string of dy, and of a chunk of the strings of x and of dy.
    words: usize,
    x_words: usize,
    dy_words: usize,
    x: usize,
    dy: usize,
    open: usize,
}

impl Layout {
    /// Takes the strings' part of a workspace.
    pub(super) fn new<S: Simd>(g: &Geometry, parts: &mut Parts) -> Self {
        let (line, lines) = (g.out_width + 2, g.out_height + 2);
        let words = (g.batch * lines * line).div_ceil(BITS).max(1);
        let dy_words = words.min(WORDS);
        // The last tap is two lines and two places further in x.
        let x_words = dy_words + (2 * line + 2) / BITS + 2;
        let vectors = g.units.div_ceil(S::LANES);
        let x = parts.take(x_words * g.channels);
        let dy = parts.take(dy_words * vectors * S::LANES);
        let open = parts.take(g.channels * 9 * vectors);
        Self { line, lines, words, x_words, dy_words, x, dy, open }
    }
}

/// The strings of one chunk, and the weights that have not met so far.
pub(super) struct Meetings<S: Simd> {
    layout: Layout,
    units: usize,
    x: Strings<S::Element>,
    dy: Strings<S::Element>,
    /// A bit for each lane, `[channel][tap][vector of units]`: is the gradient not 0, though no pixels have met?
    open: SharedPtr<u32>,
    /// Is any of these bits set?
    any: AtomicBool,
}

/// The strings of the columns of x or dy, `[word][column]`.
#[derive(Clone, Copy)]
struct Strings<T> {
    images: Images<T>,
    pad: [usize; 2],
    /// Columns from one word to the next.
    stride: usize,
    words: usize,
    to: SharedPtr<u32>,
}

impl<S: Simd> Meetings<S> {
    /// The strings of x and dy.
    ///
    /// # Safety
    /// `x` and `dy` are images of the sizes of `g`. `memory` is a workspace with the parts of `layout`.
    pub(super) unsafe fn new(
        layout: Layout,
        g: &Geometry,
        [x, dy]: [Images<S::Element>; 2],
        memory: SharedPtr<S::Element>,
    ) -> Self {
        const { assert!(size_of::<S::Element>() >= size_of::<u32>(), "a word has room in an element") };
        // SAFETY: the contract of this function.
        let [to_x, to_dy, open] =
            [layout.x, layout.dy, layout.open].map(|part| SharedPtr::write(unsafe { memory.at(part) }.cast::<u32>()));
        let stride = g.units.next_multiple_of(S::LANES);
        Self {
            layout,
            units: g.units,
            x: Strings { images: x, pad: g.pad, stride: g.channels, words: layout.x_words, to: to_x },
            dy: Strings { images: dy, pad: [0, 0], stride, words: layout.dy_words, to: to_dy },
            open,
            any: AtomicBool::new(false),
        }
    }

    /// Makes the first chunk of all strings.
    ///
    /// # Safety
    /// The CPU has the features of `S`, and x and dy are still there.
    pub(super) unsafe fn begin(&self, batch: usize, workers: &Workers) {
        // SAFETY: the contract of this function.
        unsafe { run_all::<S, _>(&Make { meetings: self, first: 0, batch }, workers) };
    }

    /// Compares the first words of the strings of a channel and `count` units from `unit` on at one tap, whose gradient is
    /// `value`, and keeps which have not met.
    ///
    /// # Safety
    /// Channel, tap and units exist; `unit` is a multiple of the lanes. [`Self::begin`] has ended. No other thread has these units.
    #[inline(always)]
    pub(super) unsafe fn first(&self, [channel, tap, unit, count]: [usize; 4], value: S) {
        let zero = S::Element::default();
        let mut seen = [0_u32; LANES];
        for (lane, seen) in seen.iter_mut().enumerate() {
            *seen = u32::from(lane >= count);
        }
        // SAFETY: the words are inside the strings, which are complete; `numbers` has room for a vector.
        let open = unsafe {
            if self.meet([channel, tap, unit], 0..FEW.min(self.dy.words), &mut seen) {
                0
            } else {
                let mut numbers = [zero; LANES];
                value.store(numbers.as_mut_ptr());
                for (seen, number) in seen.iter_mut().zip(&numbers) {
                    // Numbers that are not finite stay, so that a divergence is found.
                    let finite = number.minus(*number) == zero;
                    *seen |= u32::from(*number == zero || !finite);
                }
                self.meet([channel, tap, unit], FEW.min(self.dy.words)..self.dy.words, &mut seen);
                bits(&seen)
            }
        };
        if open != 0 {
            self.any.store(true, Ordering::Relaxed);
        }
        // SAFETY: the bits of this vector are inside `open`, and no other thread has them.
        unsafe { *self.open.at(self.vector(channel, tap, unit)) = open };
    }

    /// Reads the strings to their ends for the weights that have not met, and sets the gradients to 0 that never do.
    ///
    /// # Safety
    /// [`Self::first`] has ended for all weights. `dw` has all of them. The CPU has the features of `S`.
    pub(super) unsafe fn end(&self, batch: usize, channels: usize, dw: *mut S::Element, workers: &Workers) {
        let mut first = self.dy.words;
        while first < self.layout.words && self.any.swap(false, Ordering::Relaxed) {
            // SAFETY: the contract of this function; `run_all` returns when all its tasks are done, so whole chunks are read.
            unsafe {
                run_all::<S, _>(&Make { meetings: self, first, batch }, workers);
                run_all::<S, _>(&Rest { meetings: self, channels, dw: None }, workers);
            }
            first += self.dy.words;
        }
        if self.any.load(Ordering::Relaxed) {
            let dw = Some(SharedPtr::write(dw));
            // SAFETY: the contract of this function.
            unsafe { run_all::<S, _>(&Rest { meetings: self, channels, dw }, workers) };
        }
    }

    /// The place of a vector in `open`.
    #[inline(always)]
    fn vector(&self, channel: usize, tap: usize, unit: usize) -> usize {
        (channel * 9 + tap) * (self.dy.stride / S::LANES) + unit / S::LANES
    }

    /// Marks the units that meet the channel at this tap in some words. Returns whether all units are marked.
    ///
    /// # Safety
    /// Channel, tap and the vector at `unit` exist. The words are in the chunk, which is complete.
    #[inline(always)]
    unsafe fn meet(
        &self,
        [channel, tap, unit]: [usize; 3],
        words: std::ops::Range<usize>,
        seen: &mut [u32; LANES],
    ) -> bool {
        let shift = tap / 3 * self.layout.line + tap % 3;
        for word in words {
            // SAFETY: the strings of x are as much longer than those of dy as the last tap needs.
            let x = unsafe {
                let at = self.x.to.at((word + shift / BITS) * self.x.stride + channel);
                let (low, high) = (u64::from(*at), u64::from(*at.add(self.x.stride)));
                ((low | high << BITS) >> (shift % BITS)) & u64::from(u32::MAX)
            };
            if x == 0 {
                continue;
            }
            let mut all = true;
            for lane in 0..S::LANES {
                // SAFETY: the strings of dy have whole vectors of units.
                seen[lane] |= unsafe { *self.dy.to.at(word * self.dy.stride + unit + lane) } & x as u32;
                all &= seen[lane] != 0;
            }
            if all {
                return true;
            }
        }
        false
    }
}

/// A bit for each lane that is not marked.
#[inline(always)]
fn bits(seen: &[u32; LANES]) -> u32 {
    seen.iter().enumerate().map(|(lane, seen)| u32::from(*seen == 0) << lane).sum()
}

/// Makes a chunk of the strings. A task is some words of x or of dy.
struct Make<'a, S: Simd> {
    meetings: &'a Meetings<S>,
    first: usize,
    batch: usize,
}

// SAFETY: all pointers are `SharedPtr`; `S` appears as a type only.
unsafe impl<S: Simd> Sync for Make<'_, S> {}

impl<S: Simd> Parallel<S> for Make<'_, S> {
    fn tasks(&self) -> usize {
        self.meetings.x.words.div_ceil(TASK) + self.meetings.dy.words.div_ceil(TASK)
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let of_x = self.meetings.x.words.div_ceil(TASK);
        let (strings, task) = if task < of_x { (&self.meetings.x, task) } else { (&self.meetings.dy, task - of_x) };
        for word in task * TASK..strings.words.min((task + 1) * TASK) {
            let places = self.places(strings, self.first + word);
            // SAFETY: the word is inside the chunk, and no other task has it.
            unsafe { strings.make::<S>(&places, word) };
        }
    }
}

impl<S: Simd> Make<'_, S> {
    /// The offsets of a word's pixels.
    #[inline(always)]
    fn places(&self, strings: &Strings<S::Element>, word: usize) -> [usize; BITS] {
        let (Layout { line, lines, .. }, images) = (self.meetings.layout, &strings.images);
        let mut places = [OUTSIDE; BITS];
        for (bit, place) in places.iter_mut().enumerate() {
            let at = word * BITS + bit;
            let (image, row, column) = (at / (line * lines), at / line % lines, at % line);
            let row = row.checked_sub(strings.pad[0]).filter(|row| *row < images.height);
            let column = column.checked_sub(strings.pad[1]).filter(|column| *column < images.width);
            if let (Some(row), Some(column), true) = (row, column, image < self.batch) {
                *place = ((image * images.height + row) * images.width + column) * images.channels;
            }
        }
        places
    }
}

impl<T: Number> Strings<T> {
    /// Makes a word of every string.
    ///
    /// # Safety
    /// The pixels exist, the word is inside the chunk, and no other thread has it. The CPU has the features of `S`.
    #[inline(always)]
    unsafe fn make<S: Simd<Element = T>>(&self, places: &[usize; BITS], word: usize) {
        let images = &self.images;
        for first in (0..images.channels).step_by(S::LANES) {
            let count = S::LANES.min(images.channels - first);
            let mut found = [0_u32; LANES];
            for (bit, place) in places.iter().enumerate().filter(|(_, place)| **place != OUTSIDE) {
                let mut numbers = [T::default(); LANES];
                // SAFETY: `count` columns from `first` on are inside every pixel; `numbers` has room for a vector.
                unsafe { images.vector::<S>(*place, first, count).store(numbers.as_mut_ptr()) };
                for lane in 0..S::LANES {
                    found[lane] |= u32::from(numbers[lane] != T::default()) << bit;
                }
            }
            // Behind the last column a string of dy has room for a whole vector.
            let lanes = if self.stride.is_multiple_of(S::LANES) { S::LANES } else { count };
            for (lane, found) in found.iter().enumerate().take(lanes) {
                // SAFETY: the columns are inside the word.
                unsafe { *self.to.at(word * self.stride + first + lane) = *found };
            }
        }
    }
}

/// Compares a chunk for the weights that have not met, or sets their gradients to 0 if this was the last. A task is one
/// channel.
struct Rest<'a, S: Simd> {
    meetings: &'a Meetings<S>,
    channels: usize,
    dw: Option<SharedPtr<S::Element>>,
}

// SAFETY: all pointers are `SharedPtr`; `S` appears as a type only.
unsafe impl<S: Simd> Sync for Rest<'_, S> {}

impl<S: Simd> Parallel<S> for Rest<'_, S> {
    fn tasks(&self) -> usize {
        self.channels
    }

    #[inline(always)]
    unsafe fn task(&self, channel: usize, _worker: usize) {
        let meetings = self.meetings;
        for (tap, unit) in (0..9).flat_map(|tap| (0..meetings.units).step_by(S::LANES).map(move |unit| (tap, unit))) {
            // SAFETY: the vector's bits are inside `open`, its weights inside dw, and no other task has this channel.
            unsafe {
                let open = meetings.open.at(meetings.vector(channel, tap, unit));
                if *open == 0 {
                    continue;
                }
                if let Some(dw) = self.dw {
                    for lane in (0..S::LANES).filter(|lane| *open >> lane & 1 == 1) {
                        *dw.at((channel * 9 + tap) * meetings.units + unit + lane) = S::Element::default();
                    }
                    continue;
                }
                let mut seen = [1_u32; LANES];
                for (lane, seen) in seen.iter_mut().enumerate() {
                    *seen = u32::from(*open >> lane & 1 == 0);
                }
                meetings.meet([channel, tap, unit], 0..meetings.dy.words, &mut seen);
                *open = bits(&seen);
                if *open != 0 {
                    meetings.any.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}
