//! `bench`: what a training step costs, from the source text to the kernels.
//!
//! The timed step is the train loop's own: rows gathered in shuffled order, the prologue, the program, the measures added
//! up. Rows are random, so that no data set is needed. Times are medians over many short blocks of steps, those of the step
//! and of its program taking turns: a block in which the machine did something else does not count, and a change of its
//! clock counts for both.

use crate::device::Activity;
use crate::failure::Failure;
use crate::metrics::Sums;
use crate::network::Network;
use crate::request::{Request, Warnings, network};
use crate::rows::{Pick, Rows};
use crate::session::{Clock, Handle, Programs, Session};
use gmpc_compiler::cost::flops;
use gmpc_compiler::experiment::Batch;
use gmpc_compiler::graph::Random;
use gmpc_compiler::math::philox::philox;
use gmpc_compiler::program::Goal;
use gmpc_compiler::{Apart, lower_apart};
use gmpc_kernels::peak_gflops;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// About how long a block takes: shorter than the slices of time a busy machine deals out.
const BLOCK: Duration = Duration::from_micros(300);
/// Blocks that are timed at least, …
const FEWEST: usize = 5;
/// … in the time it takes, and …
const USUAL: usize = 15;
/// … at most.
const MOST: usize = 300;
/// For how long there may be more than the usual number of blocks, and from when on the fewest are enough: of a step, …
const STEP: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// … and of a kernel, of which large networks have hundreds.
const KERNEL: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(200)];
/// Steps in which calls of the driver are counted.
pub const COUNTED: u32 = 16;
/// Rows in a step where neither the file nor the caller says.
const ROWS: usize = 64;
/// Most batches of random rows, and numbers in them: the memory of the process is to be that of training.
const BATCHES: usize = 16;
const NUMBERS: usize = 1 << 18;

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
    let begin = Instant::now();
    let (network, warnings) = network(request)?;
    let (goal, batch) = (goal(&network), batch.unwrap_or_else(|| rows_in_step(&network)));
    let mut session = Session::new(Arc::clone(&request.device), Arc::clone(&network) as Arc<dyn Programs>);
    session.initialize(network.module.experiment.seed)?;
    let loading = Instant::now();
    let handle = session.load(goal, batch)?;
    let (compile, ready) = (loading.elapsed(), begin.elapsed());
    let batches = batches(&network, batch);
    let rows = random_rows(&network, batch * batches);
    let mut steps = Steps::new(&session, handle, rows, [batches, batch], &network);
    let stepping = Instant::now();
    steps.one(&mut session)?;
    let first_step = ready + stepping.elapsed();
    let [whole, alone] = time(STEP, |which| match which {
        0 => steps.one(&mut session),
        _ => {
            let (executable, states) = session.executable(handle);
            executable.run(states, Random { seed: 0, step: 1 }).map_err(Failure::from)
        }
    })?;
    let activity = activity(&mut session, &mut steps)?;
    let program = Arc::clone(session.program(handle));
    let peak_rss_bytes = peak_rss(); // before every kernel is given memory of its own
    let kernels =
        if request.device.name() == "cpu" { kernels(request, &network, &mut session, handle)? } else { vec![] };
    let working = request.device.working_bytes(&program);
    let planned_bytes =
        program.code.scratch_bytes + working + session.states.layout.elements * session.precision().bytes();
    let bench = Bench {
        param: network.module.experiment.param.clone(),
        device: request.device.name().into(),
        threads: request.device.threads(),
        precision: network.module.experiment.precision_word().into(),
        batch,
        trains: goal == Goal::Train,
        us_per_step: median(&whole),
        us_min: whole.iter().copied().fold(f64::INFINITY, f64::min),
        examples_per_s: count(batch) / median(&whole) * 1e6,
        us_program: median(&alone),
        compile_ms: compile.as_secs_f64() * 1e3,
        ready_ms: ready.as_secs_f64() * 1e3,
        first_step_ms: first_step.as_secs_f64() * 1e3,
        planned_bytes,
        peak_rss_bytes,
        parameters: network.parameters(),
        flops_per_step: flops(&program.graph),
        peak_gflops: peak_gflops(network.precision()) * count(request.device.threads()),
        kernels,
        activity,
    };
    Ok((bench, warnings))
}

/// A training step where the file says how.
fn goal(network: &Network) -> Goal {
    let optimizer = network.module.training.as_ref().and_then(|training| training.optimizer.as_ref());
    if optimizer.is_some() { Goal::Train } else { Goal::Predict }
}

fn rows_in_step(network: &Network) -> usize {
    match network.module.experiment.train.as_ref().map(|train| train.batch) {
        Some(Batch::Size(rows)) => rows,
        _ => ROWS,
    }
}

