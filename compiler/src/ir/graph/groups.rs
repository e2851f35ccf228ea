//! Patterns for operations that most passes treat alike, so that a match over [`Op`](super::Op) needs no `_` arm.
//!
//! A new operation goes into the enum and, if it fits, into one of these: rustc then names every match that still needs an arm.

/// The elementwise operations of one operand: a pattern, or with the name of a macro what this makes of the list.
#[macro_export]
macro_rules! unary {
    () => {
        $crate::unary!(any_of)
    };
    ($of:ident) => {
        $crate::$of!(Neg, Abs, Exp, Log, Log1p, Sqrt, Sin, Cos, Tanh, Erf)
    };
}

/// The elementwise operations of two operands that compute a number.
#[macro_export]
macro_rules! binary {
    () => {
        $crate::binary!(any_of)
    };
    ($of:ident) => {
        $crate::$of!(Add, Sub, Mul, Div, Max, Min, Pow)
    };
}

/// The elementwise operations of two operands that give 1 or 0.
#[macro_export]
macro_rules! comparison {
    () => {
        $crate::comparison!(any_of)
    };
    ($of:ident) => {
        $crate::$of!(Less, LessEqual, Equal)
    };
}

/// Operands and result share one shape, and each element depends only on the operands' elements at the same index.
#[macro_export]
macro_rules! elementwise {
    () => {
        $crate::unary!() | $crate::binary!() | $crate::comparison!() | $crate::ir::graph::Op::Select
    };
}

/// A pattern for any of the named operations.
#[macro_export]
#[doc(hidden)]
macro_rules! any_of {
    ($($op:ident),*) => {
        $($crate::ir::graph::Op::$op)|*
    };
}

/// An array of the named operations.
#[macro_export]
#[doc(hidden)]
macro_rules! array_of {
    ($($op:ident),*) => {
        &[$($crate::ir::graph::Op::$op),*]
    };
}

/// The operations of [`unary!`], for tests that try each of them.
pub const UNARY: &[super::Op] = unary!(array_of);
/// The operations of [`binary!`], for tests that try each of them.
pub const BINARY: &[super::Op] = binary!(array_of);
/// The operations of [`comparison!`], for tests that try each of them.
pub const COMPARISONS: &[super::Op] = comparison!(array_of);

/// The same numbers with another shape or order. In kernels these operations become index arithmetic.
#[macro_export]
macro_rules! view {
    () => {
        $crate::ir::graph::Op::Reshape
            | $crate::ir::graph::Op::Transpose(_)
            | $crate::ir::graph::Op::Broadcast
            | $crate::ir::graph::Op::Slice { .. }
    };
}

/// Several values, or a value and zeros, joined to one value.
#[macro_export]
macro_rules! joined {
    () => {
        $crate::ir::graph::Op::Concat { .. } | $crate::ir::graph::Op::Pad { .. }
    };
}

/// Sums and maxima over axes.
#[macro_export]
macro_rules! reduction {
    () => {
        $crate::ir::graph::Op::Sum(_) | $crate::ir::graph::Op::MaxOver(_)
    };
}

/// A convolution and its two gradients.
#[macro_export]
macro_rules! convolution {
    () => {
        $crate::ir::graph::Op::Convolve(_)
            | $crate::ir::graph::Op::ConvolveInput(_)
            | $crate::ir::graph::Op::ConvolveWeight(_)
    };
}

/// Pools and their gradients.
#[macro_export]
macro_rules! pool {
    () => {
        $crate::ir::graph::Op::MaxPool(_)
            | $crate::ir::graph::Op::MaxPoolGrad(_)
            | $crate::ir::graph::Op::SumPool(_)
            | $crate::ir::graph::Op::SumPoolGrad(_)
    };
}

/// Recurrences over axis 0.
#[macro_export]
macro_rules! scan {
    () => {
        $crate::ir::graph::Op::Spherical
            | $crate::ir::graph::Op::SphericalGrad
            | $crate::ir::graph::Op::Angles
            | $crate::ir::graph::Op::Orthogonal
    };
}

pub use crate::{binary, comparison, convolution, elementwise, joined, pool, reduction, scan, unary, view};
