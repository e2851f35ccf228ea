//! Kernels on the emulator against the evaluator, which computes the same graph in f64 with plain loops. The bits must
//! not depend on the order of threads and blocks, nor on the content of memory before the first store.

use super::device::{Collector, Emulated, Library};
use super::graphs::{Case, cases};
use crate::emulator::build::Build;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Graph, Output, Random, Tensor, evaluate, verify};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::lower;
use gmpc_cuda::lower_cuda;
use gmpc_device::{Device, States};
use std::sync::Arc;

const RANDOM: Random = Random { seed: 0x1234_5678_9ABC_DEF0, step: 0x1_0000_0007 };

/// Numbers without a pattern in [-2, 2), which f32 holds exactly.
fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 40) as u32 >> 10) / 4096.0 - 2.0
    };
    Tensor { shape: shape.to_vec(), data: (0..shape.iter().product()).map(|_| next()).collect() }
}

/// Turns numbers into angles near pi/2. The more angles of a unit follow, the nearer the angle is, so that their sines do
/// not vanish.
fn to_angles(tensor: &mut Tensor) {
    let (count, units) = (tensor.shape[0], tensor.shape[1]);
    for (index, t) in tensor.data.iter_mut().enumerate() {
        let left = (count - index / units) as f64;
        *t = f64::from((std::f64::consts::FRAC_PI_2 + *t / left.sqrt() * 0.8) as f32);
    }
}

/// Inputs and states of a case.
fn data(case: &Case) -> (Vec<Tensor>, Vec<Tensor>) {
    let graph = &case.graph;
    let mut inputs: Vec<Tensor> = graph.inputs.iter().zip(1..).map(|(i, n)| numbers(&i.shape, n)).collect();
    if case.angles {
        to_angles(&mut inputs[0]);
    }
    (inputs, graph.states.iter().zip(32..).map(|(s, n)| numbers(&s.shape, n)).collect())
}

fn program(graph: &Graph, precision: Precision) -> Arc<Program> {
    Arc::new(lower(Goal::Gradients, precision, 1, graph, vec![]))
}

/// Runs a case. Returns all outputs, and the new values of written states, in the order of `graph.outputs`.
fn run(case: &Case, precision: Precision, device: &dyn Device) -> Result<Vec<Vec<f64>>, String> {
    let (inputs, values) = data(case);
    let program = program(&case.graph, precision);
    let mut executable = device.load(&program).map_err(|e| e.message)?;
    for (index, input) in program.graph.inputs.iter().enumerate() {
        let given = case.graph.inputs.iter().position(|i| i.name == input.name).ok_or("an input of its own")?;
        super::device::fill(executable.input(index), &inputs[given].data);
    }
    let layout = Arc::new(StateLayout::new(&program.graph.states));
    let mut states = States::zeros(&layout, precision);
    values.iter().enumerate().try_for_each(|(index, value)| states.set_tensor(index, value))?;
    executable.run(&mut states, RANDOM).map_err(|e| e.message)?;
    let mut named = 0;
    let value = |output: &Output| match output {
        Output::Value { .. } => {
            named += 1;
            executable.output(named - 1).to_f64()
        }
        Output::Write { state, .. } => states.tensor(*state).data,
    };
    Ok(case.graph.outputs.iter().map(value).collect())
}

/// Compares outputs. Errors are relative to the largest number of an output, or for angles to its norm.
fn compare(case: &Case, got: &[Vec<f64>], wanted: &[Tensor], tolerance: f64) -> Result<(), String> {
    for (output, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let far = norm(&mut got.iter().zip(&wanted.data).map(|(g, w)| g - w));
        if case.angles && far > tolerance * norm(&mut wanted.data.iter().copied()) {
            return Err(format!("output {output} is off by {far:e}"));
        }
        let scale = wanted.data.iter().fold(1e-3_f64, |scale, x| scale.max(x.abs()));
        for (index, (g, w)) in got.iter().zip(&wanted.data).enumerate().filter(|_| !case.angles) {
            if (g - w).abs() > tolerance * scale || g.is_nan() != w.is_nan() {
                return Err(format!("output {output} [{index}]: {g:e}, not {w:e}"));
            }
        }
    }
    Ok(())
}

/// Compiles all cases in these precisions.
fn library(cases: &[Case], precisions: &[Precision], build: Build) -> Arc<Library> {
    let collector = Collector::default();
    for case in cases {
        verify(&case.graph).expect("a well-formed graph");
        for precision in precisions {
            collector.load(&program(&case.graph, *precision)).expect("collecting cannot fail");
        }
    }
    Arc::new(collector.build(build).unwrap_or_else(|text| panic!("{text}")))
}

