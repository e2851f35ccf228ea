//! Mistakes in expressions: operands, commas, branches, arms, stages.

use super::{Answer, Case};
use crate::diagnostic::Diagnostic;
use crate::read::grammar::Rule;
use crate::read::scene::Bracket;
use crate::read::tokens::TokenKind;

/// Asks for mistakes in an expression.
pub fn ask(case: &Case<'_>) -> Answer {
    dot(case)
        .or_else(|| apart(case))
        .or_else(|| label(case))
        .or_else(|| stage(case))
        .or_else(|| condition(case))
        .or_else(|| arms(case))
        .or_else(|| missing_else(case))
        .or_else(|| missing_brace(case))
        .or_else(|| named_value(case))
        .or_else(|| comma(case))
        .or_else(|| operand(case))
        .or_else(|| no_value(case))
}

/// E0135: `.5`, `1.`, `data . classes`
fn dot(case: &Case<'_>) -> Answer {
    let k = if case.word(0) == "." { case.here } else { case.at(-1).filter(|&k| case.scene.word(k) == ".")? };
    let number = |i: usize| case.scene.kind(i) == Some(TokenKind::Number);
    let help = if number(k + 1) && case.scene.touches(k + 1) {
        format!("write `0.{}`", case.scene.word(k + 1))
    } else if k > 0 && number(k - 1) {
        format!("write `{}.0`", case.scene.word(k - 1))
    } else {
        "join names with dots and without blanks: `data.classes`".to_owned()
    };
    let error = Diagnostic::error("E0135", "a dot must be between two digits or two names")
        .label(case.scene.span(k), "this dot");
    Some((error.help(help), k))
}

/// E0136 and E0137: `dense (100)`, `shape[0]`
fn apart(case: &Case<'_>) -> Answer {
    let before = case.here.checked_sub(1)?;
    if !case.scene.ends_value(before) || case.scene.begins_line(case.here) {
        return None;
    }
    let name = case.word(-1);
    match case.word(0) {
        "[" => {
            let error = Diagnostic::error("E0137", "there is no indexing with `[ ]`")
                .label(case.span(0), "a list cannot stand here")
                .help(
                    "parts have names: `input.channels`, `data.classes`; in a list of values, write `,` before the `[`",
                );
            Some((error, case.here))
        }
        "(" if case.is_name(-1) => {
            let error =
                Diagnostic::error("E0136", format!("the arguments of `{name}` must come directly after its name"))
                    .label(case.scene.after(before).to(case.span(0)), "a blank stands between")
                    .help(format!("write `{name}(…)`"));
            Some((error, case.here))
        }
        _ => None,
    }
}

/// E0138: `dense(100) as`, `x as y`
fn label(case: &Case<'_>) -> Answer {
    let error = if case.word(-1) == "as" {
        Diagnostic::error("E0138", "a label is a name")
            .label(case.span(0), "not a name")
            .help("write `dense(100) as hidden`")
    } else if case.word(0) == "as" {
        Diagnostic::error("E0138", "only a stage after `->` can have a label, and only one")
            .label(case.span(0), "labels something else")
            .help("write `… -> dense(100) as hidden -> …`, or bind a value: `name = …`")
    } else {
        return None;
    };
    Some((error, case.here.saturating_sub(1)))
}

/// E0139 and E0140: `input -> 3`, `input ->`, `-> relu`
fn stage(case: &Case<'_>) -> Answer {
    if case.word(-1) == "->" {
        let nothing = case.ends() || matches!(case.word(0), "->" | "," | "as");
        let error = if nothing {
            Diagnostic::error("E0140", "a stage is missing after `->`").label(case.gap(), "a layer is missing here")
        } else {
            Diagnostic::error("E0139", "`->` leads into a layer").label(case.span(0), "not a layer")
        };
        let help = "a stage is `relu`, `dense(100)`, a block, or an `if` or `match` that chooses one";
        return Some((error.help(help), case.here - 1));
    }
    let begins = matches!(case.word(-1), "{" | "(" | "[" | "," | "=" | "=>") || case.here == 0;
    if case.word(0) == "->" && begins {
        let error = Diagnostic::error("E0140", "nothing flows into this `->`")
            .label(case.span(0), "the flow begins here")
            .help("name what enters first: `input -> …`");
        return Some((error, case.here));
    }
    None
}

