//! Bodies and expressions: bindings in order, then the flow that is the output.

use super::{Builder, DEEPEST, Frame, Maybe, STAGES, Thing, complain};
use crate::constant::{Scope, branch, evaluate};
use crate::module::Value;
use crate::resolve::{param_use, walk};
use gmpc_grammar::ast::{BinaryOp, Binding, Body, Expr, ExprKind, Path, Statement, UnaryOp};
use gmpc_grammar::source::Span;

/// Words that stand for themselves: activations, which can be handed to a block by name, `residual(64, act = tanh)`, and
/// the padding `same`.
const WORDS: [&str; 8] = ["relu", "leaky_relu", "tanh", "sigmoid", "gelu", "softplus", "identity", "same"];

impl<'m> Builder<'m> {
    /// The layer a body ends in.
    pub(super) fn body(&mut self, body: &'m Body, frame: &mut Frame) -> Maybe<usize> {
        for statement in &body.statements {
            match statement {
                Statement::Bind(binding) => self.bind(binding, frame),
                Statement::Declare(declaration) => _ = self.fail::<()>(complain::declared(declaration)),
                Statement::From(from) => _ = self.fail::<()>(complain::from_part(from.span)),
            }
            if self.stopped {
                return None;
            }
        }
        let Some(result) = &body.result else {
            return self.fail(complain::no_result(body));
        };
        match self.thing(result, frame)? {
            Thing::Tensor(layer) => Some(layer),
            Thing::Known(_) => self.fail(complain::not_a_tensor(result.span, "the output of a body")),
        }
    }

    fn bind(&mut self, binding: &'m Binding, frame: &mut Frame) {
        let name = &binding.name.text;
        if !self.step(binding.name.span) {
            return;
        }
        if name == "param" {
            let param = param_use(&binding.value, &self.scope(frame));
            if let Some(param) = self.keep(param) {
                frame.param = param;
            }
            return;
        }
        let first = frame.bound.insert(name.clone(), binding.name.span);
        if first.is_some() || name == "input" {
            let _: Maybe<()> = self.fail(complain::bound_twice(&binding.name, first));
        }
        match self.thing(&binding.value, frame) {
            Some(Thing::Known(value)) => _ = frame.names.insert(name.clone(), value),
            Some(Thing::Tensor(layer)) => _ = frame.tensors.insert(name.clone(), Some(layer)),
            None => _ = frame.tensors.insert(name.clone(), None),
        }
    }

    /// What compile-time values may refer to.
    pub(super) fn scope<'a>(&'a self, frame: &'a Frame) -> Scope<'a> {
        let definitions = &self.module.definitions;
        Scope { param: Some(&frame.param), words: &WORDS, ..Scope::new(&frame.names, definitions) }
    }

    /// A compile-time value.
    pub(super) fn known(&mut self, expr: &Expr, frame: &Frame) -> Maybe<Value> {
        let mut missing = None;
        walk::in_expr(expr, &mut |path| {
            let name = path.to_string();
            if name.starts_with("data.") && !frame.names.contains_key(&name) {
                missing = Some((name, path.span()));
            }
        });
        if let Some((name, span)) = missing {
            return self.no_data_value(&name, span, frame);
        }
        let value = evaluate(expr, &self.scope(frame)).map_err(|e| vec![e]);
        self.keep(value)
    }

    /// What an expression stands for.
    pub(super) fn thing(&mut self, expr: &'m Expr, frame: &mut Frame) -> Maybe<Thing> {
        if self.depth >= DEEPEST {
            return self.stop(complain::too_deep(expr.span));
        }
        self.depth += 1;
        let thing = self.shallow(expr, frame);
        self.depth -= 1;
        thing
    }

    fn shallow(&mut self, expr: &'m Expr, frame: &mut Frame) -> Maybe<Thing> {
        match &expr.node {
            ExprKind::If { .. } | ExprKind::Match { .. } => {
                let chosen = branch(expr, &self.scope(frame)).map_err(|e| vec![e]);
                let chosen = self.keep(chosen)?;
                self.thing(chosen, frame)
            }
            ExprKind::Path(path) => self.named(path, expr, frame),
            ExprKind::Flow { source, stages } => self.flow(source, stages, frame).map(Thing::Tensor),
            ExprKind::Unary(UnaryOp::Negate, operand) if self.flows(operand, frame) => {
                let layer = self.operand(operand, frame)?;
                self.scaled(layer, BinaryOp::Multiply, -1.0, true, expr.span, frame).map(Thing::Tensor)
            }
            ExprKind::Binary(operator, left, right) if self.flows(expr, frame) => {
                self.arithmetic(*operator, left, right, expr.span, frame).map(Thing::Tensor)
            }
            ExprKind::Call { callee, arguments } => {
                let name = callee.to_string();
                if name == "concat" {
                    return self.concat(arguments, expr.span, frame).map(Thing::Tensor);
                }
                if STAGES.contains(&name.as_str()) || self.is_block(&name) {
                    return self.fail(complain::stage_alone(&name, expr.span));
                }
                self.known(expr, frame).map(Thing::Known)
            }
            _ => self.known(expr, frame).map(Thing::Known),
        }
    }

    fn named(&mut self, path: &Path, expr: &Expr, frame: &Frame) -> Maybe<Thing> {
        let name = path.to_string();
        if let Some(layer) = frame.tensors.get(&name) {
            return layer.map(Thing::Tensor);
        }
        if !frame.names.contains_key(&name) && (STAGES.contains(&name.as_str()) || self.is_block(&name)) {
            return self.fail(complain::stage_alone(&name, expr.span));
        }
        if frame.names.contains_key(&name) {
            return self.known(expr, frame).map(Thing::Known);
        }
        if name.starts_with("data.") {
            return self.no_data_value(&name, path.span(), frame);
        }
        let known = frame.tensors.keys().chain(frame.names.keys()).map(String::as_str);
        let error = complain::unknown_name(&name, path.span(), known);
        self.fail(error)
    }

    /// `data.classes` where the data set states no classes.
    fn no_data_value<T>(&mut self, name: &str, span: Span, frame: &Frame) -> Maybe<T> {
        let what = name.strip_prefix("data.").unwrap_or(name);
        let known = frame.names.keys().map(String::as_str);
        let error = complain::no_data_value(span, what, self.module.experiment.data.as_ref(), known);
        self.fail(error)
    }

    /// Is the expression computed from tensors?
    fn flows(&self, expr: &Expr, frame: &Frame) -> bool {
        match &expr.node {
            ExprKind::Path(path) => frame.tensors.contains_key(&path.to_string()),
            ExprKind::Flow { .. } => true,
            ExprKind::Unary(_, operand) => self.flows(operand, frame),
            ExprKind::Binary(_, left, right) => self.flows(left, frame) || self.flows(right, frame),
            ExprKind::Call { callee, .. } => callee.to_string() == "concat",
            ExprKind::If { yes, no, .. } => self.flows(yes, frame) || self.flows(no, frame),
            ExprKind::Match { arms, .. } => arms.iter().any(|arm| self.flows(&arm.value, frame)),
            _ => false,
        }
    }

    /// An expression that must be a tensor.
    pub(super) fn operand(&mut self, expr: &'m Expr, frame: &mut Frame) -> Maybe<usize> {
        match self.thing(expr, frame)? {
            Thing::Tensor(layer) => Some(layer),
            Thing::Known(_) => self.fail(complain::not_a_tensor(expr.span, "what flows")),
        }
    }
}
