//! Graphs that together need every kind of kernel, in awkward sizes: for one block and for many, with rows and columns
//! shorter and longer than a warp and a block, and with ends that are no multiple of 16 bytes.

use crate::networks::compiled;
use gmpc_compiler::ir::axes::Meaning;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::groups::{BINARY, COMPARISONS, UNARY};
use gmpc_compiler::ir::graph::{Graph, Id, Op, Role, State};
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::ir::window::Window;
use gmpc_compiler::{Options, lower, step_graph};

#[path = "../../runtime/device/cpu/src/tests/random_graph.rs"]
mod random_graph;

/// A graph to compute, and the accuracy to expect in single precision.
pub struct Case {
    /// Name for messages.
    pub name: String,
    /// The graph.
    pub graph: Graph,
    /// Largest error in f32, relative to the largest number of an output.
    pub tolerance: f64,
    /// Are the inputs angles near pi/2, as in units with many inputs?
    pub angles: bool,
}

pub(super) fn state(name: &str, shape: &[usize]) -> State {
    let shape = shape.to_vec();
    State {
        name: name.into(),
        role: Role::Parameter,
        file_shape: shape.clone(),
        shape,
        transposed: false,
        meaning: Meaning::default(),
    }
}

/// All cases. With `small`, large sizes are left out, for which a sanitizer takes long.
pub fn cases(small: bool) -> Vec<Case> {
    // The tolerance of 2e-5 allows for sums of some thousand terms in f32. Random graphs amplify rounding, and drawn
    // numbers must be exact.
    let case = |name: String, graph, tolerance| Case { name, graph, tolerance, angles: false };
    let mut cases = Vec::new();
    // 4, 100 and 1000 columns allow accesses of 16 bytes, the others do not.
    for columns in [1, 3, 4, 17, 100, 1000] {
        cases.push(case(format!("elementwise, 3 x {columns}"), elementwise(columns), 2e-5));
    }
    for axes in [vec![0], vec![1], vec![2], vec![0, 1], vec![1, 2], vec![0, 2], vec![0, 1, 2]] {
        for shape in [[5, 7, 22], [1, 33, 4], [3, 130, 3]] {
            if !small || shape[0] == 5 || axes == [1] {
                cases.push(case(format!("reductions of {shape:?} over {axes:?}"), reductions(&shape, &axes), 2e-5));
            }
        }
    }
    // Long reductions: along rows and along columns, with more terms than a block has threads and with columns that fill
    // no warp.
    for (shape, axis) in [
        ([300, 65], 0),
        ([300, 65], 1),
        ([2, 3000], 1),
        ([2500, 9], 1),
        ([40, 130], 0),
        ([700, 256], 0),
        ([4096, 3], 0),
    ] {
        if !small || shape[0] * shape[1] < 13_000 {
            cases.push(case(format!("reductions of {shape:?} over {axis}"), reductions(&shape, &[axis]), 2e-5));
        }
    }
    for (angles, units) in [(1, 1), (2, 5), (12, 100), (40, 3), (150, 33)] {
        cases.push(case(format!("{units} units of {angles} angles"), directions(angles, units), 2e-5));
    }
    // 4607 angles are those of a 3 x 3 filter on 512 channels. Their sines are multiplied, so the angles must be near
    // pi/2: otherwise the products underflow.
    if !small {
        let graph = directions(4607, 5);
        cases.push(Case { name: "4607 angles".to_string(), graph, tolerance: 1e-5, angles: true });
    }
    for (index, window) in windows().into_iter().enumerate() {
        cases.push(case(format!("images, window {index}"), images(window, 5), 2e-5));
        if !small || index == 0 {
            cases.push(case(format!("images of 4 channels, window {index}"), images(window, 4), 2e-5));
        }
    }
    for (index, channels) in [(0, 8), (1, 8), (2, 8), (1, 5)] {
        let name = format!("a pool of a map of {channels} channels, window {index}");
        cases.push(case(name, pool_of_a_map(channels, pooling()[index]), 2e-5));
    }
    cases.push(case("filters of 70 units".to_string(), filters(70), 2e-5));
    cases.push(case("filters of 72 units".to_string(), filters(72), 2e-5));
    cases.push(case("products".to_string(), products(), 2e-5));
    cases.push(case("random numbers".to_string(), uniform(), 0.0));
    cases.push(case("states".to_string(), states(), 2e-5));
    cases.push(case("movement".to_string(), movement(), 2e-5));
    for (name, settings) in STEPS {
        cases.push(case(format!("a step: {name}"), step(settings), 5e-4));
    }
    cases.push(case("first values from a batch".to_string(), first_batch(), 5e-4));
    for seed in 0..if small { 4 } else { 60 } {
        let graph = random_graph::random_graph(seed, 1 + seed as usize % 40);
        cases.push(case(format!("random graph {seed}"), graph, 5e-3));
    }
    cases
}

