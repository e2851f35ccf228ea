//! One image on its way from the store to a batch.

use super::draws::Draws;
use super::picture::Picture;
use super::set::Store;
use super::steps::{self, Scratch};
use crate::data::DataError;
use gmpc_compiler::experiment::ImageStep;
use std::sync::Arc;

/// Where images come from and what is done to them: everything a worker needs.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) store: Arc<Store>,
    /// Places in the store, a row of the part each.
    pub(super) rows: Vec<u32>,
    /// Done where nothing is drawn.
    pub(super) plain: Vec<ImageStep>,
    /// Done in training.
    pub(super) training: Vec<ImageStep>,
    /// Height, width, channels of what comes out.
    pub(super) shape: [usize; 3],
}

/// Memory that is used again for the next image.
#[derive(Default)]
pub(super) struct Room {
    picture: Picture,
    scratch: Scratch,
}

impl Source {
    /// Bytes of an image that comes out.
    pub(super) fn bytes(&self) -> usize {
        self.shape.iter().product()
    }

    /// Makes the image of a row, `key` being seed and epoch where something is drawn. Returns what lighting adds to each
    /// channel, on the scale of 0 to 1.
    ///
    /// # Errors
    /// As [`Store::read`]; and an image that comes out with another size.
    pub(super) fn render(
        &self,
        row: u32,
        key: Option<(u64, u64)>,
        room: &mut Room,
        to: &mut [u8],
    ) -> Result<[f32; 3], DataError> {
        let image = self.rows.get(row as usize).copied().unwrap_or(u32::MAX);
        let Room { picture, scratch } = room;
        self.store.read(image as usize, picture)?;
        let (seed, epoch) = key.unwrap_or_default();
        let mut draws = Draws::new(seed, epoch, image);
        let mut light = [0.0; 3];
        for step in if key.is_some() { &self.training } else { &self.plain } {
            let told = |reason: String| {
                DataError::data("E0765", self.store.name(image as usize), reason)
                    .help("resize to a larger size first, or leave the image out")
            };
            steps::apply(*step, picture, &mut draws, scratch, &mut light).map_err(told)?;
        }
        if [picture.height, picture.width, picture.channels] != self.shape || picture.pixels.len() != to.len() {
            let [height, width, channels] = self.shape;
            let reason = format!(
                "the image comes out {}×{} with {} channels, not {height}×{width} with {channels}",
                picture.height, picture.width, picture.channels
            );
            return Err(DataError::data("E0765", self.store.name(image as usize), reason)
                .help("end `transform` with a crop or a resize to that size"));
        }
        to.copy_from_slice(&picture.pixels);
        Ok(light)
    }
}
