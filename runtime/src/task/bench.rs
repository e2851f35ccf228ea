//! `bench`: the cost of a training step, and of the way from the source text to the first step.
//!
//! The timed step is that of the train loop: it collects rows in shuffled order, and runs the prologue, the program and
//! the sums of the measures. Rows are random, so no data set is needed. Times are medians over many short blocks of
//! steps. Blocks of the whole step and of the program alone are interleaved, and so are blocks of several
//! parameterizations.

pub mod against;
pub mod baseline;
mod interleaved;
mod kernels;
mod steps;
mod timing;

use crate::failure::Failure;
use crate::task::experiment::{Request, Warnings};
use gmpc_compiler::ir::graph::Random;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::lower::cost::flops;
use gmpc_device::Activity;
use gmpc_kernels::{peak_gbps, peak_gflops};
pub use interleaved::{InterleavedBench, interleaved};
use kernels::kernels;
use serde_json::{Value, json};
use std::sync::Arc;
use steps::{Ready, count};
pub use timing::Span;
use timing::{STEP, median, time};

/// Number of steps in which calls of the driver are counted.
pub const COUNTED: u32 = 16;

/// The cost of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// `gmp`
    pub param: String,
    /// `cpu`
    pub device: String,
    /// Number of threads.
    pub threads: usize,
    /// `f32`
    pub precision: String,
    /// Rows in a step.
    pub batch: usize,
    /// True for a training step, false for a prediction because the file has no training.
    pub trains: bool,
    /// Time of a step in microseconds.
    pub step: Span,
    /// Time of a step in the fastest block, in microseconds.
    pub us_min: f64,
    /// Rows per second at the median.
    pub examples_per_s: f64,
    /// Median time of the program alone in microseconds, without collecting rows and adding up measures.
    pub us_program: f64,
    /// Milliseconds from the network to machine code.
    pub compile_ms: f64,
    /// Milliseconds from the source text to the beginning of the first step: reading, compiling, initializing.
    pub ready_ms: f64,
    /// Milliseconds from the source text to the end of the first step.
    pub first_step_ms: f64,
    /// Bytes of the states and of the program's own memory.
    pub planned_bytes: usize,
    /// The largest resident memory of this process so far; `None` if the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// Number of learned scalars.
    pub parameters: usize,
    /// Floating-point operations of one step.
    pub flops_per_step: u64,
    /// Floating-point operations per nanosecond that as many cores as there are threads can do in this precision.
    /// Measured on one core with matrix products that stay in the L1 cache.
    pub peak_gflops: f64,
    /// GB/s that as many threads read and write together in memory outside the caches, measured.
    pub peak_gbps: f64,
    /// On `cpu`: the time of each kernel alone; empty if it was not asked for.
    pub kernels: Vec<KernelTime>,
    /// On `cuda`: the calls of the driver in [`COUNTED`] steps.
    pub activity: Option<Activity>,
}

/// The cost of a kernel that runs alone.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelTime {
    /// What it computes.
    pub name: String,
    /// The line of the model that it came from, if it is known.
    pub line: Option<String>,
    /// Time in microseconds.
    pub us: Span,
    /// Floating-point operations.
    pub flops: u64,
    /// What it reads and writes, each number once.
    pub bytes: u64,
}

impl KernelTime {
    /// Floating-point operations per time, in GFLOP/s.
    #[must_use]
    pub fn gflops(&self) -> f64 {
        self.flops as f64 / self.us.median / 1e3
    }

    /// Bytes over time, in GB/s.
    #[must_use]
    pub fn gbps(&self) -> f64 {
        self.bytes as f64 / self.us.median / 1e3
    }
}

/// How often kernels are timed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// Only the step is timed.
    None,
    /// Once: for a look.
    One,
    /// Twice: for a record, which also has to tell how much the machine changes meanwhile.
    Two,
}

