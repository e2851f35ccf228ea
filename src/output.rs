//! Everything that gmpc prints, for people and for programs.
//!
//! Results go to standard output; errors, warnings, notes and progress go to standard error. With `--json`, standard
//! output has JSON lines only, and every text for people goes to standard error.

pub mod comparison;
pub mod diagnostics;
pub mod figures;
pub mod json;
pub mod progress;
pub mod runs;
pub mod table;
pub mod timings;
pub mod watch;

use crate::failure::{Failure, Findings, Kind};
use gmpc_data::Note;
use gmpc_runtime::event::{Event, Figure};
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The options that decide what is printed.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Write JSON lines to standard output.
    pub json: bool,
    /// Print no progress and no notes.
    pub quiet: bool,
}

impl Output {
    /// From the options `--json` and `--quiet`.
    pub fn new(json: bool, quiet: bool) -> Self {
        Output { json, quiet }
    }

    /// Prints a result and a line end. Goes to standard error with `--json`. Control characters are escaped, here and in the other
    /// texts for people: see [`printable`].
    pub fn say(&self, text: impl Display) {
        let text = printable(&text);
        if self.json { to_stderr(&text) } else { to_stdout(&text) }
    }

    /// Prints a result whose first part is bold, where standard output may have colours.
    pub fn say_bold(&self, bold: &str, rest: &str) {
        match stdout_is_colourful() && !self.json {
            true => to_stdout(&format_args!("\u{1b}[1m{}\u{1b}[0m{}", printable(&bold), printable(&rest))),
            false => self.say(format_args!("{bold}{rest}")),
        }
    }

    /// Prints a note, unless `--quiet` was given.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            to_stderr(&printable(&text));
        }
    }

    /// Prints a warning without a position, even with `--quiet`.
    pub fn warn(&self, text: impl Display) {
        to_stderr(&printable(&format_args!("warning: {text}")));
    }

    /// Prints a warning that has a page, even with `--quiet`.
    pub fn warn_of(&self, code: &str, text: impl Display) {
        to_stderr(&printable(&format_args!("warning[{code}]: {text}")));
    }

    /// Prints notes about data, as text and as JSON lines like those of a training.
    pub fn notes(&self, notes: &[Note]) {
        for note in notes {
            self.warn_of(note.code, note);
            if let Some(help) = &note.help {
                self.note(format_args!("  help: {help}"));
            }
            self.line(&Event::from(note).to_json());
        }
    }

    /// Prints one JSON line with `--json`, else nothing.
    pub fn line(&self, value: &serde_json::Value) {
        if self.json {
            to_stdout(value);
        }
    }

    /// Prints errors and warnings with their positions.
    pub fn findings(&self, findings: &Findings) {
        let style = diagnostics::Style::of_stderr();
        for diagnostic in &findings.diagnostics {
            to_stderr(&diagnostics::draw(diagnostic, &findings.sources, style));
            if self.json {
                json::diagnostic(diagnostic, &findings.sources);
            }
        }
    }

    /// Prints why a command failed.
    pub fn failure(&self, failure: &Failure) {
        match failure {
            Failure::File(findings) => {
                self.findings(findings);
                let errors = findings.errors();
                // For people alone: JSON has a line for each error.
                if errors > 1 {
                    to_stderr(&format_args!("{errors} errors"));
                }
            }
            Failure::Other(problem) => {
                to_stderr(&diagnostics::sentence(problem, diagnostics::Style::of_stderr()));
                if self.json {
                    json::error(
                        problem.kind.word(),
                        problem.code.unwrap_or(problem.kind.word()),
                        &problem.message,
                        problem.place.as_ref().map(|place| {
                            let number = |n: Option<u32>| n.and_then(|n| usize::try_from(n).ok());
                            (place.file.as_str(), number(place.line), number(place.column))
                        }),
                        problem.help.as_deref(),
                    );
                }
            }
        }
    }
}

impl Findings {
    /// The number of errors among them.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == gmpc_grammar::diagnostic::Severity::Error).count()
    }
}

