//! For each rule of `verify`, kernels that break it.

use super::verify;
use crate::ir::experiment::Precision;
use crate::ir::graph::Op;
use crate::ir::kernels::{
    Access, Affine, Buffer, BufferId, Cast, Convolve, Dtype, Expr, ExprId, Join, Kernel, Kernels, Location, MatMul,
    Matrix, Nest, Pass, Pool, Pooled, Pooling, Prepare, Reduction, ReluMask, Spherical, SphericalGrad, Store, Uniform,
    Work, print,
};
use crate::ir::window::Window;

/// Numbers of elements of the buffers `b0`, `b1`, … The buffer `b9` is bfloat16, `b10` and `b11` hold bytes.
const SIZES: [usize; 12] = [12, 12, 4, 3, 16, 48, 1, 9, 0, 12, 4, 0];
const BF16: BufferId = BufferId(9);
const BYTE: BufferId = BufferId(10);
const NO_BYTE: BufferId = BufferId(11);

/// Verifies one kernel with this work.
fn said(work: Work) -> Result<(), String> {
    let buffer = |(index, &elements): (usize, &usize)| Buffer {
        name: format!("b{index}"),
        elements,
        location: Location::Scratch,
        dtype: match BufferId::new(index) {
            BF16 => Dtype::Bf16,
            BYTE | NO_BYTE => Dtype::U8,
            _ => Dtype::F32,
        },
    };
    let buffers = SIZES.iter().enumerate().map(buffer).collect();
    let kernels = vec![Kernel { work, span: None }];
    let kernels = Kernels { buffers, kernels, outputs: vec![BufferId(0)], ..Kernels::new(Precision::F32) };
    let text = print(&kernels, None); // prints whatever is broken
    assert!(!text.is_empty());
    verify(&kernels)
}

