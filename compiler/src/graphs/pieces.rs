//! Where an activation bends: its formula as straight pieces between kinks.
//!
//! ```text
//! relu          0 | s                        kink 0
//! relu6         0 | s | 6                    kinks 0, 6
//! prelu         slope s | s                  kink 0, whatever the slope is
//! silu          curved: it computes exp
//! ```
//!
//! The graph of the formula is evaluated with straight pieces in place of numbers. The compiler needs no names of activations for
//! this. An activation's own parameters are replaced by numbers that no formula singles out; kinks that move with them are found
//! by doing so twice.

use crate::graphs::activate::{Call, Parameters};
use crate::graphs::parameterize::Store;
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id, Op, scalar};
use crate::ir::net::Activation;

/// A function of one number that is straight between its kinks.
#[derive(Debug, Clone, PartialEq)]
pub struct Pieces {
    /// Where it bends, in ascending order.
    pub kinks: Vec<f64>,
    /// Slope and value at 0 of each piece, from the left: one more than kinks.
    pub parts: Vec<[f64; 2]>,
}

/// The most kinks that are looked for. Formulas of people have a few.
const MOST_KINKS: usize = 64;

/// Why an activation has no pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curved {
    /// It computes this function of its argument.
    Computes(&'static str),
    /// It jumps.
    Jumps,
    /// Its kinks are at values that it learns.
    Learned,
    /// It has too many kinks.
    Many,
    /// Its definition has a mistake, which is told elsewhere.
    Wrong,
}

impl Curved {
    /// The reason as the end of a sentence: "`silu` …".
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Curved::Computes(word) => format!("is curved: it computes `{word}` of its argument"),
            Curved::Jumps => "jumps".to_string(),
            Curved::Learned => "bends at values that it learns".to_string(),
            Curved::Many => format!("bends more than {MOST_KINKS} times"),
            Curved::Wrong => "has a mistake in its definition".to_string(),
        }
    }
}

/// Values for an activation's own parameters.
const PROBES: [f64; 2] = [0.372_549_1, 0.618_033_9];

/// Finds the pieces of an activation. Slopes that depend on its own parameters are those for a value of each that has no meaning:
/// only kinks, and whether all pieces pass through 0, say something about every value.
///
/// # Errors
/// Why it has none.
pub fn pieces(activation: &Activation) -> Result<Pieces, Curved> {
    let [first, second] = PROBES.map(|probe| with_parameters(activation, &|place| probe + 0.01 * place as f64));
    let (first, second) = (first?, second?);
    if first.kinks == second.kinks { Ok(first) } else { Err(Curved::Learned) }
}

/// The pieces of an activation whose own parameters have these values, in the order of its declarations.
///
/// # Errors
/// Why it has none.
pub fn with_parameters(activation: &Activation, parameter: &dyn Fn(usize) -> f64) -> Result<Pieces, Curved> {
    let (mut graph, mut store) = (Graph::default(), Store::default());
    let x = graph.input("s", vec![1, 1]);
    let call = Call { prefix: "", x, axes: Axes::batch(2, Axis::Units) };
    let value = Parameters::default().apply(&mut graph, &mut store, activation, &call).map_err(|_| Curved::Wrong)?;
    let mut known: Vec<Pieces> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let found = of_node(&graph, id, &known, parameter)?;
        if found.kinks.len() > MOST_KINKS {
            return Err(Curved::Many);
        }
        known.push(found);
    }
    let found = known.swap_remove(value.index());
    if found.is_continuous() { Ok(found.simplified()) } else { Err(Curved::Jumps) }
}

/// Is f(c s) = c f(s) for every c of 0 or more, whatever values its own parameters have?
#[must_use]
pub fn is_homogeneous(activation: &Activation) -> bool {
    pieces(activation).is_ok_and(|found| {
        found.kinks.iter().all(|kink| *kink == 0.0) && found.parts.iter().all(|[_, at_zero]| *at_zero == 0.0)
    })
}

