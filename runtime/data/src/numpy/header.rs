//! The header of an NPY file: `{'descr': '<f8', 'fortran_order': False, 'shape': (308, 6), }` after ten or twelve
//! bytes.
//!
//! It is parsed here and not by a library, because every size must be checked before it is used.
//! Source: numpy/lib/format.py, versions 1.0 to 3.0.

use super::item::Item;
use super::refused::Refused;
use crate::{DataError, kind};
use std::io::Read;

/// NumPy's own limit for the text of a header.
const MAX_HEADER_BYTES: usize = 10_000;
/// Largest number of elements and of axes.
const MAX_COUNT: u64 = 1 << 40;
const MAX_RANK: usize = 8;

/// The type of the numbers and their layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The type of one number.
    pub(super) item: Item,
    /// True for column-major order.
    pub(super) fortran: bool,
    /// One axis or more; a single number has the shape `[1]`.
    pub(super) shape: Vec<usize>,
    /// Product of the shape.
    pub(super) count: usize,
}

impl Header {
    /// Reads up to the first number. `bytes` is the size of the file or the claimed size of the member.
    pub(super) fn read(input: &mut impl Read, bytes: u64, name: &str) -> Result<Self, DataError> {
        let fault =
            |reason: &str| DataError::data("E0753", name, reason.to_string()).help("write the array with `numpy.save`");
        let mut fixed = [0u8; 8];
        let first = read_up_to(input, &mut fixed);
        if first < fixed.len() || !fixed.starts_with(MAGIC) {
            return Err(stranger(input, &fixed[..first], name));
        }
        let mut length = [0u8; 4];
        let digits = match fixed[6] {
            1 => 2,
            2 | 3 => 4,
            version => return Err(fault(&format!("version {version} of the NPY format is not known"))),
        };
        input.read_exact(&mut length[..digits]).map_err(|_| fault("the header is cut off"))?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER_BYTES || length as u64 > bytes {
            return Err(fault(&format!("a header of {length} bytes is too long")));
        }
        let mut text = vec![0u8; length];
        input.read_exact(&mut text).map_err(|_| fault("the header is cut off"))?;
        let text = std::str::from_utf8(&text).map_err(|_| fault("the header is not text"))?;
        let header = parse(text)
            .map_err(|Refused { reason, help }| DataError { help: help.or(fault("").help), ..fault(&reason) })?;
        let needed = header.count as u64 * header.item.bytes() as u64; // below 2^43
        let present = bytes.saturating_sub((8 + digits + length) as u64);
        if needed > present {
            let reason = format!("the header promises {needed} bytes of numbers, the file has {present}");
            return Err(DataError::data("E0753", name, reason).help("the file is cut off: copy or fetch it again"));
        }
        Ok(header)
    }
}

const MAGIC: &[u8] = b"\x93NUMPY";
/// Number of bytes that are enough to recognize another kind of file.
const START: usize = 2048;

/// Fills as much of `buffer` as there are bytes.
fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => filled += read,
        }
    }
    filled
}

/// The error for a file that begins with `first` and is not an array.
fn stranger(input: &mut impl Read, first: &[u8], name: &str) -> DataError {
    let mut start = first.to_vec();
    start.resize(START, 0);
    let read = first.len() + read_up_to(input, &mut start[first.len()..]);
    match kind::of_no_array(&start[..read]) {
        Some((what, help)) => DataError::data("E0753", name, format!("this is {what}, no NumPy array")).help(help),
        None => DataError::data("E0753", name, "this is no NPY file: it does not begin as one")
            .help("write the array with `numpy.save`"),
    }
}

/// Parses the dictionary. It accepts only what `numpy.save` writes: a string, a truth value and a tuple of numbers.
fn parse(text: &str) -> Result<Header, Refused> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}'")).ok_or_else(|| format!("the header has no `{key}`"))?;
        let rest = rest.trim_start().strip_prefix(':').map(str::trim_start);
        rest.ok_or_else(|| format!("the header's `{key}` has no value"))
    };
    let descr = value("descr")?.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
    let (descr, _) = descr.ok_or_else(|| {
        let help = "save one plain array: `numpy.stack([x[name] for name in x.dtype.names], axis=1)`";
        Refused::with_help("it holds records of several fields", help)
    })?;
    let fortran = match value("fortran_order")? {
        rest if rest.starts_with("True") => true,
        rest if rest.starts_with("False") => false,
        _ => return Err("the header's `fortran_order` is neither True nor False".into()),
    };
    let tuple = value("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (tuple, _) = tuple.ok_or("the header's `shape` is no tuple")?;
    let (shape, count) = shape(tuple)?;
    Ok(Header { item: Item::parse(descr)?, fortran, shape, count })
}

/// Axis sizes and their product.
fn shape(tuple: &str) -> Result<(Vec<usize>, usize), String> {
    let sizes = tuple.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Vec<u64> =
        sizes.map(str::parse).collect::<Result<_, _>>().map_err(|_| format!("`({tuple})` is no shape"))?;
    let product = sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(size)).filter(|&p| p <= MAX_COUNT);
    // Each size is checked, because with an axis of size 0 the product does not reveal the others.
    let plain = sizes.len() <= MAX_RANK && sizes.iter().all(|&size| size <= MAX_COUNT);
    let count = product.filter(|_| plain).ok_or_else(|| format!("shape ({tuple}) is too large"))?;
    let narrow = |size: u64| usize::try_from(size).map_err(|_| format!("shape ({tuple}) is too large"));
    let mut shape = sizes.into_iter().map(narrow).collect::<Result<Vec<_>, _>>()?;
    if shape.is_empty() {
        shape.push(1);
    }
    Ok((shape, narrow(count)?))
}
