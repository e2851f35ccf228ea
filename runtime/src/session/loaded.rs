//! One program on its device, with everything a step needs at hand.

use super::Clock;
use crate::data::images::Draw;
use crate::device::{Executable, SliceMut};
use crate::failure::Failure;
use crate::metrics::{Measures, Sums};
use crate::rows::{Pick, Rows};
use crate::scalar::ScalarProgram;
use gmpc_compiler::graph::{Output, Tensor};
use gmpc_compiler::program::Program;
use std::sync::Arc;

/// A loaded program.
pub(super) struct Loaded {
    pub(super) program: Arc<Program>,
    pub(super) executable: Box<dyn Executable>,
    pub(super) measures: Measures,
    prologue: ScalarProgram,
    /// Places of `x` and `target` among the program's inputs.
    x: Option<usize>,
    target: Option<usize>,
    /// Place of the first scalar of the prologue among the inputs.
    first_scalar: usize,
    /// The neighbours that the inputs hold now, and of which part: filling them in again would change nothing.
    holds: Option<(u64, std::ops::Range<usize>)>,
    /// The rows that were filled in ahead of the next step, and of which part.
    ahead: Option<(u64, Vec<u32>)>,
    /// The clock's rate and step that the scalars stand for.
    set: Option<(f64, u64)>,
}

impl Loaded {
    pub(super) fn new(program: Arc<Program>, executable: Box<dyn Executable>) -> Result<Self, Failure> {
        let place = |name: &str| program.graph.inputs.iter().position(|input| input.name == name);
        let (x, target) = (place("x"), place("target"));
        let prologue = ScalarProgram::new(&program.prologue)?;
        let Some(first_scalar) = program.graph.inputs.len().checked_sub(prologue.outputs()) else {
            return Err(Failure::Bug("a program has fewer inputs than its prologue has outputs".into()));
        };
        let measures = Measures::new(&program.measures)?;
        Ok(Loaded {
            program,
            executable,
            measures,
            prologue,
            x,
            target,
            first_scalar,
            holds: None,
            ahead: None,
            set: None,
        })
    }

    /// Copies rows into `x` and `target`.
    ///
    /// # Errors
    /// An image that cannot be read or decoded; the device failed.
    pub(super) fn fill(&mut self, rows: &Rows, pick: &Pick<'_>, draw: Draw) -> Result<(), Failure> {
        if self.take_ahead(rows, pick) {
            self.holds = None;
            return Ok(());
        }
        let fixed = draw == Draw::Nothing || !rows.changes();
        if let Pick::Range(range) = pick
            && fixed
        {
            let asked = Some((rows.id(), range.clone()));
            if self.holds == asked {
                return Ok(());
            }
            self.holds = asked;
        } else {
            self.holds = None;
        }
        let filled = self.put(rows, pick, draw);
        if filled.is_err() {
            self.holds = None;
        }
        filled
    }

    /// Takes what was filled in ahead, if that is what is asked for.
    fn take_ahead(&mut self, rows: &Rows, pick: &Pick<'_>) -> bool {
        let Some((part, picked)) = self.ahead.take() else { return false };
        let same = part == rows.id() && picked.len() == pick.len() && picked.iter().copied().eq(pick.rows());
        if same {
            [self.x, self.target].into_iter().flatten().for_each(|index| self.executable.turn(index));
        }
        same
    }

    /// Makes the inputs of the next training step while the device is at work on this one, where it is.
    ///
    /// # Errors
    /// An image that cannot be read or decoded.
    pub(super) fn fill_ahead(&mut self, rows: &Rows, next: &Pick<'_>) -> Result<(), Failure> {
        let (Some(x), Some(target)) = (self.x, self.target) else { return Ok(()) };
        if self.executable.ahead(x).is_none() {
            return Ok(());
        }
        let Some(mut to) = self.executable.ahead(target) else { return Ok(()) };
        rows.targets_into(next, &mut to);
        let Some(mut to) = self.executable.ahead(x) else { return Ok(()) };
        rows.inputs_into(next, Draw::Training, &mut to)?;
        self.ahead = Some((rows.id(), next.rows().collect()));
        Ok(())
    }

    /// From what the device keeps, or from here.
    fn put(&mut self, rows: &Rows, pick: &Pick<'_>, draw: Draw) -> Result<(), Failure> {
        let executable = self.executable.as_mut();
        if let Some(x) = self.x
            && !rows.inputs_there(pick, draw, executable, x)?
        {
            rows.inputs_into(pick, draw, &mut executable.input(x))?;
        }
        if let Some(target) = self.target
            && !rows.targets_there(pick, executable, target)?
        {
            rows.targets_into(pick, &mut executable.input(target));
        }
        Ok(())
    }

    /// Computes the prologue and hands its scalars over, each rounded once.
    pub(super) fn set_clock(&mut self, clock: Clock) {
        if self.set == Some((clock.lr, clock.step)) {
            return;
        }
        self.set = Some((clock.lr, clock.step));
        #[allow(clippy::cast_precision_loss)] // steps stay far below 2^53
        self.prologue.run(&self.scalars(clock.lr, clock.step as f64));
        for index in 0..self.prologue.outputs() {
            let number = self.prologue.output(index);
            match self.executable.input(self.first_scalar + index) {
                #[allow(clippy::cast_possible_truncation)] // rounded once, as the precision says
                SliceMut::F32(to) => to.iter_mut().for_each(|to| *to = number as f32),
                SliceMut::F64(to) => to.iter_mut().for_each(|to| *to = number),
            }
        }
    }

    /// The prologue's inputs in its own order: `lr`, `step`.
    fn scalars(&self, lr: f64, step: f64) -> [f64; 2] {
        let first = self.program.prologue.inputs.first();
        if first.is_some_and(|input| input.name == "step") { [step, lr] } else { [lr, step] }
    }

    /// Adds what the run put out; false where the loss is not finite.
    pub(super) fn gather(&self, sums: &mut Sums) -> bool {
        let executable = &self.executable;
        self.measures.add(sums, self.program.batch as u64, |output| executable.output(output).first())
    }

    /// The place of a named output.
    pub(super) fn named(&self, wanted: &str) -> Result<usize, Failure> {
        let found = names(&self.program).position(|name| name == wanted);
        found.ok_or_else(|| Failure::Bug(format!("the program has no output `{wanted}`")))
    }

    /// Every named output after a run.
    pub(super) fn outputs(&self) -> Vec<(String, Tensor)> {
        let graph = &self.program.graph;
        let values = graph.outputs.iter().filter_map(|output| match output {
            Output::Value { name, id } => Some((name, graph.shape(*id))),
            Output::Write { .. } => None,
        });
        let tensor = |(index, (name, shape)): (usize, (&String, &[usize]))| {
            let data = self.executable.output(index).to_f64();
            (name.clone(), Tensor { shape: shape.to_vec(), data })
        };
        values.enumerate().map(tensor).collect()
    }
}

fn names(program: &Program) -> impl Iterator<Item = &str> {
    program.graph.outputs.iter().filter_map(|output| match output {
        Output::Value { name, .. } => Some(name.as_str()),
        Output::Write { .. } => None,
    })
}