/// Every elementwise operation once.
fn elementwise(columns: usize) -> Graph {
    let mut g = Graph::default();
    // Logarithm, root, divisor and power need numbers that are positive and not near zero.
    let (x, y) = (g.input("x", vec![3, columns]), g.input("y", vec![3, columns]));
    let (shift, positive) = (g.constant(0.5), g.unary(Op::Abs, x));
    let positive = g.add(positive, shift);
    for op in UNARY {
        // Logarithms and roots have no value below 0.
        let any = !matches!(op, Op::Log | Op::Log1p | Op::Sqrt);
        let value = g.unary(op.clone(), if any { x } else { positive });
        g.output(op.name(), value);
    }
    for op in BINARY.iter().chain(COMPARISONS) {
        let (left, right) = match op {
            Op::Div => (y, positive), // away from a division by 0
            Op::Pow => (positive, y),
            _ => (x, y),
        };
        let value = g.binary(op.clone(), left, right);
        g.output(op.name(), value);
    }
    let less = g.binary(Op::Less, x, y);
    let chosen = g.select(less, x, positive);
    g.output("select", chosen);
    g
}

/// A sum, a maximum, and a softmax, which needs both.
fn reductions(shape: &[usize], axes: &[usize]) -> Graph {
    let mut g = Graph::default();
    let x = g.input("x", shape.to_vec());
    let square = g.mul(x, x);
    let sum = g.sum(square, axes);
    g.output("sum", sum);
    let most = g.max_over(x, axes);
    let shifted = g.sub(x, most);
    let powers = g.unary(Op::Exp, shifted);
    let total = g.sum(powers, axes);
    let share = g.div(powers, total);
    g.output("share", share);
    g
}

/// Unit vectors from angles, and the gradient at the angles.
fn directions(angles: usize, units: usize) -> Graph {
    let mut g = Graph::default();
    let theta = g.input("theta", vec![angles, units]);
    let arriving = g.input("g", vec![angles + 1, units]);
    let u = g.spherical(theta);
    let gradient = g.push(Op::SphericalGrad, vec![theta, arriving], vec![angles, units]);
    g.output("u", u);
    g.output("gradient", gradient);
    g
}

/// Filters whose layout changes by tiles, none of which is full: 40 channels, and units that are or are not a multiple of
/// 16 bytes. The images have a factor per channel.
fn filters(units: usize) -> Graph {
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    let mut g = Graph::default();
    let x = g.input("x", vec![1, 3, 2, 40]);
    let w = g.input("w", vec![360, units]);
    let dy = g.input("dy", vec![1, 3, 2, units]);
    let factor = g.input("factor", vec![1, 1, 1, 40]);
    let scaled = g.mul(x, factor);
    let y = g.convolve(scaled, w, window, [3, 2]);
    g.output("y", y);
    let dx = g.push(Op::ConvolveInput(window), vec![dy, w], vec![1, 3, 2, 40]);
    g.output("dx", dx);
    let dw = g.push(Op::ConvolveWeight(window), vec![x, dy], vec![360, units]);
    g.output("dw", dw);
    g
}

/// Windows next to each other, overlapping windows, and windows with padding, on 18 x 16 pixels.
fn pooling() -> [(Window, [usize; 2]); 3] {
    let window = |kernel, stride, before| Window { kernel, stride, before };
    [
        (window([2, 2], [2, 2], [0, 0]), [9, 8]),
        (window([3, 3], [2, 2], [1, 1]), [9, 8]),
        (window([3, 2], [3, 2], [0, 0]), [6, 8]),
    ]
}

