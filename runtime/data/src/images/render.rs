//! The way of one image from the store to a batch.

use super::draws::Draws;
use super::picture::Picture;
use super::set::Store;
use super::steps::{self, Scratch};
use crate::DataError;
use gmpc_compiler::ir::experiment::ImageStep;
use std::sync::Arc;

/// The source of the images and the steps for them: everything that a worker needs.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) store: Arc<Store>,
    /// For each row of the part, the index of its image in the store.
    pub(super) rows: Vec<u32>,
    /// Steps for evaluation and prediction.
    pub(super) plain: Vec<ImageStep>,
    /// Steps for training.
    pub(super) training: Vec<ImageStep>,
    /// Height, width and number of channels of the result.
    pub(super) shape: [usize; 3],
}

/// Memory that is reused for the next image.
#[derive(Default)]
pub(super) struct Room {
    picture: Picture,
    scratch: Scratch,
}

impl Source {
    /// Number of bytes of a finished image.
    pub(super) fn bytes(&self) -> usize {
        self.shape.iter().product()
    }

    /// Prepares the image of a row. `key` contains seed and epoch if random steps apply. Returns what lighting adds to
    /// each channel, on the scale of 0 to 1.
    ///
    /// # Errors
    /// The errors of [`Store::read`]; the result has another size than expected.
    pub(super) fn render(
        &self,
        row: u32,
        key: Option<(u64, u64)>,
        room: &mut Room,
        to: &mut [u8],
    ) -> Result<[f32; 3], DataError> {
        let rendered = self.rendered(row, key, room, to);
        room.picture.forget_large();
        rendered
    }

    fn rendered(
        &self,
        row: u32,
        key: Option<(u64, u64)>,
        room: &mut Room,
        to: &mut [u8],
    ) -> Result<[f32; 3], DataError> {
        let image = self.rows.get(row as usize).copied().unwrap_or(u32::MAX);
        let Room { picture, scratch } = room;
        let _seen = self.store.read(image as usize, picture)?; // holds the lock for large images until the image is small
        let (seed, epoch) = key.unwrap_or_default();
        let mut draws = Draws::new(seed, epoch, image);
        let mut light = [0.0; 3];
        for step in if key.is_some() { &self.training } else { &self.plain } {
            let step_error = |reason: String| {
                DataError::data("E0765", self.store.name(image as usize), reason)
                    .help("resize to a larger size first, or leave the image out")
            };
            steps::apply(*step, picture, &mut draws, scratch, &mut light).map_err(step_error)?;
        }
        if [picture.height, picture.width, picture.channels] != self.shape || picture.pixels.len() != to.len() {
            let [height, width, channels] = self.shape;
            let reason = format!(
                "the image becomes {}×{} with {} channels, not {height}×{width} with {channels}",
                picture.height, picture.width, picture.channels
            );
            return Err(DataError::data("E0765", self.store.name(image as usize), reason)
                .help("end `transform` with a crop or a resize to that size"));
        }
        to.copy_from_slice(&picture.pixels);
        Ok(light)
    }
}
