//! Evaluates the body of a definition (parameterization, modifier, initializer, loss, metric, optimizer) into graph nodes.
//!
//! ```text
//! s = dot(spherical(theta), x)       %3 = spherical %2      : [13, 100]
//! r * act(s + lambda)                %4 = matmul %0 %3      : [64, 100]   …
//! ```
//!
//! A name stands for a [`Term`]: a value known now, or a node with a [`Role`] that says what its axes mean. Arithmetic on
//! known values is done here, so that `1 - beta1` is one constant and `weight_decay = 0` leaves no trace. What else can
//! be called depends on the [`Place`]: `dot` and `act` in a parameterization, `log_sum_exp` in a loss, `normal` in an initializer.

mod arithmetic;
pub(crate) mod call;
mod complain;
mod reduce;

pub(crate) use complain::condition_not_known as not_known;
pub(crate) use reduce::{norm, variance};

use crate::graph::{Graph, Id};
use crate::module::{Instance, Value};
use gmpc_grammar::ast::{Argument, BinaryOp, Body, Declaration, Expr, ExprKind, Initial, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// What a name or an expression stands for.
#[derive(Debug, Clone)]
pub(crate) enum Term {
    /// Known while compiling.
    Known(Value),
    /// Computed by the graph.
    Node(Id, Role),
}

/// What the axes of a node mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `[]`
    Scalar,
    /// `[1, units]`: one value for each unit, or for each input in the case of `mean(x)`.
    Unit,
    /// `[fan_in, units]`
    Weight,
    /// `[fan_in - 1, units]`
    Angles,
    /// `[1, units]`, +1 or -1: what stands in for the angles of a unit with one input, which has none.
    Sign,
    /// `[rows, values]`: one row for each example of the batch.
    Batch,
}

impl Role {
    /// For messages.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Role::Scalar => "a number",
            Role::Unit => "one value per unit",
            Role::Weight => "a weight",
            Role::Angles => "angles",
            Role::Sign => "the fixed sign of a unit with one input",
            Role::Batch => "a batch of examples",
        }
    }
}

/// What may be called and named in one kind of definition, beyond what all of them share.
pub(crate) trait Place {
    /// A call that only this place knows; `None` where it does not know the name.
    fn call(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &[Term],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>>;

    /// A name that nothing in the definition binds, or a call of one: an initializer inside another one.
    fn name(
        &mut self,
        _graph: &mut Graph,
        _name: &str,
        _arguments: &BTreeMap<String, Value>,
        _span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        None
    }

    /// Names [`Place::call`] knows, for "did you mean".
    fn calls(&self) -> &'static [&'static str];

    /// Are declarations given their first values here? Only then are they evaluated.
    fn initializes(&self) -> bool {
        false
    }

    /// What a declared name stands for; `initial` is its first value where [`Place::initializes`].
    fn declare(
        &mut self,
        _graph: &mut Graph,
        declaration: &Declaration,
        _initial: Option<Term>,
    ) -> Result<Term, Diagnostic> {
        Err(complain::no_declaration(&declaration.name))
    }
}

/// The names of one definition while it is evaluated.
pub(crate) struct Scope<'a, P> {
    /// Where nodes go.
    pub(crate) graph: &'a mut Graph,
    /// What else may be called.
    pub(crate) place: &'a mut P,
    /// What each name stands for now.
    pub(crate) names: BTreeMap<String, Term>,
    /// Names that exist but have no value here, and why: `x` at initialization.
    pub(crate) absent: BTreeMap<String, &'static str>,
}

impl<'a, P: Place> Scope<'a, P> {
    /// A scope that knows an instance's arguments.
    pub(crate) fn new(graph: &'a mut Graph, place: &'a mut P, instance: &Instance) -> Self {
        let mut scope = Scope { graph, place, names: BTreeMap::new(), absent: BTreeMap::new() };
        scope.add_arguments(instance);
        scope
    }

    /// Binds every argument of an instance.
    pub(crate) fn add_arguments(&mut self, instance: &Instance) {
        for (name, value) in &instance.arguments {
            self.names.insert(name.clone(), Term::Known(value.clone()));
        }
    }

