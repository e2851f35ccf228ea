//! Which gradients pass a rectifier's gradient at once: kept where the rectifier gave more than 0, while still in registers.
//!
//! ```text
//! %9 = convolve_input %8 %w        or the gradient of the largest of windows that tile the images, with a number for each
//!                                  channel added, as centring does
//! %10 = mul %9 %4                  \   the sums of these, if anybody takes them,
//! %11 = sum %10 [0, 1, 2]          /   are sums of the gate
//! %12 = select (0 < %4) %9 0
//! %13 = sum %12 [0, 1, 2]          taken before the factor
//! %14 = mul %12 %r                 what is written, if nothing but sums reads %12; otherwise that is %12
//! ```

use super::operand::{base, is_number, repeated_row};
use crate::graph::{Graph, Id, Op};
use crate::window::Window;

/// A gradient and what happens to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gated {
    /// The convolution or pool that computes the gradient.
    pub(super) gradient: Id,
    /// A number for each channel that is added to it.
    pub(super) shift: Option<Id>,
    /// The gradient with that: from here on everything is known.
    pub(super) at: Id,
    /// What the rectifier gave.
    pub(super) rectified: Id,
    /// The gradient where that is above 0.
    pub(super) kept: Id,
    /// An input or state with a factor for each channel.
    pub(super) scale: Option<Id>,
    /// What is written: what is kept, times the factor.
    pub(super) last: Id,
    /// The gradient times what the rectifier gave, of which only sums are taken.
    pub(super) weighted: Option<Id>,
}

/// What happens to a gradient, if it passes a rectifier's gradient and nothing else reads it.
pub(super) fn gate(graph: &Graph, users: &[Vec<Id>], gradient: Id) -> Option<Gated> {
    let node = &graph[gradient];
    match &node.op {
        Op::ConvolveInput(_) => {}
        Op::MaxPoolGrad(window) if tiles(window, graph.shape(gradient), graph.shape(node.inputs[1])) => {}
        _ => return None,
    }
    let (at, shift) = shifted(graph, users, gradient).map_or((gradient, None), |(at, shift)| (at, Some(shift)));
    let (kept, rectified) = users[at.index()].iter().find_map(|&user| Some((user, kept_by(graph, user, at)?)))?;
    if base(graph, rectified).index() > at.index() {
        return None;
    }
    let mut rest = users[at.index()].iter().copied().filter(|&user| user != kept);
    let weighted = rest.next();
    let is_weighted = |id: Id| {
        graph[id].op == Op::Mul
            && [[at, rectified], [rectified, at]].contains(&[graph[id].inputs[0], graph[id].inputs[1]])
            && matches!(users[id.index()][..], [sum] if sums_pixels(graph, sum, id))
    };
    if rest.next().is_some() || !weighted.is_none_or(is_weighted) {
        return None;
    }
    let (last, scale) = scaled(graph, users, kept).map_or((kept, None), |(last, scale)| (last, Some(scale)));
    Some(Gated { gradient, shift, at, rectified, kept, scale, last, weighted })
}

/// The gradient with a number for each channel added, if nothing else reads it, and these numbers.
fn shifted(graph: &Graph, users: &[Vec<Id>], gradient: Id) -> Option<(Id, Id)> {
    let [sum] = users[gradient.index()][..] else { return None };
    let other = graph[sum].inputs.iter().copied().find(|&input| input != gradient)?;
    let numbers = (graph[sum].op == Op::Add && graph[other].op == Op::Broadcast).then(|| graph[other].inputs[0])?;
    let (last, outer) = graph.shape(numbers).split_last()?;
    let fits = outer.iter().all(|&n| n == 1) && graph.shape(gradient).last() == Some(last);
    fits.then_some((sum, numbers))
}

/// What the rectifier gave, if `user` keeps the gradient where that is above 0.
fn kept_by(graph: &Graph, user: Id, gradient: Id) -> Option<Id> {
    let [mask, value, zero] = graph[user].inputs[..] else { return None };
    let less =
        (graph[user].op == Op::Select && value == gradient && is_number(graph, zero, 0.0)).then(|| &graph[mask])?;
    let [low, high] = less.inputs[..] else { return None };
    let same = graph.shape(high) == graph.shape(gradient);
    (less.op == Op::Less && is_number(graph, low, 0.0) && same).then_some(high)
}

/// What is kept times a factor for each channel, if only sums read it otherwise: the product and the factor.
fn scaled(graph: &Graph, users: &[Vec<Id>], kept: Id) -> Option<(Id, Id)> {
    let mut rest = users[kept.index()].iter().copied().filter(|&user| !sums_pixels(graph, user, kept));
    let (Some(product), None) = (rest.next(), rest.next()) else { return None };
    let factor = graph[product].inputs.iter().copied().find(|&input| input != kept)?;
    (graph[product].op == Op::Mul).then(|| repeated_row(graph, factor)).flatten().map(|factor| (product, factor))
}

/// Does the node sum another over all pixels of all images?
pub(super) fn sums_pixels(graph: &Graph, id: Id, of: Id) -> bool {
    id != of && matches!(&graph[id].op, Op::Sum(axes) if *axes == [0, 1, 2]) && graph[id].inputs == [of]
}

/// Does every pixel of the images lie in exactly one window?
fn tiles(window: &Window, images: &[usize], result: &[usize]) -> bool {
    let whole = |axis: usize| {
        images.get(axis + 1).zip(result.get(axis + 1)).is_some_and(|(n, m)| *n == m * window.stride[axis])
    };
    window.kernel == window.stride && window.before == [0, 0] && whole(0) && whole(1)
}
