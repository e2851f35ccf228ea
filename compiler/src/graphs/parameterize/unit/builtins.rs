//! The declarations and functions of a parameterization: parameters, `dot`, `act`, `spherical`, and statistics of the batch.

use super::super::statistic::Statistics;
use super::super::{Mode, Origin, Store, convolve, image};
use super::{Act, Sizes, complain};
use crate::front::functions::Dialect;
use crate::graphs::activate;
use crate::graphs::declare::{Declared, Room, UNIT_KINDS, declared, declared_twice};
use crate::graphs::define::call::take;
use crate::graphs::define::over::Reduce;
use crate::graphs::define::{Builtins, Term, node};
use crate::graphs::store::Own;
use crate::ir::axes::{Axes, Axis, Meaning, ParameterKind};
use crate::ir::graph::{self, Graph, Id, State};
use crate::ir::module::{Instance, Value};
use crate::ir::net::{Connection, Layer, Unit};
use gmpc_grammar::ast::Declaration;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// The functions of one layer's definition.
pub(crate) struct UnitBuiltins<'a> {
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
    statistics: Statistics,
    own: Own,
    /// The parameters of the activation, declared by its first call.
    activation: activate::Parameters,
    room: Room,
}

/// The calls in a unit's formula.
pub(super) struct Calls {
    /// `(a, act(a))` for each call of `act`.
    pub(super) acts: Vec<(Id, Id)>,
    /// The input of each call of `dot`.
    pub(super) dots: Vec<Id>,
}

impl<'a> UnitBuiltins<'a> {
    pub(super) fn new(
        store: &'a mut Store,
        layer: &'a Layer,
        unit: &'a Unit,
        input: Vec<usize>,
        mode: Mode,
        act: Act,
    ) -> Self {
        let sizes = Sizes::new(unit, &image::in_network(&input));
        let statistics = Statistics::new(mode, unit.param.base.arguments.get("momentum").cloned());
        let room = room(unit, sizes, input.clone());
        let (acts, dots, own, activation) = (vec![], vec![], Own::default(), activate::Parameters::default());
        UnitBuiltins { store, layer, unit, sizes, input, mode, act, acts, dots, statistics, own, activation, room }
    }

    /// Names the statistics, and returns the calls of `act` and `dot`.
    pub(super) fn finish(self, graph: &mut Graph) -> Result<Calls, Diagnostic> {
        if self.acts.is_empty() {
            return Err(complain::no_act(&self.unit.param.base.definition));
        }
        self.statistics.name(graph, self.store, &self.layer.name);
        Ok(Calls { acts: self.acts, dots: self.dots })
    }

    /// What follows are formulas of first values.
    pub(super) fn begin_starts(&mut self) {
        self.statistics.begin_starts();
    }

    fn dot(&mut self, graph: &mut Graph, arguments: &[Term], span: Span) -> Result<Term, Diagnostic> {
        let [Term::Node(w, Axes::WEIGHT), Term::Node(x, axes)] = arguments else {
            return Err(complain::bad_operands("dot", "a weight and a batch of examples", span));
        };
        if !axes.is_batch() {
            return Err(complain::bad_operands("dot", "a weight and a batch of examples", span));
        }
        if graph.shape(*w) != [self.sizes.fan_in, self.sizes.units] || graph.shape(*x) != self.input {
            return Err(complain::bad_operands("dot", "a weight `[units, fan_in]` and the layer's input", span));
        }
        self.dots.push(*x);
        let product = match self.unit.connection {
            Connection::Dense { .. } => graph.matmul(*x, *w, false, false),
            Connection::Convolution(of) => convolve::convolve(graph, *x, *w, &of, &self.layer.shape),
        };
        let rank = graph.shape(product).len();
        Ok(Term::Node(product, Axes::batch(rank, Axis::Units)))
    }

    fn act(&mut self, graph: &mut Graph, argument: &Term, span: Span) -> Result<Term, Diagnostic> {
        let (a, axes) = node(graph, argument, span)?;
        let value = match self.act {
            Act::Apply => {
                let prefix = activate::prefix(&self.layer.name, &self.unit.activation);
                let call = activate::Call { prefix: &prefix, x: a, axes };
                self.activation.apply(graph, self.store, &self.unit.activation, &call)?
            }
            Act::Cut => {
                let shape = graph.shape(a).to_vec();
                graph.input("act", shape)
            }
        };
        self.acts.push((a, value));
        Ok(Term::Node(value, axes))
    }

