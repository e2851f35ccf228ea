//! Reductions over named axes: `mean(x, over = features)`, `norm(w, over = [units, inputs])`.
//!
//! A reduction over an axis that a value does not have is an error, also where it would change nothing: it is a formula for
//! something else. Without `over` a weight or angles are reduced over the inputs of each unit. What `mean` and `var` of a batch
//! are without `over`, a definition says ([`super::Builtins::reduce`]).

pub(crate) use super::reduction::Reduction;
use super::{Term, complain, node, norm, number, variance};
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::Value;
use gmpc_grammar::ast::Path;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::similar::nearest;
use gmpc_grammar::source::Span;

/// The words of `over = …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Batch,
    Features,
    Positions,
    Units,
    Inputs,
    Group,
    Parameter,
    Layer,
    All,
}

/// The words, with one line each.
pub(crate) const WORDS: [(&str, Over, &str); 9] = [
    ("batch", Over::Batch, "the examples of a batch, and their positions"),
    ("features", Over::Features, "the features or channels of an example, or the units of a pre-activation"),
    ("positions", Over::Positions, "the pixels of an image"),
    ("units", Over::Units, "the units of a layer"),
    ("inputs", Over::Inputs, "the inputs of each unit; what a weight is reduced over without `over`"),
    ("group", Over::Group, "the features of each group of `groups(x, n)`"),
    ("parameter", Over::Parameter, "all numbers of a parameter"),
    ("layer", Over::Layer, "all parameters of a layer, in an optimizer"),
    ("all", Over::All, "all parameters of the network, in an optimizer; of an example every axis"),
];

/// Returns the axis that a name stands for.
pub(super) fn word(path: &Path) -> Result<(Over, Span), Diagnostic> {
    let (name, span) = (path.to_string(), path.span());
    if let Some((_, over, _)) = WORDS.iter().find(|(word, ..)| *word == name) {
        return Ok((*over, span));
    }
    let words = WORDS.iter().map(|(word, ..)| *word);
    let error = Diagnostic::error("E0513", format!("there is no axis called `{name}`")).label(span, "unknown");
    Err(match nearest(&name, words.clone()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("axes: {}", words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))),
    })
}

/// E0512: an axis is named a second time, when it is no longer there.
pub(super) fn each_once(over: &[(Over, Span)]) -> Result<(), Diagnostic> {
    let before = |place: usize| over[..place].iter().find(|(word, _)| *word == over[place].0);
    let twice = (0..over.len()).find_map(|place| Some((before(place)?.1, over[place])));
    let Some((first, (word, second))) = twice else { return Ok(()) };
    let name = WORDS.iter().find(|(_, over, _)| *over == word).map_or("", |(name, ..)| name);
    Err(Diagnostic::error("E0512", format!("the axis `{name}` is named twice"))
        .label(first, "reduced here")
        .label(second, "and named again")
        .help("leave one of them out, or name the other axis that was meant"))
}

/// E0513: something else than names of axes.
pub(super) fn no_axes(span: Span) -> Diagnostic {
    Diagnostic::error("E0513", "`over` names one axis, or a list of them")
        .label(span, "no axis")
        .help("write `over = features`, or `over = [features, positions]`")
}

/// A reduction of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reduce<'a> {
    /// What is computed.
    pub(crate) what: Reduction,
    /// The value.
    pub(crate) id: Id,
    /// Its axes.
    pub(crate) axes: Axes,
    /// The axes named by `over`, with their places in the text. `None` without `over`.
    pub(crate) over: Option<&'a [(Over, Span)]>,
    /// The value in the text.
    pub(crate) argument: Span,
    /// The whole call.
    pub(crate) span: Span,
}

