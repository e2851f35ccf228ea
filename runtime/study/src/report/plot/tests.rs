//! The SVG of a plot, and the attributes that the page's script relies on.

use super::colours::assigned;
use super::*;

fn plot() -> Plot {
    Plot::new("a < b", Axis::linear("epoch", 0.0..10.0), Axis::scaled("loss", -2.0..2.0, Scale::Log10), WIDE)
}

#[test]
fn a_line_is_interrupted_where_there_is_no_number() {
    let mut plot = plot();
    plot.line("gmp", "c-gmp", [[0.0, 0.0], [5.0, 1.0], [6.0, f64::NAN], [10.0, 2.0]], 1.5);
    let svg = plot.svg(None);
    let d = svg.split(" d=\"").last().unwrap().split('"').next().unwrap();
    assert_eq!(d.matches('M').count(), 2, "{d}");
    assert!(d.starts_with("M0 ") && !svg.contains("NaN") && svg.contains("aria-label=\"a &lt; b\""));
    assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
}

#[test]
fn numbers_at_an_axis_are_round_and_inside() {
    let found = ticks(&Axis::linear("", 0.0..9_999.0), 5);
    assert_eq!(found, [0.0, 2000.0, 4000.0, 6000.0, 8000.0]);
    assert_eq!(ticks(&Axis::linear("", -1.0..0.75), 4), [-1.0, -0.5, 0.0, 0.5]);
    let powers = Axis::scaled("", -16.0..16.0, Scale::Log2);
    let exponents: Vec<String> = powers.names(&ticks(&powers, 6));
    assert_eq!(exponents, ["2⁻¹⁶", "2⁻⁸", "2⁰", "2⁸", "2¹⁶"]);
    let tens = Axis::scaled("", -0.1..1.4, Scale::Log10);
    assert_eq!(tens.names(&ticks(&tens, 6)), ["1", "2", "5", "10", "20"]);
    let few = Axis::scaled("", -3.06..-0.94, Scale::Log10);
    assert_eq!(few.names(&ticks(&few, 3)), ["0.001", "0.01", "0.1"], "whole powers where there is little room");
    let names = Axis::scaled("", 0.0..2.0, Scale::Names(vec!["0".into(), "500".into()]));
    assert_eq!(names.names(&ticks(&names, 9)), ["0", "500"]);
    assert_eq!(ticks(&Axis::linear("", 1.0..1.0), 5), [0.0_f64; 0]);
    assert_eq!(ticks(&Axis::linear("", f64::NAN..1.0), 5), [0.0_f64; 0]);
}

#[test]
fn numbers_are_shown_as_people_write_them() {
    let texts: Vec<String> = [0.0, 0.5, 12_345.0, 1e6, 1.5e-7, -0.25, 0.1 + 0.2].map(shown).to_vec();
    assert_eq!(texts, ["0", "0.5", "12345", "1e6", "1.5e-7", "-0.25", "0.3"]);
    assert_eq!([short(1.0), short(-0.001), short(2.346)], ["1", "0", "2.35"]);
}

#[test]
fn each_run_has_a_colour_of_its_own() {
    let found = assigned(["sp", "gmp", "gmp", "gmp + mn", "mine"]);
    assert_eq!((found[0].as_str(), found[1].as_str(), found[3].as_str()), ("c-sp", "c-gmp", "c-gmp-mn"));
    let mut colours: Vec<&str> = found.iter().map(|class| light(class)).collect();
    colours.sort_unstable();
    colours.dedup();
    assert_eq!(colours.len(), 5, "{found:?}");
}

#[test]
fn a_title_that_is_too_long_ends_in_dots() {
    assert_eq!(fitted("short", 100.0, 12.0), "short");
    assert!(fitted(&"x".repeat(200), 100.0, 12.0).ends_with('…'));
}

#[test]
fn epochs_are_whole_and_neighbouring_numbers_never_look_the_same() {
    let names = |axis: &Axis, count: usize| axis.names(&ticks(axis, count));
    assert_eq!(names(&Axis::counts("epoch", 1.0..2.0), 6), ["1", "2"]);
    assert_eq!(names(&Axis::counts("epoch", 0.5..1.5), 6), ["1"]);
    let close = Axis::linear("loss", 2.9958..2.9970);
    assert_eq!(names(&close, 6), ["2.9958", "2.9960", "2.9962", "2.9964", "2.9966", "2.9968", "2.9970"]);
}
