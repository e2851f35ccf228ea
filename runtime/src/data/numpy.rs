//! NumPy's arrays: `.npy` files and members of `.npz` archives, as rows of numbers.
//!
//! The header comes first and is checked against the bytes that are really there before any memory is asked for. Arrays
//! of Python objects are pickles, which can run code: they are refused, never read.

mod header;
mod write;

use super::dataset::{Dataset, Examples};
use super::error::DataError;
use super::labels::Labels;
use gmpc_compiler::experiment::{Arrays, Task};
use header::Header;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
pub use write::write_npy;

/// A member of an archive may be this many times larger than its compressed form …
const MAX_RATIO: u64 = 1000;
/// … and at most this large; both guard against archives made to fill the memory.
const MAX_MEMBER_BYTES: u64 = 1 << 36;

/// Numbers in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    /// Axis sizes, outermost first; at least one axis.
    pub(super) shape: Vec<usize>,
    /// As many as the product of the shape; finite.
    pub(super) data: Vec<f64>,
}

impl Array {
    /// Numbers in one row: the product of all axes but the first.
    pub(super) fn width(&self) -> usize {
        self.shape[1..].iter().product() // fits: `read_array` has checked the whole product
    }
}

/// Inputs `[rows, features…]` (all axes but the first together are the features) and targets `[rows]` or `[rows,
/// outputs]`.
///
/// # Errors
/// `E0751` for a file that cannot be read, `E0753` for one that is no array of numbers, `E0754` for a member that is
/// not in the archive, `E0755` for a number that is not finite, `E0757` and `E0758` for class labels.
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
        return Err(DataError::data("E0753", file, reason).help("the first axis of both arrays counts the examples"));
    }
    if rows == 0 || x.width() == 0 || outputs == 0 {
        return Err(DataError::data("E0753", file, "the arrays hold no example").help("are these the right files?"));
    }
    let features = x.width();
    let (targets, labels) = match task {
        Task::Regression => (y.data, vec![]),
        Task::Classification if outputs > 1 => {
            let reason = format!("the targets have shape {:?}; class labels are one number an example", y.shape);
            return Err(DataError::data("E0753", file, reason).help("save the class numbers: `y.argmax(axis=1)`"));
        }
        Task::Classification => labels_of(&y.data, classes, &file)?,
    };
    let examples = Examples { rows, inputs: x.data, targets };
    Ok(Dataset { examples, features, outputs, labels, ..Dataset::default() })
}

fn labels_of(values: &[f64], classes: Option<usize>, file: &str) -> Result<(Vec<f64>, Vec<String>), DataError> {
    let mut labels = Labels::default();
    for value in values {
        labels.push(value.to_string().as_bytes()).map_err(|e| DataError::data("E0753", file, e.to_string()))?;
    }
    labels.classes(classes, file)
}

/// Reads a `.npy` file, or one member of a `.npz` archive.
pub(super) fn open(path: &Path, key: Option<&str>) -> Result<Array, DataError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let bytes = file.metadata().map_err(|e| DataError::io(path, "look at it", &e))?.len();
    let input = BufReader::with_capacity(1 << 16, file);
    match key {
        None => read_array(input, bytes, &name),
        Some(key) => member(input, key, &name),
    }
}

/// Names of the arrays in a `.npz` archive.
pub(super) fn members(path: &Path) -> Result<Vec<String>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| broken(&path.display().to_string(), &e))?;
    Ok(names(&archive))
}

fn names<R: Read + std::io::Seek>(archive: &zip::ZipArchive<R>) -> Vec<String> {
    let names = archive.file_names().filter_map(Result::ok).take(1000); // only shown, and searched for a near one
    names.map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_string()).collect()
}

fn broken(name: &str, error: &zip::result::ZipError) -> DataError {
    let error = DataError::data("E0753", name, format!("this is no sound NPZ archive: {error}"));
    error.help("write it with `numpy.savez`")
}

fn member(input: impl Read + std::io::Seek, key: &str, name: &str) -> Result<Array, DataError> {
    with_member(input, key, name, |member, size| read_array(member, size, &format!("{name} ({key})")))
}

