//! Folds a layer of units to plain numbers: `scale * act(w . x + b) + shift`.

use super::patch::Patch;
use super::{Tensors, from_file};
use crate::graphs::convert::complain;
use crate::graphs::differentiate::pull;
use crate::graphs::parameterize::unit::{Act, unit};
use crate::graphs::parameterize::{Forward, Mode, Origin, image};
use crate::graphs::pieces::{is_homogeneous, is_identity};
use crate::ir::graph::{Graph, Id, Random, State, Tensor, evaluate};
use crate::ir::net::{Activation, Layer};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// The largest difference, relative to the compared numbers, between functions that count as equal.
const TOLERANCE: f64 = 1e-9;

/// One layer of units in evaluation mode.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plain {
    /// `[fan_in, units]`
    pub(crate) w: Tensor,
    /// Offsets, one for each unit.
    pub(crate) b: Vec<f64>,
    /// Scales outside the activation, one for each unit.
    pub(crate) scale: Vec<f64>,
    /// Shifts outside the activation, one for each unit.
    pub(crate) shift: Vec<f64>,
    /// Minus the value of an input at which the layer multiplies 0: minus a mean for `mn`, one number for each input. `b`
    /// includes its effect.
    pub(crate) moved: Vec<f64>,
}

/// Returns the states of one layer of units.
pub(crate) fn states(of: &Patch) -> Result<Vec<(State, Origin)>, Diagnostic> {
    let mut forward = Forward::new(1, &of.shape);
    let x = image::received(&mut forward.graph, forward.x, &of.shape);
    unit(&mut forward, &of.layer, &of.unit, x, Mode::Evaluation, Act::Cut)?;
    Ok(forward.graph.states.into_iter().zip(forward.store.origins).collect())
}

/// Reads a unit's definition as a function of `x` and of `act(…)`, and returns the coefficients of this function.
///
/// The graph has one row for each unit, so that one gradient gives the weight vectors of all units: row i differentiates unit i.
pub(crate) fn fold(of: &Patch, tensors: &Tensors) -> Result<Plain, Diagnostic> {
    let (layer, units) = (&of.layer, of.unit.connection.units());
    let mut forward = Forward::new(units, &of.shape);
    let (given, x) = (forward.x, image::received(&mut forward.graph, forward.x, &of.shape));
    let value = unit(&mut forward, layer, &of.unit, x, Mode::Evaluation, Act::Cut)?;
    // With several activations there are no single `w` and `b`.
    let [(inside, act)] = value.acts[..] else { return Err(complain::many_acts(layer, &of.unit)) };
    let mut graph = forward.graph;
    let (input, shape) = (graph.shape(given).to_vec(), graph.shape(inside).to_vec());
    if shape.iter().product::<usize>() != units * units {
        return Err(complain::not_affine(layer, &of.unit, "inside"));
    }
    // The gradient that arrives at the argument of `act` is the unit matrix. It is an input, so that the graph stays small.
    let diagonal = graph.input("diagonal", shape.clone());
    let none = BTreeSet::new();
    let weights = pull(&mut graph, &[(inside, diagonal)], &[x], &none)[0];
    // The gradient with respect to `act(…)` is the scale. The gradient with respect to `x` past `act` must be zero.
    let ones = graph.full(1.0, &shape);
    let outside = pull(&mut graph, &[(value.value, ones)], &[act, x], &none);
    let dotted = value.dots.last().copied().unwrap_or(x);
    let named = [inside, weights, value.value, outside[0], outside[1], dotted];
    for (name, id) in ["inside", "weights", "value", "scale", "past", "dotted"].into_iter().zip(named) {
        graph.output(name, id);
    }
    let states = values(&graph, layer, tensors)?;
    let run = |probes: &[Tensor; 3]| {
        let [x, act, diagonal] = probes.clone();
        let shaped = |shape: &[usize], data: Vec<f64>| Tensor { shape: shape.to_vec(), data };
        let x = shaped(&input, of.to_input(&x.data));
        evaluate(&graph, &[x, shaped(&shape, act.data), shaped(&shape, diagonal.data)], &states, Random::default())
    };
    // At x = 0 and act(…) = 0 the values are the offset and the shift.
    let at_zero = run(&probes(units, of.fan_in(), 0.0, 0.0));
    let weights = Tensor { shape: vec![units, of.fan_in()], data: of.to_network(&at_zero[1].data) };
    let elsewhere = probes(units, of.fan_in(), 1.0, 1.0);
    let found = run(&elsewhere);
    let dotted = [&at_zero, &found].map(|values| of.to_network(&values[5].data[..of.fan_in()]));
    let plain = Plain {
        w: transpose(&weights),
        b: at_zero[0].data[..units].to_vec(),
        scale: at_zero[3].data[..units].to_vec(),
        shift: at_zero[2].data[..units].to_vec(),
        moved: moved(of, &value.dots, &elsewhere[0].data, &dotted)?,
    };
    // A function with these coefficients at one point may still be curved. So they are checked at another point.
    plain.check(&found, &elsewhere).map_err(|part| complain::not_affine(layer, &of.unit, part))?;
    Ok(plain)
}

