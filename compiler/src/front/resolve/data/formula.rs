//! `formula(y, x = [-10, 10], points = 50, noise = 0.1, test = 201, draw = 0)`: data computed from a formula of one `x`.
//!
//! The bindings of the data set's body are steps of the computation of `y`. They become a graph with an input `x` of shape
//! `[1, 1]`.

use super::Said;
use crate::front::arguments::Bound;
use crate::front::constant::number;
use crate::front::functions::{self, Dialect};
use crate::front::interpret::{Literal, Operator, Vocabulary, walk};
use crate::front::resolve::context::Context;
use crate::front::suggest::{listed, suggestion};
use crate::ir::experiment::Formula;
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::Value;
use gmpc_grammar::ast::{Argument, BinaryOp, Expr, Path, Stage, UnaryOp};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

const DEFAULT_POINTS: usize = 100;
const DEFAULT_TEST_POINTS: usize = 201;
/// The most points of a formula. They are computed one by one, so more would take too long.
const MOST_POINTS: usize = 1 << 24;
/// The functions that a formula may call.
const DIALECT: &[Dialect] = &[Dialect::Formulas];

/// Reads the source.
pub(super) fn formula(bound: &Bound<'_>, said: &Said<'_>, context: &mut Context<'_>) -> Option<Formula> {
    let get = |key: &str| bound.get(key).copied();
    let range = range(get("x")?, context);
    let points = get("points").map_or(Some(DEFAULT_POINTS), |e| number_of_points("points", e, 1, context));
    let test_points = get("test").map_or(Some(DEFAULT_TEST_POINTS), |e| number_of_points("test", e, 2, context));
    let noise = get("noise").map_or(Some(0.0), |e| context.number("noise", e, ", 0 or more", |x| x >= 0.0));
    let draw = get("draw").map_or(Some(0), |e| context.whole("draw", e, 0));
    let graph = graph(get("y")?, said).map_err(|error| vec![error]);
    let graph = context.keep(graph);
    let (low, high) = range?;
    Some(Formula { graph: graph?, low, high, points: points?, noise: noise?, test_points: test_points?, draw: draw? })
}

fn number_of_points(what: &str, expr: &Expr, least: u64, context: &mut Context<'_>) -> Option<usize> {
    let count = context.count(what, expr, least)?;
    if count <= MOST_POINTS {
        return Some(count);
    }
    // Saturated, because the number is only shown in a message.
    let value = Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
    context.unfit(what, &format!("at most {MOST_POINTS}"), expr, &value)
}

fn range(expr: &Expr, context: &mut Context<'_>) -> Option<(f64, f64)> {
    let value = context.value(expr)?;
    if let Value::List(items) = &value
        && let [low, high] = items.as_slice()
        && let (Some(low), Some(high)) = (number(low), number(high))
        && low < high
    {
        return Some((low, high));
    }
    context.unfit("x", "a range, as in `[-10, 10]`", expr, &value)
}

/// The vocabulary of formulas: a graph under construction, and the nodes of its names.
struct Builder<'a> {
    graph: Graph,
    names: BTreeMap<&'a str, Id>,
    parameters: &'a BTreeMap<String, Value>,
}

fn graph(y: &Expr, said: &Said<'_>) -> Result<Graph, Diagnostic> {
    let mut graph = Graph::default();
    let x = graph.input("x", vec![1, 1]);
    let mut builder = Builder { graph, names: BTreeMap::from([("x", x)]), parameters: &said.parameters };
    for step in &said.steps {
        let id = builder.evaluate(&step.value)?;
        builder.names.insert(&step.name.text, id);
    }
    let y = builder.evaluate(y)?;
    let y = builder.graph.expand(y, &[1, 1]);
    builder.graph.output("y", y);
    Ok(builder.graph)
}

/// Returns the operation of an operator, `None` if formulas do not have this operator.
fn operation(operator: BinaryOp) -> Option<Op> {
    match operator {
        BinaryOp::Add => Some(Op::Add),
        BinaryOp::Subtract => Some(Op::Sub),
        BinaryOp::Multiply => Some(Op::Mul),
        BinaryOp::Divide => Some(Op::Div),
        BinaryOp::Power => Some(Op::Pow),
        BinaryOp::Or | BinaryOp::And => None,
        BinaryOp::Equal | BinaryOp::NotEqual => None,
        BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => None,
    }
}

