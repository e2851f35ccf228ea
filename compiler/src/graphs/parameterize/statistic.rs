//! Means and variances over the batch, and the running values that replace them in evaluation.
//!
//! ```text
//! x            [rows, features] or [rows, height, width, features]
//! statistic    [1, features]    or [1, 1, 1, features]
//! ```
//!
//! Parameterizations, modifiers and stages share them.

use super::{Mode, Origin, Store};
use crate::graphs::define::over::{Reduce, Reduction};
use crate::graphs::define::{Term, number, variance};
use crate::graphs::store::Running;
use crate::ir::axes::{Axis, Meaning};
use crate::ir::graph::{Graph, Id, Role, State};
use crate::ir::module::Value;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Weight of the new batch in a running statistic, if a definition has no argument `momentum`.
const DEFAULT_MOMENTUM: f64 = 0.1;

/// A statistic that a formula uses.
struct Statistic {
    /// The node whose mean or variance it is, and the axes that it was taken over.
    of: Id,
    places: Vec<usize>,
    origin: Origin,
    /// The statistic of the batch in training, the running statistic in evaluation.
    value: Id,
    /// The state that holds the running statistic.
    state: usize,
    /// The modifier that uses it, if any.
    modifier: Option<String>,
}

/// The statistics of one layer.
pub(crate) struct Statistics {
    mode: Mode,
    found: Vec<Statistic>,
    /// The modifier that runs now, if any.
    modifier: Option<String>,
    /// The argument `momentum` of this modifier, otherwise that of the definition.
    momentum: Option<Value>,
    /// The formulas of first values are evaluated now: their statistics are of this batch alone, and have no running value.
    starting: bool,
}

impl Statistics {
    /// No statistics yet. `momentum` is the definition's argument of this name.
    pub(crate) fn new(mode: Mode, momentum: Option<Value>) -> Self {
        Statistics { mode, found: vec![], modifier: None, momentum, starting: false }
    }

    /// What follows belongs to this modifier, or to the definition again (`None`).
    pub(crate) fn enter(&mut self, modifier: Option<String>, momentum: Option<Value>) {
        (self.modifier, self.momentum) = (modifier, momentum);
    }

    /// What follows are formulas of first values (`first_batch(…)`).
    pub(crate) fn begin_starts(&mut self) {
        self.starting = true;
    }

    /// Adds a reduction of a batch. `mean` and `var` over its rows are statistics; every other reduction is computed for each
    /// example, in training and in evaluation alike. `one_row` is the error of a variance over one value.
    ///
    /// # Errors
    /// E0512: no such axis. E0563: a sum over the batch has no running value.
    pub(crate) fn reduce(
        &mut self,
        graph: &mut Graph,
        store: &mut Store,
        call: &Reduce<'_>,
        one_row: impl Fn() -> Diagnostic,
    ) -> Result<Term, Diagnostic> {
        let origin = match call.what {
            Reduction::Mean => Some(Origin::Mean),
            Reduction::Var => Some(Origin::Variance),
            Reduction::Sum | Reduction::Norm | Reduction::Max | Reduction::Min => None,
        };
        let places = match (call.over, origin) {
            (None, Some(_)) => call.axes.places(|axis| matches!(axis, Axis::Rows | Axis::Positions)),
            _ => call.places()?,
        };
        let over_rows = places.iter().any(|&place| call.axes.iter().nth(place) == Some(Axis::Rows));
        match origin {
            Some(origin) if over_rows => self.statistic(graph, store, call, (origin, places), one_row),
            None if over_rows && !self.starting => Err(no_running_value(call)),
            _ => Ok(call.apply(graph, &places)),
        }
    }

    fn statistic(
        &mut self,
        graph: &mut Graph,
        store: &mut Store,
        call: &Reduce<'_>,
        (origin, places): (Origin, Vec<usize>),
        one_row: impl Fn() -> Diagnostic,
    ) -> Result<Term, Diagnostic> {
        // A formula may take the same statistic twice: it is one state.
        let known = |s: &&Statistic| s.of == call.id && s.origin == origin && s.places == places;
        if let Some(known) = self.found.iter().find(known) {
            let value = known.value;
            return Ok(call.ungrouped(graph, value, &places));
        }
        if self.starting {
            let (value, _) = self.of_batch(graph, call.id, origin, &places, one_row)?;
            return Ok(call.ungrouped(graph, value, &places));
        }
        let momentum = self.momentum(call.span)?;
        // Declared in both modes, because evaluation reads the states that training writes.
        let running = running(graph, store, call, &places, origin);
        store.running.push(Running {
            state: running.0,
            of: call.id,
            axes: places.clone(),
            is_variance: origin == Origin::Variance,
            momentum,
        });
        let value = match self.mode {
            Mode::Evaluation => running.1,
            Mode::Training => {
                let (value, kept) = self.of_batch(graph, call.id, origin, &places, one_row)?;
                update(graph, store, running, kept, momentum);
                value
            }
        };
        let modifier = self.modifier.clone();
        self.found.push(Statistic { of: call.id, places: places.clone(), origin, value, state: running.0, modifier });
        Ok(call.ungrouped(graph, value, &places))
    }