    /// Declares `angles`. A unit with one input has a fixed sign instead.
    fn declared_angles(&mut self, graph: &mut Graph, declaration: &Declaration, declared: Declared) -> Term {
        let Sizes { fan_in, units, .. } = self.sizes;
        if fan_in > 1 {
            return self.own.declare(graph, self.store, &self.layer.name, declaration, declared);
        }
        let mut name = format!("{}.sign", self.layer.name);
        if self.store.names.contains(&name) {
            name = format!("{}.{}.sign", self.layer.name, declaration.name.text);
        }
        let (role, shape) = (graph::Role::Constant, vec![1, units]);
        let meaning = Meaning { kind: ParameterKind::Angles, axes: Axes::SIGN };
        let state = State { name, role, shape, file_shape: vec![units], transposed: false, meaning };
        Term::Node(self.store.state(graph, state, Origin::Sign).1, Axes::SIGN)
    }
}

/// What a parameterization may declare, and the sizes for it.
pub(crate) fn room(unit: &Unit, sizes: Sizes, batch: Vec<usize>) -> Room {
    let Sizes { fan_in, units, .. } = sizes;
    let weight_in_file = match unit.connection {
        Connection::Dense { .. } => vec![units, fan_in],
        // As other frameworks have it: a series has one axis of taps.
        Connection::Convolution(of) if batch.len() == 3 => vec![units, fan_in / of.window.area(), of.window.kernel[1]],
        Connection::Convolution(of) => {
            vec![units, fan_in / of.window.area(), of.window.kernel[0], of.window.kernel[1]]
        }
    };
    let arguments = unit.param.base.arguments.clone();
    Room { kinds: UNIT_KINDS, place: "a parameterization", inputs: fan_in, units, batch, weight_in_file, arguments }
}

impl Builtins for UnitBuiltins<'_> {
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
            _ => return None,
        };
        Some(result)
    }

    fn dialects(&self) -> &'static [Dialect] {
        &[Dialect::Parameterizations, Dialect::Definitions]
    }

    fn reduce(&mut self, graph: &mut Graph, call: &Reduce<'_>) -> Option<Result<Term, Diagnostic>> {
        let (layer, name) = (self.layer.span, &self.unit.param.base.name);
        let one_row = || complain::one_row(call.span, layer, name);
        call.axes.is_batch().then(|| self.statistics.reduce(graph, self.store, call, one_row))
    }

    fn stop(&mut self, id: Id) {
        self.store.stopped.insert(id);
    }

    fn bound(&mut self, graph: &mut Graph, name: &str, term: &Term) -> Option<Result<Term, Diagnostic>> {
        if let (Mode::Training, Some(shape)) = (self.mode, self.own.misfit(graph, name, term)) {
            return Some(Err(complain::state_of_another_shape(name, &shape, self.unit.param.base.span)));
        }
        self.own.bound(graph, self.store, self.mode, name, term).map(Ok)
    }

    fn enter(&mut self, modifier: Option<&Instance>) {
        let arguments = &modifier.unwrap_or(&self.unit.param.base).arguments;
        self.statistics.enter(modifier.map(|m| m.name.clone()), arguments.get("momentum").cloned());
        self.room.arguments = arguments.clone();
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, _initial: Option<Term>) -> Result<Term, Diagnostic> {
        let full_name = format!("{}.{}", self.layer.name, d.name.text);
        if self.store.names.contains(&full_name) {
            return Err(declared_twice(d));
        }
        let declared = declared(d, &self.room)?;
        match declared.meaning.kind {
            ParameterKind::Offset if !self.unit.bias => Ok(Term::Known(Value::Float(0.0))),
            ParameterKind::Angles => Ok(self.declared_angles(graph, d, declared)),
            _ => Ok(self.own.declare(graph, self.store, &self.layer.name, d, declared)),
        }
    }
}

/// Adds the unit vectors of angles. For units with one input, they are the signs themselves.
pub(crate) fn spherical(graph: &mut Graph, argument: &Term, span: Span) -> Result<Term, Diagnostic> {
    match argument {
        Term::Node(theta, Axes::ANGLES) => Ok(Term::Node(graph.spherical(*theta), Axes::WEIGHT)),
        Term::Node(sign, axes) if axes.is_sign() => Ok(Term::Node(*sign, Axes::WEIGHT)),
        _ => Err(complain::bad_operands("spherical", "angles", span)),
    }
}
