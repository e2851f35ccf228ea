//! `gmpc explain CODE`: a page for every error and warning, with an example of what goes wrong and one that works.
//!
//! The pages of one stage stand in one file, each under a heading that begins with its code. Where a page holds two
//! programs, a test compiles both: the first must raise the code, the second must not raise anything.

/// The pages, a file a kind of errors.
const FILES: [&str; 8] = [
    include_str!("explain/syntax.md"),
    include_str!("explain/names.md"),
    include_str!("explain/shapes.md"),
    include_str!("explain/values.md"),
    include_str!("explain/definitions.md"),
    include_str!("explain/training.md"),
    include_str!("explain/data.md"),
    include_str!("explain/warnings.md"),
];

/// What every page's heading begins with.
const HEADING: &str = "\n## ";

/// The page of a code such as `E0314`, in Markdown; `None` for a code that does not exist. Small letters do as well.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    let code = code.trim().to_ascii_uppercase();
    pages().find(|(known, _)| *known == code).map(|(_, page)| page)
}

/// Every code that has a page, in order: for lists, completions and "did you mean".
pub fn codes() -> impl Iterator<Item = &'static str> + Clone {
    pages().map(|(code, _)| code)
}

fn pages() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    FILES.into_iter().flat_map(|file| file.split(HEADING).skip(1)).filter_map(|page| {
        let (code, text) = page.split_once(": ")?;
        Some((code, text.trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_its_code() {
        assert!(explain("e0314").is_some_and(|page| page.contains("flatten")));
        assert_eq!(explain("E9999"), None);
        assert!(codes().count() > 100);
    }
}
