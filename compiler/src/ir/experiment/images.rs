//! Sets of images: their files, and the steps that prepare an image for a network.

use super::FileSpec;

/// Images, each with a class. No format here has validation images of its own; the setting `validation` holds some out.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// Where the images come from.
    pub source: ImageSource,
    /// `[channels, height, width]` of every stored image. `None` if sizes differ (folders of photographs). Sizes are at least
    /// 1; there are 1 or 3 channels.
    pub shape: Option<[usize; 3]>,
    /// Steps for every image (`transform = [resize(368), center_crop(224)]`).
    pub transform: Vec<ImageStep>,
    /// How pixels become numbers.
    pub normalize: Normalize,
    /// The archive that contains all files, if it can be fetched.
    pub archive: Option<FileSpec>,
}

/// Where images come from.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageSource {
    /// Files of many images of one size: CIFAR's pickled and binary batches, ImageNet32's, NPZ.
    Batches(Batches),
    /// Four files of the MNIST family.
    Idx(Idx),
    /// One folder for each class.
    Folder {
        /// Folder of the training images, relative to the data directory or to the user's file.
        train: String,
        /// Folder of the test images. `None`: `split` divides the training images.
        test: Option<String>,
        /// What transparent pixels are laid on: red, green, blue; `None`: nobody said, so white.
        background: Option<[u8; 3]>,
    },
    /// Rendered shapes, without any file.
    Shapes {
        /// Number of training images, at least 1.
        train: usize,
        /// Number of test images.
        test: usize,
        /// Seed of all random numbers.
        draw: u64,
    },
}

/// Files of many images of one size. A file may be called `data_batch_1`, `data_batch_1.bin` or `data_batch_1.npz`, each also
/// with `.gz` or `.xz`. It may lie in the folder or in a subfolder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batches {
    /// The folder, relative to the data directory or to the user's file.
    pub folder: String,
    /// Files of training images: names without endings, in order, at least one.
    pub train: Vec<String>,
    /// Files of test images. Empty: `split` divides the training images.
    pub test: Vec<String>,
    /// Files that may contain the names of the classes, tried in order.
    pub names: Vec<String>,
    /// Key of the labels in a pickle or NPZ file with several sets of labels (`fine_labels`). A binary batch uses its last
    /// label byte.
    pub labels: String,
    /// Number of label bytes before each image of a binary batch: 1, or 2 for CIFAR-100.
    pub label_bytes: usize,
    /// The number of the first class in the files: 0, or 1 for ImageNet32.
    pub first_label: u32,
}

/// The files of the MNIST family. Their names are searched as those of [`Batches`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The folder, relative to the data directory or to the user's file.
    pub folder: String,
    /// Files of the training images and of their labels.
    pub train: [String; 2],
    /// Files of the test images and of their labels.
    pub test: Option<[String; 2]>,
    /// The names of classes 0, 1, …. Empty: classes are named by their numbers.
    pub names: Vec<String>,
    /// Do the files store images column by column, as EMNIST does?
    pub transpose: bool,
}

/// How pixels, 0 to 255, become numbers: `(pixel / 255 - mean) / deviation` for each channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Normalize {
    /// `none`: mean 0 and deviation 1, so that numbers are 0 to 1.
    Unit,
    /// `centre`: mean of the training images, deviation 1.
    Centre,
    /// `channels`: mean and deviation of the training images.
    Channels,
    /// `channels(mean = […], deviation = […])`: one value for each channel. Deviations are above 0; the default is 1.
    Stated {
        /// Mean of pixels / 255.
        mean: Vec<f64>,
        /// Deviation of pixels / 255.
        deviation: Vec<f64>,
    },
}

