//! Texts from files for messages: short, without control characters and without invisible characters.

/// Largest number of characters.
const MOST: usize = 40;

/// At most 40 characters of a text. Invisible characters are written as `\u{a0}`, so that users can find them.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(MOST) {
        match c {
            _ if is_invisible(c) => shown.extend(c.escape_unicode()),
            _ if c.is_control() => shown.push('\u{fffd}'),
            _ => shown.push(c),
        }
    }
    if text.chars().count() > MOST {
        shown.push('…');
    }
    shown
}

/// True for unusual blanks, characters without width, and combining accents.
pub(super) fn is_invisible(c: char) -> bool {
    let no_width = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    let accent = matches!(c, '\u{300}'..='\u{36f}');
    no_width || accent || (c.is_whitespace() && !c.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(visible("a\u{a0}b\u{200b}"), "a\\u{a0}b\\u{200b}");
        assert_eq!(visible("0.\u{0}7\u{1b}[2J"), "0.\u{fffd}7\u{fffd}[2J");
        assert_eq!(visible(&"é ".repeat(30)), format!("{}…", "é ".repeat(20)));
    }
}
