//! Sets of images: where they are, what is done to an image before a network sees it.

use super::FileSpec;

/// Images with a class each.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// Where they are.
    pub source: ImageSource,
    /// `[channels, height, width]` of every image as it is kept; `None` where sizes differ (folders of photographs).
    /// Each at least 1; 1 or 3 channels.
    pub shape: Option<[usize; 3]>,
    /// Done to every image (`transform = [resize(368), center_crop(224)]`).
    pub transform: Vec<ImageStep>,
    /// How pixels become numbers.
    pub normalize: Normalize,
    /// Training images set apart to choose on by the source itself are not known to any format here; so `validation`
    /// holds some out. This is the address of an archive that holds all files.
    pub archive: Option<FileSpec>,
}

/// Where images are.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageSource {
    /// Files of many images of one size: CIFAR's pickled and binary batches, ImageNet32's, NPZ.
    Batches(Batches),
    /// Four files of the MNIST family.
    Idx(Idx),
    /// A folder a class.
    Folder {
        /// Below the data directory, or beside the user's file.
        train: String,
        /// Likewise; `None`: `split` cuts the training folder.
        test: Option<String>,
    },
    /// Rendered shapes, with no file at all.
    Shapes {
        /// Training images, at least 1.
        train: usize,
        /// Test images.
        test: usize,
        /// Seed of everything drawn.
        draw: u64,
    },
}

/// Files of many images of one size. A file is found whether it is called `data_batch_1`, `data_batch_1.bin` or
/// `data_batch_1.npz`, and as `.gz` or `.xz`, in the folder or in a folder of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batches {
    /// Below the data directory, or beside the user's file.
    pub folder: String,
    /// Names without endings, in order; at least one.
    pub train: Vec<String>,
    /// Likewise; empty: `split` cuts the training images.
    pub test: Vec<String>,
    /// Files that may name the classes, tried in order.
    pub names: Vec<String>,
    /// The labels of a pickle or NPZ that has several (`fine_labels`); of a binary batch the last label byte.
    pub labels: String,
    /// Label bytes before each image of a binary batch: 1, for CIFAR-100 2.
    pub label_bytes: usize,
    /// What the file calls the first class: 0, for ImageNet32 1.
    pub first_label: u32,
}

/// The files of the MNIST family, found as those of [`Batches`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// Below the data directory, or beside the user's file.
    pub folder: String,
    /// Images and labels to train on.
    pub train: [String; 2],
    /// Images and labels to test on.
    pub test: Option<[String; 2]>,
    /// What class 0, 1, … are called; empty: their numbers.
    pub names: Vec<String>,
}

/// How pixels, 0 to 255, become numbers: `(pixel / 255 - mean) / deviation` for each channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Normalize {
    /// `none`: 0 to 1.
    Unit,
    /// `centre`: mean of the training images, deviation 1.
    Centre,
    /// `channels`: mean and deviation of the training images.
    Channels,
    /// `channels(mean = […], deviation = […])`, one value a channel; deviations above 0, 1 where not stated.
    Stated {
        /// Of pixels / 255.
        mean: Vec<f64>,
        /// Of pixels / 255.
        deviation: Vec<f64>,
    },
}

/// Something done to an image. Sizes are at least 1 and at most [`ImageStep::LARGEST`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ImageStep {
    /// `horizontal_flip`: mirrored with probability one half.
    HorizontalFlip,
    /// `random_crop(32, pad = 4)`: a window anywhere in the image, which `pad` rows and columns of zeros surround.
    RandomCrop {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// On each side.
        pad: usize,
    },
    /// `center_crop(224)`
    CenterCrop {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `resize(368)`, `resize([32, 48])`: to this size, whatever the aspect ratio.
    Resize {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `resize_shorter(256)`: the shorter side, with the aspect ratio kept.
    ResizeShorter {
        /// Pixels.
        side: usize,
    },
    /// `random_resize(256, 480)`: to L x L, L uniform between both, the aspect ratio not kept (paper, section 5.6).
    RandomResize {
        /// The least.
        low: usize,
        /// The most.
        high: usize,
    },
    /// `lighting(0.1)`: colours moved along the principal components of ImageNet's, normal with this deviation
    /// (Krizhevsky et al., 2012).
    Lighting {
        /// Of the three factors.
        deviation: f64,
    },
}

/// The size of an image between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every image has these rows and columns.
    Known(usize, usize),
    /// Every image has its own.
    Varies,
}

impl ImageSource {
    /// Classes of the rendered shapes: ten outlines, each filled and hollow.
    pub const SHAPES_CLASSES: usize = 20;
}

