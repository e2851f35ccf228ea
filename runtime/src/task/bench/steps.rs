//! The network, program and random rows whose steps `bench` times.

use crate::failure::Failure;
use crate::program::metrics::Sums;
use crate::program::network::Network;
use crate::program::session::{Clock, Handle, Programs, Session};
use crate::task::experiment::{Request, Warnings, network};
use gmpc_compiler::ir::experiment::Batch;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::math::philox::philox;
use gmpc_data::{Pick, Rows};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows in a step if neither the file nor the caller says.
const ROWS: usize = 64;
/// Largest number of batches of random rows, and of numbers in them. The process should need no more memory than
/// training.
const BATCHES: usize = 16;
const NUMBERS: usize = 1 << 18;

/// A network on a device after its first step.
pub(super) struct Ready {
    pub network: Arc<Network>,
    pub session: Session,
    pub handle: Handle,
    pub goal: Goal,
    /// Rows in a step.
    pub batch: usize,
    /// Time from the network to machine code.
    pub compile: Duration,
    /// Time from the source text to the beginning of the first step: reading, compiling, initializing.
    pub ready: Duration,
    /// Time from the source text to the end of the first step.
    pub first_step: Duration,
    steps: Steps,
}

impl Ready {
    /// Compiles a file and runs its first step. `batch` replaces the file's batch size.
    pub fn new(request: &Request, batch: Option<usize>) -> Result<(Self, Warnings), Failure> {
        let begin = Instant::now();
        let (network, warnings) = network(request)?;
        let (goal, batch) = (goal(&network), batch.unwrap_or_else(|| rows_in_step(&network)));
        let mut session = Session::new(Arc::clone(&request.device), Arc::clone(&network) as Arc<dyn Programs>);
        session.initialize(network.module.experiment.seeds.weights)?;
        let loading = Instant::now();
        let handle = session.load(goal, batch)?;
        let (compile, ready) = (loading.elapsed(), begin.elapsed());
        let batches = batches(&network, batch);
        let rows = random_rows(&network, batch * batches);
        let mut steps = Steps::new(&session, handle, rows, [batches, batch], &network);
        let stepping = Instant::now();
        steps.one(&mut session)?;
        let first_step = ready + stepping.elapsed();
        Ok((Ready { network, session, handle, goal, batch, compile, ready, first_step, steps }, warnings))
    }

    /// One step of the train loop.
    pub fn step(&mut self) -> Result<(), Failure> {
        self.steps.one(&mut self.session)
    }

    /// The program that is timed.
    pub fn program(&self) -> Arc<Program> {
        Arc::clone(self.session.program(self.handle))
    }

    /// Bytes of the states and of the program's own memory.
    pub fn planned_bytes(&self, request: &Request) -> usize {
        let program = self.program();
        let states = self.session.states.layout.elements * self.session.precision().bytes();
        program.code.scratch_bytes + request.device.working_bytes(&program) + states
    }
}

/// A training step if the file has an optimizer, else a prediction.
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

/// Number of input elements of a row.
fn features(network: &Network) -> usize {
    network.net.layers.first().map_or(1, |layer| width(&layer.shape))
}

/// Number of batches of random rows. Steps use them one after another.
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

/// The steps of the train loop, one after another.
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
        let order = gmpc_data::order(0, 0, count);
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
        #[expect(clippy::cast_possible_truncation, reason = "below the number of batches")]
        let start = (self.clock.step % self.batches as u64) as usize * self.batch;
        self.clock.step += 1;
        let pick = Pick::These(&self.order[start..start + self.batch]);
        session.step(self.handle, &self.rows, &pick, self.clock, &mut self.sums).map(drop)
    }
}

pub(super) fn count(n: usize) -> f64 {
    n as f64
}
