//! The lines of the terminal view at usual widths.

use super::*;
use insta::assert_snapshot;

fn curve(name: &str, of: impl Fn(f64) -> f64) -> Curve {
    let mut history = History::default();
    (0..2340).for_each(|k| history.push(of(f64::from(k) / 2340.0)));
    Curve { name: name.into(), history }
}

fn view() -> View {
    View {
        epoch: 2340,
        epochs: 10_000,
        steps: None,
        to_go: Some(Duration::from_secs(72)),
        curves: vec![
            curve("train.loss", |t| 10.0 * (-6.0 * t).exp() + 0.01),
            curve("valid.accuracy", |t| 0.9 - 0.4 * (1.0 - t).powi(3) + 0.02 * (40.0 * t).sin()),
        ],
        lr: Some(0.01),
        moved: vec![Moved { layer: "dense1".into(), location: 0.023_149, direction: 0.0012 }],
    }
}

fn drawn(view: &View, width: usize) -> String {
    let lines = draw(view, width);
    assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
    lines.join("\n")
}

#[test]
fn a_wide_terminal_shows_everything() {
    assert_snapshot!(drawn(&view(), 100), @r"
    epoch 2340/10000 ███████░░░░░░░░░░░░░░░░░░░░░░░  23 %  1:12 to go
    train.loss      0.03485  ██████████▇▇▇▇▇▇▆▆▆▆▆▆▆▅▅▅▅▅▅▄▄▄▄▄▄▃▃▃▃▃▃▃▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁▁
    valid.accuracy   0.9151  ▁▁▁▁▁▁▁▁▂▂▃▄▄▄▄▄▄▄▅▅▆▆▆▆▆▆▆▆▇▇▇█▇▇▇▇▇███████████████████████
    lr 0.01  boundaries of dense1 move by up to 0.02315, turn by up to 0.001200
    ");
}

#[test]
fn a_usual_terminal_shows_everything() {
    assert_snapshot!(drawn(&view(), 79), @r"
    epoch 2340/10000 ███████░░░░░░░░░░░░░░░░░░░░░░░  23 %  1:12 to go
    train.loss      0.03485  █████████▇▇▇▇▇▇▆▆▆▆▆▅▅▅▅▅▅▄▄▄▄▄▄▃▃▃▃▃▃▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁
    valid.accuracy   0.9151  ▁▁▁▁▁▁▁▂▂▃▄▄▄▄▄▄▅▅▆▆▆▆▆▆▆▇▇▇█▇▇▇▇▇████████████████████
    lr 0.01  boundaries of dense1 move by up to 0.02315, turn by up to 0.001200
    ");
}

#[test]
fn a_narrow_terminal_does_not_wrap() {
    assert_snapshot!(drawn(&view(), 40), @r"
    epoch 2340/10000  23 %  1:12 to go
    train.loss      0.03485  ███▇▆▆▅▄▄▃▂▂▁▁▁
    valid.accuracy   0.9151  ▁▁▂▄▄▆▆▇▇██████
    lr 0.01
    dense1: dphi 0.02315
    ");
}

#[test]
fn a_terminal_of_hardly_any_width_shows_what_it_can() {
    assert_snapshot!(drawn(&view(), 12), @r"
    epoch 2340/…
    train.loss …
    valid.accur…
    lr 0.01
    dense1: dph…
    ");
    assert_eq!(draw(&view(), 1).concat().chars().count(), 5, "one column each");
}

#[test]
fn before_the_first_epoch_there_is_only_the_bar() {
    let view = View { epochs: 5, ..View::default() };
    assert_snapshot!(drawn(&view, 60), @"epoch 0/5 ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0 %");
}

#[test]
fn a_long_epoch_shows_its_steps() {
    let steps = Steps { epoch: 2, done: 195, total: 390, rows_per_second: 5123.4 };
    let view = View { epoch: 1, epochs: 50, steps: Some(steps), ..View::default() };
    assert_snapshot!(drawn(&view, 60), @r"
    epoch 1/50 █░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   3 %
    step 195/390  5123 rows/s
    ");
}

#[test]
fn curves_are_shown_by_their_logarithms_where_they_fall_far() {
    assert_eq!(sparkline(&[1.0, 0.1, 0.01, 0.001]), "█▆▃▁");
    assert_eq!(sparkline(&[4.0, 3.0, 2.0, 1.0]), "█▆▃▁");
    assert_eq!(sparkline(&[-1.0, 100.0]), "▁█");
    assert_eq!(sparkline(&[2.0, 2.0]), "▁▁");
    assert_eq!(sparkline(&[]), "");
    // The noise of a nearly constant curve is not enlarged.
    let rest: Vec<f64> = (0..40).map(|k| if k == 0 { 2.0 } else { 1.0 + 1e-7 * f64::from(k % 2) }).collect();
    assert_eq!(sparkline(&rest), format!("█{}", "▁".repeat(39)));
    let mut jump = vec![1000.0];
    jump.extend((0..20).map(|k| f64::from(k % 4)));
    assert_eq!(sparkline(&jump), "█▁▃▆█▁▃▆█▁▃▆█▁▃▆█▁▃▆█");
}

#[test]
fn rates_have_no_zeros_that_say_nothing() {
    assert_eq!([0.01, 0.1, 1.0, 0.0003, 1e-5, 0.0123].map(rate), ["0.01", "0.1", "1", "0.0003", "1e-5", "0.0123"]);
}

#[test]
fn times_are_told_as_clocks_do() {
    let shown = |seconds| clock(Duration::from_secs(seconds));
    assert_eq!([shown(9), shown(72), shown(3723)], ["0:09", "1:12", "1:02:03"]);
    assert_eq!(clock(Duration::from_millis(300)), "0:01", "something is left");
}
