//! Finds the gradients to which their kernel can apply the mask of a ReLU while they are in registers: a gradient stays
//! where the ReLU's output is above 0 and becomes 0 elsewhere.
//!
//! ```text
//! %9 = convolve_input %8 %w        or the gradient of a max pool whose windows do not overlap, perhaps with a number per channel
//!                                  added, as centring does
//! %10 = mul %9 %4                  \   if the graph has this sum,
//! %11 = sum %10 [0, 1, 2]          /   the kernel computes it, too
//! %12 = select (0 < %4) %9 0
//! %13 = sum %12 [0, 1, 2]          is computed before the factor %r
//! %14 = mul %12 %r                 is written if only sums read %12, otherwise %12 is written
//! ```

use super::operand::{base, is_number, repeated_row};
use crate::ir::graph::groups::{elementwise, joined, pool, reduction, scan, view};
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::window::Window;

/// A gradient, its ReLU mask and the operations around the mask.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaskedGradient {
    /// The convolution or pool that computes the gradient.
    pub(super) gradient: Id,
    /// A number per channel that is added to the gradient.
    pub(super) shift: Option<Id>,
    /// The gradient after this addition. All operands of the mask are computed before this node.
    pub(super) at: Id,
    /// The output of the ReLU.
    pub(super) relu_output: Id,
    /// The masked gradient: the gradient where the ReLU's output is above 0, and 0 elsewhere.
    pub(super) kept: Id,
    /// An input or state with a factor per channel.
    pub(super) scale: Option<Id>,
    /// The node that is written: the masked gradient times the factor.
    pub(super) last: Id,
    /// The product of the gradient and the ReLU's output, which is only summed.
    pub(super) weighted: Option<Id>,
}

/// The ReLU mask of a gradient. `None` if there is none, or if something else reads the gradient.
pub(super) fn relu_mask(graph: &Graph, users: &[Vec<Id>], gradient: Id) -> Option<MaskedGradient> {
    let node = &graph[gradient];
    match &node.op {
        Op::ConvolveInput(_) => {}
        Op::MaxPoolGrad(window) if tiles(window, graph.shape(gradient), graph.shape(node.inputs[1])) => {}
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => return None,
        elementwise!() | view!() | joined!() | reduction!() | Op::MatMul { .. } | scan!() => return None,
        Op::Convolve(_) | Op::ConvolveWeight(_) | pool!() => return None,
    }
    let (at, shift) = shifted(graph, users, gradient).map_or((gradient, None), |(at, shift)| (at, Some(shift)));
    let (kept, relu_output) = users[at.index()].iter().find_map(|&user| Some((user, kept_by(graph, user, at)?)))?;
    // The kernel of the gradient reads the ReLU's output, so that must be computed before.
    if base(graph, relu_output).index() > at.index() {
        return None;
    }
    // The gradient before the mask is not written. The only other reader may be the product that is summed.
    let mut rest = users[at.index()].iter().copied().filter(|&user| user != kept);
    let weighted = rest.next();
    let is_weighted = |id: Id| {
        graph[id].op == Op::Mul
            && [[at, relu_output], [relu_output, at]].contains(&[graph[id].inputs[0], graph[id].inputs[1]])
            && matches!(users[id.index()][..], [sum] if sums_pixels(graph, sum, id))
    };
    if rest.next().is_some() || !weighted.is_none_or(is_weighted) {
        return None;
    }
    let (last, scale) = scaled(graph, users, kept).map_or((kept, None), |(last, scale)| (last, Some(scale)));
    Some(MaskedGradient { gradient, shift, at, relu_output, kept, scale, last, weighted })
}

/// The sum of the gradient and a number per channel, if nothing else reads the gradient, and these numbers.
fn shifted(graph: &Graph, users: &[Vec<Id>], gradient: Id) -> Option<(Id, Id)> {
    let [sum] = users[gradient.index()][..] else { return None };
    let other = graph[sum].inputs.iter().copied().find(|&input| input != gradient)?;
    let numbers = (graph[sum].op == Op::Add && graph[other].op == Op::Broadcast).then(|| graph[other].inputs[0])?;
    let (last, outer) = graph.shape(numbers).split_last()?;
    let fits = outer.iter().all(|&n| n == 1) && graph.shape(gradient).last() == Some(last);
    fits.then_some((sum, numbers))
}

/// The output of the ReLU, if `user` is the gradient masked by it.
fn kept_by(graph: &Graph, user: Id, gradient: Id) -> Option<Id> {
    let [mask, value, zero] = graph[user].inputs[..] else { return None };
    let less =
        (graph[user].op == Op::Select && value == gradient && is_number(graph, zero, 0.0)).then(|| &graph[mask])?;
    let [low, high] = less.inputs[..] else { return None };
    let same = graph.shape(high) == graph.shape(gradient);
    (less.op == Op::Less && is_number(graph, low, 0.0) && same).then_some(high)
}

/// The product of the masked gradient with a factor per channel, and the factor, if all other readers of the masked
/// gradient are sums.
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
