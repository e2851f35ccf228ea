//! NumPy's arrays: `.npy` files and members of `.npz` archives, as rows of numbers.
//!
//! The header comes first and is checked against the number of bytes that exist before memory is allocated. Arrays of
//! Python objects are pickles, which can run code, so they are refused.

mod header;
mod item;
mod refused;
mod write;

use super::dataset::{Dataset, Examples};
use super::error::DataError;
use super::labels::Labels;
use super::{kind, looks};
use gmpc_compiler::ir::experiment::{Arrays, Task};
use header::Header;
use item::{Item, Label};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
pub use write::write_npy;

/// Largest plausible ratio of the size of a large archive member to its compressed size. Deflate compresses at most to
/// a 1032nd, so a larger ratio is false for a member of any size.
const MAX_RATIO: u64 = 1000;
const DEFLATE_RATIO: u64 = 1040;
/// Below this size, the first ratio does not matter.
const ANY_RATIO_BYTES: u64 = 16 << 20;
/// Largest size of a member in bytes. Together these limits protect against archives that are made to fill the memory.
const MAX_MEMBER_BYTES: u64 = 1 << 36;

/// An array of numbers in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    /// Sizes of the axes, outermost first; at least one axis.
    pub(super) shape: Vec<usize>,
    /// As many finite numbers as the product of the shape.
    pub(super) data: Vec<f64>,
}

impl Array {
    /// Number of elements in one row: the product of all axes but the first.
    pub(super) fn width(&self) -> usize {
        self.shape[1..].iter().product() // cannot overflow: `read_array` checked the product of all axes
    }
}

/// Reads inputs `[rows, features…]` (all axes but the first are the features) and targets `[rows]` or `[rows,
/// outputs]`.
///
/// # Errors
/// `E0751`: a file cannot be read. `E0753`: it is not an array of numbers. `E0754`: a member is not in the archive.
/// `E0755`: a number is not finite. `E0757`, `E0758`: class labels are wrong.
pub(super) fn read(
    inputs: &Path,
    targets: &Path,
    arrays: &Arrays,
    task: Task,
    classes: Option<usize>,
) -> Result<Dataset, DataError> {
    let x = open(inputs, arrays.inputs_key.as_deref())?;
    let y = open(targets, arrays.targets_key.as_deref())?;
    let file = targets.display().to_string();
    let (rows, outputs) = (x.shape[0], y.width());
    if y.shape[0] != rows {
        let reason = format!("there are {} targets and {rows} inputs (in `{}`)", y.shape[0], inputs.display());
        return Err(DataError::data("E0753", file, reason).help(match x.shape[..] {
            [_, columns] if columns == y.shape[0] => "the inputs lie on their side: save `x.T`",
            _ => "the first axis of both arrays counts the examples",
        }));
    }
    if rows == 0 || x.width() == 0 || outputs == 0 {
        return Err(DataError::data("E0753", file, "the arrays hold no example").help("are these the right files?"));
    }
    let features = x.width();
    let mut notes = vec![];
    let (targets, labels) = match task {
        Task::Regression => {
            notes.extend(looks::constant(&y.data, outputs, &[], &x.data[..features], &file));
            (y.data, vec![])
        }
        Task::Classification if outputs > 1 => {
            let reason = format!("the targets have shape {:?}; class labels are one number an example", y.shape);
            return Err(DataError::data("E0753", file, reason).help("save the class numbers: `y.argmax(axis=1)`"));
        }
        // Labels are read a second time as text: as f64, long integers would be rounded.
        Task::Classification => {
            let labels = labels_in(targets, arrays.targets_key.as_deref(), &file)?;
            notes.extend(labels.alike(&file));
            labels.classes(classes, &file)?
        }
    };
    let shown = inputs.display().to_string();
    notes.extend(looks::extremes(&x.data, features, |column| format!("feature {}", column + 1), &shown));
    if task == Task::Regression {
        notes.extend(looks::extremes(&targets, outputs, |column| format!("target {}", column + 1), &file));
    }
    let examples = Examples { rows, inputs: x.data, targets, ..Examples::default() };
    Ok(Dataset { examples, features, outputs, labels, notes, ..Dataset::default() })
}

/// The labels in an array, with all digits. A class has no fraction: an array with fractions contains measurements.
fn labels_in(path: &Path, key: Option<&str>, file: &str) -> Result<Labels, DataError> {
    let mut labels = Labels::default();
    for (row, label) in open_items(path, key, Item::label)?.1.into_iter().enumerate() {
        match label {
            Label::Whole(number) => labels.push_whole(number),
            Label::Other(text) => {
                let reason = format!("row {row} (from 0) has the label {text}, which is no whole number");
                let error = DataError::data("E0757", file, reason);
                return Err(error.help(
                    "for measurements write `task = regression`; number classes by `numpy.unique(y, return_inverse=True)[1]`",
                ));
            }
        }
    }
    Ok(labels)
}

