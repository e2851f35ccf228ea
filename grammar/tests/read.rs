//! The trees that the reader builds.

use gmpc_grammar::ast::{Expr, ExprKind, Item, Statement};
use gmpc_grammar::dump::{dump, dump_expr};
use gmpc_grammar::source::{Source, SourceId, Sources, Span};
use gmpc_grammar::{read, read_expr, read_path};

const ID: SourceId = SourceId(0);

fn tree(text: &str) -> String {
    let (ast, errors) = read(text, ID);
    assert_eq!(errors, [], "in\n{text}");
    dump(&ast)
}

/// Prints an expression with parentheses around every operation.
fn explicit(text: &str) -> String {
    fn write(expr: &Expr) -> String {
        match &expr.node {
            ExprKind::Unary(op, x) => format!("({op:?} {})", write(x)),
            ExprKind::Binary(op, a, b) => format!("({op:?} {} {})", write(a), write(b)),
            ExprKind::Flow { source, stages } => {
                let stages: Vec<String> = stages.iter().map(|stage| write(&stage.expr)).collect();
                format!("({} -> {})", write(source), stages.join(" -> "))
            }
            _ => dump_expr(expr).trim().to_owned(),
        }
    }
    write(&read_expr(text, ID).expect(text)).replace("path ", "").replace("integer ", "")
}

#[test]
fn the_examples_of_the_language_are_read_without_errors() {
    for text in [
        include_str!("texts/levy.gmpnet"),
        include_str!("texts/resnet.gmpnet"),
        include_str!("texts/vgg.gmpnet"),
        include_str!("texts/definitions.gmpnet"),
    ] {
        assert!(!tree(text).is_empty());
    }
}

#[test]
fn a_whole_experiment() {
    insta::assert_snapshot!(tree(include_str!("texts/levy.gmpnet")));
}

#[test]
fn a_network_with_blocks_and_branches() {
    insta::assert_snapshot!(tree(include_str!("texts/resnet.gmpnet")));
}

#[test]
fn every_kind_of_definition() {
    insta::assert_snapshot!(tree(include_str!("texts/definitions.gmpnet")));
}

#[test]
fn operators_bind_as_in_mathematics() {
    for (text, meant) in [
        ("a + b * c", "(Add a (Multiply b c))"),
        ("a - b - c", "(Subtract (Subtract a b) c)"),
        ("a / b * c", "(Multiply (Divide a b) c)"),
        ("a ^ b ^ c", "(Power a (Power b c))"),
        ("-a ^ b", "(Negate (Power a b))"),
        ("a ^ -b ^ c", "(Power a (Negate (Power b c)))"),
        ("-a * b", "(Multiply (Negate a) b)"),
        ("a - -b", "(Subtract a (Negate b))"),
        ("not a == b", "(Not (Equal a b))"),
        ("a == b and not c or d", "(Or (And (Equal a b) (Not c)) d)"),
        ("a + b < c * d", "(Less (Add a b) (Multiply c d))"),
        ("a + b -> f", "((Add a b) -> f)"),
        ("(a -> f) + b", "(Add (a -> f) b)"),
        ("1 - beta1^step", "(Subtract 1 (Power beta1 step))"),
    ] {
        assert_eq!(explicit(text), meant, "{text}");
    }
}

#[test]
fn a_statement_ends_where_the_next_one_begins() {
    let apart = tree("optimizer o(lr) {\n m = beta * m + (1 - beta) * g\n value - lr * m\n}");
    assert_eq!(tree("optimizer o(lr) { m = beta * m + (1 - beta) * g value - lr * m }"), apart);
    assert_eq!(tree("optimizer o(lr) { m = beta * m\n + (1 - beta)\n * g value\n - lr * m }"), apart);
    let flow = tree("model m { input -> relu -> tanh }");
    assert_eq!(tree("model m {\n input\n -> relu\n -> tanh\n}"), flow);
    assert!(tree("model m { input -> relu // why\n // and so on\n -> tanh }").starts_with(&flow));
    // A parenthesis or a bracket at the start of a line begins a new value. It does not continue the line before.
    assert_eq!(tree("loss l { a = b\n(c) }"), tree("loss l { a = b  c }"));
    assert_eq!(tree("loss l { a = b\n[c] }"), tree("loss l { a = (b)  [c] }"));
}

