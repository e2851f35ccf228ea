//! What a parameterization may declare and call: parameters, `dot`, `act`, `spherical`, and statistics of the batch.

use super::super::{Mode, Origin, Store, image, statistic};
use super::{Act, Sizes, complain};
use crate::activate::activate;
use crate::define::call::take;
use crate::define::{Place, Role, Term, node, number};
use crate::graph::{self, Graph, Id, State};
use crate::module::{Instance, Value};
use crate::net::{Layer, Product, Unit};
use gmpc_grammar::ast::Declaration;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Weight of the new batch in a running statistic, where a definition has no argument `momentum`.
const DEFAULT_MOMENTUM: f64 = 0.1;

/// The inside of one unit layer.
pub(crate) struct UnitPlace<'a> {
    store: &'a mut Store,
    layer: &'a Layer,
    unit: &'a Unit,
    sizes: Sizes,
    /// Shape of `x`.
    input: Vec<usize>,
    mode: Mode,
    act: Act,
    acts: Vec<(Id, Id)>,
    dots: Vec<Id>,
    statistics: Vec<Statistic>,
    /// The modifier that runs now, and its argument `momentum` or the parameterization's.
    modifier: Option<String>,
    momentum: Option<Value>,
}

/// What a unit's formula called.
pub(super) struct Calls {
    /// `(a, act(a))` for each call.
    pub(super) acts: Vec<(Id, Id)>,
    /// The input of each `dot`.
    pub(super) dots: Vec<Id>,
}

/// A statistic that has been asked for.
struct Statistic {
    of: Id,
    origin: Origin,
    value: Id,
    state: usize,
    modifier: Option<String>,
}

impl<'a> UnitPlace<'a> {
    pub(super) fn new(
        store: &'a mut Store,
        layer: &'a Layer,
        unit: &'a Unit,
        input: Vec<usize>,
        mode: Mode,
        act: Act,
    ) -> Self {
        let sizes = Sizes::new(unit, &image::in_network(&input));
        let momentum = unit.param.base.arguments.get("momentum").cloned();
        let (acts, dots, statistics, modifier) = (vec![], vec![], vec![], None);
        UnitPlace { store, layer, unit, sizes, input, mode, act, acts, dots, statistics, modifier, momentum }
    }

    /// What follows belongs to a modifier, or again to the parameterization.
    pub(super) fn enter(&mut self, modifier: Option<&Instance>) {
        self.modifier = modifier.map(|m| m.name.clone());
        self.momentum = modifier.unwrap_or(&self.unit.param.base).arguments.get("momentum").cloned();
    }

    /// Names the statistics and hands over the calls of `act`, and the inputs of `dot`.
    ///
    /// The parameterization's own are `running_mean` and `running_var`; a modifier's too, unless that name is taken:
    /// `mn.running_mean`. A name that is taken still gets a number.
    pub(super) fn finish(self, graph: &mut Graph) -> Result<Calls, Diagnostic> {
        if self.acts.is_empty() {
            return Err(complain::no_act(&self.unit.param.base.definition));
        }
        let mut taken: Vec<String> = graph.states.iter().map(|s| s.name.clone()).collect();
        let (own, modifiers): (Vec<_>, Vec<_>) = self.statistics.iter().partition(|s| s.modifier.is_none());
        for statistic in own.into_iter().chain(modifiers) {
            let word = if statistic.origin == Origin::Mean { "running_mean" } else { "running_var" };
            let plain = format!("{}.{word}", self.layer.name);
            let prefixed =
                statistic.modifier.as_ref().map_or(plain.clone(), |m| format!("{}.{m}.{word}", self.layer.name));
            let numbered = (2..).map(|n| format!("{prefixed}{n}"));
            let mut names = [plain, prefixed.clone()].into_iter().chain(numbered);
            let name = names.find(|name| !taken.contains(name)).unwrap_or_default();
            taken.push(name.clone());
            graph.states[statistic.state].name = name;
        }
        Ok(Calls { acts: self.acts, dots: self.dots })
    }

    fn statistic(&mut self, graph: &mut Graph, x: Id, origin: Origin, span: Span) -> Result<Term, Diagnostic> {
        if let Some(known) = self.statistics.iter().find(|s| s.of == x && s.origin == origin) {
            return Ok(Term::Node(known.value, Role::Unit));
        }
        let momentum = self.momentum(span)?;
        let running = statistic::running(graph, self.store, x, origin);
        let value = match self.mode {
            Mode::Evaluation => running.1,
            Mode::Training => self.batch_statistic(graph, x, origin, running, momentum, span)?,
        };
        let modifier = self.modifier.clone();
        self.statistics.push(Statistic { of: x, origin, value, state: running.0, modifier });
        Ok(Term::Node(value, Role::Unit))
    }

    fn batch_statistic(
        &mut self,
        graph: &mut Graph,
        x: Id,
        origin: Origin,
        running: (usize, Id),
        momentum: f64,
        span: Span,
    ) -> Result<Id, Diagnostic> {
        if origin == Origin::Mean {
            let mean = statistic::batch_mean(graph, x);
            statistic::update(graph, self.store, running, mean, momentum);
            return Ok(mean);
        }
        if statistic::count(graph, x) < 2 {
            return Err(complain::one_row(span, self.layer.span, &self.unit.param.base.name));
        }
        let known = self.statistics.iter().find(|s| s.of == x && s.origin == Origin::Mean).map(|s| s.value);
        let mean = known.unwrap_or_else(|| statistic::batch_mean(graph, x));
        let variance = statistic::batch_variance(graph, x, mean);
        let unbiased = statistic::unbiased(graph, x, variance);
        statistic::update(graph, self.store, running, unbiased, momentum);
        Ok(variance)
    }

