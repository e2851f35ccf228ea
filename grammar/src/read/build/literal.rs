//! Reads the values of numbers, strings and booleans.

use super::Builder;
use crate::ast::ExprKind;
use crate::diagnostic::Diagnostic;
use crate::read::grammar::Rule;
use crate::read::tokens::span;
use crate::source::Span;
use pest::iterators::Pair;

impl Builder<'_> {
    /// Returns the value of a pair of the rules `number`, `string` and `boolean`. `None` after an error.
    pub(super) fn literal(&mut self, pair: &Pair<'_, Rule>, span: Span) -> Option<ExprKind> {
        let text = pair.as_str();
        let value = match pair.as_rule() {
            Rule::boolean => Ok(ExprKind::Bool(text == "true")),
            Rule::number => number(text, span),
            Rule::string => self.string(text, span.start as usize).map(ExprKind::String),
            _ => return None,
        };
        value.map_err(|error| self.errors.push(error)).ok()
    }

    fn string(&self, text: &str, start: usize) -> Result<String, Diagnostic> {
        let (mut value, mut escaped) = (String::with_capacity(text.len()), false);
        let inside = text.get(1..text.len().saturating_sub(1)).unwrap_or("");
        for (at, c) in inside.char_indices() {
            match (escaped, c) {
                (false, '\\') => escaped = true,
                (false, c) => value.push(c),
                (true, c) => {
                    let at = start + 1 + at;
                    value.push(
                        unescape(c).ok_or_else(|| unknown_escape(c, span(self.source, at - 1, at + c.len_utf8())))?,
                    );
                    escaped = false;
                }
            }
        }
        Ok(value)
    }
}

fn unescape(c: char) -> Option<char> {
    match c {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        '0' => Some('\0'),
        '"' | '\\' => Some(c),
        _ => None,
    }
}

fn number(text: &str, span: Span) -> Result<ExprKind, Diagnostic> {
    let digits = text.replace('_', "");
    if !well_formed(text) {
        return Err(malformed_number(text, span));
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return digits.parse().map(ExprKind::Integer).map_err(|_| integer_too_large(span));
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(ExprKind::Float(value)),
        Ok(_) => Err(not_finite(span)),
        Err(_) => Err(malformed_number(text, span)),
    }
}

/// Is the number written like `10_000`, `0.1`, `1e-5` or `2.5E+3`? Each `_` must be between two digits.
fn well_formed(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.split('_').all(|run| !run.is_empty() && run.bytes().all(|b| b.is_ascii_digit()));
    digits(whole) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

/// E0108: `"C:\data"`
fn unknown_escape(c: char, span: Span) -> Diagnostic {
    Diagnostic::error("E0108", format!("`\\{c}` means nothing in a string"))
        .label(span, "this")
        .help("a string knows `\\n`, `\\t`, `\\r`, `\\0`, `\\\"` and `\\\\`; write `\\\\` for one backslash, or `/` in a path")
}

/// E0109: `3x`, `1__0`, `0x1f`
fn malformed_number(text: &str, span: Span) -> Diagnostic {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let rest = text.get(digits.len()..).unwrap_or("");
    let help = if rest.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.starts_with(['e', 'E', 'x', 'b', 'o']) {
        format!("write `{digits} * {rest}` for a product, or begin the name with a letter")
    } else {
        "numbers look like `64`, `10_000`, `0.1` or `1e-5`".to_owned()
    };
    Diagnostic::error("E0109", format!("`{text}` is not a number")).label(span, "a number begins here").help(help)
}

/// E0110: above 2^64 - 1
fn integer_too_large(span: Span) -> Diagnostic {
    Diagnostic::error("E0110", "this integer is too large")
        .label(span, format!("the largest one is {}", u64::MAX))
        .help("a float, such as `1e20`, can be larger")
}

/// E0111: `1e999`
fn not_finite(span: Span) -> Diagnostic {
    Diagnostic::error("E0111", "this number is too large")
        .label(span, "above 1.797e308, the largest float")
        .help("check the exponent")
}
