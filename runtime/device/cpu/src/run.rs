//! One run of a program: its steps in order. Threads share the work of each step.

use super::{Cpu, Entry};
use gmpc_compiler::ir::code::{Address, PooledAt, ReluMaskAt, Step};
use gmpc_compiler::ir::kernels::{Convolve, MatMul, Matrix, Pass, Pool, Pooling};
use gmpc_compiler::ir::program::Program;
use gmpc_kernels::compiled::Compiled;
use gmpc_kernels::convolution::{
    Algorithm, Direction, Geometry, Prepare, forward, input_gradient, weight_gradient, workspace,
};
use gmpc_kernels::epilogue::{Epilogue, Pooled, ReluMask};
use gmpc_kernels::matmul;
use gmpc_kernels::pooling::{
    Window, max_pool, max_pool_gradient, max_pool_gradient_from_argmax, sum_pool, sum_pool_gradient,
};

/// Tasks of a parallel loop for each thread. Several tasks balance unequal threads; more would cost time to hand out.
const TASKS_PER_THREAD: usize = 8;

/// The addresses of the states, the scratch memory and the workspace of matmuls and convolutions.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) states: *mut u8,
    pub(super) scratch: *mut u8,
    pub(super) workspace: *mut u8,
}

// SAFETY: `Memory` holds addresses only. They are dereferenced only inside `run`, whose caller lends all three memories
// for that long; the threads that use them there write disjoint elements (see `parallel`).
unsafe impl Send for Memory {}
// SAFETY: as for `Send`; a shared reference gives no more than a copy of the addresses.
unsafe impl Sync for Memory {}

impl Memory {
    /// The pointer to an address.
    ///
    /// # Safety
    /// The address is inside the memory that it names.
    unsafe fn at<T>(self, address: Address) -> *mut T {
        // SAFETY: the offset is inside the allocation, by the contract of this function.
        match address {
            Address::States(bytes) => unsafe { self.states.add(bytes).cast() },
            Address::Scratch(bytes) => unsafe { self.scratch.add(bytes).cast() },
        }
    }

    /// Runs iterations `first..end` of a generated function, with the addresses that a shared function reads.
    ///
    /// # Safety
    /// As for [`run`]; no other thread runs an iteration that conflicts with these.
    unsafe fn call(self, entry: Entry, first: usize, end: usize, addresses: &[u64]) {
        // SAFETY: the contract of `run` gives the function the memories for which it was compiled. A shared function reads as
        // many addresses as each of its steps holds (`gmpc_compiler::backend::cpu::Writer::shared` makes both from one list).
        unsafe {
            match entry {
                Entry::Fixed(entry) => entry(self.states, self.scratch, first, end),
                Entry::Shared(entry) => entry(self.states, self.scratch, first, end, addresses.as_ptr()),
            }
        }
    }

    /// The pointer to an address, or null.
    ///
    /// # Safety
    /// As for [`Self::at`].
    unsafe fn find<T>(self, address: Option<Address>) -> *mut T {
        // SAFETY: the contract of this function is that of `at`.
        address.map_or(std::ptr::null_mut(), |address| unsafe { self.at(address) })
    }
}

impl Memory {
    /// The epilogue of a convolution or pool as pointers. The kernels take the shift of a ReLU mask as their bias.
    ///
    /// # Safety
    /// As for [`Self::at`], for every address.
    unsafe fn epilogue<T>(
        self,
        bias: Option<Address>,
        relu: bool,
        relu_mask: Option<ReluMaskAt>,
        sums: Option<Address>,
    ) -> Epilogue<T> {
        // SAFETY: the contract of this function is that of `at`, for every address.
        unsafe {
            let bias = self.find::<T>(bias.or(relu_mask.and_then(|relu_mask| relu_mask.shift))).cast_const();
            let relu_mask = relu_mask.map_or(ReluMask::none(), |relu_mask| ReluMask {
                relu_output: self.at::<T>(relu_mask.relu_output).cast_const(),
                scale: self.find::<T>(relu_mask.scale).cast_const(),
                weighted: self.find(relu_mask.weighted),
            });
            Epilogue { bias, relu, relu_mask, sums: self.find(sums), pooled: None }
        }
    }

    /// The max-pool that is fused into a convolution, as pointers.
    ///
    /// # Safety
    /// As for [`Self::at`], for every address.
    unsafe fn pooled<T>(self, pooled: PooledAt) -> Pooled<T> {
        // SAFETY: the contract of this function is that of `at`, for every address.
        unsafe {
            let scale = self.find::<T>(pooled.scale).cast_const();
            Pooled { scale, unscaled_max: self.find(pooled.unscaled_max), argmax: self.find(pooled.argmax) }
        }
    }
}

