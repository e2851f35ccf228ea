//! A formula as loops of machine code: the same ones as in C, with the same order of sums.

use super::Fault;
use super::dense::Dense;
use super::functions::{sigmoid, softplus};
use super::machine::{Machine, Numbers};
use super::windows::{Filtering, Sliding, convolve};
use crate::formula::{Axis, End, Function, Loops, Place, Task, Work};
use crate::network::Defined;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::F64;
use cranelift_codegen::ir::{InstBuilder, Value};
use gmpc_compiler::math::Precision;
use std::collections::BTreeMap;

/// Where a formula reads and writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// What it is applied to.
    pub(super) x: Numbers,
    /// Its result.
    pub(super) y: Numbers,
    /// Memory for intermediate values.
    pub(super) room: Numbers,
    /// Memory for an image with its padding.
    pub(super) padded: Numbers,
}

/// Applies a formula.
pub(super) fn formula(m: &mut Machine<'_>, defined: &Defined, ends: Ends) -> Result<(), Fault> {
    let mut places = BTreeMap::new();
    for (&step, place) in &defined.schedule.places {
        let numbers = match place {
            Place::X => ends.x,
            Place::Result => ends.y,
            Place::Room(offset) => m.behind(ends.room, *offset),
            Place::Known(known) => {
                let Work::Known(tensor) = &defined.closed.steps[*known].work else { continue };
                // Filters are written by the convolution, in an order of its own.
                if defined.closed.filters(*known).is_some() {
                    continue;
                }
                m.constants(&tensor.data)?
            }
        };
        places.insert(step, numbers);
    }
    let computing = Computing { defined, places, padded: ends.padded };
    defined.schedule.tasks.iter().try_for_each(|task| computing.task(m, task))
}

struct Computing<'a> {
    defined: &'a Defined,
    places: BTreeMap<usize, Numbers>,
    padded: Numbers,
}

impl Computing<'_> {
    fn place(&self, step: usize) -> Result<Numbers, Fault> {
        self.places.get(&step).copied().ok_or_else(|| Fault(format!("step {step} of a formula is nowhere")))
    }

    fn task(&self, m: &mut Machine<'_>, task: &Task) -> Result<(), Fault> {
        let steps = &self.defined.closed.steps;
        match task {
            Task::Loops(loops) => self.loops(m, loops),
            Task::Product { x, weight, to } => {
                let (inputs, units) = (steps[*x].shape[1], steps[*to].shape[1]);
                let (weights, offsets) = (self.place(*weight)?, m.constants(&vec![0.0; units])?);
                let (x, y) = (self.place(*x)?, self.place(*to)?);
                Dense { units, inputs, weights, offsets, x, y }.all(m)
            }
            Task::Convolve { x, weight, to, window } => {
                let (input, result) = (&steps[*x].shape[1..], &steps[*to].shape[1..]);
                let filters = self.defined.closed.filters(*weight);
                let filters = filters.ok_or_else(|| Fault("filters are no constant".into()))?;
                let offset = vec![0.0; result[0]];
                let filtering = Filtering { weight: &filters.data, offset: &offset, centre: &[] };
                let ends = [self.place(*x)?, self.place(*to)?, self.padded];
                convolve(m, &filtering, &Sliding::new(window, input, result), ends)
            }
        }
    }

    fn loops(&self, m: &mut Machine<'_>, loops: &Loops) -> Result<(), Fault> {
        let to = self.place(loops.to)?;
        let kept = loops.axes.iter().filter(|axis| !axis.is_reduced).count();
        let (kept, reduced) = loops.axes.split_at(kept);
        each(m, kept, &mut vec![], &mut |m, at| {
            let value = match loops.end {
                End::Store => self.value(m, loops, at)?,
                End::Sum => {
                    // Sums are taken in double precision, so that their order makes no difference in single precision.
                    let zero = m.b.ins().f64const(0.0);
                    let sum = fold(m, reduced, &mut at.to_vec(), zero, &mut |m, at, sum| {
                        let value = self.value(m, loops, at)?;
                        let value = if m.precision == Precision::F32 { m.b.ins().fpromote(F64, value) } else { value };
                        Ok(m.b.ins().fadd(sum, value))
                    })?;
                    let float = m.float();
                    if m.precision == Precision::F32 { m.b.ins().fdemote(float, sum) } else { sum }
                }
                End::Largest => {
                    let least = m.number(f64::NEG_INFINITY);
                    fold(m, reduced, &mut at.to_vec(), least, &mut |m, at, largest| {
                        let value = self.value(m, loops, at)?;
                        Ok(m.b.ins().fmax(value, largest))
                    })?
                }
            };
            let at = index(m, at, &loops.strides);
            m.store(value, to, at);
            Ok(())
        })
    }

    /// The number that the body gives in one round.
    fn value(&self, m: &mut Machine<'_>, loops: &Loops, at: &[Value]) -> Result<Value, Fault> {
        let mut values = BTreeMap::new();
        let steps = &self.defined.closed.steps;
        for &step in &loops.body {
            let mut operands = Vec::with_capacity(3);
            for &input in &steps[step].inputs {
                operands.push(self.operand(m, loops, at, &values, input)?);
            }
            let value = if let Work::Function(function) = &steps[step].work {
                apply(m, *function, &operands)?
            } else {
                operands.first().copied().ok_or_else(|| Fault("a step reads nothing".into()))?
            };
            values.insert(step, value);
        }
        self.operand(m, loops, at, &values, loops.from)
    }

    fn operand(
        &self,
        m: &mut Machine<'_>,
        loops: &Loops,
        at: &[Value],
        values: &BTreeMap<usize, Value>,
        step: usize,
    ) -> Result<Value, Fault> {
        if let Some(value) = values.get(&step) {
            return Ok(*value);
        }
        if let Work::Number(number) = self.defined.closed.steps[step].work {
            return Ok(m.number(number));
        }
        let strides = loops.reads.get(&step).ok_or_else(|| Fault(format!("step {step} is not at hand")))?;
        let (place, at) = (self.place(step)?, index(m, at, strides));
        Ok(m.load(place, at))
    }
}

