//! A table as Markdown, with the table syntax that code hosts support.

use super::{Field, Kind, Sheet};

/// The title, the table, and its notes. Marked fields are bold.
#[must_use]
pub fn markdown(sheet: &Sheet) -> String {
    let right = |k: usize| sheet.rows.iter().all(|row| row.get(k).is_some_and(|field| field.kind != Kind::Text));
    let line = |fields: Vec<String>| format!("| {} |\n", fields.join(" | "));
    let rule = (0..sheet.head.len()).map(|k| if right(k) { "---:" } else { "---" }.to_string()).collect();
    let rows: String = sheet.rows.iter().map(|row| line(row.iter().map(field).collect())).collect();
    let head = line(sheet.head.iter().map(|name| escaped(name)).collect());
    let notes: String = sheet.rich_notes().iter().map(|note| format!("\n- {note}")).collect();
    let notes = if notes.is_empty() { notes } else { format!("\n{notes}\n").replacen("\n\n", "\n", 1) };
    format!("**{}**\n\n{head}{}{rows}{notes}", escaped(&sheet.title), line(rule))
}

fn field(field: &Field) -> String {
    let text = escaped(&field.text);
    let text = if field.marked { format!("**{text}**") } else { text };
    if field.after.is_empty() { text } else { format!("{text} ({})", escaped(&field.after)) }
}

/// Escapes a text so that Markdown does not interpret it.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '|' | '*' | '_' | '`' | '<' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
        escaped
    })
}
