//! `formula(y, x = [-10, 10], points = 50, noise = 0.1, test = 201, draw = 0)`: data computed from a formula of one `x`.
//!
//! The bindings of the data set's body are steps towards `y`; they become a graph on `x` of shape `[1, 1]`.

use super::Said;
use crate::arguments::Bound;
use crate::constant::number;
use crate::experiment::Formula;
use crate::graph::{Graph, Id, Op};
use crate::module::Value;
use crate::resolve::context::Context;
use crate::suggest::suggestion;
use gmpc_grammar::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

const DEFAULT_POINTS: usize = 100;
const DEFAULT_TEST_POINTS: usize = 201;
/// More points than this are no toy any more, and would be computed one by one.
const MOST_POINTS: usize = 1 << 24;

const FUNCTIONS: [(&str, Op); 7] = [
    ("sin", Op::Sin),
    ("cos", Op::Cos),
    ("exp", Op::Exp),
    ("log", Op::Log),
    ("sqrt", Op::Sqrt),
    ("abs", Op::Abs),
    ("tanh", Op::Tanh),
];

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

/// A graph while it is built, and what each name stands for.
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
        let id = builder.build(&step.value)?;
        builder.names.insert(&step.name.text, id);
    }
    let y = builder.build(y)?;
    let y = builder.graph.expand(y, &[1, 1]);
    builder.graph.output("y", y);
    Ok(builder.graph)
}

impl Builder<'_> {
    fn build(&mut self, expr: &Expr) -> Result<Id, Diagnostic> {
        let from = self.graph.nodes.len();
        let id = self.node(expr)?;
        self.graph.mark(from, expr.span);
        Ok(id)
    }

    #[allow(clippy::cast_precision_loss)] // whole numbers beyond 2^53 are rounded, as in any formula
    fn node(&mut self, expr: &Expr) -> Result<Id, Diagnostic> {
        match &expr.node {
            ExprKind::Integer(n) => Ok(self.graph.constant(*n as f64)),
            ExprKind::Float(x) => Ok(self.graph.constant(*x)),
            ExprKind::Path(path) => self.named(&path.to_string(), expr.span),
            ExprKind::Unary(UnaryOp::Negate, operand) => {
                let operand = self.build(operand)?;
                Ok(self.graph.unary(Op::Neg, operand))
            }
            ExprKind::Binary(operator, left, right) => {
                let op = match operator {
                    BinaryOp::Add => Op::Add,
                    BinaryOp::Subtract => Op::Sub,
                    BinaryOp::Multiply => Op::Mul,
                    BinaryOp::Divide => Op::Div,
                    BinaryOp::Power => Op::Pow,
                    _ => return Err(not_in_a_formula(expr.span)),
                };
                let (left, right) = (self.build(left)?, self.build(right)?);
                Ok(self.graph.binary(op, left, right))
            }
            ExprKind::Call { callee, arguments } => {
                let name = callee.to_string();
                let Some((_, op)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
                    return Err(unknown(&name, callee.span(), FUNCTIONS.iter().map(|(known, _)| *known)));
                };
                let [only] = arguments.as_slice() else { return Err(not_in_a_formula(expr.span)) };
                let operand = self.build(&only.value)?;
                Ok(self.graph.unary(op.clone(), operand))
            }
            _ => Err(not_in_a_formula(expr.span)),
        }
    }

    fn named(&mut self, name: &str, span: Span) -> Result<Id, Diagnostic> {
        if let Some(id) = self.names.get(name) {
            return Ok(*id);
        }
        if let Some(value) = self.parameters.get(name).and_then(number) {
            return Ok(self.graph.constant(value));
        }
        if name == "pi" {
            return Ok(self.graph.constant(std::f64::consts::PI));
        }
        let known = self.names.keys().copied().chain(self.parameters.keys().map(String::as_str)).chain(["pi"]);
        Err(unknown(name, span, known))
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
        .help("functions: `sin`, `cos`, `exp`, `log`, `sqrt`, `abs`, `tanh`")
}
