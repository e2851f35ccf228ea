//! `gmpc explain CODE`: an error code at length, with a program that goes wrong and one that works; without a code, all.

use crate::failure::{Failure, Kind};
use crate::output::Output;
use gmpc_compiler::explain::{self, Page};
use gmpc_runtime::data;
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
    let Some(page) = found else { return Err(unknown(code)) };
    output.line(&json!({
        "event": "page", "code": page.code, "about": page.about, "wrong": page.wrong, "right": page.right,
    }));
    output.say(text(&page));
    Ok(())
}

/// Of the grammar, the compiler and the data readers.
fn pages() -> impl Iterator<Item = Page> {
    explain::pages().chain(data::explain::pages().copied())
}

/// For people.
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

/// Up to the first full stop that ends a sentence, on one line.
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
