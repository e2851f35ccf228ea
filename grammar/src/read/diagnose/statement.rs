//! Mistakes in statements: documentation, names, `=`.

use super::{Answer, Case};
use crate::diagnostic::Diagnostic;
use crate::read::grammar::Rule;
use crate::read::scene::Bracket;
use crate::read::tokens::TokenKind;

/// Asks for mistakes that concern a whole statement.
pub fn ask(case: &Case<'_>) -> Answer {
    documentation(case)
        .or_else(|| keyword_as_name(case))
        .or_else(|| other_language(case))
        .or_else(|| dotted_name(case))
        .or_else(|| missing_value(case))
        .or_else(|| declaration(case))
        .or_else(|| missing_equals(case))
        .or_else(|| missing_arrow(case))
        .or_else(|| early_result(case))
}

/// E0117 and E0118: documentation in a place where nothing can be documented
fn documentation(case: &Case<'_>) -> Answer {
    if case.kind(0) == Some(TokenKind::FileDoc) {
        let error = Diagnostic::error("E0117", "`//!` documents the whole file, so it belongs at its top")
            .label(case.span(0), "something stands before it")
            .help("move it up, or write `///` to document the next item, `//` for a comment");
        return Some((error, case.here));
    }
    let lone_word = case.is_name(-1)
        && !matches!(case.kind(0), Some(TokenKind::Number | TokenKind::String))
        && !case.expects(&[Rule::body]);
    let doc = match (case.kind(0), case.kind(-1), case.kind(-2)) {
        (Some(TokenKind::Doc), ..) => case.here,
        (_, Some(TokenKind::Doc), _) => case.here - 1,
        (_, _, Some(TokenKind::Doc)) if lone_word && !matches!(case.word(0), "{" | ".") => case.here - 2,
        _ => return None,
    };
    let error = Diagnostic::error("E0118", "`///` documents nothing here")
        .label(case.scene.span(doc), "no definition, setting or named value follows")
        .help("write `//` for a comment");
    Some((error, doc))
}

/// E0119: `match = 3`, `f(if = 2)`
fn keyword_as_name(case: &Case<'_>) -> Answer {
    let scene = case.scene;
    let k = if matches!(case.word(0), "=" | ":" | ".") && case.here > 0 && scene.is_keyword(case.here - 1) {
        case.here - 1
    } else if scene.is_keyword(case.here)
        && (matches!(case.word(1), "=" | ":") || case.expects(&[Rule::name, Rule::path]))
    {
        case.here
    } else {
        return None;
    };
    Some((reserved(case, k)?, k))
}

/// Returns the error for a word of the language where a name or a value is expected.
pub fn reserved(case: &Case<'_>, k: usize) -> Option<Diagnostic> {
    let scene = case.scene;
    if matches!(scene.word(k), "true" | "false") && !matches!(scene.word(k + 1), "=" | ":") {
        return None;
    }
    let word = scene.word(k);
    let error = Diagnostic::error("E0119", format!("`{word}` is a word of the language and cannot be a name"))
        .label(scene.span(k), "used as a name")
        .help(format!("choose another name, such as `{word}_`"));
    Some(error)
}

/// E0120: `let x = 3`, `return y`, `elif`
fn other_language(case: &Case<'_>) -> Answer {
    const HABITS: [(&str, &str); 12] = [
        ("let", "write `name = value`; a name needs no introduction"),
        ("var", "write `name = value`; a name needs no introduction"),
        ("const", "write `name = value`; a name needs no introduction"),
        ("def", "a piece of network is `block name(arguments) { … }`"),
        ("fn", "a piece of network is `block name(arguments) { … }`"),
        ("class", "a network is `model name { … }`, a piece of one `block name { … }`"),
        ("return", "the last expression of a body is its result; write it without `return`"),
        ("for", "`repeat(n, stage)` puts a stage n times in a row"),
        ("while", "`repeat(n, stage)` puts a stage n times in a row"),
        ("import", "write `use std.resnet`"),
        ("elif", "write `else if`"),
        ("then", "write `if condition { yes } else { no }`"),
    ];
    // The parser takes the word for a name and stops at the next token, or it stops at the word itself. The word must begin a
    // statement: everywhere else it may be a name of the user.
    let found = [case.at(-1), Some(case.here)].into_iter().flatten().find_map(|k| {
        let begins = case.scene.starts(k) || k == case.start || matches!(case.scene.word(k), "elif" | "then");
        let habit = HABITS.iter().find(|(word, _)| *word == case.scene.word(k))?;
        (begins && !matches!(case.scene.word(k + 1), "=" | ":" | "(" | "." | "->")).then_some((k, habit))
    });
    let (k, (word, instead)) = found?;
    let error = Diagnostic::error("E0120", format!("there is no `{word}` in this language"))
        .label(case.scene.span(k), "unknown word")
        .help(*instead);
    Some((error, k))
}