/// One array of an archive that is in memory.
pub(super) fn member_of(input: impl Read + std::io::Seek, key: &str, name: &str) -> Result<Array, DataError> {
    member(input, key, name)
}

/// Shape and bytes of an array of bytes: images.
///
/// # Errors
/// As [`open`]; and an array of anything but bytes.
pub(super) fn bytes_member(
    input: impl Read + std::io::Seek,
    key: &str,
    name: &str,
) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    with_member(input, key, name, |mut member, size| {
        let name = format!("{name} ({key})");
        let header = Header::read(&mut member, size, &name)?;
        if !header.item.is_byte() || header.fortran {
            return Err(DataError::data("E0753", name, "images are bytes in row-major order, and this array is not")
                .help("save it with `numpy.ascontiguousarray(x, dtype=numpy.uint8)`"));
        }
        let mut bytes = Vec::new();
        let read = member.take(header.count as u64).read_to_end(&mut bytes);
        match read {
            Ok(read) if read == header.count => Ok((header.shape, bytes)),
            Ok(read) => {
                let reason = format!("the header promises {} bytes, the data end after {read}", header.count);
                Err(DataError::data("E0753", name, reason).help("the file is cut off: copy or fetch it again"))
            }
            Err(error) => Err(DataError::data("E0753", name, format!("cannot be unpacked: {error}"))
                .help("the file is damaged: copy or fetch it again")),
        }
    })
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
    if size > MAX_MEMBER_BYTES || size / MAX_RATIO > packed {
        let reason = format!("`{key}` claims to be {size} bytes packed into {packed}");
        return Err(
            DataError::data("E0753", name, reason).help("no real array is that regular: is the archive genuine?")
        );
    }
    read(&mut member, size)
}

fn no_member<R: Read + std::io::Seek>(archive: &zip::ZipArchive<R>, key: &str, name: &str) -> DataError {
    let names = names(archive);
    let error = DataError::data("E0754", name, format!("there is no array `{key}` in the archive"));
    match gmpc_grammar::similar::nearest(key, names.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("it holds {}", names.into_iter().take(8).collect::<Vec<_>>().join(", "))),
    }
}

/// Reads one array out of `bytes` bytes; never asks for more memory than 8 bytes for each of them.
pub(super) fn read_array(mut input: impl Read, bytes: u64, name: &str) -> Result<Array, DataError> {
    let header = Header::read(&mut input, bytes, name)?;
    let mut data = Vec::new();
    let short = |got: usize| {
        let reason = format!("the header promises {} numbers, the data end after {got}", header.count);
        DataError::data("E0753", name, reason).help("the file is cut off: copy or fetch it again")
    };
    // Memory grows with what is really read: the size of an archive's member is only a claim.
    let first = header.count.min(1 << 20);
    data.try_reserve_exact(first).map_err(|_| DataError::data("E0753", name, "there is not enough memory for it"))?;
    let mut chunk = vec![0u8; header.item.bytes() << 12];
    while data.len() < header.count {
        let items = (header.count - data.len()).min(1 << 12);
        let wanted = &mut chunk[..items * header.item.bytes()];
        input.read_exact(wanted).map_err(|_| short(data.len()))?;
        data.extend(wanted.chunks_exact(header.item.bytes()).map(|item| header.item.number(item)));
    }
    if header.fortran {
        data = row_major(&data, &header.shape);
    }
    let array = Array { shape: header.shape, data };
    match array.data.iter().position(|value| !value.is_finite()) {
        None => Ok(array),
        Some(at) => Err(not_finite(&array, at, name)),
    }
}

fn not_finite(array: &Array, at: usize, name: &str) -> DataError {
    let (row, column) = (at / array.width().max(1), at % array.width().max(1));
    let reason = format!("row {row}, column {column} (from 0) is {}", array.data[at]);
    DataError::data("E0755", name, reason).help("fill it in or drop the row before saving")
}

/// From first-axis-fastest to last-axis-fastest.
fn row_major(data: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut index = vec![0; shape.len()];
    let mut result = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        let place = shape.iter().zip(&index).rev().fold(0, |flat, (&size, &i)| flat * size + i);
        result.push(data[place]);
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
