//! Plots contain the expected paths, and no numbers that cannot be drawn.

use super::*;
use crate::analysis::perturb::of_weights;

#[test]
fn figure_1_has_a_panel_for_each_perturbation_and_a_row_for_each_line() {
    let found = of_weights(&[1.6e-3, -6.1e-4], -5.3e-4, &[1e-4, 1e-2], &["sp", "wn", "gmp"]).unwrap();
    let figure = perturbation::figure(&found).expect("two inputs");
    let svg = figure.svg();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("eps = 0.0001") && svg.contains("eps = 0.01"));
    assert_eq!((figure.plots.len(), figure.key.len()), (2, 4), "before, sp, wn, gmp");
    assert_eq!(figure.csv.lines().count(), 1 + 6);
    let columns = figure.csv.lines().map(|line| line.split(',').count()).collect::<Vec<_>>();
    assert!(columns.iter().all(|count| *count == columns[0]), "{columns:?}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn figure_1_is_for_units_of_two_inputs() {
    let found = of_weights(&[1.0, 2.0, 3.0], 0.5, &[0.1], &["gmp"]).unwrap();
    assert_eq!(perturbation::figure(&found), None);
}

#[test]
fn ranges_have_room_whatever_the_numbers() {
    assert_eq!(range([], 0.1), -1.0..1.0);
    assert_eq!(range([2.0, f64::NAN], 0.1), 1.0..3.0);
    assert_eq!(range([0.0, 10.0], 0.1), -1.0..11.0);
}

#[test]
fn numbers_that_are_not_finite_are_empty_in_tables() {
    assert_eq!(csv("a,b,c", [("x".to_string(), vec![1.5, f64::NAN])]), "a,b,c\nx,1.5,\n");
}

#[test]
fn a_run_has_the_colour_of_its_parameterization_among_those_of_its_experiment() {
    let of = |all: &[(&str, &'static str)]| {
        let all: Vec<(String, &str)> = all.iter().map(|(experiment, param)| (experiment.to_string(), *param)).collect();
        apart(&all)
    };
    assert_eq!(of(&[("banana", "gmp"), ("levy", "sp"), ("levy", "gmp")]), ["c-gmp", "c-sp", "c-gmp"]);
    let again = of(&[("levy", "gmp"), ("banana", "gmp"), ("levy", "gmp")]);
    assert_eq!(again[..2], ["c-gmp", "c-gmp"]);
    assert_ne!(again[2], "c-gmp", "two runs of one drawing are told apart");
}