    /// Returns the statistic of the batch, and what the running statistic accumulates: the mean, or the unbiased variance.
    fn of_batch(
        &self,
        graph: &mut Graph,
        x: Id,
        origin: Origin,
        places: &[usize],
        one_row: impl Fn() -> Diagnostic,
    ) -> Result<(Id, Id), Diagnostic> {
        if origin == Origin::Mean {
            let mean = graph.mean(x, places);
            return Ok((mean, mean));
        }
        let count = places.iter().map(|&axis| graph.shape(x)[axis]).product::<usize>();
        if count < 2 {
            return Err(one_row());
        }
        let same = |s: &&Statistic| s.of == x && s.origin == Origin::Mean && s.places == places;
        let mean = self.found.iter().find(same).map(|s| s.value);
        let mean = mean.unwrap_or_else(|| graph.mean(x, places));
        let biased = variance(graph, x, mean, places);
        // The mean squared deviation of n values becomes the unbiased variance by the factor n / (n - 1). The running variance
        // accumulates the unbiased one, as other frameworks do.
        let unbiased = graph.scale(biased, count as f64 / (count as f64 - 1.0));
        Ok((biased, unbiased))
    }

    fn momentum(&self, span: Span) -> Result<f64, Diagnostic> {
        let momentum = self.momentum.as_ref().map_or(Ok(DEFAULT_MOMENTUM), |value| number(value, span))?;
        let sound = momentum > 0.0 && momentum <= 1.0;
        if sound { Ok(momentum) } else { Err(bad_momentum(momentum, span)) }
    }

    /// Names the statistics of a layer, once its whole formula is known.
    ///
    /// Statistics of the definition are called `running_mean` and `running_var`. Those of a modifier have the same names if they
    /// are free, otherwise `mn.running_mean`. If this name is taken too, it gets a number.
    pub(crate) fn name(self, graph: &mut Graph, store: &mut Store, layer: &str) {
        let (own, modifiers): (Vec<_>, Vec<_>) = self.found.iter().partition(|s| s.modifier.is_none());
        for statistic in own.into_iter().chain(modifiers) {
            let word = if statistic.origin == Origin::Mean { "running_mean" } else { "running_var" };
            let plain = format!("{layer}.{word}");
            let prefixed = statistic.modifier.as_ref().map_or(plain.clone(), |m| format!("{layer}.{m}.{word}"));
            let numbered = (2..).map(|n| format!("{prefixed}{n}"));
            let mut names = [plain, prefixed.clone()].into_iter().chain(numbered);
            let name = names.find(|name| !store.names.contains(name)).unwrap_or_default();
            store.name(graph, statistic.state, name);
        }
    }
}

/// Declares and reads the running value of a statistic. It is named later.
fn running(graph: &mut Graph, store: &mut Store, call: &Reduce<'_>, places: &[usize], origin: Origin) -> (usize, Id) {
    let mut shape = graph.shape(call.id).to_vec();
    places.iter().for_each(|&place| shape[place] = 1);
    let axes = call.axes.without(places);
    let kept = axes.places(|axis| axis != Axis::One);
    let mut file_shape: Vec<usize> = kept.iter().map(|&place| shape[place]).collect();
    if file_shape.is_empty() {
        file_shape.push(1);
    }
    let meaning = Meaning { axes, ..Meaning::default() };
    let state = State { name: String::new(), role: Role::Statistic, shape, file_shape, transposed: false, meaning };
    store.state(graph, state, origin)
}

/// Sets running = (1 - momentum) running + momentum batch.
fn update(graph: &mut Graph, store: &mut Store, running: (usize, Id), batch: Id, momentum: f64) {
    let old = graph.scale(running.1, 1.0 - momentum);
    let new = graph.scale(batch, momentum);
    let sum = graph.add(old, new);
    store.updates.push((running.0, sum));
}

fn bad_momentum(value: f64, span: Span) -> Diagnostic {
    Diagnostic::error("E0568", format!("a momentum is above 0 and at most 1, but this one is {value}"))
        .label(span, "asked for here")
        .help("it is the weight of the new batch in the running statistic: 0.1 is usual")
}

fn no_running_value(call: &Reduce<'_>) -> Diagnostic {
    let word = call.what.word();
    Diagnostic::error("E0563", format!("`{word}` over a batch has no running value for evaluation"))
        .label(call.span, "reduces the examples of a batch")
        .label(call.argument, call.axes.description())
        .help("use `mean` or `var` over the batch, or reduce other axes: `over = features`")
}
