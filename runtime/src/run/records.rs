//! Records of the units' boundaries during training, in files of the run's folder.
//!
//! ```text
//! RUN/boundaries/hidden.npy     float32, little-endian, [records, fan_in + 1, units]: readable by numpy.load
//! RUN/states.npy                with `layers = all`, the whole network, see `states`
//! ```
//!
//! Record 0 is from before the first step. Each later one is from `every` epochs or steps after the one before;
//! `source.gmpnet` says which. For each unit, a record of a first layer holds the direction u = w / |w| with one number
//! for each input, and then the signed distance lambda = b / |w|. A filter has one number for each element of its
//! patch, channels outermost. The boundary is u . x + lambda = 0, and its location is phi = -lambda u. Numbers that are
//! not finite mean that the unit's weights are zero.

mod drift;
mod growing;
mod states;

pub use drift::Moved;
pub use states::{STATES, StateRecords};

use crate::event;
use crate::failure::{Failure, Message};
use drift::Largest;
use gmpc_compiler::graphs::boundary::{Boundary, First};
use gmpc_compiler::ir::experiment::{Every, Precision};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_device::{Slice, States};
use growing::{Growing, HEADER, RecordKind};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The folder of the first layers' files, below the run's.
pub const FOLDER: &str = "boundaries";

/// The number of records when `epochs` epochs and `steps` steps of a run are done.
#[must_use]
pub fn records_after(every: Every, epochs: u64, steps: u64) -> u64 {
    match every {
        _ if steps == 0 => 0, // the record from before the first step is written again
        Every::Epochs(interval) => 1 + epochs / interval.max(1),
        Every::Steps(interval) => 1 + steps / interval.max(1),
    }
}

/// Writes the records of a run: one file for each layer, and one file of the whole network if asked for.
#[derive(Debug)]
pub struct Writer {
    layers: Vec<LayerFile>,
    states: Option<Growing>,
}

#[derive(Debug)]
struct LayerFile {
    first: First,
    file: Growing,
    /// The largest drift, if the caller asked for it.
    largest: Option<Largest>,
}

/// Shape and precision of a layer's records.
fn kind(first: &First) -> RecordKind {
    RecordKind { precision: Precision::F32, shape: vec![first.fan_in + 1, first.units] }
}

impl Writer {
    /// Opens the files in a run's folder: new files, or those of a resumed run with `records` records.
    ///
    /// # Errors
    /// [`Failure::Io`]: a file cannot be opened, or holds fewer records than it should.
    pub fn open(run: &Path, layers: &[First], records: u64) -> Result<Self, Failure> {
        let folder = run.join(FOLDER);
        if !layers.is_empty() {
            std::fs::create_dir_all(&folder).map_err(|error| Failure::io("make the folder", &folder, &error))?;
        }
        let open = |first: &First| {
            let file = Growing::open(folder.join(format!("{}.npy", first.name)), kind(first), records)?;
            Ok(LayerFile { first: first.clone(), file, largest: None })
        };
        Ok(Writer { layers: layers.iter().map(open).collect::<Result<_, Failure>>()?, states: None })
    }

    /// Records the whole network too.
    ///
    /// # Errors
    /// The errors of [`Writer::open`].
    pub fn with_states(
        mut self,
        run: &Path,
        layout: &StateLayout,
        precision: Precision,
        records: u64,
    ) -> Result<Self, Failure> {
        self.states = Some(states::open(run, layout, precision, records)?);
        Ok(self)
    }

    /// Adds the numbers of one layer, `[fan_in + 1, units]`, to the present record.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written. [`Failure::Bug`]: the count of numbers does not fit the layer.
    pub fn write(&mut self, layer: usize, numbers: &Slice<'_>) -> Result<(), Failure> {
        let count = match numbers {
            Slice::F32(data) => data.len(),
            Slice::F64(data) => data.len(),
        };
        let Some(layer) = self.layers.get_mut(layer).filter(|layer| layer.file.size() == 4 * count) else {
            return Err(Failure::Bug(format!("a record of {count} numbers does not fit layer {layer}")));
        };
        let (first, largest) = (&layer.first, &mut layer.largest);
        layer.file.write(|bytes| {
            let to = bytes.as_chunks_mut::<4>().0.iter_mut();
            match numbers {
                Slice::F32(data) => to.zip(*data).for_each(|(to, number)| *to = number.to_le_bytes()),
                #[expect(clippy::cast_possible_truncation, reason = "rounded once, as the format says")]
                Slice::F64(data) => to.zip(*data).for_each(|(to, number)| *to = (*number as f32).to_le_bytes()),
            }
            if let Some(largest) = largest {
                largest.observe(first, numbers_in(bytes));
            }
        })
    }

    /// Adds the whole network to the present record, if it is recorded.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written.
    pub fn write_states(&mut self, states: &States) -> Result<(), Failure> {
        self.states.as_mut().map_or(Ok(()), |file| states::write(file, states))
    }

