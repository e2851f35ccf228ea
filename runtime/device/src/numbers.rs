//! Numbers in single or double precision: owned, borrowed, or borrowed for writing.

use gmpc_compiler::ir::experiment::Precision;

/// A vector of numbers in single or double precision.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Single.
    F32(Vec<f32>),
    /// Double.
    F64(Vec<f64>),
}

impl Numbers {
    /// `len` zeros.
    #[must_use]
    pub fn zeros(precision: Precision, len: usize) -> Self {
        match precision {
            Precision::F32 => Numbers::F32(vec![0.0; len]),
            Precision::F64 => Numbers::F64(vec![0.0; len]),
        }
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(data) => data.len(),
            Numbers::F64(data) => data.len(),
        }
    }

    /// Are there no elements?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The precision of every element.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match self {
            Numbers::F32(_) => Precision::F32,
            Numbers::F64(_) => Precision::F64,
        }
    }

    /// One element in double precision.
    ///
    /// # Panics
    /// `index` is beyond the end.
    #[must_use]
    pub fn get(&self, index: usize) -> f64 {
        match self {
            Numbers::F32(data) => f64::from(data[index]),
            Numbers::F64(data) => data[index],
        }
    }

    /// All elements, for reading.
    #[must_use]
    pub fn as_slice(&self) -> Slice<'_> {
        match self {
            Numbers::F32(data) => Slice::F32(data),
            Numbers::F64(data) => Slice::F64(data),
        }
    }

    /// All elements, for writing.
    #[must_use]
    pub fn as_mut(&mut self) -> SliceMut<'_> {
        match self {
            Numbers::F32(data) => SliceMut::F32(data),
            Numbers::F64(data) => SliceMut::F64(data),
        }
    }
}

/// Numbers borrowed for reading.
#[derive(Debug, Clone, Copy)]
pub enum Slice<'a> {
    /// Single.
    F32(&'a [f32]),
    /// Double.
    F64(&'a [f64]),
}

/// Numbers borrowed for writing.
#[derive(Debug)]
pub enum SliceMut<'a> {
    /// Single.
    F32(&'a mut [f32]),
    /// Double.
    F64(&'a mut [f64]),
}

impl Slice<'_> {
    /// A copy in double precision.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Slice::F32(data) => data.iter().copied().map(f64::from).collect(),
            Slice::F64(data) => data.to_vec(),
        }
    }
}

impl Slice<'_> {
    /// The first element in double precision. NaN if there is none.
    #[must_use]
    pub fn first(&self) -> f64 {
        match self {
            Slice::F32(data) => data.first().map_or(f64::NAN, |&number| f64::from(number)),
            Slice::F64(data) => data.first().copied().unwrap_or(f64::NAN),
        }
    }
}

impl SliceMut<'_> {
    /// An owned copy.
    #[must_use]
    pub fn to_numbers(&self) -> Numbers {
        match self {
            SliceMut::F32(data) => Numbers::F32(data.to_vec()),
            SliceMut::F64(data) => Numbers::F64(data.to_vec()),
        }
    }
}

impl SliceMut<'_> {
    /// Overwrites all elements with `from`.
    ///
    /// # Panics
    /// Precision or length differ.
    pub fn copy_from(&mut self, from: &Slice<'_>) {
        match (self, from) {
            (SliceMut::F32(to), Slice::F32(from)) => to.copy_from_slice(from),
            (SliceMut::F64(to), Slice::F64(from)) => to.copy_from_slice(from),
            (SliceMut::F32(_), Slice::F64(_)) | (SliceMut::F64(_), Slice::F32(_)) => {
                unreachable!("a copy between two precisions")
            }
        }
    }
}
