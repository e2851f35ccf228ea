//! Diagnostics: errors and warnings about a file. Each has a code, a sentence, places in the text, and a next step.
//!
//! Every stage has its own errors beside the code that finds them, as functions that return a [`Diagnostic`]. `src/` prints
//! them. Codes: E01xx syntax, E02xx names, E03xx shapes and layers, E04xx compile-time values, E05xx definitions
//! (parameterizations, losses, optimizers), E06xx training settings, E07xx data sets, W09xx warnings.

mod plain;

pub use plain::render;

use crate::source::Span;

/// Whether work continues after a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Work stops.
    Error,
    /// It is reported once, then work continues.
    Warning,
}

/// A place in a text with a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words, no full stop.
    pub text: String,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Its code, such as `E0303`. Codes never change their meaning. `gmpc explain` has a page for each.
    pub code: &'static str,
    /// One sentence in the words of the user, no full stop.
    pub message: String,
    /// The first label is the place of the error. Others show what it conflicts with.
    pub labels: Vec<Label>,
    /// One next step.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error with its sentence. Callers add places with [`Diagnostic::label`].
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Error, code, message: message.into(), labels: Vec::new(), help: None }
    }

    /// A warning with its sentence.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place. The first one is the place of the error.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the next step.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}
