//! The header of an NPY file: `{'descr': '<f8', 'fortran_order': False, 'shape': (308, 6), }` after ten or twelve
//! bytes.
//!
//! Read here and not by a library, because every size has to be checked before it is believed.
//! Source: numpy/lib/format.py, versions 1.0 to 3.0.

use crate::data::DataError;
use std::io::Read;

/// NumPy's own limit on header text.
const MAX_HEADER_BYTES: usize = 10_000;
/// Of one array, and how many axes it may have.
const MAX_COUNT: u64 = 1 << 40;
const MAX_RANK: usize = 8;

/// What the numbers are and how they are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Of one number.
    pub(super) item: Item,
    /// First axis fastest.
    pub(super) fortran: bool,
    /// One axis or more; a single number has shape `[1]`.
    pub(super) shape: Vec<usize>,
    /// Product of the shape.
    pub(super) count: usize,
}

/// How one number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    big_endian: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

impl Header {
    /// Reads up to the first number. `bytes` is how large the file or the member says it is.
    pub(super) fn read(input: &mut impl Read, bytes: u64, name: &str) -> Result<Self, DataError> {
        let fault =
            |reason: &str| DataError::data("E0753", name, reason.to_string()).help("write the array with `numpy.save`");
        let mut fixed = [0u8; 8];
        input.read_exact(&mut fixed).map_err(|_| fault("this is no NPY file: it is too short"))?;
        if &fixed[..6] != b"\x93NUMPY" {
            return Err(fault("this is no NPY file: it does not begin as one"));
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
        let header = parse(text).map_err(|reason| fault(&reason))?;
        let needed = header.count as u64 * header.item.bytes() as u64; // below 2^43
        let present = bytes.saturating_sub((8 + digits + length) as u64);
        if needed > present {
            let reason = format!("the header promises {needed} bytes of numbers, the file has {present}");
            return Err(DataError::data("E0753", name, reason).help("the file is cut off: copy or fetch it again"));
        }
        Ok(header)
    }
}

impl Item {
    fn parse(text: &str) -> Result<Self, String> {
        let kind = match text.get(1..) {
            Some("b1") => Kind::Bool,
            Some("i1") => Kind::I8,
            Some("i2") => Kind::I16,
            Some("i4") => Kind::I32,
            Some("i8") => Kind::I64,
            Some("u1") => Kind::U8,
            Some("u2") => Kind::U16,
            Some("u4") => Kind::U32,
            Some("u8") => Kind::U64,
            Some("f4") => Kind::F32,
            Some("f8") => Kind::F64,
            Some(text) if text.starts_with('O') => {
                return Err("it holds Python objects (a pickle), which are never read".to_string());
            }
            _ => return Err(format!("numbers of type `{text}` are not read; use `x.astype(\"float64\")`")),
        };
        match text.chars().next() {
            Some('<' | '|' | '=') => Ok(Item { big_endian: false, kind }),
            Some('>') => Ok(Item { big_endian: true, kind }),
            _ => Err(format!("numbers of type `{text}` are not read; use `x.astype(\"float64\")`")),
        }
    }

    /// Numbers from 0 to 255 in a byte each?
    pub(super) fn is_byte(self) -> bool {
        self.kind == Kind::U8
    }

    /// Bytes of one number, 1 to 8.
    pub(super) fn bytes(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// The number in `bytes`; integers beyond 2^53 are rounded.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn number(self, bytes: &[u8]) -> f64 {
        let mut little = [0u8; 8];
        little[..bytes.len()].copy_from_slice(bytes);
        if self.big_endian {
            little[..bytes.len()].reverse();
        }
        let [a, b, c, d, ..] = little;
        match self.kind {
            Kind::Bool => f64::from(u8::from(a != 0)),
            Kind::I8 => f64::from(i8::from_le_bytes([a])),
            Kind::I16 => f64::from(i16::from_le_bytes([a, b])),
            Kind::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Kind::I64 => i64::from_le_bytes(little) as f64,
            Kind::U8 => f64::from(a),
            Kind::U16 => f64::from(u16::from_le_bytes([a, b])),
            Kind::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Kind::U64 => u64::from_le_bytes(little) as f64,
            Kind::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Kind::F64 => f64::from_le_bytes(little),
        }
    }
}

/// Reads the dictionary. Only what `numpy.save` writes is understood: a string, a truth value and a tuple of numbers.
fn parse(text: &str) -> Result<Header, String> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}'")).ok_or_else(|| format!("the header has no `{key}`"))?;
        let rest = rest.trim_start().strip_prefix(':').map(str::trim_start);
        rest.ok_or_else(|| format!("the header's `{key}` has no value"))
    };
    let descr = value("descr")?.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
    let (descr, _) = descr.ok_or("it holds records of several fields; save one plain array")?;
    let fortran = match value("fortran_order")? {
        rest if rest.starts_with("True") => true,
        rest if rest.starts_with("False") => false,
        _ => return Err("the header's `fortran_order` is neither True nor False".to_string()),
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
    // An axis of size 0 hides what the other axes multiply to.
    let plain = sizes.len() <= MAX_RANK && sizes.iter().all(|&size| size <= MAX_COUNT);
    let count = product.filter(|_| plain).ok_or_else(|| format!("shape ({tuple}) is too large"))?;
    let narrow = |size: u64| usize::try_from(size).map_err(|_| format!("shape ({tuple}) is too large"));
    let mut shape = sizes.into_iter().map(narrow).collect::<Result<Vec<_>, _>>()?;
    if shape.is_empty() {
        shape.push(1);
    }
    Ok((shape, narrow(count)?))
}
