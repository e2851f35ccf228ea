//! How kernels print dtypes, and which dtypes `verify` accepts.

use super::*;
use crate::ir::window::Window;
use insta::assert_snapshot;

/// Buffers in scratch memory, each with three rows of four numbers and the given dtype.
fn buffers(precision: Precision, dtypes: &[(&str, Dtype)]) -> Kernels {
    let mut kernels = Kernels::new(precision);
    for &(name, dtype) in dtypes {
        kernels.buffers.push(Buffer { name: name.into(), elements: 12, location: Location::Scratch, dtype });
    }
    kernels
}

fn push(kernels: &mut Kernels, work: Work) {
    kernels.kernels.push(Kernel { work, span: None });
}

fn id(number: u32) -> BufferId {
    BufferId(number)
}

/// Returns the rule that a kernel breaks, or `fine`.
fn rule(precision: Precision, dtypes: &[Dtype], work: Work) -> String {
    let named: Vec<(&str, Dtype)> = dtypes.iter().map(|dtype| ("b", *dtype)).collect();
    let mut kernels = buffers(precision, &named);
    push(&mut kernels, work);
    match verify(&kernels) {
        Ok(()) => "fine".into(),
        Err(text) => text.lines().next().unwrap_or_default().trim_start_matches("kernel 0: ").into(),
    }
}

fn product(bias: Option<u32>) -> Work {
    let matrix = |number| Matrix { buffer: id(number), offset: 0, rows: 2, columns: 1 };
    let bias = bias.map(|number| (id(number), 0));
    Work::MatMul(MatMul { m: 2, n: 2, k: 2, a: matrix(0), b: matrix(1), c: matrix(2), bias, relu: false })
}

fn pool(argmax: Option<u32>) -> Work {
    let (window, images, result) = (Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] }, [1, 2, 2, 3], [1, 1]);
    let (pooling, x) = match argmax {
        Some(_) => (Pooling::MaxGradient, None),
        None => (Pooling::Max, Some(id(0))),
    };
    let dy = argmax.map(|_| id(0));
    let (argmax, target) = (argmax.map(id), id(1));
    let (scale, relu_mask, sums) = (None, None, None);
    Work::Pool(Pool { pooling, window, images, result, x, scale, argmax, dy, relu_mask, sums, target })
}

#[test]
fn every_dtype_has_a_name_and_a_size() {
    let all = [Dtype::F32, Dtype::F64, Dtype::Bf16, Dtype::U8, Dtype::U32];
    let told: Vec<String> = all.iter().map(|dtype| format!("{dtype} {}", dtype.bytes())).collect();
    assert_eq!(told, ["f32 4", "f64 8", "bf16 2", "u8 1", "u32 4"]);
    assert_eq!([Dtype::Bf16.room(5), Dtype::U8.room(5), Dtype::F64.room(5)], [12, 8, 40], "whole words");
    assert_eq!(Dtype::from(Precision::F64), Dtype::F64);
}

