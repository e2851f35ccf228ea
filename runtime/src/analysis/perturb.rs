//! The paper's Figure 1 on any unit: the same small number is added to each of a unit's parameters, and its boundary turns.
//!
//! The unit is looked at as it is in its run, and rewritten in other parameterizations of the library. Where a direction is
//! made of angles it cannot turn by more than their change: |turn| <= |eps|, for perturbations of any size. (The great circle
//! is no longer than the path theta + s eps, which runs at most at speed |eps|, since the sphere's metric in these angles is
//! diagonal with entries of at most 1.)

use crate::analysis::Subject;
use crate::failure::{Failure, Told};
use crate::network::wrong;
use gmpc_compiler::boundary::{Boundary, Turning, effective, turn, turning};
use gmpc_compiler::convert::{Tensors, convert};
use gmpc_compiler::graph::{Role, Tensor};
use gmpc_compiler::infer::infer;
use gmpc_compiler::module::Module;
use gmpc_compiler::net::Net;
use gmpc_compiler::resolve::{Overrides, read};
use gmpc_compiler::states;
use gmpc_grammar::source::Source;
use std::sync::Arc;

/// Parameterizations of the paper's Figure 1.
pub const FIGURE_1: [&str; 3] = ["sp", "wn", "gmp"];

/// A unit by the name people give it: `hidden.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitName {
    /// Place of its layer in the network.
    pub layer: usize,
    /// Which unit of it, from 0.
    pub unit: usize,
}

/// A unit's boundary before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbed {
    /// `gmp`; with a star where the unit is as its own run has it.
    pub param: String,
    /// What was added to every parameter.
    pub delta: f64,
    /// Before.
    pub before: Boundary,
    /// After.
    pub after: Boundary,
    /// The angle between the directions, radians.
    pub turn: f64,
    /// What it cannot be more than, where something says so.
    pub bound: Option<f64>,
}

/// One unit of one network.
struct Specimen {
    param: String,
    module: Arc<Module>,
    net: Net,
    tensors: Tensors,
    name: UnitName,
}

/// Perturbs a unit of a run, in its own parameterization and in others of the library.
///
/// # Errors
/// A layer or unit that does not exist; one that is not affine before its activation, or whose weights are zero.
pub fn perturb(subject: &Subject, name: &UnitName, deltas: &[f64], params: &[&str]) -> Result<Vec<Perturbed>, Failure> {
    let units = subject.effective(name.layer)?;
    if name.unit >= units.units() {
        let layer = &subject.network.net.layers[name.layer].name;
        let told = Told::new(format!("`{layer}` has no unit {}", name.unit));
        return Err(Failure::Usage(told.help(format!("its units are 0 to {}", units.units().saturating_sub(1)))));
    }
    let own = Specimen {
        param: format!("{}*", subject.about.param),
        module: Arc::clone(&subject.network.module),
        net: subject.network.net.clone(),
        tensors: subject.tensors.clone(),
        name: name.clone(),
    };
    let mut found = own.perturbed(deltas)?;
    found.extend(of_weights(units.weight(name.unit), units.b[name.unit], deltas, params)?);
    Ok(found)
}

/// Perturbs the unit act(w . x + b), written in parameterizations of the library.
///
/// # Errors
/// A parameterization that is not known or cannot be written; weights that are zero.
pub fn of_weights(w: &[f64], b: f64, deltas: &[f64], params: &[&str]) -> Result<Vec<Perturbed>, Failure> {
    let (plain, plain_net) = alone("sp", w.len())?;
    let tensor = |shape: Vec<usize>, data: Vec<f64>| Tensor { shape, data };
    let weights = tensor(vec![1, w.len()], w.to_vec());
    let tensors = Tensors::from([("unit.w".to_string(), weights), ("unit.b".to_string(), tensor(vec![1], vec![b]))]);
    let mut found = Vec::new();
    for param in params {
        let (module, net) = alone(param, w.len())?;
        let tensors = convert(&plain, &plain_net, &tensors, &module, &net).map_err(|errors| wrong(&module, errors))?;
        let name = UnitName { layer: 1, unit: 0 };
        found.extend(Specimen { param: (*param).to_string(), module, net, tensors, name }.perturbed(deltas)?);
    }
    Ok(found)
}

/// A network of one unit.
fn alone(param: &str, inputs: usize) -> Result<(Arc<Module>, Net), Failure> {
    let text = format!("model alone(input: [{inputs}]) {{ input -> dense(1) as unit -> relu }}\n");
    let overrides = Overrides { param: Some(param.to_string()), ..Overrides::default() };
    let file = Source { name: "one unit".into(), text };
    let (module, _) = read(file, &overrides)
        .map_err(|failure| Failure::File { diagnostics: failure.diagnostics, sources: Box::new(failure.sources) })?;
    let net = infer(&module, None).map_err(|errors| wrong(&module, errors))?;
    Ok((Arc::new(module), net))
}

impl Specimen {
    fn perturbed(&self, deltas: &[f64]) -> Result<Vec<Perturbed>, Failure> {
        let before = self.boundary(0.0)?;
        let one = |&delta: &f64| {
            let after = self.boundary(delta)?;
            let turn = turn(&before.direction, &after.direction);
            let (param, before) = (self.param.clone(), before.clone());
            Ok(Perturbed { param, delta, before, after, turn, bound: self.bound(delta)? })
        };
        deltas.iter().map(one).collect()
    }