/// A text for a terminal. Names of columns, classes and folders come from files of others: control characters in them, which a terminal
/// would obey, and signs that change the direction of writing are written as `\u{1b}`. Ends of lines and tabulators stay.
pub fn printable(text: &impl Display) -> String {
    let text = text.to_string();
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_obeyed = |c: char| c.is_control() && c != '\n' && c != '\t' || turns(c);
    if !text.contains(is_obeyed) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_obeyed(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// Printed after metrics that are better than on new data.
pub const CHOSEN_ON_TEST: &str = "  (epochs chosen on the test rows)";

/// `valid.rmse 0.6212  test.rmse 0.6304`
pub fn figures(figures: &[Figure]) -> String {
    figures.iter().map(|(name, value)| format!("{name} {}", table::number(*value))).collect::<Vec<_>>().join("  ")
}

/// Prints one line to standard output. A write error does not stop the command: [`lost`] returns it when the command is
/// done. A reader that closed the pipe (`gmpc … | head`) is no error.
pub fn to_stdout(text: &impl Display) {
    OUT.write(&mut std::io::stdout().lock(), text);
}

/// Prints one line to standard error, as [`to_stdout`] does.
pub fn to_stderr(text: &impl Display) {
    ERR.write(&mut std::io::stderr().lock(), text);
}

/// The first write error; `None` if there was none, or if the reader closed the pipe.
pub fn lost() -> Option<Failure> {
    let failure = |stream: &Stream, name: &str| {
        let error = stream.error.get()?;
        let help = "free some disk space, or write it elsewhere; the text that was written is incomplete";
        Some(Failure::with_help(Kind::Io, format!("cannot write {name}: {error}"), help))
    };
    failure(&OUT, "standard output").or_else(|| failure(&ERR, "standard error"))
}

/// Stores that a text for standard output could not be written, if other code tried to write it.
pub fn lose(error: std::io::Error) {
    OUT.lose(error);
}

static OUT: Stream = Stream::new();
static ERR: Stream = Stream::new();

/// A standard stream. After the first write error nothing more is written, because a text with a gap would mislead.
struct Stream {
    closed: AtomicBool,
    error: OnceLock<std::io::Error>,
}

impl Stream {
    const fn new() -> Self {
        Stream { closed: AtomicBool::new(false), error: OnceLock::new() }
    }

    fn write(&self, to: &mut dyn Write, text: &impl Display) {
        if !self.closed.load(Ordering::Relaxed)
            && let Err(error) = writeln!(to, "{text}").and_then(|()| to.flush())
        {
            self.lose(error);
        }
    }

    fn lose(&self, error: std::io::Error) {
        self.closed.store(true, Ordering::Relaxed);
        if error.kind() != ErrorKind::BrokenPipe {
            let _ = self.error.set(error); // the first one is reported
        }
    }
}

/// True if standard output may have colours (no-color.org).
fn stdout_is_colourful() -> bool {
    std::io::stdout().is_terminal() && colours_are_wanted()
}

/// False if `NO_COLOR` is set or the terminal has no colours.
pub fn colours_are_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails after this number of writes.
    struct Full(usize, ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            match self.0.checked_sub(1) {
                Some(left) => {
                    self.0 = left;
                    Ok(bytes.len())
                }
                None => Err(self.1.into()),
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let name = "a\u{1b}[31mred\u{7} \u{202e}b\r\n\tc\u{e9}";
        assert_eq!(printable(&name), "a\\u{1b}[31mred\\u{7} \\u{202e}b\\u{d}\n\tc\u{e9}");
        assert_eq!(printable(&"plain"), "plain");
    }

    #[test]
    fn a_full_disk_is_remembered_and_a_reader_that_went_away_is_not() {
        let (full, gone) = (Stream::new(), Stream::new());
        for _ in 0..3 {
            full.write(&mut Full(0, ErrorKind::StorageFull), &"a line");
            gone.write(&mut Full(0, ErrorKind::BrokenPipe), &"a line");
        }
        assert_eq!(full.error.get().map(std::io::Error::kind), Some(ErrorKind::StorageFull));
        assert!(gone.error.get().is_none() && gone.closed.load(Ordering::Relaxed));
        let mut later = Full(9, ErrorKind::StorageFull);
        full.write(&mut later, &"nothing follows a gap");
        assert_eq!(later.0, 9);
    }
}
