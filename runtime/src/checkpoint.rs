//! Checkpoints: safetensors files that survive what happens to files.
//!
//! The tensors have the network's names and the layout people expect (`[units, fan_in]`), so that any safetensors reader
//! opens them. Beside the states of a run, `last` holds those of its best epoch (`best/hidden.w`) and, in the header's
//! metadata under `gmpc`, every counter: one file is all that a run needs to go on. A SHA-256 over counters and tensors
//! tells a damaged file from a whole one.
//!
//! ```text
//! write   last.safetensors.tmp -> fsync -> last -> last.previous, tmp -> last -> fsync the folder
//! read    last, or last.previous where last is damaged, saying so
//! ```
//!
//! Source of the order of calls: Pillai et al., "All file systems are not created equal", OSDI 2014.

mod write;

pub use write::{Disk, Files, write_atomically};

use crate::device::Numbers;
use crate::failure::{Failure, Told};
use crate::states::{Named, Stored};
use crate::train::Progress;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Version of the layout of names and metadata; readers know every version up to their own.
const VERSION: u32 = 1;
/// Largest header that is read: 1 MiB, enough for ten thousand tensors.
const HEADER_LIMIT: u64 = 1 << 20;
/// Largest number of elements of a tensor.
const ELEMENT_LIMIT: u64 = 1 << 40;
/// Largest number of axes.
const RANK_LIMIT: usize = 8;
/// Key of the header's metadata.
const KEY: &str = "gmpc";
const FOREIGN: &str = "gmpc has not written it, or its header is damaged";

/// What a checkpoint file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// Every counter, in `last`; `None` in `best` and in converted networks.
    pub progress: Option<Progress>,
    /// Tensors under their names.
    pub tensors: Named,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    sha256: String,
    /// Counters as text, so that the hash is over exactly these bytes.
    progress: Option<String>,
}

/// The file's bytes. The same checkpoint always gives the same bytes.
///
/// # Errors
/// [`Failure::Bug`]: the tensors contradict themselves.
pub fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, Failure> {
    let bug = |what: String| Failure::Bug(format!("a checkpoint cannot be encoded: {what}"));
    let progress = checkpoint.progress.as_ref().map(serde_json::to_string).transpose();
    let progress = progress.map_err(|error| bug(error.to_string()))?;
    let bytes: Vec<(&String, &Stored, Cow<'_, [u8]>)> =
        checkpoint.tensors.iter().map(|(name, stored)| (name, stored, little_endian(&stored.numbers))).collect();
    let mut hash = Hash::new(progress.as_deref());
    let mut views = Vec::with_capacity(bytes.len());
    for (name, stored, data) in &bytes {
        hash.add(name, kind(&stored.numbers), &stored.shape, data);
        let view = TensorView::new(kind(&stored.numbers), stored.shape.clone(), data);
        views.push((name.as_str(), view.map_err(|error| bug(format!("{name}: {error:?}")))?));
    }
    let header = Header { version: VERSION, sha256: hash.finish(), progress };
    let header = serde_json::to_string(&header).map_err(|error| bug(error.to_string()))?;
    serialize(views, Some(HashMap::from([(KEY.to_string(), header)]))).map_err(|error| bug(format!("{error:?}")))
}

/// Reads a file's bytes; `path` is for the message.
///
/// # Errors
/// [`Failure::Io`] with the file and what is wrong with it. Nothing is allocated beyond the size of the file.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Checkpoint, Failure> {
    let whole = inspect(bytes).and_then(|(known, checkpoint)| if known { Ok(checkpoint) } else { Err(FOREIGN.into()) });
    whole.map_err(|reason| {
        let told = Told::new(format!("{} is no usable checkpoint: {reason}", path.display()));
        Failure::Io(told.help("take the other generation of the file, or train again"))
    })
}

/// The tensors of any safetensors file in F32 or F64, ours or not; there is no checksum to rely on.
///
/// # Errors
/// A sentence saying what is wrong with the bytes.
pub fn decode_tensors(bytes: &[u8]) -> Result<Named, String> {
    inspect(bytes).map(|(_, checkpoint)| checkpoint.tensors)
}

/// Reads and decodes a file.
///
/// # Errors
/// As [`decode`], and faults of the disk.
pub fn read(path: &Path) -> Result<Checkpoint, Failure> {
    decode(path, &std::fs::read(path).map_err(|error| Failure::io("read", path, &error))?)
}

/// Where the generation before `path` is kept: `last.previous.safetensors`.
#[must_use]
pub fn previous(path: &Path) -> PathBuf {
    path.with_extension("previous.safetensors")
}

