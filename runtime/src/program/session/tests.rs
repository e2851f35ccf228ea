//! Sessions on the reference device: chunks, remainders, sums.

use super::{Clock, chunks};
use crate::testing::{Tiny, rows};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::program::Goal;
use gmpc_data::Pick;

#[test]
fn large_parts_are_cut_into_fixed_chunks_and_a_remainder() {
    assert_eq!(chunks(600, 8).collect::<Vec<_>>(), [0..256, 256..512, 512..600]);
    assert_eq!(chunks(256, 8).map(|range| (range.start, range.end)).collect::<Vec<_>>(), [(0, 256)]);
    assert_eq!(chunks(0, 8).count(), 0);
}

#[test]
fn the_same_seed_gives_the_same_first_values() {
    let start = |seed| {
        let mut session = Tiny::session(Precision::F32);
        session.initialize(seed).unwrap();
        session.states.data().clone()
    };
    assert_eq!(start(5), start(5));
    assert_ne!(start(5), start(6));
}

#[test]
fn steps_lower_the_loss_and_evaluation_leaves_the_states_alone() {
    for precision in [Precision::F32, Precision::F64] {
        let (train, test) = (rows(precision, 16, 0), rows(precision, 300, 1));
        let mut session = Tiny::session(precision);
        session.initialize(0).unwrap();
        let handle = session.load(Goal::Train, 16).unwrap();
        let before = session.evaluate(&test).unwrap();
        for step in 1..=50 {
            let mut sums = session.empty_sums(handle);
            let clock = Clock { lr: 0.1, step, seed: 0 };
            assert!(session.step(handle, &train, &Pick::Range(0..16), clock, &mut sums).unwrap());
            assert_eq!(sums.rows, 16);
        }
        let states = session.states.data().clone();
        let after = session.evaluate(&test).unwrap();
        assert_eq!(*session.states.data(), states);
        assert_eq!((after[0].0.as_str(), after[1].0.as_str()), ("loss", "rmse"));
        assert!(after[1].1 < 0.1 * before[1].1, "{before:?} {after:?}");
        assert!((after[0].1.sqrt() - after[1].1).abs() < 1e-9);
    }
}

#[test]
fn predictions_come_row_by_row_whatever_the_chunks() {
    let precision = Precision::F64;
    let mut session = Tiny::session(precision);
    session.initialize(3).unwrap();
    let all = session.predict(&rows(precision, 600, 4)).unwrap();
    assert_eq!(all.len(), 600);
    let few = session.predict(&rows(precision, 10, 4)).unwrap();
    assert_eq!(all[..10], few[..]);
}
