//! The next step after an unknown name: the nearest one that exists, or all that exist.

use gmpc_grammar::similar::nearest;

/// How many names a help line lists at most; more would hide the message. Chosen by hand.
const LISTED: usize = 12;

/// "did you mean `relu`?", else the list of `names`, `kinds` being the word for them in the plural.
pub(crate) fn suggestion<'a>(word: &str, kinds: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(word, names.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<&str> = names.collect();
    match all.len() {
        0 => format!("there are no {kinds}"),
        _ => format!("{kinds}: {}", listed(&all)),
    }
}

/// `a`, `b`, …
pub(crate) fn listed(names: &[&str]) -> String {
    let mut text = names.iter().take(LISTED).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(", …");
    }
    text
}

/// "a loss", "an optimizer"
pub(crate) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}
