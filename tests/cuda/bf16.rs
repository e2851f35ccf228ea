//! `precision = bf16` on the emulator. Operands of products are rounded exactly as the Rust function here rounds them,
//! and all other arithmetic is in single precision.

use super::device::{Collector, Emulated, fill};
use crate::emulator::build::Build;
use gmpc_compiler::ir::experiment::{Contractions, Precision};
use gmpc_compiler::ir::graph::{Graph, Input, Op, Output, Random, Tensor, evaluate};
use gmpc_compiler::ir::kernels::Dtype;
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::ir::window::Window;
use gmpc_compiler::lower;
use gmpc_cuda::lower_cuda;
use gmpc_cuda::{Launch, Work};
use gmpc_device::{Device, States};
use std::sync::Arc;

/// The nearest bfloat16, computed from the definition: the nearer one of the two neighbours. If both are equally near,
/// the one whose last bit is 0.
fn rounded(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    let below = f32::from_bits(x.to_bits() & 0xffff_0000); // towards zero
    let above = f32::from_bits((x.to_bits() & 0xffff_0000).wrapping_add(0x1_0000));
    // The distance to infinity is measured to 2^128, the number that would follow the largest finite bfloat16.
    let distance = |y: f32| {
        if y.is_infinite() { 2.0_f64.powi(128) - f64::from(x).abs() } else { (f64::from(y) - f64::from(x)).abs() }
    };
    match distance(below).total_cmp(&distance(above)) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Greater => above,
        std::cmp::Ordering::Equal if below.to_bits() >> 16 & 1 == 0 => below,
        std::cmp::Ordering::Equal => above,
    }
}

fn program(graph: &Graph) -> Arc<Program> {
    let plain = lower(Goal::Predict, Precision::F32, 1, graph, vec![]);
    Arc::new(Program { contractions: Contractions::Bf16, ..plain })
}

/// The outputs of a graph for inputs by name. Fails the test where two orders of threads do not agree bit for bit.
fn computed(graph: &Graph, inputs: &[(&str, &[f32])]) -> Vec<Vec<f32>> {
    let program = program(graph);
    let collector = Collector::default();
    collector.load(&program).expect("collecting cannot fail");
    let library = Arc::new(collector.build(Build::Plain).unwrap_or_else(|text| panic!("{text}")));
    let run = |seed| {
        let mut executable = Emulated { compiled: Arc::clone(&library), seed }.load(&program).expect("a program");
        for (index, input) in program.graph.inputs.iter().enumerate() {
            let (_, numbers) = inputs.iter().find(|(name, _)| *name == input.name).expect("an input of the test");
            let wide: Vec<f64> = numbers.iter().map(|&x| f64::from(x)).collect();
            fill(executable.input(index), &wide);
        }
        let mut states = States::zeros(&Arc::new(StateLayout::new(&[])), Precision::F32);
        executable.run(&mut states, Random::default()).unwrap_or_else(|error| panic!("{error}"));
        let named = graph.outputs.iter().filter(|output| matches!(output, Output::Value { .. })).count();
        (0..named).map(|i| executable.output(i).to_f64().into_iter().map(|x| x as f32).collect()).collect()
    };
    let first: Vec<Vec<f32>> = run(0);
    let bits = |all: &[Vec<f32>]| all.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
    (1..4).for_each(|seed| assert_eq!(bits(&run(seed)), bits(&first), "seed {seed}"));
    first
}

/// Each number after a product that only rounds it: the number times 1, plus 0 times 0 twice.
fn through_a_product(numbers: &[f32]) -> Vec<f32> {
    let mut g = Graph::default();
    let (x, one) = (g.input("x", vec![numbers.len(), 3]), g.input("one", vec![3, 2]));
    let y = g.matmul(x, one, false, false);
    g.output("y", y);
    let rows: Vec<f32> = numbers.iter().flat_map(|&x| [x, 0.0, 0.0]).collect();
    let columns = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    computed(&g, &[("x", &rows), ("one", &columns)])[0].iter().copied().step_by(2).collect()
}

