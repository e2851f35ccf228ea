//! The values on the stack of a pickle.

use std::ops::Range;

/// A value. Everything larger than a number is an index into one of the heap's lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// None, and also values that are skipped, such as fractions.
    None,
    /// An integer. Truth values are integers too.
    Integer(i64),
    /// Bytes or text, as a range in the file.
    Slice(Range<usize>),
    /// Bytes or text that had to be decoded.
    Owned(usize),
    /// A list, or a tuple or set of arguments.
    List(usize),
    /// A dictionary of keys and values.
    Dictionary(usize),
    /// One of the allowed names.
    Global(Global),
    /// A NumPy array.
    Array(usize),
    /// The type of an array's numbers.
    Type(usize),
}

/// The allowed names. None of them is called; their effect is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `numpy.core.multiarray._reconstruct`
    Reconstruct,
    /// `numpy.ndarray`
    Array,
    /// `numpy.dtype`
    Type,
    /// `_codecs.encode`, with which Python 3 writes bytes for Python 2.
    Encode,
}

impl Global {
    /// The allowed name with this module and name, if it is one.
    pub(super) fn named(module: &[u8], name: &[u8]) -> Option<Self> {
        match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => Some(Global::Reconstruct),
            (b"numpy", b"ndarray") => Some(Global::Array),
            (b"numpy", b"dtype") => Some(Global::Type),
            (b"_codecs", b"encode") => Some(Global::Encode),
            _ => None,
        }
    }
}

/// A NumPy array.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Array {
    /// Axis sizes.
    pub(super) shape: Vec<usize>,
    /// `u1`, `i8`, …; empty before its state is set.
    pub(super) kind: String,
    /// The bytes of the numbers.
    pub(super) data: Option<Value>,
    /// True if the first axis varies fastest.
    pub(super) fortran: bool,
    /// True for big-endian numbers.
    pub(super) big_endian: bool,
}

/// The type of an array's numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Type {
    /// `u1`, `i8`, `f4`, …
    pub(super) kind: String,
    /// True for big-endian numbers.
    pub(super) big_endian: bool,
}

/// All composite values. A value refers to others by index and does not contain them, so deep nesting needs no
/// recursion.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heap {
    pub(super) owned: Vec<Vec<u8>>,
    pub(super) lists: Vec<Vec<Value>>,
    pub(super) dictionaries: Vec<Vec<(Value, Value)>>,
    pub(super) arrays: Vec<Array>,
    pub(super) types: Vec<Type>,
}
