//! Initial values, right of `~` and `=` in a declaration: draws, and formulas of weights that are drawn before.
//!
//! A normal number is computed from two uniform numbers: Box and Muller, "A note on the generation of random normal deviates",
//! 1958 ([`noise::normal`]). The second normal number of the pair is not used.

use crate::front::functions::Dialect;
use crate::front::interpret::{Statements, Vocabulary};
use crate::graphs::declare::{Room, declared};
use crate::graphs::define::call::{sign, take};
use crate::graphs::define::{Builtins, Scope, Term, node, node_of_shape, number};
use crate::graphs::parameterize::noise;
use crate::graphs::parameterize::unit::Sizes;
use crate::graphs::parameterize::unit::builtins::spherical;
use crate::ir::axes::{Axes, ParameterKind};
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::{Instance, Value};
use gmpc_grammar::ast::{Declaration, Definition, Initial, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest bound of a normal number. Beyond it are fewer than one in 10^8, less than a draw can tell apart.
const FARTHEST: f64 = 6.0;
/// Steps of Halley's method.
const HALLEY_STEPS: usize = 12;

/// How deep initializers may call each other. A deeper nesting is a circle.
const MAX_NESTING: usize = 16;

/// Definitions by kind and name, as in [`crate::ir::module::Module::definitions`].
type Definitions = BTreeMap<(Kind, String), Arc<Definition>>;

/// The functions of one layer's definition before training, and of a `from` section.
pub(crate) struct DrawBuiltins<'a> {
    definitions: &'a Definitions,
    sizes: Sizes,
    bias: bool,
    /// The next free stream of random numbers.
    pub(crate) streams: u32,
    /// Names of states, without the name of the layer, and their initial values.
    pub(crate) declared: Vec<(String, Id)>,
    /// Maps angles or signs to the vectors `[fan_in, units]` that they were computed from.
    drawn: BTreeMap<Id, Id>,
    /// Shape and role of the state that draws are made for.
    shape: (Vec<usize>, Axes),
    room: Room,
    /// The arguments of the parameterization, while a modifier runs.
    outer: Option<BTreeMap<String, Value>>,
    depth: usize,
}

impl<'a> DrawBuiltins<'a> {
    /// Builtins for one layer. `room` says what may be declared. Draws use streams from `streams` on.
    pub(crate) fn new(definitions: &'a Definitions, sizes: Sizes, bias: bool, room: Room, streams: u32) -> Self {
        let shape = (vec![sizes.fan_in, sizes.units], Axes::WEIGHT);
        let (declared, drawn) = (vec![], BTreeMap::new());
        DrawBuiltins { definitions, sizes, bias, streams, declared, drawn, shape, room, outer: None, depth: 0 }
    }

    /// Adds the angles of vectors `[fan_in, units]`, or their signs if there is only one input.
    pub(crate) fn angles(&mut self, graph: &mut Graph, vectors: Id) -> Term {
        let Sizes { fan_in, units, .. } = self.sizes;
        let (id, axes) = if fan_in > 1 {
            (graph.push(Op::Angles, vec![vectors], vec![fan_in - 1, units]), Axes::ANGLES)
        } else {
            (sign(graph, vectors), Axes::SIGN)
        };
        self.drawn.insert(id, vectors);
        Term::Node(id, axes)
    }

    fn draw(&mut self, graph: &mut Graph, initializer: &Instance, span: Span) -> Result<Term, Diagnostic> {
        if self.depth >= MAX_NESTING || initializer.definition.kind != Kind::Initializer {
            return Err(no_initializer(&initializer.name, span));
        }
        self.depth += 1;
        let sizes = self.sizes;
        let mut scope = Scope::new(graph, self, initializer);
        sizes.bind(&mut scope);
        let term = scope.body(&initializer.definition.body);
        self.depth -= 1;
        term
    }

    fn uniform(&mut self, graph: &mut Graph) -> Id {
        let stream = self.streams;
        self.streams += 1;
        graph.push(Op::Uniform { stream }, vec![], self.shape.0.clone())
    }

