//! `gmpc explain CODE`: a page for every error and warning, with a program that goes wrong and one that works.
//!
//! The grammar has the pages of its own codes. The pages of the compiler and of the runtime are here, one file for each kind
//! of error. A page has a heading that begins with its code. A test compiles every program: the first program of a page must
//! raise the code, the second one must raise nothing.

pub use gmpc_grammar::explain::Page;

/// The pages, one file for each kind of error.
const FILES: [&str; 8] = [
    include_str!("explain/names.md"),
    include_str!("explain/shapes.md"),
    include_str!("explain/values.md"),
    include_str!("explain/definitions.md"),
    include_str!("explain/export.md"),
    include_str!("explain/training.md"),
    include_str!("explain/data.md"),
    include_str!("explain/warnings.md"),
];

/// The start of every page's heading.
const HEADING: &str = "\n## ";

/// The page of a code such as `E0314`, written in any case; `None` for a code that does not exist.
#[must_use]
pub fn explain(code: &str) -> Option<Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code.trim()))
}

/// All pages, those of the grammar first.
pub fn pages() -> impl Iterator<Item = Page> {
    let own = FILES.into_iter().flat_map(|file| file.split(HEADING).skip(1)).filter_map(page);
    gmpc_grammar::explain::pages().copied().chain(own)
}

/// Reads one page: `E0314: title`, a few sentences, and perhaps two programs.
fn page(text: &'static str) -> Option<Page> {
    let (heading, rest) = text.split_once('\n')?;
    let mut programs = rest.split("```gmpnet\n").skip(1).filter_map(|block| block.split("\n```").next());
    Some(Page {
        code: heading.split_once(':')?.0,
        about: rest.split("```").next()?.trim(),
        wrong: programs.next().unwrap_or(""),
        right: programs.next().unwrap_or(""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_its_code() {
        let page = explain("e0314").expect("a page for dense layers that get images");
        assert!(page.about.contains("flatten"));
        assert!(page.wrong.contains("-> dense(10)") && page.right.contains("-> flatten ->"));
        assert_eq!(explain("E9999"), None);
        assert!(explain("E0104").is_some(), "the grammar's pages are here too");
        assert!(pages().count() > 100);
    }
}
