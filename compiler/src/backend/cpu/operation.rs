//! The instructions of elementwise operations.

use super::machine::Lanes;
use crate::ir::graph::Op;
use crate::ir::graph::groups::{convolution, joined, pool, reduction, scan, view};
use crate::math::{self, Machine};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::FloatCC;

/// How an elementwise operation is computed.
pub(super) enum Form {
    /// A function of one number.
    Unary(fn(&mut Lanes, Value) -> Value),
    /// A function of two numbers.
    Binary(fn(&mut Lanes, Value, Value) -> Value),
    /// A function of two numbers that is shorter where one of them is a constant other than NaN. `constant` gets the
    /// constant last.
    Bound { any: fn(&mut Lanes, Value, Value) -> Value, constant: fn(&mut Lanes, Value, Value) -> Value },
    /// 1 where the comparison holds, otherwise 0.
    Comparison(FloatCC),
    /// The second number where the first is not 0, otherwise the third.
    Select,
}

/// The form of an elementwise operation.
pub(super) fn form(op: &Op) -> Form {
    // Functions of `math` are sequences of instructions that give the same bits on every machine, unlike those of a C
    // library.
    match op {
        Op::Neg => Form::Unary(|m, a| m.neg(a)),
        Op::Abs => Form::Unary(|m, a| m.abs(a)),
        Op::Exp => Form::Unary(|m, a| math::exp(m, a)),
        Op::Log => Form::Unary(|m, a| math::log(m, a)),
        Op::Log1p => Form::Unary(|m, a| math::log1p(m, a)),
        Op::Sqrt => Form::Unary(|m, a| m.sqrt(a)),
        Op::Sin => Form::Unary(|m, a| math::sin(m, a)),
        Op::Cos => Form::Unary(|m, a| math::cos(m, a)),
        Op::Tanh => Form::Unary(|m, a| math::tanh(m, a)),
        Op::Erf => Form::Unary(|m, a| math::erf(m, a)),
        Op::Add => Form::Binary(|m, a, b| m.add(a, b)),
        Op::Sub => Form::Binary(|m, a, b| m.sub(a, b)),
        Op::Mul => Form::Binary(|m, a, b| m.mul(a, b)),
        Op::Div => Form::Binary(|m, a, b| m.div(a, b)),
        Op::Pow => Form::Binary(|m, a, b| math::pow(m, a, b)),
        Op::Max => Form::Bound { any: |m, a, b| m.larger(a, b), constant: |m, a, b| m.larger_than(a, b) },
        Op::Min => Form::Bound { any: |m, a, b| m.smaller(a, b), constant: |m, a, b| m.smaller_than(a, b) },
        Op::Less => Form::Comparison(FloatCC::LessThan),
        Op::LessEqual => Form::Comparison(FloatCC::LessThanOrEqual),
        Op::Equal => Form::Comparison(FloatCC::Equal),
        Op::Select => Form::Select,
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => not_elementwise(op),
        view!() | joined!() | reduction!() => not_elementwise(op),
        Op::MatMul { .. } | convolution!() | pool!() | scan!() => not_elementwise(op),
    }
}

fn not_elementwise(op: &Op) -> ! {
    unreachable!("{} is not elementwise: kernels::verify refuses it in a nest", op.name())
}

/// Is the operation a long sequence of instructions?
pub(super) fn is_long(op: &Op) -> bool {
    match op {
        Op::Exp | Op::Log | Op::Log1p | Op::Sin | Op::Cos | Op::Tanh | Op::Erf | Op::Pow => true,
        Op::Neg | Op::Abs | Op::Sqrt | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Max | Op::Min => false,
        Op::Less | Op::LessEqual | Op::Equal | Op::Select => false,
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => not_elementwise(op),
        view!() | joined!() | reduction!() => not_elementwise(op),
        Op::MatMul { .. } | convolution!() | pool!() | scan!() => not_elementwise(op),
    }
}