/// E0141: `if stride = 1 { … }`
fn condition(case: &Case<'_>) -> Answer {
    if case.word(0) != "=" || case.inside == Bracket::Arguments {
        return None;
    }
    let scene = case.scene;
    let opener = scene.opener(case.here);
    let asked = (case.start..case.here).rev().take_while(|&k| scene.word(k) != "{" && scene.word(k) != "}");
    let asked = asked.filter(|&k| scene.opener(k) == opener).find(|&k| scene.word(k) == "if");
    if asked.is_none() && case.inside != Bracket::Group {
        return None;
    }
    let error = Diagnostic::error("E0141", "`=` gives a name to a value; it does not compare")
        .label(case.span(0), "`==` was meant")
        .help("write `==` to compare");
    Some((error, case.here))
}

/// E0142: `match param { gmp -> 0.1 }`
fn arms(case: &Case<'_>) -> Answer {
    if case.inside != Bracket::Arms {
        return None;
    }
    if case.word(-1) == "{" && case.word(0) == "}" {
        let error = Diagnostic::error("E0142", "this `match` has no arms")
            .label(case.span(0), "an arm is missing here")
            .help("write `match param { gmp => 0.1, _ => 0.01 }`");
        return Some((error, case.here));
    }
    if !case.expects(&[Rule::gives]) {
        return None;
    }
    let error = Diagnostic::error("E0142", "`=>` must be between a pattern and its value")
        .label(case.span(0), format!("`=>` expected instead of {}", case.found()))
        .help("write `match param { gmp => 0.1, _ => 0.01 }`");
    Some((error, case.here))
}

/// E0143: `if c { a }` alone
fn missing_else(case: &Case<'_>) -> Answer {
    if case.word(0) == "else" {
        let error = Diagnostic::error("E0143", "this `else` belongs to no `if`")
            .label(case.span(0), "no `if … { … }` ends right before it")
            .help("write `if condition { yes } else { no }`");
        return Some((error, case.here));
    }
    if !case.expects(&[Rule::else_word]) || case.word(-1) != "}" {
        return None;
    }
    let scene = case.scene;
    let opener = scene.opener(case.here - 1);
    let asked = (case.start..case.here).rev().find(|&k| scene.word(k) == "if" && scene.opener(k) == opener);
    let mut error = Diagnostic::error("E0143", "an `if` always needs an `else`: it must have a value in both cases")
        .label(case.gap(), "`else { … }` expected here");
    if let Some(k) = asked {
        error = error.label(scene.span(k), "this `if`");
    }
    Some((
        error.help("a stage that does nothing is `identity`: `else { identity }`; `else { input }` passes a value on"),
        case.here - 1,
    ))
}

/// E0144: `if c a else b`
fn missing_brace(case: &Case<'_>) -> Answer {
    if case.word(-1) == "{" && case.word(0) == "}" && case.inside == Bracket::Branch {
        let error = Diagnostic::error("E0144", "this branch is empty")
            .label(case.span(0), "a value is missing here")
            .help("a stage that does nothing is `identity`; `input` passes a value on");
        return Some((error, case.here));
    }
    if matches!(case.word(-1), "if" | "match") {
        let error = Diagnostic::error("E0144", format!("`{}` needs an expression after it", case.word(-1)))
            .label(case.gap(), "missing here")
            .help("write `if stride == 1 { … } else { … }` or `match param { … }`");
        return Some((error, case.here - 1));
    }
    if !case.expects(&[Rule::branch, Rule::brace_open]) || case.expects(&[Rule::body]) {
        return None;
    }
    let error = Diagnostic::error("E0144", format!("`{{` is missing before {}", case.found()))
        .label(case.gap(), "`{` expected here")
        .help("braces hold each branch and the arms: `if c { a } else { b }`, `match param { gmp => 1, _ => 2 }`");
    Some((error, case.here.saturating_sub(1)))
}

