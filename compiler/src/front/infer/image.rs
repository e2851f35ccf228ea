//! Layers of images, `[channels, height, width]`, and of series, `[channels, positions]`: convolutions and pooling.
//!
//! The positions of a series are the width of an image of height 1, so that both have the same windows.

use super::expand::FlowStage;
use super::slide::{Misfit, Padding, Slide, enlarge, slide};
use super::{Builder, Frame, MOST_ELEMENTS, Maybe, complain};
use crate::front::arguments::{Bound, Slot};
use crate::ir::module::Value;
use crate::ir::net::{Connection, Convolution, Fill, Interpolation, LayerKind, Way};
use crate::ir::window::Window;
use gmpc_grammar::ast::Expr;

const POOL: [Slot<'static>; 3] = [Slot::required("k"), Slot::optional("stride"), Slot::optional("pad")];
const UPSAMPLE: [Slot<'static>; 2] = [Slot::required("factor"), Slot::optional("method")];

/// The most groups of several channels, taps of a depthwise filter and reflected rows: each becomes an operation of its own.
const MOST_PARTS: usize = 1024;
/// The largest factor by which an image is enlarged. Each step between two pixels becomes an operation of its own.
const MOST_ENLARGED: usize = 64;

/// Channels and positions of an input.
#[derive(Clone, Copy)]
struct Grid {
    channels: usize,
    /// Height and width.
    size: [usize; 2],
    is_series: bool,
}

impl Grid {
    /// The shape of a value with these positions and this number of channels.
    fn shape(self, channels: usize, [height, width]: [usize; 2]) -> Vec<usize> {
        if self.is_series { vec![channels, width] } else { vec![channels, height, width] }
    }
}

/// A size that an argument states: the word for it, its smallest value, and what it is along the height of a series.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    least: i64,
    neutral: usize,
}

const fn size(name: &'static str, least: i64) -> Size {
    Size { name, least, neutral: if least == 0 { 0 } else { 1 } }
}

impl<'m> Builder<'m> {
    /// Reads `conv(64, 3, stride = 2)`. Returns the convolution and the shape of its result.
    pub(super) fn convolution(
        &mut self,
        bound: &Bound<'_>,
        input: usize,
        step: &FlowStage<'m>,
        frame: &Frame,
    ) -> Maybe<(Connection, Vec<usize>)> {
        // All arguments are read before the first `?`, so that every wrong one is reported.
        let units = self.count("channels", bound, frame);
        let kernel = self.pair(size("kernel", 1), bound, input, frame);
        let stride = self.pair_or(size("stride", 1), [1; 2], bound, input, frame);
        let dilation = self.pair_or(size("dilation", 1), [1; 2], bound, input, frame);
        let groups = self.groups(bound, input, frame);
        let fill = self.word("fill", &Fill::WORDS, Fill::Zeros, bound, frame);
        let padding = self.padding(bound, input, frame);
        let (units, kernel, stride, padding) = (units?, kernel?, stride?, padding?);
        let (dilation, groups, fill) = (dilation?, groups?, fill?);
        let grid = self.grid("conv", input, step)?;
        let plain = Convolution::plain(units, Window { kernel, stride, before: [0; 2] });
        let convolution = Convolution { dilation, groups, fill, ..plain };
        let Some(reach) = convolution.reach() else {
            return self.fail(complain::too_much_padding(step.span, "conv"));
        };
        let fitted = slide(grid.size, reach.kernel, stride, padding);
        let stated = bound.get("kernel").copied();
        let Slide { window, size } = self.fitted("conv", fitted, reach.kernel, input, step, stated)?;
        let convolution = Convolution { window: Window { kernel, ..window }, ..convolution };
        self.check_groups(&convolution, grid.channels, bound, step, input)?;
        self.check_reflection(&convolution, grid, size, bound, step)?;
        Some((Connection::Convolution(convolution), grid.shape(units, size)))
    }

    /// Reads `conv_transpose(64, 3, stride = 2)`. Returns the convolution and the shape of its result.
    pub(super) fn transposed(
        &mut self,
        bound: &Bound<'_>,
        input: usize,
        step: &FlowStage<'m>,
        frame: &Frame,
    ) -> Maybe<(Connection, Vec<usize>)> {
        const NAME: &str = "conv_transpose";
        let units = self.count("channels", bound, frame);
        let kernel = self.pair(size("kernel", 1), bound, input, frame);
        let stride = self.pair_or(size("stride", 1), [1; 2], bound, input, frame);
        let padding = self.padding(bound, input, frame);
        // All arguments are read before the first `?`, so that every mistake is reported at once.
        let (units, kernel, stride, padding) = (units?, kernel?, stride?, padding?);
        let grid = self.grid(NAME, input, step)?;
        let fitted = enlarge(grid.size, kernel, stride, padding);
        let stated = bound.get("kernel").copied();
        let Slide { window, size } = match fitted {
            Ok(slide) => slide,
            Err(Misfit::Uncountable) => return self.fail(complain::too_much_padding(step.span, NAME)),
            Err(Misfit::TooLarge(_)) => {
                let pad = if let Padding::Around(pad) = padding { pad } else { [0; 2] };
                let places = [bound.get("pad").copied(), stated].map(|expr| expr.map_or(step.span, |expr| expr.span));
                let from = usize::from(grid.is_series);
                return self.fail(complain::cuts_too_much(places, &pad[from..], &kernel[from..]));
            }
        };
        let convolution = Convolution { way: Way::Spread, ..Convolution::plain(units, window) };
        Some((Connection::Convolution(convolution), grid.shape(units, size)))
    }

    /// Reads the number of groups: `depthwise` for one of each channel.
    fn groups(&mut self, bound: &Bound<'_>, input: usize, frame: &Frame) -> Maybe<usize> {
        let Some(expr) = bound.get("groups") else { return Some(1) };
        let value = self.known(expr, frame)?;
        match &value {
            Value::Word(word) if word == "depthwise" => self.shape(input).first().copied(),
            Value::Integer(n) if *n > 0 => usize::try_from(*n).ok(),
            _ => self.fail(complain::unfit("groups", "a whole number, 1 or more, or `depthwise`", expr.span, &value)),
        }
    }

    /// Both channels and units must be divisible by the number of groups.
    fn check_groups(
        &mut self,
        of: &Convolution,
        channels: usize,
        bound: &Bound<'_>,
        step: &FlowStage<'m>,
        input: usize,
    ) -> Maybe<()> {
        let place = bound.get("groups").map_or(step.span, |expr| expr.span);
        if !channels.is_multiple_of(of.groups) {
            let origin = self.origin(input);
            return self.fail(complain::groups_of_channels(place, of.groups, channels, origin));
        }
        if !of.units.is_multiple_of(of.groups) {
            let units = bound.get("channels").map_or(step.span, |expr| expr.span);
            return self.fail(complain::groups_of_units(place, of.groups, of.units, units));
        }
        let depthwise = of.groups > 1 && of.groups == channels;
        let parts = if depthwise { of.window.kernel[0].saturating_mul(of.window.kernel[1]) } else { of.groups };
        if of.groups > 1 && parts > MOST_PARTS {
            return self.fail(complain::too_many_parts(place, parts, depthwise, MOST_PARTS));
        }
        Some(())
    }

    /// A reflection needs as many pixels as it repeats, besides the one at the edge.
    fn check_reflection(
        &mut self,
        of: &Convolution,
        grid: Grid,
        result: [usize; 2],
        bound: &Bound<'_>,
        step: &FlowStage<'m>,
    ) -> Maybe<()> {
        if of.fill == Fill::Zeros {
            return Some(());
        }
        let place = bound.get("fill").map_or(step.span, |expr| expr.span);
        for axis in [0, 1] {
            let (before, size) = (of.window.before[axis], grid.size[axis]);
            let padded = of.reach().and_then(|window| window.padded(axis, size, result[axis]))?;
            let most = before.max(padded.saturating_sub(before + size));
            if most >= size {
                return self.fail(complain::reflects_too_far(place, most, size));
            }
            if most > MOST_PARTS {
                return self.fail(complain::too_many_parts(place, most, true, MOST_PARTS));
            }
        }
        Some(())
    }

    /// Adds a pool: `max_pool(2)`, `avg_pool(3, stride = 2, pad = 1)`, `global_avg_pool` or `global_max_pool`.
    pub(super) fn pool(
        &mut self,
        name: &'static str,
        input: usize,
        step: &FlowStage<'m>,
        frame: &mut Frame,
    ) -> Maybe<usize> {
        if matches!(name, "global_avg_pool" | "global_max_pool") {
            self.arguments(name, step, &[])?;
            let grid = self.grid(name, input, step)?;
            let kind = if name == "global_avg_pool" { LayerKind::GlobalAvgPool } else { LayerKind::GlobalMaxPool };
            return self.add(frame, name, step.label, (kind, vec![input], vec![grid.channels]), step.span);
        }
        let bound = self.arguments(name, step, &POOL)?;
        // All arguments are read before the first `?`, so that every wrong one is reported. Windows of a pool do not overlap
        // unless a stride is stated.
        let kernel = self.pair(size("k", 1), &bound, input, frame);
        let stride =
            if bound.contains_key("stride") { self.pair(size("stride", 1), &bound, input, frame) } else { kernel };
        let pad = self.pair_or(size("pad", 0), [0; 2], &bound, input, frame);
        let (kernel, stride, pad) = (kernel?, stride?, pad?);
        let grid = self.grid(name, input, step)?;
        // A window that contains only padding has no maximum and no mean.
        if pad.iter().zip(kernel).any(|(pad, kernel)| *pad >= kernel) {
            let places = [bound.get("pad"), bound.get("k")].map(|expr| expr.map_or(step.span, |expr| expr.span));
            return self.fail(complain::pad_covers_window(name, places, pad, kernel));
        }
        let fitted = slide(grid.size, kernel, stride, Padding::Around(pad));
        let Slide { window, size } = self.fitted(name, fitted, kernel, input, step, bound.get("k").copied())?;
        let kind = if name == "max_pool" { LayerKind::MaxPool(window) } else { LayerKind::AvgPool(window) };
        self.add(frame, name, step.label, (kind, vec![input], grid.shape(grid.channels, size)), step.span)
    }

    /// Adds `upsample(2)` or `upsample([2, 1], method = bilinear)`.
    pub(super) fn upsample(&mut self, input: usize, step: &FlowStage<'m>, frame: &mut Frame) -> Maybe<usize> {
        const NAME: &str = "upsample";
        let bound = self.arguments(NAME, step, &UPSAMPLE)?;
        let factor = self.pair(size("factor", 1), &bound, input, frame);
        let method = self.word("method", &Interpolation::WORDS, Interpolation::Nearest, &bound, frame);
        let (factor, method) = (factor?, method?);
        let grid = self.grid(NAME, input, step)?;
        if let Some(&most) = factor.iter().find(|factor| **factor > MOST_ENLARGED) {
            let place = bound.get("factor").map_or(step.span, |expr| expr.span);
            let wanted = format!("a whole number from 1 to {MOST_ENLARGED}, or two of them, `[height, width]`");
            let value = Value::Integer(i64::try_from(most).unwrap_or(i64::MAX));
            return self.fail(complain::unfit("factor", &wanted, place, &value));
        }
        let size: Option<Vec<usize>> = grid.size.iter().zip(factor).map(|(n, factor)| n.checked_mul(factor)).collect();
        let Some([height, width]) = size.as_deref().and_then(|size| <[usize; 2]>::try_from(size).ok()) else {
            return self.fail(complain::too_large(step.span, self.shape(input)));
        };
        let shape = grid.shape(grid.channels, [height, width]);
        self.add(frame, NAME, step.label, (LayerKind::Upsample { factor, method }, vec![input], shape), step.span)
    }

    /// Returns the channels and positions of the image or series that a layer needs.
    fn grid(&mut self, name: &str, input: usize, step: &FlowStage<'m>) -> Maybe<Grid> {
        match *self.shape(input) {
            [channels, height, width] => Some(Grid { channels, size: [height, width], is_series: false }),
            [channels, positions] => Some(Grid { channels, size: [1, positions], is_series: true }),
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
                // A series has no height.
                let from = usize::from(shape.len() == 2);
                let (kernel, padded) = (&kernel[from..], &padded[from..]);
                let error = complain::window_too_large(name, (place, kernel), padded, (self.origin(input), &shape));
                self.fail(error)
            }
        }
    }

    /// As [`Self::pair`], or a default if the call does not state it.
    fn pair_or(
        &mut self,
        of: Size,
        default: [usize; 2],
        bound: &Bound<'_>,
        input: usize,
        frame: &Frame,
    ) -> Maybe<[usize; 2]> {
        if bound.contains_key(of.name) { self.pair(of, bound, input, frame) } else { Some(default) }
    }

    /// Reads a size: one number for both axes, or `[height, width]`. Of a series, one number for its positions.
    fn pair(&mut self, of: Size, bound: &Bound<'_>, input: usize, frame: &Frame) -> Maybe<[usize; 2]> {
        let Size { name, least, neutral } = of;
        let is_series = self.shape(input).len() == 2;
        let expr = bound.get(name)?;
        let value = self.known(expr, frame)?;
        let size = |value: &Value| match value {
            Value::Integer(n) if *n >= least => usize::try_from(*n).ok(),
            _ => None,
        };
        let sizes = match &value {
            Value::List(items) => match items.as_slice() {
                [height, width] if !is_series => size(height).zip(size(width)).map(|(h, w)| [h, w]),
                _ => None,
            },
            // A series is an image of height 1: its first axis keeps the size that changes nothing.
            single => size(single).map(|n| if is_series { [neutral, n] } else { [n, n] }),
        };
        match sizes {
            Some(sizes) => Some(sizes),
            None => {
                let same = if name == "pad" && bound.contains_key("channels") { "`same`, " } else { "" };
                let two = if is_series { "" } else { ", or two of them, `[height, width]`" };
                self.fail(complain::unfit(
                    name,
                    &format!("{same}a whole number, {least} or more{two}"),
                    expr.span,
                    &value,
                ))
            }
        }
    }

    /// Reads one of several words.
    fn word<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T); 2],
        default: T,
        bound: &Bound<'_>,
        frame: &Frame,
    ) -> Maybe<T> {
        let Some(expr) = bound.get(name) else { return Some(default) };
        let value = self.known(expr, frame)?;
        // `zeros` is also the name of an initializer, which then stands for the word.
        let found = match &value {
            Value::Word(word) => words.iter().find(|(known, _)| known == word),
            Value::Instance(instance) => words.iter().find(|(known, _)| *known == instance.name),
            _ => None,
        };
        match found {
            Some((_, found)) => Some(*found),
            None => {
                let wanted = format!("`{}` or `{}`", words[0].0, words[1].0);
                self.fail(complain::unfit(name, &wanted, expr.span, &value))
            }
        }
    }

    /// Reads the padding: `same`, a number, or `[height, width]`.
    fn padding(&mut self, bound: &Bound<'_>, input: usize, frame: &Frame) -> Maybe<Padding> {
        let Some(expr) = bound.get("pad") else { return Some(Padding::Same) };
        if matches!(self.known(expr, frame)?, Value::Word(word) if word == "same") {
            return Some(Padding::Same);
        }
        self.pair(size("pad", 0), bound, input, frame).map(Padding::Around)
    }
}

/// Returns how many numbers the padded image or series has, `None` if they are more than `usize` can count.
fn padded_elements(slide: &Slide, shape: &[usize]) -> Option<usize> {
    let mut elements = *shape.first()?;
    for (back, size) in shape.iter().skip(1).rev().enumerate() {
        let axis = 1 - back.min(1);
        elements = elements.checked_mul(slide.window.padded(axis, *size, slide.size[axis])?)?;
    }
    Some(elements)
}
