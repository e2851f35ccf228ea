//! How the points of a nest are counted, and cut into threads of blocks.

use super::text::Text;
use crate::kernels::{Affine, Nest};

/// Threads of a block.
pub(super) const BLOCK: usize = 256;
/// Letters of the loop variables, outermost first, as [`crate::kernels::print`] has them.
const VARIABLES: [&str; 8] = ["i", "j", "k", "l", "p", "q", "r", "s"];

/// The loop variable of an axis.
pub(super) fn variable(axis: usize) -> String {
    VARIABLES.get(axis).map_or_else(|| format!("axis{axis}"), ToString::to_string)
}

/// The loop variables of all axes.
pub(super) fn variables(nest: &Nest) -> Vec<String> {
    (0..nest.space.len()).map(variable).collect()
}

/// Loop variables from one number that counts the points of some axes, the last one fastest; `sizes` in steps.
pub(super) fn decompose(text: &mut Text, index: &str, from: &str, axes: &[(usize, usize, usize)]) {
    let mut below = 1;
    for (position, &(axis, size, step)) in axes.iter().enumerate().rev() {
        let mut value = from.to_string();
        if below > 1 {
            value = format!("{value} / {below}");
        }
        if position > 0 {
            value = format!("{value} % {size}");
        }
        if step > 1 {
            value = format!("{value} * {step}");
        }
        text.line(format!("const {index} {} = {value};", variable(axis)));
        below *= size;
    }
}

/// Axes in the order in which neighbouring threads walk through them: `along` last, in steps of `lanes`.
pub(super) fn ordered(nest: &Nest, reduced: bool, along: Option<usize>, lanes: usize) -> Vec<(usize, usize, usize)> {
    let mut axes: Vec<usize> =
        (0..nest.space.len()).filter(|&axis| nest.reduced[axis] == reduced && Some(axis) != along).collect();
    axes.extend(along.filter(|&axis| nest.reduced[axis] == reduced));
    let step = |axis: usize| if Some(axis) == along { lanes } else { 1 };
    axes.into_iter().map(|axis| (axis, nest.space[axis] / step(axis), step(axis))).collect()
}

/// Points of some axes.
pub(super) fn count(axes: &[(usize, usize, usize)]) -> usize {
    axes.iter().map(|(_, size, _)| size).product()
}

/// The number of a block, as the type of indices.
pub(super) fn wide_block(index: &str) -> String {
    if index == "unsigned" { "block".to_string() } else { format!("({index})block") }
}

/// The number of a thread among all.
pub(super) fn global_index(index: &str) -> String {
    format!("{} * {BLOCK} + threadIdx.x", wide_block(index))
}

/// `4 a thread`
pub(super) fn per_thread(lanes: usize) -> String {
    if lanes > 1 { format!("{lanes} neighbours a thread") } else { "one a thread".to_string() }
}

/// Sum of the members of `Lanes`, as a tree; or the largest.
pub(super) fn across(lanes: usize, name: &str, joined: impl Fn(&str, &str) -> String) -> String {
    match lanes {
        1 => name.to_string(),
        2 => joined(&format!("{name}.n[0]"), &format!("{name}.n[1]")),
        _ => {
            let low = joined(&format!("{name}.n[0]"), &format!("{name}.n[1]"));
            let high = joined(&format!("{name}.n[2]"), &format!("{name}.n[3]"));
            joined(&format!("({low})"), &format!("({high})"))
        }
    }
}

/// Do `most` neighbours along an axis, along which an access walks one by one, begin at a multiple of `most` numbers wherever the
/// other axes are, and is the axis as many such pieces long?
pub(super) fn is_aligned(nest: &Nest, at: &Affine, axis: usize, most: usize) -> bool {
    let others = at.strides.iter().zip(&nest.space).enumerate();
    let mut others = others.filter(|(other, (_, size))| *other != axis && **size > 1);
    at.strides[axis] == 1
        && nest.space[axis].is_multiple_of(most)
        && at.offset.is_multiple_of(most)
        && others.all(|(_, (stride, _))| stride.is_multiple_of(most))
}