/// A step that changes an image. Sizes are at least 1 and at most [`ImageStep::LARGEST`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ImageStep {
    /// `horizontal_flip`: mirrored with probability one half.
    HorizontalFlip,
    /// `random_crop(32, pad = 4)`: a window at a random position of the image, padded by `pad` rows and columns of zeros.
    RandomCrop {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Rows and columns of padding on each side.
        pad: usize,
    },
    /// `center_crop(224)`
    CenterCrop {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `resize(368)`, `resize([32, 48])`: to this size, without keeping the aspect ratio.
    Resize {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `resize_shorter(256)`: to this length of the shorter side. The aspect ratio stays.
    ResizeShorter {
        /// Pixels.
        side: usize,
    },
    /// `random_resize(256, 480)`: to L x L, where L is uniform between both numbers. The aspect ratio does not stay (paper,
    /// section 5.6).
    RandomResize {
        /// The smallest L.
        low: usize,
        /// The largest L.
        high: usize,
    },
    /// `lighting(0.1)`: moves the colours along the principal components of ImageNet's colours, by normal random factors with
    /// this deviation (Krizhevsky et al., 2012).
    Lighting {
        /// Deviation of the three factors.
        deviation: f64,
    },
}

/// The size of an image between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every image has these numbers of rows and columns.
    Known(usize, usize),
    /// Images have different sizes.
    Varies,
}

impl ImageSource {
    /// Number of classes of the rendered shapes: ten outlines, each filled and hollow.
    pub const SHAPES_CLASSES: usize = 20;
}

impl ImageStep {
    /// The longest side of an image after a step.
    pub const LARGEST: usize = 4096;

    /// Does it give an image of any size a new size? Then it can be the first step.
    #[must_use]
    pub fn resizes(&self) -> bool {
        matches!(self, Self::Resize { .. } | Self::ResizeShorter { .. } | Self::RandomResize { .. })
    }

    /// Returns the size after this step.
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

    /// Does it use random numbers?
    #[must_use]
    pub fn is_random(&self) -> bool {
        match self {
            Self::HorizontalFlip | Self::RandomCrop { .. } | Self::RandomResize { .. } | Self::Lighting { .. } => true,
            Self::CenterCrop { .. } | Self::Resize { .. } | Self::ResizeShorter { .. } => false,
        }
    }
}

/// Returns rows and columns after the shorter of them is resized to `side`. The longer one is rounded to the nearest integer.
#[must_use]
pub fn shorter(height: usize, width: usize, side: usize) -> (usize, usize) {
    let scaled = |long: usize, short: usize| {
        let product = (long as u128) * (side as u128) + (short as u128) / 2;
        // Saturated, because no image is that long: the checks of sizes reject it.
        usize::try_from(product / (short.max(1) as u128)).unwrap_or(usize::MAX).max(1)
    };
    if height <= width { (side, scaled(width, height)) } else { (scaled(height, width), side) }
}

impl Images {
    /// Returns the size of the stored images.
    #[must_use]
    pub fn stored(&self) -> Extent {
        self.shape.map_or(Extent::Varies, |[_, height, width]| Extent::Known(height, width))
    }

    /// Returns the size after some steps.
    #[must_use]
    pub fn after(&self, steps: &[ImageStep]) -> Extent {
        steps.iter().fold(self.stored(), |extent, step| step.extent(extent))
    }

    /// Returns the shape of an example of the network: `[channels, height, width]` after `transform`. `None` if sizes differ.
    #[must_use]
    pub fn example_shape(&self) -> Option<[usize; 3]> {
        let channels = self.shape.map_or(3, |shape| shape[0]);
        match self.after(&self.transform) {
            Extent::Known(height, width) => Some([channels, height, width]),
            Extent::Varies => None,
        }
    }

    /// Returns the steps for a training image: `transform`, then `augment`. If `augment` resizes images itself, it replaces
    /// `transform`.
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
        let source = ImageSource::Folder { train: "photographs".into(), test: None, background: None };
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
    fn a_random_resize_replaces_the_transform() {
        let images = photographs(vec![ImageStep::Resize { height: 64, width: 64 }]);
        assert_eq!(images.training_steps(&[ImageStep::HorizontalFlip]).len(), 2);
        assert_eq!(images.training_steps(&[ImageStep::RandomResize { low: 64, high: 64 }]).len(), 1);
    }

    #[test]
    fn the_shorter_side_gets_the_requested_length() {
        assert_eq!(shorter(100, 150, 50), (50, 75));
        assert_eq!(shorter(333, 100, 50), (167, 50));
        assert_eq!(shorter(1, 1_000_000, 1), (1, 1_000_000));
    }
}