/// Every kind of number: ties that round up and down, the largest number that does not become infinite and its
/// successors, infinities, subnormal numbers, and 2000 numbers without a pattern.
fn kinds_of_numbers() -> Vec<f32> {
    // The bits are written out because the cases are defined by them: a bfloat16 is the upper half of a single-precision
    // number.
    let mut all: Vec<f32> = [
        0x3f80_0000,
        0x3f80_8000,
        0x3f80_8001,
        0x3f80_7fff,
        0x3f81_8000,
        0xbf81_8000,
        0xbf80_8000,
        0x0000_0000,
        0x8000_0000,
        0x7f7f_7fff,
        0x7f7f_8000,
        0x7f7f_ffff,
        0xff7f_ffff,
        0x7f80_0000,
        0xff80_0000,
        0x0080_0001,
        0x00ff_8000,
        0x4049_0fdb,
    ]
    .into_iter()
    .map(f32::from_bits)
    .collect();
    let mut state = 1_u32;
    all.extend((0..2000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The mask limits the exponent, so that no number is huge or subnormal.
        f32::from_bits(state & 0xbfff_ffff | 0x2000_0000)
    }));
    all
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn numbers_are_rounded_to_the_nearest_bfloat16_and_ties_to_the_even_one() {
    let all = kinds_of_numbers();
    // Two bfloat16 share a word of memory. With an odd count, the last word is half empty.
    for count in [all.len(), all.len() - 1, all.len() - 3, 1, 7, 8, 9] {
        let found = through_a_product(&all[..count]);
        for (x, y) in all.iter().zip(&found) {
            // The sum starts at +0, so a negative zero becomes positive.
            assert_eq!(y.to_bits(), (rounded(*x) + 0.0).to_bits(), "{x:e} became {y:e}, not {:e}", rounded(*x));
        }
    }
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn nan_stays_nan() {
    let found = through_a_product(&[f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff), 1.0]);
    assert!(found[0].is_nan() && found[1].is_nan() && found[2] == 1.0, "{found:?}");
}

/// Numbers without a pattern in [-2, 2).
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 4_194_304.0 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_convolution_multiplies_rounded_numbers_and_its_bias_and_relu_are_single_precision() {
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    // A thread handles eight bfloat16. 8 units fill such a group, 5 units do not.
    for (units, channels) in [(8, 4), (5, 3)] {
        let mut g = Graph::default();
        let x = g.input("x", vec![2, 5, 4, channels]);
        let w = g.input("w", vec![9 * channels, units]);
        let b = g.input("b", vec![1, 1, 1, units]);
        let y = g.convolve(x, w, window, [5, 4]);
        let sum = g.add(y, b);
        let zero = g.constant(0.0);
        let y = g.binary(Op::Max, sum, zero);
        g.output("y", y);
        let (x, w, b) = (numbers(40 * channels, 1), numbers(9 * channels * units, 2), numbers(units, 3));
        let found = computed(&g, &[("x", &x), ("w", &w), ("b", &b)]);
        let expected = convolved(&x, &w, &b, [channels, units]);
        for (i, (found, expected)) in found[0].iter().zip(&expected).enumerate() {
            // The library adds in another order, so a sum near a tie may round to the neighbouring bfloat16.
            assert!((found - expected).abs() <= 0.01 * expected.abs().max(1.0), "[{i}] {found} not {expected}");
        }
        let exact = found[0].iter().zip(&expected).filter(|(found, expected)| found == expected).count();
        assert!(exact * 100 >= expected.len() * 95, "{exact} of {} are the same bits", expected.len());
    }
}

