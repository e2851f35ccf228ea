//! The images of a part of the data, as rows that a program takes.

use super::draws::PURPOSE;
use super::feed::Feed;
use super::normalize::Numbers;
use super::render::{Room, Source};
use super::set::Store;
use crate::DataError;
use crate::pick::Pick;
use gmpc_compiler::ir::experiment::{ImageStep, Precision};
use gmpc_device::SliceMut;
use gmpc_device::table::Table;
use rayon::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// Whether images are prepared for training or for evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Only `transform`.
    Nothing,
    /// `transform` and `augment`, for the seed and the epoch of the last [`ImageRows::begin`].
    Training,
}

/// Images, ready to be copied to programs.
#[derive(Debug)]
pub struct ImageRows {
    source: Arc<Source>,
    numbers: Numbers,
    /// Number of threads that prepare images in advance.
    workers: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Seed and epoch of the training.
    key: (u64, u64),
    feed: Option<Feed>,
    /// True if a device prepares the images itself. Then no thread prepares them.
    elsewhere: bool,
}

/// The pixels of an image, and what lighting adds to each channel.
type Made = (Vec<u8>, [f32; 3]);

impl ImageRows {
    pub(super) fn new(source: Arc<Source>, numbers: Numbers) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(16);
        ImageRows { source, numbers, workers, state: Mutex::new(State::default()) }
    }

    /// Sets the number of threads. The images do not depend on it.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Number of images.
    #[must_use]
    pub fn count(&self) -> usize {
        self.source.rows.len()
    }

    /// Number of elements of an image.
    #[must_use]
    pub fn width(&self) -> usize {
        self.source.bytes()
    }

    /// True if images differ from epoch to epoch.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.source.training.iter().any(ImageStep::is_random)
    }

    /// Announces the epoch that is trained next and that rows of `order` are used from index `from` on (`None`: all
    /// rows in their own order), so that they can be prepared in advance.
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

    /// Announces that all rows are evaluated in order, so that they can be prepared in advance.
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

    /// The data that a device needs to prepare the images itself; `None` if images are in files.
    #[must_use]
    pub fn table(&self, draw: Draw, precision: Precision) -> Option<Table<'_>> {
        let Source { store, plain, training, .. } = &*self.source;
        let steps = if draw == Draw::Training { training } else { plain };
        let Store::Kept { shape, pixels } = &**store else { return None };
        let values = self.numbers.all(precision);
        Some(Table::Images { pixels, shape: *shape, purpose: PURPOSE, steps, values })
    }

    /// The words that go with [`Self::table`]: the indices of the images, then the key of the random numbers.
    #[expect(clippy::cast_possible_truncation, reason = "low and high halves")]
    pub fn ask(&self, pick: &Pick<'_>, words: &mut [u32]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.elsewhere = true;
        state.feed = None;
        let (seed, epoch) = state.key;
        let images = pick.rows().map(|row| self.source.rows[row as usize]);
        let key = [seed as u32, (seed >> 32) as u32, epoch as u32];
        words.iter_mut().zip(images.chain(key)).for_each(|(to, word)| *to = word);
    }

    /// Copies the numbers of some images one after another.
    ///
    /// # Errors
    /// An image cannot be read, decoded or brought to the required size.
    pub fn copy(&self, pick: &Pick<'_>, draw: Draw, to: &mut SliceMut<'_>) -> Result<(), DataError> {
        let width = self.width();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (draw == Draw::Training).then_some(state.key);
        let count = pick.len();
        let write = |place: usize, pixels: &[u8], light: [f32; 3], to: &mut SliceMut<'_>| {
            self.numbers.write(pixels, light, to, place * width);
        };
        // Three ways to the same bytes: images that workers prepared in advance; images in memory without any step,
        // which are only converted; and all others, prepared now.
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
