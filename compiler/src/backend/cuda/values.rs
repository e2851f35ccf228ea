//! The values of a nest's expressions as statements.
//!
//! ```text
//! outer    what the reduced loops do not change, before them
//! inner    what happens at every point
//! late     what follows the reductions
//! ```
//!
//! A thread works on several neighbours along one axis at once where memory permits 16-byte accesses. What differs between
//! them is computed in a short unrolled loop over `n`, on members of `Lanes`; everything else once. Short values that are
//! used once stand where they are used.

mod formula;
mod place;

use super::context::{Context, Names};
use super::source::Features;
use super::text::{Text, affine, float, number};
use crate::experiment::Precision;
use crate::kernels::{Access, Expr, Nest, Store};
use formula::{bare, is_call};

pub(super) use formula::join;

/// Where a value is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Outer,
    Inner,
    Late,
}

/// Longest text that is worth writing inside another.
const SHORT: usize = 40;

/// A nest's values for a thread.
pub(super) struct Values<'a> {
    nest: &'a Nest,
    context: Context<'a>,
    precision: Precision,
    names: &'a Names,
    /// The axis whose neighbours a thread works on at once, and how many there are.
    along: Option<usize>,
    lanes: usize,
    /// C expressions of the loop variables.
    variables: Vec<String>,
    stage: Vec<Stage>,
    varies: Vec<bool>,
    uses: Vec<usize>,
    /// What stands in for a value in other expressions.
    known: Vec<String>,
    /// How a finished reduction is called.
    reduced: fn(usize, bool) -> String,
    /// Is the loop over lanes open?
    open: bool,
    /// Functions of the source that the values need.
    pub(super) features: Features,
}

impl<'a> Values<'a> {
    /// `along` and `lanes`: which neighbours a thread works on; `reduced`: what the result of a reduction is called, by its
    /// number and whether there is one for each lane.
    pub(super) fn new(
        nest: &'a Nest,
        context: Context<'a>,
        (along, lanes): (Option<usize>, usize),
        variables: Vec<String>,
        reduced: fn(usize, bool) -> String,
    ) -> Self {
        let mut values = Values {
            nest,
            context,
            precision: context.precision,
            names: context.names,
            along: along.filter(|_| lanes > 1),
            lanes,
            variables,
            stage: Vec::new(),
            varies: Vec::new(),
            uses: vec![0; nest.exprs.len()],
            known: vec![String::new(); nest.exprs.len()],
            reduced,
            open: false,
            features: Features::default(),
        };
        values.place();
        values.count_uses();
        values
    }

    /// Statements for the values of a stage.
    pub(super) fn compute(&mut self, text: &mut Text, stage: Stage) {
        let nest = self.nest;
        let wanted: Vec<usize> =
            (0..nest.exprs.len()).filter(|&i| self.stage[i] == stage && self.uses[i] > 0).collect();
        for &index in &wanted {
            if let Expr::Load(access) = &nest.exprs[index] {
                self.load(text, index, access);
            }
        }
        let is_load = |i: &usize| matches!(nest.exprs[*i], Expr::Load(_));
        let (lanes, single): (Vec<usize>, Vec<usize>) =
            wanted.into_iter().filter(|i| !is_load(i)).partition(|&i| self.varies[i]);
        for index in single {
            self.statement(text, index, false);
        }
        let outlives = stage == Stage::Outer;
        if outlives {
            self.declare(text, &lanes);
        }
        self.open_lanes(text, stage, &lanes);
        for &index in &lanes {
            self.statement(text, index, outlives);
        }
        if stage == Stage::Outer {
            self.close_lanes(text);
        }
    }

    /// Values of the lanes that are kept for later stages.
    fn declare(&self, text: &mut Text, lanes: &[usize]) {
        for index in lanes.iter().filter(|i| matches!(self.nest.exprs[**i], Expr::Apply(..) | Expr::Index(_))) {
            text.line(format!("Lanes v{index};"));
        }
    }

    /// Does this stage need the loop over lanes?
    fn has_loop(&self, stage: Stage, lanes: &[usize]) -> bool {
        let Some(axis) = self.along else { return false };
        let computes = lanes.iter().any(|i| !matches!(self.nest.exprs[*i], Expr::Reduced(_)));
        match stage {
            Stage::Outer => computes,
            Stage::Inner => computes || !self.nest.reductions.is_empty() || self.stores(false).next().is_some(),
            Stage::Late => !self.nest.reduced[axis] && self.stores(true).next().is_some(),
        }
    }

    fn open_lanes(&mut self, text: &mut Text, stage: Stage, lanes: &[usize]) {
        if stage != Stage::Outer {
            let late = stage == Stage::Late;
            for (number, _) in self.numbered_stores(late).filter(|(_, store)| self.is_wide(store)) {
                text.line(format!("Lanes s{number};"));
            }
        }
        self.open = self.has_loop(stage, lanes);
        if self.open {
            text.line("#pragma unroll");
            text.open(format!("for (int n = 0; n < {}; ++n)", self.lanes));
        }
    }

