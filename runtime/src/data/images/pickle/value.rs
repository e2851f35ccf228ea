//! What stands on the stack of a pickle.

use std::ops::Range;

/// A value; what is larger than a number is a place in one of the heap's lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Also what is read over: fractions, and whatever nobody asks for.
    None,
    /// Truth values are whole numbers.
    Integer(i64),
    /// Bytes or text in the file.
    Slice(Range<usize>),
    /// Bytes or text that had to be decoded.
    Owned(usize),
    /// Also tuples and sets of arguments.
    List(usize),
    /// Keys and values.
    Dictionary(usize),
    /// One of the names that are allowed.
    Global(Global),
    /// A NumPy array.
    Array(usize),
    /// The type of an array's numbers.
    Type(usize),
}

/// The names that are allowed; none of them is called, each is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `numpy.core.multiarray._reconstruct`
    Reconstruct,
    /// `numpy.ndarray`
    Array,
    /// `numpy.dtype`
    Type,
    /// `_codecs.encode`, by which Python 3 writes bytes for Python 2.
    Encode,
}

impl Global {
    /// What a module and a name stand for.
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

/// A NumPy array, once its state is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Array {
    /// Axis sizes.
    pub(super) shape: Vec<usize>,
    /// `u1`, `i8`, …; empty before the state is there.
    pub(super) kind: String,
    /// The numbers' bytes.
    pub(super) data: Option<Value>,
    /// The first axis fastest?
    pub(super) fortran: bool,
    /// The highest byte first?
    pub(super) big_endian: bool,
}

/// The type of an array's numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Type {
    /// `u1`, `i8`, `f4`, …
    pub(super) kind: String,
    /// The highest byte first?
    pub(super) big_endian: bool,
}

/// Everything that values point to. No value holds another one, so nothing can be nested deep enough to hurt.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heap {
    pub(super) owned: Vec<Vec<u8>>,
    pub(super) lists: Vec<Vec<Value>>,
    pub(super) dictionaries: Vec<Vec<(Value, Value)>>,
    pub(super) arrays: Vec<Array>,
    pub(super) types: Vec<Type>,
}