/// Returns [`Plain::moved`]. It follows from the values that `x` has where it is multiplied: once if `x` was 0, once if it was
/// something else.
fn moved(of: &Patch, dots: &[Id], x: &[f64], [at_zero, elsewhere]: &[Vec<f64>; 2]) -> Result<Vec<f64>, Diagnostic> {
    let many = of.padded && dots.windows(2).any(|pair| pair[0] != pair[1]);
    let at = |((from, to), x): ((&f64, &f64), &f64)| {
        let factor = (to - from) / x;
        // A factor close to 1 is 1 up to rounding: most modifiers only subtract.
        let factor = if close(factor, 1.0, 1.0) { 1.0 } else { factor };
        if *from == 0.0 { Some(0.0) } else { Some(from / factor).filter(|moved| moved.is_finite()) }
    };
    let found: Option<Vec<f64>> = at_zero.iter().zip(elsewhere).zip(x).map(at).collect();
    match found {
        Some(found) if !many => Ok(found),
        // Only padding needs the values.
        _ if !of.padded => Ok(vec![0.0; at_zero.len()]),
        _ => Err(complain::border(&of.layer, &of.unit)),
    }
}

/// Returns values of the inputs `x`, `act` and `diagonal`: waves with the amplitudes `x` and `act`, and the unit matrix.
fn probes(units: usize, fan_in: usize, x: f64, act: f64) -> [Tensor; 3] {
    let wave = |shape: [usize; 2], size: f64, pace: f64| {
        let data = (0..shape[0] * shape[1]).map(|i| size * libm::sin(pace * (i as f64 + 1.0))).collect();
        Tensor { shape: shape.to_vec(), data }
    };
    let mut diagonal = Tensor::full(&[units, units], 0.0);
    (0..units).for_each(|i| diagonal.data[i * units + i] = 1.0);
    [wave([units, fan_in], x, 1.7), wave([units, units], act, 2.3), diagonal]
}

fn values(graph: &Graph, layer: &Layer, tensors: &Tensors) -> Result<Vec<Tensor>, Diagnostic> {
    let find = |state: &State| {
        let tensor = tensors.get(&state.name).ok_or_else(|| complain::missing(&state.name, layer))?;
        from_file(state, tensor).ok_or_else(|| complain::wrong_size(state, tensor, layer))
    };
    graph.states.iter().map(find).collect()
}

fn transpose(a: &Tensor) -> Tensor {
    let data = super::transposed(&a.data, a.shape[0]);
    Tensor { shape: vec![a.shape[1], a.shape[0]], data }
}

fn pairs(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(*a, *b, b.abs()))
}

fn close(a: f64, b: f64, size: f64) -> bool {
    (a - b).abs() <= TOLERANCE * (1.0 + size)
}

