//! Casts to bfloat16 and back: the machine code is compared with the definition of rounding.

use super::*;
use gmpc_compiler::backend::cpu::emit;
use gmpc_compiler::ir::kernels::{
    self, Access, Affine, Buffer, BufferId, Cast, Dtype, Expr, ExprId, Join, Kernel, Kernels, Location, Nest,
    Reduction, Store, Work,
};
use gmpc_compiler::lower::plan::plan;

const X: BufferId = BufferId(0);
const V: BufferId = BufferId(1);
const BF16: BufferId = BufferId(2);
const OTHER: BufferId = BufferId(3);
const Y: BufferId = BufferId(4);

/// Runs kernels on the inputs `x` and `v` and returns the output of `results` numbers. The kernels may use two bfloat16
/// buffers as large as `x`.
fn run(works: Vec<Work>, x: &[f32], v: &[f32], results: usize) -> Vec<f32> {
    let mut kernels = Kernels::new(Precision::F32);
    let mut buffer = |name: &str, elements, location, dtype| {
        kernels.buffers.push(Buffer { name: name.into(), elements, location, dtype });
    };
    buffer("x", x.len(), Location::Input(0), Dtype::F32);
    buffer("v", v.len(), Location::Input(1), Dtype::F32);
    buffer("half", x.len(), Location::Scratch, Dtype::Bf16);
    buffer("other", x.len(), Location::Scratch, Dtype::Bf16);
    buffer("y", results, Location::Scratch, Dtype::F32);
    kernels.kernels = works.into_iter().map(|work| Kernel { work, span: None }).collect();
    kernels.outputs = vec![Y];
    assert_eq!(kernels::verify(&kernels), Ok(()), "{}", kernels::print(&kernels, None));
    // The graph only gives the sizes of inputs and output. Its own code is replaced below.
    let mut graph = Graph::default();
    graph.input("x", vec![x.len()]);
    graph.input("v", vec![v.len()]);
    let y = graph.push(Op::Uniform { stream: 0 }, vec![], vec![results]);
    graph.output("y", y);
    let program = lower(Goal::Gradients, Precision::F32, 1, &graph, vec![]);
    let code = emit(&kernels, &plan(&kernels, &StateLayout::new(&[])));
    let program = Arc::new(gmpc_compiler::ir::program::Program { code, ..program });
    let mut executable = Cpu::default().load(&program).expect("loads");
    for (index, from) in [x, v].into_iter().enumerate() {
        let SliceMut::F32(to) = executable.input(index) else { panic!("single precision") };
        to.copy_from_slice(from);
    }
    let layout = Arc::new(StateLayout::new(&[]));
    executable.run(&mut States::new(layout, Numbers::zeros(Precision::F32, 0)), RANDOM).expect("runs");
    let gmpc_device::Slice::F32(y) = executable.output(0) else { panic!("single precision") };
    y.to_vec()
}

/// The nearest bfloat16 by definition: the nearer neighbour, or at a tie the one whose last bit is 0.
fn rounded(x: f32) -> f32 {
    if !x.is_finite() {
        return x;
    }
    let toward_zero = f32::from_bits(x.to_bits() & 0xffff_0000);
    // The next neighbour may be 2^128, which exists in double precision only.
    let step = f64::from(f32::from_bits(toward_zero.to_bits() & 0x7f80_0000)).max(2.0_f64.powi(-126)) / 128.0;
    let away = f64::from(toward_zero) + step.copysign(f64::from(x));
    let (near, far) = ((f64::from(x) - f64::from(toward_zero)).abs(), (away - f64::from(x)).abs());
    let even = toward_zero.to_bits() & 0x0001_0000 == 0;
    if near < far || (near == far && even) { toward_zero } else { away as f32 }
}

