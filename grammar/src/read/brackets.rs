//! Checks that brackets match and are not too many. It runs on the tokens, before pest.
//!
//! When all holes that [`match_brackets`] finds are removed, the brackets are balanced and nested at most [`MAX_BRACKETS`] deep.
//! So the recursion of the parser is limited, and the rest of the text can still be read.

use super::MAX_BRACKETS;
use super::fault::Fault;
use super::scene::Scene;
use super::tokens::TokenKind;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::ops::Range;

/// Returns the first bracket that does not match, if there is one.
///
/// It finds one fault at a time. The caller removes the hole of this fault and asks again. So each answer is what the user would
/// see after correcting the faults before.
pub fn match_brackets(scene: &Scene<'_>) -> Option<Fault> {
    let mut open: Vec<usize> = Vec::new();
    for i in 0..scene.tokens.len() {
        // A definition inside an open bracket shows a forgotten bracket earlier than the end of the text would.
        if let Some(fault) = forgotten_before_definition(scene, &open, i) {
            return Some(fault);
        }
        match scene.word(i) {
            "(" | "[" | "{" if open.len() == MAX_BRACKETS => return Some(too_deep(scene, &open, i)),
            "(" | "[" | "{" => open.push(i),
            closer @ (")" | "]" | "}") => match open.pop() {
                None => return Some(stray(scene, i)),
                Some(opener) if closing(scene.word(opener)) == closer => {}
                Some(opener) => return Some(mismatched(scene, &open, opener, i)),
            },
            _ if scene.kind(i) == Some(TokenKind::OpenString) => {
                // The string may contain the closing brackets of its line. Only the string is then reported, not the brackets.
                let swallows = |o: usize| scene.word(i).contains(closing(scene.word(o))) && same_line(scene, o, i);
                if let Some(&opener) = open.iter().find(|&&o| swallows(o)) {
                    return Some(swallowed(scene, opener, i));
                }
            }
            _ => {}
        }
    }
    open.last().map(|&opener| never_closed(scene, opener, open.first().copied().unwrap_or(opener)))
}

