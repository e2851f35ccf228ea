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

use super::draft::Names;
use super::nest::Context;
use super::pool;
use super::source::Features;
use super::text::{Text, affine, float, function, number};
use crate::experiment::Precision;
use crate::graph::Op;
use crate::kernels::{Access, Affine, Expr, ExprId, Join, Nest, Store};

/// Where a value is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Outer,
    Inner,
    Late,
}

/// How a value is computed from others.
enum Form {
    /// ±x y ± c, rounded once.
    Fma { x: ExprId, y: ExprId, c: ExprId, minus_product: bool, minus_sum: bool },
    /// `then` where a comparison holds, else `other`.
    Choice { op: Op, a: ExprId, b: ExprId, then: ExprId, other: ExprId },
    /// The operation itself.
    Plain,
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

    /// Stages and lanes of every expression.
    fn place(&mut self) {
        let (late, early) = (self.nest.late(), self.nest.early());
        let is_map = !self.nest.reduced.contains(&true) && self.nest.reductions.is_empty();
        for (index, expr) in self.nest.exprs.iter().enumerate() {
            let moves = |at: &Affine| at.strides.iter().zip(&self.nest.reduced).any(|(s, r)| *r && *s != 0);
            let along = |at: &Affine| self.along.is_some_and(|axis| at.strides[axis] != 0);
            let (inner, varies) = match expr {
                Expr::Const(_) => (false, false),
                Expr::Load(Access { at, .. }) | Expr::Index(at) => (moves(at), along(at)),
                Expr::Reduced(_) => (false, self.along.is_some_and(|axis| !self.nest.reduced[axis])),
                Expr::Apply(_, operands) => operands.iter().fold((false, false), |(inner, varies), o| {
                    (inner || self.stage[o.index()] == Stage::Inner, varies || self.varies[o.index()])
                }),
            };
            self.stage.push(match (late[index] || !early[index], inner) {
                (true, _) => Stage::Late,
                (false, inner) if inner || is_map => Stage::Inner,
                (false, _) => Stage::Outer,
            });
            self.varies.push(varies);
        }
    }

    /// How often each value is used by what is computed, stored or joined.
    fn count_uses(&mut self) {
        let nest = self.nest;
        nest.stores.iter().for_each(|s| self.uses[s.value.index()] += 1);
        for reduction in &nest.reductions {
            match self.joined_product(reduction.join, reduction.value) {
                Some(factors) => factors.iter().for_each(|f| self.uses[f.index()] += 1),
                None => self.uses[reduction.value.index()] += 1,
            }
        }
        for index in (0..nest.exprs.len()).rev() {
            if self.uses[index] == 0 {
                continue;
            }
            for operand in self.operands(index) {
                self.uses[operand.index()] += 1;
            }
        }
    }

    fn operands(&self, index: usize) -> Vec<ExprId> {
        let Expr::Apply(_, operands) = &self.nest.exprs[index] else { return Vec::new() };
        match self.form(index) {
            Form::Fma { x, y, c, .. } => vec![x, y, c],
            Form::Choice { a, b, then, other, .. } => vec![a, b, then, other],
            Form::Plain => operands.clone(),
        }
    }

    /// The factors of a product of the same stage as `user`, which then need not be rounded before it is added.
    fn product(&self, id: ExprId, stage: Stage) -> Option<[ExprId; 2]> {
        match &self.nest.exprs[id.index()] {
            Expr::Apply(Op::Mul, factors) if self.stage[id.index()] == stage => Some([factors[0], factors[1]]),
            _ => None,
        }
    }

    fn joined_product(&self, join: Join, value: ExprId) -> Option<[ExprId; 2]> {
        if join == Join::Sum { self.product(value, Stage::Inner) } else { None }
    }

