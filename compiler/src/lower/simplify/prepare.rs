//! Moves scales and shifts per channel into the convolutions and max pools that read the scaled images. A convolution
//! applies scale and shift while it reads its images. A max pool applies the scale while it compares, and the shift is
//! added to its result.
//!
//! ```text
//! %5 = mul %3 %r       \
//! %6 = sub %5 %mean     >     %8 = convolve %3 %w %r %minus_mean
//! %7 = convolve %6 %w  /
//! ```
//!
//! Such scales and shifts come from geometric parameterizations and from input mean normalization. Applied while a
//! convolution reads its images, they cost no pass over memory. Zero padding is applied after them and stays zero.
//! Before: a simplified graph, in which factors were combined. After: a graph that should be simplified again.

use super::prune;
use crate::ir::graph::{Graph, Id, Op, Output};

/// An equivalent graph whose convolutions and max pools take scales and shifts as operands.
#[must_use]
pub fn prepare(graph: &Graph) -> Graph {
    let mut new = Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::default() };
    // Nodes that only the scaled images needed stay in the new graph until `prune` removes them.
    let mut names: Vec<Id> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let from = new.nodes.len();
        let mut inputs: Vec<Id> = node.inputs.iter().map(|i| names[i.index()]).collect();
        if matches!(node.op, Op::Convolve(_) | Op::ConvolveWeight(_)) && inputs.len() == 2 {
            let (images, affine) = peel(&mut new, inputs[0]);
            if let Some([scale, shift]) = affine {
                inputs = vec![images, inputs[1], scale, shift];
            }
        }
        let shift = match node.op {
            Op::MaxPool(_) => prepare_pool(&new, &mut inputs, 1),
            Op::MaxPoolGrad(_) => prepare_pool(&new, &mut inputs, 2).and(None), // a shift does not move the largest value
            _ => None,
        };
        let result = new.push(node.op.clone(), inputs, node.shape.clone());
        names.push(match shift {
            Some((Op::Sub, shift)) => new.sub(result, shift),
            Some((_, shift)) => new.add(result, shift),
            None => result,
        });
        if let Some(span) = node.span {
            new.mark(from, span);
        }
    }
    new.outputs = graph.outputs.iter().map(|output| renamed(output, &names)).collect();
    prune(new)
}

fn renamed(output: &Output, names: &[Id]) -> Output {
    let mut output = output.clone();
    match &mut output {
        Output::Value { id, .. } | Output::Write { id, .. } => *id = names[id.index()],
    }
    output
}

/// Follows `id` back through scales and shifts per channel. Returns the images before them, and the combined scale and
/// shift.
fn peel(graph: &mut Graph, id: Id) -> (Id, Option<[Id; 2]>) {
    let [a, b] = graph[id].inputs[..] else { return (id, None) };
    let op = graph[id].op.clone();
    let found = match op {
        Op::Mul | Op::Add => per_channel(graph, b).map(|c| (a, c)).or_else(|| per_channel(graph, a).map(|c| (b, c))),
        Op::Sub => per_channel(graph, b).map(|c| (a, c)),
        _ => None,
    };
    let Some((inner, value)) = found else { return (id, None) };
    let (images, affine) = peel(graph, inner);
    let channels = graph.shape(value).to_vec();
    // With x the images, the value so far is x scale + shift. A factor applies to both, a sum to the shift alone.
    let [scale, shift] = affine.unwrap_or_else(|| [graph.full(1.0, &channels), graph.full(0.0, &channels)]);
    let affine = match op {
        Op::Mul if affine.is_none() => [value, shift],
        Op::Mul => [graph.mul(scale, value), graph.mul(shift, value)],
        Op::Add => [scale, graph.add(shift, value)],
        _ => [scale, graph.sub(shift, value)],
    };
    (images, Some(affine))
}

/// Removes a shift and then a scale per channel from the images of a pool, and makes the scale an operand. `plain` is the
/// number of operands of a pool without a scale. Returns the shift and whether it is added or subtracted. The shift may
/// come after the pool because rounding keeps the order of numbers: the largest sum is the sum of the largest number.
fn prepare_pool(graph: &Graph, inputs: &mut Vec<Id>, plain: usize) -> Option<(Op, Id)> {
    if inputs.len() != plain {
        return None;
    }
    let shift = shift(graph, inputs[0]).map(|(images, op, shift)| {
        inputs[0] = images;
        (op, shift)
    });
    if let Some((images, scale)) = factor(graph, inputs[0]) {
        inputs[0] = images;
        inputs.push(scale);
    }
    shift
}