/// The layers after a convolution with batch normalization: a scale, a shift, a ReLU and a pool, and their gradients. The
/// gradients of scale and shift are sums of the same values that the gradient at the input needs. There are enough images
/// that recomputing the map before the pool is cheaper than storing it.
fn pool_of_a_map(channels: usize, (window, [height, width]): (Window, [usize; 2])) -> Graph {
    let (shape, small) = (vec![4, 18, 16, channels], vec![4, height, width, channels]);
    let mut g = Graph::default();
    let (x, arriving) = (g.input("x", shape.clone()), g.input("dp", small.clone()));
    let (a, scale) = g.state(state("scale", &[1, 1, 1, channels]));
    let (b, shift) = g.state(state("shift", &[1, 1, 1, channels]));
    let scaled = g.mul(x, scale);
    let shifted = g.add(scaled, shift);
    let zero = g.constant(0.0);
    let y = g.binary(Op::Max, shifted, zero);
    let pooled = g.push(Op::MaxPool(window), vec![y], small);
    g.output("pooled", pooled);
    // Backward through pool and ReLU. `passed` has two readers: the sums for scale and shift, and the gradient at the input.
    let dy = g.push(Op::MaxPoolGrad(window), vec![y, arriving], shape);
    let positive = g.binary(Op::Less, zero, y);
    let passed = g.select(positive, dy, zero);
    let along = g.mul(passed, x);
    for (state, old, value) in [(a, scale, along), (b, shift, passed)] {
        let sum = g.sum(value, &[0, 1, 2]);
        let step = g.constant(0.125);
        let step = g.mul(sum, step);
        let new = g.sub(old, step);
        g.write(state, new);
        g.output(format!("sum of {}", value.0), sum);
    }
    // As in batch normalization, the gradient at the input needs a sum over all pixels first.
    let sum = g.sum(passed, &[0, 1, 2]);
    let back = g.mul(passed, scale);
    let centred = g.sub(back, sum);
    g.output("back", centred);
    g
}

fn windows() -> Vec<(Window, [usize; 2])> {
    let window = |kernel, stride, before| Window { kernel, stride, before };
    vec![
        (window([3, 3], [1, 1], [1, 1]), [7, 6]),
        (window([2, 2], [2, 2], [0, 0]), [3, 3]),
        (window([3, 2], [2, 1], [1, 0]), [4, 5]),
        (window([1, 1], [1, 1], [0, 0]), [7, 6]),
        (window([5, 5], [3, 3], [2, 2]), [3, 2]),
        // Windows that need more zeros on one side than on the other. Libraries have no such padding.
        (window([2, 2], [1, 1], [0, 0]), [7, 6]),
        (window([4, 3], [2, 2], [1, 0]), [4, 3]),
    ]
}

/// Convolution and pooling of two images of 7 x 6 pixels, and all gradients.
fn images((window, [height, width]): (Window, [usize; 2]), channels: usize) -> Graph {
    let (units, shape) = (6, vec![2, 7, 6, channels]);
    let mut g = Graph::default();
    let x = g.input("x", shape.clone());
    let w = g.input("w", vec![channels * window.area(), units]);
    let dy = g.input("dy", vec![2, height, width, units]);
    let y = g.convolve(x, w, window, [height, width]);
    g.output("y", y);
    let gradient = g.push(Op::ConvolveInput(window), vec![dy, w], shape.clone());
    g.output("dx", gradient);
    let gradient = g.push(Op::ConvolveWeight(window), vec![x, dy], vec![channels * window.area(), units]);
    g.output("dw", gradient);
    // The gradients of pools get an input of their own, so that they do not depend on the convolution.
    let small = vec![2, height, width, channels];
    let (factor, arriving) = (g.input("factor of channels", vec![1, 1, 1, channels]), g.input("dp", small.clone()));
    // A max pool may have a factor per channel fused into it, and so may its gradient.
    for (name, operands) in [("max", vec![x]), ("scaled max", vec![x, factor])] {
        let largest = g.push(Op::MaxPool(window), operands.clone(), small.clone());
        g.output(name, largest);
        let mut with: Vec<Id> = operands.clone();
        with.insert(1, arriving);
        let gradient = g.push(Op::MaxPoolGrad(window), with, shape.clone());
        g.output(format!("gradient of {name}"), gradient);
    }
    let sum = g.push(Op::SumPool(window), vec![x], small);
    g.output("sum", sum);
    let gradient = g.push(Op::SumPoolGrad(window), vec![arriving], shape);
    g.output("gradient of sum", gradient);
    g
}

