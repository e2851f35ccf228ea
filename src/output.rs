//! What a person, or a program that reads us, gets to see.
//!
//! Results go to standard output; errors, warnings, notes and progress to standard error. With `--json`, standard output
//! carries JSON lines only and every text for people moves to standard error.

pub mod comparison;
pub mod diagnostics;
pub mod json;
pub mod layers;
pub mod progress;
pub mod table;
pub mod watch;

use crate::failure::{Failure, Findings};
use gmpc_runtime::event::Figure;
use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// How to talk.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// JSON lines on standard output.
    pub json: bool,
    /// Neither progress nor notes.
    pub quiet: bool,
}

impl Output {
    /// As the options say.
    pub fn new(json: bool, quiet: bool) -> Self {
        Output { json, quiet }
    }

    /// A result a person asked for, with its line end; to standard error where JSON was asked for.
    pub fn say(&self, text: impl Display) {
        if self.json { to_stderr(&text) } else { to_stdout(&text) }
    }

    /// A remark: not told to those who asked for quiet.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            to_stderr(&text);
        }
    }

    /// A warning without a place; told even to those who asked for quiet.
    pub fn warn(&self, text: impl Display) {
        to_stderr(&format_args!("warning: {text}"));
    }

    /// One JSON line, where JSON was asked for.
    pub fn line(&self, value: &serde_json::Value) {
        if self.json {
            to_stdout(value);
        }
    }

    /// Errors and warnings with their places.
    pub fn findings(&self, findings: &Findings) {
        let style = diagnostics::Style::of_stderr();
        for diagnostic in &findings.diagnostics {
            to_stderr(&diagnostics::draw(diagnostic, &findings.sources, style));
            if self.json {
                json::diagnostic(diagnostic, &findings.sources);
            }
        }
    }

    /// Why the command did not do its work.
    pub fn failure(&self, failure: &Failure) {
        match failure {
            Failure::File(findings) => {
                self.findings(findings);
                let errors = findings.errors();
                if errors > 1 {
                    to_stderr(&format_args!("{errors} errors"));
                }
            }
            Failure::Other(problem) => {
                to_stderr(&diagnostics::sentence(problem, diagnostics::Style::of_stderr()));
                if self.json {
                    json::error(
                        problem.code.unwrap_or(problem.kind.word()),
                        &problem.message,
                        None,
                        problem.help.as_deref(),
                    );
                }
            }
        }
    }
}

impl Findings {
    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == gmpc_grammar::diagnostic::Severity::Error).count()
    }
}

/// `valid.rmse 0.6212  test.rmse 0.6304`
pub fn figures(figures: &[Figure]) -> String {
    figures.iter().map(|(name, value)| format!("{name} {}", table::number(*value))).collect::<Vec<_>>().join("  ")
}

/// One line; a reader that has gone away (`gmpc … | head`) ends the program quietly, as other programs end.
pub fn to_stdout(text: &impl Display) {
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// One line; there is nobody to tell when standard error is closed.
pub fn to_stderr(text: &impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// May colours be used on standard output? (no-color.org)
pub fn stdout_is_colourful() -> bool {
    std::io::stdout().is_terminal() && colours_are_wanted()
}

/// Neither `NO_COLOR` nor a terminal that cannot.
pub fn colours_are_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
