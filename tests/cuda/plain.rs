//! Our kernels for products and convolutions for which no library has an algorithm, on the emulator. Their results must
//! be those of a library.

use super::device::{launched, run};
use crate::emulator::build::{Build, Unit, program};
use crate::emulator::process::Process;
use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::experiment::{Contractions, Precision};
use gmpc_compiler::ir::kernels::{Dtype, Pass};
use gmpc_compiler::ir::window::Window;
use gmpc_cuda::emit::plain::{Plain, plain};
use gmpc_cuda::{Convolution, Launch, MatMul, Operand, Region, Work};
use std::path::Path;

/// Bytes between the places of the operands, the bias and the result in one memory.
const ROOM: usize = 1 << 15;

/// Memory for this many numbers of a type, at one of the places.
fn region(place: usize, (count, dtype): (usize, Dtype), written: bool) -> Region {
    let bytes = dtype.room(count);
    assert!(bytes <= ROOM);
    Region { address: Address::Scratch(place * ROOM), dtype, bytes, read: !written, written }
}

fn dtype(precision: Precision, bf16: bool) -> Dtype {
    if bf16 { Dtype::Bf16 } else { precision.into() }
}

/// Products of every layout: transposed operands, operands within a larger region, and a margin between the rows of the
/// result.
fn products() -> Vec<(Work, Precision)> {
    let mut all = Vec::new();
    let numbers = [
        (Precision::F32, Contractions::Full, false),
        (Precision::F64, Contractions::Full, false),
        (Precision::F32, Contractions::Bf16, false),
        (Precision::F32, Contractions::Bf16, true),
    ];
    // Sizes: nothing is a multiple of a block, a long sum for one number, and sums of one term.
    for ([m, n, k], transposed, (precision, contractions, bf16)) in [[13, 7, 5], [1, 1, 300], [9, 130, 1]]
        .into_iter()
        .flat_map(|sizes| [[false, false], [true, false], [false, true]].map(|transposed| (sizes, transposed)))
        .flat_map(|(sizes, transposed)| numbers.map(|numbers| (sizes, transposed, numbers)))
    {
        let narrow = dtype(precision, contractions == Contractions::Bf16);
        let whole = dtype(precision, bf16);
        let matrix = |place: usize, [rows, columns]: [usize; 2], transposed: bool, dtype: Dtype| {
            let (rows_step, columns_step) = if transposed { (1, rows) } else { (columns, 1) };
            let region = region(place, (rows * columns + 3, dtype), false);
            Operand { region, offset: 3, rows: rows_step, columns: columns_step }
        };
        // Two numbers between the rows of the result must keep their values.
        let room = Region { read: true, ..region(2, (m * (n + 2), whole), true) };
        let c = Operand { region: room, offset: 0, rows: n + 2, columns: 1 };
        let bias = (m != 9).then(|| matrix(3, [1, n], false, whole));
        all.push((
            Work::MatMul(MatMul {
                m,
                n,
                k,
                a: matrix(0, [m, k], transposed[0], narrow),
                b: matrix(1, [k, n], transposed[1], narrow),
                c,
                bias,
                relu: n == 7,
                contractions,
            }),
            precision,
        ));
    }
    all
}

/// A convolution and its two gradients, with strides, with uneven padding, and with three channels, one and two.
fn convolutions() -> Vec<(Work, Precision)> {
    let window = |kernel, stride, before| Window { kernel, stride, before };
    let shapes = [
        (window([3, 3], [1, 1], [1, 1]), [2, 5, 4, 3], [5, 4, 6]),
        (window([3, 2], [2, 1], [1, 0]), [2, 7, 6, 1], [4, 5, 3]),
        (window([2, 2], [1, 1], [0, 0]), [1, 4, 5, 2], [4, 5, 8]),
    ];
    let numbers = [
        (Precision::F32, Contractions::Full),
        (Precision::F64, Contractions::Full),
        (Precision::F32, Contractions::Bf16),
    ];
    let mut all = Vec::new();
    // Every shape in every pass and every type of numbers.
    for (shape, pass, (precision, contractions)) in shapes
        .into_iter()
        .flat_map(|shape| [Pass::Forward, Pass::BackwardData, Pass::BackwardFilter].map(|pass| (shape, pass)))
        .flat_map(|(shape, pass)| numbers.map(|numbers| (shape, pass, numbers)))
    {
        let (window, images, result) = shape;
        let (bf16, forward) = (contractions == Contractions::Bf16, pass == Pass::Forward);
        let dtype = dtype(precision, bf16);
        let (x, filters) = (images.iter().product(), result[2] * window.area() * images[3]);
        let y = images[0] * result.iter().product::<usize>();
        // Both gradients read the gradient at the result, which has as many numbers as the result (y).
        let [a, b, c] = match pass {
            Pass::Forward => [x, filters, y],
            Pass::BackwardData => [y, filters, x],
            Pass::BackwardFilter => [x, y, filters],
        };
        let convolution = Convolution {
            pass,
            window,
            images,
            result,
            a: region(0, (a, dtype), false),
            b: region(1, (b, dtype), false),
            c: region(2, (c, dtype), true),
            bias: (forward && !bf16).then(|| region(3, (result[2], dtype), false)),
            relu: forward && !bf16 && result[2] == 6,
            contractions,
        };
        all.push((Work::Convolution(convolution), precision));
    }
    all
}

