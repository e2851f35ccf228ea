//! A NumPy file to which records are appended.
//!
//! The number of records in the header is updated whenever the run is saved. The header has a fixed length, so this
//! changes no other byte. A resumed run removes the records after its checkpoint, so its files equal those of a run
//! that was never stopped.

use crate::failure::{Failure, Message};
use gmpc_compiler::ir::experiment::Precision;
use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

/// Bytes before the first number.
pub(super) const HEADER: usize = 128;

/// Bytes in one block, the unit of writing: a few hundred epochs of a hundred units.
const BLOCK: usize = 1 << 18;
/// Largest number of blocks that wait to be written. Training waits if there are more.
const WAITING: usize = 2;
/// Time between two checks for a new block. It grows while there is none. The training thread does not wake the writing
/// thread, because waking takes it as long as writing the block.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(16);

/// Type and shape of a record, as the file's header states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordKind {
    /// `f32` or `f64`, little-endian.
    pub(super) precision: Precision,
    /// Shape of one record.
    pub(super) shape: Vec<usize>,
}

impl RecordKind {
    /// Bytes of a record; `None` if the number overflows.
    pub(super) fn bytes(&self) -> Option<usize> {
        let numbers = self.shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size))?;
        numbers.checked_mul(self.precision.bytes())
    }

    /// The text before the number of records in a header.
    fn before_count(&self) -> String {
        let kind = match self.precision {
            Precision::F32 => "<f4",
            Precision::F64 => "<f8",
        };
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (")
    }

    /// The text after it.
    fn behind_count(&self) -> String {
        let sizes: String = self.shape.iter().map(|size| format!(", {size}")).collect();
        format!("{sizes})")
    }

    /// A header of NumPy's format, version 1.0, padded with blanks.
    fn header(&self, records: u64) -> Vec<u8> {
        let text = format!("{}{records}{}, }}", self.before_count(), self.behind_count());
        let length = HEADER - 10;
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(format!("{text:<width$}\n", width = length - 1).into_bytes());
        bytes
    }

    /// The number of records in a file of `bytes` bytes with this beginning: as many as its header claims, but only
    /// complete ones. `None` if the file holds records of another kind.
    pub(super) fn records_in(&self, beginning: &[u8], bytes: u64) -> Option<usize> {
        let text = std::str::from_utf8(beginning.get(10..HEADER)?).ok()?;
        let rest = text.strip_prefix(&self.before_count())?;
        let (count, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let held = bytes.checked_sub(HEADER as u64)?.checked_div(self.bytes()? as u64)?;
        let said = count.parse::<u64>().ok()?;
        rest.starts_with(&self.behind_count()).then_some(usize::try_from(said.min(held)).ok()?)
    }
}

/// A file with records of one kind.
#[derive(Debug)]
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    kind: RecordKind,
    records: u64,
    /// Bytes of a record.
    size: usize,
    /// Records that were not yet given to the writing thread.
    block: Block,
    background: Option<BackgroundWriter>,
}

/// The bytes of some records, and how many of them are filled. The buffer has its full length from the beginning, so it
/// is initialized only once.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    filled: usize,
}

impl Block {
    /// An empty block with room for at least one record of `size` bytes.
    fn new(size: usize) -> Self {
        Block { bytes: vec![0; BLOCK.max(size)], filled: 0 }
    }

