//! A text as a list of tokens. Errors are made from tokens, and comments are found among them.

use super::grammar::{self, Rule, Stop};
use crate::source::{SourceId, Span};

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `//! …`
    FileDoc,
    /// `/// …`
    Doc,
    /// `// …`
    Comment,
    /// `"…"`
    String,
    /// `"…` up to the end of its line
    OpenString,
    /// `10_000`, but also `3x`
    Number,
    /// A name or a keyword.
    Word,
    /// `->`, and any character that belongs to nothing else.
    Symbol,
}

/// A token and its place in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Its kind.
    pub kind: TokenKind,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Token {
    /// Returns its span.
    pub fn span(&self, source: SourceId) -> Span {
        span(source, self.start, self.end)
    }
}

/// Returns a span from byte positions. Texts are below 4 GiB, because the reader rejects larger ones before.
pub fn span(source: SourceId, start: usize, end: usize) -> Span {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { source, start: narrow(start), end: narrow(end) }
}

/// Returns all tokens of a text, comments included.
///
/// # Errors
/// The place where the scan stopped. Any text consists of tokens, so only pest's own limits can stop it.
pub fn scan(text: &str) -> Result<Vec<Token>, Stop> {
    let all = grammar::parse(Rule::tokens, text)?;
    Ok(all.into_inner().filter_map(|pair| token(pair.as_rule(), pair.as_span())).collect())
}

fn token(rule: Rule, span: pest::Span<'_>) -> Option<Token> {
    let kind = match rule {
        Rule::file_doc => TokenKind::FileDoc,
        Rule::doc => TokenKind::Doc,
        Rule::comment => TokenKind::Comment,
        Rule::string => TokenKind::String,
        Rule::open_string => TokenKind::OpenString,
        Rule::number => TokenKind::Number,
        Rule::word => TokenKind::Word,
        Rule::symbol | Rule::other => TokenKind::Symbol,
        _ => return None,
    };
    Some(Token { kind, start: span.start(), end: span.end() })
}
