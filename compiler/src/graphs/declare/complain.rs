//! Errors of declarations: unknown kinds, axes and words.

use super::Room;
use crate::ir::axes::ParameterKind;
use gmpc_grammar::ast::{Declaration, Ident};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::similar::nearest;

/// E0569: an unknown kind, or one of another kind of definition.
pub(super) fn unknown_kind(d: &Declaration, room: &Room) -> Diagnostic {
    let found = &d.kind.text;
    // `shape` is no word of the language: a shape is written by its axes.
    let words: Vec<&str> = room.kinds.iter().map(|k| k.word()).filter(|word| *word != "shape").collect();
    let listed = listed(&words);
    if ParameterKind::of(found).is_some() {
        let error = Diagnostic::error("E0569", format!("{} has no parameter of the kind `{found}`", room.place))
            .label(d.kind.span, "not here");
        // A stage has features and no units, an activation units and no features: what was meant is clear.
        return match (found.as_str(), words.contains(&"feature"), words.contains(&"unit")) {
            ("unit" | "offset" | "weight", true, false) => {
                error.help(format!("one value for each feature is `{}: feature`", d.name.text))
            }
            ("feature" | "offset" | "weight", false, true) => {
                error.help(format!("one value for each unit is `{}: unit`", d.name.text))
            }
            _ => error.help(format!("a parameter is {listed} here")),
        };
    }
    let error =
        Diagnostic::error("E0569", format!("`{found}` is no kind of parameter")).label(d.kind.span, "unknown kind");
    match nearest(found, words.into_iter()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        // In an optimizer `state` is a kind; here it is a word behind the first value.
        None if found == "state" => error.help(format!(
            "give it a kind too, and the word after its first value: `{}: unit = 0, state`",
            d.name.text
        )),
        None => error.help(format!("a parameter is {listed}")),
    }
}

/// "`a`, `b` or `c`"
fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match &quoted[..] {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.join(""),
    }
}

pub(super) fn no_shape(d: &Declaration, room: &Room) -> Diagnostic {
    let words: Vec<&str> = room.kinds.iter().map(|kind| kind.word()).collect();
    Diagnostic::error("E0569", format!("{} has no parameter with a shape of its own", room.place))
        .label(d.kind.span, "not here")
        .help(format!("a parameter is {} here", listed(&words)))
}

pub(super) fn no_positions(d: &Declaration) -> Diagnostic {
    Diagnostic::error("E0512", format!("`{}` has one value for each position, but the input has none", d.name.text))
        .label(d.kind.span, "the input is a row of features")
        .help("declare it as `feature`, or use it where images come in")
}

pub(super) fn unknown_axis(d: &Declaration, name: &Ident, room: &Room) -> Diagnostic {
    let known = ["units", "inputs", "features"].into_iter().chain(room.arguments.keys().map(String::as_str));
    let error = Diagnostic::error("E0514", format!("`{}` is no axis", name.text)).label(name.span, "has no size");
    match nearest(&name.text, known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!(
            "an axis is `units`, `inputs`, `features`, or an argument that is a whole number: `({} = 4)` for `{}`",
            name.text, d.kind.text
        )),
    }
}

pub(super) fn no_size(name: &Ident) -> Diagnostic {
    Diagnostic::error("E0514", format!("`{}` is no size: a whole number, 1 or more, is needed", name.text))
        .label(name.span, "the size of this axis")
        .help(format!("give `{}` a whole number, such as 4", name.text))
}

pub(super) fn twice(name: &Ident) -> Diagnostic {
    Diagnostic::error("E0514", format!("a parameter has the axis `{}` once", name.text))
        .label(name.span, "the second one")
        .help("name one of them by an argument of the definition")
}

pub(super) fn how_many(d: &Declaration, found: usize) -> Diagnostic {
    Diagnostic::error("E0514", format!("a parameter has one axis or two, not {found}"))
        .label(d.kind.span, "its axes")
        .help("write `[units, rank]`, or `layer` for a single number")
}

pub(super) fn too_large(d: &Declaration) -> Diagnostic {
    Diagnostic::error("E0514", format!("`{}` is too large to compile", d.name.text))
        .label(d.kind.span, "more than 2^32 numbers")
        .help("use smaller sizes")
}

pub(super) fn unknown_flag(flag: &Ident) -> Diagnostic {
    let error = Diagnostic::error("E0515", format!("`{}` says nothing about a parameter", flag.text))
        .label(flag.span, "unknown");
    match nearest(&flag.text, ["frozen", "state"].into_iter()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("write `frozen` if it is not trained, `state` if the body computes its next value"),
    }
}

pub(super) fn two_flags(first: &Ident, second: &Ident) -> Diagnostic {
    Diagnostic::error("E0515", "a parameter is `frozen` or a `state`, not both")
        .label(second.span, "the second word")
        .label(first.span, "the first word")
        .help("leave one of them out")
}

pub(crate) fn declared_twice(declaration: &Declaration) -> Diagnostic {
    Diagnostic::error("E0571", format!("`{}` is declared twice in one unit", declaration.name.text))
        .label(declaration.name.span, "the second one")
        .help("give it another name; a modifier shares the names of the parameterization")
}