/// The operands of a sum or difference with a number per channel, and which of both it is.
fn shift(graph: &Graph, id: Id) -> Option<(Id, Op, Id)> {
    let [a, b] = graph[id].inputs[..] else { return None };
    match graph[id].op {
        Op::Sub => per_channel(graph, b).map(|value| (a, Op::Sub, value)),
        Op::Add => per_channel(graph, b)
            .map(|value| (a, Op::Add, value))
            .or_else(|| per_channel(graph, a).map(|value| (b, Op::Add, value))),
        _ => None,
    }
}

/// The operands of a product with a factor per channel.
fn factor(graph: &Graph, id: Id) -> Option<(Id, Id)> {
    let ([a, b], Op::Mul) = (&graph[id].inputs[..], &graph[id].op) else { return None };
    per_channel(graph, *b).map(|scale| (*a, scale)).or_else(|| per_channel(graph, *a).map(|scale| (*b, scale)))
}

/// The value of shape `[1, 1, 1, channels]` that an operand broadcasts over all pixels.
fn per_channel(graph: &Graph, id: Id) -> Option<Id> {
    let source = (graph[id].op == Op::Broadcast).then(|| graph[id].inputs[0])?;
    let shape = graph.shape(source);
    (shape.len() == 4 && shape[..3] == [1, 1, 1] && shape[3] == graph.shape(id)[3]).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::graph::{Random, Tensor, evaluate, verify};
    use crate::ir::window::Window;

    fn centred(prepared: bool) -> Graph {
        let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
        let mut g = Graph::default();
        let (x, w, r) = (g.input("x", vec![1, 3, 3, 2]), g.input("w", vec![18, 2]), g.input("r", vec![1, 1, 1, 2]));
        let scaled = g.mul(x, r);
        let mean = g.mean(scaled, &[0, 1, 2]);
        let centred = g.sub(scaled, mean);
        let y = g.convolve(centred, w, window, [3, 3]);
        let dw = g.push(Op::ConvolveWeight(window), vec![centred, y], vec![18, 2]);
        g.output("y", y);
        g.output("dw", dw);
        if prepared { prepare(&g) } else { g }
    }

    #[test]
    fn scale_and_centring_move_into_the_convolutions() {
        let graph = centred(true);
        assert_eq!(verify(&graph), Ok(()));
        insta::assert_snapshot!(graph.print(None));
    }

    fn numbers(shape: &[usize], pace: f64) -> Tensor {
        let count: usize = shape.iter().product();
        let data = (0..u32::try_from(count).unwrap()).map(|i| libm::sin(pace * f64::from(i + 1))).collect();
        Tensor { shape: shape.to_vec(), data }
    }

    #[test]
    fn the_values_stay() {
        let inputs = [numbers(&[1, 3, 3, 2], 1.3), numbers(&[18, 2], 0.7), numbers(&[1, 1, 1, 2], 2.9)];
        let [plain, prepared] = [false, true].map(|p| evaluate(&centred(p), &inputs, &[], Random::default()));
        for (a, b) in plain.iter().zip(&prepared) {
            assert!(a.data.iter().zip(&b.data).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
        }
    }

    /// The gradient at images that are centred before a pool, and its sum over all pixels.
    fn centred_pool(g: &mut Graph) {
        let half = Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] };
        let (x, r, dy) =
            (g.input("x", vec![2, 4, 4, 2]), g.input("r", vec![1, 1, 1, 2]), g.input("dy", vec![2, 2, 2, 2]));
        let scaled = g.mul(x, r);
        let mean = g.mean(scaled, &[0, 1, 2]);
        let centred = g.sub(scaled, mean);
        let pooled = g.pool(Op::MaxPool(half), centred, &[2, 2, 2]);
        let dx = g.push(Op::MaxPoolGrad(half), vec![centred, dy], vec![2, 4, 4, 2]);
        let sum = g.sum(dx, &[0, 1, 2]);
        for (name, id) in [("pooled", pooled), ("dx", dx), ("sum", sum)] {
            g.output(name, id);
        }
    }

    #[test]
    fn a_pool_is_centred_after_the_search_and_its_gradients_are_summed_before() {
        let mut plain = Graph::default();
        centred_pool(&mut plain);
        let simple = crate::lower::simplify::simplify(&prepare(&crate::lower::simplify::simplify(&plain)));
        assert_eq!(verify(&simple), Ok(()));
        insta::assert_snapshot!(simple.print(None));
        let inputs = [([2, 4, 4, 2], 1.3), ([1, 1, 1, 2], 2.9), ([2, 2, 2, 2], 0.7)];
        let inputs = inputs.map(|(shape, pace)| numbers(&shape, pace));
        let [a, b] = [&plain, &simple].map(|graph| evaluate(graph, &inputs, &[], Random::default()));
        for (a, b) in a.iter().zip(&b) {
            assert!(a.data.iter().zip(&b.data).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
        }
    }
}