fn width(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Numbers in a row of inputs.
fn features(network: &Network) -> usize {
    network.net.layers.first().map_or(1, |layer| width(&layer.shape))
}

/// How many batches of random rows take turns.
fn batches(network: &Network, batch: usize) -> usize {
    (NUMBERS / batch.saturating_mul(features(network)).max(1)).clamp(1, BATCHES)
}

/// Inputs and targets in [-1.5, 1.5), or class numbers.
fn random_rows(network: &Network, count: usize) -> Rows {
    let net = &network.net;
    let features = features(network);
    let classes = net.layers.get(net.output).map_or(1, |layer| width(&layer.shape));
    let number = |stream: u32, i: usize| {
        let words = philox([u32::try_from(i / 4).unwrap_or(0), stream, 0, 0], [0, 0]);
        f64::from(words[i % 4]) / 4_294_967_296.0
    };
    let inputs: Vec<f64> = (0..count * features).map(|i| 3.0 * number(0, i) - 1.5).collect();
    let targets: Vec<f64> = if net.target_shape.is_empty() {
        (0..count).map(|i| (number(1, i) * self::count(classes)).floor()).collect()
    } else {
        (0..count * width(&net.target_shape)).map(|i| 3.0 * number(1, i) - 1.5).collect()
    };
    Rows::new(network.precision(), count, &inputs, &targets)
}

/// The train loop's steps, one after another.
struct Steps {
    handle: Handle,
    rows: Rows,
    order: Vec<u32>,
    batches: usize,
    batch: usize,
    clock: Clock,
    sums: Sums,
}

impl Steps {
    fn new(session: &Session, handle: Handle, rows: Rows, [batches, batch]: [usize; 2], network: &Network) -> Self {
        let count = u32::try_from(rows.count()).unwrap_or(u32::MAX);
        let order = crate::data::order(0, 0, count);
        let lr = network.module.experiment.train.as_ref().map_or(0.0, |train| train.lr);
        Steps {
            handle,
            rows,
            order,
            batches,
            batch,
            clock: Clock { lr, step: 0, seed: 0 },
            sums: session.empty_sums(handle),
        }
    }

    fn one(&mut self, session: &mut Session) -> Result<(), Failure> {
        #[allow(clippy::cast_possible_truncation)] // below the number of batches
        let start = (self.clock.step % self.batches as u64) as usize * self.batch;
        self.clock.step += 1;
        let pick = Pick::These(&self.order[start..start + self.batch]);
        session.step(self.handle, &self.rows, &pick, self.clock, &mut self.sums).map(drop)
    }
}

/// What the device is told in some steps.
fn activity(session: &mut Session, steps: &mut Steps) -> Result<Option<Activity>, Failure> {
    let device = Arc::clone(session.device());
    let Some(before) = device.activity() else { return Ok(None) };
    (0..COUNTED).try_for_each(|_| steps.one(session))?;
    Ok(device.activity().map(|after| after.since(before)))
}

fn kernels(
    request: &Request,
    network: &Network,
    session: &mut Session,
    handle: Handle,
) -> Result<Vec<Kernel>, Failure> {
    let inputs = session.inputs(handle)?;
    let mut kernels = vec![];
    for Apart { name, line, flops, program } in lower_apart(session.program(handle), &network.module.sources) {
        let mut executable = request.device.load(&Arc::new(program))?;
        for (index, input) in inputs.iter().enumerate() {
            executable.input(index).copy_from(&input.as_slice());
        }
        let mut states = session.states.clone();
        let [times] =
            time(KERNEL, |_| executable.run(&mut states, Random { seed: 0, step: 1 }).map_err(Failure::from))?;
        kernels.push(Kernel { name, line, us: median(&times), flops });
    }
    Ok(kernels)
}

/// Microseconds a call of each of `N` things that take turns, block by block; `call` is told which.
fn time<const N: usize>(
    enough: [Duration; 2],
    mut call: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<[Vec<f64>; N], Failure> {
    let mut calls = [1_u32; N];
    for (which, calls) in calls.iter_mut().enumerate() {
        let begin = Instant::now();
        while begin.elapsed() < BLOCK {
            call(which)?;
            *calls += 1;
        }
    }
    let mut blocks = [(); N].map(|()| Vec::with_capacity(MOST));
    let begin = Instant::now();
    for count in 0..MOST {
        let spent = begin.elapsed();
        if (count >= USUAL && spent > enough[0]) || (count >= FEWEST && spent > enough[1]) {
            break;
        }
        for which in 0..N {
            let begin = Instant::now();
            for _ in 0..calls[which] {
                call(which)?;
            }
            blocks[which].push(begin.elapsed().as_secs_f64() * 1e6 / f64::from(calls[which]));
        }
    }
    Ok(blocks)
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[allow(clippy::cast_precision_loss)] // counts of rows and classes
fn count(n: usize) -> f64 {
    n as f64
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

    fn request(text: &str) -> Request {
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
