//! Ranges of arguments, stated where their parameter is defined: `momentum: decay = 0`.
//!
//! The words annotate parameters of optimizers, losses, metrics, schedules, parameterizations, modifiers and initializers. The standard
//! library uses them like any other file. Every instance of a definition is checked here.

use crate::front::value::{number, sort};
use crate::ir::module::Value;
use gmpc_grammar::ast::{ExprKind, Parameter};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// One word for a range of numbers.
pub(crate) struct Range {
    /// The word in the text: `positive`.
    pub word: &'static str,
    /// For messages: "a number above 0".
    pub wanted: &'static str,
    fits: fn(f64) -> bool,
}

/// All ranges.
pub(crate) const RANGES: [Range; 5] = [
    Range { word: "positive", wanted: "a number above 0", fits: |x| x > 0.0 },
    Range { word: "not_negative", wanted: "a number, 0 or more", fits: |x| x >= 0.0 },
    // The part of the old value that a step keeps. With 1, a new value would never count.
    Range { word: "decay", wanted: "a number from 0 to below 1", fits: |x| (0.0..1.0).contains(&x) },
    Range { word: "share", wanted: "a number from 0 to 1", fits: |x| (0.0..=1.0).contains(&x) },
    Range { word: "count", wanted: "a whole number, 1 or more", fits: |x| x >= 1.0 && x.fract() == 0.0 },
];

/// Returns the range that a parameter states, if it states one.
pub(crate) fn stated(parameter: &Parameter) -> Option<&'static Range> {
    let ExprKind::Path(path) = &parameter.annotation.as_ref()?.node else { return None };
    let word = path.to_string();
    RANGES.iter().find(|range| range.word == word)
}

/// Returns E0603 if the value of an argument is outside the range that its parameter states.
pub(crate) fn check(parameter: &Parameter, value: &Value, span: Span) -> Option<Diagnostic> {
    let range = stated(parameter)?;
    let found = match number(value) {
        Some(x) if (range.fits)(x) => return None,
        Some(x) => x.to_string(),
        None => sort(value).to_string(),
    };
    let (name, wanted) = (&parameter.name.text, range.wanted);
    Some(
        Diagnostic::error("E0603", format!("`{name}` is {wanted}"))
            .label(span, format!("this is {found}"))
            .help(format!("give `{name}` {wanted}")),
    )
}
