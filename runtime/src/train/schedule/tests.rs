//! Learning rates and early stopping, epoch by epoch.

use super::{Best, Rate, should_stop};
use crate::testing::schedule;
use gmpc_compiler::ir::experiment::{EarlyStop, Moment, Monitor, Part, Schedule};

fn monitor(higher_is_better: bool) -> Monitor {
    Monitor { part: Part::Valid, quantity: "loss".into(), higher_is_better }
}

fn plateau(patience: u64, min_delta: f64, min_lr: f64) -> Schedule {
    Schedule::ReduceOnPlateau { monitor: monitor(false), factor: 0.1, patience, min_delta, min_lr }
}

/// Steps of an epoch.
const STEPS: u64 = 3;

/// The rate of each epoch when the monitored values are these.
fn rates(schedule: &Schedule, values: &[f64]) -> Vec<f64> {
    let mut rate = Rate::new(1.0);
    let epochs = values.len() as u64;
    let mut rates = vec![];
    for (epoch, &value) in (0..).zip(values) {
        let moment = Moment { epoch, epochs, step: epoch * STEPS, steps: epochs * STEPS };
        rates.push(rate.at(schedule, 1.0, &moment, &mut vec![]));
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
    close(&rates(&schedule("step(every = 2, factor = 0.5)"), &[0.0; 6]), &[1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
    close(&rates(&schedule("cosine"), &[0.0; 4])[..3], &[1.0, 0.853_553_390_593_273_8, 0.5]);
    close(&rates(&schedule("cosine(final = 1)"), &[0.0; 4]), &[1.0; 4]);
    close(&rates(&Schedule::Constant, &[0.0; 3]), &[1.0; 3]);
    close(&rates(&schedule("constant"), &[0.0; 3]), &[1.0; 3]);
}

#[test]
fn a_warm_up_is_linear_and_what_follows_counts_from_its_end() {
    let then = |then: Schedule| Schedule::WarmUp { epochs: 2, every_step: false, then: Box::new(then) };
    close(&rates(&then(Schedule::Constant), &[0.0; 4]), &[0.5, 1.0, 1.0, 1.0]);
    close(&rates(&then(schedule("step(every = 1, factor = 0.5)")), &[0.0; 5]), &[0.5, 1.0, 1.0, 0.5, 0.25]);
    close(&rates(&then(schedule("cosine")), &[0.0; 4]), &[0.5, 1.0, 1.0, 0.5]);
    // Epochs of the warm-up are not looked at: the plateau's first value is that of epoch 2.
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

/// The rate of every step of a run of 6 epochs of 5 steps, by a `schedule` setting.
fn each_step(text: &str) -> Vec<f64> {
    let (schedule, rate, mut registers) = (schedule(text), Rate::new(0.3), vec![]);
    let moment = |step: u64| Moment { epoch: step / 5, epochs: 6, step, steps: 30 };
    (0..30).map(|step| rate.at(&schedule, 0.3, &moment(step), &mut registers)).collect()
}

#[test]
fn rates_are_those_of_pytorch() {
    // `pytorch.txt`: a setting on a line, and below it PyTorch's rate of each step, by `pytorch.py`.
    let mut lines = include_str!("pytorch.txt").lines();
    let mut compared = 0;
    while let (Some(setting), Some(rates)) = (lines.next(), lines.next()) {
        let expected: Vec<f64> = rates.split(' ').map(|rate| rate.parse().expect("a rate")).collect();
        let found = each_step(setting);
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12;
        assert!(
            found.len() == expected.len() && found.iter().zip(&expected).all(near),
            "{setting}\n{found:?}\n{expected:?}"
        );
        compared += 1;
    }
    assert!(compared >= 15, "{compared} settings");
}

#[test]
fn a_warm_up_by_steps_rises_with_each_of_them() {
    let found = each_step("warm_up(2, per = step, then = cosine(per = step))");
    close(&found[..10], &(1..=10).map(|step| 0.03 * f64::from(step)).collect::<Vec<_>>());
    close(&found[10..11], &[0.3]);
    close(&found[20..21], &[0.15]);
}
