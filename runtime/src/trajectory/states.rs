//! The whole network at chosen moments: `record = boundaries(layers = all)`.
//!
//! ```text
//! RUN/states.npy     [records, numbers], in the run's precision: numpy.load reads it
//! ```
//!
//! A record is every parameter and running statistic of the network, one after the other as the programs hold them: in the
//! order of layers, weights with units side by side, `[fan_in, units]`, each filled up with zeros to a multiple of 16. From these the boundaries of all layers, and the
//! linear regions, can be computed later; while the network trains nothing is done but a copy.

use super::growing::{Growing, HEADER, Kind};
use crate::device::{Numbers, Slice, States};
use crate::failure::{Failure, Told};
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::Role;
use gmpc_compiler::layout::StateLayout;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file's name.
pub const STATES: &str = "states.npy";

/// How many numbers of a network a record holds: all but the optimizer's, which come last.
#[must_use]
pub fn kept(layout: &StateLayout) -> usize {
    let last = layout.states.iter().rposition(|state| state.role != Role::Optimizer);
    last.map_or(0, |last| layout.offsets.get(last + 1).copied().unwrap_or(layout.elements))
}

fn kind(layout: &StateLayout, precision: Precision) -> Kind {
    Kind { precision, shape: vec![kept(layout)] }
}

/// Opens the file in a run's folder to add records.
pub(super) fn open(run: &Path, layout: &StateLayout, precision: Precision, records: u64) -> Result<Growing, Failure> {
    Growing::open(run.join(STATES), kind(layout, precision), records)
}

/// Adds a record.
pub(super) fn write(file: &mut Growing, states: &States) -> Result<(), Failure> {
    file.write(|bytes| match states.data().as_slice() {
        Slice::F32(data) => {
            let to = bytes.as_chunks_mut::<4>().0.iter_mut();
            to.zip(data).for_each(|(to, number)| *to = number.to_le_bytes());
        }
        Slice::F64(data) => {
            let to = bytes.as_chunks_mut::<8>().0.iter_mut();
            to.zip(data).for_each(|(to, number)| *to = number.to_le_bytes());
        }
    })
}

/// The records of a run, read one at a time.
#[derive(Debug)]
pub struct StateRecords {
    file: File,
    layout: Arc<StateLayout>,
    kind: Kind,
    records: usize,
    path: PathBuf,
}

impl StateRecords {
    /// Those of a run; `None` where it has none.
    ///
    /// # Errors
    /// A file that cannot be read, or is of another network.
    pub fn open(run: &Path, layout: &Arc<StateLayout>, precision: Precision) -> Result<Option<Self>, Failure> {
        let (path, kind) = (run.join(STATES), kind(layout, precision));
        if !path.exists() {
            return Ok(None);
        }
        let failed = |error: std::io::Error| Failure::io("read", &path, &error);
        let mut file = File::open(&path).map_err(failed)?;
        let mut beginning = Vec::new();
        file.by_ref().take(HEADER).read_to_end(&mut beginning).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let records = kind.records_in(&beginning, size).ok_or_else(|| {
            let told = Told::new(format!("{} is no record of this network", path.display()));
            Failure::Io(told.help(format!("each of its records should hold {} numbers", kept(layout))))
        })?;
        Ok(Some(StateRecords { file, layout: Arc::clone(layout), kind, records, path }))
    }

    /// How many records.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records
    }

    /// The network as it was at a record; the optimizer's states are zero.
    ///
    /// # Errors
    /// There is no such record; the disk.
    pub fn read(&self, record: usize) -> Result<States, Failure> {
        let missing = || Failure::Bug(format!("{} has no record {record}", self.path.display()));
        let size = self.kind.bytes().filter(|_| record < self.records).ok_or_else(missing)?;
        let mut bytes = vec![0; size];
        let start = HEADER + (record * size) as u64;
        let mut file = &self.file; // a file that several may read
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| Failure::io("read", &self.path, &error))?;
        let mut states = States::zeros(&self.layout, self.kind.precision);
        match states.data_mut() {
            Numbers::F32(data) => {
                let numbers = bytes.as_chunks::<4>().0.iter();
                data.iter_mut().zip(numbers).for_each(|(to, bytes)| *to = f32::from_le_bytes(*bytes));
            }
            Numbers::F64(data) => {
                let numbers = bytes.as_chunks::<8>().0.iter();
                data.iter_mut().zip(numbers).for_each(|(to, bytes)| *to = f64::from_le_bytes(*bytes));
            }
        }
        Ok(states)
    }
}