/// The size of the workspace in numbers: the largest that a matmul or convolution of the program needs.
pub(super) fn working_numbers<T: Compiled>(cpu: &Cpu, program: &Program) -> usize {
    let of = |step: &Step| match step {
        Step::Convolve { product, .. } => {
            let (geometry, direction) = (geometry(product), direction(product.pass));
            let algorithm = algorithm(cpu, &geometry, direction);
            workspace::<T>(&geometry, direction, algorithm, cpu.variant, cpu.workers.threads())
        }
        Step::MatMul { .. } => matmul::workspace::<T>(cpu.variant, cpu.workers.threads()),
        Step::Run { .. } | Step::Pool { .. } => 0,
    };
    program.code.steps.iter().map(of).max().unwrap_or(0)
}

/// Runs every step.
///
/// # Safety
/// The three memories have the sizes of the program's state layout, of its plan, and of [`working_numbers`]. They are aligned to
/// 64 bytes and do not overlap. Nobody else uses them during the call. `entries` are the functions of this program. `T` is its
/// precision.
pub(super) unsafe fn run<T: Compiled>(cpu: &Cpu, program: &Program, entries: &[Entry], memory: Memory) {
    for step in &program.code.steps {
        // SAFETY: the plan is verified (`lower::plan::verify`): its addresses lie inside the memories, and results
        // overlap operands only where a nest replaces values element by element. The rest is the contract of this
        // function.
        unsafe {
            match step {
                Step::Run { function, extent, addresses } => {
                    parallel(cpu, entries[*function], *extent, addresses, memory)
                }
                Step::MatMul { product, operands, bias } => multiply::<T>(cpu, product, *operands, *bias, memory),
                Step::Convolve { product, operands, prepare, bias, pooled, relu_mask, sums } => {
                    let pooled = pooled.map(|pooled| memory.pooled(pooled));
                    let epilogue = Epilogue { pooled, ..memory.epilogue(*bias, product.relu, *relu_mask, *sums) };
                    convolve::<T>(cpu, product, *operands, *prepare, epilogue, memory);
                }
                Step::Pool { pool, x, scale, argmax, dy, relu_mask, sums, target } => {
                    let epilogue = memory.epilogue::<T>(None, false, *relu_mask, *sums);
                    pooling(cpu, pool, [*x, *scale, *dy], *argmax, *target, epilogue, memory);
                }
            }
        }
    }
}

/// Runs all iterations of a generated function; threads share them.
///
/// # Safety
/// As for [`run`].
unsafe fn parallel(cpu: &Cpu, entry: Entry, extent: usize, addresses: &[u64], memory: Memory) {
    if extent == 1 || cpu.workers.threads() == 1 {
        // SAFETY: the contract of `run`; one thread runs all iterations.
        return unsafe { memory.call(entry, 0, extent, addresses) };
    }
    let grain = extent.div_ceil(TASKS_PER_THREAD * cpu.workers.threads());
    cpu.workers.run(extent.div_ceil(grain), |task, _| {
        let first = task * grain;
        // SAFETY: the contract of `run`. Tasks run disjoint iterations. The compiler gives a function more than one
        // iteration only if each stores to its own elements and reads none that another one stores
        // (`lower::fuse::spread`).
        unsafe { memory.call(entry, first, (first + grain).min(extent), addresses) }
    });
}

/// Computes a large matmul.
///
/// # Safety
/// As for [`run`].
unsafe fn multiply<T: Compiled>(
    cpu: &Cpu,
    product: &MatMul,
    operands: [Address; 3],
    bias: Option<Address>,
    memory: Memory,
) {
    // SAFETY: `kernels::verify` has checked that the matrices lie inside their buffers, and the plan that the result overlaps
    // no operand. `working_numbers` has made the workspace large enough for every step.
    unsafe {
        let [a, b, c]: [*mut T; 3] = operands.map(|address| memory.at(address));
        let matrix = |at: *mut T, matrix: &Matrix| matmul::Matrix {
            at: at.add(matrix.offset).cast_const(),
            rows: matrix.rows,
            columns: matrix.columns,
        };
        let first = product.bias.map_or(0, |(_, first)| first);
        let bias = bias.map_or(std::ptr::null(), |bias| memory.at::<T>(bias).add(first).cast_const());
        let product = matmul::Product {
            shape: [product.m, product.n, product.k],
            a: matrix(a, &product.a),
            b: matrix(b, &product.b),
            c: c.add(product.c.offset),
            c_rows: product.c.rows,
            bias,
            relu: product.relu,
        };
        matmul::multiply(cpu.variant, &product, memory.workspace.cast(), &cpu.workers);
    }
}