    /// With so much added to every parameter of the unit.
    fn boundary(&self, delta: f64) -> Result<Boundary, Failure> {
        let UnitName { layer, unit } = self.name;
        let mut tensors = self.tensors.clone();
        let name = &self.net.layers[layer].name;
        let states = states(&self.module, &self.net).map_err(|errors| wrong(&self.module, errors))?;
        for state in states.iter().filter(|state| state.role == Role::Parameter && belongs(&state.name, name)) {
            if let Some(tensor) = tensors.get_mut(&state.name) {
                let each = tensor.data.len() / tensor.shape.first().copied().unwrap_or(1).max(1);
                tensor.data.iter_mut().skip(unit * each).take(each).for_each(|number| *number += delta);
            }
        }
        let units = effective(&self.net, layer, &tensors).map_err(|error| wrong(&self.module, vec![error]))?;
        units.and_then(|units| units.boundary(unit)).ok_or_else(|| {
            let told = Told::new(format!("unit {unit} of `{name}` has no boundary: its weights are zero"));
            Failure::Usage(told.help("name another unit with `--unit`"))
        })
    }

    /// What the turn cannot exceed when every parameter changes by this much.
    fn bound(&self, delta: f64) -> Result<Option<f64>, Failure> {
        let turning = turning(&self.net, self.name.layer).map_err(|error| wrong(&self.module, vec![error]))?;
        #[allow(clippy::cast_precision_loss)] // a number of inputs
        Ok(match turning {
            Turning::Free => None,
            Turning::Fixed => Some(0.0),
            Turning::Angles(count) => Some((delta.abs() * (count as f64).sqrt()).min(std::f64::consts::PI)),
        })
    }
}

/// Is a state the layer's own, and not one of a layer whose name begins alike?
fn belongs(state: &str, layer: &str) -> bool {
    state.strip_prefix(layer).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| !rest.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NumPy's legacy generator with seed 1: 0.001 times its first three normal numbers, as the official code draws them.
    const W: [f64; 2] = [1.624_345_363_663_241_7e-3, -6.117_564_136_500_754e-4];
    const B: f64 = -5.281_717_522_634_557e-4;
    const DELTAS: [f64; 4] = [1e-4, 1e-3, 1e-2, 1e-1];

    fn degrees(boundary: &Boundary) -> f64 {
        boundary.angles()[0].to_degrees()
    }

    fn of(param: &str) -> Vec<Perturbed> {
        of_weights(&W, B, &DELTAS, &[param]).unwrap()
    }

    #[test]
    fn the_unit_of_figure_1_lies_where_the_paper_has_it() {
        for param in FIGURE_1 {
            let before = &of(param)[0].before;
            assert!((before.offset + 0.30429).abs() < 1e-5, "{param}: {}", before.offset);
            assert!((degrees(before) + 20.64).abs() < 5e-3, "{param}: {}", degrees(before));
        }
    }

    #[test]
    fn figure_1_is_repeated_to_four_digits() {
        let directions = [-16.53, 8.42, 38.93, 44.36];
        let offsets = [("sp", [-0.2380, 0.1779, 0.6339, 0.6998]), ("wn", [-0.2332, 0.1725, 0.8071, 0.9777])];
        for (param, offsets) in offsets {
            for ((found, direction), offset) in of(param).iter().zip(directions).zip(offsets) {
                assert!((degrees(&found.after) - direction).abs() < 5e-3, "{param}: {}", degrees(&found.after));
                assert!((found.after.offset - offset).abs() < 5e-5, "{param}: {}", found.after.offset);
                assert_eq!(found.bound, None);
            }
        }
    }

    #[test]
    fn the_geometric_parameterization_turns_by_the_perturbation_and_no_more() {
        for found in of("gmp") {
            assert!((found.turn - found.delta).abs() < 1e-12, "{} for {}", found.turn, found.delta);
            assert!((found.after.offset - found.before.offset - found.delta).abs() < 1e-12);
            assert_eq!(found.bound, Some(found.delta));
        }
        // The largest turn the paper states: 5.73 degrees.
        assert!((of("gmp")[3].turn.to_degrees() - 5.73).abs() < 5e-3);
    }

    #[test]
    fn the_mirrored_angle_of_the_official_code_is_not_repeated() {
        let turns: Vec<f64> = of("sp").iter().map(|found| found.turn.to_degrees()).collect();
        assert!((turns[1] - 29.1).abs() < 0.05 && (turns[2] - 59.6).abs() < 0.05, "{turns:?}");
    }

    #[test]
    fn the_bound_holds_in_many_dimensions() {
        for n in [3, 7, 29] {
            let w: Vec<f64> = (0..n).map(|i| (1.3 * f64::from(i + 1)).sin()).collect();
            for found in of_weights(&w, 0.2, &[1e-3, 0.1, 1.0], &["gmp", "wn"]).unwrap() {
                match found.bound {
                    Some(bound) => assert!(found.turn <= bound * (1.0 + 1e-12), "{found:?}"),
                    None => assert_eq!(found.param, "wn"),
                }
            }
        }
    }
}
