//! Which units keep their parameterization: those of the library, alone or with one of its modifiers.

use crate::network::Unit;
use gmpc_compiler::front::stdlib::is_library;
use gmpc_compiler::ir::module::{Instance, Value};

/// A unit of the library's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kept {
    pub base: Base,
    /// Momentum of the mean that is subtracted from the input.
    pub mn: Option<f64>,
    /// Momentum of the mean that is subtracted from the pre-activation.
    pub mbn: Option<f64>,
}

/// A parameterization.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Base {
    /// `sp`, and `affine` of `linear`.
    Plain,
    Wn,
    Gmp,
    Bn {
        eps: f64,
        momentum: f64,
    },
}

/// How a unit was trained, if it is one of the library's and every tensor of it is there.
pub(super) fn kept(unit: &Unit) -> Option<Kept> {
    let param = &unit.param;
    if !is_library(&param.base.definition) || !param.modifiers.iter().all(|modifier| is_library(&modifier.definition)) {
        return None;
    }
    let (mn, mbn) = match &param.modifiers[..] {
        [] => (None, None),
        [one] if one.name == "mn" => (Some(number(one, "momentum")?), None),
        [one] if one.name == "mbn" => (None, Some(number(one, "momentum")?)),
        _ => return None, // two means: which is which is the compiler's affair
    };
    let base = match param.base.name.as_str() {
        "sp" | "affine" if mbn.is_none() => Base::Plain,
        "wn" => Base::Wn,
        "gmp" => Base::Gmp,
        "bn" if mn.is_none() && mbn.is_none() => {
            Base::Bn { eps: number(&param.base, "eps")?, momentum: number(&param.base, "momentum")? }
        }
        _ => return None,
    };
    let needed: &[&str] = match base {
        Base::Plain => &["w"],
        Base::Wn => &["v", "l"],
        Base::Gmp => &["theta", "r"],
        Base::Bn { .. } => &["w", "gamma", "running_mean", "running_var"],
    };
    let is_whole = needed.iter().all(|name| unit.tensors.contains_key(*name))
        && (mn.is_none() && mbn.is_none() || unit.tensors.contains_key("running_mean"));
    is_whole.then_some(Kept { base, mn, mbn })
}

fn number(of: &Instance, name: &str) -> Option<f64> {
    match of.arguments.get(name)? {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        Value::String(_) | Value::Bool(_) | Value::List(_) | Value::Instance(_) | Value::Word(_) => None,
    }
}
