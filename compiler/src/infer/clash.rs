//! Two tensors of different shapes: since which layer, and what would make them equal.

use super::complain::{Clash, Operand, shapes_differ, sizes};
use super::{Builder, Frame};
use crate::net::{LayerKind, Product};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

impl Builder<'_> {
    /// What is said about `left + right`; each is where it stands and its layer.
    pub(super) fn shapes_differ(
        &self,
        name: &str,
        left: (Span, usize),
        right: (Span, usize),
        frame: &Frame,
    ) -> Diagnostic {
        let clash = self.clash(left.1, right, frame).or_else(|| self.clash(right.1, left, frame));
        let operand =
            |(span, layer): (Span, usize)| Operand { span, shape: self.shape(layer), origin: self.origin(layer) };
        shapes_differ(name, &operand(left), &operand(right), clash)
    }

    /// The layer on the way to `changed` since which it is no image like `other`.
    fn clash(&self, changed: usize, other: (Span, usize), frame: &Frame) -> Option<Clash> {
        let [_, h, w] = *self.shape(changed) else { return None };
        let [channels, height, width] = *self.shape(other.1) else { return None };
        let resized = [h, w] != [height, width];
        let differs = |layer: usize| match *self.shape(layer) {
            [_, h, w] if resized => [h, w] != [height, width],
            [c, ..] => c != channels,
            [] => true,
        };
        let mut layer = changed;
        while differs(*self.layers.get(layer)?.inputs.first()?) {
            layer = *self.layers.get(layer)?.inputs.first()?;
        }
        let (before, after) = (self.shape(*self.layers.get(layer)?.inputs.first()?), self.shape(layer));
        let what = if resized { size_change(before, after) } else { channel_change(before, after) };
        let shortcut = self.module.sources.slice(other.0);
        let shortcut = if shortcut.len() <= 20 { format!("{shortcut} ") } else { String::new() };
        let projection = self.projection(changed, layer, resized, frame);
        let help = if resized {
            format!("give the shortcut the same stride: `{shortcut}-> {projection}`")
        } else {
            format!("give both as many channels: `{shortcut}-> {projection}`")
        };
        Some(Clash { place: self.origin(layer), what, help })
    }

    /// The convolution that makes a shortcut's shape the one of `changed`, in the words of this body where it has some.
    fn projection(&self, changed: usize, resizer: usize, resized: bool, frame: &Frame) -> String {
        let channels = self
            .last_convolution(changed)
            .and_then(|layer| self.words(self.spelled.get(&layer)?.channels?, layer, frame))
            .unwrap_or_else(|| self.shape(changed).first().map_or_else(String::new, ToString::to_string));
        if !resized {
            return format!("conv({channels}, 1)");
        }
        let stride = self.spelled.get(&resizer).and_then(|s| self.words(s.stride?, resizer, frame));
        let stride = match stride {
            Some(word) if word == "stride" => word,
            Some(text) => format!("stride = {text}"),
            None => format!("stride = {}", self.stride(resizer)),
        };
        format!("conv({channels}, 1, {stride})")
    }

    /// The nearest convolution on the way to a layer, through what keeps channels.
    fn last_convolution(&self, mut layer: usize) -> Option<usize> {
        let channels = self.shape(layer).first()?;
        loop {
            let found = self.layers.get(layer)?;
            if matches!(&found.kind, LayerKind::Unit(unit) if matches!(unit.product, Product::Convolution { .. })) {
                return Some(layer);
            }
            layer = *found.inputs.first().filter(|&&input| self.shape(input).first() == Some(channels))?;
        }
    }

    /// A layer's stride as a person writes it.
    fn stride(&self, layer: usize) -> String {
        let window = self.layers.get(layer).and_then(|layer| match &layer.kind {
            LayerKind::Unit(unit) => match unit.product {
                Product::Convolution { window, .. } => Some(window),
                Product::Dense { .. } => None,
            },
            LayerKind::MaxPool(window) | LayerKind::AvgPool(window) => Some(*window),
            _ => None,
        });
        match window.map_or([1, 1], |window| window.stride) {
            [h, w] if h == w => h.to_string(),
            [h, w] => format!("[{h}, {w}]"),
        }
    }

    /// The text of an argument of a layer, if its names mean the same in this body.
    fn words(&self, span: Span, layer: usize, frame: &Frame) -> Option<String> {
        let name = self.layers.get(layer)?.name.strip_prefix(&frame.prefix)?;
        (!name.contains('.')).then(|| self.module.sources.slice(span).to_string())
    }
}

fn size_change(before: &[usize], after: &[usize]) -> String {
    let (before, after) = (before.get(1..).unwrap_or(&[]), after.get(1..).unwrap_or(&[]));
    let half = before.iter().zip(after).all(|(b, a)| b.div_ceil(2) == *a);
    match half {
        true => format!("halves {} to {} here", sizes(before), sizes(after)),
        false => format!("makes {} of {} here", sizes(after), sizes(before)),
    }
}

fn channel_change(before: &[usize], after: &[usize]) -> String {
    let count = |shape: &[usize]| shape.first().map_or_else(String::new, ToString::to_string);
    format!("makes {} channels of {} here", count(after), count(before))
}
