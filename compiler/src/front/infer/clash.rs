//! Explains why two tensors have different shapes: which layer changed the shape, and what would make the shapes equal.

use super::complain::{Clash, Operand, shapes_differ, sizes};
use super::{Builder, Frame};
use crate::ir::net::{Connection, LayerKind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

impl Builder<'_> {
    /// Returns the error for `left + right`. Each operand is given by its span and its layer.
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

    /// Finds the layer that made the image `changed` different from the image `other`, and the convolution to put on the
    /// other path. `None` if they are not both images.
    fn clash(&self, changed: usize, other: (Span, usize), frame: &Frame) -> Option<Clash> {
        let [_, h, w] = *self.shape(changed) else { return None };
        let [channels, height, width] = *self.shape(other.1) else { return None };
        // A different size matters more than different channels: the convolution that adapts the size sets the channels too.
        let resized = [h, w] != [height, width];
        let differs = |layer: usize| match *self.shape(layer) {
            [_, h, w] if resized => [h, w] != [height, width],
            [c, ..] => c != channels,
            [] => true,
        };
        // Walks back along the first inputs while the images differ. The last layer found is the one that introduced the
        // difference.
        let mut layer = changed;
        while differs(*self.layers.get(layer)?.inputs.first()?) {
            layer = *self.layers.get(layer)?.inputs.first()?;
        }
        let (before, after) = (self.shape(*self.layers.get(layer)?.inputs.first()?), self.shape(layer));
        let what = if resized { size_change(before, after) } else { channel_change(before, after) };
        // The help quotes the other operand as the user wrote it, unless it is too long for one line.
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

    /// Returns the text of the convolution that gives a shortcut the shape of `changed`. It uses the names of this body
    /// (`channels`, `stride`) if the text of the layer does.
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

    /// Returns the last convolution before a layer that is followed only by layers that keep the channels.
    fn last_convolution(&self, mut layer: usize) -> Option<usize> {
        let channels = self.shape(layer).first()?;
        loop {
            let found = self.layers.get(layer)?;
            if matches!(&found.kind, LayerKind::Unit(unit) if matches!(unit.connection, Connection::Convolution(_))) {
                return Some(layer);
            }
            layer = *found.inputs.first().filter(|&&input| self.shape(input).first() == Some(channels))?;
        }
    }

    /// Returns a layer's stride as it is written: `2`, or `[2, 1]`.
    fn stride(&self, layer: usize) -> String {
        let window = self.layers.get(layer).and_then(|layer| match &layer.kind {
            LayerKind::Unit(unit) => match unit.connection {
                Connection::Convolution(convolution) => Some(convolution.window),
                Connection::Dense { .. } => None,
            },
            LayerKind::MaxPool(window) | LayerKind::AvgPool(window) => Some(*window),
            _ => None,
        });
        match window.map_or([1, 1], |window| window.stride) {
            [h, w] if h == w => h.to_string(),
            [h, w] => format!("[{h}, {w}]"),
        }
    }

    /// Returns the text of an argument of a layer, if the layer belongs to this body: only then do its names mean the same
    /// here.
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