fn closing(opener: &str) -> &'static str {
    match opener {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

fn same_line(scene: &Scene<'_>, a: usize, b: usize) -> bool {
    (a + 1..=b).all(|i| !scene.begins_line(i))
}

fn bytes(from: Span, to: Span) -> Range<usize> {
    from.start as usize..(to.end as usize).max(from.start as usize)
}

/// E0104: a definition begins inside an open bracket, where no definition is allowed.
fn forgotten_before_definition(scene: &Scene<'_>, open: &[usize], i: usize) -> Option<Fault> {
    let (&first, &last) = (open.first()?, open.last()?);
    let kind = scene.definition(i)?;
    // `if train {` and `match train {` are conditions.
    let begins = scene.begins_line(i) && !scene.wants_more(i - 1) && !matches!(scene.word(i - 1), "if" | "match");
    let headed = matches!(scene.word(i + 2), "{" | "(") || (scene.word(i + 1) == "{" && i > 0);
    if !begins || !headed || matches!(scene.word(i + 1), "=" | ":") {
        return None;
    }
    let opener = scene.word(last);
    let error = Diagnostic::error("E0104", format!("`{opener}` is never closed"))
        .label(scene.span(last), "opened here")
        .label(scene.span(i), format!("still open where this `{}` begins", kind.keyword()))
        .help(format!("add `{}` before it", closing(opener)));
    let start = scene.span(scene.start_of(first)).start as usize;
    Some(Fault { error, broken: None, hole: start..scene.span(i).start as usize })
}

/// E0104: the text ends inside an open bracket.
fn never_closed(scene: &Scene<'_>, opener: usize, first: usize) -> Fault {
    let end = scene.span(scene.tokens.len());
    let word = scene.word(opener);
    let error = Diagnostic::error("E0104", format!("`{word}` is never closed"))
        .label(scene.span(opener), "opened here")
        .label(end, "the text ends here")
        .help(format!("add `{}` where it ends", closing(word)));
    let start = scene.span(scene.start_of(first)).start as usize;
    Fault { error, broken: None, hole: start..end.end as usize }
}

/// Is `wanted` the next bracket after a token that closes a bracket opened before the token?
fn closes_later(scene: &Scene<'_>, i: usize, wanted: &str) -> bool {
    let mut depth = 0usize;
    for k in i + 1..scene.tokens.len() {
        match scene.word(k) {
            "(" | "[" | "{" => depth += 1,
            closer @ (")" | "]" | "}") if depth == 0 => return closer == wanted,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    false
}

/// E0104, E0105 or E0106: a bracket is closed by another kind of bracket.
fn mismatched(scene: &Scene<'_>, outer: &[usize], opener: usize, closer: usize) -> Fault {
    let (opened, closed) = (scene.word(opener), scene.word(closer));
    let belongs = outer.iter().any(|&o| closing(scene.word(o)) == closed);
    let wanted = closing(opened);
    let (error, hole) = if belongs {
        // The closing bracket fits an outer bracket, so the inner one was not closed.
        let error = Diagnostic::error("E0104", format!("`{opened}` is never closed"))
            .label(scene.span(opener), "opened here")
            .label(scene.span(closer), format!("`{closed}` comes before its `{wanted}`"))
            .help(format!("add `{wanted}` before the `{closed}`"));
        (error, scene.span(opener).start as usize..scene.span(closer).start as usize)
    } else if closes_later(scene, closer, wanted) {
        return stray(scene, closer);
    } else {
        let error = Diagnostic::error("E0105", format!("`{opened}` is closed with `{closed}`"))
            .label(scene.span(closer), format!("`{wanted}` expected"))
            .label(scene.span(opener), "opened here")
            .help(format!("write `{wanted}` instead of `{closed}`"));
        (error, bytes(scene.span(opener), scene.span(closer)))
    };
    Fault { error, broken: Some(hole.start), hole }
}

/// E0106: a closing bracket without an opening one.
fn stray(scene: &Scene<'_>, i: usize) -> Fault {
    let (word, span) = (scene.word(i), scene.span(i));
    let opener = match word {
        ")" => "(",
        "]" => "[",
        _ => "{",
    };
    let error = Diagnostic::error("E0106", format!("`{word}` closes nothing"))
        .label(span, format!("no `{opener}` is open here"))
        .help(format!("remove it, or add the `{opener}` it belongs to"));
    Fault { error, broken: None, hole: bytes(span, span) }
}

/// E0102: more open brackets than [`MAX_BRACKETS`].
fn too_deep(scene: &Scene<'_>, open: &[usize], i: usize) -> Fault {
    let error = Diagnostic::error("E0102", format!("more than {MAX_BRACKETS} brackets are open at once"))
        .label(scene.span(i), "one too many")
        .help("give an inner part a name of its own, `part = …`, and use the name here");
    let first = open.first().copied().unwrap_or(i);
    let opened = scene.span(first);
    let (broken, hole) = match closes(scene, first) {
        Some(closer) => (Some(opened.start as usize), opened.end as usize..scene.span(closer).start as usize),
        None => {
            let start = scene.span(scene.start_of(first)).start as usize;
            (None, start..scene.span(scene.tokens.len()).end as usize)
        }
    };
    Fault { error, broken, hole }
}

/// Returns the token that closes the bracket at `first`. It does not distinguish the kinds of brackets.
fn closes(scene: &Scene<'_>, first: usize) -> Option<usize> {
    let mut depth = 0usize;
    for i in first..scene.tokens.len() {
        match scene.word(i) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// E0107, for a string inside brackets.
fn swallowed(scene: &Scene<'_>, opener: usize, i: usize) -> Fault {
    let hole = bytes(scene.span(opener), scene.span(i));
    Fault { error: super::foreign::open_string(scene, i), broken: Some(hole.start), hole }
}
