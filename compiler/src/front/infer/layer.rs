//! The built-in layers: their arguments, and the shapes of their results.

use super::expand::{FlowStage, What};
use super::{Builder, Frame, MOST_ELEMENTS, Maybe, Spelled, complain};
use crate::front::arguments::{Bound, Slot, bind};
use crate::front::constant::number;
use crate::front::instance::instantiate;
use crate::front::names::{find, param_use};
use crate::front::stdlib::is_library;
use crate::ir::module::{ParamUse, Value};
use crate::ir::net::{Activation, Connection, LayerKind, Stage, Unit};
use gmpc_grammar::ast::{Definition, Ident, Kind, Path};
use std::sync::Arc;

const DENSE: [Slot<'static>; 4] =
    [Slot::required("units"), Slot::optional("bias"), Slot::optional("param"), Slot::optional("frozen")];
const CONV: [Slot<'static>; 10] = [
    Slot::required("channels"),
    Slot::required("kernel"),
    Slot::optional("stride"),
    Slot::optional("pad"),
    Slot::optional("bias"),
    Slot::optional("param"),
    Slot::optional("groups"),
    Slot::optional("dilation"),
    Slot::optional("fill"),
    Slot::optional("frozen"),
];
const CONV_TRANSPOSE: [Slot<'static>; 7] = [
    Slot::required("channels"),
    Slot::required("kernel"),
    Slot::optional("stride"),
    Slot::optional("pad"),
    Slot::optional("bias"),
    Slot::optional("param"),
    Slot::optional("frozen"),
];
const LINEAR: [Slot<'static>; 3] = [Slot::required("units"), Slot::optional("bias"), Slot::optional("frozen")];
const PROBABILITY: [Slot<'static>; 1] = [Slot::required("p")];
const NOISE: [Slot<'static>; 1] = [Slot::required("deviation")];
const MAXOUT: [Slot<'static>; 1] = [Slot::required("k")];

impl<'m> Builder<'m> {
    /// Reads the activation of a stage. `None` if the stage is not an activation; `Some((None, _))` if its arguments are wrong.
    pub(super) fn activation_of(
        &mut self,
        step: &FlowStage<'m>,
        frame: &Frame,
    ) -> Option<(Maybe<Activation>, FlowStage<'m>)> {
        let What::Activation(definition) = step.what else { return None };
        let is_standard = is_library(definition);
        let made = match &step.given {
            Some(given) => Some(given.clone()),
            None => {
                let made = instantiate(definition, step.arguments, step.span, &self.scope(frame));
                self.keep(made).map(Box::new)
            }
        };
        let activation = made.map(|instance| Activation { definition: Some(instance), is_standard });
        Some((activation, step.clone()))
    }

    /// An activation that no parameterized layer comes right before; otherwise it is part of a unit.
    pub(super) fn activation(&mut self, input: usize, step: &FlowStage<'m>, frame: &mut Frame) -> Maybe<usize> {
        let (activation, _) = self.activation_of(step, frame)?;
        let (activation, shape) = (activation?, self.shape(input).to_vec());
        let name = activation.name().to_string();
        let kind = LayerKind::Activation(activation);
        self.add(frame, &name, step.label, (kind, vec![input], shape), step.span)
    }

    /// A stage that a definition describes.
    pub(super) fn defined_stage(
        &mut self,
        definition: &Arc<Definition>,
        input: usize,
        step: &FlowStage<'m>,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        let made = instantiate(definition, step.arguments, step.span, &self.scope(frame));
        let instance = self.keep(made)?;
        let (name, shape) = (instance.name.clone(), self.shape(input).to_vec());
        let stage = Stage { definition: Box::new(instance), is_standard: is_library(definition) };
        self.add(frame, &name, step.label, (LayerKind::Stage(stage), vec![input], shape), step.span)
    }

    pub(super) fn arguments(&mut self, name: &str, step: &FlowStage<'m>, slots: &[Slot<'_>]) -> Maybe<Bound<'m>> {
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
        step: &FlowStage<'m>,
        activation: Option<(Maybe<Activation>, FlowStage<'m>)>,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        let slots: &[Slot<'_>] = match name {
            "dense" => &DENSE,
            "conv" => &CONV,
            "conv_transpose" => &CONV_TRANSPOSE,
            _ => &LINEAR,
        };
        let bound = self.arguments(name, step, slots)?;
        // All parts are read before the first `?`, so that every mistake of the layer is reported.
        let connection = match name {
            "conv" => self.convolution(&bound, input, step, frame),
            "conv_transpose" => self.transposed(&bound, input, step, frame),
            _ => self.dense(name, &bound, input, step, frame),
        };
        let bias = self.truth("bias", true, &bound, frame);
        let frozen = self.truth("frozen", false, &bound, frame);
        let param = self.unit_param(name, &bound, step, frame);
        let (activation, after) = match activation {
            Some((activation, after)) => (activation, Some(after)),
            None => (Some(Activation::IDENTITY), None),
        };
        let ((connection, shape), bias, frozen, param, activation) = (connection?, bias?, frozen?, param?, activation?);
        // The weight is a matrix `[fan_in, units]`. It can be too large although input and output are not.
        let fan_in = connection.fan_in(self.shape(input));
        if fan_in.and_then(|n| n.checked_mul(connection.units())).is_none_or(|n| n > MOST_ELEMENTS) {
            return self.fail(complain::too_many_weights(step.span, &connection, self.shape(input)));
        }
        let label: Option<&Ident> = step.label.or(after.as_ref().and_then(|s| s.label));
        let unit = Unit { connection, bias, frozen, param, activation };
        let layer = self.add(frame, name, label, (LayerKind::Unit(unit), vec![input], shape), step.span)?;
        // Errors about the shape of this layer quote these arguments (`clash`).
        let span = |slot: &str| bound.get(slot).map(|expr| expr.span);
        self.spelled.insert(layer, Spelled { channels: span("channels"), stride: span("stride") });
        Some(layer)
    }

    /// Reads a dense or linear layer. Returns its contraction and the shape of its result.
    fn dense(
        &mut self,
        name: &str,
        bound: &Bound<'_>,
        input: usize,
        step: &FlowStage<'m>,
        frame: &Frame,
    ) -> Maybe<(Connection, Vec<usize>)> {
        let units = self.count("units", bound, frame);
        if self.shape(input).len() != 1 {
            let error = complain::not_flat(name, step.span, self.shape(input), self.origin(input));
            return self.fail(error);
        }
        let units = units?;
        Some((Connection::Dense { units }, vec![units]))
    }

    /// Reads a number of units or channels.
    pub(super) fn count(&mut self, name: &str, bound: &Bound<'_>, frame: &Frame) -> Maybe<usize> {
        let expr = bound.get(name)?;
        let value = self.known(expr, frame)?;
        match &value {
            Value::Integer(n) if *n > 0 => usize::try_from(*n).ok(),
            _ => self.fail(complain::unfit(name, "a whole number, 1 or more", expr.span, &value)),
        }
    }

    fn truth(&mut self, name: &str, default: bool, bound: &Bound<'_>, frame: &Frame) -> Maybe<bool> {
        let Some(expr) = bound.get(name) else { return Some(default) };
        match self.known(expr, frame)? {
            Value::Bool(truth) => Some(truth),
            other => self.fail(complain::unfit(name, "`true` or `false`", expr.span, &other)),
        }
    }

    /// Returns the parameterization of a layer. `linear` is always affine. `dense` and `conv` take their own `param`, or the
    /// one of the body.
    fn unit_param(&mut self, name: &str, bound: &Bound<'_>, step: &FlowStage<'m>, frame: &Frame) -> Maybe<ParamUse> {
        if name == "linear" {
            let path = Path { parts: vec![Ident { text: "affine".to_string(), span: step.span }] };
            let scope = self.scope(frame);
            let base = find(Kind::Parameterization, &path, &self.module.definitions)
                .map_err(|e| vec![e])
                .and_then(|d| instantiate(d, &[], step.span, &scope));
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

    /// Adds any other built-in stage.
    pub(super) fn layer(
        &mut self,
        name: &'static str,
        input: usize,
        step: &FlowStage<'m>,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        if matches!(name, "max_pool" | "avg_pool" | "global_avg_pool" | "global_max_pool") {
            return self.pool(name, input, step, frame);
        }
        if name == "upsample" {
            return self.upsample(input, step, frame);
        }
        let shape = self.shape(input).to_vec();
        let (kind, shape) = match name {
            "flatten" => {
                self.arguments(name, step, &[])?;
                (LayerKind::Flatten, vec![shape.iter().product()])
            }
            "maxout" => self.maxout(input, step, frame)?,
            "noise" => {
                let bound = self.arguments(name, step, &NOISE)?;
                let wanted = "a standard deviation, 0 or more";
                let fits = |x: f64| x >= 0.0 && x.is_finite();
                let deviation = self.number_of(&bound, "deviation", 0.0, wanted, fits, frame)?;
                (LayerKind::Noise { deviation }, shape)
            }
            // `dropout` and `stochastic_depth`, the only stages that are left.
            _ => {
                let bound = self.arguments(name, step, &PROBABILITY)?;
                let wanted = "a probability, 0 or more and below 1";
                let probability = self.number_of(&bound, "p", 0.0, wanted, |p| (0.0..1.0).contains(&p), frame)?;
                let kind = match name {
                    "stochastic_depth" => LayerKind::StochasticDepth { probability },
                    _ => LayerKind::Dropout { probability },
                };
                (kind, shape)
            }
        };
        self.add(frame, name, step.label, (kind, vec![input], shape), step.span)
    }

    /// Reads `maxout(2)`. Returns the layer and the shape of its result.
    fn maxout(&mut self, input: usize, step: &FlowStage<'m>, frame: &Frame) -> Maybe<(LayerKind, Vec<usize>)> {
        let bound = self.arguments("maxout", step, &MAXOUT)?;
        let pieces = self.count("k", &bound, frame)?;
        let mut shape = self.shape(input).to_vec();
        let features = shape.first_mut()?;
        if !features.is_multiple_of(pieces) {
            let place = bound.get("k").map_or(step.span, |expr| expr.span);
            let (features, origin) = (*features, self.origin(input));
            return self.fail(complain::pieces_of_features(place, pieces, features, origin));
        }
        *features /= pieces;
        Some((LayerKind::Maxout { pieces }, shape))
    }
}