/// Two convolutions with bias and ReLU, of 3 and of 12 channels, a max pool, and the gradients at all weights. Returns
/// the graph with the names and sizes of its inputs.
fn deep() -> (Graph, Vec<(&'static str, usize)>) {
    // Three channels are the case in which a library needs padding to eight. Twelve channels need none.
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    let pool = Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] };
    let (small, shape) = (vec![2, 9, 8, 12], vec![2, 18, 16, 12]);
    let mut g = Graph::default();
    let x = g.input("x", vec![2, 18, 16, 3]);
    let arriving = g.input("dp", small.clone());
    let (w1, w2) = (g.input("w1", vec![27, 12]), g.input("w2", vec![108, 12]));
    let zero = g.constant(0.0);
    let layer = |g: &mut Graph, x, w, bias: &str| {
        let b = g.input(bias, vec![1, 1, 1, 12]);
        let y = g.convolve(x, w, window, [18, 16]);
        let sum = g.add(y, b);
        g.binary(Op::Max, sum, zero)
    };
    let inner = layer(&mut g, x, w1, "b1");
    let y = layer(&mut g, inner, w2, "b2");
    let pooled = g.push(Op::MaxPool(pool), vec![y], small);
    g.output("pooled", pooled);
    // Backward: the gradient passes the pool, then each ReLU as a mask, and meets every kind of convolution.
    let dy = g.push(Op::MaxPoolGrad(pool), vec![y, arriving], shape.clone());
    let (of_y, of_inner) = (g.binary(Op::Less, zero, y), g.binary(Op::Less, zero, inner));
    let dy = g.select(of_y, dy, zero);
    let dw = g.push(Op::ConvolveWeight(window), vec![inner, dy], vec![108, 12]);
    g.output("dw2", dw);
    let back = g.push(Op::ConvolveInput(window), vec![dy, w2], shape);
    let back = g.select(of_inner, back, zero);
    let dw = g.push(Op::ConvolveWeight(window), vec![x, back], vec![27, 12]);
    g.output("dw1", dw);
    for (name, value) in [("db2", dy), ("db1", back)] {
        let sum = g.sum(value, &[0, 1, 2]);
        g.output(name, sum);
    }
    let sizes = g.inputs.iter().map(|input| input.shape.iter().product::<usize>());
    (g.clone(), ["x", "dp", "w1", "w2", "b1", "b2"].into_iter().zip(sizes).collect())
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn operands_of_libraries_are_stored_as_bfloat16_and_results_do_not_change() {
    let (graph, sizes) = deep();
    // Only inputs and filters are rounded by kernels of their own. All other values are rounded by the kernels that
    // compute them, and no kernel exists only to widen numbers. The images of three channels are rounded by the kernel
    // that pads them to eight channels.
    let source = lower_cuda(&program(&graph), None).source;
    let named =
        |word: &str| source.match_indices(word).map(|(at, _)| source[at..].split('(').next()).collect::<Vec<_>>();
    assert_eq!(named("void widen_"), []);
    let narrowing = named("void narrow_");
    assert!(narrowing.iter().all(|name| name.is_some_and(|name| !name.contains("half_t"))), "{narrowing:?}");
    assert!(source.contains("map_half_x("), "{source}");

    agrees(&graph, &sizes);
}

/// Compares the outputs of a graph with those of the evaluator. The inputs are small integers, which bfloat16 holds
/// exactly, so that only sums of many terms are rounded.
fn agrees(graph: &Graph, sizes: &[(&str, usize)]) {
    let whole = |(name, size): &(&str, usize), seed| -> Vec<f32> {
        let rare = if name.starts_with('w') { 1.5 } else { 0.5 };
        numbers(*size, seed).into_iter().map(|x| if x.abs() < rare { 0.0 } else { x.signum() }).collect()
    };
    let data: Vec<Vec<f32>> = sizes.iter().zip(11..).map(|(input, seed)| whole(input, seed)).collect();
    let inputs: Vec<(&str, &[f32])> = sizes.iter().zip(&data).map(|((name, _), data)| (*name, &data[..])).collect();
    let tensor = |(input, data): (&Input, &Vec<f32>)| Tensor {
        shape: input.shape.clone(),
        data: data.iter().map(|&x| f64::from(x)).collect(),
    };
    let tensors: Vec<Tensor> = graph.inputs.iter().zip(&data).map(tensor).collect();
    let wanted = evaluate(graph, &tensors, &[], Random::default());
    for ((got, wanted), output) in computed(graph, &inputs).iter().zip(&wanted).zip(&graph.outputs) {
        // Outputs that are mostly zero would agree whatever the kernels computed.
        assert!(wanted.data.iter().filter(|x| **x != 0.0).count() * 4 > wanted.data.len(), "{output:?} is mostly zero");
        for (index, (g, w)) in got.iter().zip(&wanted.data).enumerate() {
            let off = (f64::from(*g) - w).abs();
            assert!(off <= w.abs() / 256.0, "{output:?}[{index}] is {g}, not {w}");
        }
    }
}