/// Is f(s) = s?
#[must_use]
pub fn is_identity(activation: &Activation) -> bool {
    pieces(activation).is_ok_and(|found| found.parts == [[1.0, 0.0]])
}

fn of_node(graph: &Graph, id: Id, known: &[Pieces], parameter: &dyn Fn(usize) -> f64) -> Result<Pieces, Curved> {
    let node = &graph[id];
    let operand = |i: usize| &known[node.inputs[i].index()];
    match &node.op {
        Op::Input(_) => Ok(Pieces { kinks: vec![], parts: vec![[1.0, 0.0]] }),
        Op::Const(value) => Ok(Pieces::constant(*value)),
        Op::State(place) => Ok(Pieces::constant(parameter(*place))),
        Op::Reshape | Op::Broadcast => Ok(operand(0).clone()),
        Op::Add => Ok(joined(&[operand(0), operand(1)], |p| Some([p[0][0] + p[1][0], p[0][1] + p[1][1]]))?),
        Op::Sub => Ok(joined(&[operand(0), operand(1)], |p| Some([p[0][0] - p[1][0], p[0][1] - p[1][1]]))?),
        Op::Neg => Ok(joined(&[operand(0)], |p| Some([-p[0][0], -p[0][1]]))?),
        Op::Mul => joined(&[operand(0), operand(1)], |p| match (p[0][0] == 0.0, p[1][0] == 0.0) {
            (true, _) => Some([p[0][1] * p[1][0], p[0][1] * p[1][1]]),
            (_, true) => Some([p[1][1] * p[0][0], p[1][1] * p[0][1]]),
            _ => None,
        })
        .map_err(|_| Curved::Computes("*")),
        Op::Div => joined(&[operand(0), operand(1)], |p| {
            (p[1][0] == 0.0 && p[1][1] != 0.0).then(|| [p[0][0] / p[1][1], p[0][1] / p[1][1]])
        })
        .map_err(|_| Curved::Computes("/")),
        // Where two pieces cross, the larger one changes.
        Op::Max => crossed(operand(0), operand(1), |a, b, larger| Some(if larger { a } else { b })),
        Op::Min => crossed(operand(0), operand(1), |a, b, larger| Some(if larger { b } else { a })),
        Op::Abs => {
            let negative = joined(&[operand(0)], |p| Some([-p[0][0], -p[0][1]]))?;
            crossed(operand(0), &negative, |a, b, larger| Some(if larger { a } else { b }))
        }
        // Not the same as `<=` turned around: two equal lines do not cross, and neither is less than the other.
        Op::Less => crossed(operand(1), operand(0), |_, _, larger| Some([0.0, f64::from(u8::from(larger))])),
        Op::LessEqual => crossed(operand(0), operand(1), |_, _, larger| Some([0.0, f64::from(u8::from(!larger))])),
        Op::Select => joined(&[operand(0), operand(1), operand(2)], |p| {
            (p[0][0] == 0.0).then(|| if p[0][1] != 0.0 { p[1] } else { p[2] })
        })
        .map_err(|_| Curved::Computes("select")),
        // Any function of constants is a constant, piece by piece.
        other => {
            let operands: Vec<&Pieces> = node.inputs.iter().map(|input| &known[input.index()]).collect();
            let word = word(other);
            joined(&operands, |p| {
                let mut values = [0.0; 3];
                let flat = p.iter().all(|part| part[0] == 0.0) && p.len() <= values.len() && !p.is_empty();
                p.iter().zip(&mut values).for_each(|(part, value)| *value = part[1]);
                flat.then(|| [0.0, scalar(other, values)])
            })
            .map_err(|_| Curved::Computes(word))
        }
    }
}

/// The word of an operation, for messages.
fn word(op: &Op) -> &'static str {
    match op {
        Op::Exp => "exp",
        Op::Log | Op::Log1p => "log",
        Op::Sqrt => "sqrt",
        Op::Sin => "sin",
        Op::Cos => "cos",
        Op::Tanh => "tanh",
        Op::Erf => "erf",
        Op::Pow => "^",
        Op::Equal => "==",
        _ => "a function",
    }
}

