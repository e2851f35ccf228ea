//! The vocabulary of stages: bodies of the model and of blocks. Their expressions are layers or known values.

use super::tensor::operation;
use super::{Builder, DEEPEST, Frame, Maybe, Thing, complain};
use crate::front::constant::{Scope, branch, evaluate};
use crate::front::interpret::{Literal, Operator, Statements, Vocabulary, walk};
use crate::front::names::param_use;
use crate::front::names::walk::in_expr;
use crate::front::stages::{NEWER, STAGES};
use crate::ir::module::Value;
use gmpc_grammar::ast::{Argument, BinaryOp, Binding, Body, Declaration, Expr, ExprKind, From, Path, Stage, UnaryOp};
use gmpc_grammar::source::Span;

/// Words that are values: the padding `same`, what stands around an image, a group of each channel, and how an image is enlarged.
const WORDS: [&str; 6] = ["same", "zeros", "reflect", "depthwise", "nearest", "bilinear"];

impl<'m> Builder<'m> {
    /// Expands a body. Returns the layer that is its output.
    pub(super) fn body(&mut self, body: &'m Body, frame: &mut Frame) -> Maybe<usize> {
        let result = Stages { builder: self, frame }.body(body).ok()?;
        self.tensor(result, body.result.as_ref().map_or(body.span, |r| r.span), "the output of a body")
    }

    /// Returns the value of an expression.
    pub(super) fn thing(&mut self, expr: &'m Expr, frame: &mut Frame) -> Maybe<Thing> {
        Stages { builder: self, frame }.evaluate(expr).ok()
    }

    /// Returns the layer of an expression that must be a tensor.
    pub(super) fn operand(&mut self, expr: &'m Expr, frame: &mut Frame) -> Maybe<usize> {
        let thing = self.thing(expr, frame)?;
        self.tensor(thing, expr.span, "what flows")
    }

    /// Returns the layer of a value that must be a tensor. The error names the expression with the word `what`.
    fn tensor(&mut self, thing: Thing, span: Span, what: &str) -> Maybe<usize> {
        match thing {
            Thing::Tensor(layer) => Some(layer),
            Thing::Known(_) => self.fail(complain::not_a_tensor(span, what)),
        }
    }

    /// Returns the names that compile-time expressions of this body may use.
    pub(super) fn scope<'a>(&'a self, frame: &'a Frame) -> Scope<'a> {
        let definitions = &self.module.definitions;
        Scope { param: Some(&frame.param), words: &WORDS, ..Scope::new(&frame.names, definitions) }
    }

