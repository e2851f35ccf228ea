//! Layers of images, `[channels, height, width]`: convolutions and pooling.

use super::expand::FlowStage;
use super::slide::{Misfit, Padding, Slide, slide};
use super::{Builder, Frame, MOST_ELEMENTS, Maybe, complain};
use crate::front::arguments::{Bound, Slot};
use crate::ir::module::Value;
use crate::ir::net::{Connection, LayerKind};
use gmpc_grammar::ast::Expr;

const POOL: [Slot<'static>; 3] = [Slot::required("k"), Slot::optional("stride"), Slot::optional("pad")];

impl<'m> Builder<'m> {
    /// Reads `conv(64, 3, stride = 2)`. Returns the convolution and the shape of its result.
    pub(super) fn convolution(
        &mut self,
        bound: &Bound<'_>,
        input: usize,
        step: &FlowStage<'m>,
        frame: &Frame,
    ) -> Maybe<(Connection, Vec<usize>)> {
        let units = self.count("channels", bound, frame);
        let kernel = self.pair("kernel", 1, bound, frame);
        let stride = if bound.contains_key("stride") { self.pair("stride", 1, bound, frame) } else { Some([1; 2]) };
        let padding = self.padding(bound, frame);
        let (units, kernel, stride, padding) = (units?, kernel?, stride?, padding?);
        let [_, height, width] = self.image("conv", input, step)?;
        let fitted = slide([height, width], kernel, stride, padding);
        let Slide { window, size } = self.fitted("conv", fitted, kernel, input, step, bound.get("kernel").copied())?;
        Some((Connection::Convolution { units, window }, vec![units, size[0], size[1]]))
    }

    /// Adds `max_pool(2)`, `avg_pool(3, stride = 2, pad = 1)` or `global_avg_pool`.
    pub(super) fn pool(
        &mut self,
        name: &'static str,
        input: usize,
        step: &FlowStage<'m>,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        if name == "global_avg_pool" {
            self.arguments(name, step, &[])?;
            let [channels, ..] = self.image(name, input, step)?;
            let layer = (LayerKind::GlobalAvgPool, vec![input], vec![channels]);
            return self.add(frame, name, step.label, layer, step.span);
        }
        let bound = self.arguments(name, step, &POOL)?;
        // All arguments are read before the first `?`, so that every wrong one is reported. Windows of a pool do not overlap
        // unless a stride is stated.
        let kernel = self.pair("k", 1, &bound, frame);
        let stride = if bound.contains_key("stride") { self.pair("stride", 1, &bound, frame) } else { kernel };
        let pad = if bound.contains_key("pad") { self.pair("pad", 0, &bound, frame) } else { Some([0; 2]) };
        let (kernel, stride, pad) = (kernel?, stride?, pad?);
        let [channels, height, width] = self.image(name, input, step)?;
        // A window that contains only padding has no maximum and no mean.
        if pad.iter().zip(kernel).any(|(pad, kernel)| *pad >= kernel) {
            let places = [bound.get("pad"), bound.get("k")].map(|expr| expr.map_or(step.span, |expr| expr.span));
            return self.fail(complain::pad_covers_window(name, places, pad, kernel));
        }
        let fitted = slide([height, width], kernel, stride, Padding::Around(pad));
        let Slide { window, size } = self.fitted(name, fitted, kernel, input, step, bound.get("k").copied())?;
        let kind = if name == "max_pool" { LayerKind::MaxPool(window) } else { LayerKind::AvgPool(window) };
        let shape = vec![channels, size[0], size[1]];
        self.add(frame, name, step.label, (kind, vec![input], shape), step.span)
    }

    /// Returns channels, height and width of the image that a layer needs.
    fn image(&mut self, name: &str, input: usize, step: &FlowStage<'m>) -> Maybe<[usize; 3]> {
        match *self.shape(input) {
            [channels, height, width] => Some([channels, height, width]),
            _ => {
                let at_input = input == 0;
                let error = complain::no_image(name, step.span, self.shape(input), self.origin(input), at_input);
                self.fail(error)
            }
        }
    }

    /// Returns the window if it fits, otherwise notes why it does not.
    fn fitted(
        &mut self,
        name: &str,
        fitted: Result<Slide, Misfit>,
        kernel: [usize; 2],
        input: usize,
        step: &FlowStage<'m>,
        stated: Option<&Expr>,
    ) -> Maybe<Slide> {
        let shape = self.shape(input).to_vec();
        let place = stated.map_or(step.span, |expr| expr.span);
        match fitted {
            Ok(slide) if padded_elements(&slide, &shape).is_some_and(|n| n <= MOST_ELEMENTS) => Some(slide),
            Ok(_) | Err(Misfit::Uncountable) => self.fail(complain::too_much_padding(step.span, name)),
            Err(Misfit::TooLarge(padded)) => {
                let error = complain::window_too_large(name, (place, kernel), padded, (self.origin(input), &shape));
                self.fail(error)
            }
        }
    }

    /// Reads a size: one number for both axes, or `[height, width]`. Each must be at least `least`.
    fn pair(&mut self, name: &str, least: i64, bound: &Bound<'_>, frame: &Frame) -> Maybe<[usize; 2]> {
        let expr = bound.get(name)?;
        let value = self.known(expr, frame)?;
        let size = |value: &Value| match value {
            Value::Integer(n) if *n >= least => usize::try_from(*n).ok(),
            _ => None,
        };
        let sizes = match &value {
            Value::List(items) => match items.as_slice() {
                [height, width] => size(height).zip(size(width)).map(|(h, w)| [h, w]),
                _ => None,
            },
            single => size(single).map(|n| [n, n]),
        };
        match sizes {
            Some(sizes) => Some(sizes),
            None => {
                let same = if name == "pad" && bound.contains_key("channels") { "`same`, " } else { "" };
                let wanted = format!("{same}a whole number, {least} or more, or two of them, `[height, width]`");
                self.fail(complain::unfit(name, &wanted, expr.span, &value))
            }
        }
    }

    /// Reads the padding: `same`, a number, or `[height, width]`.
    fn padding(&mut self, bound: &Bound<'_>, frame: &Frame) -> Maybe<Padding> {
        let Some(expr) = bound.get("pad") else { return Some(Padding::Same) };
        if matches!(self.known(expr, frame)?, Value::Word(word) if word == "same") {
            return Some(Padding::Same);
        }
        self.pair("pad", 0, bound, frame).map(Padding::Around)
    }
}

/// Returns how many numbers the padded image has, `None` if they are more than `usize` can count.
fn padded_elements(slide: &Slide, shape: &[usize]) -> Option<usize> {
    let mut elements = *shape.first()?;
    for (axis, size) in shape.iter().skip(1).enumerate() {
        elements = elements.checked_mul(slide.window.padded(axis, *size, slide.size[axis])?)?;
    }
    Some(elements)
}
