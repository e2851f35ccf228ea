//! `docs/reference.md` lists what the compiler has, and has a line for everything.

use gmpc_compiler::reference::{reference, without_a_line};
use std::path::Path;

#[test]
fn the_page_is_what_the_compiler_has() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference.md");
    if std::env::var_os("GMPC_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, reference()).expect("the page can be written");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == reference(),
        "docs/reference.md differs: run this test with GMPC_WRITE_REFERENCE=1, and read what changed"
    );
}

#[test]
fn everything_has_a_line() {
    assert_eq!(without_a_line(), [] as [String; 0]);
}
