//! What stands right of `~` and `=` in a declaration: draws, and formulas of weights drawn before.
//!
//! Normal numbers come in pairs from uniform ones: Box and Muller, "A note on the generation of random normal deviates",
//! 1958, of which one of each pair is used.

use crate::define::call::{sign, take};
use crate::define::{Place, Role, Scope, Term, node, node_of_shape, number};
use crate::graph::{Graph, Id, Op};
use crate::module::{Instance, Value};
use crate::parameterize::unit::Sizes;
use crate::parameterize::unit::complain::unknown_kind;
use crate::parameterize::unit::place::spherical;
use gmpc_grammar::ast::{Declaration, Definition, Initial, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many initializers may call each other in turn; more is a circle.
const MAX_NESTING: usize = 16;

/// By kind and name, as in [`crate::module::Module::definitions`].
type Definitions = BTreeMap<(Kind, String), Arc<Definition>>;

/// The inside of one unit layer before training, and of a `from` section.
pub(crate) struct DrawPlace<'a> {
    definitions: &'a Definitions,
    sizes: Sizes,
    bias: bool,
    /// The next free stream of random numbers.
    pub(crate) streams: u32,
    /// Names of states, without the layer's, and their first values.
    pub(crate) declared: Vec<(String, Id)>,
    /// For angles or signs: the vectors `[fan_in, units]` they were taken from.
    drawn: BTreeMap<Id, Id>,
    /// What draws are made for, and what its axes mean.
    shape: (Vec<usize>, Role),
    depth: usize,
}

impl<'a> DrawPlace<'a> {
    /// Draws for one unit layer, from this stream on.
    pub(crate) fn new(definitions: &'a Definitions, sizes: Sizes, bias: bool, streams: u32) -> Self {
        let shape = (vec![sizes.fan_in, sizes.units], Role::Weight);
        let (declared, drawn) = (vec![], BTreeMap::new());
        DrawPlace { definitions, sizes, bias, streams, declared, drawn, shape, depth: 0 }
    }

