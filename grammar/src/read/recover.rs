//! Chooses the part of a text to leave out after an error, so that the rest can be read.

use super::scene::{Bracket, Scene};
use std::ops::Range;

/// Returns the bytes of the smallest statement or item that contains a byte. Its brackets are balanced.
pub fn around(scene: &Scene<'_>, at: usize) -> Range<usize> {
    let next = scene.index(at);
    // A place between two tokens was removed before. It belonged to the statement of the token before it.
    let between = scene.tokens.get(next).is_some_and(|t| at < t.start);
    let i = if between { next.saturating_sub(1) } else { next };
    let mut level = level_of(scene, i);
    // Brackets inside a statement do not count: the statement is directly inside the nearest body.
    while level.is_some() && scene.bracket(level) != Bracket::Body {
        level = level.and_then(|o| scene.opener(o));
    }
    let begin = first_of(scene, i, level);
    let column = scene.column(begin);
    let end = (begin + 1..scene.tokens.len())
        .find(|&k| {
            (k > i && scene.opener(k) == level && next_begins(scene, column, k, level)) || closes(scene, k, level)
        })
        .unwrap_or(scene.tokens.len());
    scene.span(begin).start as usize..scene.span(end.saturating_sub(1)).end as usize
}

/// Does the next statement or item begin at `k`? `column` is the column in which the present one begins. At the top level, an
/// indented line still belongs to it: it is the body of a definition whose brace is missing.
fn next_begins(scene: &Scene<'_>, column: usize, k: usize, level: Option<usize>) -> bool {
    let deeper = level.is_none() && scene.begins_line(k) && scene.column(k) > column;
    scene.starts(k) && !(deeper && scene.definition(k).is_none())
}

/// Returns the bracket that is open at a token. A closing bracket counts as inside the brackets that it closes.
pub fn level_of(scene: &Scene<'_>, i: usize) -> Option<usize> {
    if i >= scene.tokens.len() {
        return None;
    }
    if !matches!(scene.word(i), ")" | "]" | "}") {
        return scene.opener(i);
    }
    let before = i.checked_sub(1)?;
    if matches!(scene.word(before), "(" | "[" | "{") { Some(before) } else { scene.opener(before) }
}

/// Returns the last token at `level`, at or before `i`, at which a statement or an item begins.
fn first_of(scene: &Scene<'_>, i: usize, level: Option<usize>) -> usize {
    let lowest = level.map_or(0, |o| o + 1);
    let i = i.min(scene.tokens.len().saturating_sub(1)).max(lowest);
    (lowest..=i).rev().find(|&k| scene.opener(k) == level && (k == lowest || scene.starts(k))).unwrap_or(lowest)
}

/// Is this the bracket that closes `level`?
fn closes(scene: &Scene<'_>, k: usize, level: Option<usize>) -> bool {
    matches!(scene.word(k), ")" | "]" | "}")
        && level.is_some_and(|o| scene.opener(k) == scene.opener(o))
        && k > level.unwrap_or(0)
}
