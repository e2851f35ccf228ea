//! Where units switch, over training: files beside a run.
//!
//! ```text
//! RUN/boundaries/hidden.npy     float32, little-endian, [records, fan_in + 1, units]: numpy.load reads it
//! RUN/states.npy                with `layers = all`, the whole network, see `states`
//! ```
//!
//! Record 0 is from before the first step, each later one from `every` epochs or steps after the one before; `source.gmpnet`
//! says which. Of each unit a record of a first layer holds the direction u = w / |w|, one number an input (of a filter one for
//! each number of its patch, channels outermost), and below it the signed distance lambda = b / |w|: the boundary is
//! u . x + lambda = 0, its location phi = -lambda u. Numbers that are not finite say that the unit's weights are zero.

mod growing;
mod movement;
mod states;

pub use movement::Moved;
pub use states::{STATES, StateRecords, kept};

use crate::device::{Slice, States};
use crate::event;
use crate::failure::{Failure, Told};
use gmpc_compiler::boundary::{Boundary, First};
use gmpc_compiler::experiment::{Every, Precision};
use gmpc_compiler::layout::StateLayout;
use growing::{Growing, HEADER, Kind};
use movement::Largest;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The folder of the first layers' files below a run's.
pub const FOLDER: &str = "boundaries";

/// How many records there are when so many epochs and steps of a run are done.
#[must_use]
pub fn records_after(every: Every, epochs: u64, steps: u64) -> u64 {
    match every {
        _ if steps == 0 => 0, // the record from before the first step is written again
        Every::Epochs(interval) => 1 + epochs / interval.max(1),
        Every::Steps(interval) => 1 + steps / interval.max(1),
    }
}

/// Writes the records of a run, one file a layer and perhaps one of the whole network.
#[derive(Debug)]
pub struct Writer {
    layers: Vec<LayerFile>,
    states: Option<Growing>,
}

#[derive(Debug)]
struct LayerFile {
    first: First,
    file: Growing,
    /// Where somebody wants to know how far boundaries move meanwhile.
    largest: Option<Largest>,
}

/// Of a layer's records.
fn kind(first: &First) -> Kind {
    Kind { precision: Precision::F32, shape: vec![first.fan_in + 1, first.units] }
}

impl Writer {
    /// Opens the files in a run's folder, new ones or those of a run that goes on after so many records.
    ///
    /// # Errors
    /// The disk; fewer records than there should be.
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

    /// Keeps the whole network, too.
    ///
    /// # Errors
    /// As [`Writer::open`].
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

    /// Adds one layer's numbers, `[fan_in + 1, units]`, to the record that is being written.
    ///
    /// # Errors
    /// The disk; numbers of another count than the layer has.
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
                #[allow(clippy::cast_possible_truncation)] // rounded once, as the format says
                Slice::F64(data) => to.zip(*data).for_each(|(to, number)| *to = (*number as f32).to_le_bytes()),
            }
            if let Some(largest) = largest {
                largest.observe(first, numbers_in(bytes));
            }
        })
    }

    /// Adds the whole network to the record that is being written, where that is kept.
    ///
    /// # Errors
    /// The disk.
    pub fn write_states(&mut self, states: &States) -> Result<(), Failure> {
        self.states.as_mut().map_or(Ok(()), |file| states::write(file, states))
    }

    /// Follows the movement of the boundaries from now on, from the last record that is there.
    ///
    /// # Errors
    /// The disk.
    pub fn follow(&mut self) -> Result<(), Failure> {
        for layer in &mut self.layers {
            let last = layer.file.last()?.unwrap_or_default();
            layer.largest = Some(Largest::after(numbers_in(&last).collect()));
        }
        Ok(())
    }

    /// How far boundaries moved since this was asked for last, layer by layer; empty where nothing was recorded since, or where
    /// nobody follows it.
    pub fn movement(&mut self) -> Vec<event::Moved> {
        let moved = self.layers.iter_mut().filter_map(|layer| {
            let (location, direction) = layer.largest.as_mut()?.take()?;
            Some(event::Moved { layer: layer.first.name.clone(), location, direction })
        });
        moved.collect()
    }

    /// Hands everything, headers too, to the system; `to_disk` waits until it is on the disk, so that not even a crash of the
    /// machine can lose records that a checkpoint counts on.
    ///
    /// # Errors
    /// The disk.
    pub fn flush(&mut self, to_disk: bool) -> Result<(), Failure> {
        let layers = self.layers.iter_mut().map(|layer| &mut layer.file);
        layers.chain(&mut self.states).try_for_each(|file| file.flush(to_disk))
    }
}

