//! The exact regions agree with activation patterns on a fine grid.

use super::*;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::graphs::convert::{Tensors, to_file};
use gmpc_compiler::ir::graph::Role;
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::Net;
use gmpc_compiler::stage::Silent;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Source;
use std::collections::{BTreeMap, BTreeSet};

const LOW: [f64; 2] = [-2.0, -2.0];
const HIGH: [f64; 2] = [2.0, 2.0];

/// Diagnostics as lines, for a failing test.
fn texts(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| format!("{}: {}", d.code, d.message)).collect::<Vec<_>>().join("\n")
}

/// The network of a whole file. An error in the file fails the test.
fn network(text: &str) -> (Module, Net) {
    let file = Source { name: "test.gmpnet".to_string(), text: text.to_string() };
    let (module, _) = gmpc_compiler::front(file, &Overrides::default(), &Silent)
        .unwrap_or_else(|f| panic!("{}", texts(&f.diagnostics)));
    let net = gmpc_compiler::elaborate(&module, None, &Silent).unwrap_or_else(|errors| panic!("{}", texts(&errors)));
    (module, net)
}

/// A network with other values than the initial ones.
fn piecewise(text: &str) -> PiecewiseAffine {
    let (module, net) = network(text);
    let first = gmpc_compiler::initialization(&module, &net).unwrap_or_else(|errors| panic!("{}", texts(&errors)));
    let values = gmpc_compiler::gradcheck::first_states(&first, 5);
    let mut tensors = Tensors::new();
    for (place, (state, mut value)) in first.states.iter().zip(values).enumerate() {
        for (i, x) in value.data.iter_mut().enumerate() {
            let wave = (1.7 * (place * 17 + i) as f64).sin();
            match state.role {
                Role::Parameter | Role::Optimizer => *x += 0.5 * wave,
                Role::Statistic => *x += 0.2 * wave,
                Role::Constant => {}
            }
        }
        tensors.insert(state.name.clone(), to_file(state, &value));
    }
    PiecewiseAffine::new(&net, &tensors).unwrap_or_else(|error| panic!("{}", texts(&[error])))
}

fn found(text: &str) -> (PiecewiseAffine, Regions) {
    let piecewise = piecewise(text);
    let found = regions(&piecewise, LOW, HIGH, 100_000).expect("two inputs");
    assert!(found.complete);
    (piecewise, found)
}

/// Every grid point well inside a region has the activation pattern of the region, every region of some size contains a
/// grid point, and the areas add up to that of the rectangle.
fn agrees(text: &str, least: usize) {
    let (piecewise, found) = found(text);
    let area: f64 = found.regions.iter().map(Region::area).sum();
    assert!((area - 16.0).abs() < 1e-9, "the regions cover {area} of 16");
    let by_pattern: BTreeMap<&[bool], &Region> = found.regions.iter().map(|r| (r.pattern.as_slice(), r)).collect();
    let mut met = BTreeSet::new();
    let side = 250;
    for i in 0..side {
        for j in 0..side {
            let place = |k: usize| -2.0 + 4.0 * (k as f64 + 0.5) / side as f64;
            let x = [place(i), place(j)];
            let pattern = piecewise.pattern(&x);
            let region = by_pattern.get(pattern.as_slice());
            let holders = found.regions.iter().filter(|region| region.holds(x)).count();
            assert!(region.is_some_and(|region| region.holds(x)) || holders != 1, "{x:?} is in another region");
            met.insert(pattern);
        }
    }
    let pixel = (4.0 / side as f64) * (4.0 / side as f64);
    for region in found.regions.iter().filter(|region| region.area() > 40.0 * pixel) {
        assert!(met.contains(&region.pattern), "no grid point in {:?}", region.corners);
    }
    assert!(met.len() <= found.regions.len() && found.regions.len() >= least, "{} regions", found.regions.len());
    assert!(met.len() * 10 >= found.regions.len() * 7, "{} of {} were met", met.len(), found.regions.len());
}

#[test]
fn a_layer_of_lines_has_as_many_regions_as_euler_says() {
    // k lines in general position whose intersections are all in the rectangle make 1 + k + intersections regions.
    let (_, found) = found("param = gmp model m(input: [2]) { input -> dense(5) -> relu -> linear(1) }");
    let crossings = found.regions.len() - 1 - 5;
    assert!(crossings <= 10, "{} regions", found.regions.len());
    let units: BTreeSet<usize> = found.boundaries.iter().map(|piece| piece.unit).collect();
    assert_eq!(units.len(), 5);
}

