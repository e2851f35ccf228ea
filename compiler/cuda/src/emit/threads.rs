//! The order in which the points of a nest are counted, and how they are cut into threads and blocks.

use super::text::Text;
use gmpc_compiler::ir::kernels::{Affine, Nest};

/// Threads of a block.
pub(crate) const BLOCK: usize = 256;
/// Names of the loop variables, outermost first, as [`gmpc_compiler::ir::kernels::print`] writes them.
const VARIABLES: [&str; 8] = ["i", "j", "k", "l", "p", "q", "r", "s"];

/// The loop variable of an axis.
pub(crate) fn variable(axis: usize) -> String {
    VARIABLES.get(axis).map_or_else(|| format!("axis{axis}"), ToString::to_string)
}

/// The loop variables of all axes.
pub(crate) fn variables(nest: &Nest) -> Vec<String> {
    (0..nest.space.len()).map(variable).collect()
}

/// Emits the loop variables of some axes from one number that counts their points, the last axis fastest. An axis is its number,
/// its size in steps, and the length of a step.
pub(crate) fn decompose(text: &mut Text, index: &str, from: &str, axes: &[(usize, usize, usize)]) {
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

/// The axes in the order of counting, as [`decompose`] takes them. `along` comes last, in steps of `lanes`, so that
/// neighbouring threads are neighbours along it.
pub(crate) fn ordered(nest: &Nest, reduced: bool, along: Option<usize>, lanes: usize) -> Vec<(usize, usize, usize)> {
    let mut axes: Vec<usize> =
        (0..nest.space.len()).filter(|&axis| nest.reduced[axis] == reduced && Some(axis) != along).collect();
    axes.extend(along.filter(|&axis| nest.reduced[axis] == reduced));
    let step = |axis: usize| if Some(axis) == along { lanes } else { 1 };
    axes.into_iter().map(|axis| (axis, nest.space[axis] / step(axis), step(axis))).collect()
}

/// The number of points of some axes.
pub(crate) fn count(axes: &[(usize, usize, usize)]) -> usize {
    axes.iter().map(|(_, size, _)| size).product()
}

/// The number of a block in the type of indices.
pub(crate) fn wide_block(index: &str) -> String {
    if index == "unsigned" { "block".to_string() } else { format!("({index})block") }
}

/// The number of a thread among all threads of the launch.
pub(crate) fn global_index(index: &str) -> String {
    format!("{} * {BLOCK} + threadIdx.x", wide_block(index))
}

/// How many neighbours a thread computes, for comments: `4 neighbours a thread`.
pub(crate) fn per_thread(lanes: usize) -> String {
    if lanes > 1 { format!("{lanes} neighbours a thread") } else { "one a thread".to_string() }
}

/// Joins the members of `Lanes` as a tree; `joined` writes the sum or the maximum of two.
pub(crate) fn across(lanes: usize, name: &str, joined: impl Fn(&str, &str) -> String) -> String {
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

/// May an access along an axis move `most` numbers at once? It must be contiguous along the axis, begin at a multiple of `most`
/// for all values of the other axes, and `most` must divide the length of the axis.
pub(crate) fn is_aligned(nest: &Nest, at: &Affine, axis: usize, most: usize) -> bool {
    let others = at.strides.iter().zip(&nest.space).enumerate();
    let mut others = others.filter(|(other, (_, size))| *other != axis && **size > 1);
    at.strides[axis] == 1
        && nest.space[axis].is_multiple_of(most)
        && at.offset.is_multiple_of(most)
        && others.all(|(_, (stride, _))| stride.is_multiple_of(most))
}
