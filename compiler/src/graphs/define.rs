//! The vocabulary of graph operations. It turns the body of a definition (parameterization, modifier, initializer, loss, metric,
//! optimizer) into nodes of a graph.
//!
//! ```text
//! s = dot(spherical(theta), x)       %3 = spherical %2      : [13, 100]
//! r * act(s + lambda)                %4 = matmul %0 %3      : [64, 100]   …
//! ```
//!
//! A name stands for a [`Term`]: a known value, or a node with [`Axes`] that say what its axes mean. Arithmetic on known
//! values is done here, so that `1 - beta1` is one constant and `weight_decay = 0` adds no nodes. [`Builtins`] say which other
//! functions can be called: `dot` and `act` in a parameterization, `log_sum_exp` in a loss, `normal` in an initializer.

mod arithmetic;
pub(crate) mod call;
mod complain;
mod formulas;
mod matrix;
pub(crate) mod over;
mod reduce;
mod reduced;
mod reduction;

pub(crate) use complain::cannot_reduce;
pub(crate) use complain::condition_not_known as not_known;
#[cfg(test)]
pub(crate) use formulas::{relu, sigmoid, softplus};
pub(crate) use reduce::{norm, variance};

use crate::front::functions::{self, Dialect};
use crate::front::interpret::{Choices, Literal, Statements, Vocabulary, choose};
use crate::ir::axes::Axes;
use crate::ir::graph::{Graph, Id};
use crate::ir::module::{Instance, Value};
use gmpc_grammar::ast::{
    Argument, BinaryOp, Binding, Body, Declaration, Expr, ExprKind, From, Initial, Path, Stage, UnaryOp,
};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use over::Reduce;
use std::collections::BTreeMap;

/// The value of a name or an expression.
#[derive(Debug, Clone)]
pub(crate) enum Term {
    /// Known while compiling.
    Known(Value),
    /// Computed by the graph.
    Node(Id, Axes),
}

/// The functions and names that only one kind of definition has.
pub(crate) trait Builtins {
    /// Evaluates a call. `None` if this kind of definition has no such function.
    fn call(
        &mut self,
        graph: &mut Graph,
        name: &str,
        arguments: &[Term],
        span: Span,
    ) -> Option<Result<Term, Diagnostic>>;

    /// Evaluates a name that the definition does not bind, or a call of it: an initializer inside another one.
    fn name(
        &mut self,
        _graph: &mut Graph,
        _name: &str,
        _arguments: &BTreeMap<String, Value>,
        _span: Span,
    ) -> Option<Result<Term, Diagnostic>> {
        None
    }

    /// Evaluates a reduction, if it means something else here than in other definitions: statistics of a batch. `None`: it means
    /// the same as everywhere.
    fn reduce(&mut self, _graph: &mut Graph, _reduce: &Reduce<'_>) -> Option<Result<Term, Diagnostic>> {
        None
    }

    /// No gradient goes back through this node. Definitions that are not differentiated need not know.
    fn stop(&mut self, _id: Id) {}

    /// A name is bound to a value. `Some` replaces the value: the state of a definition in evaluation keeps its own.
    fn bound(&mut self, _graph: &mut Graph, _name: &str, _term: &Term) -> Option<Result<Term, Diagnostic>> {
        None
    }

    /// Returns the dialects whose functions can be called here, for "did you mean": those of [`Builtins::call`] and those that
    /// every definition has.
    fn dialects(&self) -> &'static [Dialect];

    /// The following statements belong to this modifier, or to the parameterization again (`None`).
    fn enter(&mut self, _modifier: Option<&Instance>) {}

    /// Do declarations get their initial values here? Only then are these evaluated.
    fn initializes(&self) -> bool {
        false
    }

    /// May a declaration here take its first value from the first batch?
    fn takes_first_batch(&self) -> bool {
        false
    }

