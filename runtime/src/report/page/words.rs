//! What a page says about something of the paper that was run again.

use super::escaped;
use crate::report::beside::{Lead, Row, Table};
use std::fmt::Write;

/// Above the figures: what was run, what is not as in the paper, and the numbers side by side.
pub(super) fn before(lead: &Lead) -> String {
    let mut text = list("What the paper ran", "ran", &lead.ran);
    text.push_str(&list("Not as the paper ran it", "changed", &lead.changed));
    for table in &lead.tables {
        let _ = write!(text, "<h2>{}</h2>\n{}", escaped(&table.caption), drawn(table));
    }
    text
}

/// Below the figures: claims, disagreements, sources.
pub(super) fn after(lead: &Lead) -> String {
    let parts = [
        list("What the paper says", "claims", &lead.claims),
        list("Known disagreements", "known", &lead.known),
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

/// A table in which the paper's rows are set apart and the best is bold.
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
