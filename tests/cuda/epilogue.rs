//! The kernel for bias and ReLU after a library's product, on the emulator. It must change every number exactly once, for
//! all sizes.

use crate::emulator::build::{Build, Unit, program};
use crate::emulator::process::{Argument, Launch, Process, Region};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::Dtype;
use gmpc_cuda::emit::epilogue::{Epilogue, alone};

/// Runs the kernel on the rows of a matrix, which may have a margin between them. Returns the whole memory, margins
/// included.
fn with_epilogue(epilogue: &Epilogue, numbers: &[f32], bias: Option<&[f32]>, build: Build, seed: u64) -> Vec<f32> {
    let names = ["gmpc_finish", "gmpc_finish_wide", "gmpc_finish_half", "gmpc_finish_half_wide"];
    let names = names.map(str::to_string).to_vec();
    let unit = Unit { name: "finish".into(), text: alone(Precision::F32), kernels: names };
    let path = program(&[unit], build).unwrap_or_else(|text| panic!("{text}"));
    let mut process = Process::start(&path, seed).unwrap();
    let mut memory = |data: &[f32], written: bool| {
        // The upper half of a single-precision number is its bfloat16; the numbers of this test lose nothing by that.
        let high = |x: &f32| [x.to_le_bytes()[2], x.to_le_bytes()[3]];
        let mut bytes: Vec<u8> = match epilogue.dtype {
            Dtype::Bf16 => data.iter().flat_map(high).collect(),
            _ => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        // A GPU allocates whole words, so an odd count of bfloat16 has a half word behind it.
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let memory = process.memory(bytes.len());
        process.write(memory, 0, &bytes);
        Region { memory, offset: 0, bytes: bytes.len(), read: true, written }
    };
    let c = memory(numbers, true);
    let bias = bias.map_or(Argument::Value(0), |bias| Argument::At(memory(bias, false)));
    // The grid and the kernel's name come from the code that launches it on a GPU.
    let (blocks, [along, rows]) = epilogue.grid();
    let plain = [epilogue.rows, epilogue.columns, epilogue.step, u64::from(epilogue.relu)].map(Argument::Value);
    process.launch(&Launch {
        kernel: &format!("finish.{}", epilogue.name()),
        grid: [blocks, 1, 1],
        block: [along, rows, 1],
        shared: 0,
        arguments: [Argument::At(c), bias].into_iter().chain(plain).collect(),
    });
    let bytes = process.read(c.memory, 0, c.bytes).unwrap();
    process.end().unwrap();
    let halves = bytes.as_chunks::<2>().0.iter().map(|word| f32::from_le_bytes([0, 0, word[0], word[1]]));
    match epilogue.dtype {
        Dtype::Bf16 => halves.take(numbers.len()).collect(),
        _ => bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect(),
    }
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn bias_and_relu_reach_every_number_and_nothing_between_rows() {
    // Rows, columns, and the distance of rows. `wide` tells whether a thread can handle 16 bytes at once: the sizes
    // divide by four, also with a margin between rows.
    for ([rows, columns, step], wide) in [
        ([7, 128, 128], true),
        ([300, 8, 12], true),
        ([5, 1300, 1300], true),
        ([9, 13, 17], false),
        ([70, 1, 1], false),
    ] {
        // Eighths of small integers: bfloat16 holds them and their sums exactly.
        let numbers: Vec<f32> = (0..rows * step).map(|i| ((i * 37 % 101) as f32 - 50.0) / 8.0).collect();
        let bias: Vec<f32> = (0..columns).map(|i| (i % 7) as f32 - 3.0).collect();
        for (bias, relu, dtype) in [
            (Some(&bias[..]), true, Dtype::F32),
            (Some(&bias[..]), false, Dtype::F32),
            (None, true, Dtype::F32),
            (Some(&bias[..]), true, Dtype::Bf16),
            (None, true, Dtype::Bf16),
        ] {
            let epilogue = Epilogue::new([rows, columns, step], relu, true, dtype);
            assert_eq!(epilogue.lanes > 1, wide);
            let expected: Vec<f32> = numbers
                .iter()
                .enumerate()
                .map(|(i, &x)| match i % step {
                    column if column >= columns => x,
                    column => {
                        let sum = x + bias.map_or(0.0, |bias| bias[column]);
                        if relu && sum < 0.0 { 0.0 } else { sum }
                    }
                })
                .collect();
            for (build, seed) in [(Build::Plain, 0), (Build::Plain, 3), (Build::Address, 1)] {
                let found = with_epilogue(&epilogue, &numbers, bias, build, seed);
                assert!(found == expected, "{rows} x {columns} in {step}, relu {relu}, {dtype}, {build:?}");
            }
        }
    }
}