    /// The initial value of this declaration is evaluated next: draws have its shape.
    fn declaring(&mut self, _declaration: &Declaration) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// Returns the term of a declared name. `initial` is its initial value if [`Builtins::initializes`].
    fn declare(
        &mut self,
        _graph: &mut Graph,
        declaration: &Declaration,
        _initial: Option<Term>,
    ) -> Result<Term, Diagnostic> {
        Err(complain::no_declaration(&declaration.name))
    }
}

/// One definition during its evaluation.
pub(crate) struct Scope<'a, P> {
    /// The graph that nodes are added to.
    pub(crate) graph: &'a mut Graph,
    /// The functions and names of this kind of definition.
    pub(crate) builtins: &'a mut P,
    /// The current term of each name.
    pub(crate) names: BTreeMap<String, Term>,
    /// Names that exist but have no value here, and why: `x` at initialization.
    pub(crate) absent: BTreeMap<String, &'static str>,
    /// `Some(reason)`: a binding may fail, because it may be a formula of the input. Its name is then absent for this reason.
    /// `None`: every binding must have a value.
    pub(crate) unknown: Option<&'static str>,
}

impl<'a, P: Builtins> Scope<'a, P> {
    /// A scope with the arguments of an instance.
    pub(crate) fn new(graph: &'a mut Graph, builtins: &'a mut P, instance: &Instance) -> Self {
        let mut scope = Scope { graph, builtins, names: BTreeMap::new(), absent: BTreeMap::new(), unknown: None };
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
    pub(crate) fn set_node(&mut self, name: &str, id: Id, axes: Axes) {
        self.names.insert(name.to_string(), Term::Node(id, axes));
    }

    /// Binds a name to a number.
    pub(crate) fn set_size(&mut self, name: &str, size: usize) {
        self.names.insert(name.to_string(), Term::Known(Value::Float(size as f64)));
    }

    /// Evaluates a call with named arguments. Only definitions have them: `glorot(gain = 2)` inside another initializer.
    fn call_with_names(&mut self, name: &str, arguments: &[Argument], span: Span) -> Result<Term, Diagnostic> {
        let mut values = BTreeMap::new();
        for argument in arguments {
            let Some(key) = &argument.name else { return Err(complain::no_named_arguments(name, span)) };
            let Term::Known(value) = self.evaluate(&argument.value)? else {
                return Err(complain::condition_not_known(argument.value.span));
            };
            values.insert(key.text.clone(), value);
        }
        match self.builtins.name(self.graph, name, &values, span) {
            Some(result) => result,
            None => Err(complain::no_named_arguments(name, span)),
        }
    }
}

impl<'e, P: Builtins> Vocabulary<'e> for Scope<'_, P> {
    type Value = Term;
    type Failure = Diagnostic;

    fn literal(&mut self, literal: Literal<'e>, _: Span) -> Result<Term, Diagnostic> {
        Ok(Term::Known(match literal {
            // Numbers in definitions are real numbers.
            Literal::Integer(n) => Value::Float(n as f64),
            Literal::Float(x) => Value::Float(x),
            Literal::String(text) => Value::String(text.to_string()),
            Literal::Bool(b) => Value::Bool(b),
        }))
    }

    fn name(&mut self, path: &'e Path, span: Span) -> Result<Term, Diagnostic> {
        let name = path.to_string();
        if let Some(term) = self.names.get(&name) {
            return Ok(term.clone());
        }
        if let Some(reason) = self.absent.get(&name) {
            return Err(complain::absent(&name, reason, span));
        }
        if let Some(result) = self.builtins.name(self.graph, &name, &BTreeMap::new(), span) {
            return result;
        }
        Err(complain::unknown_name(&name, self.names.keys(), span))
    }

    fn list(&mut self, _: &'e [Expr], expr: &'e Expr) -> Result<Term, Diagnostic> {
        Err(complain::no_such_expression(expr.span))
    }

