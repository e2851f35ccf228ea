//! Programs that `tests/gpu/run` is going to load, compiled where no GPU is: `tests/gpu/pack` carries the code, so that minutes on a
//! GPU are not spent on compiling. Where `GMPC_COMPILE_AHEAD` is not set, as `9.0`, there is nothing to do.

use crate::cuda::device::Gatherer;
use crate::golden::compile_ahead;
use crate::support::root;
use gmpc_compiler::program::Program;
use gmpc_compiler::resolve::Overrides;
use gmpc_grammar::source::Source;
use gmpc_runtime::bench::bench;
use gmpc_runtime::data::Directories;
use gmpc_runtime::device::cuda::ahead;
use gmpc_runtime::device::{Device, DeviceError, Executable};
use gmpc_runtime::request::Request;
use std::sync::Arc;

/// The compute capability to compile for.
const WANTED: &str = "GMPC_COMPILE_AHEAD";

/// What `run` times: example, batch, parameterizations, precisions.
const TIMED: [(&str, usize, &[&str], &[&str]); 2] = [
    ("vgg6", 1024, &["gmp", "sp", "gmp + mn", "bn"], &["tf32", "bf16", "f32"]),
    ("uci", 64, &["sp", "bn", "gmp"], &["f32"]),
];

/// Compiles what is loaded, and runs none of it.
#[derive(Debug, Default)]
struct Ahead {
    gatherer: Gatherer,
    capability: (i32, i32),
}

impl Device for Ahead {
    fn name(&self) -> &'static str {
        "ahead"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        ahead(program, self.capability)?;
        self.gatherer.load(program)
    }
}

/// `9.0`
fn capability(text: &str) -> Option<(i32, i32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[test]
fn what_is_going_to_run_is_compiled_ahead() {
    let Ok(wanted) = std::env::var(WANTED) else { return };
    let capability = capability(&wanted).unwrap_or_else(|| panic!("{WANTED} is {wanted}, not 9.0"));
    let device: Arc<dyn Device> = Arc::new(Ahead { capability, ..Ahead::default() });
    for (example, batch, params, precisions) in TIMED {
        for (param, precision) in params.iter().flat_map(|param| precisions.iter().map(move |word| (param, word))) {
            timed(&device, (example, batch), param, precision);
        }
    }
    compile_ahead(&device);
}

/// What `gmpc bench` loads; what it times here is nothing.
fn timed(device: &Arc<dyn Device>, (example, batch): (&str, usize), param: &str, precision: &str) {
    let name = format!("examples/{example}.gmpnet");
    let text = std::fs::read_to_string(root().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let set = vec![("precision".to_string(), precision.to_string())];
    let overrides = Overrides { param: Some(param.into()), set, ..Overrides::default() };
    let directories = Directories { data: "nowhere".into(), beside: None };
    let request = Request { file: Source { name, text }, overrides, directories, device: Arc::clone(device) };
    bench(&request, Some(batch)).unwrap_or_else(|error| panic!("{example}, {param}: {error:?}"));
}
