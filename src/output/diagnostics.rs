//! Draws diagnostics: the code and the sentence, every place in its own text, the next step.
//!
//! ```text
//! error[E0303]: shapes do not match in an addition
//!    ╭─[resnet.gmpnet:9:5]
//!  9 │     residual + input -> relu
//!    ·     ────┬───   ──┬──
//!    ·         │        ╰── 64 features
//!    ·         ╰── 100 features
//!    ╰────
//!   help: give both the same size
//! ```
//!
//! miette draws the snippets, one for each text that has a label (the user's file, the standard library, an option); the
//! lines around them are ours, so that a diagnostic with places in two texts still reads as one.

use crate::failure::Problem;
use gmpc_grammar::diagnostic::{Diagnostic, Label, Severity};
use gmpc_grammar::source::{Source, SourceId, Sources};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use std::io::IsTerminal;

/// How snippets are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Style {
    /// What standard error can show: colours on a terminal unless `NO_COLOR` is set.
    pub fn of_stderr() -> Self {
        let colour = std::io::stderr().is_terminal() && super::colours_are_wanted();
        Style { colour, width: 120 }
    }
}

/// The whole diagnostic, without a line end after it.
pub fn draw(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let head = paint(style, diagnostic.severity, &format!("{word}[{}]", diagnostic.code));
    let mut text = format!("{head}: {}\n", diagnostic.message);
    for (id, labels) in by_source(&diagnostic.labels) {
        if let Some(source) = sources.get(id) {
            text.push_str(&snippet(source, &labels, style));
        }
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("  help: {}\n", indented(help)));
    }
    text
}

/// A problem without a place, in the same manner.
pub fn sentence(problem: &Problem, style: Style) -> String {
    let word = if matches!(problem.kind, crate::failure::Kind::Stopped(_)) { "stopped" } else { "error" };
    let head = problem.code.map_or(word.to_string(), |code| format!("{word}[{code}]"));
    let mut text = format!("{}: {}", paint(style, Severity::Error, &head), problem.message);
    if let Some(help) = &problem.help {
        text.push_str(&format!("\n  help: {}", indented(help)));
    }
    text
}

/// Later lines of a help text stand below its first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n        ")
}

/// Red or yellow, bold, where colours can be shown.
fn paint(style: Style, severity: Severity, text: &str) -> String {
    match (style.colour, severity) {
        (false, _) => text.to_string(),
        (true, Severity::Error) => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
        (true, Severity::Warning) => format!("\u{1b}[1;33m{text}\u{1b}[0m"),
    }
}

/// Labels by text, the main label's text first, otherwise in order of appearance.
fn by_source(labels: &[Label]) -> Vec<(SourceId, Vec<&Label>)> {
    let mut groups: Vec<(SourceId, Vec<&Label>)> = Vec::new();
    for label in labels {
        match groups.iter_mut().find(|(id, _)| *id == label.span.source) {
            Some((_, group)) => group.push(label),
            None => groups.push((label.span.source, vec![label])),
        }
    }
    groups
}

/// The lines of one text around its labels.
fn snippet(source: &Source, labels: &[&Label], style: Style) -> String {
    if source.text.trim().is_empty() {
        return String::new();
    }
    let report = Snippet {
        source: NamedSource::new(&source.name, source.text.clone()),
        labels: labels.iter().map(|label| place(&source.text, label)).collect(),
    };
    let theme = if style.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_links(false)
        .with_context_lines(1)
        .without_syntax_highlighting();
    let mut drawn = String::new();
    if handler.render_report(&mut drawn, &report).is_err() {
        return String::new();
    }
    // The first line is miette's own head with an empty message.
    drawn.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_string())
}

/// A label as miette takes it. An empty span is widened to one character, and one at or beyond the end moved back to the
/// last line that has any, so that there is always something to point at.
fn place(text: &str, label: &Label) -> LabeledSpan {
    let written = text.trim_end().len();
    let clamp = |at: u32| {
        let mut at = (at as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (mut start, end) = (clamp(label.span.start), clamp(label.span.end));
    if start >= written {
        start = text[..written].char_indices().next_back().map_or(0, |(at, _)| at);
    }
    let next = text[start..].chars().next().map_or(0, char::len_utf8);
    let length = end.min(written).saturating_sub(start).max(next);
    LabeledSpan::new((!label.text.is_empty()).then(|| label.text.clone()), start, length)
}

/// One text and its labels, for miette.
#[derive(Debug)]
struct Snippet {
    source: NamedSource<String>,
    labels: Vec<LabeledSpan>,
}

impl std::fmt::Display for Snippet {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Snippet {}

impl miette::Diagnostic for Snippet {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_grammar::source::Span;
    use insta::assert_snapshot;

    const PLAIN: Style = Style { colour: false, width: 100 };

    fn at(source: u32, start: u32, end: u32) -> Span {
        Span { source: SourceId(source), start, end }
    }

    fn sources() -> Sources {
        let mut sources = Sources::default();
        sources.add(Source { name: "a.gmpnet".into(), text: "param = gmp\ndata = levy\n".into() });
        sources.add(Source { name: "--set train.epochs".into(), text: "many".into() });
        sources
    }

    #[test]
    fn two_places_in_one_text_share_a_snippet() {
        let diagnostic = Diagnostic::error("E0201", "two things clash")
            .label(at(0, 8, 11), "this one")
            .label(at(0, 19, 23), "and this one")
            .help("take one away");
        assert_snapshot!(draw(&diagnostic, &sources(), PLAIN));
    }

    #[test]
    fn places_in_two_texts_get_a_snippet_each() {
        let diagnostic = Diagnostic::error("E0601", "this is no number")
            .label(at(1, 0, 4), "from this option")
            .label(at(0, 0, 5), "goes here");
        assert_snapshot!(draw(&diagnostic, &sources(), PLAIN));
    }

    #[test]
    fn a_place_beyond_the_end_is_drawn_at_the_end() {
        let diagnostic = Diagnostic::warning("W0901", "the file ends too soon").label(at(0, 900, 905), "here");
        assert_snapshot!(draw(&diagnostic, &sources(), PLAIN));
    }

    #[test]
    fn a_diagnostic_without_a_place_is_a_sentence() {
        assert_snapshot!(draw(&Diagnostic::error("E0101", "the file is empty"), &sources(), PLAIN));
    }
}