impl Reduce<'_> {
    /// Returns the indices of the axes to reduce, in ascending order.
    ///
    /// # Errors
    /// E0512: an axis is named that the value does not have. E0563: without `over`, the value has no inputs.
    pub(crate) fn places(&self) -> Result<Vec<usize>, Diagnostic> {
        let Some(over) = self.over else {
            let inputs = self.axes.places(|axis| matches!(axis, Axis::Inputs | Axis::Angles));
            return match inputs.is_empty() || self.axes.is_batch() {
                true => Err(complain::cannot_reduce(self.what, self.axes, self.argument, self.span)),
                false => Ok(inputs),
            };
        };
        let mut places = Vec::new();
        for (word, span) in over {
            // An optimizer has taken these before: nothing else sees several parameters.
            if matches!(word, Over::Layer | Over::All) && !self.axes.is_batch() {
                return Err(self.one_parameter(*span));
            }
            let found = self.places_of(*word);
            if found.is_empty() {
                return Err(self.missing(*word, *span));
            }
            places.extend(found);
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    fn places_of(&self, word: Over) -> Vec<usize> {
        let axes = self.axes;
        match word {
            // Statistics of a batch of images are those of all their pixels, as `mean(x)` always was.
            Over::Batch if axes.is_batch() => axes.places(|axis| matches!(axis, Axis::Rows | Axis::Positions)),
            Over::Batch => vec![],
            Over::Features if axes.is_batch() => axes.places(|axis| matches!(axis, Axis::Features | Axis::Units)),
            Over::Features => axes.places(|axis| axis == Axis::Features),
            Over::Positions => axes.places(|axis| axis == Axis::Positions),
            Over::Units => axes.places(|axis| axis == Axis::Units),
            Over::Inputs => axes.places(|axis| matches!(axis, Axis::Inputs | Axis::Angles)),
            Over::Group => axes.places(|axis| axis == Axis::Group),
            Over::Parameter | Over::Layer if axes.is_batch() => vec![],
            // A parameter of one number has all its axes, too: an optimizer sees parameters of all kinds.
            Over::Parameter | Over::Layer | Over::All => (0..axes.rank()).collect(),
        }
    }

    /// E0519: only an optimizer sees more than one parameter.
    fn one_parameter(&self, span: Span) -> Diagnostic {
        Diagnostic::error("E0519", format!("`{}` sees one parameter here", self.what.word()))
            .label(span, "reaches other parameters")
            .label(self.argument, self.axes.description())
            .help("write `over = parameter`; only an optimizer reduces `value` and `gradient` over several parameters")
    }

    /// E0512: the value does not have the axis.
    fn missing(&self, word: Over, span: Span) -> Diagnostic {
        let name = WORDS.iter().find(|(_, over, _)| *over == word).map_or("", |(name, ..)| name);
        let (what, value) = (self.what.word(), self.axes.description());
        let error = Diagnostic::error("E0512", format!("`{what}` has no `{name}` to reduce here"))
            .label(span, "this axis")
            .label(self.argument, format!("{value} has none"));
        let words: Vec<&str> = self.axes.words().into_iter().filter(|word| !word.contains(' ')).collect();
        match &words[..] {
            [] => error.help(format!("leave `{what}` out: this is one number already")),
            _ if word == Over::Group => error.help(format!("make groups first: `{what}(groups(x, 8), over = group)`")),
            words => {
                let listed: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                error.help(format!("reduce {} instead, or leave `{what}` out", listed.join(" or ")))
            }
        }
    }

    /// Adds the reduction over these axes.
    pub(crate) fn apply(&self, graph: &mut Graph, places: &[usize]) -> Term {
        let id = self.id;
        let reduced = match self.what {
            Reduction::Mean => graph.mean(id, places),
            Reduction::Sum => graph.sum(id, places),
            Reduction::Norm => norm(graph, id, places),
            Reduction::Var => {
                let mean = graph.mean(id, places);
                variance(graph, id, mean, places)
            }
            Reduction::Max => graph.max_over(id, places),
            Reduction::Min => {
                let negative = graph.unary(Op::Neg, id);
                let largest = graph.max_over(negative, places);
                graph.unary(Op::Neg, largest)
            }
        };
        self.ungrouped(graph, reduced, places)
    }

    /// A reduction over groups has one value for each group. It becomes one value for each feature again, the same within a group,
    /// so that it can be subtracted from what was grouped.
    pub(crate) fn ungrouped(&self, graph: &mut Graph, reduced: Id, places: &[usize]) -> Term {
        let axes = self.axes.without(places);
        let group = self.axes.places(|axis| axis == Axis::Group);
        let &[place] = &group[..] else { return Term::Node(reduced, axes) };
        if !places.contains(&place) {
            return Term::Node(reduced, axes);
        }
        let members = graph.shape(self.id)[place];
        let mut shape = graph.shape(reduced).to_vec();
        shape[place] = members;
        let repeated = graph.expand(reduced, &shape);
        let joined = shape[place - 1] * members;
        shape.splice(place - 1..=place, [joined]);
        let kept: Vec<Axis> = axes.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, axis)| axis).collect();
        let kept: Vec<Axis> =
            kept.into_iter().map(|axis| if axis == Axis::Groups { Axis::Features } else { axis }).collect();
        Term::Node(graph.reshape(repeated, &shape), Axes::new(&kept))
    }
}

/// `groups(x, 8)`: the features of a batch in groups of neighbours, which a reduction can name: `over = group`.
pub(super) fn groups(graph: &mut Graph, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
    let [(value, place), (count, count_span)] = operands else { return Err(complain::arity("groups", 2, 0, span)) };
    let (id, axes) = node(graph, value, *place)?;
    let found = axes.places(|axis| matches!(axis, Axis::Features | Axis::Units));
    let (true, &[features]) = (axes.is_batch(), &found[..]) else {
        return Err(Diagnostic::error("E0517", "`groups` makes groups of the features of a batch")
            .label(*place, axes.description())
            .help("give it the input or the pre-activation: `groups(x, 8)`"));
    };
    // A number of groups is a size in the compiled program, so it must be known now.
    let Term::Known(value) = count else { return Err(complain::condition_not_known(*count_span)) };
    let (groups, size) = (number(value, *count_span)?, graph.shape(id)[features]);
    if groups < 1.0 || groups.fract() != 0.0 || groups > size as f64 || size as f64 % groups != 0.0 {
        return Err(no_groups(value, size, *count_span, *place));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, from 1 to the number of features"
    )]
    let groups = groups as usize;
    // Neighbours stay neighbours in row-major order: splitting the axis is a reshape and moves nothing.
    let mut shape = graph.shape(id).to_vec();
    shape.splice(features..=features, [groups, size / groups]);
    let mut meanings: Vec<Axis> = axes.iter().collect();
    meanings.splice(features..=features, [Axis::Groups, Axis::Group]);
    Ok(Term::Node(graph.reshape(id, &shape), Axes::new(&meanings)))
}

fn no_groups(count: &Value, size: usize, span: Span, place: Span) -> Diagnostic {
    let found = match count {
        Value::Integer(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        _ => "this".to_string(),
    };
    Diagnostic::error("E0517", format!("{size} features cannot be divided into {found} equal groups"))
        .label(span, "so many groups")
        .label(place, format!("{size} features"))
        .help(format!("give a number that divides {size}, or change the layer before"))
}