    fn normal(&mut self, graph: &mut Graph) -> Id {
        let streams = [self.streams, self.streams + 1];
        self.streams += 2;
        noise::normal(graph, &self.shape.0, streams)
    }

    /// A normal number between two bounds, by inverting the distribution function: a uniform number between its values at the
    /// bounds is the value at the result. Halley's method finds it from 0; from there its steps approach the result from one
    /// side, and twelve of them reach the last bits for bounds up to 6.
    fn normal_between(&mut self, graph: &mut Graph, bounds: &[Term], span: Span) -> Result<Term, Diagnostic> {
        let [Term::Known(low), Term::Known(high)] = bounds else {
            return Err(crate::graphs::define::not_known(span));
        };
        let (low, high) = (number(low, span)?, number(high, span)?);
        if !(low < high && low >= -FARTHEST && high <= FARTHEST) {
            return Err(bad_bounds(span));
        }
        let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        let uniform = self.uniform(graph);
        let scaled = graph.scale(uniform, below(high) - below(low));
        let first = graph.constant(below(low));
        let wanted = graph.add(scaled, first);
        let mut z = graph.full(0.0, &self.shape.0);
        for _ in 0..HALLEY_STEPS {
            z = halley(graph, z, wanted);
        }
        let (low, high) = (graph.constant(low), graph.constant(high));
        let z = graph.binary(Op::Max, z, low);
        Ok(Term::Node(graph.binary(Op::Min, z, high), self.shape.1))
    }

    /// 1 where the number of the unit is that of the channel, in the middle of the window; 0 elsewhere.
    fn delta(&self, graph: &mut Graph) -> Id {
        let Sizes { fan_in, units, area, centre, .. } = self.sizes;
        let shape = vec![fan_in, units];
        let input = graph.push(Op::Iota(0), vec![], shape.clone());
        let unit = graph.push(Op::Iota(1), vec![], shape);
        // The numbers of a filter are channel by channel, each with the places of its window.
        let first = graph.scale(unit, area as f64);
        let centre = graph.constant(centre as f64);
        let place = graph.add(first, centre);
        graph.binary(Op::Equal, input, place)
    }

    fn between(&mut self, graph: &mut Graph, bounds: &[Term], span: Span) -> Result<Term, Diagnostic> {
        let [Term::Known(low), Term::Known(high)] = bounds else {
            return Err(crate::graphs::define::not_known(span));
        };
        let (low, high) = (number(low, span)?, number(high, span)?);
        let draw = self.uniform(graph);
        let scaled = graph.scale(draw, high - low);
        let low = graph.constant(low);
        Ok(Term::Node(graph.add(scaled, low), self.shape.1))
    }

    /// Makes the last coordinate of vectors non-negative. With a single input they stay as they are.
    fn half_sphere(&self, graph: &mut Graph, vectors: &Term, span: Span) -> Result<Term, Diagnostic> {
        let Sizes { fan_in, units, .. } = self.sizes;
        let vectors = node_of_shape(graph, vectors, &[fan_in, units], span)?;
        if fan_in == 1 {
            return Ok(Term::Node(vectors, Axes::WEIGHT));
        }
        let first = graph.slice(vectors, 0, 0, fan_in - 1);
        let last = graph.slice(vectors, 0, fan_in - 1, 1);
        let last = graph.unary(Op::Abs, last);
        Ok(Term::Node(graph.concat(&[first, last], 0), Axes::WEIGHT))
    }

    fn first_angles(&mut self, graph: &mut Graph, d: &Declaration, term: &Term) -> Result<Term, Diagnostic> {
        let Sizes { fan_in, units, .. } = self.sizes;
        let span = d.name.span;
        match (&d.initial, term) {
            (Initial::Draw(_), _) => {
                let vectors = node_of_shape(graph, term, &[fan_in, units], span)?;
                Ok(self.angles(graph, vectors))
            }
            (_, Term::Node(_, axes)) if *axes == Axes::ANGLES || axes.is_sign() => Ok(term.clone()),
            _ if fan_in > 1 => Ok(Term::Node(node_of_shape(graph, term, &[fan_in - 1, units], span)?, Axes::ANGLES)),
            _ => {
                let angle = node_of_shape(graph, term, &[1, units], span)?;
                let cos = graph.unary(Op::Cos, angle);
                Ok(Term::Node(sign(graph, cos), Axes::SIGN))
            }
        }
    }