#[test]
fn the_text_says_dtypes_and_where_nests_convert() {
    let mut kernels =
        buffers(Precision::F32, &[("x", Dtype::F32), ("h", Dtype::Bf16), ("y", Dtype::Bf16), ("b", Dtype::F32)]);
    push(&mut kernels, Work::Cast(Cast::plain(id(0), id(1))));
    let cast = Cast { bias: Some(id(3)), units: 4, relu: true, ..Cast::plain(id(1), id(2)) };
    push(&mut kernels, Work::Nest(cast.nest(12)));
    push(&mut kernels, Work::Cast(Cast { source: id(2), target: id(0), ..cast }));
    assert_snapshot!(print(&kernels, None), @r"
    buffer x: f32[12]
    buffer h: bf16[12]
    buffer y: bf16[12]
    h = cast x to bf16
    for i in 3, j in 4:
        %0 = f32(h[4 i + j])
        %1 = b[j]
        %2 = add %0 %1
        %3 = 0
        %4 = max %2 %3
        y[4 i + j] = bf16(%4)
    x = max 0, cast y to f32 + b
    ");
}

#[test]
fn casts_convert_between_dtypes_that_the_precision_knows() {
    let cast = || Work::Cast(Cast::plain(id(0), id(1)));
    let of = |precision, from, to| rule(precision, &[from, to], cast());
    assert_eq!(of(Precision::F32, Dtype::F32, Dtype::Bf16), "fine");
    assert_eq!(of(Precision::F32, Dtype::Bf16, Dtype::F32), "fine");
    assert_eq!(of(Precision::F32, Dtype::F32, Dtype::F32), "a cast to the same dtype");
    // From double precision the conversion would go through single precision, with two roundings.
    assert_eq!(of(Precision::F64, Dtype::F64, Dtype::Bf16), "no cast between these dtypes");
    assert_eq!(of(Precision::F32, Dtype::F32, Dtype::U8), "no cast between these dtypes");
    let bias = Work::Cast(Cast { bias: Some(id(0)), units: 4, ..Cast::plain(id(0), id(1)) });
    assert_eq!(rule(Precision::F32, &[Dtype::Bf16, Dtype::F32], bias), "a bias of a cast has the program's dtype");
    let uneven = Work::Cast(Cast { bias: Some(id(1)), units: 5, ..Cast::plain(id(0), id(1)) });
    assert_eq!(rule(Precision::F32, &[Dtype::Bf16, Dtype::F32], uneven), "a bias that does not fit");
}

#[test]
fn nests_convert_bfloat16_and_nothing_else() {
    let nest = || Work::Nest(Cast::plain(id(0), id(1)).nest(12));
    assert_eq!(rule(Precision::F32, &[Dtype::Bf16, Dtype::Bf16], nest()), "fine");
    assert_eq!(rule(Precision::F32, &[Dtype::U8, Dtype::F32], nest()), "a nest cannot convert this dtype");
    assert_eq!(rule(Precision::F64, &[Dtype::F32, Dtype::F64], nest()), "a nest cannot convert this dtype");
}

#[test]
fn operands_and_results_of_products_fit_each_other() {
    let of = |dtypes: &[Dtype], bias| rule(Precision::F32, dtypes, product(bias));
    let (single, bf16) = (Dtype::F32, Dtype::Bf16);
    assert_eq!(of(&[single, single, single], None), "fine");
    assert_eq!(of(&[bf16, bf16, single], None), "fine");
    assert_eq!(of(&[bf16, bf16, bf16], None), "fine");
    assert_eq!(of(&[bf16, single, single], None), "operands of different dtypes");
    assert_eq!(of(&[single, single, bf16], None), "a result of a dtype that is not its operands'");
    assert_eq!(of(&[bf16, bf16, bf16, bf16], Some(3)), "fine");
    assert_eq!(of(&[bf16, bf16, bf16, single], Some(3)), "a bias has the result's dtype");
    assert_eq!(of(&[Dtype::U8, Dtype::U8, single], None), "no contraction of this dtype");
}

#[test]
fn pools_read_images_of_any_float_and_argmax_of_bytes() {
    let of = |dtypes: &[Dtype], argmax| {
        let mut kernels = buffers(Precision::F32, &dtypes.iter().map(|d| ("b", *d)).collect::<Vec<_>>());
        kernels.buffers[if argmax { 0 } else { 1 }].elements = 3;
        if argmax {
            kernels.buffers[2].elements = 3;
        }
        push(&mut kernels, pool(argmax.then_some(2)));
        verify(&kernels).err().and_then(|text| Some(text.lines().next()?.to_string()))
    };
    assert_eq!(of(&[Dtype::Bf16, Dtype::F32], false), None);
    assert_eq!(of(&[Dtype::F32, Dtype::U8], false).as_deref(), Some("kernel 0: a pool cannot convert this dtype"));
    assert_eq!(of(&[Dtype::F32, Dtype::F32, Dtype::U8], true), None);
    assert_eq!(of(&[Dtype::F32, Dtype::F32, Dtype::F32], true).as_deref(), Some("kernel 0: argmax holds bytes"));
}

#[test]
fn inputs_and_outputs_have_the_dtype_of_the_program() {
    let mut kernels = buffers(Precision::F64, &[("x", Dtype::F64), ("y", Dtype::F32)]);
    kernels.outputs.push(id(1));
    assert_eq!(verify(&kernels), Err("y is f32, the program f64".to_string()));
    let mut kernels = buffers(Precision::F32, &[("x", Dtype::Bf16)]);
    kernels.buffers[0].location = Location::Input(0);
    assert_eq!(verify(&kernels), Err("x is bf16, the program f32".to_string()));
    let draw = Work::Uniform(Uniform { stream: 0, target: id(0) });
    assert_eq!(rule(Precision::F32, &[Dtype::Bf16], draw), "scans and random numbers have the program's dtype");
}
