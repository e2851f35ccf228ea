//! Every error of the reader, as a person sees it.

use gmpc_grammar::diagnostic::render;
use gmpc_grammar::source::{Source, Sources};

fn errors(text: &str) -> String {
    let mut sources = Sources::default();
    let id = sources.add(Source { name: "a.gmpnet".to_owned(), text: text.to_owned() });
    let (_, errors) = gmpc_grammar::read(text, id);
    errors.iter().map(|error| render(error, &sources)).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore]
fn show() {
    let text = std::fs::read_to_string(std::env::var("CASES").unwrap()).unwrap();
    for case in text.split("%%\n") {
        println!("=====\n{case}-----\n{}", errors(case));
    }
}