    /// Returns an instance of an initializer with these arguments and its own defaults.
    fn instance(&self, graph: &mut Graph, name: &str, given: &BTreeMap<String, Value>, span: Span) -> Option<Instance> {
        let definition = self.definitions.get(&(Kind::Initializer, name.to_string()))?;
        let mut instance =
            Instance { name: name.to_string(), definition: Arc::clone(definition), arguments: given.clone(), span };
        let mut builtins = DrawBuiltins::new(self.definitions, self.sizes, self.bias, self.room.clone(), 0);
        for parameter in &definition.parameters {
            if instance.arguments.contains_key(&parameter.name.text) {
                continue;
            }
            let mut scope = Scope::new(graph, &mut builtins, &instance);
            if let Some(Ok(Term::Known(value))) = parameter.default.as_ref().map(|default| scope.evaluate(default)) {
                instance.arguments.insert(parameter.name.text.clone(), value);
            }
        }
        Some(instance)
    }
}

/// One step of Halley's method towards the point below which the share `wanted` of a normal distribution lies.
fn halley(graph: &mut Graph, z: Id, wanted: Id) -> Id {
    let scaled = graph.scale(z, std::f64::consts::FRAC_1_SQRT_2);
    let erf = graph.unary(Op::Erf, scaled);
    let (half, one) = (graph.constant(0.5), graph.constant(1.0));
    let twice = graph.add(erf, one);
    let below = graph.mul(twice, half);
    let error = graph.sub(below, wanted);
    let square = graph.mul(z, z);
    let exponent = graph.scale(square, -0.5);
    let bell = graph.unary(Op::Exp, exponent);
    let density = graph.scale(bell, 1.0 / (2.0 * std::f64::consts::PI).sqrt());
    let newton = graph.div(error, density);
    let curved = graph.mul(z, newton);
    let curved = graph.scale(curved, 0.5);
    let divisor = graph.add(curved, one);
    let step = graph.div(newton, divisor);
    graph.sub(z, step)
}

fn bad_bounds(span: Span) -> Diagnostic {
    Diagnostic::error(
        "E0589",
        format!("the bounds of a normal number lie between -{FARTHEST} and {FARTHEST}, the lower one first"),
    )
    .label(span, "these do not")
    .help("write `deviation * normal(-2, 2)`: the bounds count deviations")
}

