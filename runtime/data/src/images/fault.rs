//! Why a file cannot be used as an image: it is damaged, or of a kind that is not supported.

use std::fmt;

/// A reason and a next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: String,
    pub(super) help: &'static str,
}

impl Fault {
    /// A damaged file.
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        let help = "get the file again, or remove it from its folder; `gmpc data verify` finds all such files at once";
        Fault { reason: reason.into(), help }
    }

    /// A JPEG that may be valid but that the decoder does not read correctly.
    pub(super) fn kind(reason: impl fmt::Display) -> Self {
        let help = "save it again as an ordinary JPEG (as Pillow does) or as PNG, or remove it from its folder";
        Fault { reason: format!("this kind of JPEG is not supported: {reason}"), help }
    }

    /// A file that may be valid but is of another kind.
    pub(super) fn other(reason: impl Into<String>, help: &'static str) -> Self {
        Fault { reason: reason.into(), help }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
