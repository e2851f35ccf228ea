//! Mistakes at the top level of a file, and between the first word of a definition and its body.

use super::{Answer, Case};
use crate::ast::Kind;
use crate::diagnostic::Diagnostic;
use crate::read::build::kind;
use crate::read::grammar::Rule;
use crate::read::scene::Bracket;
use crate::similar::nearest;
use crate::source::Span;

/// Asks for mistakes outside bodies.
pub fn ask(case: &Case<'_>) -> Answer {
    if case.inside == Bracket::Parameters {
        return parameter(case);
    }
    if case.inside != Bracket::File {
        return None;
    }
    missing_name(case)
        .or_else(|| train_head(case))
        .or_else(|| missing_module(case))
        .or_else(|| missing_body(case))
        .or_else(|| unknown_word(case))
        .or_else(|| no_item(case))
}

/// E0128: `model { … }`
fn missing_name(case: &Case<'_>) -> Answer {
    let kind = kind(case.word(-1)).filter(|kind| *kind != Kind::Train)?;
    if case.here != case.start + 1 || !matches!(case.word(0), "{" | "(") {
        return None;
    }
    let word = kind.keyword();
    let error = Diagnostic::error("E0128", format!("this `{word}` has no name"))
        .label(case.gap(), "a name is missing here")
        .help(format!("write `{word} my_{word} {{ … }}`"));
    Some((error, case.start))
}

/// E0129: `train levy { … }`, `train(epochs = 5)`
fn train_head(case: &Case<'_>) -> Answer {
    if case.word(-1) != "train" || case.here != case.start + 1 || !(case.is_name(0) || case.word(0) == "(") {
        return None;
    }
    let error = Diagnostic::error("E0129", "`train` has no name and no parameters, only a body")
        .label(case.span(0), "does not belong here")
        .help("write `train { epochs = 100 … }`");
    Some((error, case.start))
}

/// E0130: `use` alone
fn missing_module(case: &Case<'_>) -> Answer {
    if case.word(-1) != "use" {
        return None;
    }
    let error = Diagnostic::error("E0130", "`use` needs the name of a module")
        .label(case.gap(), "a name is missing here")
        .help("write `use std.resnet`");
    Some((error, case.here - 1))
}

/// E0131: `model levy` without `{`
fn missing_body(case: &Case<'_>) -> Answer {
    let kind = case.scene.definition(case.start)?;
    let headed = case.here > case.start + 1 && case.expects(&[Rule::body, Rule::parameters, Rule::brace_open]);
    if !headed {
        return None;
    }
    let word = kind.keyword();
    let error = Diagnostic::error("E0131", format!("this `{word}` has no body"))
        .label(case.gap(), "`{` expected here")
        .label(case.scene.span(case.start), format!("the `{word}` begins here"))
        .help("put what it holds between braces: `{ … }`");
    Some((error, case.start))
}

/// E0132: `modle levy { … }`
fn unknown_word(case: &Case<'_>) -> Answer {
    if case.here != case.start + 1 || !case.is_name(-1) || case.word(0) == "=" {
        return None;
    }
    if case.word(0) == "->" || case.scene.is_operator(case.here) {
        return Some((no_item_error(case.span(-1), format!("`{}`", case.word(-1))), case.start));
    }
    let word = case.word(-1);
    let words = Kind::ALL.iter().map(|kind| kind.keyword()).chain(["use"]);
    let help = match nearest(word, words) {
        Some(near) => format!("did you mean `{near}`?"),
        None if case.word(0) == "{" || case.word(1) == "{" || case.word(1) == "(" => {
            "a definition begins with `model`, `block`, `train`, `dataset`, `parameterization`, `modifier`, \
             `activation`, `stage`, `initializer`, `optimizer`, `loss` or `metric`"
                .to_owned()
        }
        None => format!("a setting is `{word} = …`; a network is `model {word} {{ … }}`"),
    };
    let lone = case.here >= case.scene.tokens.len() || case.scene.starts(case.here);
    let message = if lone { format!("`{word}` has no value") } else { format!("no definition begins with `{word}`") };
    let error = Diagnostic::error("E0132", message).label(case.span(-1), "unknown word").help(help);
    Some((error, case.start))
}

/// E0133: `-> relu` or `3` at the top level
fn no_item(case: &Case<'_>) -> Answer {
    if case.here >= case.scene.tokens.len() || !case.expects(&[Rule::EOI, Rule::definition, Rule::setting]) {
        return None;
    }
    let continues = case.at(-1).is_some_and(|k| case.scene.wants_more(k));
    if continues || !case.scene.begins_line(case.here) {
        return None;
    }
    Some((no_item_error(case.span(0), case.found()), case.here))
}

fn no_item_error(span: Span, found: String) -> Diagnostic {
    Diagnostic::error("E0133", format!("{found} begins neither a setting nor a definition"))
        .label(span, "at the top level of the file")
        .help("a flow belongs in a body: `model name { input -> … }`; a setting is `param = gmp`")
}

/// E0134: `model tiny(3)`, `block b(a b)`
fn parameter(case: &Case<'_>) -> Answer {
    if case.scene.ends_value(case.here.checked_sub(1)?) && (case.is_name(0) || case.scene.begins_value(case.here)) {
        return None;
    }
    if !matches!(case.word(-1), "(" | ",") || case.word(0) == "," {
        return None;
    }
    let error = Diagnostic::error("E0134", "a parameter is a name")
        .label(case.span(0), "not a name")
        .help("write `channels`, `stride = 1` or `input: [3, 32, 32]`");
    Some((error, case.here))
}
