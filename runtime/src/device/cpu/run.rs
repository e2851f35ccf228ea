//! One run of a program: its steps in turn, the work of each shared by threads.

use super::{Cpu, Entry};
use gmpc_compiler::backend::cpu::{Address, GateAt, PooledAt, Step};
use gmpc_compiler::kernels::{Convolve, Pass, Pool, Pooling};
use gmpc_compiler::program::Program;
use gmpc_kernels::compiled::Compiled;
use gmpc_kernels::convolution::{
    Algorithm, Direction, Geometry, Prepare, forward, input_gradient, weight_gradient, workspace,
};
use gmpc_kernels::finish::{Finish, Gate, Pooled};
use gmpc_kernels::pooling::{Window, marked_pool_gradient, max_pool, max_pool_gradient, sum_pool, sum_pool_gradient};

/// Shares of a loop for each thread: enough to even out unequal ones, few enough to cost nothing.
const SHARES: usize = 8;

/// States, scratch memory and the working memory of convolutions, as the steps address them.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) states: *mut u8,
    pub(super) scratch: *mut u8,
    pub(super) workspace: *mut u8,
}

// SAFETY: the pointers are only followed inside `run`, whose caller lends all three memories for that long; what threads
// share there writes apart (see `share`), so that sending the addresses is sending numbers.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// # Safety
    /// The address is inside the memory it names.
    unsafe fn at<T>(self, address: Address) -> *mut T {
        // SAFETY: the caller vouches for the offset.
        match address {
            Address::States(bytes) => unsafe { self.states.add(bytes).cast() },
            Address::Scratch(bytes) => unsafe { self.scratch.add(bytes).cast() },
        }
    }

    /// Some rounds of a generated function.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn call(self, entry: Entry, first: usize, end: usize) {
        // SAFETY: passed on from the caller.
        unsafe { entry(self.states, self.scratch, first, end) }
    }

    /// # Safety
    /// As [`Self::at`].
    unsafe fn find<T>(self, address: Option<Address>) -> *mut T {
        // SAFETY: the caller vouches for the offset.
        address.map_or(std::ptr::null_mut(), |address| unsafe { self.at(address) })
    }
}

impl Memory {
    /// What happens to results: of a gate, its summand is the bias.
    ///
    /// # Safety
    /// As [`Self::at`].
    unsafe fn finish<T>(
        self,
        bias: Option<Address>,
        relu: bool,
        gate: Option<GateAt>,
        sums: Option<Address>,
    ) -> Finish<T> {
        // SAFETY: the caller vouches for the offsets.
        unsafe {
            let bias = self.find::<T>(bias.or(gate.and_then(|gate| gate.shift))).cast_const();
            let gate = gate.map_or(Gate::open(), |gate| Gate {
                rectified: self.at::<T>(gate.rectified).cast_const(),
                scale: self.find::<T>(gate.scale).cast_const(),
                weighted: self.find(gate.weighted),
            });
            Finish { bias, relu, gate, sums: self.find(sums), pooled: None }
        }
    }

    /// What is stored of windows of results.
    ///
    /// # Safety
    /// As [`Self::at`].
    unsafe fn pooled<T>(self, pooled: PooledAt) -> Pooled<T> {
        // SAFETY: the caller vouches for the offsets.
        unsafe {
            let scale = self.find::<T>(pooled.scale).cast_const();
            Pooled { scale, largest: self.find(pooled.largest), marks: self.find(pooled.marks) }
        }
    }
}

/// Numbers of working memory that the program's convolutions need.
pub(super) fn working_numbers<T: Compiled>(cpu: &Cpu, program: &Program) -> usize {
    let of = |step: &Step| match step {
        Step::Convolve { product, .. } => {
            let (geometry, direction) = (geometry(product), direction(product.pass));
            let algorithm = algorithm(cpu, &geometry, direction);
            workspace::<T>(&geometry, direction, algorithm, cpu.variant, cpu.workers.threads())
        }
        Step::Run { .. } | Step::Pool { .. } => 0,
    };
    program.code.steps.iter().map(of).max().unwrap_or(0)
}

/// Runs every step.
///
/// # Safety
/// The memories are as large as the program's layout, its plan and [`working_numbers`] say, aligned to 64 bytes, apart from
/// each other, and nobody else's during the call; `entries` are the program's functions; `T` is its precision.
pub(super) unsafe fn run<T: Compiled>(cpu: &Cpu, program: &Program, entries: &[Entry], memory: Memory) {
    for step in &program.code.steps {
        // SAFETY: addresses of the plan lie inside the memories, and the plan keeps operands and results apart.
        unsafe {
            match step {
                Step::Run { function, extent } => share(cpu, entries[*function], *extent, memory),
                Step::Convolve { product, operands, prepare, bias, pooled, gate, sums } => {
                    let pooled = pooled.map(|pooled| memory.pooled(pooled));
                    let finish = Finish { pooled, ..memory.finish(*bias, product.relu, *gate, *sums) };
                    convolve::<T>(cpu, product, *operands, *prepare, finish, memory);
                }
                Step::Pool { pool, x, scale, marks, dy, gate, sums, target } => {
                    let finish = memory.finish::<T>(None, false, *gate, *sums);
                    pooling(cpu, pool, [*x, *scale, *dy], *marks, *target, finish, memory);
                }
            }
        }
    }
}