    /// Binds a name to a node.
    pub(crate) fn set_node(&mut self, name: &str, id: Id, role: Role) {
        self.names.insert(name.to_string(), Term::Node(id, role));
    }

    /// Binds a name to a number.
    #[allow(clippy::cast_precision_loss)] // sizes stay far below 2^53
    pub(crate) fn set_size(&mut self, name: &str, size: usize) {
        self.names.insert(name.to_string(), Term::Known(Value::Float(size as f64)));
    }

    /// Evaluates every binding of a body in order, then its result.
    pub(crate) fn body(&mut self, body: &Body) -> Result<Term, Diagnostic> {
        for statement in &body.statements {
            self.statement(statement)?;
        }
        match &body.result {
            Some(result) => self.eval(result),
            None => Err(complain::no_result(body.span)),
        }
    }

    /// Binds or declares; a `from` section is for conversion alone.
    pub(crate) fn statement(&mut self, statement: &Statement) -> Result<(), Diagnostic> {
        let (name, term) = match statement {
            Statement::Bind(binding) => (&binding.name, self.eval(&binding.value)?),
            Statement::Declare(d) => {
                let initial = if self.place.initializes() { Some(self.initial(&d.initial)?) } else { None };
                (&d.name, self.place.declare(self.graph, d, initial)?)
            }
            Statement::From(_) => return Ok(()),
        };
        self.names.insert(name.text.clone(), term);
        Ok(())
    }

    fn initial(&mut self, initial: &Initial) -> Result<Term, Diagnostic> {
        match initial {
            Initial::Draw(expr) | Initial::Compute(expr) => self.eval(expr),
        }
    }

