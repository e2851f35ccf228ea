//! Records of the whole network: `record = boundaries(layers = all)`.
//!
//! ```text
//! RUN/states.npy     [records, numbers], in the run's precision: readable by numpy.load
//! ```
//!
//! A record holds every parameter and running statistic of the network in the layout of the programs: in the order of
//! layers, weights as `[fan_in, units]` with units adjacent, each tensor padded with zeros to a multiple of 16 numbers.
//! The boundaries of all layers and the linear regions can be computed from it later. During training it only costs a
//! copy.

use super::growing::{Growing, HEADER, RecordKind};
use crate::failure::{Failure, Message};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_device::{Numbers, Slice, States};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the file.
pub const STATES: &str = "states.npy";

fn kind(layout: &StateLayout, precision: Precision) -> RecordKind {
    RecordKind { precision, shape: vec![layout.parameters_and_statistics()] }
}

/// Opens the file in a run's folder to append records.
pub(super) fn open(run: &Path, layout: &StateLayout, precision: Precision, records: u64) -> Result<Growing, Failure> {
    Growing::open(run.join(STATES), kind(layout, precision), records)
}

/// Appends a record.
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

/// The records of a run. Each is read when it is asked for.
#[derive(Debug)]
pub struct StateRecords {
    file: File,
    layout: Arc<StateLayout>,
    kind: RecordKind,
    records: usize,
    path: PathBuf,
}

impl StateRecords {
    /// The records of a run; `None` if it has none.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be read, or belongs to another network.
    pub fn open(run: &Path, layout: &Arc<StateLayout>, precision: Precision) -> Result<Option<Self>, Failure> {
        let (path, kind) = (run.join(STATES), kind(layout, precision));
        if !path.exists() {
            return Ok(None);
        }
        let failed = |error: std::io::Error| Failure::io("read", &path, &error);
        let mut file = File::open(&path).map_err(failed)?;
        let mut beginning = Vec::new();
        file.by_ref().take(HEADER as u64).read_to_end(&mut beginning).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let records = kind.records_in(&beginning, size).ok_or_else(|| {
            let message =
                Message::new(format!("{} is not a record of this network", path.display())).at("E0811", &path);
            Failure::Io(
                message.help(format!("each of its records should hold {} numbers", layout.parameters_and_statistics())),
            )
        })?;
        Ok(Some(StateRecords { file, layout: Arc::clone(layout), kind, records, path }))
    }

    /// Number of records.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records
    }

    /// The network at a record. The optimizer's states are zero.
    ///
    /// # Errors
    /// [`Failure::Bug`]: there is no such record. [`Failure::Io`]: the file cannot be read.
    pub fn read(&self, record: usize) -> Result<States, Failure> {
        let missing = || Failure::Bug(format!("{} has no record {record}", self.path.display()));
        let size = self.kind.bytes().filter(|_| record < self.records).ok_or_else(missing)?;
        let mut bytes = vec![0; size];
        let start = HEADER as u64 + (record * size) as u64;
        let mut file = &self.file; // reading through a shared reference needs no `&mut self`
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
