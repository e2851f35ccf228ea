//! Comments and blank lines of a text, which only the formatter needs.

use super::tokens::{Token, TokenKind};
use crate::ast::Comment;
use crate::source::SourceId;

/// Returns all comments that are not documentation, in file order.
pub fn comments(text: &str, source: SourceId, tokens: &[Token]) -> Vec<Comment> {
    let plain = tokens.iter().filter(|t| t.kind == TokenKind::Comment);
    plain
        .map(|t| {
            let line = text.get(..t.start).and_then(|before| before.rsplit(['\n', '\r']).next()).unwrap_or("");
            Comment {
                text: text.get(t.start + 2..t.end).unwrap_or("").trim().to_owned(),
                span: t.span(source),
                trailing: !line.trim_matches(['\u{FEFF}', ' ', '\t']).is_empty(),
            }
        })
        .collect()
}

/// Returns the bytes at which runs of blank lines begin: the end of the last line before each run.
pub fn blank_lines(text: &str) -> Vec<u32> {
    let (mut found, mut at, mut blank_before) = (Vec::new(), 0, true);
    for line in text.split_inclusive('\n') {
        let blank = line.trim().is_empty();
        if blank && !blank_before {
            found.extend(u32::try_from(at));
        }
        blank_before = blank;
        at += line.len();
    }
    found
}
