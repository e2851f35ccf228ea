//! The input: the shape of an example, and the names that a body may use for its sizes.

use super::{Builder, Frame, MOST_AXES, MOST_ELEMENTS, Maybe, complain};
use crate::front::constant::{Scope, evaluate};
use crate::ir::internal::internal_error;
use crate::ir::module::{ParamUse, Value};
use gmpc_grammar::ast::Expr;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

impl<'m> Builder<'m> {
    /// Returns the shape of one example and where it is stated: at the model, `model tiny(input: [13])`, or at the data.
    pub(super) fn input_shape(&mut self) -> Maybe<(Vec<usize>, Span)> {
        let model = &self.module.model;
        let stated = model.parameters.iter().find(|p| p.name.text == "input");
        let data = self.module.experiment.data.as_ref();
        let from_data = self.facts.map(|facts| facts.shape.clone());
        let Some(parameter) = stated else {
            return match (from_data, data) {
                (Some(shape), Some(data)) => Some((shape, data.span)),
                (Some(shape), None) => Some((shape, model.body.span)),
                (None, _) => self.fail(complain::no_input_shape(model, data)),
            };
        };
        let Some(annotation) = &parameter.annotation else {
            return self.fail(complain::input_without_shape(parameter));
        };
        let shape = self.stated_shape(annotation)?;
        let span = parameter.name.span.to(annotation.span);
        match (from_data, data) {
            // A row of numbers is read as a series channel by channel: a table row, or an array `[rows, channels, positions]`.
            (Some(given), Some(_)) if reads_as_series(&given, &shape) => Some((shape, span)),
            (Some(given), Some(data)) if given != shape => {
                self.fail(complain::input_differs(&shape, span, &given, data))
            }
            _ => Some((shape, span)),
        }
    }

    fn stated_shape(&mut self, annotation: &Expr) -> Maybe<Vec<usize>> {
        let names = self.data_names();
        let value = evaluate(annotation, &Scope::new(&names, &self.module.definitions)).map_err(|e| vec![e]);
        let Value::List(items) = self.keep(value)? else {
            return self.fail(complain::not_a_shape(annotation.span));
        };
        let sizes: Option<Vec<usize>> = items
            .iter()
            .map(|item| match item {
                Value::Integer(n) => usize::try_from(*n).ok().filter(|n| *n > 0),
                _ => None,
            })
            .collect();
        let Some(sizes) = sizes.filter(|s| !s.is_empty()) else {
            return self.fail(complain::not_a_shape(annotation.span));
        };
        if sizes.len() > MOST_AXES {
            return self.fail(complain::too_many_axes(annotation.span, sizes.len()));
        }
        match sizes.iter().try_fold(1_usize, |n, &size| n.checked_mul(size)) {
            Some(n) if n <= MOST_ELEMENTS => Some(sizes),
            _ => self.fail(complain::too_large(annotation.span, &sizes)),
        }
    }

    /// Returns `data.classes`, `data.shape`, `data.features` and `data.outputs`, as far as they are known. For images, also
    /// `data.channels`, `data.height` and `data.width`.
    pub(super) fn data_names(&self) -> BTreeMap<String, Value> {
        let Some(facts) = self.facts else { return BTreeMap::new() };
        let mut known = vec![("outputs", Some(facts.outputs)), ("classes", facts.classes)];
        match *facts.shape.as_slice() {
            [features] => known.push(("features", Some(features))),
            [channels, height, width] => {
                known.extend([("channels", Some(channels)), ("height", Some(height)), ("width", Some(width))]);
            }
            _ => {}
        }
        let shape = Value::List(facts.shape.iter().map(|&size| whole(size)).collect());
        let sizes = known.into_iter().filter_map(|(name, size)| Some((format!("data.{name}"), whole(size?))));
        sizes.chain([("data.shape".to_string(), shape)]).collect()
    }

    /// Returns the frame of a body with this input.
    pub(super) fn frame(&self, input: usize, prefix: String, param: ParamUse, nesting: usize) -> Frame {
        let mut names = self.data_names();
        let shape = self.shape(input);
        names.insert("input.shape".to_string(), Value::List(shape.iter().map(|&n| whole(n)).collect()));
        match shape {
            // A row of numbers has features. They are its channels too, so that a block works on rows and on images.
            [features] => {
                names.insert("input.features".to_string(), whole(*features));
                names.insert("input.channels".to_string(), whole(*features));
            }
            [channels, rest @ ..] => {
                names.insert("input.channels".to_string(), whole(*channels));
                if let [positions] = rest {
                    names.insert("input.positions".to_string(), whole(*positions));
                }
                if let [height, width] = rest {
                    names.insert("input.height".to_string(), whole(*height));
                    names.insert("input.width".to_string(), whole(*width));
                }
            }
            [] => {}
        }
        // Layers are counted anew in every body: their names have the prefix of the body.
        Frame {
            names,
            tensors: BTreeMap::from([("input".to_string(), Some(input))]),
            bound: BTreeMap::new(),
            param,
            prefix,
            counts: BTreeMap::new(),
            nesting,
        }
    }

    /// Reads the parameters of the model other than `input`. Each needs a default, which `--set` can replace.
    pub(super) fn model_parameters(&mut self, frame: &mut Frame) {
        for parameter in self.module.model.parameters.iter().filter(|p| p.name.text != "input") {
            let value = match &parameter.default {
                Some(default) => self.known(default, frame),
                None => self.fail(complain::no_default(parameter, &self.module.experiment.model)),
            };
            let name = parameter.name.text.clone();
            frame.bound.insert(name.clone(), parameter.name.span);
            frame.names.insert(name, value.unwrap_or(Value::Integer(1)));
        }
    }
}

/// Is this shape a series with as many numbers as a row of the data?
fn reads_as_series(row: &[usize], shape: &[usize]) -> bool {
    matches!((row, shape), (&[features], &[channels, positions]) if channels.checked_mul(positions) == Some(features))
}

/// Converts a size to a value. Sizes are far below 2^63.
fn whole(size: usize) -> Value {
    Value::Integer(i64::try_from(size).unwrap_or_else(|_| internal_error("infer", "a size beyond 2^63", size)))
}