    fn close_lanes(&mut self, text: &mut Text) {
        if std::mem::take(&mut self.open) {
            text.close();
        }
    }

    /// Joins the values of a point to the accumulators `r0`, `r1`, …, inside the loop over lanes.
    pub(super) fn accumulate(&mut self, text: &mut Text) {
        let nest = self.nest;
        let lane = if self.along.is_some() { ".n[n]" } else { "" };
        for (index, reduction) in nest.reductions.iter().enumerate() {
            let sum = format!("r{index}{lane}");
            let joined = match self.joined_product(reduction.join, reduction.value) {
                Some([x, y]) => self.fma(&self.operand(x), &self.operand(y), &sum),
                None => join(reduction.join, &self.operand(reduction.value), &sum, &mut self.features),
            };
            text.line(format!("{sum} = {joined};"));
        }
    }

    /// Writes what a stage stores; closes the loop over lanes.
    pub(super) fn store(&mut self, text: &mut Text, stage: Stage) {
        let late = stage == Stage::Late;
        let stores: Vec<(usize, &Store)> = self.numbered_stores(late).collect();
        for (number, store) in stores.iter().filter(|(_, s)| self.is_wide(s)) {
            text.line(format!("s{number}.n[n] = {};", bare(&self.operand(store.value))));
        }
        self.close_lanes(text);
        for (number, store) in stores {
            let at = affine(&store.access.at, &self.variables);
            let (id, wide) = (store.access.buffer, self.is_wide(store));
            let value = if wide { format!("s{number}") } else { bare(&self.operand(store.value)).to_string() };
            let place = (self.names[&id].as_str(), at.as_str());
            text.line(self.context.write(id, place, &value, wide, &mut self.features));
        }
    }

    /// Returns what the one store of a map would write; closes the loop over lanes.
    pub(super) fn give(&mut self, text: &mut Text) {
        let Some(store) = self.nest.stores.first() else { return };
        if self.is_wide(store) {
            text.line(format!("s0.n[n] = {};", bare(&self.operand(store.value))));
            self.close_lanes(text);
            text.line("return s0;");
        } else {
            text.line(format!("return {};", bare(&self.operand(store.value))));
        }
    }

    fn stores(&self, late: bool) -> impl Iterator<Item = &'a Store> {
        self.nest.stores.iter().filter(move |s| s.late == late)
    }

    fn numbered_stores(&self, late: bool) -> impl Iterator<Item = (usize, &'a Store)> {
        self.nest.stores.iter().enumerate().filter(move |(_, s)| s.late == late)
    }

    fn is_wide(&self, store: &Store) -> bool {
        self.along.is_some_and(|axis| store.access.at.strides[axis] != 0)
    }

    fn load(&mut self, text: &mut Text, index: usize, access: &Access) {
        let at = affine(&access.at, &self.variables);
        let wide = self.varies[index];
        let lanes = if wide { self.lanes } else { 1 };
        let value = match self.context.computing(access.buffer) {
            Some(computed) => {
                let names: Vec<&str> = computed.operands.iter().map(|id| self.names[id].as_str()).collect();
                computed.function(lanes).call(&at, &names, &mut self.features)
            }
            None => {
                let name = &self.names[&access.buffer];
                self.context.read(access.buffer, name, &at, wide, &mut self.features)
            }
        };
        let kind = if wide { "Lanes" } else { float(self.precision) };
        text.line(format!("const {kind} v{index} = {value};"));
        self.known[index] = if wide { format!("v{index}.n[n]") } else { format!("v{index}") };
    }

    /// One value: a statement, or text to be put where it is used. `member`: it goes into `Lanes` declared before.
    fn statement(&mut self, text: &mut Text, index: usize, member: bool) {
        let nest = self.nest;
        match &nest.exprs[index] {
            Expr::Const(value) => self.known[index] = number(self.precision, *value),
            Expr::Reduced(r) => self.known[index] = (self.reduced)(*r, self.varies[index]),
            Expr::Load(_) => {}
            Expr::Index(_) | Expr::Apply(..) => {
                let value = self.expression(index);
                let inlined = self.uses[index] == 1 && value.len() <= SHORT && !member && self.used_nearby(index);
                if inlined {
                    self.known[index] = if is_call(&value) { value } else { format!("({value})") };
                } else if member {
                    text.line(format!("v{index}.n[n] = {value};"));
                    self.known[index] = format!("v{index}.n[n]");
                } else {
                    text.line(format!("const {} v{index} = {value};", float(self.precision)));
                    self.known[index] = format!("v{index}");
                }
            }
        }
    }
}
