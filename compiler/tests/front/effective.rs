//! Overrides edit the file. The effective source alone, without any option, gives the same experiment.

use crate::{files, resolved, set};
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::Seeds;
use gmpc_compiler::ir::module::Module;

/// Describes the experiment of a module, without the spans.
fn asked(module: &Module) -> String {
    let text = format!("{:?} {:?}", module.experiment, module.training.as_ref().map(|t| &t.loss.arguments));
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("Span {") {
        plain.push_str(before);
        rest = after.split_once('}').map_or("", |(inside, tail)| {
            assert!(inside.contains("start"));
            // `SourceId(3)` closes with a parenthesis, so the first brace is the span's.
            tail
        });
    }
    plain + rest
}

/// The effective source of a text. Compiling it again must give the same settings and the same source.
fn effective(text: &str, overrides: &Overrides) -> String {
    let (module, _) =
        resolved(text, overrides).unwrap_or_else(|f| panic!("{}", crate::shown(&f.diagnostics, &f.sources)));
    let (again, _) = resolved(&module.effective_source, &Overrides::default())
        .unwrap_or_else(|f| panic!("{}\n{}", module.effective_source, crate::shown(&f.diagnostics, &f.sources)));
    assert_eq!(asked(&module), asked(&again));
    assert_eq!(module.effective_source, again.effective_source);
    module.effective_source
}

const FILE: &str = "\
//! A first model.

param = gmp  // edit this line
data  = table(\"my.csv\", target = 3, features = 3)

block layer(units, act = relu) {
    input -> dense(units) -> act
}

// The network.
model first {
    input -> layer(8) -> linear(1)
}

train {
    loss      = mse  // smooth
    optimizer = adam(0.01)
    schedule  = warm_up(5, then = cosine())
}
";

#[test]
fn every_override_is_written_into_the_effective_source() {
    let edits = [
        "train.epochs=7",
        "train.optimizer.lr=0.5",
        "train.optimizer.eps=1e-6",
        "train.schedule.then.final=0.1",
        "train.batch=all",
        "train.metrics=[rmse, mae]",
        "train.loss=huber",
        "train.loss.delta=2",
        "data.standardize=none",
        "data.path=\"other.csv\"",
        "layer.act=tanh",
        "param=gmp(scale = 2) + mn",
        "precision=f64",
    ];
    let overrides = Overrides { seed: Some(Seeds::all(3)), ..set(&edits) };
    insta::assert_snapshot!(effective(FILE, &overrides));
}

#[test]
fn examples_come_back_unchanged() {
    for (name, text) in files().into_iter().filter(|(name, _)| name.starts_with("examples/")) {
        println!("{name}");
        effective(&text, &Overrides::default());
        effective(&text, &Overrides { param: Some("wn + mbn".to_string()), ..set(&["train.epochs=3", "seed=4"]) });
    }
}
