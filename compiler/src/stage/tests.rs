//! The harness names, times, verifies and prints; the pipeline runs its passes in it.

use super::{Harness, Observer, Part};
use crate::front::resolve::Overrides;
use crate::graphs::step::Options;
use crate::ir::graph::{Graph, Op};
use crate::ir::program::Goal;
use gmpc_grammar::source::Source;
use std::sync::Mutex;

/// Writes down everything.
#[derive(Debug, Default)]
struct Notes {
    heard: Mutex<Vec<String>>,
    wanted: Option<&'static str>,
}

impl Notes {
    fn note(&self, text: String) {
        self.heard.lock().unwrap().push(text);
    }

    fn all(self) -> Vec<String> {
        self.heard.into_inner().unwrap()
    }
}

impl Observer for Notes {
    fn begin(&self, stage: &'static str, part: Part) {
        self.note(format!("begin {stage} {part:?}"));
    }

    fn end(&self, stage: &'static str, part: Part) {
        self.note(format!("end {stage} {part:?}"));
    }

    fn wants(&self, stage: &'static str) -> bool {
        self.wanted == Some(stage)
    }

    fn printed(&self, stage: &'static str, text: String) {
        self.note(format!("printed {stage}\n{text}"));
    }
}

fn negated(shape: &[usize]) -> Graph {
    let mut graph = Graph::default();
    let x = graph.input("x", vec![2]);
    graph.push(Op::Neg, vec![x], shape.to_vec());
    graph
}

#[test]
fn a_stage_is_timed_verified_and_printed_where_that_is_wanted() {
    let notes = Notes { wanted: Some("shown"), ..Notes::default() };
    let harness = Harness::new(&notes, None);
    harness.run("hidden", || negated(&[2]));
    harness.run("shown", || negated(&[2]));
    let refused: Result<Graph, &str> = harness.try_run("refused", || Err("no"));
    assert_eq!(refused.unwrap_err(), "no");
    insta::assert_snapshot!(notes.all().join("\n"), @"
    begin hidden Pass
    end hidden Pass
    begin hidden Verify
    end hidden Verify
    begin shown Pass
    end shown Pass
    begin shown Verify
    end shown Verify
    printed shown
    %0 = input x                             : [2]
    %1 = neg %0                              : [2]

    begin refused Pass
    end refused Pass
    ");
}

#[test]
fn what_breaks_a_rule_stops_with_stage_rule_and_the_printed_graph() {
    let caught = std::panic::catch_unwind(|| {
        Harness::new(&super::Silent, None).run("simplify", || negated(&[3]));
    });
    let said = caught.unwrap_err().downcast_ref::<String>().unwrap().clone();
    insta::assert_snapshot!(said, @"
    simplify: %1 = neg : [3]: operands and result share one shape
    %0 = input x                             : [2]
    %1 = neg %0                              : [3]
    ");
}

#[test]
fn a_pass_that_others_follow_is_verified_outside_of_release_builds() {
    let caught = std::panic::catch_unwind(|| {
        Harness::new(&super::Silent, None).run_within("simplify", || negated(&[3]));
    });
    assert_eq!(caught.is_err(), cfg!(debug_assertions));
}

const TEXT: &str = "param = gmp\nmodel m(input: [3]) { input -> dense(4) -> relu -> linear(1) }
    train { loss = mse  metrics = [rmse]  optimizer = adam(lr = 0.1)  batch = 8 }\n";

fn compiled(notes: &Notes, goal: Goal) -> crate::ir::program::Program {
    let file = Source { name: "m.gmpnet".into(), text: TEXT.into() };
    let overrides = Overrides { param: Some("gmp + mn".into()), ..Overrides::default() };
    let made = crate::compile(file, &overrides, |_| (None, Options::default()), goal, 8, notes);
    made.unwrap_or_else(|failure| panic!("{:?}", failure.diagnostics)).0
}

#[test]
fn the_pipeline_goes_from_text_to_code_pass_by_pass() {
    let notes = Notes::default();
    let program = compiled(&notes, Goal::Train);
    assert_eq!((program.goal, program.batch), (Goal::Train, 8));
    assert!(!program.code.functions.is_empty());
    let passes = notes
        .all()
        .into_iter()
        .filter_map(|note| note.strip_prefix("begin ")?.strip_suffix(" Pass").map(str::to_string));
    insta::assert_snapshot!(passes.collect::<Vec<_>>().join(" "), @"read override resolve infer parameterize step simplify prepare hoist fuse plan emit");
}

#[test]
fn every_stage_prints_what_it_gives() {
    let stages =
        ["read", "override", "resolve", "infer", "parameterize", "step", "simplify", "prepare", "hoist", "fuse"];
    for stage in stages.into_iter().chain(["plan", "emit"]) {
        let notes = Notes { wanted: Some(stage), ..Notes::default() };
        compiled(&notes, Goal::Train);
        let printed = notes.all().into_iter().find(|note| note.starts_with("printed"));
        assert!(printed.is_some_and(|text| text.lines().count() > 2), "{stage}");
    }
    // Boundaries have a stage of their own in place of two.
    let notes = Notes { wanted: Some("boundaries"), ..Notes::default() };
    compiled(&notes, Goal::Boundaries);
    assert!(notes.all().iter().any(|note| note.starts_with("printed") && note.contains("output boundary.dense1")));
}

#[test]
fn the_compilation_ends_where_a_stage_finds_a_mistake() {
    let notes = Notes::default();
    let file = Source { name: "m.gmpnet".into(), text: "model m(input: [3]) { input -> dense(0) }".into() };
    let overrides = Overrides::default();
    let failed = crate::compile(file, &overrides, |_| (None, Options::default()), Goal::Predict, 8, &notes);
    assert!(!failed.unwrap_err().diagnostics.is_empty());
    assert_eq!(notes.all().last().map(String::as_str), Some("end infer Pass"));
}
