//! Errors as JSON lines: `{"event":"error","code","message","file","line","column","help"}`.

use gmpc_grammar::diagnostic::{Diagnostic, Severity};
use gmpc_grammar::source::Sources;
use serde_json::json;

/// A place in a file: its name, and line and column from 1.
pub type Place<'a> = (&'a str, usize, usize);

/// One error line; keys without a value are `null`.
pub fn error(code: &str, message: &str, place: Option<Place<'_>>, help: Option<&str>) {
    line("error", code, message, place, help);
}

/// One line for a diagnostic: `"event":"warning"` for a warning.
pub fn diagnostic(diagnostic: &Diagnostic, sources: &Sources) {
    let event = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = diagnostic.labels.first().and_then(|label| {
        let (row, column) = sources.line_column(label.span);
        sources.get(label.span.source).map(|source| (source.name.as_str(), row, column))
    });
    line(event, diagnostic.code, &diagnostic.message, place, diagnostic.help.as_deref());
}

/// Writes it.
fn line(event: &str, code: &str, message: &str, place: Option<Place<'_>>, help: Option<&str>) {
    super::to_stdout(&json!({
        "event": event,
        "code": code,
        "message": message,
        "file": place.map(|p| p.0),
        "line": place.map(|p| p.1),
        "column": place.map(|p| p.2),
        "help": help,
    }));
}