impl Builtins for DrawBuiltins<'_> {
    fn call(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &[Term],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        // First the right calls, then the same names with a wrong number of arguments: `take` reports them. The value beside it
        // is never used.
        Some(match (name, arguments) {
            ("normal", []) => Ok(Term::Node(self.normal(graph), self.shape.1)),
            ("normal", [_, _]) => self.normal_between(graph, arguments, span),
            ("delta", []) => Ok(Term::Node(self.delta(graph), Axes::WEIGHT)),
            ("orthonormal", [vectors]) => {
                let (shape, axes) = self.shape.clone();
                let vectors = node_of_shape(graph, vectors, &shape, span);
                vectors.map(|v| Term::Node(graph.push(Op::Orthogonal, vec![v], shape), axes))
            }
            ("uniform", []) => Ok(Term::Node(self.uniform(graph), self.shape.1)),
            ("uniform", [_, _]) => self.between(graph, arguments, span),
            ("half_sphere", [vectors]) => self.half_sphere(graph, vectors, span),
            ("spherical", [angles]) => spherical(graph, angles, span),
            ("angles", [vectors]) => {
                let shape = [self.sizes.fan_in, self.sizes.units];
                node_of_shape(graph, vectors, &shape, span).map(|vectors| self.angles(graph, vectors))
            }
            // `drawn(theta)` is found by the node of the angles: the vectors they came from, with their lengths.
            ("drawn", [angles]) => node(graph, angles, span).and_then(|(id, _)| match self.drawn.get(&id) {
                Some(vectors) => Ok(Term::Node(*vectors, Axes::WEIGHT)),
                None => Err(not_drawn(span)),
            }),
            ("delta", _) => take(name, arguments, 0, span).map(|()| Term::Known(Value::Float(0.0))),
            ("uniform" | "normal", _) => take(name, arguments, 2, span).map(|()| Term::Known(Value::Float(0.0))),
            ("half_sphere" | "spherical" | "angles" | "drawn" | "orthonormal", _) => {
                take(name, arguments, 1, span).map(|()| Term::Known(Value::Float(0.0)))
            }
            _ => return None,
        })
    }

    fn name(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &BTreeMap<String, Value>,
        span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        let instance = self.instance(graph, name, arguments, span)?;
        Some(self.draw(graph, &instance, span))
    }

    fn enter(&mut self, modifier: Option<&Instance>) {
        match modifier {
            Some(modifier) => {
                self.outer = Some(std::mem::replace(&mut self.room.arguments, modifier.arguments.clone()))
            }
            None => self.room.arguments = self.outer.take().unwrap_or_default(),
        }
    }

    fn dialects(&self) -> &'static [Dialect] {
        &[Dialect::Initializers, Dialect::Definitions]
    }

    fn initializes(&self) -> bool {
        true
    }

    /// Only a parameterization has a formula that a first batch goes through with its own scales and offsets, and only its own
    /// declarations are set by it, not those of a modifier.
    fn takes_first_batch(&self) -> bool {
        self.outer.is_none() && self.room.kinds.contains(&ParameterKind::Offset)
    }

    fn declaring(&mut self, d: &Declaration) -> Result<(), Diagnostic> {
        let found = declared(d, &self.room)?;
        // Angles are drawn as vectors, which have the shape of a weight.
        if found.meaning.kind != ParameterKind::Angles {
            self.shape = (found.shape, found.meaning.axes);
        }
        Ok(())
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, initial: Option<Term>) -> Result<Term, Diagnostic> {
        let Sizes { fan_in, units, .. } = self.sizes;
        let found = declared(d, &self.room)?;
        let kind = found.meaning.kind;
        // Angles are drawn as vectors, because initializers define distributions of weight vectors.
        let (shape, axes) = match kind {
            ParameterKind::Offset if !self.bias => return Ok(Term::Known(Value::Float(0.0))),
            ParameterKind::Angles => (vec![fan_in, units], Axes::WEIGHT),
            _ => (found.shape, found.meaning.axes),
        };
        // Draws inside an initializer have the shape of the declared state. Outside of declarations they have a weight's shape.
        self.shape = (shape.clone(), axes);
        let mut term = initial.unwrap_or(Term::Known(Value::Float(0.0)));
        if let Term::Known(Value::Instance(initializer)) = &term {
            term = self.draw(graph, initializer, d.name.span)?;
        }
        self.shape = (vec![fan_in, units], Axes::WEIGHT);
        let term = if kind == ParameterKind::Angles {
            self.first_angles(graph, d, &term)?
        } else {
            Term::Node(node_of_shape(graph, &term, &shape, d.name.span)?, axes)
        };
        if let Term::Node(id, axes) = term {
            let name = if axes.is_sign() { self.sign_name(d) } else { d.name.text.clone() };
            self.declared.push((name, id));
        }
        Ok(term)
    }
}

impl DrawBuiltins<'_> {
    /// Returns the name of a fixed sign: `sign` for the first angles of a unit with one input, `NAME.sign` for others.
    fn sign_name(&self, d: &Declaration) -> String {
        let taken = self.declared.iter().any(|(name, _)| name == "sign");
        if taken { format!("{}.sign", d.name.text) } else { "sign".to_string() }
    }
}

fn not_drawn(span: Span) -> Diagnostic {
    Diagnostic::error("E0576", "`drawn` gives the vector that angles were drawn as, but these were not drawn")
        .label(span, "in this call")
        .help("declare the angles with `~`: `theta: angles ~ init`")
}

fn no_initializer(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0577", format!("`{name}` is no initializer that ends"))
        .label(span, "used to draw here")
        .help("name one of the standard library, such as `he_normal`, or one that does not call itself")
}
