//! Every error of the reader as it is shown. Each mistake has its own snapshot.

use gmpc_grammar::diagnostic::{Diagnostic, render};
use gmpc_grammar::explain::{explain, pages};
use gmpc_grammar::source::{Source, Sources};
use gmpc_grammar::{read, read_expr, read_path};

fn sources(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add(Source { name: "a.gmpnet".to_owned(), text: text.to_owned() });
    sources
}

fn errors(text: &str) -> Vec<Diagnostic> {
    read(text, gmpc_grammar::source::SourceId(0)).1
}

/// Returns all errors of a text as they are shown.
fn shown(text: &str) -> String {
    let sources = sources(text);
    errors(text).iter().map(|error| render(error, &sources)).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_code_has_a_page_with_correct_examples() {
    for page in pages().filter(|page| !page.wrong.is_empty()) {
        let mut codes: Vec<_> = errors(page.wrong).iter().map(|error| error.code).collect();
        codes.dedup();
        assert_eq!(codes, [page.code], "{}", shown(page.wrong));
        assert_eq!(shown(page.right), "", "the mended text of {}", page.code);
        insta::assert_snapshot!(page.code, shown(page.wrong));
    }
}

#[test]
fn every_code_of_the_sources_has_a_page() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/read");
    let (mut folders, mut codes) = (vec![root], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a text");
            for code in text.split("\"E01").skip(1).filter_map(|rest| rest.get(..2)) {
                codes += 1;
                assert!(explain(&format!("E01{code}")).is_some(), "E01{code} has no page");
            }
        }
    }
    assert!(codes >= 58);
}

#[test]
fn slips_in_other_shapes() {
    for (name, text) in SLIPS {
        insta::assert_snapshot!(*name, shown(text));
    }
}

#[test]
fn several_errors_are_told_at_once() {
    insta::assert_snapshot!(shown(include_str!("texts/many_slips.txt")));
}

#[test]
fn an_expression_alone_has_its_errors_too() {
    let told = |text: &str| match read_expr(text, gmpc_grammar::source::SourceId(0)) {
        Ok(expr) => gmpc_grammar::print_expr(&expr),
        Err(error) => render(&error, &sources(text)),
    };
    let texts =
        ["gmp + mn", " 0.5 ", "", "gmp +", "a b", "f(1", "1)", "3x", "a; b", "{ x }", "x = 3", "// nothing", "-1"];
    insta::assert_snapshot!(texts.map(|text| format!("{text}\n{}", told(text))).join("\n\n"));
}

#[test]
fn a_path_alone_has_its_errors_too() {
    let told = |text: &str| match read_path(text, gmpc_grammar::source::SourceId(0)) {
        Ok(path) => path.to_string(),
        Err(error) => render(&error, &sources(text)),
    };
    let texts = ["train.optimizer.lr", " seed ", "", "a.", "a..b", ".a", "3", "train.if", "a b", "f(x)"];
    insta::assert_snapshot!(texts.map(|text| format!("{text}\n{}", told(text))).join("\n\n"));
}

