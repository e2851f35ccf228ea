//! Arithmetic between tensors, and joining them.

use super::{Builder, Frame, Maybe, Thing, complain};
use crate::constant::number;
use crate::net::{Arithmetic, LayerKind};
use gmpc_grammar::ast::{Argument, BinaryOp, Expr};
use gmpc_grammar::source::Span;

/// The operation, and the word layers are named by.
fn operation(operator: BinaryOp) -> Option<(Arithmetic, &'static str)> {
    match operator {
        BinaryOp::Add => Some((Arithmetic::Add, "add")),
        BinaryOp::Subtract => Some((Arithmetic::Subtract, "subtract")),
        BinaryOp::Multiply => Some((Arithmetic::Multiply, "multiply")),
        BinaryOp::Divide => Some((Arithmetic::Divide, "divide")),
        _ => None,
    }
}

impl<'m> Builder<'m> {
    /// `residual + shortcut`, `2 * residual`
    pub(super) fn arithmetic(
        &mut self,
        operator: BinaryOp,
        left: &'m Expr,
        right: &'m Expr,
        span: Span,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        let (a, b) = (self.thing(left, frame), self.thing(right, frame));
        let Some((arithmetic, name)) = operation(operator) else {
            return self.fail(complain::no_tensor_operation(span));
        };
        match (a?, b?) {
            (Thing::Tensor(a), Thing::Tensor(b)) => {
                if self.shape(a) != self.shape(b) {
                    let error = self.shapes_differ(name, (left.span, a), (right.span, b), frame);
                    return self.fail(error);
                }
                let shape = self.shape(a).to_vec();
                self.add(frame, name, None, (LayerKind::Arithmetic(arithmetic), vec![a, b], shape), span)
            }
            (Thing::Tensor(a), Thing::Known(value)) => match number(&value) {
                Some(0.0) if operator == BinaryOp::Divide => self.fail(complain::division_by_zero(right.span)),
                Some(x) => self.scaled(a, operator, x, false, span, frame),
                None => self.fail(complain::unfit("an operand", "a tensor or a number", right.span, &value)),
            },
            (Thing::Known(value), Thing::Tensor(b)) => match number(&value) {
                Some(x) => self.scaled(b, operator, x, true, span, frame),
                None => self.fail(complain::unfit("an operand", "a tensor or a number", left.span, &value)),
            },
            (Thing::Known(_), Thing::Known(_)) => self.fail(complain::not_a_tensor(span, "what flows")),
        }
    }

    /// A tensor with a number.
    pub(super) fn scaled(
        &mut self,
        input: usize,
        operator: BinaryOp,
        number: f64,
        number_first: bool,
        span: Span,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        let Some((operation, name)) = operation(operator) else {
            return self.fail(complain::no_tensor_operation(span));
        };
        let shape = self.shape(input).to_vec();
        self.add(frame, name, None, (LayerKind::Scaled { operation, number, number_first }, vec![input], shape), span)
    }

    /// `concat(a, b)`: along the first axis, the others being equal.
    pub(super) fn concat(&mut self, arguments: &'m [Argument], span: Span, frame: &mut Frame) -> Maybe<usize> {
        if let Some(name) = arguments.iter().find_map(|a| a.name.as_ref()) {
            return self.fail(complain::concat_named(name));
        }
        if arguments.is_empty() {
            return self.fail(complain::concat_empty(span));
        }
        let parts: Vec<Maybe<usize>> = arguments.iter().map(|a| self.operand(&a.value, frame)).collect();
        let parts: Vec<usize> = parts.into_iter().collect::<Option<_>>()?;
        let first = *parts.first()?;
        let mut shape = self.shape(first).to_vec();
        let mut joined = 0_usize;
        for (part, argument) in parts.iter().zip(arguments) {
            let other = self.shape(*part);
            if other.len() != shape.len() || other.get(1..) != shape.get(1..) {
                let (a, b) = (self.origin(first), argument.value.span);
                let error = complain::cannot_join(b, other, arguments.first().map_or(a, |x| x.value.span), &shape);
                return self.fail(error);
            }
            joined = match joined.checked_add(*other.first()?) {
                Some(sum) => sum,
                None => return self.fail(complain::too_large(span, &shape)),
            };
        }
        *shape.first_mut()? = joined;
        self.add(frame, "concat", None, (LayerKind::Concat, parts, shape), span)
    }
}
