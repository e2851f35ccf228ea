//! `bench`: what a training step costs, from the source text to the kernels.
//!
//! The timed step is the train loop's own: rows gathered in shuffled order, the prologue, the program, the measures added
//! up. Rows are random, so that no data set is needed. Times are medians over many short blocks of steps, those of the step
//! and of its program taking turns, or those of several parameterizations.

mod beside;
mod steps;
mod timing;

use crate::device::Activity;
use crate::failure::Failure;
use crate::request::{Request, Warnings};
pub use beside::{Beside, beside};
use gmpc_compiler::cost::flops;
use gmpc_compiler::graph::Random;
use gmpc_compiler::program::Goal;
use gmpc_compiler::{Apart, lower_apart};
use gmpc_kernels::peak_gflops;
use serde_json::{Value, json};
use std::sync::Arc;
use steps::{Ready, count};
use timing::{KERNEL, STEP, median, time};

/// Steps in which calls of the driver are counted.
pub const COUNTED: u32 = 16;
/// What a step costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// `gmp`
    pub param: String,
    /// `cpu`
    pub device: String,
    /// How many share the work.
    pub threads: usize,
    /// `f32`
    pub precision: String,
    /// Rows in a step.
    pub batch: usize,
    /// A training step, or a prediction where the file trains nothing.
    pub trains: bool,
    /// Median.
    pub us_per_step: f64,
    /// The fastest block.
    pub us_min: f64,
    /// Rows through the median step.
    pub examples_per_s: f64,
    /// The program alone, without gathering rows and adding up measures; median.
    pub us_program: f64,
    /// From the network to machine code.
    pub compile_ms: f64,
    /// From the source text to where the first step begins: read, compiled, initialized.
    pub ready_ms: f64,
    /// From the source text to the end of the first step.
    pub first_step_ms: f64,
    /// States and the program's own memory.
    pub planned_bytes: usize,
    /// The largest amount of memory this process had; `None` where the system does not say.
    pub peak_rss_bytes: Option<u64>,
    /// Learned numbers.
    pub parameters: usize,
    /// Arithmetic of one step.
    pub flops_per_step: u64,
    /// What as many cores as there are threads can do in this precision, measured on one of them with products that stay
    /// in the first-level cache.
    pub peak_gflops: f64,
    /// On `cpu`: each kernel alone.
    pub kernels: Vec<Kernel>,
    /// On `cuda`: what the driver is told in [`COUNTED`] steps.
    pub activity: Option<Activity>,
}

/// What a kernel costs when it runs alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// What it computes.
    pub name: String,
    /// The line of the model it came from, where that is known.
    pub line: Option<String>,
    /// Median.
    pub us: f64,
    /// Its arithmetic.
    pub flops: u64,
}

impl Kernel {
    /// Arithmetic over time, in GFLOP/s.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    pub fn gflops(&self) -> f64 {
        self.flops as f64 / self.us / 1e3
    }
}

/// Compiles a file and times its step; `batch` replaces the file's.
///
/// # Errors
/// The file is wrong, or the device fails.
pub fn bench(request: &Request, batch: Option<usize>) -> Result<(Bench, Warnings), Failure> {
    let (mut ready, warnings) = Ready::new(request, batch)?;
    let times = time(2, STEP, |which| match which {
        0 => ready.step(),
        _ => {
            let (executable, states) = ready.session.executable(ready.handle);
            executable.run(states, Random { seed: 0, step: 1 }).map_err(Failure::from)
        }
    })?;
    let (whole, alone) = (&times[0], &times[1]);
    let activity = activity(&mut ready)?;
    let program = ready.program();
    let peak_rss_bytes = peak_rss(); // before every kernel is given memory of its own
    let kernels = if request.device.name() == "cpu" { kernels(request, &mut ready)? } else { vec![] };
    let network = &ready.network;
    let bench = Bench {
        param: network.module.experiment.param.clone(),
        device: request.device.name().into(),
        threads: request.device.threads(),
        precision: network.module.experiment.precision_word().into(),
        batch: ready.batch,
        trains: ready.goal == Goal::Train,
        us_per_step: median(whole),
        us_min: whole.iter().copied().fold(f64::INFINITY, f64::min),
        examples_per_s: count(ready.batch) / median(whole) * 1e6,
        us_program: median(alone),
        compile_ms: ready.compile.as_secs_f64() * 1e3,
        ready_ms: ready.ready.as_secs_f64() * 1e3,
        first_step_ms: ready.first_step.as_secs_f64() * 1e3,
        planned_bytes: ready.planned_bytes(request),
        peak_rss_bytes,
        parameters: network.parameters(),
        flops_per_step: flops(&program.graph),
        peak_gflops: peak_gflops(ready.session.precision()) * count(request.device.threads()),
        kernels,
        activity,
    };
    Ok((bench, warnings))
}

