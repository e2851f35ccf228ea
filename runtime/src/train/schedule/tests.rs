//! Learning rates and early stopping, epoch by epoch.

use super::{Best, Rate, should_stop};
use gmpc_compiler::ir::experiment::{EarlyStop, Monitor, Part, Schedule};

fn monitor(higher_is_better: bool) -> Monitor {
    Monitor { part: Part::Valid, quantity: "loss".into(), higher_is_better }
}

fn plateau(patience: u64, min_delta: f64, min_lr: f64) -> Schedule {
    Schedule::ReduceOnPlateau { monitor: monitor(false), factor: 0.1, patience, min_delta, min_lr }
}

/// The learning rate of each epoch, for these monitored values.
fn rates(schedule: &Schedule, values: &[f64]) -> Vec<f64> {
    let mut rate = Rate::new(1.0);
    let epochs = values.len() as u64;
    let mut rates = vec![];
    for (epoch, &value) in (0..).zip(values) {
        rates.push(rate.at(schedule, 1.0, epoch, epochs));
        // A resumed run must continue as if it had not been stopped.
        rate = serde_json::from_str(&serde_json::to_string(&rate).unwrap()).unwrap();
        rate.observe(schedule, epoch, |_| value);
    }
    rates
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}\n{expected:?}");
}

/// The epoch after which a run with this patience ends; `None` if it is not stopped early.
fn stops_after(patience: u64, min_delta: f64, higher_is_better: bool, values: &[f64]) -> Option<u64> {
    let stop = EarlyStop { monitor: monitor(higher_is_better), patience, min_delta, restore_best: true };
    let mut best = Best::default();
    (0..).zip(values).find_map(|(epoch, &value)| {
        best.observe(value, epoch, higher_is_better, min_delta);
        should_stop(Some(&stop), &best).then_some(epoch)
    })
}

#[test]
fn a_plateau_is_patience_epochs_in_a_row_without_improvement() {
    //                            epoch  0    1    2    3    4    5
    close(&rates(&plateau(1, 0.0, 0.0), &[5.0, 5.0, 5.0, 4.0, 4.0, 4.0]), &[1.0, 1.0, 0.1, 0.01, 0.01, 0.001]);
    close(&rates(&plateau(2, 0.0, 0.0), &[5.0, 6.0, 5.0, 5.0, 4.0, 3.0]), &[1.0, 1.0, 1.0, 0.1, 0.1, 0.1]);
    close(&rates(&plateau(2, 0.0, 0.0), &[5.0, 6.0, 4.0, 5.0, 3.0, 4.0]), &[1.0; 6]);
    close(&rates(&plateau(3, 0.0, 0.0), &[5.0, 5.0, 5.0, 5.0, 5.0, 5.0]), &[1.0, 1.0, 1.0, 1.0, 0.1, 0.1]);
}

#[test]
fn the_counter_starts_anew_after_each_reduction() {
    close(&rates(&plateau(2, 0.0, 0.0), &[5.0; 7]), &[1.0, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01]);
}

#[test]
fn improvements_below_min_delta_do_not_count() {
    close(&rates(&plateau(2, 0.5, 0.0), &[5.0, 4.6, 4.6, 4.4, 4.0]), &[1.0, 1.0, 1.0, 0.1, 0.1]);
    assert_eq!(stops_after(2, 0.5, false, &[5.0, 4.4, 4.0, 3.95]), Some(3));
}

#[test]
fn the_rate_never_falls_below_min_lr_nor_rises_to_it() {
    close(&rates(&plateau(1, 0.0, 0.05), &[5.0; 5]), &[1.0, 1.0, 0.1, 0.05, 0.05]);
    close(&rates(&plateau(1, 0.0, 2.0), &[5.0; 4]), &[1.0; 4]);
}

#[test]
fn a_value_that_is_no_number_is_no_improvement() {
    close(&rates(&plateau(2, 0.0, 0.0), &[5.0, f64::NAN, f64::NAN, 4.0]), &[1.0, 1.0, 1.0, 0.1]);
    assert_eq!(stops_after(2, 0.0, false, &[f64::NAN, f64::NAN, 1.0]), Some(1));
}

#[test]
fn steps_and_cosines_follow_their_formula() {
    close(&rates(&Schedule::Step { every: 2, factor: 0.5 }, &[0.0; 6]), &[1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
    close(&rates(&Schedule::Cosine { last: 0.0 }, &[0.0; 4])[..3], &[1.0, 0.853_553_390_593_273_8, 0.5]);
    close(&rates(&Schedule::Cosine { last: 1.0 }, &[0.0; 4]), &[1.0; 4]);
    close(&rates(&Schedule::Constant, &[0.0; 3]), &[1.0; 3]);
}

#[test]
fn a_warm_up_is_linear_and_what_follows_counts_from_its_end() {
    let then = |schedule: Schedule| Schedule::WarmUp { epochs: 2, then: Box::new(schedule) };
    close(&rates(&then(Schedule::Constant), &[0.0; 4]), &[0.5, 1.0, 1.0, 1.0]);
    close(&rates(&then(Schedule::Step { every: 1, factor: 0.5 }), &[0.0; 5]), &[0.5, 1.0, 1.0, 0.5, 0.25]);
    close(&rates(&then(Schedule::Cosine { last: 0.0 }), &[0.0; 4]), &[0.5, 1.0, 1.0, 0.5]);
    // Epochs of the warm-up do not count: the first value for the plateau is that of epoch 2.
    close(&rates(&then(plateau(1, 0.0, 0.0)), &[1.0, 1.0, 5.0, 5.0, 5.0]), &[0.5, 1.0, 1.0, 1.0, 0.1]);
}

#[test]
fn a_run_stops_after_patience_epochs_in_a_row_without_improvement() {
    assert_eq!(stops_after(1, 0.0, false, &[5.0, 4.0, 4.0, 3.0]), Some(2));
    assert_eq!(stops_after(3, 0.0, false, &[5.0, 6.0, 6.0, 6.0, 6.0]), Some(3));
    assert_eq!(stops_after(3, 0.0, false, &[5.0, 6.0, 6.0, 4.0, 6.0, 6.0]), None);
    assert_eq!(stops_after(2, 0.0, true, &[0.5, 0.6, 0.6, 0.6, 0.9]), Some(3));
}

#[test]
fn the_best_epoch_is_the_last_that_improved() {
    let mut best = Best::default();
    let improved: Vec<bool> =
        (0..).zip([5.0, 4.0, 4.0, 3.0, 3.5]).map(|(epoch, v)| best.observe(v, epoch, false, 0.0)).collect();
    assert_eq!(improved, [true, true, false, true, false]);
    assert_eq!((best.epoch, best.waited), (3, 1));
}