#[test]
fn regions_of_deep_networks_agree_with_a_grid_for_every_parameterization() {
    for param in ["sp", "wn", "bn", "gmp", "gmp + mn"] {
        agrees(
            &format!(
                "param = {param} model m(input: [2]) {{ input -> dense(6) -> relu -> dense(5) -> relu -> linear(1) }}"
            ),
            8,
        );
    }
}

#[test]
fn regions_of_residual_and_leaky_networks_agree_with_a_grid() {
    agrees(
        "param = gmp
         block change(units) { input -> dense(units) -> leaky_relu(0.1) -> linear(units) }
         model m(input: [2]) {
             wide = input -> dense(4) -> relu
             more = wide -> change(4)
             joined = concat(wide + more, input) -> relu
             joined - 0.1 -> dense(3, param = sp) -> relu -> linear(2)
         }",
        20,
    );
}

#[test]
fn the_map_of_a_region_is_the_network_there() {
    let text = "param = gmp model m(input: [2]) { input -> dense(6) -> relu -> dense(5) -> relu -> linear(1) }";
    let (piecewise, found) = found(text);
    for region in &found.regions {
        let count = region.corners.len() as f64;
        let middle = [0, 1].map(|i| region.corners.iter().map(|corner| corner[i]).sum::<f64>() / count);
        let mut maps = Vec::new();
        for layer in 0..piecewise.steps.len() {
            let inside = piecewise.inside(layer, &maps);
            let active: Vec<bool> =
                inside.iter().flat_map(|m| (0..m.c.len()).map(|v| m.at(v, &middle) > 0.0)).collect();
            let value = piecewise.value(layer, &maps, inside.map(|m| (m, active.as_slice())));
            maps.push(value);
        }
        assert!((maps[piecewise.output].at(0, &middle) - region.map.at(0, &middle)).abs() < 1e-12);
    }
}

/// Before training all offsets are 0, so every line of the first layer goes through the origin, from edge to edge.
#[test]
fn lines_that_meet_in_one_point_are_drawn_whole() {
    for seed in 0..12 {
        let (module, net) =
            network("param = sp model m(input: [2]) { input -> dense(14) -> relu -> dense(6) -> relu -> linear(1) }");
        let first = gmpc_compiler::initialization(&module, &net).unwrap_or_else(|errors| panic!("{}", texts(&errors)));
        let values = gmpc_compiler::gradcheck::first_states(&first, seed);
        let named =
            |(state, value): (&gmpc_compiler::ir::graph::State, _)| (state.name.clone(), to_file(state, &value));
        let tensors: Tensors = first.states.iter().zip(values).map(named).collect();
        let piecewise = PiecewiseAffine::new(&net, &tensors).unwrap_or_else(|error| panic!("{}", texts(&[error])));
        let found = regions(&piecewise, LOW, HIGH, 100_000).expect("two inputs");
        let layer = found.boundaries.iter().map(|piece| piece.layer).min().expect("boundaries");
        for unit in 0..14 {
            let own: Vec<&BoundaryPiece> =
                found.boundaries.iter().filter(|c| c.layer == layer && c.unit == unit).collect();
            let length = |c: &BoundaryPiece| (c.to[0] - c.from[0]).hypot(c.to[1] - c.from[1]);
            let longest = own.iter().max_by(|a, b| length(a).total_cmp(&length(b))).expect("a piece");
            let along = [0, 1].map(|i| (longest.to[i] - longest.from[i]).abs() / length(longest));
            let whole = 4.0 / along[0].max(along[1]);
            let drawn: f64 = own.iter().map(|c| length(c)).sum();
            assert!((drawn - whole).abs() < 1e-9, "seed {seed}, unit {unit}: {drawn} of {whole}");
        }
    }
}

#[test]
fn a_network_that_is_too_large_is_cut_short_and_says_so() {
    let piecewise = piecewise("param = sp model m(input: [2]) { input -> dense(9) -> relu -> linear(1) }");
    let found = regions(&piecewise, LOW, HIGH, 3).expect("two inputs");
    assert!(!found.complete && found.regions.len() == 3);
}

#[test]
fn a_curved_network_has_no_regions() {
    let (module, net) = network("model m(input: [2]) { input -> dense(3) -> tanh -> linear(1) }");
    let first = gmpc_compiler::initialization(&module, &net).unwrap_or_else(|errors| panic!("{}", texts(&errors)));
    let values = gmpc_compiler::gradcheck::first_states(&first, 5);
    let named = |(state, value): (&gmpc_compiler::ir::graph::State, _)| (state.name.clone(), to_file(state, &value));
    let tensors: Tensors = first.states.iter().zip(values).map(named).collect();
    assert_eq!(PiecewiseAffine::new(&net, &tensors).unwrap_err().code, "E0591");
}
