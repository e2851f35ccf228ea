//! Diagnostics as Python objects: code, sentence, places, next step.

use gmpc_data::Note;
use gmpc_grammar::diagnostic::{self, Severity, render};
use gmpc_grammar::source::Sources;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::task::experiment::Warnings;
use pyo3::prelude::*;

/// One error or warning.
#[pyclass(frozen, get_all, module = "gmpc", from_py_object)]
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// `error` or `warning`.
    severity: String,
    /// `E0303`; `gmpc explain E0303` has a page about it.
    code: Option<String>,
    /// One sentence.
    message: String,
    /// One next step.
    help: Option<String>,
    /// The text it is about; `None` where it is about none.
    file: Option<String>,
    /// From 1.
    line: Option<usize>,
    /// From 1, in characters.
    column: Option<usize>,
    /// Every place, the first one that of the diagnostic.
    labels: Vec<Label>,
    /// The whole diagnostic for people, with the lines it is about.
    text: String,
}

/// A place with a remark.
#[pyclass(frozen, get_all, module = "gmpc", from_py_object)]
#[derive(Debug, Clone)]
pub struct Label {
    /// The text it lies in.
    file: String,
    /// Where it begins, from 1.
    line: usize,
    /// Where it begins, from 1, in characters.
    column: usize,
    /// A few words; may be empty.
    message: String,
}

#[pymethods]
impl Diagnostic {
    fn __str__(&self) -> String {
        self.text.clone()
    }

    fn __repr__(&self) -> String {
        let place = |line: usize| format!(" at {}:{line}", self.file.as_deref().unwrap_or_default());
        let code = self.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
        format!("<{}{code}{}: {}>", self.severity, self.line.map(place).unwrap_or_default(), self.message)
    }
}

#[pymethods]
impl Label {
    fn __repr__(&self) -> String {
        format!("<{}:{}:{}: {}>", self.file, self.line, self.column, self.message)
    }
}

impl Diagnostic {
    /// Is it an error?
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// Of a `.gmpnet` text.
    pub fn of(diagnostic: &diagnostic::Diagnostic, sources: &Sources) -> Self {
        let label = |label: &diagnostic::Label| {
            let (line, column) = sources.line_column(label.span);
            let file = sources.get(label.span.source).map(|source| source.name.clone()).unwrap_or_default();
            Label { file, line, column, message: label.text.clone() }
        };
        let labels: Vec<Label> = diagnostic.labels.iter().map(label).collect();
        let first = labels.first();
        Diagnostic {
            severity: match diagnostic.severity {
                Severity::Error => "error".into(),
                Severity::Warning => "warning".into(),
            },
            code: Some(diagnostic.code.into()),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            file: first.map(|label| label.file.clone()),
            line: first.map(|label| label.line),
            column: first.map(|label| label.column),
            text: render(diagnostic, sources).trim_end().to_string(),
            labels,
        }
    }

    /// A note about data or a run.
    pub fn of_note(note: &Note) -> Self {
        let of =
            Plain { severity: "warning", code: Some(note.code), message: &note.message, help: note.help.as_deref() };
        of.diagnostic(Some(&note.file).filter(|file| !file.is_empty()).cloned(), None, None)
    }

    /// Everything that is told of work that was done.
    pub fn all(warnings: &Warnings) -> Vec<Self> {
        let of_file = warnings.diagnostics.iter().map(|diagnostic| Self::of(diagnostic, &warnings.sources));
        of_file.chain(warnings.notes.iter().map(Self::of_note)).collect()
    }

    /// Why something was not done: all errors of a file, or one sentence about anything else.
    pub fn of_failure(failure: &Failure) -> Vec<Self> {
        if let Failure::File { diagnostics, sources } = failure
            && !diagnostics.is_empty()
        {
            return diagnostics.iter().map(|diagnostic| Self::of(diagnostic, sources)).collect();
        }
        let (place, message) = (failure.place().filter(|place| !place.file.is_empty()), failure.to_string());
        let of = Plain { severity: "error", code: failure.code(), message: &message, help: failure.help() };
        let number = |number: Option<u32>| number.map(|number| number as usize);
        vec![of.diagnostic(
            place.map(|place| place.file.clone()),
            number(place.and_then(|place| place.line)),
            number(place.and_then(|place| place.column)),
        )]
    }
}

/// A diagnostic without lines of a text.
struct Plain<'a> {
    severity: &'a str,
    code: Option<&'a str>,
    message: &'a str,
    help: Option<&'a str>,
}

impl Plain<'_> {
    fn diagnostic(&self, file: Option<String>, line: Option<usize>, column: Option<usize>) -> Diagnostic {
        let code = self.code.map(|code| format!("[{code}]")).unwrap_or_default();
        let mut text = format!("{}{code}: {}", self.severity, self.message);
        if let Some(help) = self.help {
            text += &format!("\n  help: {help}");
        }
        Diagnostic {
            severity: self.severity.into(),
            code: self.code.map(String::from),
            message: self.message.into(),
            help: self.help.map(String::from),
            labels: vec![],
            file,
            line,
            column,
            text,
        }
    }
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(code: &str, message: &str, help: &str) -> Self {
        Plain { severity: "error", code: Some(code), message, help: Some(help) }.diagnostic(None, None, None)
    }

    /// A warning that a run tells while it goes on.
    pub fn warning(code: &str, message: &str, help: Option<&str>) -> Self {
        Plain { severity: "warning", code: Some(code), message, help }.diagnostic(None, None, None)
    }
}
