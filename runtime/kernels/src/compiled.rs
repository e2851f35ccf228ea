//! The number types for which all kernels are compiled: f32 and f64.

use crate::convolution::Convolved;
use crate::matmul::Multiplied;
use crate::pooling::Pooled;

/// A number type with large matmuls, convolutions and pools.
pub trait Compiled: Multiplied + Convolved + Pooled {}

impl<T: Multiplied + Convolved + Pooled> Compiled for T {}
