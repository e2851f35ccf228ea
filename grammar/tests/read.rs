//! What is read, as the tree says it.

use gmpc_grammar::source::SourceId;

fn main_examples() -> Vec<&'static str> {
    vec![
        include_str!("texts/levy.gmpnet"),
        include_str!("texts/resnet.gmpnet"),
        include_str!("texts/vgg.gmpnet"),
        include_str!("texts/definitions.gmpnet"),
    ]
}

#[test]
fn the_examples_of_the_language_are_read_without_errors() {
    for text in main_examples() {
        let (_, errors) = gmpc_grammar::read(text, SourceId(0));
        assert_eq!(errors, []);
    }
}