/// E0145: `conv(64, stride: 2)`, `[a = 3]`
fn named_value(case: &Case<'_>) -> Answer {
    let error = match (case.word(0), case.inside) {
        (":", Bracket::Arguments) => Diagnostic::error("E0145", "an argument gets its value with `=`")
            .label(case.span(0), "`:` instead of `=`")
            .help(format!("write `{} = …`", case.word(-1))),
        ("=" | ":", Bracket::List | Bracket::Arguments) => {
            Diagnostic::error("E0145", format!("`{}` does not fit here", case.word(0)))
                .label(case.span(0), "nothing here can have a name")
                .help("only an argument of a call has a name: `conv(64, stride = 2)`; `==` compares")
        }
        _ => return None,
    };
    Some((error, case.here))
}

/// E0146: `[1 2]`, `[1,, 2]`
fn comma(case: &Case<'_>) -> Answer {
    let listed = matches!(case.inside, Bracket::List | Bracket::Arguments | Bracket::Parameters | Bracket::Arms);
    if !listed {
        return None;
    }
    if case.word(0) == "," && matches!(case.word(-1), "," | "(" | "[" | "{") {
        let error = Diagnostic::error("E0146", "there is no value before this `,`")
            .label(case.span(0), "one too many")
            .help("remove it, or write the value that is missing; one `,` may follow the last value");
        return Some((error, case.here));
    }
    let before = case.here.checked_sub(1)?;
    let two = case.scene.ends_value(before) && case.scene.begins_value(case.here);
    if !two || !case.expects(&[Rule::comma]) {
        return None;
    }
    let error = Diagnostic::error("E0146", format!("`,` is missing before {}", case.found()))
        .label(case.gap(), "`,` expected here")
        .help("values in brackets are separated by `,`");
    Some((error, case.here))
}

/// E0147: `a +`, `* b`
fn operand(case: &Case<'_>) -> Answer {
    let before = case.here.checked_sub(1);
    if let Some(k) = before.filter(|&k| case.scene.is_operator(k) || case.scene.word(k) == "not")
        && (case.ends() || !case.scene.begins_value(case.here))
    {
        let error = Diagnostic::error("E0147", format!("`{}` has nothing on its right", case.scene.word(k)))
            .label(case.scene.after(k), "a value is missing here")
            .help("write the second value, or remove the operator");
        return Some((error, k));
    }
    if case.scene.is_operator(case.here) && before.is_none_or(|k| !case.scene.ends_value(k)) {
        let word = case.word(0);
        let help = if word == "+" {
            "a value needs no `+` before it"
        } else {
            "write the first value, or remove the operator"
        };
        let error = Diagnostic::error("E0147", format!("`{word}` has nothing on its left"))
            .label(case.span(0), "a value is missing before it")
            .help(help);
        return Some((error, case.here));
    }
    None
}

/// E0148: something else where a value is expected
fn no_value(case: &Case<'_>) -> Answer {
    let wanted = case.expects(&[Rule::expr, Rule::operation, Rule::reference, Rule::number]);
    if !wanted || case.expects(&[Rule::EOI]) {
        return None;
    }
    if matches!(case.word(0), "from" | "use" | "as") {
        return Some((super::statement::reserved(case, case.here)?, case.here));
    }
    let error = Diagnostic::error("E0148", format!("a value is missing before {}", case.found()));
    let help = if case.word(0) == "_" {
        "`_` stands for everything else in a `match`, and only there"
    } else {
        "a value is `64`, `0.1`, `relu`, `conv(64, 3)`, `[1, 2]` or a flow"
    };
    Some((error.label(case.gap(), "expected here").help(help), case.here.saturating_sub(1)))
}
