//! The types of numbers in memory and inside kernels.
//!
//! Inside kernels all values have the program's [`Precision`]. Memory may hold narrower numbers. A kernel that reads bfloat16
//! widens it, and a kernel that writes it rounds. `verify` says which kernels may do so.

use crate::ir::experiment::Precision;
use std::fmt::{Display, Formatter, Result};

/// The type of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dtype {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// bfloat16: 1 bit of sign, 8 of exponent, 7 of fraction; the upper half of an `F32`.
    Bf16,
    /// A byte. It says which pixel of a window was the maximum, and which pixels were above zero.
    U8,
    /// A word, a part of the key or of the counter of the random numbers.
    U32,
}

impl Dtype {
    /// Returns the size of one number in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F32 | Dtype::U32 => 4,
            Dtype::F64 => 8,
            Dtype::Bf16 => 2,
            Dtype::U8 => 1,
        }
    }

    /// Returns the size of `elements` numbers in bytes, rounded up to whole words of 32 bits: kernels access narrow numbers in
    /// words.
    #[must_use]
    pub fn room(self, elements: usize) -> usize {
        (elements * self.bytes()).next_multiple_of(4)
    }

    /// Can the nests and casts of a program with this precision read and write it? They can convert their own dtype, and in
    /// single precision also bfloat16. From double precision, numbers would be rounded twice on the way to bfloat16.
    #[must_use]
    pub fn converts_to(self, precision: Precision) -> bool {
        self == Dtype::from(precision) || (self == Dtype::Bf16 && precision == Precision::F32)
    }
}

impl From<Precision> for Dtype {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Dtype::F32,
            Precision::F64 => Dtype::F64,
        }
    }
}

impl Display for Dtype {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::Bf16 => "bf16",
            Dtype::U8 => "u8",
            Dtype::U32 => "u32",
        })
    }
}
