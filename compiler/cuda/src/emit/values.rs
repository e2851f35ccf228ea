//! The expressions of a nest as C statements, in three stages.
//!
//! ```text
//! outer    before the reduced loops: values that these loops do not change
//! inner    at every point
//! after    after the reductions
//! ```
//!
//! A thread computes several neighbours along one axis if 16-byte accesses are possible. Values that differ between neighbours
//! are computed in a short unrolled loop over `n`, on members of `Lanes`. All other values are computed once. A short value with
//! a single use is written into the expression that uses it.

mod formula;
mod place;

use super::context::{Context, Names};
use super::source::Features;
use super::text::{Text, affine, float, number};
use formula::{bare, is_call};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::{Access, Expr, Nest, Store};

pub(crate) use formula::join;

/// The stage in which a value is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Outer,
    Inner,
    After,
}

/// Longest text of a value that is written into another expression.
const SHORT: usize = 40;

/// The values of a nest that one thread computes.
pub(crate) struct Values<'a> {
    nest: &'a Nest,
    context: Context<'a>,
    precision: Precision,
    names: &'a Names,
    /// The axis along which a thread computes neighbours at once, and their number.
    along: Option<usize>,
    lanes: usize,
    /// C expressions of the loop variables.
    variables: Vec<String>,
    /// For each expression: its stage, whether it differs between lanes, and how often it is used.
    stage: Vec<Stage>,
    varies: Vec<bool>,
    uses: Vec<usize>,
    /// For each expression: the text by which other expressions use it.
    known: Vec<String>,
    /// The name of a finished reduction.
    reduced: fn(usize, bool) -> String,
    /// Is the loop over lanes open?
    open: bool,
    /// Functions of the source that the values call.
    pub(crate) features: Features,
}

impl<'a> Values<'a> {
    /// `along` and `lanes`: the axis and the number of the neighbours that a thread computes; `reduced`: the name of the result
    /// of a reduction, from its number and whether each lane has its own.
    pub(crate) fn new(
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
        // Uses are counted after stages are known: a product is fused into a sum, and not used itself, only in the same stage.
        values.place();
        values.count_uses();
        values
    }

    /// Emits statements for the values of a stage. The inner stage and the last one leave the loop over lanes open.
    pub(crate) fn compute(&mut self, text: &mut Text, stage: Stage) {
        let nest = self.nest;
        // Loads come first, outside the loop over lanes: one access loads all lanes, and several loads are under way at once.
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
        // Values of the outer stage are used after their loop has ended, so they need a declaration before it. The loops of the
        // other stages stay open until their values are joined or stored.
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

    /// Declares the values of lanes that later stages use.
    fn declare(&self, text: &mut Text, lanes: &[usize]) {
        for index in lanes.iter().filter(|i| matches!(self.nest.exprs[**i], Expr::Apply(..) | Expr::Index(_))) {
            text.line(format!("Lanes v{index};"));
        }
    }

    /// Does this stage need a loop over lanes?
    fn has_loop(&self, stage: Stage, lanes: &[usize]) -> bool {
        let Some(axis) = self.along else { return false };
        let computes = lanes.iter().any(|i| !matches!(self.nest.exprs[*i], Expr::Reduced(_)));
        match stage {
            Stage::Outer => computes,
            Stage::Inner => computes || !self.nest.reductions.is_empty() || self.stores(false).next().is_some(),
            Stage::After => !self.nest.reduced[axis] && self.stores(true).next().is_some(),
        }
    }

    fn open_lanes(&mut self, text: &mut Text, stage: Stage, lanes: &[usize]) {
        if stage != Stage::Outer {
            let after_reduction = stage == Stage::After;
            for (number, _) in self.numbered_stores(after_reduction).filter(|(_, store)| self.is_wide(store)) {
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

    /// Emits the joins of a point's values to the accumulators `r0`, `r1`, …, inside the loop over lanes.
    pub(crate) fn accumulate(&mut self, text: &mut Text) {
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

    /// Emits the stores of a stage, and closes the loop over lanes before them.
    pub(crate) fn store(&mut self, text: &mut Text, stage: Stage) {
        let after_reduction = stage == Stage::After;
        let stores: Vec<(usize, &Store)> = self.numbered_stores(after_reduction).collect();
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

    /// Emits a return of the value that the only store of a map would write, and closes the loop over lanes.
    pub(crate) fn give(&mut self, text: &mut Text) {
        let Some(store) = self.nest.stores.first() else { return };
        if self.is_wide(store) {
            text.line(format!("s0.n[n] = {};", bare(&self.operand(store.value))));
            self.close_lanes(text);
            text.line("return s0;");
        } else {
            text.line(format!("return {};", bare(&self.operand(store.value))));
        }
    }

    fn stores(&self, after_reduction: bool) -> impl Iterator<Item = &'a Store> {
        self.nest.stores.iter().filter(move |s| s.after_reduction == after_reduction)
    }

    fn numbered_stores(&self, after_reduction: bool) -> impl Iterator<Item = (usize, &'a Store)> {
        self.nest.stores.iter().enumerate().filter(move |(_, s)| s.after_reduction == after_reduction)
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

    /// One value: a statement, or text for the expression that uses it. `member`: it goes into `Lanes` that are declared already.
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