/// Compiles a file and times its step, and as often as asked for also its kernels one by one. `batch` replaces the file's batch
/// size.
///
/// # Errors
/// The file has errors, or the device fails.
pub fn bench(request: &Request, batch: Option<usize>, passes: Passes) -> Result<(Bench, Warnings), Failure> {
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
    let peak_rss_bytes = peak_rss(); // read before single kernels get memory of their own
    let passes = if request.device.name() == "cpu" { passes } else { Passes::None };
    let kernels = match passes {
        Passes::None => vec![],
        Passes::One => kernels(request, &mut ready, 1)?,
        Passes::Two => kernels(request, &mut ready, 2)?,
    };
    let threads = request.device.threads();
    let network = &ready.network;
    let bench = Bench {
        param: network.module.experiment.param.clone(),
        device: request.device.name().into(),
        threads,
        precision: network.module.experiment.precision_word().into(),
        batch: ready.batch,
        trains: ready.goal == Goal::Train,
        step: Span::of(whole),
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
        peak_gflops: peak_gflops(ready.session.precision()) * count(threads),
        peak_gbps: if passes == Passes::None { f64::NAN } else { peak_gbps(threads) },
        kernels,
        activity,
    };
    Ok((bench, warnings))
}

/// The calls of the driver in [`COUNTED`] steps; `None` on a device that does not count them.
fn activity(ready: &mut Ready) -> Result<Option<Activity>, Failure> {
    let device = Arc::clone(ready.session.device());
    let Some(before) = device.activity() else { return Ok(None) };
    (0..COUNTED).try_for_each(|_| ready.step())?;
    Ok(device.activity().map(|after| after.since(before)))
}

/// The largest resident memory of this process in bytes: `VmHWM` of `/proc/self/status`.
#[must_use]
pub fn peak_rss() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Each count divided by the number of steps in which it was counted.
fn per_step(all: Activity) -> Value {
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
    pub fn to_json(&self) -> Value {
        let kernels: Vec<Value> = self
            .kernels
            .iter()
            .map(|k| {
                let (gflops, gbps) = (k.gflops(), k.gbps());
                json!({ "name": k.name, "line": k.line, "us": k.us.median, "gflops": gflops, "gbps": gbps })
            })
            .collect();
        json!({
            "event": "bench",
            "param": self.param,
            "device": self.device,
            "precision": self.precision,
            "batch": self.batch,
            "trains": self.trains,
            "us_per_step": self.step.median,
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
            "peak_gbps": self.peak_gbps,
            // Operations per microsecond are millions per second.
            "gflops": self.flops_per_step as f64 / self.step.median / 1e3,
            "kernels": kernels,
            "driver_per_step": self.activity.map(per_step),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::front::resolve::Overrides;
    use gmpc_compiler::stage::Silent;
    use gmpc_data::Directories;
    use gmpc_device_cpu::Cpu;
    use gmpc_grammar::source::Source;

    pub(super) fn request(text: &str) -> Request {
        let file = Source { name: "m.gmpnet".into(), text: text.into() };
        let directories = Directories { data: "nowhere".into(), beside: None };
        Request {
            file,
            overrides: Overrides::default(),
            directories,
            device: Arc::new(Cpu::default()),
            observer: Arc::new(Silent),
        }
    }

    #[test]
    fn a_file_without_data_is_timed() {
        let text = "param = gmp\nmodel m(input: [3]) { input -> dense(5) -> relu -> linear(1) }\n\
                    train { loss = mse optimizer = adam(lr = 0.001) batch = 8 epochs = 1 }\n";
        let (found, _) = bench(&request(text), None, Passes::Two).unwrap();
        assert_eq!((found.batch, found.parameters, found.trains), (8, 2 * 5 + 5 + 5 + 6, true));
        assert!(found.us_min > 0.0 && found.us_min <= found.step.median);
        assert!(!found.kernels.is_empty() && found.flops_per_step > 0);
        assert!(found.kernels.iter().all(|kernel| kernel.bytes > 0 && kernel.gbps() > 0.0) && found.peak_gbps > 0.01);
        assert!(found.to_json()["us_per_step"].is_number());
        // Without a `train` block, predictions are timed.
        let text = "model m(input: [3]) { input -> dense(5) -> relu -> linear(1) }\n";
        let (found, _) = bench(&request(text), Some(16), Passes::None).unwrap();
        assert_eq!((found.batch, found.trains, found.kernels.len()), (16, false, 0));
    }

    #[test]
    fn the_peak_of_memory_is_told_where_the_system_knows_it() {
        assert_eq!(peak_rss().is_some(), cfg!(target_os = "linux"));
    }
}