/// The newest generation that is whole, and for each that had to be passed over the reason.
///
/// # Errors
/// The newest generation's fault, if none is whole.
pub fn read_newest(path: &Path) -> Result<(Checkpoint, Vec<String>), Failure> {
    match read(path) {
        Ok(checkpoint) => Ok((checkpoint, vec![])),
        Err(first) => match read(&previous(path)) {
            Ok(checkpoint) => Ok((checkpoint, vec![first.to_string()])),
            Err(_) => Err(first),
        },
    }
}

/// What the file holds, and whether it is one of ours.
fn inspect(bytes: &[u8]) -> Result<(bool, Checkpoint), String> {
    check_header_size(bytes)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| fault(&error))?;
    for (name, info) in metadata.tensors() {
        let elements = info.shape.iter().try_fold(1_u64, |n, &size| n.checked_mul(size as u64));
        if info.shape.len() > RANK_LIMIT || elements.is_none_or(|n| n > ELEMENT_LIMIT) {
            return Err(format!("`{name}` has the impossible shape {:?}", info.shape));
        }
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| fault(&error))?;
    let header = metadata.metadata().as_ref().and_then(|all| all.get(KEY)).map(|text| header(text)).transpose()?;
    let mut hash = Hash::new(header.as_ref().and_then(|header| header.progress.as_deref()));
    let mut views = file.tensors();
    views.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut tensors = Named::new();
    for (name, view) in views {
        hash.add(&name, view.dtype(), view.shape(), view.data());
        let numbers = numbers(&view).ok_or_else(|| format!("`{name}` holds {:?}, not F32 or F64", view.dtype()))?;
        tensors.insert(name, Stored { shape: view.shape().to_vec(), numbers });
    }
    let Some(header) = header else { return Ok((false, Checkpoint { progress: None, tensors })) };
    if header.sha256 != hash.finish() {
        return Err("its contents do not match its checksum".into());
    }
    let progress = header.progress.map(|text| serde_json::from_str(&text)).transpose();
    let progress = progress.map_err(|error| format!("its counters cannot be read: {error}"))?;
    Ok((true, Checkpoint { progress, tensors }))
}

fn check_header_size(bytes: &[u8]) -> Result<(), String> {
    let Some(size) = bytes.first_chunk::<8>().map(|size| u64::from_le_bytes(*size)) else {
        return Err(format!("it has {} bytes and ends before its header", bytes.len()));
    };
    if size > HEADER_LIMIT {
        return Err(format!("its header claims {size} bytes, where {HEADER_LIMIT} are the most"));
    }
    Ok(())
}

fn header(text: &str) -> Result<Header, String> {
    let header: Header = serde_json::from_str(text).map_err(|error| format!("its metadata cannot be read: {error}"))?;
    if header.version > VERSION {
        return Err(format!("it is of version {}, and this gmpc reads up to {VERSION}", header.version));
    }
    Ok(header)
}

fn fault(error: &safetensors::SafeTensorError) -> String {
    use safetensors::SafeTensorError as E;
    match error {
        E::InvalidHeader(_) | E::InvalidHeaderDeserialization(_) => "its header is not readable".into(),
        E::InvalidHeaderLength => "it ends within its header".into(),
        E::MetadataIncompleteBuffer => "it is shorter or longer than its header says".into(),
        E::InvalidOffset(name) => format!("`{name}` lies outside of it, or over another tensor"),
        E::ValidationOverflow => "the sizes in its header overflow".into(),
        other => format!("{other:?}"),
    }
}

fn kind(numbers: &Numbers) -> Dtype {
    match numbers {
        Numbers::F32(_) => Dtype::F32,
        Numbers::F64(_) => Dtype::F64,
    }
}

fn little_endian(numbers: &Numbers) -> Cow<'static, [u8]> {
    Cow::Owned(match numbers {
        Numbers::F32(data) => data.iter().flat_map(|number| number.to_le_bytes()).collect(),
        Numbers::F64(data) => data.iter().flat_map(|number| number.to_le_bytes()).collect(),
    })
}

fn numbers(view: &TensorView<'_>) -> Option<Numbers> {
    match view.dtype() {
        Dtype::F32 => Some(Numbers::F32(view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())),
        Dtype::F64 => Some(Numbers::F64(view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect())),
        _ => None,
    }
}

/// SHA-256 over counters and tensors in the order of their names.
struct Hash(Sha256);

impl Hash {
    fn new(progress: Option<&str>) -> Self {
        let mut hash = Hash(Sha256::new());
        hash.part(progress.unwrap_or_default().as_bytes());
        hash
    }

    /// Each part with its length before it, so that no two sequences of parts give the same bytes.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn add(&mut self, name: &str, kind: Dtype, shape: &[usize], data: &[u8]) {
        self.part(name.as_bytes());
        self.part(format!("{kind:?} {shape:?}").as_bytes());
        self.part(data);
    }

    fn finish(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}

/// The SHA-256 of some bytes as 64 digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