    /// Angles of vectors `[fan_in, units]`, or their signs where there is one input.
    pub(crate) fn angles(&mut self, graph: &mut Graph, vectors: Id) -> Term {
        let Sizes { fan_in, units, .. } = self.sizes;
        let (id, role) = if fan_in > 1 {
            (graph.push(Op::Angles, vec![vectors], vec![fan_in - 1, units]), Role::Angles)
        } else {
            (sign(graph, vectors), Role::Sign)
        };
        self.drawn.insert(id, vectors);
        Term::Node(id, role)
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

    /// sqrt(-2 log(1 - a)) cos(2 pi b)
    fn normal(&mut self, graph: &mut Graph) -> Id {
        let (a, b) = (self.uniform(graph), self.uniform(graph));
        let one = graph.constant(1.0);
        let above_zero = graph.sub(one, a);
        let log = graph.unary(Op::Log, above_zero);
        let square = graph.scale(log, -2.0);
        let radius = graph.unary(Op::Sqrt, square);
        let angle = graph.scale(b, std::f64::consts::TAU);
        let cos = graph.unary(Op::Cos, angle);
        graph.mul(radius, cos)
    }

    fn between(&mut self, graph: &mut Graph, bounds: &[Term], span: Span) -> Result<Term, Diagnostic> {
        let [Term::Known(low), Term::Known(high)] = bounds else {
            return Err(crate::define::not_known(span));
        };
        let (low, high) = (number(low, span)?, number(high, span)?);
        let draw = self.uniform(graph);
        let scaled = graph.scale(draw, high - low);
        let low = graph.constant(low);
        Ok(Term::Node(graph.add(scaled, low), self.shape.1))
    }

    /// The same vectors with their last coordinate made non-negative; with one input, as they are.
    fn half_sphere(&self, graph: &mut Graph, vectors: &Term, span: Span) -> Result<Term, Diagnostic> {
        let Sizes { fan_in, units, .. } = self.sizes;
        let vectors = node_of_shape(graph, vectors, &[fan_in, units], span)?;
        if fan_in == 1 {
            return Ok(Term::Node(vectors, Role::Weight));
        }
        let first = graph.slice(vectors, 0, 0, fan_in - 1);
        let last = graph.slice(vectors, 0, fan_in - 1, 1);
        let last = graph.unary(Op::Abs, last);
        Ok(Term::Node(graph.concat(&[first, last], 0), Role::Weight))
    }

    fn first_angles(&mut self, graph: &mut Graph, d: &Declaration, term: &Term) -> Result<Term, Diagnostic> {
        let Sizes { fan_in, units, .. } = self.sizes;
        let span = d.name.span;
        match (&d.initial, term) {
            (Initial::Draw(_), _) => {
                let vectors = node_of_shape(graph, term, &[fan_in, units], span)?;
                Ok(self.angles(graph, vectors))
            }
            (_, Term::Node(_, Role::Angles | Role::Sign)) => Ok(term.clone()),
            _ if fan_in > 1 => Ok(Term::Node(node_of_shape(graph, term, &[fan_in - 1, units], span)?, Role::Angles)),
            _ => {
                let angle = node_of_shape(graph, term, &[1, units], span)?;
                let cos = graph.unary(Op::Cos, angle);
                Ok(Term::Node(sign(graph, cos), Role::Sign))
            }
        }
    }

    /// An initializer of the file or the standard library, with these arguments and its own defaults.
    fn instance(&self, graph: &mut Graph, name: &str, given: &BTreeMap<String, Value>, span: Span) -> Option<Instance> {
        let definition = self.definitions.get(&(Kind::Initializer, name.to_string()))?;
        let mut instance =
            Instance { name: name.to_string(), definition: Arc::clone(definition), arguments: given.clone(), span };
        let mut place = DrawPlace::new(self.definitions, self.sizes, self.bias, 0);
        for parameter in &definition.parameters {
            if instance.arguments.contains_key(&parameter.name.text) {
                continue;
            }
            let mut scope = Scope::new(graph, &mut place, &instance);
            if let Some(Ok(Term::Known(value))) = parameter.default.as_ref().map(|default| scope.eval(default)) {
                instance.arguments.insert(parameter.name.text.clone(), value);
            }
        }
        Some(instance)
    }
}

impl Place for DrawPlace<'_> {
    fn call(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &[Term],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        Some(match (name, arguments) {
            ("normal", []) => Ok(Term::Node(self.normal(graph), self.shape.1)),
            ("uniform", []) => Ok(Term::Node(self.uniform(graph), self.shape.1)),
            ("uniform", [_, _]) => self.between(graph, arguments, span),
            ("half_sphere", [vectors]) => self.half_sphere(graph, vectors, span),
            ("spherical", [angles]) => spherical(graph, angles, span),
            ("angles", [vectors]) => {
                let shape = [self.sizes.fan_in, self.sizes.units];
                node_of_shape(graph, vectors, &shape, span).map(|vectors| self.angles(graph, vectors))
            }
            ("drawn", [angles]) => node(graph, angles, span).and_then(|(id, _)| match self.drawn.get(&id) {
                Some(vectors) => Ok(Term::Node(*vectors, Role::Weight)),
                None => Err(not_drawn(span)),
            }),
            ("normal", _) => take(name, arguments, 0, span).map(|()| Term::Known(Value::Float(0.0))),
            ("uniform", _) => take(name, arguments, 2, span).map(|()| Term::Known(Value::Float(0.0))),
            ("half_sphere" | "spherical" | "angles" | "drawn", _) => {
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

    fn calls(&self) -> &'static [&'static str] {
        &["normal", "uniform", "half_sphere", "angles", "drawn", "spherical"]
    }

    fn initializes(&self) -> bool {
        true
    }

    fn declare(&mut self, graph: &mut Graph, d: &Declaration, initial: Option<Term>) -> Result<Term, Diagnostic> {
        let Sizes { fan_in, units, .. } = self.sizes;
        let (shape, role) = match d.kind.text.as_str() {
            "offset" if !self.bias => return Ok(Term::Known(Value::Float(0.0))),
            "weight" | "angles" => (vec![fan_in, units], Role::Weight),
            "unit" | "offset" => (vec![1, units], Role::Unit),
            _ => return Err(unknown_kind(d)),
        };
        self.shape = (shape.clone(), role);
        let mut term = initial.unwrap_or(Term::Known(Value::Float(0.0)));
        if let Term::Known(Value::Instance(initializer)) = &term {
            term = self.draw(graph, initializer, d.name.span)?;
        }
        self.shape = (vec![fan_in, units], Role::Weight);
        let term = if d.kind.text == "angles" {
            self.first_angles(graph, d, &term)?
        } else {
            Term::Node(node_of_shape(graph, &term, &shape, d.name.span)?, role)
        };
        if let Term::Node(id, role) = term {
            let name = if role == Role::Sign { self.sign_name(d) } else { d.name.text.clone() };
            self.declared.push((name, id));
        }
        Ok(term)
    }
}

impl DrawPlace<'_> {
    /// `sign` for the first angles of a unit with one input, `NAME.sign` for others.
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
