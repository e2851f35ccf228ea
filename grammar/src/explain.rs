//! Pages about error codes, for `gmpc explain E0104`. Each has a text with the error and a text without it.
//!
//! All crates use [`Page`]. This crate has the pages of its own codes, E01xx.

mod structure;
mod text;
mod values;

/// The explanation of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// `E0104`
    pub code: &'static str,
    /// What is wrong, and why the language requires something else, in a few sentences.
    pub about: &'static str,
    /// A text with this error. Empty if no such text is short enough.
    pub wrong: &'static str,
    /// The same text without the error.
    pub right: &'static str,
}

/// Returns the pages of E01xx, by code.
pub fn pages() -> impl Iterator<Item = &'static Page> {
    text::PAGES.iter().chain(structure::PAGES).chain(values::PAGES)
}

/// Returns the page of a code, in upper or lower case.
#[must_use]
pub fn explain(code: &str) -> Option<&'static Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code))
}
