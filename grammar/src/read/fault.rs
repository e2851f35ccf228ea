//! Faults that the tokens alone show, and what to leave out so that the rest can be read.

use crate::diagnostic::Diagnostic;
use std::ops::Range;

/// A fault that the tokens alone show.
pub struct Fault {
    /// The error.
    pub error: Diagnostic,
    /// A byte of the statement to leave out, if removing the hole does not make the text valid.
    pub broken: Option<usize>,
    /// The bytes to remove in any case, so that the brackets match.
    pub hole: Range<usize>,
}