    /// The filled bytes.
    fn contents(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

/// A thread that writes blocks to the file while the network trains. Without it, the operating system's work for a page
/// would cost as much time as computing the boundaries in it.
#[derive(Debug)]
struct BackgroundWriter {
    full: SyncSender<Block>,
    empty: Receiver<Block>,
    thread: JoinHandle<Result<()>>,
}

impl BackgroundWriter {
    /// Starts the thread. It writes at the file's own position.
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
                        let _ = back.try_send(block); // dropped if the receiver has ended
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
        Ok(BackgroundWriter { full, empty, thread })
    }

    /// Waits until everything is written, and returns the thread's result.
    fn end(self) -> Result<()> {
        drop(self.full);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_else(|_| Err(Error::other("the thread that writes records ended")))
    }
}

impl Growing {
    /// Opens a file: a new one, or that of a resumed run with `records` records.
    pub(super) fn open(path: PathBuf, kind: RecordKind, records: u64) -> std::result::Result<Self, Failure> {
        let failed = |error: Error| Failure::io("write", &path, &error);
        let size = kind.bytes().filter(|size| *size > 0).ok_or_else(|| too_large(&path))?;
        let mut file =
            File::options().read(true).write(true).create(true).truncate(records == 0).open(&path).map_err(failed)?;
        let end = records.checked_mul(size as u64).and_then(|bytes| bytes.checked_add(HEADER as u64));
        let end = end.ok_or_else(|| too_large(&path))?;
        if records > 0 && file.metadata().map_err(failed)?.len() < end {
            let message = Message::new(format!("{} has lost records of the run", path.display())).at("E0811", &path);
            return Err(Failure::Io(message.help("restore the file, or start a new run")));
        }
        if records > 0 {
            file.set_len(end).map_err(failed)?;
        }
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&kind.header(records))).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Growing { path, file, kind, records, size, block: Block::new(size), background: None })
    }

    /// Bytes of a record.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Adds a record. `fill` writes its bytes.
    pub(super) fn write(&mut self, fill: impl FnOnce(&mut [u8])) -> std::result::Result<(), Failure> {
        if self.block.filled + self.size > self.block.bytes.len() {
            self.send_block().map_err(|error| Failure::io("write", &self.path, &error))?;
        }
        let end = self.block.filled + self.size;
        if let Some(bytes) = self.block.bytes.get_mut(self.block.filled..end) {
            fill(bytes);
            self.block.filled = end;
        }
        self.records += 1;
        Ok(())
    }

    /// Gives the block to the writing thread.
    fn send_block(&mut self) -> Result<()> {
        let background = match self.background.take() {
            Some(background) => background,
            None => BackgroundWriter::start(&self.file)?,
        };
        let next = background.empty.try_recv().unwrap_or_else(|_| Block::new(self.size));
        if background.full.send(std::mem::replace(&mut self.block, next)).is_err() {
            return background.end(); // the thread has ended and returns its error
        }
        self.background = Some(background);
        Ok(())
    }

    /// Waits until all records are written to the file.
    fn write_all_blocks(&mut self) -> Result<()> {
        self.background.take().map_or(Ok(()), BackgroundWriter::end)?;
        self.file.write_all(self.block.contents())?;
        self.block.filled = 0;
        Ok(())
    }

    /// The last record; `None` if there is none.
    pub(super) fn last(&mut self) -> std::result::Result<Option<Vec<u8>>, Failure> {
        let Some(index) = self.records.checked_sub(1) else { return Ok(None) };
        let mut bytes = vec![0; self.size];
        let start = HEADER as u64 + index * self.size as u64;
        let read = self.write_all_blocks().and_then(|()| {
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(&mut bytes)?;
            self.file.seek(SeekFrom::End(0))
        });
        read.map_err(|error| Failure::io("read", &self.path, &error))?;
        Ok(Some(bytes))
    }

    /// Writes all records and the header to the file. With `to_disk` it waits until they are on the disk.
    pub(super) fn flush(&mut self, to_disk: bool) -> std::result::Result<(), Failure> {
        let header = self.kind.header(self.records);
        let flushed = self.write_all_blocks().and_then(|()| {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
            self.file.seek(SeekFrom::End(0))?;
            if to_disk { self.file.sync_data() } else { Ok(()) }
        });
        flushed.map_err(|error| Failure::io("write", &self.path, &error))
    }
}

impl Drop for Growing {
    /// Writes what was recorded since the last save. A failure is ignored, because nothing can report it here.
    fn drop(&mut self) {
        let _ = self.flush(false);
    }
}

fn too_large(path: &Path) -> Failure {
    let message = Message::new(format!("{} would be larger than a file can be", path.display())).at("E0811", path);
    Failure::Io(message.help("record less often, or of the first layers only"))
}