    /// Returns the value of a compile-time expression.
    pub(super) fn known(&mut self, expr: &Expr, frame: &Frame) -> Maybe<Value> {
        // `data.classes` may be unknown because the data set does not state it. The general error (an unknown name) would not
        // say so.
        let mut missing = None;
        in_expr(expr, &mut |path| {
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

    /// Returns the value of a name.
    fn named(&mut self, path: &Path, span: Span, frame: &Frame) -> Maybe<Thing> {
        let name = path.to_string();
        if let Some(layer) = frame.tensors.get(&name) {
            return layer.map(Thing::Tensor);
        }
        if let Some(value) = frame.names.get(&name) {
            return Some(Thing::Known(value.clone()));
        }
        if self.is_stage(&name) {
            return self.fail(complain::stage_alone(&name, span));
        }
        if name.starts_with("data.") {
            return self.no_data_value(&name, path.span(), frame);
        }
        let known = frame.tensors.keys().chain(frame.names.keys()).map(String::as_str);
        let error = complain::unknown_name(&name, path.span(), known);
        self.fail(error)
    }

    /// Is this the name of a stage or of a block? They are allowed in flows only.
    fn is_stage(&self, name: &str) -> bool {
        STAGES.contains(&name) || NEWER.contains(&name) || self.is_defined_stage(name)
    }

    /// Notes the error of a `data.classes` that the data set does not state.
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
}

/// A mistake that the builder has noted already.
struct Reported;

/// The vocabulary of stages, for one body.
struct Stages<'b, 'm> {
    builder: &'b mut Builder<'m>,
    frame: &'b mut Frame,
}

impl<'m> Stages<'_, 'm> {
    /// Is this arithmetic without any tensor? Then the vocabulary of constants evaluates it.
    fn is_constant(&self, expr: &Expr) -> bool {
        match &expr.node {
            ExprKind::Unary(UnaryOp::Not, _) => true,
            ExprKind::Unary(UnaryOp::Negate, _) | ExprKind::Binary(..) => !self.builder.flows(expr, self.frame),
            _ => false,
        }
    }

    fn known(&mut self, expr: &Expr) -> Result<Thing, Reported> {
        self.builder.known(expr, self.frame).map(Thing::Known).ok_or(Reported)
    }

    /// Continues with the next statement, unless a limit was exceeded.
    fn next(&self) -> Result<(), Reported> {
        if self.builder.stopped { Err(Reported) } else { Ok(()) }
    }
}

/// Converts a layer that was made, or not, to a value of the vocabulary.
fn layer(made: Maybe<usize>) -> Result<Thing, Reported> {
    made.map(Thing::Tensor).ok_or(Reported)
}

impl<'m> Vocabulary<'m> for Stages<'_, 'm> {
    type Value = Thing;
    type Failure = Reported;

    const TELLS_ALL: bool = true;

    /// Counts how deep expressions nest, over all open blocks.
    fn evaluate(&mut self, expr: &'m Expr) -> Result<Thing, Reported> {
        if self.builder.depth >= DEEPEST {
            return self.builder.stop(complain::too_deep(expr.span)).ok_or(Reported);
        }
        self.builder.depth += 1;
        let thing = if self.is_constant(expr) { self.known(expr) } else { walk(self, expr) };
        self.builder.depth -= 1;
        thing
    }

    fn literal(&mut self, literal: Literal<'m>, span: Span) -> Result<Thing, Reported> {
        let value = self.builder.scope(self.frame).literal(literal, span).map_err(|e| vec![e]);
        self.builder.keep(value).map(Thing::Known).ok_or(Reported)
    }

    fn name(&mut self, path: &'m Path, span: Span) -> Result<Thing, Reported> {
        self.builder.named(path, span, self.frame).ok_or(Reported)
    }

    fn list(&mut self, _: &'m [Expr], expr: &'m Expr) -> Result<Thing, Reported> {
        self.known(expr)
    }

    fn permits(&mut self, operator: Operator, span: Span) -> Result<(), Reported> {
        match operator {
            Operator::Binary(operator) if operation(operator).is_none() => {
                self.builder.fail(complain::no_tensor_operation(span)).ok_or(Reported)
            }
            Operator::Binary(_) | Operator::Unary(_) => Ok(()),
        }
    }

    /// Always `None`: tensors have no truth value, and the vocabulary of constants decides known values.
    fn truth(&self, _: &Thing) -> Option<bool> {
        None
    }

    /// Only `-x` arrives here: `not x` is a constant (see `is_constant`).
    fn unary(&mut self, _: UnaryOp, (operand, place): (Thing, Span), span: Span) -> Result<Thing, Reported> {
        let input = self.builder.tensor(operand, place, "what flows").ok_or(Reported)?;
        layer(self.builder.scaled(input, BinaryOp::Multiply, -1.0, true, span, self.frame))
    }

    fn binary(
        &mut self,
        operator: BinaryOp,
        left: (Thing, Span),
        right: (Thing, Span),
        span: Span,
    ) -> Result<Thing, Reported> {
        layer(self.builder.arithmetic(operator, left, right, span, self.frame))
    }

    fn call(&mut self, callee: &'m Path, arguments: &'m [Argument], expr: &'m Expr) -> Result<Thing, Reported> {
        let name = callee.to_string();
        if name == "concat" {
            return layer(self.builder.concat(arguments, expr.span, self.frame));
        }
        if self.builder.is_stage(&name) {
            return self.builder.fail(complain::stage_alone(&name, expr.span)).ok_or(Reported);
        }
        self.known(expr)
    }

    /// Conditions of `if` and subjects of `match` are known while compiling.
    fn chosen(&mut self, expr: &'m Expr) -> Result<&'m Expr, Reported> {
        let chosen = branch(expr, &self.builder.scope(self.frame)).map_err(|e| vec![e]);
        self.builder.keep(chosen).ok_or(Reported)
    }

    fn flow(&mut self, source: &'m Expr, stages: &'m [Stage], _: Span) -> Result<Thing, Reported> {
        layer(self.builder.flow(source, stages, self.frame))
    }
}

/// The statements of a body. After a mistake the next statements are still read, so that their mistakes are reported too.
impl<'m> Statements<'m> for Stages<'_, 'm> {
    fn bind(&mut self, binding: &'m Binding) -> Result<(), Reported> {
        let (builder, frame) = (&mut *self.builder, &mut *self.frame);
        let name = &binding.name.text;
        if !builder.step(binding.name.span) {
            return Err(Reported);
        }
        // `param = …` is a setting of the block, not a value: it holds for the layers after it and for the blocks called there.
        if name == "param" {
            let param = param_use(&binding.value, &builder.scope(frame));
            if let Some(param) = builder.keep(param) {
                frame.param = param;
            }
            return self.next();
        }
        // A name that is bound twice is an error, but gets its value all the same: the next statements may use it.
        let first = frame.bound.insert(name.clone(), binding.name.span);
        if first.is_some() || name == "input" {
            let _: Maybe<()> = builder.fail(complain::bound_twice(&binding.name, first));
        }
        match builder.thing(&binding.value, frame) {
            Some(Thing::Known(value)) => _ = frame.names.insert(name.clone(), value),
            Some(Thing::Tensor(layer)) => _ = frame.tensors.insert(name.clone(), Some(layer)),
            // The mistake is reported already. The name stays known, so that its uses are not reported as unknown names.
            None => _ = frame.tensors.insert(name.clone(), None),
        }
        self.next()
    }

    fn declare(&mut self, declaration: &'m Declaration) -> Result<(), Reported> {
        let _: Maybe<()> = self.builder.fail(complain::declared(declaration));
        self.next()
    }

    fn section(&mut self, section: &'m From) -> Result<(), Reported> {
        let _: Maybe<()> = self.builder.fail(complain::from_part(section.span));
        self.next()
    }

    fn no_result(&mut self, body: &'m Body) -> Reported {
        let _: Maybe<()> = self.builder.fail(complain::no_result(body));
        Reported
    }
}
