//! Mistakes in a text with a single value or name: `--set KEY=VALUE`, `--param`.

use super::{Answer, Case};
use crate::diagnostic::Diagnostic;
use crate::read::grammar::Rule;
use crate::read::scene::Bracket;

/// Asks for mistakes that a file cannot have.
pub fn ask(case: &Case<'_>) -> Answer {
    if case.inside != Bracket::File {
        return None;
    }
    too_much(case).or_else(|| not_a_name(case))
}

/// E0158: `0.1 0.2` where one value is expected, `f(x)` where a name is expected
fn too_much(case: &Case<'_>) -> Answer {
    let name = case.rule == Rule::path_alone;
    let complete = case.at(-1).is_some_and(|k| case.scene.ends_value(k));
    let special = case.word(0) == "." || !name && matches!(case.word(0), "(" | "[" | "as");
    let ended = case.here >= case.scene.tokens.len() || case.expects(&[Rule::else_word, Rule::brace_open]);
    if !complete || special || ended {
        return None;
    }
    let error = Diagnostic::error("E0158", format!("{} follows what is already complete", case.found()))
        .label(case.span(0), "one too many");
    let help = if name { NAME } else { "one value is expected: `0.1`, `gmp + mn`, `[rmse, mae]`, `adam(lr = 0.1)`" };
    Some((error.help(help), case.here))
}

/// E0158: `3` or nothing where a name is expected
fn not_a_name(case: &Case<'_>) -> Answer {
    if case.rule != Rule::path_alone || case.word(0) == "." || case.word(-1) == "." && !case.scene.is_keyword(case.here)
    {
        return None;
    }
    let error = if case.scene.is_keyword(case.here) {
        super::statement::reserved(case, case.here)?
    } else {
        Diagnostic::error("E0158", format!("a name is expected, not {}", case.found()))
            .label(case.span(0), "not a name")
            .help(NAME)
    };
    Some((error, case.here))
}

const NAME: &str = "one name is expected: `seed` or `train.optimizer.lr`";
