//! Checkpoints: safetensors files whose writing survives a crash at any moment, and whose damage is noticed.
//!
//! The tensors have the network's names and the usual layout (`[units, fan_in]`), so any safetensors reader can open
//! them. Beside the states of a run, `last` holds those of its best epoch (`best/hidden.w`) and, in the header's
//! metadata under `gmpc`, all counters: this one file is enough to resume a run. A SHA-256 over counters and tensors
//! shows whether a file is damaged.
//!
//! ```text
//! write   last.safetensors.tmp -> fsync -> last -> last.previous, tmp -> last -> fsync the folder
//! read    last, or last.previous with a warning if last is damaged
//! ```
//!
//! Source of the order of system calls: Pillai et al., "All file systems are not created equal", OSDI 2014.

mod write;

pub use write::{Disk, Files, write_atomically};

use crate::failure::{Failure, Message};
use crate::train::Progress;
use gmpc_data::digest::{DataFile, hexadecimal};
use gmpc_device::Numbers;
use gmpc_device::states::named::{Named, Stored};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Version of the names and the metadata. A reader accepts every version up to its own.
const VERSION: u32 = 1;
/// Largest size of a header in bytes: 1 MiB, enough for ten thousand tensors.
const HEADER_LIMIT: u64 = 1 << 20;
/// Largest number of elements of a tensor.
const ELEMENT_LIMIT: u64 = 1 << 40;
/// Largest number of axes.
const RANK_LIMIT: usize = 8;
/// Key under which the header's metadata holds ours.
const KEY: &str = "gmpc";
const FOREIGN: &str = "gmpc has not written it, or its header is damaged";

/// What a checkpoint file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// All counters, in `last`; `None` in `best` and in converted networks.
    pub progress: Option<Progress>,
    /// The run that it belongs to (`About::identity`); `None` in files of versions that did not store it.
    pub run: Option<String>,
    /// How rows were scaled and how the classes are called, as JSON, for readers that have only this file.
    pub inputs: Option<String>,
    /// Checksums of files beside it at the time of the checkpoint, see `run::sums`.
    pub files: Vec<DataFile>,
    /// The tensors by name.
    pub tensors: Named,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    sha256: String,
    /// Counters as text, because the hash is over exactly these bytes.
    progress: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inputs: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<String>,
}

/// The bytes of a checkpoint's file. Equal checkpoints give equal bytes.
///
/// # Errors
/// [`Failure::Bug`]: the shape of a tensor does not match its number of elements.
pub fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, Failure> {
    let bug = |what: String| Failure::Bug(format!("a checkpoint cannot be encoded: {what}"));
    let progress = checkpoint.progress.as_ref().map(serde_json::to_string).transpose();
    let progress = progress.map_err(|error| bug(error.to_string()))?;
    let bytes: Vec<(&String, &Stored, Cow<'_, [u8]>)> =
        checkpoint.tensors.iter().map(|(name, stored)| (name, stored, little_endian(&stored.numbers))).collect();
    let (run, inputs) = (checkpoint.run.clone(), checkpoint.inputs.clone());
    let files = (!checkpoint.files.is_empty()).then(|| serde_json::to_string(&checkpoint.files)).transpose();
    let files = files.map_err(|error| bug(error.to_string()))?;
    let mut hash = Hash::new([&progress, &run, &inputs, &files]);
    let mut views = Vec::with_capacity(bytes.len());
    for (name, stored, data) in &bytes {
        hash.add(name, kind(&stored.numbers), &stored.shape, data);
        let view = TensorView::new(kind(&stored.numbers), stored.shape.clone(), data);
        views.push((name.as_str(), view.map_err(|error| bug(format!("{name}: {error:?}")))?));
    }
    let header = Header { version: VERSION, sha256: hash.finish(), progress, run, inputs, files };
    let header = serde_json::to_string(&header).map_err(|error| bug(error.to_string()))?;
    serialize(views, Some(HashMap::from([(KEY.to_string(), header)]))).map_err(|error| bug(format!("{error:?}")))
}

/// Decodes the bytes of a file. `path` is for messages only.
///
/// # Errors
/// [`Failure::Io`] with the file and what is wrong with it. Allocates no more than the size of the file.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Checkpoint, Failure> {
    let whole = inspect(bytes).and_then(|(known, checkpoint)| if known { Ok(checkpoint) } else { Err(FOREIGN.into()) });
    whole.map_err(|reason| {
        let message =
            Message::new(format!("{} is not a usable checkpoint: {reason}", path.display())).at("E0804", path);
        Failure::Io(message.help(again(path)))
    })
}

/// True for a valid safetensors file that gmpc did not write.
#[must_use]
pub fn is_foreign(bytes: &[u8]) -> bool {
    inspect(bytes).is_ok_and(|(known, _)| !known)
}

/// The next step that is always possible: train the run's own source again.
#[must_use]
pub fn again(path: &Path) -> String {
    let source = path.with_file_name("source.gmpnet");
    if source.is_file() {
        format!("train it again into another folder: `gmpc train {} --out OTHER`", source.display())
    } else {
        "write it again from the run it came from".into()
    }
}

/// The tensors of any safetensors file in F32 or F64, whether gmpc wrote it or not. A foreign file has no checksum, so
/// its contents are not verified.
///
/// # Errors
/// A sentence that says what is wrong with the bytes.
pub fn decode_tensors(bytes: &[u8]) -> Result<Named, String> {
    inspect(bytes).map(|(_, checkpoint)| checkpoint.tensors)
}