fn products() -> Graph {
    let mut g = Graph::default();
    let (x, w, b) = (g.input("x", vec![13, 7]), g.input("w", vec![7, 11]), g.input("b", vec![1, 11]));
    let y = g.matmul(x, w, false, false);
    let y = g.add(y, b);
    let zero = g.constant(0.0);
    let y = g.binary(Op::Max, y, zero);
    g.output("y", y);
    let back = g.matmul(y, w, false, true);
    g.output("back", back);
    let weight = g.matmul(x, y, true, false);
    g.output("weight", weight);
    g
}

fn uniform() -> Graph {
    let mut g = Graph::default();
    for (stream, shape) in [(3, vec![5, 7]), (9, vec![8]), (1, vec![1]), (2, vec![2050])] {
        let drawn = g.push(Op::Uniform { stream }, vec![], shape);
        g.output(format!("stream {stream}"), drawn);
    }
    g
}

/// Two states exchange their values, a third gets the transpose of the first. All of them, and a sum, must read the old
/// values.
fn states() -> Graph {
    let mut g = Graph::default();
    let (a, old_a) = g.state(state("a", &[6, 5]));
    let (b, old_b) = g.state(state("b", &[6, 5]));
    let (c, old_c) = g.state(state("c", &[5, 6]));
    let transposed = g.transpose(old_a, &[1, 0]);
    let sum = g.sum(old_a, &[0, 1]);
    let scaled = g.mul(old_b, sum);
    g.write(a, scaled);
    g.write(b, old_a);
    g.write(c, transposed);
    let after = g.sum(old_c, &[0]);
    g.output("columns of c", after);
    g
}

/// Settings of a `train` block. Their scalars are inputs here, and get any numbers.
const STEPS: [(&str, &str); 4] = [
    ("gathered and clipped", "optimizer = sgd(lr = 0.1, momentum = 0.9)  accumulate = 4  clip_norm = 0.1"),
    ("averaged", "optimizer = lion(lr = 0.1)  average = ema(0.9)  groups = [offset(lr = 0.2), first(lr = 0.3)]"),
    ("muon", "optimizer = muon(lr = 0.1)"),
    ("lars", "optimizer = lars(lr = 0.1, trust = 0.1)  freeze = [first]"),
];

fn text(settings: &str) -> String {
    format!(
        "param = wn_data\nmodel m(input: [5]) {{ input -> dense(37) as first -> tanh -> dense(4) -> tanh -> linear(2) }}\n\
         train {{ loss = mse  {settings} }}"
    )
}

/// The graph of a program as devices get it.
fn program(settings: &str, goal: Goal) -> Graph {
    let (module, net) = compiled(&text(settings));
    let (graph, _) = step_graph(&module, &net, goal, 6, &Options::default()).expect("a graph");
    lower(goal, Precision::F64, 6, &graph, vec![]).graph
}

fn step(settings: &str) -> Graph {
    program(settings, Goal::Train)
}

fn first_batch() -> Graph {
    program("optimizer = sgd(lr = 0.1)", Goal::Start)
}

/// Operations that only move numbers, and sums over their results.
fn movement() -> Graph {
    let mut g = Graph::default();
    let x = g.input("x", vec![6, 70, 4]);
    let transposed = g.transpose(x, &[2, 0, 1]);
    g.output("transposed", transposed);
    let part = g.slice(x, 1, 3, 33);
    g.output("part", part);
    let padded = g.pad(part, 2, 1, 7);
    g.output("padded", padded);
    let joined = g.concat(&[x, part], 1);
    g.output("joined", joined);
    let flat = g.reshape(transposed, &[24, 70]);
    let index = g.push(Op::Iota(1), vec![], vec![24, 70]);
    let weighted = g.mul(flat, index);
    let sum = g.sum(weighted, &[1]);
    g.output("weighted", sum);
    g
}
