//! Errors as JSON lines: `{"event":"error","code","kind","message","file","line","column","help"}`.

use gmpc_grammar::diagnostic::{Diagnostic, Severity};
use gmpc_grammar::source::Sources;
use serde_json::json;

/// A position in a file: the file's name, and the line and column counted from 1, if they are known.
pub type Place<'a> = (&'a str, Option<usize>, Option<usize>);

/// Prints one error line. Keys without a value are `null`. `kind` is the word for the exit code: `usage`, `data`, `io`.
pub fn error(kind: &str, code: &str, message: &str, place: Option<Place<'_>>, help: Option<&str>) {
    line("error", kind, code, message, place, help);
}

/// Prints one line for a diagnostic, with `"event":"warning"` for a warning.
pub fn diagnostic(diagnostic: &Diagnostic, sources: &Sources) {
    let event = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = diagnostic.labels.first().and_then(|label| {
        let (row, column) = sources.line_column(label.span);
        sources.get(label.span.source).map(|source| (source.name.as_str(), Some(row), Some(column)))
    });
    line(event, "file", diagnostic.code, &diagnostic.message, place, diagnostic.help.as_deref());
}

/// Prints one line.
fn line(event: &str, kind: &str, code: &str, message: &str, place: Option<Place<'_>>, help: Option<&str>) {
    super::to_stdout(&json!({
        "event": event,
        "code": code,
        "kind": kind,
        "message": message,
        "file": place.map(|p| p.0),
        "line": place.and_then(|p| p.1),
        "column": place.and_then(|p| p.2),
        "help": help,
    }));
}