/// Calls a function for all rounds of its loop, some on each thread.
///
/// # Safety
/// As [`run`].
unsafe fn share(cpu: &Cpu, entry: Entry, extent: usize, memory: Memory) {
    if extent == 1 || cpu.workers.threads() == 1 {
        // SAFETY: the function touches its memories only, which the caller lends.
        return unsafe { memory.call(entry, 0, extent) };
    }
    let grain = extent.div_ceil(SHARES * cpu.workers.threads());
    cpu.workers.run(extent.div_ceil(grain), |job, _| {
        let first = job * grain;
        // SAFETY: as above; rounds of a spread loop store to different places and read nothing that another one stores.
        unsafe { memory.call(entry, first, (first + grain).min(extent)) }
    });
}

fn direction(pass: Pass) -> Direction {
    match pass {
        Pass::Forward => Direction::Forward,
        Pass::Input => Direction::Input,
        Pass::Weight => Direction::Weight,
    }
}

fn geometry(product: &Convolve) -> Geometry {
    let [batch, height, width, channels] = product.images;
    let [out_height, out_width, units] = product.result;
    let (kernel, stride, pad) = (product.window.kernel, product.window.stride, product.window.before);
    Geometry { batch, height, width, channels, out_height, out_width, units, kernel, stride, pad }
}

/// The algorithm for a shape, or the one that is forced where it can be used.
fn algorithm(cpu: &Cpu, geometry: &Geometry, direction: Direction) -> Algorithm {
    cpu.algorithm.filter(|forced| forced.fits(geometry)).unwrap_or_else(|| Algorithm::choose(geometry, direction))
}

/// # Safety
/// As [`run`].
unsafe fn convolve<T: Compiled>(
    cpu: &Cpu,
    product: &Convolve,
    operands: [Address; 3],
    prepare: [Option<Address>; 2],
    finish: Finish<T>,
    memory: Memory,
) {
    let (geometry, workers) = (geometry(product), &*cpu.workers);
    let algorithm = algorithm(cpu, &geometry, direction(product.pass));
    // SAFETY: operands and result are as large as the geometry says, which `kernels::verify` checks, and apart; the
    // working memory is large enough for every step.
    unsafe {
        let [a, b, c]: [*mut T; 3] = operands.map(|address| memory.at(address));
        let [scale, shift]: [*const T; 2] = prepare.map(|part| memory.find::<T>(part).cast_const());
        let (prepare, space): (_, *mut T) = (Prepare { scale, shift }, memory.workspace.cast());
        match product.pass {
            Pass::Forward => forward(cpu.variant, algorithm, &geometry, a, b, c, finish, prepare, space, workers),
            Pass::Input => input_gradient(cpu.variant, algorithm, &geometry, a, b, c, finish, space, workers),
            Pass::Weight => weight_gradient(cpu.variant, algorithm, &geometry, a, b, c, prepare, space, workers),
        }
    }
}

/// # Safety
/// As [`run`].
unsafe fn pooling<T: Compiled>(
    cpu: &Cpu,
    pool: &Pool,
    operands: [Option<Address>; 3],
    marks: Option<Address>,
    target: Address,
    finish: Finish<T>,
    memory: Memory,
) {
    let ([batch, height, width, channels], [out_height, out_width]) = (pool.images, pool.result);
    let (kernel, stride, pad) = (pool.window.kernel, pool.window.stride, pool.window.before);
    let shape = Window { batch, height, width, channels, out_height, out_width, kernel, stride, pad };
    // SAFETY: as for convolutions.
    unsafe {
        let [x, scale, dy]: [*mut T; 3] = operands.map(|address| memory.find(address));
        let (to, variant, workers) = (memory.at::<T>(target), cpu.variant, &*cpu.workers);
        match pool.pooling {
            Pooling::Max => max_pool(variant, &shape, x, scale, to, workers),
            Pooling::MaxGradient if marks.is_some() => {
                marked_pool_gradient(variant, &shape, memory.find::<u8>(marks), dy, to, finish, workers);
            }
            Pooling::MaxGradient => max_pool_gradient(variant, &shape, x, scale, dy, to, finish, workers),
            Pooling::Sum => sum_pool(variant, &shape, x, to, workers),
            Pooling::SumGradient => sum_pool_gradient(variant, &shape, dy, to, workers),
        }
    }
}