/// Joins functions piece by piece. `part` returns `None` for what is not straight.
fn joined(of: &[&Pieces], part: impl Fn(&[[f64; 2]]) -> Option<[f64; 2]>) -> Result<Pieces, Curved> {
    let mut kinks: Vec<f64> = of.iter().flat_map(|pieces| pieces.kinks.iter().copied()).collect();
    kinks.sort_by(f64::total_cmp);
    kinks.dedup();
    let parts = (0..=kinks.len()).map(|place| {
        let inside = inside(&kinks, place);
        let at: Vec<[f64; 2]> = of.iter().map(|pieces| pieces.part_at(inside)).collect();
        part(&at)
    });
    let parts = parts.collect::<Option<Vec<_>>>().ok_or(Curved::Computes("a function"))?;
    Ok(Pieces { kinks, parts }.simplified())
}

/// As [`joined`], for two functions, with kinks where they cross too. `part` is told whether the first one is the larger one.
fn crossed(
    a: &Pieces,
    b: &Pieces,
    part: impl Fn([f64; 2], [f64; 2], bool) -> Option<[f64; 2]>,
) -> Result<Pieces, Curved> {
    let mut kinks: Vec<f64> = a.kinks.iter().chain(&b.kinks).copied().collect();
    kinks.sort_by(f64::total_cmp);
    kinks.dedup();
    let mut all = kinks.clone();
    for place in 0..=kinks.len() {
        let (p, q) = (a.part_at(inside(&kinks, place)), b.part_at(inside(&kinks, place)));
        let crossing = (q[1] - p[1]) / (p[0] - q[0]);
        let after = place.checked_sub(1).and_then(|before| kinks.get(before)).is_none_or(|kink| crossing > *kink);
        let before = kinks.get(place).is_none_or(|kink| crossing < *kink);
        if crossing.is_finite() && after && before {
            // -0 and 0 are the same place.
            all.push(crossing + 0.0);
        }
    }
    all.sort_by(f64::total_cmp);
    all.dedup();
    let parts = (0..=all.len()).map(|place| {
        let at = inside(&all, place);
        let (p, q) = (a.part_at(at), b.part_at(at));
        part(p, q, p[0] * at + p[1] > q[0] * at + q[1])
    });
    let parts = parts.collect::<Option<Vec<_>>>().ok_or(Curved::Computes("a function"))?;
    Ok(Pieces { kinks: all, parts }.simplified())
}

/// A number inside of piece `place`.
fn inside(kinks: &[f64], place: usize) -> f64 {
    match (place.checked_sub(1).and_then(|before| kinks.get(before)), kinks.get(place)) {
        (None, None) => 0.0,
        // Far from 0, a distance of 1 would be lost in rounding.
        (None, Some(end)) => end - 1.0 - end.abs() / 2.0,
        (Some(start), None) => start + 1.0 + start.abs() / 2.0,
        (Some(start), Some(end)) => start + (end - start) / 2.0,
    }
}

impl Pieces {
    /// 0 below 0, then the number itself.
    #[must_use]
    pub fn relu() -> Self {
        Pieces { kinks: vec![0.0], parts: vec![[0.0, 0.0], [1.0, 0.0]] }
    }

    fn constant(value: f64) -> Self {
        Pieces { kinks: vec![], parts: vec![[0.0, value]] }
    }

    /// Slope and value at 0 of the piece that this number lies in.
    fn part_at(&self, x: f64) -> [f64; 2] {
        self.parts[self.kinks.partition_point(|kink| *kink < x)]
    }

    /// Joins neighbouring pieces of one line.
    fn simplified(self) -> Self {
        let mut result = Pieces { kinks: vec![], parts: vec![self.parts[0]] };
        for (kink, part) in self.kinks.iter().zip(&self.parts[1..]) {
            if result.parts.last() != Some(part) {
                result.kinks.push(*kink);
                result.parts.push(*part);
            }
        }
        result
    }

