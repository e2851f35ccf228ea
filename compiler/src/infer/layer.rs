//! The built-in layers: what each takes, and the shape it gives.

use super::expand::{Step, What};
use super::{Builder, Frame, MOST_ELEMENTS, Maybe, Spelled, complain};
use crate::arguments::{Bound, Slot, bind};
use crate::constant::number;
use crate::module::{ParamUse, Value};
use crate::net::{Activation, LayerKind, Product, Unit};
use crate::resolve::{find, param_use};
use gmpc_grammar::ast::{Ident, Kind, Path};

const DENSE: [Slot<'static>; 3] = [Slot::required("units"), Slot::optional("bias"), Slot::optional("param")];
const CONV: [Slot<'static>; 6] = [
    Slot::required("channels"),
    Slot::required("kernel"),
    Slot::optional("stride"),
    Slot::optional("pad"),
    Slot::optional("bias"),
    Slot::optional("param"),
];
const LINEAR: [Slot<'static>; 2] = [Slot::required("units"), Slot::optional("bias")];
const LEAKY_RELU: [Slot<'static>; 1] = [Slot::optional("slope")];
const DROPOUT: [Slot<'static>; 1] = [Slot::required("p")];
const MEAN_NORM: [Slot<'static>; 1] = [Slot::optional("momentum")];

/// The usual choice of other frameworks for values below zero.
const DEFAULT_SLOPE: f64 = 0.01;
/// Weight of the newest batch in a running mean, as in the standard library's modifiers.
const DEFAULT_MOMENTUM: f64 = 0.1;

impl<'m> Builder<'m> {
    /// The activation a stage is, if it is one, with its argument read.
    pub(super) fn activation_of(&mut self, step: &Step<'m>, frame: &Frame) -> Option<(Maybe<Activation>, Step<'m>)> {
        let What::BuiltIn(name) = step.what else { return None };
        let plain = match name {
            "identity" => Activation::Identity,
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            "gelu" => Activation::Gelu,
            "softplus" => Activation::Softplus,
            "leaky_relu" => return Some((self.leaky_relu(step, frame), *step)),
            _ => return None,
        };
        Some((self.arguments(name, step, &[]).map(|_| plain), *step))
    }

    fn leaky_relu(&mut self, step: &Step<'m>, frame: &Frame) -> Maybe<Activation> {
        let bound = self.arguments("leaky_relu", step, &LEAKY_RELU)?;
        let slope = self.number_of(&bound, "slope", DEFAULT_SLOPE, "a number", |_| true, frame)?;
        Some(Activation::LeakyRelu(slope))
    }

    pub(super) fn arguments(&mut self, name: &str, step: &Step<'m>, slots: &[Slot<'_>]) -> Maybe<Bound<'m>> {
        let bound = bind(name, step.span, slots, slots.len(), step.arguments);
        self.keep(bound)
    }

    fn number_of(
        &mut self,
        bound: &Bound<'_>,
        name: &str,
        default: f64,
        wanted: &str,
        fits: fn(f64) -> bool,
        frame: &Frame,
    ) -> Maybe<f64> {
        let Some(expr) = bound.get(name) else { return Some(default) };
        let value = self.known(expr, frame)?;
        match number(&value).filter(|x| fits(*x)) {
            Some(x) => Some(x),
            None => self.fail(complain::unfit(name, wanted, expr.span, &value)),
        }
    }

    /// A dense, convolutional or linear layer with the activation after it.
    pub(super) fn unit(
        &mut self,
        name: &'static str,
        input: usize,
        step: &Step<'m>,
        activation: Option<(Maybe<Activation>, Step<'m>)>,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        let slots: &[Slot<'_>] = match name {
            "dense" => &DENSE,
            "conv" => &CONV,
            _ => &LINEAR,
        };
        let bound = self.arguments(name, step, slots)?;
        let product = match name {
            "conv" => self.convolution(&bound, input, step, frame),
            _ => self.dense(name, &bound, input, step, frame),
        };
        let bias = self.bias(&bound, frame);
        let param = self.unit_param(name, &bound, step, frame);
        let (activation, after) = match activation {
            Some((activation, after)) => (activation, Some(after)),
            None => (Some(Activation::Identity), None),
        };
        let ((product, shape), bias, param, activation) = (product?, bias?, param?, activation?);
        let fan_in = product.fan_in(self.shape(input));
        if fan_in.and_then(|n| n.checked_mul(product.units())).is_none_or(|n| n > MOST_ELEMENTS) {
            return self.fail(complain::too_many_weights(step.span, &product, self.shape(input)));
        }
        let label: Option<&Ident> = step.label.or(after.and_then(|s| s.label));
        let unit = Unit { product, bias, param, activation };
        let layer = self.add(frame, name, label, (LayerKind::Unit(unit), vec![input], shape), step.span)?;
        let span = |slot: &str| bound.get(slot).map(|expr| expr.span);
        self.spelled.insert(layer, Spelled { channels: span("channels"), stride: span("stride") });
        Some(layer)
    }

    /// The product of a dense or linear layer, and the shape of its result.
    fn dense(
        &mut self,
        name: &str,
        bound: &Bound<'_>,
        input: usize,
        step: &Step<'m>,
        frame: &Frame,
    ) -> Maybe<(Product, Vec<usize>)> {
        let units = self.count("units", bound, frame);
        if self.shape(input).len() != 1 {
            let error = complain::not_flat(name, step.span, self.shape(input), self.origin(input));
            return self.fail(error);
        }
        let units = units?;
        Some((Product::Dense { units }, vec![units]))
    }

    /// A number of units or channels.
    pub(super) fn count(&mut self, name: &str, bound: &Bound<'_>, frame: &Frame) -> Maybe<usize> {
        let expr = bound.get(name)?;
        let value = self.known(expr, frame)?;
        match &value {
            Value::Integer(n) if *n > 0 => usize::try_from(*n).ok(),
            _ => self.fail(complain::unfit(name, "a whole number, 1 or more", expr.span, &value)),
        }
    }

    fn bias(&mut self, bound: &Bound<'_>, frame: &Frame) -> Maybe<bool> {
        let Some(expr) = bound.get("bias") else { return Some(true) };
        match self.known(expr, frame)? {
            Value::Bool(bias) => Some(bias),
            other => self.fail(complain::unfit("bias", "`true` or `false`", expr.span, &other)),
        }
    }

    /// `linear` is plain affine whatever is in force; `dense` and `conv` take their own `param` or the one in force.
    fn unit_param(&mut self, name: &str, bound: &Bound<'_>, step: &Step<'m>, frame: &Frame) -> Maybe<ParamUse> {
        if name == "linear" {
            let path = Path { parts: vec![Ident { text: "affine".to_string(), span: step.span }] };
            let scope = self.scope(frame);
            let base = find(Kind::Parameterization, &path, &self.module.definitions)
                .map_err(|e| vec![e])
                .and_then(|d| crate::instance::instantiate(d, &[], step.span, &scope));
            return self.keep(base).map(|base| ParamUse { base, modifiers: Vec::new() });
        }
        match bound.get("param") {
            Some(expr) => {
                let param = param_use(expr, &self.scope(frame));
                self.keep(param)
            }
            None => Some(frame.param.clone()),
        }
    }

    /// Any other built-in stage.
    pub(super) fn layer(
        &mut self,
        name: &'static str,
        input: usize,
        step: &Step<'m>,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        if matches!(name, "max_pool" | "avg_pool" | "global_avg_pool") {
            return self.pool(name, input, step, frame);
        }
        let shape = self.shape(input).to_vec();
        if let Some((activation, _)) = self.activation_of(step, frame) {
            let kind = LayerKind::Activation(activation?);
            return self.add(frame, name, step.label, (kind, vec![input], shape), step.span);
        }
        let (kind, shape) = match name {
            "flatten" => {
                self.arguments(name, step, &[])?;
                (LayerKind::Flatten, vec![shape.iter().product()])
            }
            "dropout" => {
                let bound = self.arguments(name, step, &DROPOUT)?;
                let wanted = "a probability, 0 or more and below 1";
                let probability = self.number_of(&bound, "p", 0.0, wanted, |p| (0.0..1.0).contains(&p), frame)?;
                (LayerKind::Dropout { probability }, shape)
            }
            _ => {
                let bound = self.arguments(name, step, &MEAN_NORM)?;
                let wanted = "a number above 0, at most 1";
                let fits = |m| m > 0.0 && m <= 1.0;
                let momentum = self.number_of(&bound, "momentum", DEFAULT_MOMENTUM, wanted, fits, frame)?;
                (LayerKind::MeanNorm { momentum }, shape)
            }
        };
        self.add(frame, name, step.label, (kind, vec![input], shape), step.span)
    }
}