    fn momentum(&self, span: Span) -> Result<f64, Diagnostic> {
        let momentum = self.momentum.as_ref().map_or(Ok(DEFAULT_MOMENTUM), |value| number(value, span))?;
        let sound = momentum > 0.0 && momentum <= 1.0;
        if sound { Ok(momentum) } else { Err(complain::bad_momentum(momentum, span)) }
    }

    fn dot(&mut self, graph: &mut Graph, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
        let [Term::Node(w, Role::Weight), Term::Node(x, Role::Batch)] = arguments else {
            return Err(complain::bad_operands("dot", "a weight and a batch of examples", span));
        };
        if graph.shape(*w) != [self.sizes.fan_in, self.sizes.units] || graph.shape(*x) != self.input {
            return Err(complain::bad_operands("dot", "a weight `[units, fan_in]` and the layer's input", span));
        }
        self.dots.push(*x);
        let product = match self.unit.product {
            Product::Dense { .. } => graph.matmul(*x, *w, false, false),
            Product::Convolution { window, .. } => {
                image::convolve(graph, *x, *w, window, [self.layer.shape[1], self.layer.shape[2]])
            }
        };
        Ok(Term::Node(product, Role::Batch))
    }

    fn act(&mut self, graph: &mut Graph, argument: &Term, span: Span) -> Result<Term, Diagnostic> {
        let (a, role) = node(graph, argument, span)?;
        let value = match self.act {
            Act::Apply => activate(graph, self.unit.activation, a),
            Act::Cut => {
                let shape = graph.shape(a).to_vec();
                graph.input("act", shape)
            }
        };
        self.acts.push((a, value));
        Ok(Term::Node(value, role))
    }

    /// A weight's shape in files: units outermost, then as the input's axes are.
    fn weight_in_file(&self) -> Vec<usize> {
        let Sizes { fan_in, units, .. } = self.sizes;
        match self.unit.product {
            Product::Dense { .. } => vec![units, fan_in],
            Product::Convolution { window, .. } => {
                vec![units, fan_in / window.area(), window.kernel[0], window.kernel[1]]
            }
        }
    }

    /// `angles` of a unit with one input are its fixed sign.
    fn declared_angles(&mut self, graph: &mut Graph, declaration: &Declaration) -> Term {
        let Sizes { fan_in, units, .. } = self.sizes;
        if fan_in > 1 {
            let id = self.parameter(graph, declaration, vec![fan_in - 1, units], vec![units, fan_in - 1]);
            return Term::Node(id, Role::Angles);
        }
        let mut name = format!("{}.sign", self.layer.name);
        if graph.states.iter().any(|s| s.name == name) {
            name = format!("{}.{}.sign", self.layer.name, declaration.name.text);
        }
        let shape = vec![1, units];
        let state = State { name, role: graph::Role::Constant, shape, file_shape: vec![units], transposed: false };
        Term::Node(self.store.state(graph, state, Origin::Sign).1, Role::Sign)
    }

    fn parameter(&mut self, graph: &mut Graph, declaration: &Declaration, shape: Vec<usize>, file: Vec<usize>) -> Id {
        let name = format!("{}.{}", self.layer.name, declaration.name.text);
        let transposed = file.len() > 1;
        let state = State { name, role: graph::Role::Parameter, shape, file_shape: file, transposed };
        self.store.state(graph, state, Origin::Parameter).1
    }
}

impl Place for UnitPlace<'_> {
    fn call(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &[Term],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        let result = match (name, arguments) {
            ("dot", _) => take(name, arguments, 2, span).and_then(|()| self.dot(graph, arguments, span)),
            ("act", [argument]) => self.act(graph, argument, span),
            ("spherical", [argument]) => spherical(graph, argument, span),
            ("act" | "spherical", _) => take(name, arguments, 1, span).map(|()| arguments[0].clone()),
            ("mean", [Term::Node(x, Role::Batch)]) => self.statistic(graph, *x, Origin::Mean, span),
            ("var", [Term::Node(x, Role::Batch)]) => self.statistic(graph, *x, Origin::Variance, span),
            _ => return None,
        };
        Some(result)
    }

    fn calls(&self) -> &'static [&'static str] {
        &["dot", "act", "spherical"]
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, _initial: Option<Term>) -> Result<Term, Diagnostic> {
        let Sizes { fan_in, units, .. } = self.sizes;
        let full_name = format!("{}.{}", self.layer.name, d.name.text);
        if graph.states.iter().any(|s| s.name == full_name) {
            return Err(complain::declared_twice(d));
        }
        Ok(match d.kind.text.as_str() {
            "weight" => Term::Node(self.parameter(graph, d, vec![fan_in, units], self.weight_in_file()), Role::Weight),
            "offset" if !self.unit.bias => Term::Known(Value::Float(0.0)),
            "unit" | "offset" => Term::Node(self.parameter(graph, d, vec![1, units], vec![units]), Role::Unit),
            "angles" => self.declared_angles(graph, d),
            _ => return Err(complain::unknown_kind(d)),
        })
    }
}

/// Unit vectors from angles; the sign itself where there are none.
pub(crate) fn spherical(graph: &mut Graph, argument: &Term, span: Span) -> Result<Term, Diagnostic> {
    match argument {
        Term::Node(theta, Role::Angles) => Ok(Term::Node(graph.spherical(*theta), Role::Weight)),
        Term::Node(sign, Role::Sign) => Ok(Term::Node(*sign, Role::Weight)),
        _ => Err(complain::bad_operands("spherical", "angles", span)),
    }
}