/// Ties, neighbours of ties, both zeros, subnormal, huge and infinite numbers; then pseudo-random bit patterns.
fn all_kinds() -> Vec<f32> {
    let mut all = vec![0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE];
    for upper in [0x0000_u32, 0x0001, 0x007f, 0x0080, 0x3f80, 0x3f81, 0x3fff, 0x7f7e, 0x7f7f, 0xbf80, 0xc0ff, 0xff7f] {
        all.extend([0x0001, 0x7fff, 0x8000, 0x8001, 0xffff].map(|lower| f32::from_bits(upper << 16 | lower)));
    }
    let mut state = 1_u32;
    all.extend((0..4001).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from_bits(state)
    }));
    all.retain(|x| !x.is_nan());
    all
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

fn there_and_back() -> Vec<Work> {
    vec![Work::Cast(Cast::plain(X, BF16)), Work::Cast(Cast::plain(BF16, Y))]
}

fn access(buffer: BufferId, offset: usize, strides: [usize; 2]) -> Access {
    Access { buffer, at: Affine { offset, strides: strides.to_vec() } }
}

/// Copies elements over a space of two axes.
fn copy(space: [usize; 2], from: Access, to: Access) -> Work {
    let mut nest = Nest { space: space.to_vec(), reduced: vec![false; 2], ..Nest::default() };
    let value = nest.push(Expr::Load(from));
    nest.stores.push(Store { access: to, value, after_reduction: false });
    Work::Nest(nest)
}

#[test]
fn every_number_is_rounded_to_the_nearest_even() {
    let x = all_kinds();
    assert!(!x.len().is_multiple_of(4), "a tail behind the vectors");
    let expected: Vec<f32> = x.iter().map(|&x| rounded(x)).collect();
    assert_eq!(bits(&run(there_and_back(), &x, &[0.0], x.len())), bits(&expected));
    // The definition itself, on a few numbers that can be checked by hand.
    let by_hand = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 1.0 + 1.0 / 255.0, -3.39e38, f32::MAX];
    let hand = [1.0, 1.0 + 4.0 / 256.0, 1.0 + 2.0 / 256.0, -3.389_531_4e38, f32::INFINITY];
    assert_eq!(by_hand.map(rounded), hand);
}

#[test]
fn nan_stays_nan_and_keeps_its_sign() {
    let patterns = [0x7f80_0001_u32, 0x7f80_ffff, 0x7fff_ffff, 0x7fc0_0000, 0xff80_0001, 0xffff_ffff];
    let y = run(there_and_back(), &patterns.map(f32::from_bits), &[0.0], patterns.len());
    for (y, pattern) in y.iter().zip(patterns) {
        assert!(y.is_nan() && y.is_sign_negative() == (pattern >> 31 == 1), "{pattern:x} became {y:?}");
    }
}

#[test]
fn bias_and_relu_come_between_reading_and_rounding() {
    let (rows, units) = (7, 13);
    let x: Vec<f32> = numbers(&[rows, units], 3).data.iter().map(|&x| x as f32).collect();
    let bias: Vec<f32> = numbers(&[units], 4).data.iter().map(|&x| x as f32).collect();
    let finished = Cast { bias: Some(V), units, relu: true, ..Cast::plain(BF16, Y) };
    // `once` casts into single precision; `twice` runs a nest from bfloat16 to bfloat16 and rounds again.
    let once = vec![Work::Cast(Cast::plain(X, BF16)), Work::Cast(finished.clone())];
    let nest = Cast { target: OTHER, ..finished }.nest(rows * units);
    let twice = vec![Work::Cast(Cast::plain(X, BF16)), Work::Nest(nest), Work::Cast(Cast::plain(OTHER, Y))];
    let sums: Vec<f32> = x.iter().enumerate().map(|(i, &x)| (rounded(x) + bias[i % units]).max(0.0)).collect();
    assert_eq!(run(once, &x, &bias, x.len()), sums);
    assert_eq!(run(twice, &x, &bias, x.len()), sums.iter().map(|&sum| rounded(sum)).collect::<Vec<_>>());
}

