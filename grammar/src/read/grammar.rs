//! The parser that pest makes from the grammar, and the only function that calls it.

use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pair;
use std::num::NonZeroUsize;

/// The parser that pest derives from `gmpnet.pest`, together with [`Rule`].
#[derive(pest_derive::Parser)]
#[grammar = "gmpnet.pest"]
struct Grammar;

/// The most calls inside pest. No text of the permitted size needs so many; only a mistake in the grammar could.
const CALLS: Option<NonZeroUsize> = NonZeroUsize::new(2_000_000_000);

/// The place where the grammar could not continue.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The rule for the whole text.
    pub rule: Rule,
    /// The byte up to which the text matches.
    pub at: usize,
    /// The rules that could match there.
    pub expected: Vec<Rule>,
    /// Pest reached its limit of calls or stack. Then `at` has no meaning.
    pub exhausted: bool,
}

/// Matches a text with a rule that ends with `EOI`.
///
/// # Errors
/// The end of the longest match.
pub fn parse(rule: Rule, text: &str) -> Result<Pair<'_, Rule>, Stop> {
    pest::set_call_limit(CALLS);
    let nothing = || Stop { rule, at: 0, expected: Vec::new(), exhausted: true };
    Grammar::parse(rule, text).map_err(|error| stop(rule, error))?.next().ok_or_else(nothing)
}

fn stop(rule: Rule, error: pest::error::Error<Rule>) -> Stop {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    match error.variant {
        ErrorVariant::ParsingError { positives, .. } => Stop { rule, at, expected: positives, exhausted: false },
        ErrorVariant::CustomError { .. } => Stop { rule, at, expected: Vec::new(), exhausted: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../gmpnet.pest");

    /// Each rule of the grammar with the comment right above it.
    fn examples() -> Vec<(String, String)> {
        let (mut pairs, mut comment) = (Vec::new(), None);
        for line in TEXT.lines() {
            let head = line.split_once('=').map(|(name, _)| name.trim());
            if let Some(text) = line.strip_prefix("// ") {
                comment = Some(text.to_owned());
            } else if let Some(name) = head.filter(|n| n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
                pairs.extend(comment.take().map(|text| (name.to_owned(), text)));
            }
        }
        pairs
    }

    #[test]
    fn every_rule_accepts_the_text_above_it() {
        let examples = examples();
        let invisible = [Rule::EOI, Rule::WHITESPACE, Rule::blank, Rule::line_end, Rule::byte_order_mark];
        for rule in Rule::all_rules().iter().filter(|rule| !invisible.contains(rule)) {
            let name = format!("{rule:?}");
            let example = examples.iter().find(|(n, _)| *n == name);
            let (_, text) = example.unwrap_or_else(|| panic!("no example above `{name}`"));
            let read = Grammar::parse(*rule, text).unwrap_or_else(|e| panic!("{name} does not accept {text:?}: {e}"));
            let end = read.last().map_or(text.len(), |p| p.as_span().end());
            assert_eq!(end, text.len(), "{name} accepts only a part of {text:?}");
        }
    }
}
