//! No text makes the compiler panic or hang. Mutations of the examples pass through all stages that `gmpc check` runs.

use crate::networks::{request, source};
use crate::support::root;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::program::Goal;
use gmpc_device_cpu::Cpu;
use gmpc_runtime::program::session::Programs;
use gmpc_runtime::task::experiment::network;
use proptest::prelude::*;
use std::sync::Arc;

/// The texts of all examples and of the standard library, which the tests mutate.
fn seeds() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["examples", "stdlib"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap().flatten() {
            if entry.path().extension().is_some_and(|e| e == "gmpnet") {
                found.push(std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    found
}

/// One change of a text: the place as a fraction of its length, the number of letters to remove there, and the text to
/// insert.
type Change = (f64, usize, String);

fn mutated(text: &str, changes: &[Change]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (place, removed, added) in changes {
        let at = ((letters.len() as f64) * place) as usize;
        let end = (at + removed).min(letters.len());
        letters.splice(at..end, added.chars());
    }
    letters.into_iter().collect()
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![
        Just(String::new()),
        Just("gmp + ".to_string()),
        Just("-> repeat(3, ".to_string()),
        Just("99999999999".to_string()),
        Just("-1".to_string()),
        Just("1e308".to_string()),
        Just("0".to_string()),
        Just("{".to_string()),
        Just(")".to_string()),
        Just("match param { gmp => 1 }".to_string()),
        Just("input".to_string()),
        Just("\"".to_string()),
        Just("concat(input, input) * ".to_string()),
        "[a-z0-9_.,(){}=+*/^ ~>-]{0,12}",
    ];
    (0.0..1.0, 0_usize..12, word)
}

/// The largest number of state elements. Larger networks are valid, but take too long to compile hundreds of times.
const MOST_NUMBERS: usize = 1 << 16;

/// Runs the stages of `gmpc check` on a text, without files of data.
fn check(text: &str) {
    let request = request(source(text), Overrides::default(), Arc::new(Cpu::default()));
    let Ok((network, _)) = network(&request) else { return };
    if network.layout().elements <= MOST_NUMBERS && network.net.layers.len() <= 64 {
        for goal in [Goal::Predict, Goal::Evaluate, Goal::Train] {
            let _ = network.program(goal, 3);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_examples_never_make_check_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let seeds = seeds();
        check(&mutated(&seeds[which.index(seeds.len())], &changes));
    }

    #[test]
    fn arbitrary_text_never_makes_check_panic(text in "\\PC{0,200}") {
        check(&text);
    }
}