/// Small whole numbers, which all kinds of numbers have and whose sums are exact in any order.
fn bytes(dtype: Dtype, count: usize) -> Vec<u8> {
    let number = |i: usize| (i * 7 % 5) as f32 - 2.0;
    match dtype {
        Dtype::F64 => (0..count).flat_map(|i| f64::from(number(i)).to_le_bytes()).collect(),
        Dtype::Bf16 => (0..count).flat_map(|i| [number(i).to_le_bytes()[2], number(i).to_le_bytes()[3]]).collect(),
        _ => (0..count).flat_map(|i| number(i).to_le_bytes()).collect(),
    }
}

/// The regions that a library's call reads.
fn read(work: &Work) -> Vec<Region> {
    match work {
        Work::MatMul(p) => [p.a, p.b].into_iter().chain(p.bias).map(|operand| operand.region).collect(),
        Work::Convolution(c) => [c.a, c.b].into_iter().chain(c.bias).collect(),
        Work::Kernel(_) => unreachable!("a library's work"),
    }
}

/// The bytes of the result's memory after the work was done, by a library's call or by our kernel of a unit.
fn result(path: &Path, work: &Work, own: Option<(&str, &Plain)>) -> Vec<u8> {
    let mut process = Process::start(path, 3).unwrap();
    process.memory(4);
    let scratch = process.memory(4 * ROOM);
    for region in read(work) {
        let Address::Scratch(place) = region.address else { unreachable!("all lies in scratch memory") };
        process.write(scratch, place, &bytes(region.dtype, region.bytes / region.dtype.bytes()));
    }
    process.write(scratch, 2 * ROOM, &[0; ROOM]);
    match own {
        Some((unit, plain)) => launched(&mut process, unit, &plain.kernel),
        None => {
            let launch =
                Launch { label: String::new(), line: None, work: work.clone(), read_bytes: 0, written_bytes: 0 };
            run(&mut process, "", &launch);
        }
    }
    let found = process.read(scratch, 2 * ROOM, ROOM).unwrap();
    process.end().unwrap();
    found
}

/// Some texts of every kind, to compile for a GPU. Each has a name.
pub fn sources() -> Vec<(String, String)> {
    let kinds = products().into_iter().take(4).chain(convolutions().into_iter().take(9));
    let named = |(number, (work, precision)): (usize, (Work, Precision))| {
        Some((format!("plain, {number}"), plain(&work, precision)?.source))
    };
    kinds.enumerate().filter_map(named).collect()
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn our_kernels_give_the_bits_of_a_library() {
    let all: Vec<(Work, Precision, Plain)> = products()
        .into_iter()
        .chain(convolutions())
        .map(|(work, precision)| {
            let own = plain(&work, precision).expect("a library's work");
            (work, precision, own)
        })
        .collect();
    let unit = |(index, (.., own)): (usize, &(Work, Precision, Plain))| Unit {
        name: format!("plain{index}"),
        text: own.source.clone(),
        kernels: vec![own.kernel.name.clone()],
    };
    let units: Vec<Unit> = all.iter().enumerate().map(unit).collect();
    let path = program(&units, Build::Plain).unwrap_or_else(|text| panic!("{text}"));
    for ((work, _, own), unit) in all.iter().zip(&units) {
        let by_library = result(&path, work, None);
        let by_kernel = result(&path, work, Some((&unit.name, own)));
        assert!(by_library.iter().any(|byte| *byte != 0), "the result of {work} is all zeros");
        assert!(by_kernel == by_library, "{work}");
    }
}
