//! For any text, reading and shape inference end. The result is a network, or errors that point into a text.

use crate::{files, resolved};
use gmpc_compiler::elaborate;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::stage::Silent;
use proptest::prelude::*;

/// Compiles a text as far as it can. Checks that every diagnostic points into its text.
fn survives(text: &str, overrides: &Overrides) -> Result<(), TestCaseError> {
    let (sources, diagnostics) = match resolved(text, overrides) {
        Err(failure) => {
            prop_assert!(!failure.diagnostics.is_empty(), "refused without a word");
            (failure.sources, failure.diagnostics)
        }
        Ok((module, mut diagnostics)) => {
            diagnostics.extend(elaborate(&module, module.declared_facts().as_ref(), &Silent).err().unwrap_or_default());
            (module.sources, diagnostics)
        }
    };
    for diagnostic in &diagnostics {
        prop_assert!(!diagnostic.labels.is_empty(), "{diagnostic:?}");
        for label in &diagnostic.labels {
            let source = sources.get(label.span.source).map_or("", |s| s.text.as_str());
            let range = label.span.start as usize..label.span.end as usize;
            prop_assert!(source.get(range).is_some(), "{diagnostic:?}");
        }
    }
    Ok(())
}

/// Meaningful words. With them many mutated texts are read without error, and shape inference is tested as well.
const WORDS: [&str; 32] = [
    "input",
    "dense(3)",
    "-> relu",
    "param = gmp + mn",
    "0",
    "1e308",
    "9_223_372_036_854_775_807",
    "-1",
    "[1, 2]",
    "(",
    ")",
    "{",
    "}",
    ",",
    "repeat(1_000_000, relu)",
    "if true { relu } else { tanh }",
    "match param { _ => 3 }",
    "data.classes",
    "input.shape",
    "concat(input, input)",
    "as a",
    "^",
    "/ 0",
    "block b { input -> b }",
    "model",
    "\"",
    "true",
    "train",
    "loss = cross_entropy",
    "early_stop(valid.loss)",
    "\u{1F600}",
    "data = table(\"a.csv\", target = 0)",
];

/// One of the files, with some of its words replaced, removed, doubled or inserted.
fn mutated() -> impl Strategy<Value = String> {
    let texts: Vec<String> = files().into_iter().map(|(_, text)| text).collect();
    let edit = (any::<prop::sample::Index>(), 0..4_usize, prop::sample::select(WORDS.to_vec()));
    (prop::sample::select(texts), prop::collection::vec(edit, 1..6)).prop_map(|(text, edits)| {
        let mut pieces: Vec<&str> = text.split_inclusive([' ', '\n', '(', ')', ',']).collect();
        for (place, what, word) in edits {
            let place = place.index(pieces.len());
            match what {
                0 => pieces.insert(place, word),
                1 if pieces.len() > 1 => _ = pieces.remove(place),
                2 => pieces[place] = word,
                _ => pieces.insert(place, pieces[place]),
            }
        }
        pieces.concat()
    })
}

#[test]
fn deep_nesting_ends_in_an_error_before_the_stack_does() {
    let nested = |inner: &str| format!("{}({inner}){}", "input + (".repeat(50), ")".repeat(50));
    let mut text = "block b0 { input -> relu }\n".to_string();
    for i in 1..64 {
        text.push_str(&format!("block b{i} {{ {} }}\n", nested(&format!("input -> b{}", i - 1))));
    }
    text.push_str("model m(input: [3]) { input -> b63 -> linear(1) }\n");
    let build = move || {
        let (module, _) = resolved(&text, &Overrides::default()).ok()?;
        elaborate(&module, None, &Silent).err().map(|errors| errors.iter().map(|e| e.code).collect::<Vec<_>>())
    };
    // Half of the default size of a thread's stack. An unoptimized build gets more, because its frames are several times larger.
    let stack = if cfg!(debug_assertions) { 1 << 24 } else { 1 << 20 };
    let thread = std::thread::Builder::new().stack_size(stack).spawn(build).expect("a thread");
    assert_eq!(thread.join().expect("no panic"), Some(vec!["E0326"]));
}

#[test]
fn a_long_block_is_not_repeated_for_ever() {
    let list = vec!["1"; 20_000].join(", ");
    let text = format!(
        "block long {{\n    sizes = [{list}]\n    if sizes == sizes {{ input }} else {{ input }}\n}}\n\
         model m(input: [3]) {{ input -> repeat(90_000, long) -> linear(1) }}\n"
    );
    let (module, _) = resolved(&text, &Overrides::default()).expect("a file without mistakes");
    let codes: Vec<&str> =
        elaborate(&module, None, &Silent).expect_err("too much work").iter().map(|e| e.code).collect();
    assert_eq!(codes, ["E0323"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_are_survived(text in mutated()) {
        survives(&text, &Overrides::default())?;
    }

    #[test]
    fn a_mutated_flow_is_survived(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..12)) {
        let text = format!("model m(input: [3]) {{ input -> {} -> linear(1) }}", words.join(" "));
        survives(&text, &Overrides::default())?;
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        survives(&text, &Overrides::default())?;
    }

    #[test]
    fn any_override_is_survived(key in "[a-z.]{0,20}", value in "\\PC{0,20}", param in "\\PC{0,12}") {
        let overrides = Overrides { set: vec![(key, value)], param: Some(param), ..Overrides::default() };
        survives("param = gmp\nmodel m(input: [3]) { input -> linear(1) }\ntrain { loss = mse  epochs = 3 }\n", &overrides)?;
    }
}
