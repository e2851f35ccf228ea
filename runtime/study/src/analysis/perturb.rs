//! The paper's Figure 1 for any unit: adds the same small number to each of a unit's parameters, and measures how far
//! its boundary turns.
//!
//! The unit is perturbed in the parameterization of its run, and rewritten in other parameterizations of the library.
//! If a direction is given by angles, it cannot turn by more than the change of the angles: |turn| <= |eps|, for
//! perturbations of any size. Reason: the great circle is at most as long as the path theta + s eps. The speed of this
//! path is at most |eps|, because the sphere's metric in these angles is diagonal with entries of at most 1.

use crate::analysis::Run;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::graphs::boundary::{Boundary, Turning, effective, turn, turning};
use gmpc_compiler::graphs::convert::{Tensors, convert};
use gmpc_compiler::ir::graph::{Role, Tensor};
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::Net;
use gmpc_compiler::stage::Silent;
use gmpc_compiler::{elaborate, front, states};
use gmpc_grammar::source::Source;
use gmpc_runtime::failure::{Failure, Message};
use gmpc_runtime::program::network::wrong;
use std::sync::Arc;

/// The parameterizations in the paper's Figure 1.
pub const FIGURE_1: [&str; 3] = ["sp", "wn", "gmp"];

/// A unit, which users write as `hidden.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitName {
    /// Index of its layer in the network.
    pub layer: usize,
    /// Index of the unit within the layer, counted from 0.
    pub unit: usize,
}

/// A unit's boundary before and after a perturbation.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbed {
    /// The parameterization, such as `gmp`; with a star for the unit as its own run has it.
    pub param: String,
    /// The number that was added to every parameter.
    pub delta: f64,
    /// The boundary before.
    pub before: Boundary,
    /// The boundary after.
    pub after: Boundary,
    /// The angle between the two directions, in radians.
    pub turn: f64,
    /// An upper limit of the turn in radians, if the parameterization has one.
    pub bound: Option<f64>,
}

/// One unit of one network, ready to be perturbed.
struct SingleUnit {
    param: String,
    module: Arc<Module>,
    net: Net,
    tensors: Tensors,
    name: UnitName,
}

/// Perturbs a unit of a run, in its own parameterization and in others of the library.
///
/// # Errors
/// There is no such layer or unit; the unit is not affine before its activation; its weights are zero.
pub fn perturb(run: &Run, name: &UnitName, deltas: &[f64], params: &[&str]) -> Result<Vec<Perturbed>, Failure> {
    let units = run.effective(name.layer)?;
    if name.unit >= units.units() {
        let layer = &run.network.net.layers[name.layer].name;
        let message = Message::new(format!("`{layer}` has no unit {}", name.unit));
        return Err(Failure::Usage(message.help(format!("its units are 0 to {}", units.units().saturating_sub(1)))));
    }
    let own = SingleUnit {
        param: format!("{}*", run.about.param),
        module: Arc::clone(&run.network.module),
        net: run.network.net.clone(),
        tensors: run.tensors.clone(),
        name: name.clone(),
    };
    let mut found = own.perturbed(deltas)?;
    found.extend(of_weights(units.weight(name.unit), units.b[name.unit], deltas, params)?);
    Ok(found)
}

/// Perturbs the unit act(w . x + b), written in these parameterizations of the library.
///
/// # Errors
/// A parameterization is unknown or cannot represent the unit; the weights are zero.
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
        found.extend(SingleUnit { param: (*param).to_string(), module, net, tensors, name }.perturbed(deltas)?);
    }
    Ok(found)
}

/// A network with one unit.
fn alone(param: &str, inputs: usize) -> Result<(Arc<Module>, Net), Failure> {
    let text = format!("model alone(input: [{inputs}]) {{ input -> dense(1) as unit -> relu }}\n");
    let overrides = Overrides { param: Some(param.to_string()), ..Overrides::default() };
    let file = Source { name: "one unit".into(), text };
    let (module, _) = front(file, &overrides, &Silent)
        .map_err(|failure| Failure::File { diagnostics: failure.diagnostics, sources: Box::new(failure.sources) })?;
    let net = elaborate(&module, None, &Silent).map_err(|errors| wrong(&module, errors))?;
    Ok((Arc::new(module), net))
}

impl SingleUnit {
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

    /// The boundary after `delta` was added to every parameter of the unit.
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
            let message = Message::new(format!("unit {unit} of `{name}` has no boundary: its weights are zero"));
            Failure::Usage(message.help("name another unit with `--unit`"))
        })
    }

    /// An upper limit of the turn when every parameter changes by `delta`.
    fn bound(&self, delta: f64) -> Result<Option<f64>, Failure> {
        let turning = turning(&self.net, self.name.layer).map_err(|error| wrong(&self.module, vec![error]))?;
        Ok(match turning {
            Turning::Free => None,
            Turning::Fixed => Some(0.0),
            Turning::Angles(count) => Some((delta.abs() * (count as f64).sqrt()).min(std::f64::consts::PI)),
        })
    }
}

/// True if a state belongs to the layer itself, and not to another layer whose name begins with the same letters.
fn belongs(state: &str, layer: &str) -> bool {
    state.strip_prefix(layer).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| !rest.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NumPy's legacy generator with seed 1: 0.001 times its first three normal numbers, as in the official code.
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
        // The largest turn in the paper: 5.73 degrees.
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
