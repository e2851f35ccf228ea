//! The images of a part of the data as rows that a program takes.

use super::feed::Feed;
use super::normalize::Numbers;
use super::render::{Room, Source};
use super::set::Store;
use crate::data::DataError;
use crate::device::SliceMut;
use crate::device::gather::Table;
use crate::rows::Pick;
use gmpc_compiler::experiment::{ImageStep, Precision};
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// Are the images made as for training, or as for everything else?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// `transform` alone.
    Nothing,
    /// With `augment`, for the seed and the epoch told last ([`ImageRows::begin`]).
    Training,
}

/// Images, ready to be copied into programs.
#[derive(Debug)]
pub struct ImageRows {
    source: Arc<Source>,
    numbers: Numbers,
    /// Threads that make images ahead.
    workers: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Seed and epoch of training.
    key: (u64, u64),
    feed: Option<Feed>,
    /// Does a device make the images itself? Then nobody makes them ahead.
    elsewhere: bool,
}

/// Pixels of some images, with what lighting adds to them.
type Made = (Vec<u8>, [f32; 3]);

impl ImageRows {
    pub(super) fn new(source: Arc<Source>, numbers: Numbers) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(16);
        ImageRows { source, numbers, workers, state: Mutex::new(State::default()) }
    }

    /// With another number of threads; the images are the same.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.source.rows.len()
    }

    /// Numbers of an image.
    #[must_use]
    pub fn width(&self) -> usize {
        self.source.bytes()
    }

    /// Is an image another one in every epoch?
    #[must_use]
    pub fn changes(&self) -> bool {
        self.source.training.iter().any(ImageStep::is_random)
    }

    /// Tells which epoch is trained, and that the rows of `order` are wanted from place `from` on (`None`: all rows as
    /// they are): they are made ahead.
    pub fn begin(&self, seed: u64, epoch: u64, order: Option<&[u32]>, from: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.feed = None;
        state.key = (seed, epoch);
        if state.elsewhere {
            return;
        }
        let order = order.map_or_else(|| self.all(), <[u32]>::to_vec);
        state.feed = Some(Feed::new(&self.source, order, Some((seed, epoch)), from, self.workers));
    }

    /// All rows will be looked at in order, nothing drawn: makes them ahead where that is work.
    pub fn begin_plain(&self) {
        let kept = matches!(*self.source.store, Store::Kept { .. }) && self.source.plain.is_empty();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.feed = None;
        if !kept && !state.elsewhere {
            state.feed = Some(Feed::new(&self.source, self.all(), None, 0, self.workers));
        }
    }

    fn all(&self) -> Vec<u32> {
        (0..u32::try_from(self.count()).unwrap_or(u32::MAX)).collect()
    }

    /// What a device needs to make the images itself; `None` for files.
    #[must_use]
    pub fn table(&self, draw: Draw, precision: Precision) -> Option<Table<'_>> {
        let Source { store, plain, training, .. } = &*self.source;
        let steps = if draw == Draw::Training { training } else { plain };
        let kept = matches!(**store, Store::Kept { .. });
        kept.then(|| Table::Images { store, steps, values: self.numbers.all(precision) })
    }

    /// The words that go with [`Self::table`]: the images of some rows, then the key of what is drawn.
    #[allow(clippy::cast_possible_truncation)] // low and high halves
    pub fn ask(&self, pick: &Pick<'_>, words: &mut [u32]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.elsewhere = true;
        state.feed = None;
        let (seed, epoch) = state.key;
        let images = pick.rows().map(|row| self.source.rows[row as usize]);
        let key = [seed as u32, (seed >> 32) as u32, epoch as u32];
        words.iter_mut().zip(images.chain(key)).for_each(|(to, word)| *to = word);
    }

    /// Copies some images one after another, as numbers.
    ///
    /// # Errors
    /// An image that cannot be read, decoded or brought to its size.
    pub fn copy(&self, pick: &Pick<'_>, draw: Draw, to: &mut SliceMut<'_>) -> Result<(), DataError> {
        let width = self.width();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (draw == Draw::Training).then_some(state.key);
        let count = pick.len();
        let write = |place: usize, pixels: &[u8], light: [f32; 3], to: &mut SliceMut<'_>| {
            self.numbers.write(pixels, light, to, place * width);
        };
        if let Some(feed) = state.feed.as_mut().filter(|feed| feed.is_next(pick.rows(), key)) {
            return feed.take(count, |place, pixels, light| write(place, pixels, light, to));
        }
        if let (None, Store::Kept { pixels, .. }, []) = (key, &*self.source.store, self.source.plain.as_slice()) {
            for (place, row) in pick.rows().enumerate() {
                let image = self.source.rows[row as usize] as usize;
                write(place, &pixels[image * width..][..width], [0.0; 3], to);
            }
            return Ok(());
        }
        let rows: Vec<u32> = pick.rows().collect();
        let made: Vec<Made> = rows
            .par_iter()
            .map_init(Room::default, |room, &row| self.make(row, key, room))
            .collect::<Result<_, _>>()?;
        made.iter().enumerate().for_each(|(place, (pixels, light))| write(place, pixels, *light, to));
        Ok(())
    }

    fn make(&self, row: u32, key: Option<(u64, u64)>, room: &mut Room) -> Result<Made, DataError> {
        let mut pixels = vec![0; self.width()];
        let light = self.source.render(row, key, room, &mut pixels)?;
        Ok((pixels, light))
    }
}

#[cfg(test)]
mod tests;
