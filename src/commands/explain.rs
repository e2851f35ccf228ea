//! `gmpc explain CODE`: explains an error code, with a wrong and a right program. Without a code, lists all codes.

use crate::failure::{Failure, Kind};
use crate::output::Output;
use gmpc_compiler::explain::{self, Page};
use serde_json::json;

/// Prints the page.
///
/// # Errors
/// There is no such code.
pub fn run(code: Option<&str>, output: &Output) -> Result<(), Failure> {
    let Some(code) = code else {
        let mut all: Vec<Page> = pages().collect();
        all.sort_by_key(|page| page.code);
        all.dedup_by_key(|page| page.code);
        for page in all {
            output.line(&json!({ "event": "code", "code": page.code }));
            output.say(format_args!("{}  {}", page.code, first_sentence(page.about)));
        }
        return Ok(());
    };
    let found = pages().find(|page| page.code.eq_ignore_ascii_case(code.trim()));
    let Some(page) = found else { return word(code.trim(), output) };
    output.line(&json!({
        "event": "page", "code": page.code, "about": page.about, "wrong": page.wrong, "right": page.right,
    }));
    output.say(text(&page));
    Ok(())
}

/// Prints all pages that mention a word of the language: `gmpc explain momentum`.
///
/// # Errors
/// No page mentions the word.
fn word(word: &str, output: &Output) -> Result<(), Failure> {
    let quoted = format!("`{word}`");
    let found: Vec<Page> = pages().filter(|page| page.about.contains(&quoted)).collect();
    if word.is_empty() || found.is_empty() {
        return Err(unknown(word));
    }
    for (index, page) in found.iter().enumerate() {
        output.line(&json!({
            "event": "page", "code": page.code, "about": page.about, "wrong": page.wrong, "right": page.right,
        }));
        output.say(format_args!("{}{}", if index > 0 { "\n" } else { "" }, text(page)));
    }
    Ok(())
}

/// The pages of the data readers, the grammar, the compiler and the runtime. If two of them have a page for one code,
/// that of the data readers comes first, because it is more specific.
fn pages() -> impl Iterator<Item = Page> {
    let data = gmpc_data::explain::pages().copied();
    data.chain(explain::pages()).chain(gmpc_runtime::explain::pages().copied())
}

/// The text for people.
fn text(page: &Page) -> String {
    let mut text = format!("{}: {}", page.code, page.about.trim());
    for (title, program) in [("Wrong", page.wrong), ("Right", page.right)] {
        if !program.trim().is_empty() {
            let lines: Vec<String> = program.trim_end().lines().map(|line| format!("    {line}")).collect();
            text.push_str(&format!("\n\n{title}:\n\n{}", lines.join("\n")));
        }
    }
    text
}

/// The text up to the first full stop that ends a sentence, on one line.
fn first_sentence(about: &str) -> String {
    let line = about.split_whitespace().collect::<Vec<_>>().join(" ");
    line.split(". ").next().unwrap_or("").trim_end_matches('.').to_string()
}

fn unknown(code: &str) -> Failure {
    let wanted = code.to_ascii_uppercase();
    let near = gmpc_grammar::similar::nearest(&wanted, pages().map(|page| page.code));
    let help = near.map_or("`gmpc explain` lists all codes".to_string(), |near| format!("did you mean {near}?"));
    Failure::with_help(Kind::Usage, format!("there is no error code {code}"), help)
}