/// Reads a `.npy` file, or one member of a `.npz` archive.
pub(super) fn open(path: &Path, key: Option<&str>) -> Result<Array, DataError> {
    let name = path.display().to_string();
    let (shape, data) = open_items(path, key, Item::number)?;
    finite(Array { shape, data }, &name)
}

/// As [`open`], for items of any type, which `convert` makes of their bytes.
fn open_items<T: Clone>(
    path: &Path,
    key: Option<&str>,
    convert: impl Fn(Item, &[u8]) -> T,
) -> Result<(Vec<usize>, Vec<T>), DataError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let bytes = file.metadata().map_err(|e| DataError::io(path, "look at it", &e))?.len();
    let mut input = BufReader::with_capacity(1 << 16, file);
    let Some(key) = key else { return read_items(input, bytes, &name, convert) };
    let start = input.fill_buf().map_err(|e| DataError::io(path, "read it", &e))?;
    if let Some((what, help)) = kind::of_no_array(start).filter(|_| !start.starts_with(b"PK")) {
        return Err(DataError::data("E0753", name, format!("this is {what}, no NPZ archive")).help(help));
    }
    with_member(input, key, &name, |member, size| read_items(member, size, &format!("{name} ({key})"), convert))
}

/// Names of the arrays in a `.npz` archive.
pub(super) fn members(path: &Path) -> Result<Vec<String>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| broken(&path.display().to_string(), &e))?;
    Ok(names(&archive))
}

fn names<R: Read + std::io::Seek>(archive: &zip::ZipArchive<R>) -> Vec<String> {
    let names = archive.file_names().filter_map(Result::ok).take(1000); // for messages only
    names.map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_string()).collect()
}

fn broken(name: &str, error: &zip::result::ZipError) -> DataError {
    let error = DataError::data("E0753", name, format!("this is no sound NPZ archive: {error}"));
    error.help("write it with `numpy.savez`")
}

/// The labels of images, one number for each, from an archive in memory: shape and numbers.
///
/// # Errors
/// The errors of [`open`]; `E0757`: a label is not an integer, or needs more than 64 bits.
pub(super) fn labels_member(
    input: impl Read + std::io::Seek,
    key: &str,
    name: &str,
) -> Result<(Vec<usize>, Vec<i64>), DataError> {
    let (shape, labels) = with_member(input, key, name, |member, size| {
        read_items(member, size, &format!("{name} ({key})"), Item::label)
    })?;
    let whole = |(image, label): (usize, Label)| {
        let (shown, what) = match label {
            Label::Whole(number) => match i64::try_from(number) {
                Ok(number) => return Ok(number),
                Err(_) => (number.to_string(), "the number of no class"),
            },
            Label::Other(text) => (text, "no whole number"),
        };
        let reason = format!("image {image} has the label {shown}, which is {what}");
        Err(DataError::data("E0757", name, reason)
            .help("number the classes: `numpy.unique(y, return_inverse=True)[1]`"))
    };
    Ok((shape, labels.into_iter().enumerate().map(whole).collect::<Result<_, _>>()?))
}

/// Shape and bytes of an array of bytes, for images.
///
/// # Errors
/// The errors of [`open`]; the array has items other than bytes.
pub(super) fn bytes_member(
    input: impl Read + std::io::Seek,
    key: &str,
    name: &str,
) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    with_member(input, key, name, |mut member, size| {
        let name = format!("{name} ({key})");
        let header = Header::read(&mut member, size, &name)?;
        if !header.item.is_byte() || header.fortran {
            return Err(DataError::data("E0753", name, "images are bytes in row-major order, and this array is not").help(
                "save 0 to 255 as `numpy.ascontiguousarray(x.astype(\"uint8\"))`; of 0 to 1 save `(x * 255).round().astype(\"uint8\")`",
            ));
        }
        let mut bytes = Vec::new();
        let read = (&mut member).take(header.count as u64).read_to_end(&mut bytes);
        match read {
            Ok(read) if read == header.count => ends_here(member, &name).map(|()| (header.shape, bytes)),
            Ok(read) => {
                let reason = format!("the header promises {} bytes, the data end after {read}", header.count);
                Err(DataError::data("E0753", name, reason).help("the file is cut off: copy or fetch it again"))
            }
            Err(error) => Err(damaged(&name, &error)),
        }
    })
}

