//! Prints diagnostics: the code and the sentence, every position in its own text, and the next step.
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
//! miette draws the snippets, one for each text that has a label (the user's file, the standard library, an option).
//! The lines around them are drawn here, so that a diagnostic with positions in two texts still reads as one.

use super::printable;
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
    /// Width of the terminal in columns.
    pub width: usize,
}

impl Style {
    /// The style for standard error: with colours on a terminal unless `NO_COLOR` is set.
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
    let mut text = format!("{head}: {}\n", printable(&diagnostic.message));
    for (id, labels) in by_source(&diagnostic.labels) {
        if let Some(source) = sources.get(id) {
            text.push_str(&snippet(source, &labels, style));
        }
    }
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("  help: {}\n", printable(&indented(help))));
    }
    text
}

/// A problem without a position, in the same style.
pub fn sentence(problem: &Problem, style: Style) -> String {
    let word = if matches!(problem.kind, crate::failure::Kind::Stopped(_)) { "stopped" } else { "error" };
    let head = problem.code.map_or(word.to_string(), |code| format!("{word}[{code}]"));
    let mut text = format!("{}: {}", paint(style, Severity::Error, &head), printable(&problem.message));
    if let Some(help) = &problem.help {
        text.push_str(&format!("\n  help: {}", printable(&indented(help))));
    }
    text
}

/// Indents the later lines of a help text below its first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n        ")
}

/// Paints a text bold and red or yellow, if colours are on.
fn paint(style: Style, severity: Severity, text: &str) -> String {
    match (style.colour, severity) {
        (false, _) => text.to_string(),
        (true, Severity::Error) => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
        (true, Severity::Warning) => format!("\u{1b}[1;33m{text}\u{1b}[0m"),
    }
}

/// Groups labels by their texts. The main label's text comes first, the others follow in order of appearance.
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
    let places: Vec<LabeledSpan> = labels.iter().map(|label| place(&source.text, label)).collect();
    let column = column_of_first(&source.text, &places);
    let (text, labels) = shortened(&source.text, places);
    let is_cut = text.len() != source.text.len();
    let report = Snippet { source: NamedSource::new(&source.name, text), labels };
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
    // miette's first line is a head without a message. The second line holds the position, which must be that in the
    // whole line.
    let drawn = drawn.split_once('\n').map_or("", |(_, rest)| rest);
    match column.filter(|_| is_cut) {
        Some(column) => at_column(drawn, column),
        None => drawn.to_string(),
    }
}

/// `[a.gmpnet:2:61]` with another column: that of the line before it was shortened.
fn at_column(drawn: &str, column: usize) -> String {
    let (head, rest) = drawn.split_once('\n').unwrap_or((drawn, ""));
    let named = head.rfind(']').and_then(|end| Some((head[..end].rfind(':')?, end)));
    named.map_or(drawn.to_string(), |(start, end)| format!("{}:{column}{}\n{rest}", &head[..start], &head[end..]))
}

/// Lines with more characters than this are shortened around the labels: they are unreadable, and miette cannot draw
/// them.
const LONG: usize = 1000;
/// Characters that are shown on either side of a label in such a line.
const AROUND: usize = 60;

/// The column, counted from 1, at which the first label of a snippet begins.
fn column_of_first(text: &str, labels: &[LabeledSpan]) -> Option<usize> {
    let at = labels.iter().map(LabeledSpan::offset).min()?;
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    Some(text[line..at].chars().count() + 1)
}

