//! Prints a diagnostic as plain text, without colours: for snapshots, logs and editors.
//!
//! ```text
//! error[E0104]: `{` is never closed
//!   levy.gmpnet:3:12
//!   3 │ model levy {
//!     │            ^ opened here
//!   help: add `}` where it ends
//! ```

use super::{Diagnostic, Label, Severity};
use crate::source::{SourceId, Sources};
use std::fmt::Write;

/// The longest part of a line that is shown, in characters. It always contains the start of the marked place.
const SHOWN: usize = 120;

/// Prints a diagnostic with the lines of its labels, in the order of the labels. The text ends with a line end.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out = format!("{severity}[{}]: {}\n", diagnostic.code, diagnostic.message);
    let mut before: Option<(SourceId, usize)> = None;
    for label in &diagnostic.labels {
        let place = Excerpt::of(label, sources);
        let here = (label.span.source, place.line);
        // The name of a text is printed only when the text changes, and a line only when it changes.
        if before.is_none_or(|(source, _)| source != here.0) {
            // Writing to a `String` cannot fail.
            let _ = writeln!(out, "  {}:{}:{}", place.name, place.line, place.column);
        }
        if before != Some(here) || place.skipped() > 0 {
            place.draw_line(&mut out);
        }
        place.draw_mark(&label.text, &mut out);
        before = Some(here);
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "  help: {help}");
    }
    out
}

/// The first line of a label, and its marked columns.
struct Excerpt<'s> {
    name: &'s str,
    line: usize,
    column: usize,
    text: &'s str,
    marked: usize,
}

impl<'s> Excerpt<'s> {
    fn of(label: &Label, sources: &'s Sources) -> Self {
        let (line, column) = sources.line_column(label.span);
        let source = sources.get(label.span.source);
        let text = source.map_or("", |s| s.text.as_str()).split('\n').nth(line - 1).unwrap_or("").trim_end();
        let marked = sources.slice(label.span).split('\n').next().unwrap_or("").trim_end().chars().count();
        Excerpt { name: source.map_or("?", |s| s.name.as_str()), line, column, text, marked: marked.max(1) }
    }

    /// Returns the number of characters that are left out at the start of a very long line.
    fn skipped(&self) -> usize {
        if self.column > SHOWN { self.column - SHOWN / 2 } else { 0 }
    }

    fn draw_line(&self, out: &mut String) {
        // A tab is printed as one blank, so that the marks in the next line are below the marked characters.
        let shown: String = self.text.chars().skip(self.skipped()).take(SHOWN).map(printable).collect();
        let _ = writeln!(out, "  {} │ {}", self.line, shown.trim_end());
    }

    fn draw_mark(&self, said: &str, out: &mut String) {
        let before = " ".repeat(self.column.saturating_sub(1 + self.skipped()));
        let marks = "^".repeat(self.marked.min(SHOWN.saturating_sub(before.len()).max(1)));
        let width = self.line.to_string().len();
        let _ = writeln!(out, "  {:width$} │ {before}{marks} {said}", "");
    }
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Span};

    fn marked(text: &str, start: u32, end: u32) -> String {
        let mut sources = Sources::default();
        let source = sources.add(Source { name: "a.gmpnet".to_owned(), text: text.to_owned() });
        let error = Diagnostic::error("E0100", "something is wrong").label(Span { source, start, end }, "here");
        render(&error, &sources)
    }

    #[test]
    fn marks_stand_under_their_characters() {
        insta::assert_snapshot!(marked("a = 1\n\tθ = 2", 7, 9), @r"
        error[E0100]: something is wrong
          a.gmpnet:2:2
          2 │  θ = 2
            │  ^ here
        ");
    }

    #[test]
    fn the_end_of_a_text_can_be_marked() {
        insta::assert_snapshot!(marked("a =", 3, 3), @r"
        error[E0100]: something is wrong
          a.gmpnet:1:4
          1 │ a =
            │    ^ here
        ");
    }

    #[test]
    fn an_error_with_a_span_outside_of_its_text_is_still_shown() {
        assert!(marked("a", 70, 90).contains("something is wrong"));
    }
}