/// E0121: `train.epochs = 5`
fn dotted_name(case: &Case<'_>) -> Answer {
    // The parser stops at the first dot, or at `=` if the name before the dot completed a statement. `k` is the end of the name.
    let mut k = case.here;
    while matches!(case.scene.word(k), ".") || case.scene.is_name(k) {
        k += 1;
    }
    let dotted = case.word(0) == "." && case.is_name(-1) && case.scene.word(k) == "=";
    let ended = case.word(0) == "=" && case.is_name(-1) && case.word(-2) == ".";
    if !dotted && !ended {
        return None;
    }
    let (first, last) = if dotted { (case.here - 1, k - 1) } else { (case.here.saturating_sub(3), case.here - 1) };
    // A dotted name inside an expression is allowed; only at the start of a statement or an argument is it the name to set.
    let begins = first == case.start || first.checked_sub(1).is_some_and(|k| matches!(case.scene.word(k), "(" | ","));
    if !begins {
        return None;
    }
    let whole = case.scene.span(first).to(case.scene.span(last));
    let (outer, inner) = (case.scene.word(first), case.scene.word(last));
    let help = match case.inside {
        Bracket::Arguments => format!("name the argument alone: `{inner} = …`"),
        _ => format!("set it where it belongs: `{outer} {{ {inner} = … }}`, or on the command line with `--set`"),
    };
    let error =
        Diagnostic::error("E0121", "what stands before `=` is one name, without dots").label(whole, "has a dot");
    Some((error.help(help), first))
}

/// E0122: `epochs =` without a value
fn missing_value(case: &Case<'_>) -> Answer {
    let scene = case.scene;
    let k = case.here.checked_sub(1)?;
    if !matches!(scene.word(k), "=" | "~" | "=>") || !(case.ends() || case.word(0) == ",") {
        return None;
    }
    let sign = scene.word(k);
    let what = match k.checked_sub(1).filter(|&n| scene.is_name(n)) {
        Some(name) => format!("`{}` has no value", scene.word(name)),
        None => format!("there is no value after `{sign}`"),
    };
    let error = Diagnostic::error("E0122", what)
        .label(scene.after(k), "a value is missing here")
        .help(format!("write a value after the `{sign}`, such as `64`, `relu` or `[1, 2]`, or remove the line"));
    Some((error, k))
}

/// E0123 and E0124: `m: state`, `theta ~ init`
fn declaration(case: &Case<'_>) -> Answer {
    let scene = case.scene;
    if case.word(0) == "~" && case.is_name(-1) {
        let name = case.word(-1);
        let error = Diagnostic::error("E0123", format!("the kind of `{name}` is missing"))
            .label(case.span(-1), "declared without a kind")
            .help(format!("write `{name}: weight ~ …`, or `unit`, `offset` or `angles` instead of `weight`"));
        return Some((error, case.here - 1));
    }
    if case.word(-1) == ":" && case.inside == Bracket::Body && !case.is_name(0) {
        let error = Diagnostic::error("E0123", "a kind is missing after `:`")
            .label(case.span(0), "not a kind")
            .help("a kind is `weight`, `unit`, `offset`, `angles`, `layer`, `feature`, `position`, `[units, rank]` or `state`");
        return Some((error, case.here - 1));
    }
    if case.word(-2) == ":" && case.is_name(-1) && case.expects(&[Rule::draw, Rule::compute, Rule::tilde]) {
        let (name, kind) = (case.word(-3), case.word(-1));
        let error = Diagnostic::error("E0124", format!("`{name}` has no initial value"))
            .label(scene.after(case.here - 1), "an initial value is missing here")
            .help(format!("write `{name}: {kind} = 0` for a value, or `{name}: {kind} ~ init` to draw one"));
        return Some((error, case.here - 1));
    }
    None
}