#[test]
fn nests_convert_at_any_stride() {
    let (rows, columns) = (9, 11);
    let x: Vec<f32> = numbers(&[rows, columns], 5).data.iter().map(|&x| x as f32).collect();
    let space = [rows, columns];
    let (plain, transposed) = ([columns, 1], [1, rows]);
    let expected: Vec<f32> = (0..rows * columns).map(|at| rounded(x[at % rows * columns + at / rows])).collect();
    for (store, load) in [(transposed, plain), (plain, transposed)] {
        // In both cases exactly one copy transposes: the first by its store, or the second.
        let first = copy(space, access(X, 0, plain), access(BF16, 0, store));
        let second =
            copy(space, access(BF16, 0, store), access(Y, 0, if store == transposed { transposed } else { load }));
        assert_eq!(run(vec![first, second], &x, &[0.0], x.len()), expected, "{store:?}");
    }
    // Every second element of a row.
    let space = [rows, columns / 2];
    let apart = [columns, 2];
    let first = copy(space, access(X, 0, plain), access(BF16, 0, apart));
    let second = copy(space, access(BF16, 0, apart), access(Y, 0, [columns / 2, 1]));
    let half = columns / 2;
    let wanted: Vec<f32> = (0..rows * half).map(|at| rounded(x[at / half * columns + at % half])).collect();
    assert_eq!(run(vec![first, second], &x, &[0.0], rows * half), wanted);
    // From the second column on, so that rows of bfloat16 begin at addresses that are not multiples of 4 bytes.
    let space = [rows, columns - 1];
    let first = copy([rows, columns], access(X, 0, plain), access(BF16, 0, plain));
    let second = copy(space, access(BF16, 1, plain), access(Y, 0, [columns - 1, 1]));
    let expected: Vec<f32> =
        (0..rows * (columns - 1)).map(|at| rounded(x[at / (columns - 1) * columns + 1 + at % (columns - 1)])).collect();
    assert_eq!(run(vec![first, second], &x, &[0.0], rows * (columns - 1)), expected);
}

/// The inputs are small whole numbers, so sums are exact in any order.
#[test]
fn reductions_read_bfloat16_and_products_with_a_vector_are_not_handed_to_a_kernel_of_single_precision() {
    let (rows, columns) = (5, 23);
    let x: Vec<f32> = (0..rows * columns).map(|i| (i * 7 % 13) as f32 - 6.0).collect();
    let v: Vec<f32> = (0..columns).map(|i| (i % 5) as f32 - 2.0).collect();
    let joined = |times_v: bool| {
        let mut nest = Nest { space: vec![rows, columns], reduced: vec![false, true], ..Nest::default() };
        let mut value: ExprId = nest.push(Expr::Load(access(BF16, 0, [columns, 1])));
        if times_v {
            let factor = nest.push(Expr::Load(access(V, 0, [0, 1])));
            value = nest.push(Expr::Apply(Op::Mul, vec![value, factor]));
        }
        nest.reductions.push(Reduction { join: Join::Sum, value });
        let sum = nest.push(Expr::Reduced(0));
        nest.stores.push(Store { access: access(Y, 0, [1, 0]), value: sum, after_reduction: true });
        vec![Work::Cast(Cast::plain(X, BF16)), Work::Nest(nest)]
    };
    let sums = |factor: &dyn Fn(usize) -> f32| -> Vec<f32> {
        x.chunks(columns).map(|row| row.iter().enumerate().map(|(i, x)| x * factor(i)).sum()).collect()
    };
    assert_eq!(run(joined(false), &x, &v, rows), sums(&|_| 1.0));
    assert_eq!(run(joined(true), &x, &v, rows), sums(&|i| v[i]));
}

/// The CPU has no matmul of bfloat16. A program with one must fail instead of computing wrong numbers.
#[test]
#[should_panic(expected = "the CPU has no kernel that takes half as bf16")]
fn a_product_of_bfloat16_is_a_bug_and_not_a_wrong_number() {
    let matrix = |buffer| kernels::Matrix { buffer, offset: 0, rows: 2, columns: 1 };
    let (a, b, c) = (matrix(BF16), matrix(OTHER), matrix(Y));
    let product = kernels::MatMul { m: 2, n: 2, k: 2, a, b, c, bias: None, relu: false };
    run(vec![Work::MatMul(product)], &[0.0; 4], &[0.0], 4);
}
