//! What reading the tokens alone finds wrong, and what to leave out so that the rest can be read.

use crate::diagnostic::Diagnostic;
use std::ops::Range;

/// Something wrong that the tokens alone show.
pub struct Fault {
    /// What to say.
    pub error: Diagnostic,
    /// A byte of the statement that must be left out, where removing the hole does not mend the text.
    pub broken: Option<usize>,
    /// What must go whatever is left out, for the brackets to match.
    pub hole: Range<usize>,
}
