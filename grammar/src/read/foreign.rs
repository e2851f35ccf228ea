//! Characters and operators that the language does not have. Most come from other languages.

use super::fault::Fault;
use super::scene::Scene;
use super::tokens::{TokenKind, span};
use crate::diagnostic::Diagnostic;

/// Returns a fault for every token that no valid text contains, with what to write instead.
pub fn foreign_tokens(scene: &Scene<'_>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let mut i = 0;
    while i < scene.tokens.len() {
        let Some(error) = foreign(scene, i) else {
            i += 1;
            continue;
        };
        let token = scene.span(i);
        let end = end_of(scene, i);
        let harmless = matches!(scene.word(i), "#" | "/*") || scene.word(i) == ";" && !separates(scene, i);
        // If the statement must be left out, the token stays for now: the statement is found by it.
        let (broken, start) = if harmless { (None, token.start) } else { (Some(token.start as usize), token.end) };
        faults.push(Fault { error, broken, hole: start as usize..end });
        i += 1;
        // Tokens of the same mistake are reported once: a comment in another style, a word of foreign letters.
        while scene.tokens.get(i).is_some_and(|t| t.start < end) {
            i += 1;
        }
        while !harmless && scene.touches(i) && foreign(scene, i).is_some() {
            i += 1;
        }
    }
    faults
}

/// Returns a fault for every string that is not closed on its line. `match_brackets` finds those that contain closing brackets.
pub fn open_strings(scene: &Scene<'_>) -> Vec<Fault> {
    let open = (0..scene.tokens.len()).filter(|&i| scene.kind(i) == Some(TokenKind::OpenString));
    open.map(|i| {
        let token = scene.span(i);
        let hole = token.start as usize..token.end as usize;
        Fault { error: open_string(scene, i), broken: Some(hole.start), hole: hole.end..hole.end }
    })
    .collect()
}

/// Returns the end of a foreign token. A comment or a quoted text in another style is one token here.
fn end_of(scene: &Scene<'_>, i: usize) -> usize {
    let token = scene.span(i);
    let rest = scene.text.get(token.start as usize..).unwrap_or("");
    let length = match scene.word(i) {
        quote @ ("'" | "`") => {
            let line = rest.split(['\n', '\r']).next().unwrap_or("");
            line.match_indices(quote).nth(1).map_or(1, |(at, _)| at + 1)
        }
        "“" => rest.split(['\n', '\r']).next().and_then(|line| line.find('”')).map_or(3, |at| at + 3),
        "#" => rest.find(['\n', '\r']).unwrap_or(rest.len()),
        "/*" => rest.find("*/").map_or(rest.len(), |at| at + 2),
        _ => (token.end - token.start) as usize,
    };
    token.start as usize + length
}

fn foreign(scene: &Scene<'_>, i: usize) -> Option<Diagnostic> {
    let word = scene.word(i);
    let span = scene.span(i);
    if scene.kind(i) != Some(TokenKind::Symbol) {
        return None;
    }
    if let Some((_, instead)) = OPERATORS.iter().find(|(foreign, _)| *foreign == word) {
        let error = Diagnostic::error("E0113", format!("`{word}` is not an operator here"));
        return Some(error.label(span, "unknown operator").help(*instead));
    }
    let c = word.chars().next()?;
    match c {
        ';' => Some(semicolon(scene, i)),
        '#' => Some(other_comment(scene, i)),
        '\'' | '`' | '“' | '”' | '‘' | '’' | '„' | '«' | '»' => Some(other_quote(scene, i)),
        _ if word == "/*" || word == "*/" => Some(other_comment(scene, i)),
        _ if word.len() == 1 && "(){}[],:~=+-*/^<>.".contains(c) => None,
        _ if word.len() > 1 && c.is_ascii() => None,
        _ => Some(unknown_character(scene, i, c)),
    }
}

