//! The loops that compute a closed formula for one row, for C and for machine code alike.
//!
//! ```text
//! centred = x - mean      a function of few numbers is computed anew where it is read; what a reduction, a reshape or a product
//! var = sum(centred^2)    reads or gives, and what is repeated along an axis, is stored
//! ```

use super::{Formula, Step, Work};
use crate::refusal::Refusal;
use gmpc_compiler::ir::window::Window;
use std::collections::{BTreeMap, BTreeSet};

/// Everything in order.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub(crate) tasks: Vec<Task>,
    /// Where the value of each stored step is.
    pub(crate) places: BTreeMap<usize, Place>,
    /// Numbers of the room that intermediate values need.
    pub(crate) room: usize,
}

/// Where the numbers of a step are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The value that the formula is applied to.
    X,
    /// The result.
    Result,
    /// So many numbers behind the beginning of the room.
    Room(usize),
    /// The constant of this step.
    Known(usize),
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Task {
    /// Loops over numbers.
    Loops(Loops),
    /// `[inputs]` times the constant `[inputs, units]`.
    Product { x: usize, weight: usize, to: usize },
    /// The constant filters `[channels kh kw, units]` over an image.
    Convolve { x: usize, weight: usize, to: usize, window: Window },
}

/// Loops over the numbers of a shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loops {
    /// From the outermost to the innermost: first those that are kept, then those that are reduced.
    pub axes: Vec<Axis>,
    /// Steps computed for each number, operands before users.
    pub body: Vec<usize>,
    /// For each stored step that is read: how far apart its numbers are along each axis.
    pub reads: BTreeMap<usize, Vec<usize>>,
    /// The step whose number comes out of the body.
    pub from: usize,
    /// What becomes of it.
    pub end: End,
    /// The step that is stored.
    pub to: usize,
    /// How far apart its numbers are along each axis.
    pub strides: Vec<usize>,
}

/// One loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    pub size: usize,
    pub is_reduced: bool,
}

/// What becomes of the numbers of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Each is stored.
    Store,
    /// They are added, in double precision.
    Sum,
    /// The largest is kept.
    Largest,
}

/// The loops of a closed formula.
///
/// # Errors
/// E0594: the formula has parameters, or products of more than a row with constants.
pub(crate) fn schedule(formula: &Formula) -> Result<Schedule, Refusal> {
    let mut scheduling =
        Scheduling { formula, stored: stored(formula), tasks: vec![], places: BTreeMap::new(), room: 0 };
    for step in 0..formula.steps.len() {
        scheduling.step(step)?;
    }
    Ok(Schedule { tasks: scheduling.tasks, places: scheduling.places, room: scheduling.room })
}

/// The steps whose numbers lie in memory.
fn stored(formula: &Formula) -> BTreeSet<usize> {
    let mut stored = BTreeSet::from([formula.result]);
    for (place, step) in formula.steps.iter().enumerate() {
        let reads = step.inputs.iter().copied();
        match &step.work {
            // What is repeated would be computed for each repetition.
            Work::Function(_) | Work::Stop => {
                stored.extend(reads.filter(|&input| formula.steps[input].shape != step.shape));
            }
            Work::Sum(_) | Work::Largest(_) => drop(stored.insert(place)),
            Work::X | Work::Known(_) | Work::State(_) => drop(stored.insert(place)),
            Work::Reshape | Work::Expand | Work::Product { .. } | Work::Convolve(_) | Work::Spherical => {
                stored.insert(place);
                stored.extend(reads);
            }
            Work::Number(_) => {}
        }
    }
    stored.retain(|&step| !matches!(formula.steps[step].work, Work::Number(_)));
    stored
}

struct Scheduling<'a> {
    formula: &'a Formula,
    stored: BTreeSet<usize>,
    tasks: Vec<Task>,
    places: BTreeMap<usize, Place>,
    room: usize,
}

