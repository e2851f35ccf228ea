//! Functions of one number from those of `libm`.

use super::Fault;
use super::machine::Machine;
use cranelift_codegen::ir::{InstBuilder, Value};

/// 1 / (1 + e^-x), from a power that never overflows.
pub(super) fn sigmoid(m: &mut Machine<'_>, x: Value) -> Result<Value, Fault> {
    let (power, zero, one) = (power(m, x)?, m.number(0.0), m.number(1.0));
    let above = m.if_greater(zero, x, power, one);
    let sum = m.b.ins().fadd(one, power);
    Ok(m.b.ins().fdiv(above, sum))
}

/// log(1 + e^x)
pub(super) fn softplus(m: &mut Machine<'_>, x: Value) -> Result<Value, Fault> {
    let (power, zero) = (power(m, x)?, m.number(0.0));
    let (above, logarithm) = (m.if_greater(x, zero, x, zero), m.libm("log1p", &[power])?);
    Ok(m.b.ins().fadd(above, logarithm))
}

/// e^-|x|
fn power(m: &mut Machine<'_>, x: Value) -> Result<Value, Fault> {
    let absolute = m.b.ins().fabs(x);
    let negative = m.b.ins().fneg(absolute);
    m.libm("exp", &[negative])
}
