//! Error codes at length, each with a text that has the error and one that has not: `gmpc explain E0104`.
//!
//! [`Page`] is shared by all crates; this one has the pages of its own codes, E01xx.

mod structure;
mod text;
mod values;

/// What there is to say about one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// `E0104`
    pub code: &'static str,
    /// What is wrong and why the language wants it otherwise, in a few sentences.
    pub about: &'static str,
    /// A text with this error; empty where none is short enough to show.
    pub wrong: &'static str,
    /// The same, mended.
    pub right: &'static str,
}

/// The pages of E01xx, by code.
pub fn pages() -> impl Iterator<Item = &'static Page> {
    text::PAGES.iter().chain(structure::PAGES).chain(values::PAGES)
}

/// The page of a syntax error's code, written in any case.
#[must_use]
pub fn explain(code: &str) -> Option<&'static Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code))
}