    /// Measures the drift of the boundaries from now on, beginning with the last record in the files.
    ///
    /// # Errors
    /// [`Failure::Io`]: a file cannot be read.
    pub fn follow(&mut self) -> Result<(), Failure> {
        for layer in &mut self.layers {
            let last = layer.file.last()?.unwrap_or_default();
            layer.largest = Some(Largest::after(numbers_in(&last).collect()));
        }
        Ok(())
    }

    /// How far boundaries moved since the last call, for each layer. Empty if nothing was recorded since, or if
    /// [`Writer::follow`] was not called.
    pub fn drift(&mut self) -> Vec<event::Moved> {
        let moved = self.layers.iter_mut().filter_map(|layer| {
            let (location, direction) = layer.largest.as_mut()?.take()?;
            Some(event::Moved { layer: layer.first.name.clone(), location, direction })
        });
        moved.collect()
    }

    /// Writes all records and headers to the files. With `to_disk` it waits until they are on the disk, so that even a
    /// crash of the machine cannot lose records from before a checkpoint.
    ///
    /// # Errors
    /// [`Failure::Io`]: a file cannot be written.
    pub fn flush(&mut self, to_disk: bool) -> Result<(), Failure> {
        let layers = self.layers.iter_mut().map(|layer| &mut layer.file);
        layers.chain(&mut self.states).try_for_each(|file| file.flush(to_disk))
    }
}

/// The records of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// The layer.
    pub first: First,
    /// The interval between two records.
    pub every: Every,
    /// `[records, fan_in + 1, units]`
    numbers: Vec<f32>,
}

impl Trajectory {
    /// Reads the records of a layer from a run's folder.
    ///
    /// # Errors
    /// [`Failure::Io`]: there is no such file, or its header does not fit this layer.
    pub fn read(run: &Path, first: &First, every: Every) -> Result<Self, Failure> {
        let path = run.join(FOLDER).join(format!("{}.npy", first.name));
        let failed = |error: std::io::Error| Failure::io("read", &path, &error);
        let mut bytes = Vec::new();
        File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed)?;
        let of = (first.fan_in + 1) * first.units;
        let records = kind(first).records_in(&bytes, bytes.len() as u64).ok_or_else(|| {
            let message = Message::new(format!("{} is not a record of the layer `{}`", path.display(), first.name));
            let message = message.at("E0811", &path);
            Failure::Io(message.help("its header should give float32 numbers for each of the layer's units"))
        })?;
        let data = bytes.get(HEADER..).unwrap_or_default();
        Ok(Trajectory { first: first.clone(), every, numbers: numbers_in(data).take(records * of).collect() })
    }

    /// A trajectory of these numbers, `[records, fan_in + 1, units]` in row-major order.
    #[must_use]
    pub fn new(first: First, every: Every, numbers: Vec<f32>) -> Self {
        Trajectory { first, every, numbers }
    }

    /// Number of records.
    #[must_use]
    pub fn records(&self) -> usize {
        self.numbers.len() / ((self.first.fan_in + 1) * self.first.units).max(1)
    }

    /// Number of epochs or steps that were done at a record.
    #[must_use]
    pub fn time(&self, record: usize) -> u64 {
        let (Every::Epochs(interval) | Every::Steps(interval)) = self.every;
        (record as u64).saturating_mul(interval)
    }

    /// A unit's boundary at a record; `None` if it had none because its weights were zero.
    #[must_use]
    pub fn boundary(&self, record: usize, unit: usize) -> Option<Boundary> {
        let First { fan_in, units, .. } = self.first;
        let at = |row: usize| self.numbers.get((record * (fan_in + 1) + row) * units + unit).map(|n| f64::from(*n));
        let direction: Vec<f64> = (0..fan_in).map(at).collect::<Option<_>>()?;
        let offset = at(fan_in)?;
        let finite = unit < units && offset.is_finite() && direction.iter().all(|u| u.is_finite());
        finite.then_some(Boundary { direction, offset })
    }

    /// All numbers of a record, `[fan_in + 1, units]`; empty if there is no such record.
    #[must_use]
    pub fn record(&self, record: usize) -> &[f32] {
        let of = (self.first.fan_in + 1) * self.first.units;
        let range = record.checked_mul(of).and_then(|start| Some(start..start.checked_add(of)?));
        range.and_then(|range| self.numbers.get(range)).unwrap_or_default()
    }

    /// One number. For `row` below `fan_in` it is an element of the direction, for `row` = `fan_in` the distance. NaN
    /// if there is no such number.
    #[must_use]
    pub fn number(&self, record: usize, row: usize, unit: usize) -> f64 {
        let First { fan_in, units, .. } = self.first;
        self.numbers.get((record * (fan_in + 1) + row) * units + unit).map_or(f64::NAN, |number| f64::from(*number))
    }

    /// The boundary of every unit at a record.
    #[must_use]
    pub fn boundaries(&self, record: usize) -> Vec<Option<Boundary>> {
        (0..self.first.units).map(|unit| self.boundary(record, unit)).collect()
    }
}

/// The f32 numbers in the bytes of a file.
fn numbers_in(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
