//! What is told to a person when a file is wrong: a code, a sentence, places in the text, a next step.
//!
//! Every stage words its own errors beside the code that finds them, as functions returning a [`Diagnostic`]; `src/`
//! draws them. Codes: E01xx syntax, E02xx names, E03xx shapes and layers, E04xx compile-time values, E05xx definitions
//! (parameterizations, losses, optimizers), E06xx training settings, E07xx data sets, W09xx warnings.

mod plain;

pub use plain::render;

use crate::source::Span;

/// Does the compilation go on?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is run.
    Error,
    /// Told once, then work goes on.
    Warning,
}

/// A place in a text and what to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// A few words, no full stop.
    pub text: String,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// `E0303`, stable for ever; `gmpc explain` has a page for each.
    pub code: &'static str,
    /// One sentence in the reader's words, no full stop.
    pub message: String,
    /// The first label is where the error is; others say what it clashes with.
    pub labels: Vec<Label>,
    /// One next step.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error with its sentence; add places with [`Diagnostic::label`].
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Error, code, message: message.into(), labels: Vec::new(), help: None }
    }

    /// A warning with its sentence.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place; the first one added is the main one.
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
