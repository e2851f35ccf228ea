//! Inspects every file of a set before training: its SHA-256, whether it can be read, and facts that deserve a note. So
//! a damaged last test image is found before the first epoch and not after the last.

use super::decode::{self, Seen};
use super::guard::guarded;
use super::orientation;
use super::picture::Picture;
use super::set::{Store, check_size};
use crate::twins::mixed;
use crate::{DataError, Note};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The facts about a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) sha256: [u8; 32],
    pub(super) bytes: u64,
    /// Height and width after rotation.
    size: [usize; 2],
    turned: bool,
    transparent: bool,
    wide: Option<u16>,
}

impl Look {
    /// Identifies what the file holds.
    pub(super) fn key(&self) -> u128 {
        self.sha256.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
    }
}

/// The size, the time of the last write, and the identity of a file. While these are the same, so are the facts about
/// it.
type Stamp = (u64, Option<SystemTime>, [i128; 3]);

/// The number of a file on its disk, and the time of its last change. Renaming a file does not change the time of its
/// last write, so that time alone is not enough.
#[cfg(unix)]
fn identity(about: &std::fs::Metadata) -> [i128; 3] {
    use std::os::unix::fs::MetadataExt;
    [about.ino().into(), about.ctime().into(), about.ctime_nsec().into()]
}

#[cfg(not(unix))]
fn identity(_about: &std::fs::Metadata) -> [i128; 3] {
    [0; 3]
}

/// Inspects all files of a set. Sets in memory need no inspection: they were checked when they were read.
///
/// # Errors
/// The error of the first file, in order, that cannot be read or has another size than declared.
pub(super) fn look(store: &Store) -> Result<Vec<Look>, DataError> {
    let Store::Files { paths, .. } = store else { return Ok(vec![]) };
    let found: Vec<Result<Look, DataError>> =
        (0..paths.len()).into_par_iter().map_init(Picture::default, |room, image| one(store, image, room)).collect();
    found.into_iter().collect()
}

/// Inspects one file.
///
/// # Errors
/// The errors of [`look`].
pub(super) fn one(store: &Store, image: usize, room: &mut Picture) -> Result<Look, DataError> {
    let Store::Files { paths, size, .. } = store else {
        return Err(
            DataError::data("E0753", store.name(image), "this image is not a file").help("name a folder of images")
        );
    };
    let look = remembered(&paths[image], room)?;
    check_size(&paths[image], look.size, *size)?;
    Ok(look)
}

/// The facts that this process already knows about a file, unless it has changed since.
fn remembered(path: &Path, room: &mut Picture) -> Result<Look, DataError> {
    static KNOWN: Mutex<Option<HashMap<PathBuf, (Stamp, Look)>>> = Mutex::new(None);
    let about = std::fs::metadata(path).map_err(|e| DataError::io(path, "look at it", &e))?;
    let stamp = (about.len(), about.modified().ok(), identity(&about));
    let lock = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, look)) = lock().as_ref().and_then(|known| known.get(path))
        && *known == stamp
        && stamp.1.is_some()
    {
        return Ok(*look);
    }
    let look = into(path, room)?;
    lock().get_or_insert_default().insert(path.to_path_buf(), (stamp, look));
    Ok(look)
}

/// A JPEG is not decoded for this: parsing its codes finds missing data. A PNG is decoded, which verifies its
/// checksums.
fn into(path: &Path, room: &mut Picture) -> Result<Look, DataError> {
    let bytes = decode::bytes_of(path)?;
    let with_path = |fault| decode::image_error(path, fault);
    let sha256 = Sha256::digest(&bytes).into();
    // By the first bytes, because the ending of a name may be wrong.
    let (size, seen) = if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        let known =
            guarded(|| decode::look_at_jpeg(&bytes)).unwrap_or_else(|| Err(decode::gives_up())).map_err(with_path)?;
        let turned = known.orientation > 1;
        // The size is that of the picture as a person sees it, after the turn that its EXIF data asks for.
        let size = match orientation::swaps_sides(known.orientation) {
            true => [known.width, known.height],
            false => [known.height, known.width],
        };
        (size, Seen { turned, ..Seen::default() })
    } else {
        let seen = decode::pixels(&bytes, room, decode::WHITE).map_err(with_path)?;
        let size = [room.height, room.width];
        // Threads reuse their `room`: one large image must not keep its memory.
        room.forget_large();
        (size, seen)
    };
    Ok(Look {
        sha256,
        bytes: bytes.len() as u64,
        size,
        turned: seen.turned,
        transparent: seen.transparent,
        wide: seen.wide,
    })
}

/// Identifies each image by what it holds; `looks` are those of its files.
pub(super) fn keys(looks: &[Look], store: &Store) -> Vec<u128> {
    match store {
        Store::Files { .. } => looks.iter().map(Look::key).collect(),
        Store::Kept { shape, pixels } => {
            let image = |bytes: &[u8]| {
                let (words, rest) = bytes.as_chunks();
                let words = words.iter().map(|word| u64::from_le_bytes(*word));
                mixed(words.chain(rest.iter().map(|byte| u64::from(*byte))))
            };
            pixels.chunks_exact(shape.iter().product::<usize>().max(1)).map(image).collect()
        }
    }
}

/// The least height and width, and the largest.
pub(super) fn sizes(looks: &[Look]) -> Option<[[usize; 2]; 2]> {
    let of = |axis: usize| looks.iter().map(move |look| look.size[axis]);
    Some([[of(0).min()?, of(1).min()?], [of(0).max()?, of(1).max()?]])
}

/// Notes about the files of a set. `place` is the name of their folder.
pub(super) fn notes(looks: &[Look], store: &Store, place: &str) -> Vec<Note> {
    let count = |what: fn(&Look) -> bool| looks.iter().filter(|look| what(look)).count();
    let all = looks.len();
    let mut notes = Vec::new();
    let turned = count(|look| look.turned);
    if turned > 0 {
        let message = format!("{turned} of {all} images are rotated by their Exif orientation");
        notes.push(Note::new("W0782", place, message).help("rotate the files themselves to silence this note"));
    }
    let transparent = count(|look| look.transparent);
    if transparent > 0 && store.guesses_background() {
        let message = format!("{transparent} of {all} images have transparent pixels, which are placed on white");
        let help = "choose a background: `images(…, background = white)`, `black`, or `[0.5, 0.5, 0.5]`";
        notes.push(Note::new("W0783", place, message).help(help));
    }
    if let Some(largest) = looks.iter().filter_map(|look| look.wide).max() {
        let wide = count(|look| look.wide.is_some());
        let mut message = format!("{wide} of {all} images have 16 bits for each channel, which are rounded to 8");
        if largest < 1 << 14 {
            message.push_str(&format!("; their largest number is {largest} of 65535, so they become nearly black"));
        }
        notes.push(Note::new("W0784", place, message).help("save them with 8 bits, scaled to the whole range"));
    }
    notes
}

/// A note about images that differ from the size that a network was trained on.
pub(super) fn stretched(looks: &[Look], [height, width]: [usize; 2]) -> Option<Note> {
    let count = looks.iter().filter(|look| look.size != [height, width]).count();
    let message = format!("{count} of {} images are stretched to {height}×{width}, the size trained on", looks.len());
    (count > 0).then(|| Note::new("W0786", "--input", message).help("resize them yourself"))
}

#[cfg(test)]
mod tests;
