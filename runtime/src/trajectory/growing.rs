//! A NumPy file that grows record by record.
//!
//! The count of records in the header is brought up to date whenever the run is saved. The header has a fixed length, so that
//! this needs no rewriting, and a resumed run cuts what came after its checkpoint: its files are those of a run that was never
//! stopped.

use crate::failure::{Failure, Told};
use gmpc_compiler::experiment::Precision;
use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

/// Bytes before the first number.
pub(super) const HEADER: u64 = 128;

/// Bytes gathered before they are handed on; a few hundred epochs of a hundred units.
const BLOCK: usize = 1 << 18;
/// Blocks that wait to be written at most; then training waits.
const WAITING: usize = 2;
/// Between two looks for a block, the longer the longer there was none. The thread that trains wakes nobody, which would take it as
/// long as writing the block.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(16);

/// Numbers of a record, as a file has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// `f32` or `f64`, little-endian.
    pub(super) precision: Precision,
    /// Of one record.
    pub(super) shape: Vec<usize>,
}

impl Kind {
    /// Bytes of a record; `None` where there are more than a file can have.
    pub(super) fn bytes(&self) -> Option<usize> {
        let numbers = self.shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size))?;
        numbers.checked_mul(self.precision.bytes())
    }

    /// What stands before the count of records in a header.
    fn before_count(&self) -> String {
        let kind = match self.precision {
            Precision::F32 => "<f4",
            Precision::F64 => "<f8",
        };
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (")
    }

    /// What stands behind it.
    fn behind_count(&self) -> String {
        let sizes: String = self.shape.iter().map(|size| format!(", {size}")).collect();
        format!("{sizes})")
    }

    /// Of NumPy's format, version 1.0, filled with blanks.
    fn header(&self, records: u64) -> Vec<u8> {
        let text = format!("{}{records}{}, }}", self.before_count(), self.behind_count());
        let length = HEADER as usize - 10;
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(format!("{text:<width$}\n", width = length - 1).into_bytes());
        bytes
    }

    /// How many whole records a file with this beginning and of so many bytes says it holds and does hold; `None` for a file
    /// of another kind.
    pub(super) fn records_in(&self, beginning: &[u8], bytes: u64) -> Option<usize> {
        let text = std::str::from_utf8(beginning.get(10..HEADER as usize)?).ok()?;
        let rest = text.strip_prefix(&self.before_count())?;
        let (count, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let held = bytes.checked_sub(HEADER)?.checked_div(self.bytes()? as u64)?;
        let said = count.parse::<u64>().ok()?;
        rest.starts_with(&self.behind_count()).then_some(usize::try_from(said.min(held)).ok()?)
    }
}

/// The file of one kind of records.
#[derive(Debug)]
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    kind: Kind,
    records: u64,
    /// Bytes of a record.
    size: usize,
    /// Records that were not handed on yet.
    block: Block,
    courier: Option<Courier>,
}

/// Bytes of some records, and how many of them are filled. As long from the beginning as it gets, so that nothing is filled twice.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    filled: usize,
}

impl Block {
    /// For records of this size, at least one.
    fn new(size: usize) -> Self {
        Block { bytes: vec![0; BLOCK.max(size)], filled: 0 }
    }