/// Operators of other languages, and what they are called here.
const OPERATORS: [(&str, &str); 14] = [
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("&", "write `and`"),
    ("|", "write `or` between conditions, `+` between a parameterization and a modifier"),
    ("!", "write `not`"),
    ("**", "write `^` for a power"),
    ("===", "write `==`"),
    ("|>", "write `->` between stages"),
    (":=", "write `=`"),
    ("::", "write `.`, as in `std.resnet`"),
    ("++", "write `+`; numbers are not counted up here"),
    ("+=", "write the sum out: `x = x + y`"),
    ("-=", "write the difference out: `x = x - y`"),
    ("*=", "write the product out: `x = x * y`"),
];

/// E0107: a string that is not closed on its line.
pub fn open_string(scene: &Scene<'_>, i: usize) -> Diagnostic {
    let whole = scene.span(i);
    let quote = span(scene.source, whole.start as usize, whole.start as usize + 1);
    Diagnostic::error("E0107", "this string is not closed")
        .label(quote, "begins here and runs to the end of its line")
        .help("add `\"` where it ends; a string stays on one line, with `\\n` for a line end")
}

/// Is a `;` between values in brackets?
fn separates(scene: &Scene<'_>, i: usize) -> bool {
    scene.opener(i).is_some_and(|opener| scene.word(opener) != "{")
}

/// E0112: `;`
fn semicolon(scene: &Scene<'_>, i: usize) -> Diagnostic {
    let (message, label, help) = if separates(scene, i) {
        ("values are separated by `,`", "`;` instead of `,`", "write `,`")
    } else {
        let help = "remove it; the next statement may follow on the same line";
        ("statements end without `;`", "not needed", help)
    };
    Diagnostic::error("E0112", message).label(scene.span(i), label).help(help)
}

/// E0114: `# …`, `/* … */`
fn other_comment(scene: &Scene<'_>, i: usize) -> Diagnostic {
    Diagnostic::error("E0114", format!("`{}` does not begin a comment", scene.word(i)))
        .label(scene.span(i), "not a comment here")
        .help("a comment is `// …`, up to the end of its line")
}

/// E0115: `'relu'`
fn other_quote(scene: &Scene<'_>, i: usize) -> Diagnostic {
    Diagnostic::error("E0115", "strings are written in double quotes")
        .label(scene.span(i), "another quote")
        .help("write `\"…\"`; a name such as `relu` needs no quotes at all")
}

/// E0116: `θ`, `@`, a control character
fn unknown_character(scene: &Scene<'_>, i: usize, c: char) -> Diagnostic {
    let name = if c.is_control() || c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{FEFF}') {
        format!("the invisible character U+{:04X}", u32::from(c))
    } else {
        format!("`{c}`")
    };
    let help = match instead(c) {
        Some(instead) => format!("write `{instead}`"),
        None if c.is_alphabetic() => "names are made of the letters a to z, digits and `_`".to_owned(),
        None if c.is_whitespace() || c.is_control() => "replace it with a plain blank".to_owned(),
        None => "remove it; only strings and comments may contain it".to_owned(),
    };
    Diagnostic::error("E0116", format!("{name} means nothing here")).label(scene.span(i), "this character").help(help)
}

/// Returns the plain spelling of characters from mathematics and word processors.
fn instead(c: char) -> Option<&'static str> {
    // Users copy formulas from papers and texts from word processors. Letters become the names that the standard library uses;
    // other Greek letters have no spelling that would surely be meant.
    Some(match c {
        '→' => "->",
        '⇒' => "=>",
        '×' | '·' | '∙' | '⋅' => "*",
        '÷' => "/",
        '−' | '–' | '—' => "-",
        '≤' => "<=",
        '≥' => ">=",
        '≠' => "!=",
        '∧' => "and",
        '∨' => "or",
        '¬' => "not",
        'θ' => "theta",
        'λ' => "lambda",
        'α' => "alpha",
        'β' => "beta",
        'γ' => "gamma",
        'δ' => "delta",
        'ε' | 'ϵ' => "eps",
        'μ' | 'µ' => "mu",
        'σ' => "sigma",
        'φ' | 'ϕ' => "phi",
        '，' => ",",
        '（' => "(",
        '）' => ")",
        _ => return None,
    })
}