/// Reads and decodes a file.
///
/// # Errors
/// The errors of [`decode`]; [`Failure::Io`] if the file cannot be read.
pub fn read(path: &Path) -> Result<Checkpoint, Failure> {
    decode(path, &std::fs::read(path).map_err(|error| Failure::io("read", path, &error))?)
}

/// The path under which the generation before `path` is kept: `last.previous.safetensors`.
#[must_use]
pub fn previous(path: &Path) -> PathBuf {
    path.with_extension("previous.safetensors")
}

/// The newest generation that is undamaged, and the reason for each newer one that was skipped.
///
/// # Errors
/// The failure of the newest generation, if none is undamaged.
pub fn read_newest(path: &Path) -> Result<(Checkpoint, Vec<String>), Failure> {
    match read(path) {
        Ok(checkpoint) => Ok((checkpoint, vec![])),
        Err(first) => match read(&previous(path)) {
            Ok(checkpoint) => Ok((checkpoint, vec![first.to_string()])),
            Err(_) => Err(first),
        },
    }
}

/// The contents of a file, and whether gmpc wrote it.
fn inspect(bytes: &[u8]) -> Result<(bool, Checkpoint), String> {
    // Sizes are checked before anything is allocated for them: a damaged header can claim any size.
    check_header_size(bytes)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| fault(&error))?;
    // In the order of names, so that the same file always gives the same message.
    let sorted: BTreeMap<_, _> = metadata.tensors().into_iter().collect();
    for (name, info) in sorted {
        let elements = info.shape.iter().try_fold(1_u64, |n, &size| n.checked_mul(size as u64));
        if info.shape.len() > RANK_LIMIT || elements.is_none_or(|n| n > ELEMENT_LIMIT) {
            return Err(format!("`{name}` has the impossible shape {:?}", info.shape));
        }
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| fault(&error))?;
    let header = metadata.metadata().as_ref().and_then(|all| all.get(KEY)).map(|text| header(text)).transpose()?;
    let none = &None;
    let known = header.as_ref().map_or([none; 4], |h| [&h.progress, &h.run, &h.inputs, &h.files]);
    // Tensors are hashed in the order of names, which is the order in which `encode` hashed them.
    let mut hash = Hash::new(known);
    let mut views = file.tensors();
    views.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut tensors = Named::new();
    for (name, view) in views {
        hash.add(&name, view.dtype(), view.shape(), view.data());
        let numbers = numbers(&view).ok_or_else(|| format!("`{name}` holds {:?}, not F32 or F64", view.dtype()))?;
        tensors.insert(name, Stored { shape: view.shape().to_vec(), numbers });
    }
    let Some(header) = header else { return Ok((false, Checkpoint { tensors, ..Checkpoint::default() })) };
    if header.sha256 != hash.finish() {
        return Err("its contents do not match its checksum".into());
    }
    let progress = header.progress.map(|text| serde_json::from_str(&text)).transpose();
    let progress = progress.map_err(|error| format!("its counters cannot be read: {error}"))?;
    let files = header.files.map(|text| serde_json::from_str(&text)).transpose();
    let files = files.map_err(|error| format!("its checksums cannot be read: {error}"))?.unwrap_or_default();
    Ok((true, Checkpoint { progress, run: header.run, inputs: header.inputs, files, tensors }))
}

fn check_header_size(bytes: &[u8]) -> Result<(), String> {
    let Some(size) = bytes.first_chunk::<8>().map(|size| u64::from_le_bytes(*size)) else {
        return Err(format!("it has {} bytes and ends before its header", bytes.len()));
    };
    if size > HEADER_LIMIT {
        return Err(format!("its header claims {size} bytes, and the limit is {HEADER_LIMIT}"));
    }
    Ok(())
}

fn header(text: &str) -> Result<Header, String> {
    let header: Header = serde_json::from_str(text).map_err(|error| format!("its metadata cannot be read: {error}"))?;
    if header.version > VERSION {
        return Err(format!("its version is {}, and this gmpc reads versions up to {VERSION}", header.version));
    }
    Ok(header)
}

fn fault(error: &safetensors::SafeTensorError) -> String {
    use safetensors::SafeTensorError as E;
    match error {
        E::InvalidHeader(_) | E::InvalidHeaderDeserialization(_) => "its header is not readable".into(),
        E::InvalidHeaderLength => "it ends within its header".into(),
        E::MetadataIncompleteBuffer => "it is shorter or longer than its header says".into(),
        E::InvalidOffset(name) => format!("`{name}` is outside of the file, or overlaps another tensor"),
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

/// SHA-256 over counters and tensors, in the order of their names.
struct Hash(Sha256);

impl Hash {
    /// Begins with the texts of the header. An absent text adds nothing, so files of versions without it keep their
    /// hashes. The counters are the exception: absent counters are hashed as an empty text, as they always were.
    fn new([progress, others @ ..]: [&Option<String>; 4]) -> Self {
        let mut hash = Hash(Sha256::new());
        hash.part(progress.as_deref().unwrap_or_default().as_bytes());
        for text in others.into_iter().flatten() {
            hash.part(text.as_bytes());
        }
        hash
    }

    /// Hashes the length of each part before the part, so that two different sequences of parts never give the same
    /// bytes.
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

#[cfg(test)]
mod tests;