/// The records of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// Which layer.
    pub first: First,
    /// How far records are apart.
    pub every: Every,
    /// `[records, fan_in + 1, units]`
    numbers: Vec<f32>,
}

impl Trajectory {
    /// Reads what a run has recorded of a layer.
    ///
    /// # Errors
    /// No such file, or one that is not of this layer.
    pub fn read(run: &Path, first: &First, every: Every) -> Result<Self, Failure> {
        let path = run.join(FOLDER).join(format!("{}.npy", first.name));
        let failed = |error: std::io::Error| Failure::io("read", &path, &error);
        let mut bytes = Vec::new();
        File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed)?;
        let of = (first.fan_in + 1) * first.units;
        let records = kind(first).records_in(&bytes, bytes.len() as u64).ok_or_else(|| {
            let told = Told::new(format!("{} is no record of the layer `{}`", path.display(), first.name));
            Failure::Io(told.help("its header should give float32 numbers for each of the layer's units"))
        })?;
        let data = bytes.get(HEADER as usize..).unwrap_or_default();
        Ok(Trajectory { first: first.clone(), every, numbers: numbers_in(data).take(records * of).collect() })
    }

    /// From `[records, fan_in + 1, units]`.
    #[must_use]
    pub fn new(first: First, every: Every, numbers: Vec<f32>) -> Self {
        Trajectory { first, every, numbers }
    }

    /// How many records.
    #[must_use]
    pub fn records(&self) -> usize {
        self.numbers.len() / ((self.first.fan_in + 1) * self.first.units).max(1)
    }

    /// Epochs or steps done at a record.
    #[must_use]
    pub fn time(&self, record: usize) -> u64 {
        let (Every::Epochs(interval) | Every::Steps(interval)) = self.every;
        (record as u64).saturating_mul(interval)
    }

    /// A unit's boundary at a record; `None` where it had none.
    #[must_use]
    pub fn boundary(&self, record: usize, unit: usize) -> Option<Boundary> {
        let First { fan_in, units, .. } = self.first;
        let at = |row: usize| self.numbers.get((record * (fan_in + 1) + row) * units + unit).map(|n| f64::from(*n));
        let direction: Vec<f64> = (0..fan_in).map(at).collect::<Option<_>>()?;
        let offset = at(fan_in)?;
        let finite = unit < units && offset.is_finite() && direction.iter().all(|u| u.is_finite());
        finite.then_some(Boundary { direction, offset })
    }

    /// All numbers of a record, `[fan_in + 1, units]`; empty where there is no such record.
    #[must_use]
    pub fn record(&self, record: usize) -> &[f32] {
        let of = (self.first.fan_in + 1) * self.first.units;
        let range = record.checked_mul(of).and_then(|start| Some(start..start.checked_add(of)?));
        range.and_then(|range| self.numbers.get(range)).unwrap_or_default()
    }

    /// One number: `row` below `fan_in` is of the direction, `row` = `fan_in` the distance; NaN where there is none.
    #[must_use]
    pub fn number(&self, record: usize, row: usize, unit: usize) -> f64 {
        let First { fan_in, units, .. } = self.first;
        self.numbers.get((record * (fan_in + 1) + row) * units + unit).map_or(f64::NAN, |number| f64::from(*number))
    }

    /// Every unit's boundary at a record.
    #[must_use]
    pub fn boundaries(&self, record: usize) -> Vec<Option<Boundary>> {
        (0..self.first.units).map(|unit| self.boundary(record, unit)).collect()
    }
}

/// Single-precision numbers of a file.
fn numbers_in(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
