//! Kernels for what no library has an algorithm for, on the emulator: the numbers that a library would give.

use super::device::{launched, run};
use crate::emulator::build::{Build, Unit, compiler, program};
use crate::emulator::process::Process;
use gmpc_compiler::backend::cuda::plain::{Plain, plain};
use gmpc_compiler::backend::cuda::{Convolution, Launch, Operand, Product, Region, Work};
use gmpc_compiler::experiment::{Contractions, Precision};
use gmpc_compiler::kernels::Pass;
use gmpc_compiler::plan::Address;
use gmpc_compiler::window::Window;
use std::path::Path;

/// Places of the operands, the bias and the result in one memory, far enough apart.
const ROOM: usize = 1 << 15;

/// Memory for so many numbers of some bytes.
fn region(place: usize, (count, bytes): (usize, usize), written: bool) -> Region {
    let bytes = (count * bytes).next_multiple_of(4);
    assert!(bytes <= ROOM);
    Region { address: Address::Scratch(place * ROOM), bytes, read: !written, written }
}

fn width(precision: Precision, half: bool) -> usize {
    if half { 2 } else { precision.bytes() }
}

/// Products of every layout: operands turned, a margin in the result, within a larger operand.
fn products() -> Vec<(Work, Precision)> {
    let mut all = Vec::new();
    let numbers = [
        (Precision::F32, Contractions::Full, false),
        (Precision::F64, Contractions::Full, false),
        (Precision::F32, Contractions::Bf16, false),
        (Precision::F32, Contractions::Bf16, true),
    ];
    for ([m, n, k], turned, (precision, contractions, half)) in [[13, 7, 5], [1, 1, 300], [9, 130, 1]]
        .into_iter()
        .flat_map(|sizes| [[false, false], [true, false], [false, true]].map(|turned| (sizes, turned)))
        .flat_map(|(sizes, turned)| numbers.map(|numbers| (sizes, turned, numbers)))
    {
        let narrow = width(precision, contractions == Contractions::Bf16);
        let whole = width(precision, half);
        let matrix = |place: usize, [rows, columns]: [usize; 2], turned: bool, bytes: usize| {
            let (rows_step, columns_step) = if turned { (1, rows) } else { (columns, 1) };
            let region = region(place, (rows * columns + 3, bytes), false);
            Operand { region, offset: 3, rows: rows_step, columns: columns_step }
        };
        // Between rows lie numbers that stay.
        let room = Region { read: true, ..region(2, (m * (n + 2), whole), true) };
        let c = Operand { region: room, offset: 0, rows: n + 2, columns: 1 };
        let bias = (m != 9).then(|| matrix(3, [1, n], false, whole));
        all.push((
            Work::Product(Product {
                m,
                n,
                k,
                a: matrix(0, [m, k], turned[0], narrow),
                b: matrix(1, [k, n], turned[1], narrow),
                c,
                bias,
                relu: n == 7,
                contractions,
                half,
            }),
            precision,
        ));
    }
    all
}

/// The three products of a convolution with strides, uneven padding, three channels and one.
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
    for (shape, pass, (precision, contractions)) in shapes
        .into_iter()
        .flat_map(|shape| [Pass::Forward, Pass::Input, Pass::Weight].map(|pass| (shape, pass)))
        .flat_map(|(shape, pass)| numbers.map(|numbers| (shape, pass, numbers)))
    {
        let (window, images, result) = shape;
        let (half, forward) = (contractions == Contractions::Bf16, pass == Pass::Forward);
        let bytes = width(precision, half);
        let (x, filters) = (images.iter().product(), result[2] * window.area() * images[3]);
        let y = images[0] * result.iter().product::<usize>();
        let [a, b, c] = match pass {
            Pass::Forward => [x, filters, y],
            Pass::Input => [y, filters, x],
            Pass::Weight => [x, y, filters],
        };
        let convolution = Convolution {
            pass,
            window,
            images,
            result,
            a: region(0, (a, bytes), false),
            b: region(1, (b, bytes), false),
            c: region(2, (c, bytes), true),
            bias: (forward && !half).then(|| region(3, (result[2], bytes), false)),
            relu: forward && !half && result[2] == 6,
            contractions,
        };
        all.push((Work::Convolution(convolution), precision));
    }
    all
}

/// Small whole numbers, which all kinds of numbers have and whose sums are exact in any order.
fn bytes(kind: (Precision, usize), count: usize) -> Vec<u8> {
    let number = |i: usize| (i * 7 % 5) as f32 - 2.0;
    match kind {
        (Precision::F64, _) => (0..count).flat_map(|i| f64::from(number(i)).to_le_bytes()).collect(),
        (_, 2) => (0..count).flat_map(|i| [number(i).to_le_bytes()[2], number(i).to_le_bytes()[3]]).collect(),
        _ => (0..count).flat_map(|i| number(i).to_le_bytes()).collect(),
    }
}

/// What a library reads: memory, and the bytes of a number there.
fn read(work: &Work, precision: Precision) -> Vec<(Region, usize)> {
    let narrow = |contractions| width(precision, contractions == Contractions::Bf16);
    match work {
        Work::Product(p) => {
            let bias = p.bias.map(|bias| (bias.region, width(precision, p.half)));
            [p.a.region, p.b.region].map(|region| (region, narrow(p.contractions))).into_iter().chain(bias).collect()
        }
        Work::Convolution(c) => {
            [c.a, c.b].into_iter().chain(c.bias).map(|region| (region, narrow(c.contractions))).collect()
        }
        Work::Kernel(_) => unreachable!("a library's work"),
    }
}

/// What lies in the result's memory after the work was done: by a library, or by the plain kernel of a unit.
fn result(path: &Path, work: &Work, precision: Precision, own: Option<(&str, &Plain)>) -> Vec<u8> {
    let mut process = Process::start(path, 3).unwrap();
    process.memory(4);
    let scratch = process.memory(4 * ROOM);
    for (region, each) in read(work, precision) {
        let Address::Scratch(place) = region.address else { unreachable!("all lies in scratch memory") };
        process.write(scratch, place, &bytes((precision, each), region.bytes / each));
    }
    process.write(scratch, 2 * ROOM, &[0; ROOM]);
    match own {
        Some((unit, plain)) => launched(&mut process, unit, &plain.kernel),
        None => {
            let launch =
                Launch { label: String::new(), line: None, work: work.clone(), read_bytes: 0, written_bytes: 0 };
            run(&mut process, "", &launch, precision);
        }
    }
    let found = process.read(scratch, 2 * ROOM, ROOM).unwrap();
    process.end().unwrap();
    found
}

/// Texts of every kind, to be compiled for a GPU.
pub fn sources() -> Vec<(String, String)> {
    let kinds = products().into_iter().take(4).chain(convolutions().into_iter().take(9));
    let named = |(number, (work, precision)): (usize, (Work, Precision))| {
        Some((format!("plain, {number}"), plain(&work, precision)?.source))
    };
    kinds.enumerate().filter_map(named).collect()
}

#[test]
fn what_no_library_has_is_computed_by_a_kernel_to_the_same_bits() {
    if compiler().is_none() {
        return;
    }
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
    for ((work, precision, own), unit) in all.iter().zip(&units) {
        let by_library = result(&path, work, *precision, None);
        let by_kernel = result(&path, work, *precision, Some((&unit.name, own)));
        assert!(by_library.iter().any(|byte| *byte != 0), "{work} says something");
        assert!(by_kernel == by_library, "{work}");
    }
}