/// Applies `check` to every case. Fails the test with the messages of all cases that are wrong.
fn all(cases: &[Case], check: impl Fn(&Case) -> Result<(), String>) {
    let wrong = |case: &Case| check(case).err().map(|text| format!("{}: {text}", case.name));
    let wrong: Vec<String> = cases.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn oracle(case: &Case) -> Vec<Tensor> {
    let (inputs, states) = data(case);
    evaluate(&case.graph, &inputs, &states, RANDOM)
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn kernels_agree_with_the_evaluator_in_both_precisions_and_any_order() {
    let cases = cases(false);
    let library = library(&cases, &[Precision::F32, Precision::F64], Build::Plain);
    let emulated = |seed| Emulated { compiled: Arc::clone(&library), seed };
    all(&cases, |case| {
        let wanted = oracle(case);
        compare(case, &run(case, Precision::F64, &emulated(2))?, &wanted, 1e-9)?;
        let first = run(case, Precision::F32, &emulated(0))?;
        compare(case, &first, &wanted, case.tolerance)?;
        let bits = |values: &[Vec<f64>]| values.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
        for seed in 1..5 {
            if bits(&run(case, Precision::F32, &emulated(seed))?) != bits(&first) {
                return Err(format!("seed {seed} gives other bits than seed 0"));
            }
        }
        Ok(())
    });
}

#[test]
#[cfg_attr(not(has_cxx), ignore = "needs a C++ compiler: install g++ or set CXX")]
fn kernels_run_under_the_sanitizers() {
    let cases = cases(true);
    for build in [Build::Address, Build::Thread] {
        let library = library(&cases, &[Precision::F32], build);
        all(&cases, |case| {
            let emulated = Emulated { compiled: Arc::clone(&library), seed: 2 };
            compare(case, &run(case, Precision::F32, &emulated)?, &oracle(case), case.tolerance)
        });
    }
}

/// The functions of a kernel: several where the kernel joins independent parts, otherwise the kernel itself.
fn pieces<'s>(source: &'s str, kernel: &'s str) -> Vec<&'s str> {
    let Some((_, rest)) = source.split_once(&format!("\n{kernel}(")) else { return vec![kernel] };
    let body = rest.split("\n}\n").next().unwrap_or_default();
    let called = body.split(") return ").skip(1).filter_map(|call| call.split_once('(')).map(|(name, _)| name);
    let called: Vec<&str> = called.collect();
    if kernel.starts_with("together") { called } else { vec![kernel] }
}

#[test]
fn every_convolution_of_a_library_has_equal_padding_on_both_sides() {
    let mut with_zeros = 0;
    for case in cases(false) {
        let program = lower_cuda(&program(&case.graph, Precision::F32), None);
        for launch in &program.launches {
            let gmpc_cuda::Work::Convolution(product) = &launch.work else { continue };
            with_zeros += usize::from(launch.label.contains("padded"));
            for axis in 0..2 {
                let window = &product.window;
                let room = product.images[axis + 1] + 2 * window.before[axis] - window.kernel[axis];
                assert_eq!(room / window.stride[axis] + 1, product.result[axis], "{}: {product:?}", case.name);
            }
        }
    }
    assert!(with_zeros > 0);
}

#[test]
fn a_map_before_a_pool_is_not_stored_where_all_its_readers_recompute_it() {
    let cases = cases(false);
    let wide = cases.iter().filter(|case| case.name.starts_with("a pool of a map of 8"));
    for case in wide {
        let program = lower_cuda(&program(&case.graph, Precision::F32), None);
        let labels: Vec<&str> = program.launches.iter().map(|launch| launch.label.as_str()).collect();
        // Of all launches, only the gradient at the input writes as many bytes as the images have.
        let images = 4 * 18 * 16 * 8 * 4;
        let written = program.launches.iter().filter(|launch| launch.written_bytes >= images).count();
        assert_eq!(written, 1, "{}: {labels:?}", case.name);
        assert!(program.source.contains("_of_map_"), "{}: {labels:?}", case.name);
        assert!(labels.iter().all(|label| !label.starts_with("max_pool_grad")), "{}: {labels:?}", case.name);
    }
}

#[test]
fn the_cases_need_every_kind_of_kernel_in_one_block_and_in_many() {
    let mut one = std::collections::BTreeSet::new();
    let mut many = std::collections::BTreeSet::new();
    for case in cases(false) {
        let program = lower_cuda(&program(&case.graph, Precision::F32), None);
        for launch in &program.launches {
            let gmpc_cuda::Work::Kernel(kernel) = &launch.work else { continue };
            for name in pieces(&program.source, &kernel.name) {
                let kind = name.split('_').next().unwrap_or_default().to_string();
                if kernel.grid[0] == 1 {
                    one.insert(kind)
                } else {
                    many.insert(kind)
                };
            }
        }
    }
    let both: Vec<&String> = one.intersection(&many).collect();
    println!("in one block and in many: {both:?}");
    for kind in ["map", "rows", "columns", "spherical", "uniform"] {
        assert!(both.iter().any(|known| *known == kind), "{kind} is missing: {one:?}, {many:?}");
    }
}