/// More mistakes with the same codes. The explain page of a code shows only one of them.
const SLIPS: &[(&str, &str)] = &[
    ("a_brace_forgotten_before_the_next_definition", "model a {\n    input -> relu\n\ntrain {\n    epochs = 5\n}"),
    ("a_brace_forgotten_at_the_end", "train {\n    epochs = 5\n"),
    ("a_parenthesis_forgotten_before_a_brace", "model a {\n    input -> dense(100\n}"),
    ("a_bracket_forgotten_in_a_setting", "metrics = [rmse, mae\nseed = 1\n"),
    ("a_chain_of_operators_that_is_too_long", LONG_SUM),
    ("a_string_that_swallows_a_parenthesis", "data = table(file = \"a.csv)\nseed = 1"),
    ("an_ampersand", "x = a & b"),
    ("a_pipe_between_parameterizations", "param = gmp | mn"),
    ("a_double_colon", "use std::resnet"),
    ("a_walrus", "seed := 1"),
    ("a_power_of_another_language", "x = 2 ** 3"),
    ("a_block_comment", "/* about { this */ seed = 1"),
    ("smart_quotes", "file = “a.csv”"),
    ("a_semicolon_in_a_call", "x = f(1; 2)"),
    ("an_arrow_of_mathematics", "model m { input → relu }"),
    ("an_invisible_character", "seed\u{A0}= 1"),
    ("an_emoji", "seed = 🙂"),
    ("a_unit_behind_a_number", "noise = 3x"),
    ("two_underscores", "seed = 1__0"),
    ("a_number_with_two_dots", "x = 1.2.3"),
    ("a_dot_without_digits", "lr = 1."),
    ("blanks_around_a_dot", "x = data . classes"),
    ("documentation_inside_of_a_call", "x = f(1,\n    /// why\n    2)"),
    ("documentation_before_use", "/// why\nuse std.resnet"),
    ("documentation_at_the_end", "seed = 1\n/// nothing follows"),
    ("a_keyword_before_an_equals_sign", "model m {\n    match = input\n    match -> relu\n}"),
    ("a_keyword_as_an_argument_name", "x = f(if = 3)"),
    ("a_keyword_as_a_value", "x = from"),
    ("a_keyword_as_a_label", "model m { input -> dense(3) as if }"),
    ("return", "model m {\n    y = input -> relu\n    return y\n}"),
    ("elif", "x = if a { 1 } elif b { 2 } else { 3 }"),
    ("a_loop", "model m {\n    for i in n { input -> relu }\n}"),
    ("a_dotted_argument", "x = f(a.b = 3)"),
    ("no_value_before_the_end", "seed ="),
    ("no_value_in_an_arm", "x = match p { gmp => , _ => 1 }"),
    ("no_value_in_an_argument", "x = f(a = )"),
    ("no_operand_before_the_next_setting", "x = a +\nseed = 1"),
    ("no_kind", "parameterization p { w: = 3  act(w) }"),
    ("a_colon_at_the_top", "param: gmp"),
    ("two_equals_signs", "param == gmp"),
    ("a_name_without_a_value", "param gmp"),
    ("an_arrow_forgotten_before_a_call", "model m { input -> relu linear(1) }"),
    ("an_expression_between_statements", "model m {\n    a + b\n    c = input\n    c -> relu\n}"),
    ("two_results", "loss l(a, b) {\n    a - b\n    a * b\n}"),
    ("parameters_of_train", "train(epochs = 3) { batch = 5 }"),
    ("use_alone", "use\nseed = 1"),
    ("a_model_without_a_body", "model m\nseed = 1"),
    ("an_equals_sign_behind_a_name", "model m = input -> relu"),
    ("an_unknown_word", "network m { input -> relu }"),
    ("a_lone_word", "precision\nseed = 1"),
    ("a_flow_at_the_top", "input -> relu"),
    ("a_continuation_at_the_top", "seed = 1\n{ 3 }"),
    ("parameters_without_a_comma", "block b(n m) { input }"),
    ("a_string_as_a_parameter", "block b(\"n\") { input }"),
    ("an_index", "x = sizes[0]"),
    ("a_list_behind_a_name", "x = sizes [0]"),
    ("a_label_that_is_a_number", "model m { input -> dense(3) as 3 }"),
    ("two_labels", "model m { input -> dense(3) as a as b }"),
    ("a_stage_in_parentheses", "model m { input -> (relu) }"),
    ("nothing_behind_an_arrow", "model m { input -> }"),
    ("two_arrows", "model m { input -> -> relu }"),
    ("an_equals_sign_in_parentheses", "x = (a = 3)"),
    ("an_equals_sign_in_a_list", "x = [a = 3]"),
    ("no_arms", "x = match param { }"),
    ("an_arm_without_a_value", "x = match param { gmp, _ => 2 }"),
    ("arms_without_a_comma", "x = match param { gmp => 1 _ => 2 }"),
    ("else_without_if", "model m { else { input } }"),
    ("an_empty_branch", "x = if a { } else { 1 }"),
    ("nothing_to_ask", "x = if { 1 } else { 2 }"),
    ("match_without_a_brace", "x = match param gmp => 1"),
    ("two_commas", "x = [1,, 2]"),
    ("a_comma_first", "x = f(, 2)"),
    ("nothing_on_the_left", "x = * 3"),
    ("a_plus_sign", "x = +3"),
    ("not_without_a_value", "x = not"),
    ("a_value_missing_in_parentheses", "x = ()"),
    ("a_value_without_a_name_in_a_dataset", "dataset d { table(3) }"),
    ("two_conversions", "parameterization p {\n    from(w, b) { v = w }\n    from(w, b) { v = b }\n    x\n}"),
    ("a_setting_of_train_twice", "train {\n    epochs = 1\n    batch = 2\n    epochs = 3\n}"),
    ("a_tab_and_a_windows_line_end", "train {\r\n\tepochs 5\r\n}\r\n"),
];

const LONG_SUM: &str = "x = 1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1\
    +1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1\
    +1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1";