/// A rule, and a change that makes correct work break it.
type Broken<T> = (&'static str, fn(&mut T));

/// Checks that `right` is accepted, and that each change of it breaks the rule beside the change.
fn breaks<T: Clone>(right: &T, work: fn(T) -> Work, broken: &[Broken<T>]) {
    assert_eq!(said(work(right.clone())), Ok(()));
    for (rule, change) in broken {
        let mut wrong = right.clone();
        change(&mut wrong);
        let said = said(work(wrong)).expect_err(rule);
        assert!(said.starts_with(&format!("kernel 0: {rule}\n")), "expected `{rule}`, found `{said}`");
    }
}

fn at(strides: &[usize]) -> Affine {
    Affine { offset: 0, strides: strides.to_vec() }
}

fn access(buffer: u32, strides: &[usize]) -> Access {
    Access { buffer: BufferId(buffer), at: at(strides) }
}

#[test]
fn nests() {
    // b1[i, j] = -b0[i, j]; b2[i] = sum j: b0[i, j]
    let nest = Nest {
        space: vec![4, 3],
        reduced: vec![false, true],
        exprs: vec![
            Expr::Load(access(0, &[3, 1])),
            Expr::Apply(Op::Neg, vec![ExprId(0)]),
            Expr::Reduced(0),
            Expr::Index(at(&[1, 0])),
        ],
        stores: vec![
            Store { access: access(1, &[3, 1]), value: ExprId(1), after_reduction: false },
            Store { access: access(2, &[1, 0]), value: ExprId(2), after_reduction: true },
        ],
        reductions: vec![Reduction { join: Join::Sum, value: ExprId(0) }],
        parallel: true,
    };
    #[rustfmt::skip] // a rule a line
    breaks(&nest, Work::Nest, &[
        ("unknown buffer", |nest| nest.exprs[0] = Expr::Load(access(99, &[3, 1]))),
        ("a mark for each axis", |nest| nest.reduced = vec![false]),
        ("no axis that threads could share", |nest| nest.reduced = vec![true, true]),
        ("nothing to join", |nest| nest.reduced = vec![false, false]),
        ("an unknown value", |nest| nest.stores[0].value = ExprId(9)),
        ("an unknown value", |nest| nest.reductions[0].value = ExprId(9)),
        ("a stride for each axis", |nest| nest.exprs[0] = Expr::Load(access(0, &[3]))),
        ("a stride for each axis", |nest| nest.exprs[3] = Expr::Index(at(&[]))),
        ("unknown reduction", |nest| nest.exprs[2] = Expr::Reduced(1)),
        ("an operation that is not elementwise", |nest| nest.exprs[1] = Expr::Apply(Op::Reshape, vec![ExprId(0)])),
        ("an operand does not stand before its user", |nest| nest.exprs[1] = Expr::Apply(Op::Neg, vec![ExprId(3)])),
        ("a reduction of a reduction", |nest| nest.reductions[0].value = ExprId(2)),
        ("a store before its value", |nest| nest.stores[0].value = ExprId(2)),
        ("two points write one element", |nest| nest.stores[0].access.at = at(&[3, 0])),
        ("leaves a buffer", |nest| nest.exprs[0] = Expr::Load(access(0, &[4, 1]))),
        ("reads and writes different elements of one buffer", |nest| nest.stores[0].access = access(0, &[1, 4])),
    ]);
}

#[test]
fn a_nest_in_place_reads_and_writes_the_same_element() {
    // b0[i] = b0[i], and b0[i + 6] = b0[i]: two elements of one buffer.
    let both = |offset| {
        let far = Affine { offset, strides: vec![1] };
        let store =
            |at: Affine| Store { access: Access { buffer: BufferId(0), at }, value: ExprId(0), after_reduction: false };
        said(Work::Nest(Nest {
            space: vec![6],
            reduced: vec![false],
            exprs: vec![Expr::Load(access(0, &[1]))],
            stores: vec![store(at(&[1])), store(far)],
            ..Nest::default()
        }))
    };
    assert_eq!(both(0), Ok(()));
    assert!(both(6).unwrap_err().contains("reads and writes different elements of one buffer"));
}

#[test]
fn products() {
    let matrix = |buffer, rows| Matrix { buffer: BufferId(buffer), offset: 0, rows, columns: 1 };
    let product = MatMul {
        m: 4,
        n: 4,
        k: 3,
        a: matrix(0, 3),
        b: matrix(1, 4),
        c: matrix(4, 4),
        bias: Some((BufferId(2), 0)),
        relu: false,
    };
    breaks(
        &product,
        Work::MatMul,
        &[
            ("rows of a product are contiguous", |product| product.c.columns = 2),
            ("empty product", |product| product.k = 0),
            ("leaves a buffer", |product| product.a.offset = 1),
            ("a product into its operand", |product| product.a.buffer = BufferId(4)),
            ("a bias that does not fit", |product| product.bias = Some((BufferId(2), 1))),
        ],
    );
}

#[test]
fn scans_and_random_numbers() {
    let (angles, units) = (3, 4);
    let scan = Spherical { angles, units, theta: BufferId(0), u: Some(BufferId(4)), saved: None };
    #[rustfmt::skip] // a rule a line
    breaks(&scan, Work::Spherical, &[
        ("angles that do not fit", |scan| scan.theta = BufferId(2)),
        ("unit vectors that do not fit", |scan| scan.u = Some(BufferId(1))),
        ("saved products that do not fit", |scan| {
            *scan = Spherical { angles: 40, units: 1, theta: BufferId(5), u: None, saved: Some(BufferId(3)) };
        }),
    ]);
    let scan = SphericalGrad { angles, units, theta: BufferId(0), saved: None, g: BufferId(4), gradient: BufferId(1) };
    #[rustfmt::skip] // a rule a line
    breaks(&scan, Work::SphericalGrad, &[
        ("angles that do not fit", |scan| scan.gradient = BufferId(2)),
        ("unit vectors that do not fit", |scan| scan.g = BufferId(0)),
        ("saved products that do not fit", |scan| {
            *scan = SphericalGrad { angles: 40, units: 1, theta: BufferId(5), g: BufferId(5), ..scan.clone() };
            scan.gradient = BufferId(5);
        }),
    ]);
    let draw = Uniform { stream: 0, target: BufferId(0) };
    breaks(&draw, Work::Uniform, &[("unknown buffer", |draw| draw.target = BufferId(99))]);
}

/// One image of 2 x 2 pixels and 3 channels to 4 units, with filters of 1 x 1.
fn forward() -> Convolve {
    Convolve {
        pass: Pass::Forward,
        window: Window { kernel: [1, 1], stride: [1, 1], before: [0, 0] },
        images: [1, 2, 2, 3],
        result: [2, 2, 4],
        a: BufferId(0),
        b: BufferId(1),
        c: BufferId(4),
        prepare: Prepare { scale: Some(BufferId(3)), shift: None },
        bias: Some(BufferId(2)),
        relu: true,
        pooled: None,
        relu_mask: None,
        sums: None,
    }
}

fn relu_mask() -> ReluMask {
    ReluMask { relu_output: BufferId(1), shift: None, scale: Some(BufferId(3)), weighted: Some(BufferId(3)) }
}

#[test]
fn convolutions() {
    #[rustfmt::skip] // a rule a line
    breaks(&forward(), Work::Convolve, &[
        ("an operand of another size", |product| product.c = BufferId(0)),
        ("a convolution into its operand", |product| {
            *product = Convolve { result: [2, 2, 3], b: BufferId(7), c: BufferId(0), ..product.clone() };
        }),
        ("sums that do not fit", |product| product.sums = Some(BufferId(3))),
        ("a ReLU mask before another product", |product| product.relu_mask = Some(relu_mask())),
        ("a factor that does not fit", |product| product.prepare.scale = Some(BufferId(6))),
        ("a bias that does not fit", |product| product.bias = Some(BufferId(3))),
    ]);
    let pooled = Pooled { scale: Some(BufferId(2)), unscaled_max: Some(BufferId(2)), argmax: Some(BYTE) };
    let pools = Convolve { c: BufferId(2), bias: None, pooled: Some(pooled), ..forward() };
    #[rustfmt::skip] // a rule a line
    breaks(&pools, Work::Convolve, &[
        ("a pool of what windows do not tile", |product| product.result = [1, 4, 4]),
        ("a pool's factor that does not fit", |product| product.pooled.as_mut().unwrap().scale = Some(BufferId(3))),
        ("largest numbers that do not fit", |product| product.pooled.as_mut().unwrap().unscaled_max = Some(BufferId(3))),
        ("an argmax that does not fit", |product| product.pooled.as_mut().unwrap().argmax = Some(NO_BYTE)),
    ]);
}

#[test]
fn gradients_of_convolutions() {
    let gradient = Convolve {
        pass: Pass::BackwardData,
        a: BufferId(4),
        b: BufferId(1),
        c: BufferId(0),
        prepare: Prepare::default(),
        bias: None,
        relu: false,
        relu_mask: Some(relu_mask()),
        sums: Some(BufferId(3)),
        ..forward()
    };
    #[rustfmt::skip] // a rule a line
    breaks(&gradient, Work::Convolve, &[
        ("sums that do not fit", |product| product.sums = Some(BufferId(2))),
        ("a ReLU mask of another size", |product| product.relu_mask.as_mut().unwrap().relu_output = BufferId(4)),
        ("a ReLU mask's scale or shift that does not fit", |product| product.relu_mask.as_mut().unwrap().scale = Some(BufferId(6))),
        ("a ReLU mask's sums that do not fit", |product| product.relu_mask.as_mut().unwrap().weighted = Some(BufferId(2))),
        ("a factor that does not fit", |product| product.prepare.shift = Some(BufferId(3))),
        ("a bias that does not fit", |product| product.relu = true),
    ]);
}

#[test]
fn pools() {
    // The largest of 2 x 2 pixels of 3 channels, and its gradient through a ReLU.
    let pool = Pool {
        pooling: Pooling::Max,
        window: Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] },
        images: [1, 2, 2, 3],
        result: [1, 1],
        x: Some(BufferId(0)),
        scale: Some(BufferId(3)),
        argmax: None,
        dy: None,
        relu_mask: None,
        sums: None,
        target: BufferId(3),
    };
    #[rustfmt::skip] // a rule a line
    breaks(&pool, Work::Pool, &[
        ("a factor that does not fit", |pool| pool.scale = Some(BufferId(6))),
        ("a ReLU mask where windows overlap", |pool| pool.relu_mask = Some(relu_mask())),
        ("sums that do not fit", |pool| pool.sums = Some(BufferId(3))),
        ("an argmax that does not fit", |pool| pool.argmax = Some(BYTE)),
        ("other operands than it needs", |pool| pool.dy = Some(BufferId(3))),
        ("an operand of another size", |pool| pool.target = BufferId(2)),
    ]);
    let (relu_mask, sums) = (Some(relu_mask()), Some(BufferId(3)));
    let pooling = Pooling::MaxGradient;
    let gradient = Pool { pooling, dy: Some(BufferId(3)), target: BufferId(1), relu_mask, sums, ..pool };
    #[rustfmt::skip] // a rule a line
    breaks(&gradient, Work::Pool, &[
        ("a ReLU mask of another size", |pool| pool.relu_mask.as_mut().unwrap().relu_output = BufferId(4)),
        ("a ReLU mask where windows overlap", |pool| pool.window.stride = [1, 1]),
        ("sums that do not fit", |pool| pool.sums = Some(BufferId(2))),
        ("an argmax that does not fit", |pool| pool.argmax = Some(NO_BYTE)),
        ("other operands than it needs", |pool| pool.x = None),
    ]);
}

#[test]
fn casts() {
    let narrow = Cast::plain(BufferId(0), BF16);
    #[rustfmt::skip] // a rule a line
    breaks(&narrow, Work::Cast, &[
        ("a cast to the same dtype", |cast| cast.target = BufferId(1)),
    ]);
    let widen = Cast { bias: Some(BufferId(3)), units: 3, relu: true, ..Cast::plain(BF16, BufferId(0)) };
    breaks(&widen, Work::Cast, &[("a bias that does not fit", |cast| cast.bias = Some(BufferId(6)))]);
}

#[test]
fn outputs_have_buffers() {
    let kernels = Kernels { outputs: vec![BufferId(0)], ..Kernels::new(Precision::F32) };
    assert_eq!(print(&kernels, None), "output ?\n");
    assert_eq!(verify(&kernels), Err("an output of an unknown buffer".to_string()));
}
