//! A trained network for repeated predictions: its run is opened once, its weights are decoded once, and each of its programs is compiled
//! once.

mod far;

use crate::failure::{Failure, Message};
use crate::program::frozen::frozen;
use crate::program::network::Network;
use crate::program::session::{Programs, Session};
use crate::run::folder::{About, Inputs, RunFolder};
use crate::task::evaluate::put_weights;
use crate::task::experiment::Warnings;
use crate::task::reopen::reopened_network;
use far::far_outside;
use gmpc_compiler::ir::experiment::{DataSpec, Precision};
use gmpc_data::{Directories, Note, Rows, fits, images};
use gmpc_device::Device;
use std::path::Path;
use std::sync::Arc;

/// A run with its final weights. The training data are not needed.
pub struct Predictor {
    /// The contents of `run.json`.
    pub about: About,
    /// The compiled network.
    pub network: Arc<Network>,
    session: Session,
}

impl Predictor {
    /// Opens a run folder.
    ///
    /// # Errors
    /// There is no run folder or no checkpoint; its file no longer compiles.
    pub fn open(run: &Path, directories: &Directories, device: &Arc<dyn Device>) -> Result<(Self, Warnings), Failure> {
        let (folder, about) = RunFolder::open(run)?;
        let (network, warnings) = reopened_network(&folder, &about, directories, device)?;
        let mut session = Session::new(Arc::clone(device), Arc::clone(&network) as Arc<dyn Programs>);
        put_weights(&mut session, &folder, &about)?;
        let session = frozen(session, &network)?;
        Ok((Predictor { about, network, session }, warnings))
    }

    /// The declaration of the training data.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the run's file names no data.
    pub fn data(&self) -> Result<&DataSpec, Failure> {
        let none = || Message::new("the run's file names no data, so there is nothing like it to predict for");
        self.network.module.experiment.data.as_ref().ok_or_else(|| Failure::Usage(none()))
    }

    /// Predictions `[rows, outputs]`, row-major: for regression in the units of the data, for classes the scores before
    /// the softmax.
    ///
    /// # Errors
    /// The errors of the device.
    pub fn predict(&mut self, rows: &Rows) -> Result<Vec<f64>, Failure> {
        self.session.predict(rows)
    }

    /// Prepares rows of a table for [`Self::predict`]. `numbers` is `[rows, features]` in the units of the data; they
    /// are scaled like the training data. `lines` is the line of each row in `file`, empty for an array. The note
    /// reports numbers far outside the training data.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the run is on images, or needs another number of features. [`Failure::Data`]: a number does
    /// not fit into the run's precision.
    pub fn table(
        &self,
        mut numbers: Vec<f64>,
        rows: usize,
        lines: &[u64],
        file: &str,
    ) -> Result<(Rows, Option<Note>), Failure> {
        let Inputs { features, feature_names, input_scale, .. } = &self.about.inputs;
        if self.data()?.images().is_some() {
            let told = Message::new("the run is of images, and a table of numbers was given");
            return Err(Failure::Usage(told.help("give bytes of the shape [images, channels, height, width]")));
        }
        // Both numbers come from the caller, so their product may overflow.
        if rows.checked_mul(*features) != Some(numbers.len()) {
            let width = numbers.len() / rows.max(1);
            let told = Message::new(format!("the network takes {features} features a row, and {width} were given"));
            return Err(Failure::Usage(told.help("give an array of the shape [rows, features]")));
        }
        let mut far = None;
        // Scaled before `fits` asks: the network gets these numbers. Its message undoes the scale.
        if let Some(scale) = input_scale {
            scale.apply(&mut numbers);
            far = far_outside(&numbers, scale, lines, feature_names, file);
        }
        if self.network.precision() == Precision::F32 {
            fits(&numbers, *features, (lines, &[]), ("feature", feature_names), input_scale.as_ref(), file)?;
        }
        Ok((Rows::new(self.network.precision(), rows, &numbers, &[]), far))
    }

    /// Prepares images for [`Self::predict`]. `pixels` is `[count, channels, height, width]` with bytes 0 to 255, and
    /// `shape` is `[channels, height, width]`. They pass through the run's `transform` and are normalized like the
    /// training images.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the run is on a table. [`Failure::Data`]: the images have another number of channels, or a
    /// size that the `transform` does not change to the network's.
    pub fn images(&self, pixels: &[u8], count: usize, shape: [usize; 3]) -> Result<Rows, Failure> {
        let Some(set) = self.data()?.images() else {
            let told = Message::new("the run is of a table, and images were given");
            return Err(Failure::Usage(told.help("give numbers of the shape [rows, features]")));
        };
        let (wanted, scale) = self.image_facts()?;
        let part = images::rows_of_bytes((pixels, count, shape), set, wanted, scale)?;
        Ok(Rows::of_images(self.network.precision(), part))
    }

    /// The shape `[channels, height, width]` of an example, and the scaling of its pixels.
    ///
    /// # Errors
    /// [`Failure::Data`]: `run.json` does not contain them.
    pub fn image_facts(&self) -> Result<([usize; 3], &gmpc_data::Scale), Failure> {
        let inputs = &self.about.inputs;
        match (<[usize; 3]>::try_from(inputs.shape.as_slice()), &inputs.input_scale) {
            (Ok(shape), Some(scale)) => Ok((shape, scale)),
            _ => Err(Failure::Data(Message::new("the run's `run.json` does not say what its images are"))),
        }
    }
}