/// The text with its long lines shortened, and the labels at their new positions.
fn shortened(text: &str, labels: Vec<LabeledSpan>) -> (String, Vec<LabeledSpan>) {
    let long = |line: &str| line.len() > LONG && line.chars().count() > LONG;
    if !text.split('\n').any(long) {
        return (text.to_string(), labels);
    }
    // Ends of labels stay in the text. What lies far from all of them is left out, so their offsets change.
    let mut ends: Vec<usize> = labels.iter().flat_map(|l| [l.offset(), l.offset() + l.len()]).collect();
    ends.sort_unstable();
    let (mut short, mut moved, mut at) = (String::new(), vec![0; ends.len()], 0);
    for line in text.split_inclusive('\n') {
        let inside: Vec<usize> = (0..ends.len()).filter(|&i| (at..=at + line.len()).contains(&ends[i])).collect();
        let begin = short.len();
        if long(line) {
            let near: Vec<usize> = inside.iter().map(|&i| ends[i] - at).collect();
            let places = cut(line, &near, &mut short);
            inside.iter().zip(places).for_each(|(&i, place)| moved[i] = place);
        } else {
            short.push_str(line);
            inside.iter().for_each(|&i| moved[i] = begin + ends[i] - at);
        }
        at += line.len();
    }
    let to = |old: usize| ends.iter().position(|end| *end == old).map_or(0, |i| moved[i]);
    let label = |l: &LabeledSpan| {
        let (start, end) = (to(l.offset()), to(l.offset() + l.len()));
        LabeledSpan::new(l.label().map(String::from), start, end.saturating_sub(start))
    };
    let labels = labels.iter().map(label).collect();
    (short, labels)
}

/// Appends the parts of a line around these positions to `short`, with an ellipsis for each part that is left out.
/// Returns the new positions.
fn cut(line: &str, near: &[usize], short: &mut String) -> Vec<usize> {
    let mut places = vec![short.len(); near.len()];
    // Windows are ranges of characters, since cuts must not split one. A line without labels keeps its beginning.
    let starts: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
    let index = |at: usize| starts.partition_point(|start| *start < at).min(starts.len() - 1);
    let windows = near.iter().map(|&at| (index(at).saturating_sub(AROUND), (index(at) + AROUND).min(starts.len() - 1)));
    let mut windows: Vec<(usize, usize)> = if near.is_empty() { vec![(0, AROUND)] } else { windows.collect() };
    windows.dedup_by(|next, last| {
        next.0 <= last.1 && {
            last.1 = last.1.max(next.1);
            true
        }
    });
    let mut done = 0;
    for (first, last) in windows {
        if first > done {
            short.push('…');
        }
        let (from, to) = (starts[first], starts[last]);
        for (place, &at) in places.iter_mut().zip(near).filter(|(_, at)| (from..=to).contains(*at)) {
            *place = short.len() + at - from;
        }
        short.push_str(&line[from..to]);
        done = last;
    }
    if done + 1 < starts.len() {
        short.push('…');
        if line.ends_with('\n') {
            short.push('\n');
        }
    }
    places
}

/// Converts a label for miette. An empty span becomes one character wide. A span at or beyond the end of the text moves
/// back to the last character, so that there is always something to mark.
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
    LabeledSpan::new((!label.text.is_empty()).then(|| printable(&label.text)), start, length)
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
    fn a_place_far_along_a_line_is_drawn_and_named() {
        for far in [999, 70_000, 200_000] {
            let mut sources = Sources::default();
            let text = format!("param = gmp\nseed ={}@ é {}\ndata = levy\n", " ".repeat(far), "x ".repeat(far));
            sources.add(Source { name: "a.gmpnet".into(), text });
            let start = u32::try_from(18 + far).unwrap();
            let diagnostic = Diagnostic::error("E0201", "this is no number").label(at(0, start, start + 1), "here");
            let drawn = draw(&diagnostic, &sources, PLAIN);
            assert!(drawn.contains(&format!("[a.gmpnet:2:{}]", far + 7)), "{drawn}");
            assert!(drawn.contains("@ é x") && drawn.contains("here") && drawn.len() < 2000, "{drawn}");
        }
    }

    #[test]
    fn two_places_far_apart_in_a_line_are_both_drawn() {
        let mut sources = Sources::default();
        let text = format!("a = [first, {} second]", "0, ".repeat(40_000));
        let second = u32::try_from(text.find("second").unwrap()).unwrap();
        sources.add(Source { name: "a.gmpnet".into(), text });
        let diagnostic =
            Diagnostic::error("E0201", "two").label(at(0, 5, 10), "one").label(at(0, second, second + 6), "another");
        let drawn = draw(&diagnostic, &sources, PLAIN);
        for part in ["first", "second", "one", "another", "…", "[a.gmpnet:1:6]"] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
    }

    #[test]
    fn a_diagnostic_without_a_place_is_a_sentence() {
        assert_snapshot!(draw(&Diagnostic::error("E0101", "the file is empty"), &sources(), PLAIN));
    }
}