    /// What an expression stands for.
    pub(crate) fn eval(&mut self, expr: &Expr) -> Result<Term, Diagnostic> {
        let span = expr.span;
        match &expr.node {
            #[allow(clippy::cast_precision_loss)] // numbers in definitions are real numbers
            ExprKind::Integer(n) => Ok(Term::Known(Value::Float(*n as f64))),
            ExprKind::Float(x) => Ok(Term::Known(Value::Float(*x))),
            ExprKind::String(s) => Ok(Term::Known(Value::String(s.clone()))),
            ExprKind::Bool(b) => Ok(Term::Known(Value::Bool(*b))),
            ExprKind::Path(path) => self.path(path, span),
            ExprKind::Unary(op, a) => {
                let a = self.eval(a)?;
                arithmetic::unary(self.graph, *op, a, span)
            }
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, span),
            ExprKind::Call { callee, arguments } => self.call(callee, arguments, span),
            ExprKind::If { condition, yes, no } => {
                let branch = if self.condition(condition)? { yes } else { no };
                self.eval(branch)
            }
            ExprKind::Match { subject, arms } => self.choose(subject, arms, span),
            ExprKind::List(_) | ExprKind::Flow { .. } => Err(complain::no_such_expression(span)),
        }
    }

    fn path(&mut self, path: &Path, span: Span) -> Result<Term, Diagnostic> {
        let name = path.to_string();
        if let Some(term) = self.names.get(&name) {
            return Ok(term.clone());
        }
        if let Some(reason) = self.absent.get(&name) {
            return Err(complain::absent(&name, reason, span));
        }
        if let Some(result) = self.place.name(self.graph, &name, &BTreeMap::new(), span) {
            return result;
        }
        Err(complain::unknown_name(&name, self.names.keys(), span))
    }

    /// `and` and `or` look at their right side only where it matters, if the left side is known.
    fn binary(&mut self, op: BinaryOp, a: &Expr, b: &Expr, span: Span) -> Result<Term, Diagnostic> {
        let left = self.eval(a)?;
        match (op, &left) {
            (BinaryOp::And, Term::Known(Value::Bool(false))) | (BinaryOp::Or, Term::Known(Value::Bool(true))) => {
                Ok(left)
            }
            _ => {
                let right = self.eval(b)?;
                arithmetic::binary(self.graph, op, (left, a.span), (right, b.span), span)
            }
        }
    }

    fn condition(&mut self, condition: &Expr) -> Result<bool, Diagnostic> {
        match self.eval(condition)? {
            Term::Known(Value::Bool(holds)) => Ok(holds),
            Term::Known(_) => Err(complain::not_a_condition(condition.span)),
            Term::Node(..) => Err(complain::condition_not_known(condition.span)),
        }
    }

    fn choose(&mut self, subject: &Expr, arms: &[gmpc_grammar::ast::Arm], span: Span) -> Result<Term, Diagnostic> {
        let Term::Known(subject) = self.eval(subject)? else {
            return Err(complain::condition_not_known(subject.span));
        };
        for arm in arms {
            let fits = match &arm.pattern {
                None => true,
                Some(Expr { node: ExprKind::Path(word), .. }) if !self.names.contains_key(&word.to_string()) => {
                    arithmetic::word(&subject) == Some(word.to_string().as_str())
                }
                Some(pattern) => match self.eval(pattern)? {
                    Term::Known(value) => arithmetic::same(&subject, &value),
                    Term::Node(..) => return Err(complain::condition_not_known(pattern.span)),
                },
            };
            if fits {
                return self.eval(&arm.value);
            }
        }
        Err(complain::no_arm(span))
    }

    fn call(&mut self, callee: &Path, arguments: &[Argument], span: Span) -> Result<Term, Diagnostic> {
        let name = callee.to_string();
        if arguments.iter().any(|a| a.name.is_some()) {
            return self.call_with_names(&name, arguments, span);
        }
        let terms = arguments.iter().map(|a| self.eval(&a.value)).collect::<Result<Vec<_>, _>>()?;
        let spans: Vec<Span> = arguments.iter().map(|a| a.value.span).collect();
        if let Some(result) = self.place.call(self.graph, &name, &terms, span) {
            return result;
        }
        if let Some(result) = call::shared(self.graph, &name, &terms, &spans, span) {
            return result;
        }
        if terms.is_empty()
            && let Some(result) = self.place.name(self.graph, &name, &BTreeMap::new(), span)
        {
            return result;
        }
        Err(complain::unknown_call(&name, self.place.calls().iter().chain(call::NAMES), span))
    }

    /// Only definitions have named arguments: `glorot(gain = 2)` inside another initializer.
    fn call_with_names(&mut self, name: &str, arguments: &[Argument], span: Span) -> Result<Term, Diagnostic> {
        let mut values = BTreeMap::new();
        for argument in arguments {
            let Some(key) = &argument.name else { return Err(complain::no_named_arguments(name, span)) };
            let Term::Known(value) = self.eval(&argument.value)? else {
                return Err(complain::condition_not_known(argument.value.span));
            };
            values.insert(key.text.clone(), value);
        }
        match self.place.name(self.graph, name, &values, span) {
            Some(result) => result,
            None => Err(complain::no_named_arguments(name, span)),
        }
    }
}

/// A term as a node; a known number becomes a constant.
pub(crate) fn node(graph: &mut Graph, term: &Term, span: Span) -> Result<(Id, Role), Diagnostic> {
    match term {
        Term::Node(id, role) => Ok((*id, *role)),
        Term::Known(value) => Ok((graph.constant(number(value, span)?), Role::Scalar)),
    }
}

/// A term as a node of this shape: numbers are repeated, other shapes must fit.
pub(crate) fn node_of_shape(graph: &mut Graph, term: &Term, shape: &[usize], span: Span) -> Result<Id, Diagnostic> {
    let (id, role) = node(graph, term, span)?;
    let found = graph.shape(id);
    let fits =
        found.is_empty() || found.len() == shape.len() && found.iter().zip(shape).all(|(a, b)| a == b || *a == 1);
    if !fits {
        return Err(complain::wrong_shape(role, found, shape, span));
    }
    Ok(graph.expand(id, shape))
}

/// A known value as a number.
pub(crate) fn number(value: &Value, span: Span) -> Result<f64, Diagnostic> {
    match value {
        #[allow(clippy::cast_precision_loss)] // numbers in definitions are real numbers
        Value::Integer(n) => Ok(*n as f64),
        Value::Float(x) => Ok(*x),
        _ => Err(complain::not_a_number(value, span)),
    }
}