/// What the device is told in some steps.
fn activity(ready: &mut Ready) -> Result<Option<Activity>, Failure> {
    let device = Arc::clone(ready.session.device());
    let Some(before) = device.activity() else { return Ok(None) };
    (0..COUNTED).try_for_each(|_| ready.step())?;
    Ok(device.activity().map(|after| after.since(before)))
}

fn kernels(request: &Request, ready: &mut Ready) -> Result<Vec<Kernel>, Failure> {
    let inputs = ready.session.inputs(ready.handle)?;
    let mut kernels = vec![];
    for Apart { name, line, flops, program } in lower_apart(&ready.program(), &ready.network.module.sources) {
        let mut executable = request.device.load(&Arc::new(program))?;
        for (index, input) in inputs.iter().enumerate() {
            executable.input(index).copy_from(&input.as_slice());
        }
        let mut states = ready.session.states.clone();
        let times =
            time(1, KERNEL, |_| executable.run(&mut states, Random { seed: 0, step: 1 }).map_err(Failure::from))?;
        kernels.push(Kernel { name, line, us: median(&times[0]), flops });
    }
    Ok(kernels)
}

/// `VmHWM` of `/proc/self/status`.
#[must_use]
pub fn peak_rss() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Each count divided by the steps in which it was counted.
fn per_step(all: Activity) -> Value {
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    let each = |count: u64| count as f64 / f64::from(COUNTED);
    json!({
        "graph_launches": each(all.graph_launches),
        "launches": each(all.launches),
        "library_calls": each(all.to_libraries),
        "copies": each(all.copies),
        "synchronizations": each(all.synchronizations),
        "allocations": each(all.allocations),
    })
}

impl Bench {
    /// One object: the line of `gmpc bench --json`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    pub fn to_json(&self) -> Value {
        let kernels: Vec<Value> = self
            .kernels
            .iter()
            .map(|k| json!({ "name": k.name, "line": k.line, "us": k.us, "gflops": k.gflops(), "calls": 1 }))
            .collect();
        json!({
            "event": "bench",
            "param": self.param,
            "device": self.device,
            "precision": self.precision,
            "batch": self.batch,
            "trains": self.trains,
            "us_per_step": self.us_per_step,
            "us_min": self.us_min,
            "us_program": self.us_program,
            "examples_per_s": self.examples_per_s,
            "compile_ms": self.compile_ms,
            "ready_ms": self.ready_ms,
            "first_step_ms": self.first_step_ms,
            "planned_bytes": self.planned_bytes,
            "peak_rss_bytes": self.peak_rss_bytes,
            "threads": self.threads,
            "parameters": self.parameters,
            "flops_per_step": self.flops_per_step,
            "peak_gflops": self.peak_gflops,
            "gflops": self.flops_per_step as f64 / self.us_per_step / 1e3,
            "kernels": kernels,
            "driver_per_step": self.activity.map(per_step),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Directories;
    use crate::device::cpu::Cpu;
    use gmpc_compiler::resolve::Overrides;
    use gmpc_grammar::source::Source;

    pub(super) fn request(text: &str) -> Request {
        let file = Source { name: "m.gmpnet".into(), text: text.into() };
        let directories = Directories { data: "nowhere".into(), beside: None };
        Request { file, overrides: Overrides::default(), directories, device: Arc::new(Cpu::default()) }
    }

    #[test]
    fn a_file_without_data_is_timed() {
        let text = "param = gmp\nmodel m(input: [3]) { input -> dense(5) -> relu -> linear(1) }\n\
                    train { loss = mse optimizer = adam(lr = 0.001) batch = 8 epochs = 1 }\n";
        let (found, _) = bench(&request(text), None).unwrap();
        assert_eq!((found.batch, found.parameters, found.trains), (8, 2 * 5 + 5 + 5 + 6, true));
        assert!(found.us_min > 0.0 && found.us_min <= found.us_per_step);
        assert!(!found.kernels.is_empty() && found.flops_per_step > 0);
        assert!(found.to_json()["us_per_step"].is_number());
        // Without a `train` block, predictions are timed.
        let text = "model m(input: [3]) { input -> dense(5) -> relu -> linear(1) }\n";
        let (found, _) = bench(&request(text), Some(16)).unwrap();
        assert_eq!((found.batch, found.trains), (16, false));
    }

    #[test]
    fn the_peak_of_memory_is_told_where_the_system_knows_it() {
        assert_eq!(peak_rss().is_some(), cfg!(target_os = "linux"));
    }
}
