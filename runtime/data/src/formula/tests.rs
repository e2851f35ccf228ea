//! The Levy data of the paper's official code, point by point, and settings out of range.

use super::*;
use gmpc_compiler::ir::graph::{Graph, Id, Op};

/// sin(pi w)^2 + (w - 1)^2 (1 + sin(2 pi w)^2) with w = 1 + (x - 1) / 4
fn levy(points: usize) -> Formula {
    let mut g = Graph::default();
    let x = g.input("x", vec![1, 1]);
    let one = g.constant(1.0);
    let moved = g.sub(x, one);
    let quarter = g.scale(moved, 0.25);
    let w = g.add(quarter, one);
    let wave = |g: &mut Graph, w: Id, factor: f64| {
        let scaled = g.scale(w, factor);
        let sin = g.unary(Op::Sin, scaled);
        g.mul(sin, sin)
    };
    let (first, second) = (wave(&mut g, w, std::f64::consts::PI), wave(&mut g, w, 2.0 * std::f64::consts::PI));
    let bracket = g.add(second, one);
    let squared = g.mul(quarter, quarter);
    let product = g.mul(squared, bracket);
    let y = g.add(first, product);
    g.output("y", y);
    Formula { graph: g, low: -10.0, high: 10.0, points, noise: 0.1, test_points: 201, draw: 0 }
}

#[test]
fn levy_is_the_papers_data() {
    let dataset = compute(&levy(50), "levy").unwrap();
    let test = dataset.test.unwrap();
    let at = |x: f64| test.inputs.iter().position(|&other| (other - x).abs() < 1e-9).map(|i| test.targets[i]).unwrap();
    for (x, y) in [(-10.0, 15.625), (-5.0, 3.25), (-3.0, 1.0), (0.0, 0.625), (1.0, 0.0), (5.0, 1.0), (10.0, 10.625)] {
        assert!((at(x) - y).abs() < 1e-12, "f({x}) = {} and not {y}", at(x));
    }
    assert_eq!((test.rows, test.inputs[0], test.inputs[200]), (201, -10.0, 10.0));
    let Examples { rows, inputs, targets, .. } = dataset.examples;
    assert_eq!(rows, 50);
    let exact = compute(&Formula { noise: 0.0, ..levy(50) }, "levy").unwrap().examples;
    assert_eq!(exact.inputs, inputs);
    for (i, (x, noise)) in [(0.976_270_08, -0.170_627_02), (4.303_787_33, 0.195_077_54)].into_iter().enumerate() {
        assert!((inputs[i] - x).abs() < 5e-9);
        assert!((targets[i] - exact.targets[i] - noise).abs() < 5e-9);
    }
}

#[test]
fn another_draw_has_other_points() {
    let other = compute(&Formula { draw: 1, ..levy(50) }, "levy").unwrap();
    assert_ne!(other.examples, compute(&levy(50), "levy").unwrap().examples);
}

#[test]
fn settings_out_of_range_are_told() {
    let reason = |formula: Formula| compute(&formula, "levy").unwrap_err().to_string();
    assert!(reason(Formula { low: 3.0, high: 3.0, ..levy(5) }).contains("`x = [3, 3]` is not a range"));
    assert!(reason(Formula { high: f64::INFINITY, ..levy(5) }).contains("is not a range"));
    assert!(reason(levy(0)).contains("`points` must be"));
    assert!(reason(levy(usize::MAX)).contains("`points` must be"));
    assert!(reason(Formula { noise: f64::NAN, ..levy(5) }).contains("`noise` is a standard deviation"));
    assert!(reason(Formula { draw: 1 << 32, ..levy(5) }).contains("`draw` must be below 4294967296"));
}

#[test]
fn a_formula_that_is_not_finite_is_told_with_the_point() {
    let mut g = Graph::default();
    let x = g.input("x", vec![1, 1]);
    let y = g.unary(Op::Log, x);
    g.output("y", y);
    let error = compute(&Formula { graph: g, noise: 0.0, ..levy(5) }, "mine").unwrap_err();
    // Seed 0 draws 0.976, 4.30, 2.05, 0.897 and then a negative number.
    assert!(error.to_string().starts_with("mine: the formula gives NaN at x = -1.5269"), "{error}");
}
