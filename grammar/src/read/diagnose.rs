//! Makes an error from the place where the parser stopped: what is missing or too much, and what to write instead.
//!
//! Each question below examines the token where the parser stopped (`here`) and its neighbours. It answers with an error and the
//! token whose statement to leave out, or does not answer. The first answer counts, so special mistakes are asked first.

mod alone;
mod expression;
mod header;
mod statement;

use super::grammar::{Rule, Stop};
use super::scene::{Bracket, Scene};
use super::tokens::{TokenKind, span};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};

/// An error, and a token of the statement to leave out.
type Answer = Option<(Diagnostic, usize)>;

/// The place where the parser stopped.
struct Case<'s> {
    scene: &'s Scene<'s>,
    /// The rule for the whole text.
    rule: Rule,
    /// The token that does not fit; the number of tokens if the text ended.
    here: usize,
    /// The rules that could match here.
    expected: &'s [Rule],
    /// The meaning of the innermost open bracket.
    inside: Bracket,
    /// The first token of the statement or item.
    start: usize,
}

/// Returns the error for a stop of the parser, and a byte of the statement to leave out.
pub fn diagnose(scene: &Scene<'_>, stop: &Stop) -> (Diagnostic, usize) {
    let here = before_swallowed(scene, scene.index(stop.at));
    // A closing bracket counts as inside the brackets that it closes.
    let level = super::recover::level_of(scene, here);
    // The statement of the token before `here`, because an unexpected statement may begin at `here` itself.
    let start = scene.start_in(here.saturating_sub(1).max(level.map_or(0, |opener| opener + 1)), level);
    let case = Case { rule: stop.rule, scene, here, expected: &stop.expected, inside: scene.bracket(level), start };
    let in_file: &[fn(&Case<'_>) -> Answer] = &[statement::ask, header::ask, expression::ask];
    let alone: &[fn(&Case<'_>) -> Answer] = &[alone::ask, expression::ask];
    let questions = if stop.rule == Rule::file { in_file } else { alone };
    let (error, blamed) = questions.iter().find_map(|ask| ask(&case)).unwrap_or_else(|| unexpected(&case));
    let at = if blamed >= scene.tokens.len() { scene.text.len() } else { scene.span(blamed).start as usize };
    (error, at)
}

/// Finds the real place of the error in `epochs =`, followed by a line `batch = 5`. The parser took `batch` for the value and
/// stopped at the second `=`. The token that does not fit is then `batch`. The same applies to a definition that follows.
fn before_swallowed(scene: &Scene<'_>, here: usize) -> usize {
    let wants = |k: usize| scene.wants_more(k) || scene.word(k) == "use";
    let swallowed = |&k: &usize| {
        let named = scene.is_name(k) && matches!(scene.word(k + 1), "=" | ":");
        let open = k.checked_sub(1).is_some_and(|before| wants(before) && scene.word(before) != ",");
        open && scene.begins_line(k) && (named || scene.definition(k).is_some())
    };
    (here.saturating_sub(3)..here).rev().find(swallowed).unwrap_or(here)
}

impl<'s> Case<'s> {
    /// Returns the word at an offset from `here`. It is empty outside the text.
    fn word(&self, offset: isize) -> &'s str {
        self.at(offset).map_or("", |i| self.scene.word(i))
    }

    fn at(&self, offset: isize) -> Option<usize> {
        self.here.checked_add_signed(offset)
    }

    fn is_name(&self, offset: isize) -> bool {
        self.at(offset).is_some_and(|i| self.scene.is_name(i))
    }

    fn kind(&self, offset: isize) -> Option<TokenKind> {
        self.at(offset).and_then(|i| self.scene.kind(i))
    }

    fn span(&self, offset: isize) -> Span {
        self.scene.span(self.at(offset).unwrap_or(0))
    }

    /// Returns the place right after the token before `here`.
    fn gap(&self) -> Span {
        self.at(-1).map_or(span(self.scene.source, 0, 0), |i| self.scene.after(i))
    }

    fn expects(&self, rules: &[Rule]) -> bool {
        rules.iter().any(|rule| self.expected.contains(rule))
    }

    /// Does the text, a bracket, or a statement end here?
    fn ends(&self) -> bool {
        self.here >= self.scene.tokens.len() || matches!(self.word(0), ")" | "]" | "}") || self.scene.starts(self.here)
    }

    /// Does a definition begin here: `model levy {`?
    fn opens(&self) -> bool {
        self.scene.definition(self.here).is_some()
    }

    /// Returns a description of the token at `here`.
    fn found(&self) -> String {
        match self.kind(0) {
            None => "the end of the text".to_owned(),
            Some(TokenKind::Doc | TokenKind::FileDoc) => "documentation".to_owned(),
            Some(TokenKind::String | TokenKind::OpenString) => "a string".to_owned(),
            Some(_) => format!("`{}`", self.word(0)),
        }
    }
}

/// E0100: no other error fits. It only says what could be here.
fn unexpected(case: &Case<'_>) -> (Diagnostic, usize) {
    let error = Diagnostic::error("E0100", format!("{} does not fit here", case.found())).label(case.span(0), "here");
    let error = match case.expected.iter().find_map(|rule| wanted(*rule)) {
        Some(what) => error.help(format!("{what} would fit")),
        None => error.help("compare with the examples in the language reference"),
    };
    (error, case.here)
}

/// Returns a description of a rule. `None` for rules whose absence says nothing to the user.
fn wanted(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::expr | Rule::operation | Rule::reference | Rule::number => {
            "a value, such as `64`, `relu` or `conv(64, 3)`,"
        }
        Rule::stage => "a layer, such as `relu` or `dense(100)`,",
        Rule::name | Rule::path => "a name",
        Rule::body | Rule::branch | Rule::brace_open => "`{`",
        Rule::brace_close => "`}`",
        Rule::paren_close => "`)` or `,`",
        Rule::list_close => "`]` or `,`",
        Rule::assign | Rule::compute => "`=`",
        Rule::gives => "`=>`",
        Rule::EOI | Rule::definition | Rule::setting => {
            "a setting (`param = gmp`) or a definition (`model name { … }`)"
        }
        _ => return None,
    })
}

/// E0101: more bytes than are read.
pub fn too_large(bytes: usize, source: SourceId) -> Diagnostic {
    let (limit, has) = (super::MAX_BYTES >> 20, bytes.div_ceil(1 << 20));
    Diagnostic::error("E0101", format!("this text has {has} MiB; at most {limit} MiB are read"))
        .label(span(source, 0, 0), "in this text")
        .help("data belongs into a file of its own, which `data` or `dataset` names")
}

/// E0103: pest reached its own limits of calls or stack. This happens only in a thread with a very small stack.
pub fn exhausted(source: SourceId) -> Diagnostic {
    Diagnostic::error("E0103", "this text is nested too deeply to be read here")
        .label(span(source, 0, 0), "in this text")
        .help("give inner parts names of their own, `part = …`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::render;
    use crate::source::{Source, Sources};

    #[test]
    fn a_text_beyond_the_call_limit_has_its_own_error() {
        let mut sources = Sources::default();
        let id = sources.add(Source { name: "deep.gmpnet".into(), text: "model m {}\n".into() });
        insta::assert_snapshot!(render(&exhausted(id), &sources));
    }
}
