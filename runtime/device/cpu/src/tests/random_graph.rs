//! Random graphs over all operations that backends have. Their values stay of moderate size.

use super::state;
use gmpc_compiler::ir::graph::{Graph, Id, Op};
use gmpc_compiler::ir::window::Window;

/// A stream of pseudo-random choices.
struct Choices(u64);

impl Choices {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % count
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

const SIZES: [usize; 6] = [1, 2, 3, 5, 8, 18];

/// A graph of about `size` operations; the same for the same arguments.
pub(super) fn random_graph(seed: u64, size: usize) -> Graph {
    let mut c = Choices(seed.wrapping_mul(77).wrapping_add(5));
    let mut g = Graph::default();
    let mut pool: Vec<Id> = Vec::new();
    let mut states = Vec::new();
    for index in 0..2 {
        let shape = [c.of(&SIZES), c.of(&SIZES)];
        pool.push(g.input(format!("x{index}"), shape.to_vec()));
        let shape = [c.of(&SIZES), c.of(&SIZES)];
        let (index, old) = g.state(state(&format!("s{index}"), &shape));
        states.push(index);
        pool.push(old);
    }
    // A choice may not fit the shape of `a`; then this round adds nothing.
    for _ in 0..size {
        let a = pool[c.below(pool.len())];
        if let Some(next) = grow(&mut g, &mut c, &pool, a) {
            pool.push(next);
        }
    }
    // The last values depend on most of the others. Everything that nothing reads is removed by the compiler.
    for (index, id) in pool.iter().rev().take(3).enumerate() {
        g.output(format!("y{index}"), *id);
    }
    for state in states {
        if c.below(3) > 0 {
            let value = pool[c.below(pool.len())];
            let value = fitted(&mut g, value, state);
            g.write(state, value);
        }
    }
    g
}

/// A value in the shape of a state: itself if the shape fits, else its sum, squashed and added to the old state.
fn fitted(g: &mut Graph, value: Id, state: usize) -> Id {
    let shape = g.states[state].shape.clone();
    if g.shape(value) == shape {
        return value;
    }
    let axes: Vec<usize> = (0..g.shape(value).len()).collect();
    let sum = g.sum(value, &axes);
    let sum = g.unary(Op::Tanh, sum);
    let sum = g.reshape(sum, &[1, 1]);
    let old = g.ids().find(|&id| g[id].op == Op::State(state));
    let sum = g.expand(sum, &shape);
    match old {
        Some(old) => g.add(sum, old),
        None => sum,
    }
}

/// Adds one random operation on `a`. `None` if the choice does not fit its shape.
fn grow(g: &mut Graph, c: &mut Choices, pool: &[Id], a: Id) -> Option<Id> {
    let shape = g.shape(a).to_vec();
    let rank = shape.len();
    // Elementwise operations are the most frequent ones, as in networks, so that fusion has something to fuse.
    Some(match c.below(18) {
        0..=3 => unary(g, c, a),
        4..=6 => {
            let b = pool.iter().rev().copied().find(|&b| b != a && g.fitted_shape(a, b).is_some())?;
            binary(g, c, a, b)
        }
        7 => {
            let b = g.constant(c.of(&[0.0, 1.0, -0.5, 2.0]));
            binary(g, c, a, b)
        }
        8 => {
            let axes: Vec<usize> = (0..rank).filter(|_| c.below(2) == 0).collect();
            if c.below(3) == 0 { g.max_over(a, &axes) } else { g.mean(a, &axes) }
        }
        9 if rank == 2 => g.transpose(a, &[1, 0]),
        10 => {
            let axis = c.below(rank.max(1));
            let size = *shape.get(axis)?;
            let len = 1 + c.below(size);
            g.slice(a, axis, c.below(size - len + 1), len)
        }
        // Pads and joins stop at 40 elements along an axis, so that repeated ones do not explode.
        11 => {
            let axis = c.below(rank.max(1));
            let size = *shape.get(axis)?;
            let (before, after) = (c.below(3), c.below(3));
            if size + before + after > 40 {
                return None;
            }
            g.pad(a, axis, before, before + size + after)
        }
        12 => {
            let axis = c.below(rank.max(1));
            let fits = |b: &Id| g.shape(*b).len() == rank && (0..rank).all(|i| i == axis || g.shape(*b)[i] == shape[i]);
            let b = pool.iter().rev().copied().find(fits)?;
            if rank == 0 || shape[axis] + g.shape(b)[axis] > 40 {
                return None;
            }
            g.concat(&[a, b], axis)
        }
        13 => {
            let flat = [shape.iter().product::<usize>(), 1];
            if c.below(2) == 0 { g.reshape(a, &flat) } else { g.reshape(a, &[1, flat[0]]) }
        }
        14 if rank == 2 => product(g, c, pool, a)?,
        15 if rank == 2 => special(g, c, a),
        16 | 17 => windows(g, c, a)?,
        _ => return None,
    })
}

fn unary(g: &mut Graph, c: &mut Choices, a: Id) -> Id {
    let op = c.of(&[0_usize, 1, 2, 3, 4, 5, 6, 7, 8]);
    match op {
        0 => g.unary(Op::Neg, a),
        1 => g.unary(Op::Tanh, a),
        2 => g.unary(Op::Sin, a),
        3 => g.unary(Op::Cos, a),
        4 => g.unary(Op::Erf, a),
        5 => {
            let small = g.unary(Op::Tanh, a);
            g.unary(Op::Exp, small)
        }
        op => {
            let magnitude = g.unary(Op::Abs, a);
            let one = g.constant(1.0);
            let positive = g.add(magnitude, one);
            g.unary([Op::Log, Op::Sqrt, Op::Abs][op - 6].clone(), positive)
        }
    }
}

fn binary(g: &mut Graph, c: &mut Choices, a: Id, b: Id) -> Id {
    // Factors are squashed by tanh and divisors are at least 1: values must not grow from operation to operation.
    match c.below(9) {
        0 | 1 => g.add(a, b),
        2 => g.sub(a, b),
        3 => {
            let a = g.unary(Op::Tanh, a);
            g.mul(a, b)
        }
        4 => g.binary(Op::Max, a, b),
        5 => g.binary(Op::Min, a, b),
        6 => {
            let square = g.mul(b, b);
            let one = g.constant(1.0);
            let positive = g.add(square, one);
            g.div(a, positive)
        }
        // Only a comparison with itself: rounded values could compare differently in f32.
        7 => {
            let zero = g.constant(0.0);
            let shape = g.fitted_shape(a, b).unwrap_or_default();
            let (a, b) = (g.expand(a, &shape), g.expand(b, &shape));
            let mask = g.binary(Op::Equal, a, a);
            let zero = g.expand(zero, &shape);
            let either = g.select(mask, a, b);
            g.add(either, zero)
        }
        _ => {
            let difference = g.sub(a, b);
            g.mul(difference, difference)
        }
    }
}

/// A matmul with the latest value that fits, with or without transposes. The left operand is squashed first.
fn product(g: &mut Graph, c: &mut Choices, pool: &[Id], a: Id) -> Option<Id> {
    let (ta, tb) = (c.below(2) == 0, c.below(2) == 0);
    let inner = g.shape(a)[usize::from(!ta)];
    let fits = |b: &Id| g.shape(*b).len() == 2 && g.shape(*b)[usize::from(tb)] == inner;
    let b = pool.iter().rev().copied().find(fits)?;
    let small = g.unary(Op::Tanh, a);
    Some(g.matmul(small, b, ta, tb))
}

/// Reshapes the value to a small image and perhaps scales and centers it. Then applies a convolution, one of its
/// gradients, or a pool.
fn windows(g: &mut Graph, c: &mut Choices, a: Id) -> Option<Id> {
    let elements: usize = g.shape(a).iter().product();
    // Channels and width must divide the number of elements, else there is no such image.
    let divisor = |c: &mut Choices, n: usize| c.of(&[1, 2, 3, 4, 5, 6]).min(n) * usize::from(n > 0);
    let channels = divisor(c, elements);
    let width = divisor(c, elements / channels.max(1));
    if channels == 0 || width == 0 || !elements.is_multiple_of(channels * width) || elements > 400 {
        return None;
    }
    let [height, units] = [elements / channels / width, c.of(&[1, 3, 16, 17])];
    let [kernel, stride] = [[c.of(&[1, 2, 3]), c.of(&[1, 3])], [c.of(&[1, 2]), c.of(&[1, 2])]];
    let window = Window { kernel, stride, before: [c.below(kernel[0]), c.below(kernel[1])] };
    let size = [height.div_ceil(stride[0]), width.div_ceil(stride[1])];
    // Filters and gradients are drawn, because no value of the graph has their shape.
    let draw = |g: &mut Graph, c: &mut Choices, shape: Vec<usize>| {
        let draw = g.push(Op::Uniform { stream: c.below(9) as u32 }, vec![], shape);
        let half = g.constant(0.5);
        g.sub(draw, half)
    };
    let small = g.unary(Op::Tanh, a);
    let mut x = g.reshape(small, &[1, height, width, channels]);
    if c.below(2) == 0 {
        let scale = draw(g, c, vec![1, 1, 1, channels]);
        let scaled = g.mul(x, scale);
        let mean = g.mean(scaled, &[0, 1, 2]);
        x = if c.below(2) == 0 { g.sub(scaled, mean) } else { scaled };
    }
    let result = vec![1, size[0], size[1], units];
    let filters = vec![channels * window.area(), units];
    Some(match c.below(6) {
        0 => {
            let w = draw(g, c, filters);
            g.push(Op::Convolve(window), vec![x, w], result)
        }
        1 => {
            let (w, dy) = (draw(g, c, filters), draw(g, c, result));
            let dx = g.push(Op::ConvolveInput(window), vec![dy, w], vec![1, height, width, channels]);
            g.add(dx, x)
        }
        2 => {
            let dy = draw(g, c, result);
            g.push(Op::ConvolveWeight(window), vec![x, dy], filters)
        }
        3 => g.pool(Op::MaxPool(window), x, &[channels, size[0], size[1]]),
        4 => g.pool(Op::SumPool(window), x, &[channels, size[0], size[1]]),
        _ => {
            let dy = draw(g, c, vec![1, size[0], size[1], channels]);
            g.push(Op::SumPoolGrad(window), vec![dy], vec![1, height, width, channels])
        }
    })
}

fn special(g: &mut Graph, c: &mut Choices, a: Id) -> Id {
    let shape = g.shape(a).to_vec();
    match c.below(4) {
        0 if shape[0] < 20 => g.spherical(a),
        1 if shape[0] > 1 => {
            let theta = g.slice(a, 0, 0, shape[0] - 1);
            g.push(Op::SphericalGrad, vec![theta, a], vec![shape[0] - 1, shape[1]])
        }
        2 => g.push(Op::Uniform { stream: c.below(9) as u32 }, vec![], shape),
        _ => {
            let iota = g.push(Op::Iota(c.below(2)), vec![], shape);
            g.scale(iota, 0.25)
        }
    }
}
