//! Errors as the program shows them to people: several at once, with all places involved, and with one next step.

use crate::support::{gmpc_in, write};
use insta::assert_snapshot;
use tempfile::tempdir;

/// The messages of `gmpc check` for a wrong file with these options.
fn said(text: &str, options: &[&str]) -> String {
    let folder = tempdir().unwrap();
    write(folder.path(), "wrong.gmpnet", text);
    gmpc_in(folder.path(), &[&["check", "wrong.gmpnet"], options].concat()).expect(1).stderr
}

#[test]
fn shapes_that_clash_show_where_each_comes_from() {
    assert_snapshot!(said(
        "block change(units) { input -> dense(units) -> relu }\n\
         model m(input: [13]) {\n    wide = input -> change(64)\n    narrow = input -> change(32)\n    \
         wide + narrow -> linear(1)\n}\n",
        &[]
    ));
}

#[test]
fn several_mistakes_are_told_at_once_with_the_nearest_names() {
    assert_snapshot!(said(
        "param = gpm\ndata = levvy\nmodel m { input -> dens(10) -> relu -> linear(1) }\n\
         train { loss = mea  optimizer = adam(learning_rate = 0.1) }\n",
        &[]
    ));
}

#[test]
fn a_mistake_in_an_option_is_shown_in_the_option() {
    let text = "data = levy\nmodel m { input -> dense(10) -> relu -> linear(1) }\ntrain { loss = mse  optimizer = adam(lr = 0.1) }\n";
    assert_snapshot!(said(text, &["--set", "train.epochs=many"]));
}

#[test]
fn a_definition_of_the_library_that_clashes_is_shown_too() {
    let text =
        "parameterization gmp { w: weight ~ he_normal  dot(w, x) }\nmodel m(input: [2]) { input -> linear(1) }\n";
    assert_snapshot!(said(text, &[]));
}

#[test]
fn a_syntax_error_speaks_of_what_is_there() {
    assert_snapshot!(said("param = gmp\nmodel m(input: [2]) { input -> dense(10 -> relu -> linear(1) }\n", &[]));
}

#[test]
fn a_monitored_name_that_does_not_exist_is_an_error_before_training() {
    let text = "data = levy\nmodel m { input -> linear(1) }\n\
                train { loss = mse  optimizer = adam(lr = 0.1)  metrics = [rmse]  stop = early_stop(valid.accuracy) }\n";
    assert_snapshot!(said(text, &[]));
}