    fn form(&self, index: usize) -> Form {
        let Expr::Apply(op, operands) = &self.nest.exprs[index] else { return Form::Plain };
        let minus = *op == Op::Sub;
        match (op, &operands[..]) {
            (Op::Add | Op::Sub, [first, second]) => {
                if let Some([x, y]) = self.product(*second, self.stage[index]) {
                    return Form::Fma { x, y, c: *first, minus_product: minus, minus_sum: false };
                }
                match self.product(*first, self.stage[index]) {
                    Some([x, y]) => Form::Fma { x, y, c: *second, minus_product: false, minus_sum: minus },
                    None => Form::Plain,
                }
            }
            (Op::Select, [mask, then, other]) => match &self.nest.exprs[mask.index()] {
                Expr::Apply(op @ (Op::Less | Op::LessEqual | Op::Equal), sides) => {
                    Form::Choice { op: op.clone(), a: sides[0], b: sides[1], then: *then, other: *other }
                }
                _ => Form::Plain,
            },
            _ => Form::Plain,
        }
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
            let name = &self.names[&store.access.buffer];
            if self.is_wide(store) {
                text.line(format!("store({}, s{number});", place(name, &at)));
            } else {
                text.line(format!("{name}[{at}] = {};", bare(&self.operand(store.value))));
            }
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
        let value = match self.context.inlined.filter(|pool| pool.target == access.buffer) {
            Some(pool) => pool::call(pool, self.context, if wide { self.lanes } else { 1 }, &at, &mut self.features),
            None if wide => format!("load({})", place(&self.names[&access.buffer], &at)),
            None => format!("{}[{at}]", self.names[&access.buffer]),
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

    /// Is the one use of a value in the same stage and as often computed?
    fn used_nearby(&self, index: usize) -> bool {
        let user = (index + 1..self.nest.exprs.len())
            .find(|&user| self.uses[user] > 0 && self.operands(user).iter().any(|o| o.index() == index));
        match user {
            Some(user) => self.stage[user] == self.stage[index] && self.varies[user] == self.varies[index],
            None => self.stage[index] != Stage::Outer && (self.along.is_none() || self.varies[index]),
        }
    }

    fn operand(&self, id: ExprId) -> String {
        match self.nest.exprs[id.index()] {
            Expr::Const(value) => number(self.precision, value),
            _ => self.known[id.index()].clone(),
        }
    }

    fn fma(&self, x: &str, y: &str, c: &str) -> String {
        format!("{}({}, {}, {})", function(self.precision, "fma"), bare(x), bare(y), bare(c))
    }

    fn expression(&mut self, index: usize) -> String {
        let nest = self.nest;
        match self.form(index) {
            Form::Fma { x, y, c, minus_product, minus_sum } => {
                let signed = |minus: bool, text: String| if minus { negated(&text) } else { text };
                let x = signed(minus_product, self.operand(x));
                let c = signed(minus_sum, self.operand(c));
                return self.fma(&x, &self.operand(y), &c);
            }
            Form::Choice { op, a, b, then, other } => {
                let holds = format!("{} {} {}", self.operand(a), comparison(&op), self.operand(b));
                return format!("{holds} ? {} : {}", self.operand(then), self.operand(other));
            }
            Form::Plain => {}
        }
        match &nest.exprs[index] {
            Expr::Index(at) => self.index(at),
            Expr::Apply(op, operands) => self.apply(op, operands),
            Expr::Const(_) | Expr::Load(_) | Expr::Reduced(_) => self.known[index].clone(),
        }
    }

    fn index(&self, at: &Affine) -> String {
        let mut whole = affine(at, &self.variables);
        if let Some(stride @ 1..) = self.along.map(|axis| at.strides[axis]) {
            whole = if stride == 1 { format!("{whole} + n") } else { format!("{whole} + {stride} * n") };
        }
        format!("{}({whole})", float(self.precision))
    }

    fn apply(&mut self, op: &Op, operands: &[ExprId]) -> String {
        let text: Vec<String> = operands.iter().map(|o| self.operand(*o)).collect();
        let constant = |i: usize| {
            operands.get(i).is_some_and(|o| matches!(self.nest.exprs[o.index()], Expr::Const(c) if !c.is_nan()))
        };
        let one = || number(self.precision, 1.0);
        let zero = || number(self.precision, 0.0);
        match (op, &text[..]) {
            (Op::Neg, [a]) => negated(a),
            (Op::Abs, [a]) => format!("{}({})", function(self.precision, "fabs"), bare(a)),
            (Op::Sqrt, [a]) => format!("{}({})", function(self.precision, "sqrt"), bare(a)),
            (Op::Add, [a, b]) => format!("{a} + {b}"),
            (Op::Sub, [a, b]) => format!("{a} - {b}"),
            (Op::Mul, [a, b]) => format!("{a} * {b}"),
            (Op::Div, [a, b]) => format!("{a} / {b}"),
            (Op::Max | Op::Min, [a, b]) if constant(0) || constant(1) => {
                let (a, b) = if constant(1) { (a, b) } else { (b, a) };
                format!("{}({}, {})", self.features.bound(op), bare(a), bare(b))
            }
            (Op::Less | Op::LessEqual | Op::Equal, [a, b]) => {
                format!("{a} {} {b} ? {} : {}", comparison(op), one(), zero())
            }
            (Op::Select, [mask, a, b]) => format!("{mask} != {} ? {a} : {b}", zero()),
            _ => {
                let name = self.features.function(op);
                let arguments: Vec<&str> = text.iter().map(|t| bare(t)).collect();
                format!("{name}({})", arguments.join(", "))
            }
        }
    }
}

/// `a` joined to what is there.
pub(super) fn join(join: Join, a: &str, sum: &str, features: &mut Features) -> String {
    match join {
        Join::Sum => format!("{sum} + {a}"),
        Join::Max => format!("{}({a}, {sum})", features.function(&Op::Max)),
    }
}

fn comparison(op: &Op) -> &'static str {
    match op {
        Op::Less => "<",
        Op::LessEqual => "<=",
        _ => "==",
    }
}

/// The address of an element.
fn place(name: &str, at: &str) -> String {
    if at.contains(' ') { format!("{name} + ({at})") } else { format!("{name} + {at}") }
}

/// The negative of a value that is a name, a constant, or in brackets.
fn negated(text: &str) -> String {
    text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_string)
}

/// Without the brackets around all of it.
fn bare(text: &str) -> &str {
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.filter(|_| is_call(text)).unwrap_or(text)
}

/// Is a text one call, with nothing outside its brackets?
fn is_call(text: &str) -> bool {
    let Some(open) = text.find('(') else { return false };
    let word = text[..open].chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut depth = 0_i32;
    let closes_early = text.char_indices().any(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0 && at > open && at + 1 < text.len()
    });
    word && !closes_early
}
