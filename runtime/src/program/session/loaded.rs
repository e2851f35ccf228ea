//! One program on its device, with all that a step needs.

use super::{Clock, Turn};
use crate::failure::Failure;
use crate::program::metrics::{Measures, Sums};
use crate::program::scalar::ScalarProgram;
use gmpc_compiler::ir::graph::{Output, Tensor};
use gmpc_compiler::ir::program::{CLOCK, Program};
use gmpc_data::images::Draw;
use gmpc_data::{Pick, Rows};
use gmpc_device::{Executable, SliceMut};
use std::sync::Arc;

/// A loaded program.
pub(super) struct Loaded {
    pub(super) program: Arc<Program>,
    pub(super) executable: Box<dyn Executable>,
    pub(super) measures: Measures,
    prologue: ScalarProgram,
    /// Indices of `x` and `target` among the program's inputs.
    x: Option<usize>,
    target: Option<usize>,
    /// Index of the prologue's first scalar among the program's inputs.
    first_scalar: usize,
    /// The part and the range of rows that the inputs hold now. Filling in the same rows again would change nothing.
    holds: Option<(u64, std::ops::Range<usize>)>,
    /// The part and the rows in the staging buffers, prepared for the next step.
    ahead: Option<(u64, Vec<u32>)>,
    /// The clock that the scalars stand for.
    set: Option<(f64, u64, Turn)>,
    /// For each input of the prologue, its place in [`CLOCK`]: names are compared once and not in every step.
    clock: Vec<usize>,
    /// The numbers of these inputs.
    scalars: Vec<f64>,
}

impl Loaded {
    pub(super) fn new(program: Arc<Program>, executable: Box<dyn Executable>) -> Result<Self, Failure> {
        let index_of = |name: &str| program.graph.inputs.iter().position(|input| input.name == name);
        let (x, target) = (index_of("x"), index_of("target"));
        let prologue = ScalarProgram::new(&program.prologue)?;
        let Some(first_scalar) = program.graph.inputs.len().checked_sub(prologue.outputs()) else {
            return Err(Failure::Bug("a program has fewer inputs than its prologue has outputs".into()));
        };
        let place = |name: &String| {
            let found = CLOCK.iter().position(|known| known == name);
            found.ok_or_else(|| Failure::Bug(format!("the prologue reads `{name}`, which is no part of the clock")))
        };
        let clock = program.prologue.inputs.iter().map(|input| place(&input.name)).collect::<Result<_, _>>()?;
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
            clock,
            scalars: vec![],
        })
    }

    /// Copies the picked rows into `x` and `target`.
    ///
    /// # Errors
    /// An image cannot be read or decoded; the device failed.
    pub(super) fn fill(&mut self, rows: &Rows, pick: &Pick<'_>, draw: Draw) -> Result<(), Failure> {
        if self.take_ahead(rows, pick) {
            self.holds = None;
            return Ok(());
        }
        // Rows that are drawn anew for each step, such as augmented images, differ even if the same range is asked for
        // again.
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

    /// Uses the staging buffers if they hold the rows that are asked for. Returns false if they do not.
    fn take_ahead(&mut self, rows: &Rows, pick: &Pick<'_>) -> bool {
        let Some((part, picked)) = self.ahead.take() else { return false };
        let same = part == rows.id() && picked.len() == pick.len() && picked.iter().copied().eq(pick.rows());
        if same {
            [self.x, self.target].into_iter().flatten().for_each(|index| self.executable.swap_buffers(index));
        }
        same
    }

    /// Prepares the inputs of the next training step in staging buffers, if the device has them, while it computes this
    /// step.
    ///
    /// # Errors
    /// An image cannot be read or decoded.
    pub(super) fn fill_ahead(&mut self, rows: &Rows, next: &Pick<'_>) -> Result<(), Failure> {
        let (Some(x), Some(target)) = (self.x, self.target) else { return Ok(()) };
        if self.executable.staging(x).is_none() {
            return Ok(());
        }
        let Some(mut to) = self.executable.staging(target) else { return Ok(()) };
        rows.targets_into(next, &mut to);
        let Some(mut to) = self.executable.staging(x) else { return Ok(()) };
        rows.inputs_into(next, Draw::Training, &mut to)?;
        self.ahead = Some((rows.id(), next.rows().collect()));
        Ok(())
    }

    /// Fills the inputs from rows that the device keeps, or else from rows in this process's memory.
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
    pub(super) fn set_clock(&mut self, clock: Clock, turn: Turn) {
        let now = Some((clock.lr, clock.step, turn));
        if self.set == now {
            return;
        }
        self.set = now;
        self.set_scalars(clock, turn);
        self.prologue.run(&self.scalars);
        for index in 0..self.prologue.outputs() {
            let number = self.prologue.output(index);
            match self.executable.input(self.first_scalar + index) {
                #[expect(clippy::cast_possible_truncation, reason = "rounded once, as the precision says")]
                SliceMut::F32(to) => to.iter_mut().for_each(|to| *to = number as f32),
                SliceMut::F64(to) => to.iter_mut().for_each(|to| *to = number),
            }
        }
    }

    /// Gathers the prologue's inputs in its own order.
    fn set_scalars(&mut self, clock: Clock, turn: Turn) {
        let truth = |holds: bool| f64::from(u8::from(holds));
        let step = turn.update.unwrap_or(clock.step) as f64;
        // In the order of `CLOCK`.
        let numbers: [f64; CLOCK.len()] =
            [clock.lr, step, truth(turn.first), truth(turn.last), turn.share, turn.average];
        self.scalars.clear();
        self.scalars.extend(self.clock.iter().map(|&place| numbers[place]));
    }

    /// Adds the measures of the last run to `sums`. Returns false if the loss is not finite.
    pub(super) fn add_measures(&self, sums: &mut Sums) -> bool {
        let executable = &self.executable;
        self.measures.add_rows(sums, |output| executable.output(output).to_f64());
        self.measures.add(sums, self.program.batch as u64, |output| executable.output(output).first())
    }

    /// The index of a named output.
    pub(super) fn named(&self, wanted: &str) -> Result<usize, Failure> {
        let found = names(&self.program).position(|name| name == wanted);
        found.ok_or_else(|| Failure::Bug(format!("the program has no output `{wanted}`")))
    }

    /// The name and the value of every named output after a run.
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