    fn is_continuous(&self) -> bool {
        self.kinks.iter().zip(self.parts.windows(2)).all(|(kink, pair)| {
            let [left, right] = [pair[0], pair[1]].map(|[slope, at_zero]| slope * kink + at_zero);
            (left - right).abs() <= 1e-9 * (1.0 + left.abs())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::net::LayerKind;
    use crate::testing::network;

    fn found(definition: &str, call: &str) -> Result<Pieces, Curved> {
        let (_, net) = network(&format!("{definition} model m(input: [2]) {{ input -> dense(2) -> {call} }}"));
        let unit = net.layers.iter().find_map(|layer| match &layer.kind {
            LayerKind::Unit(unit) => Some(unit.activation.clone()),
            _ => None,
        });
        pieces(&unit.expect("a layer of units"))
    }

    fn of(call: &str) -> Result<Pieces, Curved> {
        found("", call)
    }

    #[test]
    fn activations_of_straight_pieces_have_their_kinks() {
        assert_eq!(of("relu"), Ok(Pieces::relu()));
        assert_eq!(of("leaky_relu(0.25)"), Ok(Pieces { kinks: vec![0.0], parts: vec![[0.25, 0.0], [1.0, 0.0]] }));
        let relu6 = Pieces { kinks: vec![0.0, 6.0], parts: vec![[0.0, 0.0], [1.0, 0.0], [0.0, 6.0]] };
        assert_eq!(of("relu6"), Ok(relu6));
        let tanh = Pieces { kinks: vec![-1.0, 1.0], parts: vec![[0.0, -1.0], [1.0, 0.0], [0.0, 1.0]] };
        assert_eq!(of("hard_tanh"), Ok(tanh));
        assert_eq!(of("hard_sigmoid").map(|found| found.kinks), Ok(vec![-3.0, 3.0]));
        assert_eq!(of("prelu").map(|found| found.kinks), Ok(vec![0.0]));
        assert_eq!(of("identity"), Ok(Pieces { kinks: vec![], parts: vec![[1.0, 0.0]] }));
        let far = found("activation far(s) { max(s - 1e30, 0) + min(s + 1e30, 0) }", "far").map(|found| found.kinks);
        assert_eq!(far, Ok(vec![-1e30, 1e30]));
        let hat = found("activation hat(s) { max(1 - abs(s), 0) }", "hat").map(|found| found.kinks);
        assert_eq!(hat, Ok(vec![-1.0, 0.0, 1.0]));
        let identity = Pieces { kinks: vec![], parts: vec![[1.0, 0.0]] };
        assert_eq!(found("activation same(s) { select(s < s, 5 * s, s) }", "same"), Ok(identity.clone()));
        assert_eq!(found("activation same(s) { select(s <= s, s, 5 * s) }", "same"), Ok(identity));
    }

    #[test]
    fn others_say_why_they_have_none() {
        assert_eq!(of("tanh"), Err(Curved::Computes("tanh")));
        assert_eq!(of("hard_swish"), Err(Curved::Computes("*")));
        assert_eq!(of("gelu"), Err(Curved::Computes("erf")));
        assert_eq!(of("elu"), Err(Curved::Computes("exp")));
        assert_eq!(found("activation step(s) { select(s > 0, 1, 0) + 0 * s }", "step"), Err(Curved::Jumps));
        let moving = "activation moving(s) { k: unit = 0  max(s - k, 0) }";
        assert_eq!(found(moving, "moving"), Err(Curved::Learned));
    }

    #[test]
    fn a_scale_moves_through_activations_that_bend_at_0_alone() {
        let is = |definition: &str, call: &str| {
            let (_, net) = network(&format!("{definition} model m(input: [2]) {{ input -> {call} }}"));
            match &net.layers[1].kind {
                LayerKind::Activation(activation) => is_homogeneous(activation),
                _ => panic!("an activation"),
            }
        };
        assert!(is("", "relu") && is("", "leaky_relu") && is("", "prelu") && is("", "identity"));
        assert!(!is("", "relu6") && !is("", "silu"));
        assert!(!is("activation lifted(s) { k: unit = 0  max(s, 0) + k }", "lifted"));
    }
}