impl ImageStep {
    /// No side is longer after a step.
    pub const LARGEST: usize = 4096;

    /// Does it give an image of any size a new one? Then it can stand first.
    #[must_use]
    pub fn resizes(&self) -> bool {
        matches!(self, Self::Resize { .. } | Self::ResizeShorter { .. } | Self::RandomResize { .. })
    }

    /// The size after this step.
    #[must_use]
    pub fn extent(&self, before: Extent) -> Extent {
        match *self {
            Self::HorizontalFlip | Self::Lighting { .. } => before,
            Self::RandomCrop { height, width, .. } | Self::CenterCrop { height, width } => Extent::Known(height, width),
            Self::Resize { height, width } => Extent::Known(height, width),
            Self::RandomResize { low, high } if low == high => Extent::Known(low, low),
            Self::RandomResize { .. } => Extent::Varies,
            Self::ResizeShorter { side } => match before {
                Extent::Known(height, width) => {
                    let (height, width) = shorter(height, width, side);
                    Extent::Known(height, width)
                }
                Extent::Varies => Extent::Varies,
            },
        }
    }

    /// Is there something drawn in it?
    #[must_use]
    pub fn is_random(&self) -> bool {
        match self {
            Self::HorizontalFlip | Self::RandomCrop { .. } | Self::RandomResize { .. } | Self::Lighting { .. } => true,
            Self::CenterCrop { .. } | Self::Resize { .. } | Self::ResizeShorter { .. } => false,
        }
    }
}

/// Rows and columns after the shorter of them became `side`; the longer one rounded to the nearest.
#[must_use]
pub fn shorter(height: usize, width: usize, side: usize) -> (usize, usize) {
    let scaled = |long: usize, short: usize| {
        let product = (long as u128) * (side as u128) + (short as u128) / 2;
        usize::try_from(product / (short.max(1) as u128)).unwrap_or(usize::MAX).max(1)
    };
    if height <= width { (side, scaled(width, height)) } else { (scaled(height, width), side) }
}

impl Images {
    /// Size of the images as they are kept.
    #[must_use]
    pub fn kept(&self) -> Extent {
        self.shape.map_or(Extent::Varies, |[_, height, width]| Extent::Known(height, width))
    }

    /// Size after some steps.
    #[must_use]
    pub fn after(&self, steps: &[ImageStep]) -> Extent {
        steps.iter().fold(self.kept(), |extent, step| step.extent(extent))
    }

    /// What a network sees: `[channels, height, width]` after `transform`; `None` where sizes differ.
    #[must_use]
    pub fn example_shape(&self) -> Option<[usize; 3]> {
        let channels = self.shape.map_or(3, |shape| shape[0]);
        match self.after(&self.transform) {
            Extent::Known(height, width) => Some([channels, height, width]),
            Extent::Varies => None,
        }
    }

    /// What is done to a training image: `augment` after `transform`, or in its place where it resizes by itself.
    #[must_use]
    pub fn training_steps(&self, augment: &[ImageStep]) -> Vec<ImageStep> {
        if augment.iter().any(ImageStep::resizes) {
            return augment.to_vec();
        }
        self.transform.iter().chain(augment).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photographs(transform: Vec<ImageStep>) -> Images {
        let source = ImageSource::Folder { train: "photographs".into(), test: None };
        Images { source, shape: None, transform, normalize: Normalize::Unit, archive: None }
    }

    #[test]
    fn a_resize_gives_every_image_one_size() {
        let crop = ImageStep::CenterCrop { height: 224, width: 224 };
        assert_eq!(photographs(vec![]).example_shape(), None);
        assert_eq!(photographs(vec![ImageStep::ResizeShorter { side: 256 }]).example_shape(), None);
        assert_eq!(
            photographs(vec![ImageStep::ResizeShorter { side: 256 }, crop]).example_shape(),
            Some([3, 224, 224])
        );
    }

    #[test]
    fn what_resizes_by_itself_stands_in_place_of_the_transform() {
        let images = photographs(vec![ImageStep::Resize { height: 64, width: 64 }]);
        assert_eq!(images.training_steps(&[ImageStep::HorizontalFlip]).len(), 2);
        assert_eq!(images.training_steps(&[ImageStep::RandomResize { low: 64, high: 64 }]).len(), 1);
    }

    #[test]
    fn the_shorter_side_is_the_one_asked_for() {
        assert_eq!(shorter(100, 150, 50), (50, 75));
        assert_eq!(shorter(333, 100, 50), (167, 50));
        assert_eq!(shorter(1, 1_000_000, 1), (1, 1_000_000));
    }
}