    fn truth(&self, term: &Term) -> Option<bool> {
        match term {
            Term::Known(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    fn unary(&mut self, operator: UnaryOp, (operand, _): (Term, Span), span: Span) -> Result<Term, Diagnostic> {
        arithmetic::unary(self.graph, operator, operand, span)
    }

    fn binary(
        &mut self,
        operator: BinaryOp,
        left: (Term, Span),
        right: (Term, Span),
        span: Span,
    ) -> Result<Term, Diagnostic> {
        arithmetic::binary(self.graph, operator, left, right, span)
    }

    fn call(&mut self, callee: &'e Path, arguments: &'e [Argument], expr: &'e Expr) -> Result<Term, Diagnostic> {
        let (name, span) = (callee.to_string(), expr.span);
        if let Some(result) = self.reduction(&name, arguments, span) {
            return result;
        }
        if arguments.iter().any(|a| a.name.is_some()) {
            return self.call_with_names(&name, arguments, span);
        }
        let terms = arguments.iter().map(|a| self.evaluate(&a.value)).collect::<Result<Vec<_>, _>>()?;
        let spans: Vec<Span> = arguments.iter().map(|a| a.value.span).collect();
        // Builtins come first: `mean` over the batch in a loss hides the `mean` over inputs that every definition has.
        if let Some(result) = self.builtins.call(self.graph, &name, &terms, span) {
            return result;
        }
        if let Some(result) = call::shared(self.graph, &name, &terms, &spans, span) {
            return result;
        }
        if name == "stop_gradient" {
            return self.stop_gradient(&terms, span);
        }
        if terms.is_empty()
            && let Some(result) = self.builtins.name(self.graph, &name, &BTreeMap::new(), span)
        {
            return result;
        }
        Err(complain::unknown_call(&name, functions::names(self.builtins.dialects()), span))
    }

    fn chosen(&mut self, expr: &'e Expr) -> Result<&'e Expr, Diagnostic> {
        choose(self, expr)
    }

    fn flow(&mut self, _: &'e Expr, _: &'e [Stage], span: Span) -> Result<Term, Diagnostic> {
        Err(complain::no_such_expression(span))
    }
}

/// A `match` in a definition compares values. A name that is not bound is a word, and is compared as text.
impl<'e, P: Builtins> Choices<'e> for Scope<'_, P> {
    type Subject = Value;

    // A pattern can be an expression that adds nodes, so patterns after the first one that fits are not evaluated.
    const EVERY_PATTERN: bool = false;

    fn no_condition(&mut self, term: &Term, span: Span) -> Diagnostic {
        match term {
            Term::Known(_) => complain::not_a_condition(span),
            Term::Node(..) => complain::condition_not_known(span),
        }
    }

    fn subject(&mut self, subject: &'e Expr) -> Result<Value, Diagnostic> {
        match self.evaluate(subject)? {
            Term::Known(value) => Ok(value),
            Term::Node(..) => Err(complain::condition_not_known(subject.span)),
        }
    }

    fn fits(&mut self, subject: &Value, pattern: &'e Expr) -> Result<bool, Diagnostic> {
        if let ExprKind::Path(word) = &pattern.node
            && !self.names.contains_key(&word.to_string())
        {
            return Ok(arithmetic::word(subject) == Some(word.to_string().as_str()));
        }
        match self.evaluate(pattern)? {
            Term::Known(value) => Ok(arithmetic::same(subject, &value)),
            Term::Node(..) => Err(complain::condition_not_known(pattern.span)),
        }
    }

    fn no_arm(&mut self, _: &Value, span: Span) -> Diagnostic {
        complain::no_arm(span)
    }
}

impl<'e, P: Builtins> Statements<'e> for Scope<'_, P> {
    fn bind(&mut self, binding: &'e Binding) -> Result<(), Diagnostic> {
        let (name, before) = (&binding.name.text, self.graph.nodes.len());
        match (self.evaluate(&binding.value), self.unknown) {
            (Ok(term), _) => {
                let term = self.builtins.bound(self.graph, name, &term).unwrap_or(Ok(term))?;
                self.names.insert(name.clone(), term);
            }
            (Err(error), None) => return Err(error),
            // Nodes of the failed expression are removed again: some may depend on values that do not exist.
            (Err(_), Some(reason)) => {
                self.graph.nodes.truncate(before);
                self.names.remove(name);
                self.absent.insert(name.clone(), reason);
            }
        }
        Ok(())
    }

    fn declare(&mut self, declaration: &'e Declaration) -> Result<(), Diagnostic> {
        self.builtins.declaring(declaration)?;
        let initial = match &declaration.initial {
            Initial::Compute(expr) if first_batch(expr).is_some() && self.builtins.initializes() => {
                Some(Term::Known(Value::Float(before_first_batch(declaration, expr, self.builtins)?)))
            }
            Initial::Draw(expr) | Initial::Compute(expr) if self.builtins.initializes() => Some(self.evaluate(expr)?),
            Initial::Draw(_) | Initial::Compute(_) => None,
        };
        let term = self.builtins.declare(self.graph, declaration, initial)?;
        self.names.insert(declaration.name.text.clone(), term);
        Ok(())
    }

    /// `from` sections are skipped here: only conversion evaluates them.
    fn section(&mut self, _: &'e From) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn no_result(&mut self, body: &'e Body) -> Diagnostic {
        complain::no_result(body.span)
    }
}

/// Returns the formula of a first value that comes from the first batch: `first_batch(1 / sqrt(var(s)))`.
pub(crate) fn first_batch(expr: &Expr) -> Option<&Expr> {
    match &expr.node {
        ExprKind::Call { callee, arguments } if callee.to_string() == "first_batch" => match arguments.as_slice() {
            [Argument { name: None, value }] => Some(value),
            _ => None,
        },
        _ => None,
    }
}

/// The value with which the formula of the first batch is computed: it neither scales nor moves anything.
fn before_first_batch<P: Builtins>(declaration: &Declaration, expr: &Expr, builtins: &P) -> Result<f64, Diagnostic> {
    if !builtins.takes_first_batch() {
        return Err(complain::no_first_batch_here(expr.span));
    }
    match declaration.kind.text.as_str() {
        "unit" if declaration.axes.is_none() => Ok(1.0),
        "offset" if declaration.axes.is_none() => Ok(0.0),
        _ => Err(complain::no_first_batch(declaration.kind.span, expr.span)),
    }
}

/// Returns a term as a node. A known number becomes a constant.
pub(crate) fn node(graph: &mut Graph, term: &Term, span: Span) -> Result<(Id, Axes), Diagnostic> {
    match term {
        Term::Node(id, axes) => Ok((*id, *axes)),
        Term::Known(value) => Ok((graph.constant(number(value, span)?), Axes::SCALAR)),
    }
}

/// Returns a term as a node of this shape. Scalars, and axes of size 1, are repeated; other shapes are errors.
pub(crate) fn node_of_shape(graph: &mut Graph, term: &Term, shape: &[usize], span: Span) -> Result<Id, Diagnostic> {
    let (id, axes) = node(graph, term, span)?;
    let found = graph.shape(id);
    let fits =
        found.is_empty() || found.len() == shape.len() && found.iter().zip(shape).all(|(a, b)| a == b || *a == 1);
    if !fits {
        return Err(complain::wrong_shape(axes, found, shape, span));
    }
    Ok(graph.expand(id, shape))
}

/// Returns a known value as a number.
pub(crate) fn number(value: &Value, span: Span) -> Result<f64, Diagnostic> {
    match value {
        Value::Integer(n) => Ok(*n as f64),
        Value::Float(x) => Ok(*x),
        _ => Err(complain::not_a_number(value, span)),
    }
}

#[cfg(test)]
mod tests;
