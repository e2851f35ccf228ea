//! Arithmetic between tensors, and `concat`.

use super::{Builder, Frame, Maybe, Thing, complain};
use crate::front::constant::number;
use crate::ir::net::{Arithmetic, LayerKind};
use gmpc_grammar::ast::{Argument, BinaryOp};
use gmpc_grammar::source::Span;

/// Returns the operation of a layer, and the word that the layer is named by.
pub(super) fn operation(operator: BinaryOp) -> Option<(Arithmetic, &'static str)> {
    match operator {
        BinaryOp::Add => Some((Arithmetic::Add, "add")),
        BinaryOp::Subtract => Some((Arithmetic::Subtract, "subtract")),
        BinaryOp::Multiply => Some((Arithmetic::Multiply, "multiply")),
        BinaryOp::Divide => Some((Arithmetic::Divide, "divide")),
        _ => None,
    }
}

impl<'m> Builder<'m> {
    /// Adds the layer of `residual + shortcut` or `2 * residual`. The operands come with their spans.
    pub(super) fn arithmetic(
        &mut self,
        operator: BinaryOp,
        (a, left): (Thing, Span),
        (b, right): (Thing, Span),
        span: Span,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        let Some((arithmetic, name)) = operation(operator) else {
            return self.fail(complain::no_tensor_operation(span));
        };
        match (a, b) {
            // Two tensors must have equal shapes: there is no broadcasting between layers, so that a wrong shape is an error.
            (Thing::Tensor(a), Thing::Tensor(b)) => {
                if self.shape(a) != self.shape(b) {
                    let error = self.shapes_differ(name, (left, a), (right, b), frame);
                    return self.fail(error);
                }
                let shape = self.shape(a).to_vec();
                self.add(frame, name, None, (LayerKind::Arithmetic(arithmetic), vec![a, b], shape), span)
            }
            (Thing::Tensor(a), Thing::Known(value)) => match number(&value) {
                Some(0.0) if operator == BinaryOp::Divide => self.fail(complain::division_by_zero(right)),
                Some(x) => self.scaled(a, operator, x, false, span, frame),
                None => self.fail(complain::unfit("an operand", "a tensor or a number", right, &value)),
            },
            (Thing::Known(value), Thing::Tensor(b)) => match number(&value) {
                Some(x) => self.scaled(b, operator, x, true, span, frame),
                None => self.fail(complain::unfit("an operand", "a tensor or a number", left, &value)),
            },
            // Arithmetic on two known values is a constant and does not arrive here; without a number it is a mistake.
            (Thing::Known(_), Thing::Known(_)) => self.fail(complain::not_a_tensor(span, "what flows")),
        }
    }

    /// Adds the layer that combines a tensor with a number.
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

    /// Adds `concat(a, b)`, which joins along the first axis. The other axes must be equal.
    pub(super) fn concat(&mut self, arguments: &'m [Argument], span: Span, frame: &mut Frame) -> Maybe<usize> {
        if let Some(name) = arguments.iter().find_map(|a| a.name.as_ref()) {
            return self.fail(complain::concat_named(name));
        }
        if arguments.is_empty() {
            return self.fail(complain::concat_empty(span));
        }
        // Every part is built before the first missing one ends the call, so that the mistakes of all parts are reported.
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
            // `add` checks the joined shape; the sum itself must not overflow before.
            joined = match joined.checked_add(*other.first()?) {
                Some(sum) => sum,
                None => return self.fail(complain::too_large(span, &shape)),
            };
        }
        *shape.first_mut()? = joined;
        self.add(frame, "concat", None, (LayerKind::Concat, parts, shape), span)
    }
}