fn direction(pass: Pass) -> Direction {
    match pass {
        Pass::Forward => Direction::Forward,
        Pass::BackwardData => Direction::Input,
        Pass::BackwardFilter => Direction::Weight,
    }
}

fn geometry(product: &Convolve) -> Geometry {
    let [batch, height, width, channels] = product.images;
    let [out_height, out_width, units] = product.result;
    let (kernel, stride, pad) = (product.window.kernel, product.window.stride, product.window.before);
    Geometry { batch, height, width, channels, out_height, out_width, units, kernel, stride, pad }
}

/// The algorithm for a shape: the forced one if it fits the shape, else the best known one.
fn algorithm(cpu: &Cpu, geometry: &Geometry, direction: Direction) -> Algorithm {
    cpu.algorithm.filter(|forced| forced.fits(geometry)).unwrap_or_else(|| Algorithm::choose(geometry, direction))
}

/// Computes a convolution or one of its gradients.
///
/// # Safety
/// As for [`run`].
unsafe fn convolve<T: Compiled>(
    cpu: &Cpu,
    product: &Convolve,
    operands: [Address; 3],
    prepare: [Option<Address>; 2],
    epilogue: Epilogue<T>,
    memory: Memory,
) {
    let (geometry, workers) = (geometry(product), &*cpu.workers);
    let algorithm = algorithm(cpu, &geometry, direction(product.pass));
    // SAFETY: `kernels::verify` has checked that operands and result are as large as the geometry needs, and the plan
    // that they do not overlap. `working_numbers` has made the workspace large enough for every step.
    unsafe {
        let [a, b, c]: [*mut T; 3] = operands.map(|address| memory.at(address));
        let [scale, shift]: [*const T; 2] = prepare.map(|part| memory.find::<T>(part).cast_const());
        let (prepare, space): (_, *mut T) = (Prepare { scale, shift }, memory.workspace.cast());
        match product.pass {
            Pass::Forward => forward(cpu.variant, algorithm, &geometry, a, b, c, epilogue, prepare, space, workers),
            Pass::BackwardData => input_gradient(cpu.variant, algorithm, &geometry, a, b, c, epilogue, space, workers),
            Pass::BackwardFilter => {
                weight_gradient(cpu.variant, algorithm, &geometry, a, b, c, prepare, space, workers)
            }
        }
    }
}

/// Computes a pool or its gradient.
///
/// # Safety
/// As for [`run`].
unsafe fn pooling<T: Compiled>(
    cpu: &Cpu,
    pool: &Pool,
    operands: [Option<Address>; 3],
    argmax: Option<Address>,
    target: Address,
    epilogue: Epilogue<T>,
    memory: Memory,
) {
    let ([batch, height, width, channels], [out_height, out_width]) = (pool.images, pool.result);
    let (kernel, stride, pad) = (pool.window.kernel, pool.window.stride, pool.window.before);
    let shape = Window { batch, height, width, channels, out_height, out_width, kernel, stride, pad };
    // SAFETY: `kernels::verify` has checked that operands and result are as large as the window needs, and the plan that
    // they do not overlap.
    unsafe {
        // A forward pass that is fused into a convolution has stored the position of each maximum. Then the gradient
        // needs no images. Otherwise it searches the windows again.
        let [x, scale, dy]: [*mut T; 3] = operands.map(|address| memory.find(address));
        let (to, variant, workers) = (memory.at::<T>(target), cpu.variant, &*cpu.workers);
        match pool.pooling {
            Pooling::Max => max_pool(variant, &shape, x, scale, to, workers),
            Pooling::MaxGradient if argmax.is_some() => {
                max_pool_gradient_from_argmax(variant, &shape, memory.find::<u8>(argmax), dy, to, epilogue, workers);
            }
            Pooling::MaxGradient => max_pool_gradient(variant, &shape, x, scale, dy, to, epilogue, workers),
            Pooling::Sum => sum_pool(variant, &shape, x, to, workers),
            Pooling::SumGradient => sum_pool_gradient(variant, &shape, dy, to, workers),
        }
    }
}