impl Scheduling<'_> {
    fn step(&mut self, index: usize) -> Result<(), Refusal> {
        let formula = self.formula;
        let step = &formula.steps[index];
        if !self.stored.contains(&index) {
            return Ok(());
        }
        let unknown = || Refusal::inside(format!("nothing computes `{:?}` row by row", step.work));
        match (&step.work, &step.inputs[..]) {
            (Work::X, []) => drop(self.places.insert(index, Place::X)),
            (Work::Known(_), []) => drop(self.places.insert(index, Place::Known(index))),
            // The same numbers in the same order need no memory of their own.
            (Work::Reshape, &[input]) if index != formula.result => {
                let place = self.places.get(&input).copied().ok_or_else(unknown)?;
                self.places.insert(index, place);
            }
            (Work::Reshape, &[input]) => {
                let loops = self.loops(index, input, &step.shape, &[], End::Store, true);
                self.store(index, step, Task::Loops(loops));
            }
            (Work::Function(_) | Work::Stop | Work::Expand, _) => {
                let from = if step.work == Work::Expand { step.inputs[0] } else { index };
                let loops = self.loops(index, from, &step.shape, &[], End::Store, false);
                self.store(index, step, Task::Loops(loops));
            }
            (Work::Sum(axes), &[input]) => self.reduce(index, input, axes, End::Sum),
            (Work::Largest(axes), &[input]) => self.reduce(index, input, axes, End::Largest),
            (Work::Product { transpose_a: false, transpose_b: false }, &[x, weight])
                if matches!(formula.steps[weight].work, Work::Known(_)) =>
            {
                self.store(index, step, Task::Product { x, weight, to: index });
            }
            (Work::Convolve(window), &[x, weight]) if matches!(formula.steps[weight].work, Work::Known(_)) => {
                self.store(index, step, Task::Convolve { x, weight, to: index, window: *window });
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }

    fn reduce(&mut self, index: usize, input: usize, axes: &[usize], end: End) {
        let formula = self.formula;
        let loops = self.loops(index, input, &formula.steps[input].shape, axes, end, false);
        self.store(index, &formula.steps[index], Task::Loops(loops));
    }

    fn store(&mut self, index: usize, step: &Step, task: Task) {
        let place = match index == self.formula.result {
            true => Place::Result,
            false => {
                self.room += step.shape.iter().product::<usize>();
                Place::Room(self.room - step.shape.iter().product::<usize>())
            }
        };
        self.places.insert(index, place);
        self.tasks.push(task);
    }

    /// Loops over a shape. `is_flat`: the step that is read has another shape, and the same order.
    fn loops(&self, to: usize, from: usize, shape: &[usize], reduced: &[usize], end: End, is_flat: bool) -> Loops {
        let body = self.body(from, to);
        let mut read: BTreeSet<usize> =
            body.iter().flat_map(|&step| &self.formula.steps[step].inputs).copied().collect();
        if body.is_empty() {
            read.insert(from);
        }
        read.retain(|step| self.stored.contains(step) && !body.contains(step));
        let whole = strides(shape);
        let of = |step: usize| match is_flat {
            true => whole.clone(),
            false => strides_within(&self.formula.steps[step].shape, shape.len()),
        };
        let all: Vec<(usize, Vec<usize>)> = read.into_iter().map(|step| (step, of(step))).collect();
        let mut result = whole_or_kept(shape, reduced);
        // Axes of one number need no loop, and neighbours that everything treats alike are one loop.
        let mut axes: Vec<(Axis, Vec<usize>)> = vec![];
        for (place, &size) in shape.iter().enumerate().filter(|(_, size)| **size > 1) {
            let axis = Axis { size, is_reduced: reduced.contains(&place) };
            let apart: Vec<usize> = all.iter().map(|(_, strides)| strides[place]).chain([result[place]]).collect();
            match axes.last_mut() {
                Some((last, wide))
                    if last.is_reduced == axis.is_reduced
                        && wide.iter().zip(&apart).all(|(outer, inner)| *outer == inner * size) =>
                {
                    last.size *= size;
                    *wide = apart;
                }
                _ => axes.push((axis, apart)),
            }
        }
        axes.sort_by_key(|(axis, _)| axis.is_reduced);
        result = axes.iter().map(|(_, apart)| apart.last().copied().unwrap_or(0)).collect();
        let reads = all
            .iter()
            .enumerate()
            .map(|(i, (step, _))| (*step, axes.iter().map(|(_, apart)| apart[i]).collect()))
            .collect();
        Loops { axes: axes.into_iter().map(|(axis, _)| axis).collect(), body, reads, from, end, to, strides: result }
    }

    /// What is computed for each number: `from`, unless it is stored and not `to` itself, and what it reads that is not stored.
    fn body(&self, from: usize, to: usize) -> Vec<usize> {
        let (mut open, mut body) = (vec![from], BTreeSet::new());
        while let Some(step) = open.pop() {
            let is_computed = !self.stored.contains(&step) || step == to;
            if is_computed && !matches!(self.formula.steps[step].work, Work::Number(_)) && body.insert(step) {
                open.extend(&self.formula.steps[step].inputs);
            }
        }
        body.into_iter().collect()
    }
}

/// How far apart the numbers of a shape are along each axis.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The same, 0 along axes of size 1, for loops over so many axes.
fn strides_within(shape: &[usize], rank: usize) -> Vec<usize> {
    let own = strides(shape).into_iter().zip(shape).map(|(stride, &size)| if size == 1 { 0 } else { stride });
    std::iter::repeat_n(0, rank.saturating_sub(shape.len())).chain(own).collect()
}

/// How far apart results are along each axis: 0 along those that are reduced.
fn whole_or_kept(shape: &[usize], reduced: &[usize]) -> Vec<usize> {
    let kept: Vec<usize> =
        shape.iter().enumerate().map(|(axis, &size)| if reduced.contains(&axis) { 1 } else { size }).collect();
    strides_within(&kept, shape.len())
}