    /// What is filled.
    fn contents(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

/// A thread that writes blocks to the file while the network trains: what the system does with a page costs as much as the
/// boundaries in it.
#[derive(Debug)]
struct Courier {
    full: SyncSender<Block>,
    empty: Receiver<Block>,
    thread: JoinHandle<Result<()>>,
}

impl Courier {
    /// With the file's own position.
    fn start(file: &File) -> Result<Self> {
        let mut file = file.try_clone()?;
        let (full, blocks) = sync_channel::<Block>(WAITING);
        let (back, empty) = sync_channel(WAITING);
        let write = move || {
            let mut rest = SHORTEST;
            loop {
                match blocks.try_recv() {
                    Ok(mut block) => {
                        file.write_all(block.contents())?;
                        block.filled = 0;
                        let _ = back.try_send(block); // where nobody waits for it, it is dropped
                        rest = SHORTEST;
                    }
                    Err(TryRecvError::Empty) => {
                        park_timeout(rest);
                        rest = LONGEST.min(2 * rest);
                    }
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
        };
        let thread = Builder::new().name("records".into()).spawn(write)?;
        Ok(Courier { full, empty, thread })
    }

    /// When everything is written.
    fn end(self) -> Result<()> {
        drop(self.full);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_else(|_| Err(Error::other("the thread that writes records ended")))
    }
}

impl Growing {
    /// Opens a file, a new one or that of a run that goes on after so many records.
    pub(super) fn open(path: PathBuf, kind: Kind, records: u64) -> std::result::Result<Self, Failure> {
        let failed = |error: Error| Failure::io("write", &path, &error);
        let size = kind.bytes().filter(|size| *size > 0).ok_or_else(|| too_large(&path))?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(records == 0).open(&path).map_err(failed)?;
        let end = records.checked_mul(size as u64).and_then(|bytes| bytes.checked_add(HEADER));
        let end = end.ok_or_else(|| too_large(&path))?;
        if records > 0 && file.metadata().map_err(failed)?.len() < end {
            let told = Told::new(format!("{} has lost records of the run", path.display()));
            return Err(Failure::Io(told.help("bring the file back, or start a new run")));
        }
        if records > 0 {
            file.set_len(end).map_err(failed)?;
        }
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&kind.header(records))).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Growing { path, file, kind, records, size, block: Block::new(size), courier: None })
    }

    /// Bytes of a record.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Adds a record, which `fill` writes.
    pub(super) fn write(&mut self, fill: impl FnOnce(&mut [u8])) -> std::result::Result<(), Failure> {
        if self.block.filled + self.size > self.block.bytes.len() {
            self.hand_on().map_err(|error| Failure::io("write", &self.path, &error))?;
        }
        let end = self.block.filled + self.size;
        if let Some(bytes) = self.block.bytes.get_mut(self.block.filled..end) {
            fill(bytes);
            self.block.filled = end;
        }
        self.records += 1;
        Ok(())
    }

    /// Gives the block to the thread that writes.
    fn hand_on(&mut self) -> Result<()> {
        let courier = match self.courier.take() {
            Some(courier) => courier,
            None => Courier::start(&self.file)?,
        };
        let next = courier.empty.try_recv().unwrap_or_else(|_| Block::new(self.size));
        if courier.full.send(std::mem::replace(&mut self.block, next)).is_err() {
            return courier.end(); // it has ended, and says why
        }
        self.courier = Some(courier);
        Ok(())
    }

    /// Waits until the system has everything.
    fn settle(&mut self) -> Result<()> {
        self.courier.take().map_or(Ok(()), Courier::end)?;
        self.file.write_all(self.block.contents())?;
        self.block.filled = 0;
        Ok(())
    }

    /// The last record; `None` where there is none.
    pub(super) fn last(&mut self) -> std::result::Result<Option<Vec<u8>>, Failure> {
        let Some(place) = self.records.checked_sub(1) else { return Ok(None) };
        let mut bytes = vec![0; self.size];
        let start = HEADER + place * self.size as u64;
        let read = self.settle().and_then(|()| {
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(&mut bytes)?;
            self.file.seek(SeekFrom::End(0))
        });
        read.map_err(|error| Failure::io("read", &self.path, &error))?;
        Ok(Some(bytes))
    }

    /// Hands everything, the header too, to the system; `to_disk` waits until it is on the disk.
    pub(super) fn flush(&mut self, to_disk: bool) -> std::result::Result<(), Failure> {
        let header = self.kind.header(self.records);
        let flushed = self.settle().and_then(|()| {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
            self.file.seek(SeekFrom::End(0))?;
            if to_disk { self.file.sync_data() } else { Ok(()) }
        });
        flushed.map_err(|error| Failure::io("write", &self.path, &error))
    }
}

impl Drop for Growing {
    /// What was recorded since the last save stands in the file, too, as far as the disk lets it.
    fn drop(&mut self) {
        let _ = self.flush(false);
    }
}

fn too_large(path: &Path) -> Failure {
    Failure::Io(Told::new(format!("{} would hold more than a file can", path.display())))
}