type Each<'a, 'm> = &'a mut dyn FnMut(&mut Machine<'m>, &[Value]) -> Result<(), Fault>;
type Fold<'a, 'm> = &'a mut dyn FnMut(&mut Machine<'m>, &[Value], Value) -> Result<Value, Fault>;

/// Loops inside one another.
fn each<'m>(m: &mut Machine<'m>, axes: &[Axis], at: &mut Vec<Value>, body: Each<'_, 'm>) -> Result<(), Fault> {
    let Some((axis, rest)) = axes.split_first() else { return body(m, at) };
    m.each(axis.size, |m, i| {
        at.push(i);
        let done = each(m, rest, at, body);
        at.pop();
        done
    })
}

/// The same, carrying a value from round to round.
fn fold<'m>(
    m: &mut Machine<'m>,
    axes: &[Axis],
    at: &mut Vec<Value>,
    first: Value,
    body: Fold<'_, 'm>,
) -> Result<Value, Fault> {
    let Some((axis, rest)) = axes.split_first() else { return body(m, at, first) };
    let folded = m.fold(axis.size, &[first], |m, i, so_far| {
        at.push(i);
        let next = fold(m, rest, at, so_far[0], body);
        at.pop();
        Ok(vec![next?])
    })?;
    Ok(folded[0])
}

/// The place of a number after so many rounds of each loop.
fn index(m: &mut Machine<'_>, at: &[Value], strides: &[usize]) -> Value {
    let mut index = None;
    for (&round, &stride) in at.iter().zip(strides).filter(|(_, stride)| **stride > 0) {
        let term = m.place(round, stride, 0);
        index = Some(index.map_or(term, |so_far| m.plus(so_far, term)));
    }
    index.unwrap_or_else(|| m.whole(0))
}

fn apply(m: &mut Machine<'_>, function: Function, operands: &[Value]) -> Result<Value, Fault> {
    let [a, b, c] = match *operands {
        [a] => [a, a, a],
        [a, b] => [a, b, b],
        [a, b, c] => [a, b, c],
        _ => return Err(Fault(format!("{function:?} of {} numbers", operands.len()))),
    };
    Ok(match function {
        Function::Neg => m.b.ins().fneg(a),
        Function::Abs => m.b.ins().fabs(a),
        Function::Exp => m.libm("exp", &[a])?,
        Function::Log => m.libm("log", &[a])?,
        Function::Log1p => m.libm("log1p", &[a])?,
        Function::Sqrt => m.b.ins().sqrt(a),
        Function::Sin => m.libm("sin", &[a])?,
        Function::Cos => m.libm("cos", &[a])?,
        Function::Tanh => m.libm("tanh", &[a])?,
        Function::Erf => m.libm("erf", &[a])?,
        Function::Pow => m.libm("pow", &[a, b])?,
        Function::Sigmoid => sigmoid(m, a)?,
        Function::Softplus => softplus(m, a)?,
        Function::Add => m.b.ins().fadd(a, b),
        Function::Sub => m.b.ins().fsub(a, b),
        Function::Mul => m.b.ins().fmul(a, b),
        Function::Div => m.b.ins().fdiv(a, b),
        Function::Max => m.b.ins().fmax(a, b),
        Function::Min => m.b.ins().fmin(a, b),
        Function::Less => truth(m, FloatCC::LessThan, a, b),
        Function::LessEqual => truth(m, FloatCC::LessThanOrEqual, a, b),
        Function::Equal => truth(m, FloatCC::Equal, a, b),
        Function::Select => {
            let zero = m.number(0.0);
            let holds = m.b.ins().fcmp(FloatCC::NotEqual, a, zero);
            m.b.ins().select(holds, b, c)
        }
    })
}

fn truth(m: &mut Machine<'_>, relation: FloatCC, a: Value, b: Value) -> Value {
    let holds = m.b.ins().fcmp(relation, a, b);
    let (one, zero) = (m.number(1.0), m.number(0.0));
    m.b.ins().select(holds, one, zero)
}
