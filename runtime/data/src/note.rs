//! Notes about data that are used nevertheless: a code, the file, one sentence, and one next step.

use serde::Serialize;
use std::fmt;

/// A note. It is reported once, and the command continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The code of its page, such as `W0771`. A code never changes its meaning.
    pub code: &'static str,
    /// The file that it is about.
    pub file: String,
    /// One sentence with counts, without a full stop.
    pub message: String,
    /// One next step, or how to silence the note.
    pub help: Option<String>,
}

impl Note {
    /// A note about a file.
    pub fn new(code: &'static str, file: impl Into<String>, message: impl Into<String>) -> Self {
        Note { code, file: file.into(), message: message.into(), help: None }
    }

    /// Adds the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.message)
    }
}