/// Two dense layers whose rows are no multiple of 16 bytes, and the gradients at all weights. Returns the graph with the
/// names and sizes of its inputs.
fn dense() -> (Graph, Vec<(&'static str, usize)>) {
    let mut g = Graph::default();
    let (x, w1, b1) = (g.input("x", vec![9, 12]), g.input("w1", vec![12, 21]), g.input("b1", vec![1, 21]));
    let (w2, b2, dy) = (g.input("w2", vec![21, 7]), g.input("b2", vec![1, 7]), g.input("dy", vec![9, 7]));
    let zero = g.constant(0.0);
    let inner = g.matmul(x, w1, false, false);
    let inner = g.add(inner, b1);
    let inner = g.binary(Op::Max, inner, zero);
    let y = g.matmul(inner, w2, false, false);
    let y = g.add(y, b2);
    g.output("y", y);
    let back = g.matmul(dy, w2, false, true);
    let positive = g.binary(Op::Less, zero, inner);
    let back = g.select(positive, back, zero);
    for (name, of, value) in [("dw2", inner, dy), ("dw1", x, back)] {
        let dw = g.matmul(of, value, true, false);
        g.output(name, dw);
    }
    let sum = g.sum(back, &[0]);
    g.output("db1", sum);
    let sizes = g.inputs.iter().map(|input| input.shape.iter().product::<usize>());
    (g.clone(), ["x", "w1", "b1", "w2", "b2", "dy"].into_iter().zip(sizes).collect())
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn results_of_dense_products_are_bfloat16_only_where_a_product_reads_them() {
    let (graph, sizes) = dense();
    let launches = lower_cuda(&program(&graph), None).launches;
    let products: Vec<([usize; 3], bool)> = launches
        .iter()
        .filter_map(|launch| match &launch.work {
            Work::MatMul(p) => Some(([p.m, p.k, p.n], p.c.region.dtype == Dtype::Bf16)),
            _ => None,
        })
        .collect();
    let rounded = |sizes: [usize; 3]| products.iter().find(|(own, _)| *own == sizes).map(|(_, bf16)| *bf16);
    assert_eq!(rounded([9, 12, 21]), Some(true), "the second layer reads it: {products:?}");
    assert_eq!(rounded([9, 7, 21]), Some(true), "rounded again behind the ReLU: {products:?}");
    for gradient_or_output in [[9, 21, 7], [12, 9, 21], [21, 9, 7]] {
        assert_eq!(rounded(gradient_or_output), Some(false), "{products:?}");
    }
    agrees(&graph, &sizes);
}

/// A convolution of 1 x 1 pixels becomes a matmul. Its result must be bfloat16, as those of other convolutions are.
#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn a_pointwise_convolution_gives_rounded_numbers_as_any_other() {
    // Outputs are in single precision. The elementwise operations before them leave the products free to return bfloat16.
    let window = Window { kernel: [1, 1], stride: [1, 1], before: [0, 0] };
    let shape = |channels| vec![2, 5, 3, channels];
    let mut g = Graph::default();
    let (x, w, b) = (g.input("x", shape(6)), g.input("filters", vec![6, 10]), g.input("b", vec![1, 1, 1, 10]));
    let dy = g.input("dy", shape(10));
    let y = g.convolve(x, w, window, [5, 3]);
    let y = g.add(y, b);
    let zero = g.constant(0.0);
    let y = g.binary(Op::Max, y, zero);
    let (squares, doubled) = (g.mul(y, y), g.push(Op::ConvolveInput(window), vec![dy, w], shape(6)));
    g.output("squares", squares);
    let doubled = g.add(doubled, doubled);
    g.output("doubled", doubled);
    let dw = g.push(Op::ConvolveWeight(window), vec![x, dy], vec![6, 10]);
    g.output("dw", dw);
    let launches = lower_cuda(&program(&g), None).launches;
    let bf16 = |launch: &Launch| {
        if let Work::MatMul(p) = &launch.work { Some(p.c.region.dtype == Dtype::Bf16) } else { None }
    };
    let mut products: Vec<bool> = launches.iter().filter_map(bf16).collect();
    products.sort_unstable();
    // The optimizer needs the gradient at the filters in single precision.
    assert_eq!(products, [false, true, true], "all but the gradient at the filters are bfloat16");
    let sizes = g.inputs.iter().map(|input| input.shape.iter().product::<usize>());
    let sizes: Vec<(&str, usize)> = ["x", "filters", "b", "dy"].into_iter().zip(sizes).collect();
    agrees(&g, &sizes);
}

/// The expected result for two images of 5 x 4 pixels and a window of 3 x 3: rounded operands, a rounded sum, then bias
/// and ReLU.
fn convolved(x: &[f32], w: &[f32], b: &[f32], [channels, units]: [usize; 2]) -> Vec<f32> {
    let mut result = Vec::new();
    for (n, row, column, unit) in
        (0..2 * 5 * 4 * units).map(|i| (i / units / 20, i / units / 4 % 5, i / units % 4, i % units))
    {
        let mut sum = 0.0_f64;
        for (place, channel) in (0..9 * channels).map(|i| (i / channels, i % channels)) {
            let (y, x_at) = (row + place / 3, column + place % 3);
            if (1..=5).contains(&y) && (1..=4).contains(&x_at) {
                let image = x[((n * 5 + y - 1) * 4 + x_at - 1) * channels + channel];
                let weight = w[filter(place, channel, channels) * units + unit];
                sum += f64::from(rounded(image)) * f64::from(rounded(weight));
            }
        }
        result.push((rounded(sum as f32) + b[unit]).max(0.0));
    }
    result
}

/// The row of a number of a filter: places of the window within channels.
fn filter(place: usize, channel: usize, _channels: usize) -> usize {
    channel * 9 + place
}