/// E0125: `epochs 10`
fn missing_equals(case: &Case<'_>) -> Answer {
    let scene = case.scene;
    if !matches!(case.inside, Bracket::Body | Bracket::File) || case.here != case.start + 1 || !case.is_name(-1) {
        return None;
    }
    // Two names in a row may also be a flow without `->` (E0126), or a call or a definition with another mistake. So the value
    // must look like one, and follow on the same line.
    let same_line = !scene.begins_line(case.here);
    let flows = scene.follows_flow(case.start, case.here) || case.word(1) == "->";
    let literal = matches!(case.kind(0), Some(TokenKind::Number | TokenKind::String))
        || matches!(case.word(0), "[" | "true" | "false");
    // In a body, `name: kind` is a declaration, so only a file's `:` is a wrong `=`.
    let assigned = case.word(0) == ":" && case.inside == Bracket::File;
    let compared = case.word(0) == "==";
    let value = literal || (case.is_name(0) && !matches!(case.word(1), "{" | "(" | "." | "=") && !case.opens());
    if !(same_line && value && !flows || assigned || compared) {
        return None;
    }
    let name = case.word(-1);
    let (message, label) = if assigned || compared {
        (format!("`{name}` is set with `=`"), format!("`{}` instead of `=`", case.word(0)))
    } else {
        (format!("`=` is missing after `{name}`"), "`=` expected here".to_owned())
    };
    let place = if assigned || compared { case.span(0) } else { case.gap() };
    let error = Diagnostic::error("E0125", message).label(place, label).help(format!("write `{name} = …`"));
    Some((error, case.start))
}

/// E0126: `input -> dense(100) relu`
fn missing_arrow(case: &Case<'_>) -> Answer {
    let scene = case.scene;
    let before = case.here.checked_sub(1)?;
    let stage = case.is_name(0) || matches!(case.word(0), "if" | "match");
    let fits = stage
        && !case.expects(&[Rule::branch, Rule::brace_open])
        && scene.ends_value(before)
        && !scene.starts(case.here);
    if !fits || !(scene.follows_flow(case.start, case.here) || case.word(1) == "->") || case.inside == Bracket::File {
        return None;
    }
    let error = Diagnostic::error("E0126", format!("`->` is missing before `{}`", case.word(0)))
        .label(case.gap(), "`->` expected here")
        .help(format!("write `{} -> {}`", last_line(scene.word(before)), case.word(0)));
    Some((error, case.here))
}

fn last_line(word: &str) -> &str {
    if word == ")" { "…)" } else { word }
}

/// E0127: an expression without a name that is not the last of its body
fn early_result(case: &Case<'_>) -> Answer {
    let scene = case.scene;
    let before = case.here.checked_sub(1)?;
    let ended = scene.ends_value(before) && case.inside == Bracket::Body && case.expects(&[Rule::brace_close]);
    let another = scene.starts(case.here) || scene.begins_value(case.here);
    if !ended || !another || matches!(case.word(0), "(" | "[") && !scene.begins_line(case.here) {
        return None;
    }
    let first = scene.start_in(before, scene.opener(before));
    let error = Diagnostic::error("E0127", "only the last expression of a body may be without a name")
        .label(scene.span(first).to(scene.span(before)), "this has no name")
        .label(case.span(0), "and something follows it")
        .help("give it a name, `name = …`, or move it to the end");
    Some((error, before))
}
