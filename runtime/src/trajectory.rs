//! Where the first layers' units switch, over training: files beside a run.
//!
//! ```text
//! RUN/boundaries/hidden.npy     float32, little-endian, [records, fan_in + 1, units]: numpy.load reads it
//! ```
//!
//! Record 0 is from before the first step, each later one from `every` epochs or steps after the one before; `source.gmpnet`
//! says which. Of each unit a record holds the direction u = w / |w|, one number an input, and below it the signed distance
//! lambda = b / |w|: the boundary is u . x + lambda = 0, its location phi = -lambda u. Numbers that are not finite say that
//! the unit's weights are zero.
//!
//! The count of records in the header is brought up to date whenever the run is saved. The header has a fixed length, so that
//! this needs no rewriting, and a resumed run cuts what came after its checkpoint: its files are those of a run that was
//! never stopped.

use crate::device::Slice;
use crate::failure::{Failure, Told};
use gmpc_compiler::boundary::{Boundary, First};
use gmpc_compiler::experiment::Every;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes before the first number.
const HEADER: u64 = 128;

/// Bytes gathered before they are handed to the system; a few dozen epochs of a hundred units.
const BUFFER: usize = 1 << 16;

/// The folder of these files below a run's.
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

/// Writes the records of a run, one file a layer.
#[derive(Debug)]
pub struct Writer {
    layers: Vec<LayerFile>,
}

#[derive(Debug)]
struct LayerFile {
    path: PathBuf,
    file: BufWriter<File>,
    numbers: usize,
    shape: [usize; 2],
    records: u64,
    bytes: Vec<u8>,
}

impl Writer {
    /// Opens the files in a run's folder, new ones or those of a run that goes on after so many records.
    ///
    /// # Errors
    /// The disk; fewer records than there should be.
    pub fn open(run: &Path, layers: &[First], records: u64) -> Result<Self, Failure> {
        let folder = run.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| Failure::io("make the folder", &folder, &error))?;
        let open = |first: &First| LayerFile::open(folder.join(format!("{}.npy", first.name)), first, records);
        Ok(Writer { layers: layers.iter().map(open).collect::<Result<_, _>>()? })
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
        let Some(file) = self.layers.get_mut(layer).filter(|file| file.numbers == count) else {
            return Err(Failure::Bug(format!("a record of {count} numbers does not fit layer {layer}")));
        };
        let bytes = file.bytes.as_chunks_mut::<4>().0.iter_mut();
        match numbers {
            Slice::F32(data) => bytes.zip(*data).for_each(|(to, number)| *to = number.to_le_bytes()),
            #[allow(clippy::cast_possible_truncation)] // rounded once, as the format says
            Slice::F64(data) => bytes.zip(*data).for_each(|(to, number)| *to = (*number as f32).to_le_bytes()),
        }
        file.records += 1;
        file.file.write_all(&file.bytes).map_err(|error| Failure::io("write", &file.path, &error))
    }

    /// Hands everything, headers too, to the system; `to_disk` waits until it is on the disk, so that not even a crash of the
    /// machine can lose records that a checkpoint counts on.
    ///
    /// # Errors
    /// The disk.
    pub fn flush(&mut self, to_disk: bool) -> Result<(), Failure> {
        self.layers
            .iter_mut()
            .try_for_each(|layer| layer.flush(to_disk).map_err(|error| Failure::io("write", &layer.path, &error)))
    }
}

impl LayerFile {
    fn open(path: PathBuf, first: &First, records: u64) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::io("write", &path, &error);
        let shape = [first.fan_in + 1, first.units];
        let numbers = shape[0] * shape[1];
        let mut file =
            File::options().read(true).write(true).create(true).truncate(records == 0).open(&path).map_err(failed)?;
        let end = HEADER + records * numbers as u64 * 4;
        if records > 0 && file.metadata().map_err(failed)?.len() < end {
            let told = Told::new(format!("{} has lost records of the run", path.display()));
            return Err(Failure::Io(told.help("bring the file back, or start a new run")));
        }
        if records > 0 {
            file.set_len(end).map_err(failed)?;
        }
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&header(shape, records))).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let bytes = vec![0; numbers * 4];
        Ok(LayerFile { file: BufWriter::with_capacity(BUFFER, file), path, numbers, shape, records, bytes })
    }

    fn flush(&mut self, to_disk: bool) -> std::io::Result<()> {
        self.file.flush()?;
        let header = header(self.shape, self.records);
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header)?;
        file.seek(SeekFrom::End(0))?;
        if to_disk { file.sync_data() } else { Ok(()) }
    }
}

/// Of NumPy's format, version 1.0, filled with blanks.
fn header([rows, units]: [usize; 2], records: u64) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({records}, {rows}, {units}), }}");
    let length = HEADER as usize - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(format!("{text:<width$}\n", width = length - 1).into_bytes());
    bytes
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
        let records = records_in(&bytes, [first.fan_in + 1, first.units]).ok_or_else(|| {
            let told = Told::new(format!("{} is no record of the layer `{}`", path.display(), first.name));
            Failure::Io(told.help("its header should give float32 numbers for each of the layer's units"))
        })?;
        let data = bytes.get(HEADER as usize..).unwrap_or_default();
        let numbers = data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).take(records * of);
        Ok(Trajectory { first: first.clone(), every, numbers: numbers.collect() })
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

/// How many whole records a file of this shape says it holds and does hold.
fn records_in(bytes: &[u8], [rows, units]: [usize; 2]) -> Option<usize> {
    let text = std::str::from_utf8(bytes.get(10..HEADER as usize)?).ok()?;
    let shape = text.strip_prefix("{'descr': '<f4', 'fortran_order': False, 'shape': (")?;
    let (count, rest) = shape.split_once(',')?;
    let of = rows.checked_mul(units)?.checked_mul(4)?;
    let held = (bytes.len() - HEADER as usize).checked_div(of)?;
    rest.starts_with(&format!(" {rows}, {units})")).then_some(count.parse::<usize>().ok()?.min(held))
}

#[cfg(test)]
mod tests;
