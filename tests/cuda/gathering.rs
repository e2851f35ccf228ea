//! Batches that kernels gather on the GPU, here on the emulator, have the same bits as batches that the CPU makes.

use crate::networks::{request, source};

use crate::emulator::build::{Build, Unit, program};
use crate::emulator::process::{Argument, Launch, Process, Region};
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::Random;
use gmpc_cuda::emit::gather::{self, Gather};
use gmpc_data::images::Draw;
use gmpc_data::{Pick, Rows};
use gmpc_device::table::Table;
use gmpc_device::{DeviceError, Executable, Numbers, Slice, SliceMut, States};
use gmpc_device_cpu::Cpu;
use gmpc_runtime::task::experiment::prepare;
use std::sync::Arc;

/// A program whose only input is gathered on the emulator.
struct Emulates {
    precision: Precision,
    batch: usize,
    seed: u64,
    made: Vec<u8>,
}

impl Executable for Emulates {
    fn input(&mut self, _index: usize) -> SliceMut<'_> {
        SliceMut::F32(&mut [])
    }

    fn gather(
        &mut self,
        _index: usize,
        table: &Table<'_>,
        ask: &mut dyn FnMut(&mut [u32]),
    ) -> Result<bool, DeviceError> {
        let (kernel, tables) = match table {
            Table::Numbers { numbers, width } => {
                (gather::numbers(self.precision, self.batch, *width), vec![bytes(&numbers.as_slice())])
            }
            Table::Images { pixels, shape, purpose, steps, values } => (
                gather::images(self.precision, self.batch, *shape, steps, *purpose),
                vec![pixels.to_vec(), bytes(values)],
            ),
        };
        let Some(kernel) = kernel else { return Ok(false) };
        // The words say which rows to take and, for images, which random numbers to draw.
        let mut words = vec![0; kernel.words];
        ask(&mut words);
        let asked = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.made = run(&kernel, tables.into_iter().chain([asked]).collect(), self.made.len(), self.seed);
        Ok(true)
    }

    fn run(&mut self, _states: &mut States, _random: Random) -> Result<(), DeviceError> {
        Ok(())
    }

    fn output(&self, _index: usize) -> Slice<'_> {
        Slice::F32(&[])
    }
}

fn bytes(numbers: &Slice<'_>) -> Vec<u8> {
    match numbers {
        Slice::F32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Slice::F64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

/// Runs the kernel on the memories that it reads. Returns the memory that it writes.
fn run(kernel: &Gather, read: Vec<Vec<u8>>, size: usize, seed: u64) -> Vec<u8> {
    let unit = Unit { name: "data".into(), text: kernel.source.clone(), kernels: vec![Gather::NAME.into()] };
    let path = program(&[unit], Build::Plain).unwrap_or_else(|text| panic!("{text}"));
    let mut process = Process::start(&path, seed).unwrap();
    let mut arguments = Vec::new();
    for bytes in &read {
        let memory = process.memory(bytes.len());
        process.write(memory, 0, bytes);
        arguments.push(Region { memory, offset: 0, bytes: bytes.len(), read: true, written: false });
    }
    let memory = process.memory(size);
    arguments.push(Region { memory, offset: 0, bytes: size, read: false, written: true });
    process.launch(&Launch {
        kernel: &format!("data.{}", Gather::NAME),
        grid: [kernel.blocks, 1, 1],
        block: [kernel.threads, 1, 1],
        shared: 0,
        arguments: arguments.into_iter().map(Argument::At).collect(),
    });
    let made = process.read(memory, 0, size).unwrap();
    process.end().unwrap();
    made
}

/// Training images with these steps of transformation and augmentation.
fn images(transform: &str, augment: &str, precision: &str) -> Rows {
    let transform = if transform.is_empty() { String::new() } else { format!(", transform = {transform}") };
    let text = format!(
        "precision = {precision}\ndata = shapes(train = 60, test = 20, classes = 20{transform})\n\
         model m {{ input -> flatten -> linear(20) }}\n\
         train {{ loss = cross_entropy optimizer = sgd(lr = 0.1) batch = 16 epochs = 1 augment = {augment} }}\n"
    );
    let request = request(source(&text), Overrides::default(), Arc::new(Cpu::default()));
    prepare(&request).unwrap_or_else(|e| panic!("{e:?}")).tables.train
}

const PICKED: [u32; 16] = [11, 3, 47, 0, 1, 2, 11, 30, 29, 28, 27, 26, 25, 24, 40, 39];

/// The same batch, made by the CPU and on the emulator.
fn both(rows: &Rows, pick: &Pick<'_>, draw: Draw, precision: Precision, seed: u64) -> [Vec<u8>; 2] {
    let mut here = Numbers::zeros(precision, pick.len() * rows.width());
    rows.inputs_into(pick, draw, &mut here.as_mut()).unwrap();
    let here = bytes(&here.as_slice());
    let mut there = Emulates { precision, batch: pick.len(), seed, made: vec![0; here.len()] };
    assert!(rows.inputs_there(pick, draw, &mut there, 0).unwrap(), "a kernel makes this batch");
    [here, there.made]
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn images_are_those_that_the_cpu_makes_bit_for_bit() {
    for (transform, augment, precision) in [
        ("", "[random_crop(32, pad = 4), horizontal_flip]", Precision::F32),
        ("", "[horizontal_flip, random_crop(32, pad = 1), horizontal_flip, random_crop(32, pad = 30)]", Precision::F32),
        ("[center_crop([20, 24])]", "[horizontal_flip]", Precision::F32),
        ("[center_crop(24)]", "[random_crop(24, pad = 2), horizontal_flip]", Precision::F64),
        ("", "[]", Precision::F64),
    ] {
        let word = if precision == Precision::F32 { "f32" } else { "f64" };
        let rows = images(transform, augment, word);
        for (seed, epoch) in [(0, 0), (0x1234_5678_9abc, 7)] {
            rows.begin(seed, epoch, None, 0);
            let [here, there] = both(&rows, &Pick::These(&PICKED), Draw::Training, precision, epoch);
            assert!(here == there, "{transform}, {augment}, seed {seed}, epoch {epoch}");
        }
        let [here, there] = both(&rows, &Pick::Range(5..21), Draw::Nothing, precision, 1);
        assert!(here == there, "{transform}, nothing drawn");
    }
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn rows_of_a_table_are_those_that_the_cpu_picks() {
    for (precision, width) in [(Precision::F32, 13), (Precision::F32, 1), (Precision::F64, 4)] {
        let numbers: Vec<f64> = (0..50 * width).map(|i| f64::from(i as u32).sin()).collect();
        let rows = Rows::new(precision, 50, &numbers, &[0.0; 50]);
        for pick in [Pick::These(&PICKED), Pick::Range(30..50)] {
            let [here, there] = both(&rows, &pick, Draw::Training, precision, 3);
            assert!(here == there, "{precision:?}, {width}");
        }
    }
}
