//! Printed text is canonical: it reads as the same tree, and printing this tree gives the same text.

#[path = "print/generate.rs"]
mod generate;

use gmpc_grammar::ast::{Ast, Expr, Item};
use gmpc_grammar::source::SourceId;
use gmpc_grammar::{dump, print, print_expr, read, read_expr};
use proptest::prelude::*;
use std::path::PathBuf;

/// Reads a text that must have no errors.
fn tree(text: &str) -> Ast {
    let (ast, errors) = read(text, SourceId(0));
    assert_eq!(errors, [], "in\n{text}");
    ast
}

/// Checks both properties for one text. Returns its canonical form.
fn formatted(text: &str) -> String {
    let ast = tree(text);
    let once = print(&ast);
    let again = tree(&once);
    assert_eq!(dump(&ast), dump(&again), "printed as\n{once}");
    assert_eq!(print(&again), once);
    once
}

/// Every `.gmpnet` file of the repository.
fn files() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut folders) =
        (Vec::new(), vec![root.join("tests"), root.join("../stdlib"), root.join("../examples")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|e| e == "gmpnet") => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_file_of_the_repository_keeps_its_meaning() {
    assert!(files().len() >= 4);
    for file in files() {
        formatted(&std::fs::read_to_string(file).expect("a readable file"));
    }
}

#[test]
fn settings_and_declarations_are_aligned() {
    insta::assert_snapshot!(formatted(
        "param=gmp\nprecision  = f64\n\nseed=1 train{epochs=5 batch = 64}
         parameterization p { a:weight~init bb : offset = 0 s=dot(a,x)  act(s+bb) }"
    ));
}

#[test]
fn comments_stay_where_they_are() {
    insta::assert_snapshot!(formatted(
        "//! A file.
        // before everything
        param = gmp // behind a setting
        // before a model

        /// What it is.
        model m { // behind a brace
            // before a statement
            h = input -> conv(3) // behind a stage
              -> relu // and another


            // before the result
            h -> concat(a, // behind an argument
               // before one
               b)
            // at the end of a body
        } // behind a body
        x = [1, // one
             2 // two
             // no more
            ]
        y = a + // inside of a sum
            b
        //// a banner
        // the end"
    ));
}

#[test]
fn what_is_too_long_breaks_where_it_can() {
    insta::assert_snapshot!(formatted(
        "model m {
            input -> conv(64, 7, stride = 2) -> relu -> max_pool(3, stride = 2, pad = 1) -> repeat(2, basic(64)) -> linear(10)
        }
        model n {
            shortcut = if stride == 1 and input.channels == channels { input } else { input -> conv(channels, 1, stride) }
            sum = the_first_of_the_terms * a_factor + the_second_of_the_terms * a_factor + the_third_of_the_terms
            input -> relu
        }
        train {
            lr = match param { gmp => 0.1, gmp + mn => 0.2, bn => 0.001, wn + mbn => 0.0001, sp => 0.00001, _ => 0.01 }
            metrics = [a_metric(first = 1), another_metric(second = 2), a_third_metric(third = 3), rmse, mae]
        }"
    ));
}

#[test]
fn parentheses_stand_only_where_they_mean_something() {
    let written = |text: &str| print_expr(&read_expr(text, SourceId(0)).expect("an expression"));
    // Without most of these parentheses the text would read as another tree, or not at all. `-(-a)` and `a^(-b)` keep two signs
    // apart.
    for kept in [
        "a - (b - c)",
        "(a + b) * c",
        "(a^b)^c",
        "a^b^c",
        "-a^b",
        "(-a)^b",
        "a^(-b)",
        "-(-a)",
        "not (a and b)",
        "not a == b",
        "(not a) == b",
        "a == (b == c)",
        "(a -> relu) + b",
        "a + b -> relu",
        "(if c { a } else { b }) + d",
        "f(a -> relu, b = -1)",
    ] {
        assert_eq!(written(kept), kept);
    }
    // Redundant parentheses go, and numbers get their canonical digits.
    for (text, canonical) in [
        ("((a))", "a"),
        ("(a * b) + c", "a * b + c"),
        ("(a - b) - c", "a - b - c"),
        ("a ^ (b ^ c)", "a^b^c"),
        ("-(a ^ b)", "-a^b"),
        ("[ 10000, 1_0, 1e3, 1E-5, 0.10,]", "[10_000, 10, 1000.0, 1e-5, 0.1]"),
        (r#""a\"\\\n""#, r#""a\"\\\n""#),
        ("if a { 1 } else if b { 2 } else { 3 }", "if a { 1 } else if b { 2 } else { 3 }"),
    ] {
        assert_eq!(written(text), canonical);
    }
}

#[test]
fn a_result_does_not_go_on_with_the_line_above() {
    insta::assert_snapshot!(formatted("loss l(a) { b = a\n(-b) }"), @r"
    loss l(a) {
        b = a
        (-b)
    }
    ");
    insta::assert_snapshot!(formatted("loss l(a) { b = a\n(-b + 1 -> relu) }"), @r"
    loss l(a) {
        b = a
        (-b + 1 -> relu)
    }
    ");
}

proptest! {
    #[test]
    fn a_tree_is_read_back_from_its_text(items in generate::items()) {
        let ast = Ast { items, ..Ast::default() };
        let text = print(&ast);
        let again = tree(&text);
        prop_assert_eq!(dump(&ast), dump(&again), "printed as\n{}", text);
        prop_assert_eq!(print(&again), text);
    }

    #[test]
    fn an_expression_is_read_back_from_its_text(expr in generate::expression()) {
        let text = print_expr(&expr);
        let again: Expr = read_expr(&text, SourceId(0)).map_err(|e| TestCaseError::fail(format!("{e:?} in\n{text}")))?;
        prop_assert_eq!(gmpc_grammar::dump::dump_expr(&expr), gmpc_grammar::dump::dump_expr(&again), "printed as {}", text);
        prop_assert_eq!(print_expr(&again), text);
    }

    #[test]
    fn documentation_is_read_back(docs in prop::collection::vec("[ -~]{0,12}[!-~]|", 0..4), items in generate::items()) {
        let ast = Ast { docs, items, ..Ast::default() };
        prop_assert_eq!(dump(&tree(&print(&ast))), dump(&ast));
    }
}

#[test]
fn nothing_prints_as_nothing() {
    assert_eq!(print(&Ast::default()), "");
    assert_eq!(formatted("// only this"), "// only this\n");
    assert_eq!(formatted("//! only this\n\n\n"), "//! only this\n");
    assert_eq!(formatted("loss l { }"), "loss l {}\n");
    assert!(matches!(tree("use std.resnet").items.as_slice(), [Item::Use { .. }]));
}
