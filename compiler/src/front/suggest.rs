//! Help for an unknown name: the most similar name that exists, or a list of all names.

use gmpc_grammar::similar::nearest;

/// The most names that a help line lists. A longer list would hide the message.
const LISTED: usize = 12;

/// Returns "did you mean `relu`?", or the list of `names` if none is similar. `kinds` is the plural word for them.
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
