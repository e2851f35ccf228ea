//! Definitions of the library that PyTorch has modules for.

use crate::network::Defined;

/// An activation as an expression of `$`, and as a module; `None` where PyTorch has none.
pub(super) fn known(activation: &Defined) -> Option<(String, String)> {
    let of = |function: &str, module: &str| Some((format!("F.{function}($)"), format!("nn.{module}()")));
    match activation.name.as_str() {
        _ if !activation.is_standard => None,
        "relu6" => of("relu6", "ReLU6"),
        "selu" => of("selu", "SELU"),
        "silu" => of("silu", "SiLU"),
        "mish" => of("mish", "Mish"),
        "hard_sigmoid" => of("hardsigmoid", "Hardsigmoid"),
        "hard_swish" => of("hardswish", "Hardswish"),
        "hard_tanh" => of("hardtanh", "Hardtanh"),
        "elu" => {
            let alpha = activation.arguments.get("alpha")?;
            Some((format!("F.elu($, {alpha:?})"), format!("nn.ELU({alpha:?})")))
        }
        _ => None,
    }
}

/// What a tensor of a module is called, and what it is called here.
type Keys = &'static [(&'static str, &'static str)];

const SCALED: Keys = &[("weight", "gain"), ("bias", "shift")];
const RUNNING: Keys =
    &[("weight", "gain"), ("bias", "shift"), ("running_mean", "running_mean"), ("running_var", "running_var")];

/// A stage for values of this shape as the call of a module, and what its tensors are called; `None` where PyTorch has none.
pub(super) fn norm(stage: &Defined, shape: &[usize]) -> Option<(String, Keys)> {
    let (features, is_image) = (shape.first()?, shape.len() == 3);
    let number = |name: &str| stage.arguments.get(name);
    match stage.name.as_str() {
        _ if !stage.is_standard => None,
        // Of images it would take the mean over height and width, too.
        "layer_norm" if !is_image => Some((format!("nn.LayerNorm({features}, eps={:?})", number("eps")?), SCALED)),
        // PyTorch refuses a row whose groups have one number each.
        "group_norm" if number("groups").is_some_and(|groups| *groups < shape.iter().product::<usize>() as f64) => {
            let groups = number("groups")?;
            Some((format!("nn.GroupNorm({groups}, {features}, eps={:?})", number("eps")?), SCALED))
        }
        "instance_norm" if is_image => {
            Some((format!("nn.InstanceNorm2d({features}, eps={:?}, affine=True)", number("eps")?), SCALED))
        }
        "batch_norm" => {
            let (axes, momentum) = (if is_image { 2 } else { 1 }, number("momentum")?);
            let call = format!("nn.BatchNorm{axes}d({features}, eps={:?}, momentum={momentum:?})", number("eps")?);
            Some((call, RUNNING))
        }
        _ => None,
    }
}