fn damaged(name: &str, error: &std::io::Error) -> DataError {
    DataError::data("E0753", name, format!("cannot be read or unpacked: {error}"))
        .help("the file is damaged: copy or fetch it again")
}

/// Checks that nothing follows the numbers. Reading to the end also makes an archive verify its checksum.
fn ends_here(mut input: impl Read, name: &str) -> Result<(), DataError> {
    match input.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(DataError::data("E0753", name, "more bytes follow behind the numbers that the header promises")
            .help("one file holds one array: save several with `numpy.savez`")),
        Err(error) => Err(damaged(name, &error)),
    }
}

fn with_member<T>(
    input: impl Read + std::io::Seek,
    key: &str,
    name: &str,
    read: impl FnOnce(&mut dyn Read, u64) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let mut archive = zip::ZipArchive::new(input).map_err(|e| broken(name, &e))?;
    let full = format!("{key}.npy");
    let Some(index) = archive.index_for_name(&full).or_else(|| archive.index_for_name(key)) else {
        return Err(no_member(&archive, key, name));
    };
    let mut member = archive.by_index(index).map_err(|e| broken(name, &e))?;
    let (size, packed) = (member.size(), member.compressed_size());
    let ratio = if size > ANY_RATIO_BYTES { MAX_RATIO } else { DEFLATE_RATIO };
    if size > MAX_MEMBER_BYTES || size / ratio > packed.saturating_add(64) {
        let reason = format!("`{key}` claims to be {size} bytes packed into {packed}");
        return Err(DataError::data("E0753", name, reason)
            .help("no real array is that regular; if this one is, save it with `numpy.savez`"));
    }
    read(&mut member, size)
}

fn no_member<R: Read + std::io::Seek>(archive: &zip::ZipArchive<R>, key: &str, name: &str) -> DataError {
    let names = names(archive);
    let error = DataError::data("E0754", name, format!("there is no array `{key}` in the archive"));
    match gmpc_grammar::similar::nearest(key, names.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => {
            let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
            let help = format!("it holds {}: say which with `inputs = \"…\"` and `targets = \"…\"`", shown.join(", "));
            error.help(help)
        }
    }
}

/// Reads one array of `bytes` bytes. Allocates at most 8 bytes for each of them.
#[cfg(test)]
pub(super) fn read_array(input: impl Read, bytes: u64, name: &str) -> Result<Array, DataError> {
    let (shape, data) = read_items(input, bytes, name, Item::number)?;
    finite(Array { shape, data }, name)
}

fn finite(array: Array, name: &str) -> Result<Array, DataError> {
    match array.data.iter().position(|value| !value.is_finite()) {
        None => Ok(array),
        Some(at) => Err(not_finite(&array, at, name)),
    }
}

/// Shape and numbers in row-major order.
fn read_items<T: Clone>(
    mut input: impl Read,
    bytes: u64,
    name: &str,
    convert: impl Fn(Item, &[u8]) -> T,
) -> Result<(Vec<usize>, Vec<T>), DataError> {
    let header = Header::read(&mut input, bytes, name)?;
    let mut data = Vec::new();
    // Memory grows with what is actually read, because the size of an archive member is only a claim.
    let first = header.count.min(1 << 20);
    data.try_reserve_exact(first).map_err(|_| DataError::data("E0753", name, "there is not enough memory for it"))?;
    let size = header.item.bytes();
    let mut chunk = vec![0u8; size << 12];
    while data.len() < header.count {
        let items = (header.count - data.len()).min(1 << 12);
        let wanted = &mut chunk[..items * size];
        input.read_exact(wanted).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => cut_off(&header, data.len(), name),
            _ => damaged(name, &error),
        })?;
        data.extend(wanted.chunks_exact(size).map(|item| convert(header.item, item)));
    }
    ends_here(input, name)?;
    if header.fortran {
        data = row_major(&data, &header.shape);
    }
    Ok((header.shape, data))
}

fn cut_off(header: &Header, got: usize, name: &str) -> DataError {
    let reason = format!("the header promises {} numbers, the data end after {got}", header.count);
    DataError::data("E0753", name, reason).help("the file is cut off: copy or fetch it again")
}

fn not_finite(array: &Array, at: usize, name: &str) -> DataError {
    let (row, column) = (at / array.width().max(1), at % array.width().max(1));
    let reason = format!("row {row}, column {column} (from 0) is {}", array.data[at]);
    DataError::data("E0755", name, reason).help("fill it in or drop the row before saving")
}

/// Converts an array from column-major to row-major order.
fn row_major<T: Clone>(data: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut result = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        let place = shape.iter().zip(&index).rev().fold(0, |flat, (&size, &i)| flat * size + i);
        result.push(data[place].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    result
}

#[cfg(test)]
mod tests;
