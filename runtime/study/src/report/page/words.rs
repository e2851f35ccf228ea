//! The texts of a page about a repeated experiment of the paper.

use super::escaped;
use crate::report::beside::{Lead, Row, Table};
use std::fmt::Write;

/// The part above the figures: what was run, the differences to the paper, and the tables.
pub(super) fn before(lead: &Lead) -> String {
    let mut text = String::new();
    if lead.found.is_empty() {
        text.push_str(&list("What the paper ran", "ran", &lead.ran));
        text.push_str(&list("Not as the paper ran it", "changed", &lead.changed));
    } else {
        text.push_str(&list("The claim", "claims", &lead.claims));
        text.push_str(&list("What holds and what does not", "found", &lead.found));
        text.push_str(&list("What was run", "ran", &lead.ran));
        text.push_str(&list("What is left out or changed", "changed", &lead.changed));
    }
    for table in &lead.tables {
        let _ = write!(text, "<h2>{}</h2>\n{}", escaped(&table.caption), drawn(table));
    }
    text
}

/// The part below the figures: claims, disagreements, sources.
pub(super) fn after(lead: &Lead) -> String {
    let parts = [
        if lead.found.is_empty() { list("What the paper says", "claims", &lead.claims) } else { String::new() },
        list(if lead.found.is_empty() { "Known disagreements" } else { "What this cannot tell" }, "known", &lead.known),
        list("Sources of the paper's numbers", "sources", &lead.sources),
    ];
    parts.concat()
}

fn list(head: &str, class: &str, sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let items: String = sentences.iter().map(|sentence| format!("<li>{}</li>\n", escaped(sentence))).collect();
    format!("<section class=\"{class}\">\n<h2>{head}</h2>\n<ul>\n{items}</ul>\n</section>\n")
}

/// The HTML of a table. Rows of the paper have a class of their own, and the best value is bold.
pub(super) fn drawn(table: &Table) -> String {
    let head: String = table.head.iter().map(|name| format!("<th>{}</th>", escaped(name))).collect();
    let rows: String = table.rows.iter().map(row).collect();
    format!("<div class=\"wide\"><table>\n<tr>{head}</tr>\n{rows}</table></div>\n")
}

fn row(row: &Row) -> String {
    let field = |(text, best): &(String, bool)| match best {
        true => format!("<td><strong>{}</strong></td>", escaped(text)),
        false => format!("<td>{}</td>", escaped(text)),
    };
    let class = if row.paper { " class=\"paper\"" } else { "" };
    let fields: String = row.fields.iter().map(field).collect();
    format!("<tr{class}><td>{}</td>{fields}</tr>\n", escaped(&row.name))
}