#[test]
fn numbers_keep_their_kind() {
    for (text, meant) in [
        ("10_000", "integer 10000"),
        ("18446744073709551615", "integer 18446744073709551615"),
        ("007", "integer 7"),
        ("0.1", "float 0.1"),
        ("1e-5", "float 1e-5"),
        ("1e-08", "float 1e-8"),
        ("2.5E+3", "float 2500.0"),
        ("1_0.2_5", "float 10.25"),
        ("1e3", "float 1000.0"),
        ("1e-999", "float 0.0"),
    ] {
        assert_eq!(dump_expr(&read_expr(text, ID).expect(text)).trim(), meant);
    }
}

#[test]
fn texts_of_any_editor_are_read() {
    let plain = tree("//! File.\nparam = gmp // why\n/// Block.\nblock b { input }\n");
    assert_eq!(tree("\u{FEFF}//! File.\r\nparam = gmp\t// why\r\n/// Block.\r\nblock b {\tinput }"), plain);
    assert_eq!(tree("//! File.\rparam = gmp // why\r/// Block.\rblock b { input }"), plain);
    let (ast, errors) = read("x = \"Übergröße → 🙂\" // θ λ", ID);
    assert_eq!(errors, []);
    assert_eq!(ast.comments.first().map(|c| c.text.as_str()), Some("θ λ"));
}

#[test]
fn the_first_words_of_definitions_are_names_elsewhere() {
    tree(
        "train { loss = mse  optimizer = adam(lr = 1)  model = block  use_all = true  orders = [anded, nothing, iffy] }",
    );
    tree("model = train  train = model  loss = loss(metric = dataset.train)");
    tree("model train(input: [3], data, param, act) { train -> model -> loss(optimizer = metric) }");
}

#[test]
fn spans_cover_exactly_what_they_name() {
    let text = "/// Doc.\nmodel m(n = 3) { h = (a + b) * -c -> f(x = [1, 2] ) as g  // why\n h  }";
    let mut sources = Sources::default();
    let id = sources.add(Source { name: "a".to_owned(), text: text.to_owned() });
    let (ast, _) = read(text, id);
    let says = |span: Span| sources.slice(span);
    let Some(Item::Definition(definition)) = ast.items.first() else { panic!("a definition") };
    assert_eq!(says(definition.span), &text[9..]);
    assert_eq!(definition.docs, ["Doc."]);
    let Some(Statement::Bind(binding)) = definition.body.statements.first() else { panic!("a statement") };
    assert_eq!(says(binding.value.span), "(a + b) * -c -> f(x = [1, 2] ) as g");
    let ExprKind::Flow { source, stages } = &binding.value.node else { panic!("a flow") };
    assert_eq!(says(source.span), "(a + b) * -c");
    assert_eq!(says(stages[0].expr.span), "f(x = [1, 2] )");
    let ExprKind::Binary(_, left, right) = &source.node else { panic!("a product") };
    assert_eq!((says(left.span), says(right.span)), ("(a + b)", "-c"));
    assert_eq!(definition.body.result.as_ref().map(|result| says(result.span)), Some("h"));
    assert_eq!(says(ast.comments[0].span), "// why");
}

#[test]
fn the_rest_of_a_file_with_errors_is_kept() {
    let (ast, errors) = read(include_str!("texts/many_slips.txt"), ID);
    assert_eq!(errors.len(), 10);
    insta::assert_snapshot!(gmpc_grammar::print(&ast));
}

#[test]
fn a_path_is_one_name_or_several() {
    let parts = |text: &str| read_path(text, ID).map(|path| path.parts.len());
    assert_eq!(parts("seed"), Ok(1));
    assert_eq!(parts(" train.optimizer.lr "), Ok(3));
    assert!(parts("").is_err() && parts("3").is_err() && parts("a b").is_err());
}
