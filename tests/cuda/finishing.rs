//! Bias and rectifier after a library's product, on the emulator: every number once, whatever the sizes.

use crate::emulator::build::{Build, Unit, compiler, program};
use crate::emulator::process::{Argument, Launch, Process, Region};
use gmpc_compiler::backend::cuda::finish::{Finish, alone};
use gmpc_compiler::experiment::Precision;

/// The kernel on rows of a matrix with a margin between them.
fn finished(finish: &Finish, numbers: &[f32], bias: Option<&[f32]>, build: Build, seed: u64) -> Vec<f32> {
    let names = ["gmpc_finish", "gmpc_finish_wide", "gmpc_finish_half", "gmpc_finish_half_wide"];
    let names = names.map(str::to_string).to_vec();
    let unit = Unit { name: "finish".into(), text: alone(Precision::F32), kernels: names };
    let path = program(&[unit], build).unwrap_or_else(|text| panic!("{text}"));
    let mut process = Process::start(&path, seed).unwrap();
    let mut memory = |data: &[f32], written: bool| {
        let high = |x: &f32| [x.to_le_bytes()[2], x.to_le_bytes()[3]];
        let mut bytes: Vec<u8> = match finish.half {
            true => data.iter().flat_map(high).collect(),
            false => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let memory = process.memory(bytes.len());
        process.write(memory, 0, &bytes);
        Region { memory, offset: 0, bytes: bytes.len(), read: true, written }
    };
    let c = memory(numbers, true);
    let bias = bias.map_or(Argument::Value(0), |bias| Argument::At(memory(bias, false)));
    let (blocks, [along, rows]) = finish.grid();
    let plain = [finish.rows, finish.columns, finish.step, u64::from(finish.relu)].map(Argument::Value);
    process.launch(&Launch {
        kernel: &format!("finish.{}", finish.name()),
        grid: [blocks, 1, 1],
        block: [along, rows, 1],
        shared: 0,
        arguments: [Argument::At(c), bias].into_iter().chain(plain).collect(),
    });
    let bytes = process.read(c.memory, 0, c.bytes).unwrap();
    process.end().unwrap();
    let halves = bytes.as_chunks::<2>().0.iter().map(|word| f32::from_le_bytes([0, 0, word[0], word[1]]));
    match finish.half {
        true => halves.take(numbers.len()).collect(),
        false => bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect(),
    }
}

#[test]
fn bias_and_rectifier_reach_every_number_and_nothing_between_rows() {
    if compiler().is_none() {
        return;
    }
    for ([rows, columns, step], wide) in [
        ([7, 128, 128], true),
        ([300, 8, 12], true),
        ([5, 1300, 1300], true),
        ([9, 13, 17], false),
        ([70, 1, 1], false),
    ] {
        // All of them, and their sums, are numbers of bfloat16, too.
        let numbers: Vec<f32> = (0..rows * step).map(|i| ((i * 37 % 101) as f32 - 50.0) / 8.0).collect();
        let bias: Vec<f32> = (0..columns).map(|i| (i % 7) as f32 - 3.0).collect();
        for (bias, relu, half) in [
            (Some(&bias[..]), true, false),
            (Some(&bias[..]), false, false),
            (None, true, false),
            (Some(&bias[..]), true, true),
            (None, true, true),
        ] {
            let finish = Finish::new([rows, columns, step], relu, true, (Precision::F32, half));
            assert_eq!(finish.lanes > 1, wide);
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
                let found = finished(&finish, &numbers, bias, build, seed);
                assert!(found == expected, "{rows} x {columns} in {step}, relu {relu}, half {half}, {build:?}");
            }
        }
    }
}