impl<'e> Vocabulary<'e> for Builder<'_> {
    type Value = Id;
    type Failure = Diagnostic;

    /// Gives every new node the span of its expression.
    fn evaluate(&mut self, expr: &'e Expr) -> Result<Id, Diagnostic> {
        let from = self.graph.nodes.len();
        let id = walk(self, expr)?;
        self.graph.mark(from, expr.span);
        Ok(id)
    }

    fn literal(&mut self, literal: Literal<'e>, span: Span) -> Result<Id, Diagnostic> {
        match literal {
            // Whole numbers beyond 2^53 are rounded, because a formula computes with floats.
            Literal::Integer(n) => Ok(self.graph.constant(n as f64)),
            Literal::Float(x) => Ok(self.graph.constant(x)),
            Literal::String(_) | Literal::Bool(_) => Err(not_in_a_formula(span)),
        }
    }

    fn name(&mut self, path: &'e Path, span: Span) -> Result<Id, Diagnostic> {
        let name = path.to_string();
        if let Some(id) = self.names.get(name.as_str()) {
            return Ok(*id);
        }
        if let Some(value) = self.parameters.get(&name).and_then(number) {
            return Ok(self.graph.constant(value));
        }
        if name == "pi" {
            return Ok(self.graph.constant(std::f64::consts::PI));
        }
        let known = self.names.keys().copied().chain(self.parameters.keys().map(String::as_str)).chain(["pi"]);
        Err(unknown(&name, span, known))
    }

    fn list(&mut self, _: &'e [Expr], expr: &'e Expr) -> Result<Id, Diagnostic> {
        Err(not_in_a_formula(expr.span))
    }

    fn permits(&mut self, operator: Operator, span: Span) -> Result<(), Diagnostic> {
        match operator {
            Operator::Unary(UnaryOp::Negate) => Ok(()),
            Operator::Binary(operator) if operation(operator).is_some() => Ok(()),
            Operator::Unary(UnaryOp::Not) | Operator::Binary(_) => Err(not_in_a_formula(span)),
        }
    }

    /// Always `None`: a formula computes numbers and has no conditions.
    fn truth(&self, _: &Id) -> Option<bool> {
        None
    }

    fn unary(&mut self, operator: UnaryOp, (operand, _): (Id, Span), span: Span) -> Result<Id, Diagnostic> {
        match operator {
            UnaryOp::Negate => Ok(self.graph.unary(Op::Neg, operand)),
            UnaryOp::Not => Err(not_in_a_formula(span)),
        }
    }

    fn binary(
        &mut self,
        operator: BinaryOp,
        (left, _): (Id, Span),
        (right, _): (Id, Span),
        span: Span,
    ) -> Result<Id, Diagnostic> {
        let op = operation(operator).ok_or_else(|| not_in_a_formula(span))?;
        Ok(self.graph.binary(op, left, right))
    }

    fn call(&mut self, callee: &'e Path, arguments: &'e [Argument], expr: &'e Expr) -> Result<Id, Diagnostic> {
        let name = callee.to_string();
        let Some(op) = functions::find(&name, DIALECT).and_then(|function| function.op.clone()) else {
            return Err(unknown(&name, callee.span(), functions::names(DIALECT)));
        };
        let [only] = arguments else { return Err(not_in_a_formula(expr.span)) };
        let operand = self.evaluate(&only.value)?;
        Ok(self.graph.unary(op, operand))
    }

    fn chosen(&mut self, expr: &'e Expr) -> Result<&'e Expr, Diagnostic> {
        Err(not_in_a_formula(expr.span))
    }

    fn flow(&mut self, _: &'e Expr, _: &'e [Stage], span: Span) -> Result<Id, Diagnostic> {
        Err(not_in_a_formula(span))
    }
}

fn unknown<'a>(name: &str, span: Span, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    Diagnostic::error("E0710", format!("`{name}` is not known in this formula"))
        .label(span, "unknown")
        .help(suggestion(name, "known here", known))
}

fn not_in_a_formula(span: Span) -> Diagnostic {
    Diagnostic::error("E0711", "a formula is made of numbers, `x`, arithmetic and functions of one value")
        .label(span, "this is something else")
        .help(format!("functions: {}", listed(&functions::names(DIALECT).collect::<Vec<_>>())))
}