impl Plain {
    /// Checks that these coefficients give the values `found` at another point. Otherwise returns the part that is not affine.
    fn check(&self, found: &[Tensor], probes: &[Tensor]) -> Result<(), &'static str> {
        let (units, fan_in) = (self.b.len(), self.w.shape[0]);
        for row in 0..units {
            let mut sums: Vec<(f64, f64)> = self.b.iter().map(|b| (*b, b.abs())).collect();
            let x = &probes[0].data[row * fan_in..(row + 1) * fan_in];
            for (x, w) in x.iter().zip(self.w.data.chunks_exact(units)) {
                for ((sum, size), w) in sums.iter_mut().zip(w) {
                    *sum += x * w;
                    *size += (x * w).abs();
                }
            }
            for (unit, (sum, size)) in sums.into_iter().enumerate() {
                let place = row * units + unit;
                if !close(found[0].data[place], sum, size) {
                    return Err("inside");
                }
                let outside = self.scale[unit] * probes[1].data[place] + self.shift[unit];
                if !close(found[2].data[place], outside, self.scale[unit].abs() + self.shift[unit].abs()) {
                    return Err("around");
                }
            }
        }
        if found[4].data.iter().all(|x| *x == 0.0) { Ok(()) } else { Err("around") }
    }

    /// Are both the same function, up to rounding?
    pub(crate) fn is_close(&self, other: &Plain) -> bool {
        pairs(&self.w.data, &other.w.data)
            && pairs(&self.b, &other.b)
            && pairs(&self.scale, &other.scale)
            && pairs(&self.shift, &other.shift)
    }

    /// Do modifiers move `x` before `dot`? An image is padded with zeros after that.
    pub(crate) fn is_moved(&self) -> bool {
        self.moved.iter().any(|x| *x != 0.0)
    }

    /// Do the modifiers of both layers move `x` in the same way?
    pub(crate) fn moves_like(&self, other: &Plain) -> bool {
        pairs(&self.moved, &other.moved)
    }

    /// Returns the same function in terms of the moved `x`: w . (x + moved) + b', with a new offset b'.
    pub(crate) fn at_moved(&self) -> Plain {
        let mut plain = self.clone();
        let units = self.b.len();
        for (i, moved) in self.moved.iter().enumerate() {
            (0..units).for_each(|unit| plain.b[unit] -= self.w.data[i * units + unit] * moved);
        }
        plain.moved.fill(0.0);
        plain
    }

    /// Includes a scale and a shift of the input: w . (c x + d) + b = (c w) . x + (b + w . d). There is one scale and one shift for
    /// each feature or channel. Every unit reads `places` numbers of each.
    pub(crate) fn absorb_input(&mut self, scale: &[f64], shift: &[f64], places: usize) {
        let units = self.b.len();
        for (channel, (c, d)) in scale.iter().zip(shift).enumerate() {
            for (i, unit) in
                (channel * places..(channel + 1) * places).flat_map(|i| (0..units).map(move |unit| (i, unit)))
            {
                let w = &mut self.w.data[i * units + unit];
                self.b[unit] += *w * d;
                *w *= c;
            }
        }
    }

    /// Moves as much of scale and shift inside the activation as possible. Returns the scale and shift that remain outside.
    pub(crate) fn absorb_output(&mut self, activation: &Activation) -> (Vec<f64>, Vec<f64>) {
        let units = self.b.len();
        let (mut scale, mut shift) = (vec![1.0; units], self.shift.clone());
        let (identity, homogeneous) = (is_identity(activation), is_homogeneous(activation));
        for unit in 0..units {
            let factor = match (identity, homogeneous) {
                (true, _) => self.scale[unit],
                (_, true) => self.scale[unit].abs(),
                _ => 1.0,
            };
            for i in 0..self.w.shape[0] {
                self.w.data[i * units + unit] *= factor;
            }
            self.b[unit] *= factor;
            match (identity, homogeneous) {
                (true, _) => self.b[unit] += std::mem::take(&mut shift[unit]),
                (_, true) if self.scale[unit] < 0.0 => scale[unit] = -1.0,
                (_, true) => {}
                _ => scale[unit] = self.scale[unit],
            }
        }
        (self.scale, self.shift) = (vec![1.0; units], vec![0.0; units]);
        (scale, shift)
    }
}
