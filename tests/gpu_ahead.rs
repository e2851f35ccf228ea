//! Compiles the programs that `tests/gpu/run` will load, on a machine without a GPU. `tests/gpu/pack` carries the machine
//! code, so that no time on the GPU is spent on compiling. `GMPC_COMPILE_AHEAD` names the compute capability, as in
//! `9.0`.

use crate::cuda::device::Collector;
use crate::golden::compile_ahead;
use crate::networks::{overrides, request};
use crate::support::root;
use gmpc_compiler::ir::program::Program;
use gmpc_device::{Device, DeviceError, Executable};
use gmpc_device_cuda::compile_for;
use gmpc_grammar::source::Source;
use gmpc_runtime::task::bench::{Passes, bench};
use std::sync::Arc;

/// The variable that names the compute capability to compile for.
const WANTED: &str = "GMPC_COMPILE_AHEAD";

/// The networks that `tests/gpu/run` times: example, batch, parameterizations, precisions.
const TIMED: [(&str, usize, &[&str], &[&str]); 2] = [
    ("vgg6", 1024, &["gmp", "sp", "gmp + mn", "bn"], &["tf32", "bf16", "f32"]),
    ("uci", 64, &["sp", "bn", "gmp"], &["f32"]),
];

/// A device that compiles the programs it loads, but computes nothing.
#[derive(Debug, Default)]
struct Ahead {
    collector: Collector,
    capability: (i32, i32),
}

impl Device for Ahead {
    fn name(&self) -> &'static str {
        "ahead"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        compile_for(program, self.capability)?;
        self.collector.load(program)
    }
}

/// Reads a compute capability such as `9.0`.
fn capability(text: &str) -> Option<(i32, i32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[test]
#[ignore = "checks nothing: tests/gpu/pack starts it to compile kernels ahead"]
fn programs_of_the_gpu_tests_are_compiled_ahead() {
    let wanted = std::env::var(WANTED).unwrap_or_else(|_| panic!("{WANTED} is not set: tests/gpu/pack sets it"));
    let capability = capability(&wanted).unwrap_or_else(|| panic!("{WANTED} is {wanted}, not 9.0"));
    let device: Arc<dyn Device> = Arc::new(Ahead { capability, ..Ahead::default() });
    for (example, batch, params, precisions) in TIMED {
        for (param, precision) in params.iter().flat_map(|param| precisions.iter().map(move |word| (param, word))) {
            timed(&device, (example, batch), param, precision);
        }
    }
    compile_ahead(&device);
}

/// Loads the programs that `gmpc bench` loads. The times that it measures here mean nothing.
fn timed(device: &Arc<dyn Device>, (example, batch): (&str, usize), param: &str, precision: &str) {
    let name = format!("examples/{example}.gmpnet");
    let text = std::fs::read_to_string(root().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    // Machine code is stored under the emitted text, which names the file. The name is therefore the one that `gmpc
    // bench` is given.
    let request = request(Source { name, text }, overrides(param, precision), Arc::clone(device));
    bench(&request, Some(batch), Passes::None).unwrap_or_else(|error| panic!("{example}, {param}: {error:?}"));
}
