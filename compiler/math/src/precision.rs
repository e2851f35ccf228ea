//! The floating-point type of a program.

/// The floating-point type of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// `f32`
    F32,
    /// `f64`
    F64,
}

impl Precision {
    /// Returns the size of one number in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F64 => 8,
        }
    }
}
