//! The launches of a program, ready for the stream.

use super::super::driver::{Call, Function, Grid, Module};
use super::super::shared::Shared;
use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::Dtype;
use gmpc_cuda::emit::epilogue::Epilogue;
use gmpc_cuda::emit::plain::plain;
use gmpc_cuda::{Kernel, Launch, Operand, Region, Work};
use gmpc_device::DeviceError;

/// A launch that is ready for the stream.
pub(super) enum Launched {
    /// A kernel of the program's source, with its arguments.
    Kernel(Function, Grid, Vec<Address>),
    /// A library call.
    Library(Box<Called>),
    /// A plain kernel with its own source, in place of a library call.
    Plain { kernel: (Function, Grid, Vec<Address>), _module: Box<dyn Module> },
}

/// A library call with its operands.
pub(super) struct Called {
    /// The label and the sizes, for messages.
    pub(super) name: String,
    pub(super) call: Box<dyn Call>,
    pub(super) operands: [Address; 3],
    pub(super) bias: Option<Address>,
    /// The kernel for bias and ReLU that follows it, if the call does not include them.
    pub(super) epilogue: Option<(Epilogue, Function)>,
}

impl Launched {
    /// Prepares a launch. `libraries`: may libraries compute it?
    pub(super) fn new(
        shared: &Shared,
        module: &dyn Module,
        launch: &Launch,
        (precision, libraries): (Precision, bool),
    ) -> Result<Self, DeviceError> {
        let queue = &shared.queue;
        if !libraries && !matches!(launch.work, Work::Kernel(_)) {
            return Launched::plain(shared, launch, precision);
        }
        let name = name(launch);
        // Errors of a library do not say which call failed; the label and the sizes do.
        let with_name = |error: DeviceError| DeviceError { message: format!("{name}: {}", error.message), ..error };
        let (call, operands, bias, epilogue) = match &launch.work {
            Work::Kernel(kernel) => {
                let (function, grid, arguments) = of_kernel(module, kernel)?;
                return Ok(Launched::Kernel(function, grid, arguments));
            }
            Work::MatMul(p) => {
                let (operands, bias) = ([first(&p.a), first(&p.b), first(&p.c)], p.bias.as_ref().map(first));
                let epilogue = epilogue([p.m, p.n, p.c.rows], bias, operands[2], p.relu, p.c.region.dtype);
                (queue.matmul(p, precision).map_err(with_name)?, operands, bias, epilogue)
            }
            Work::Convolution(c) => {
                let ([height, width, units], bias) = (c.result, c.bias.map(|region| region.address));
                let rows = c.images[0] * height * width;
                let operands = [c.a, c.b, c.c].map(|region| region.address);
                let epilogue = epilogue([rows, units, units], bias, operands[2], c.relu, c.c.dtype);
                (queue.convolution(c, precision).map_err(with_name)?, operands, bias, epilogue)
            }
        };
        // The result must be right even if no library can compute it; the user learns why the step is slow.
        let Some(call) = call else {
            queue.remark(&format!("{name}: the library has no algorithm for it, a plain kernel computes it slowly"));
            return Launched::plain(shared, launch, precision);
        };
        // Whether a separate epilogue is needed is known only now: the fastest algorithm may not include it.
        let epilogue = epilogue.filter(|_| !call.includes_epilogue());
        let epilogue = epilogue.map(|epilogue| Ok((epilogue, module.function(epilogue.name())?))).transpose()?;
        Ok(Launched::Library(Box::new(Called { name, call, operands, bias, epilogue })))
    }

    /// Prepares a plain kernel in place of a library call.
    fn plain(shared: &Shared, launch: &Launch, precision: Precision) -> Result<Self, DeviceError> {
        let none = || DeviceError { message: format!("{}: no library computes it", name(launch)), help: None };
        let own = plain(&launch.work, precision).ok_or_else(none)?;
        let module = shared.queue.module(&own.source)?;
        let kernel = of_kernel(module.as_ref(), &own.kernel)?;
        Ok(Launched::Plain { kernel, _module: module })
    }
}

/// `convolve t12, 3x3 stride 1x1 pad 1x1   (256 x 32x32x3 to 32x32x128, bf16)`
fn name(launch: &Launch) -> String {
    match &launch.work {
        Work::Kernel(_) => launch.label.clone(),
        Work::MatMul(product) => format!("{}, {}", launch.label, product.sizes()),
        Work::Convolution(convolution) => format!("{}, {}", launch.label, convolution.sizes()),
    }
}

fn of_kernel(module: &dyn Module, kernel: &Kernel) -> Result<(Function, Grid, Vec<Address>), DeviceError> {
    let grid = Grid { blocks: kernel.grid, threads: kernel.block, shared_bytes: kernel.shared_bytes };
    let arguments = kernel.arguments.iter().map(|region: &Region| region.address).collect();
    Ok((module.function(&kernel.name)?, grid, arguments))
}

/// The separate epilogue of a library call. `None` if there is no bias and no ReLU.
fn epilogue(sizes: [usize; 3], bias: Option<Address>, c: Address, relu: bool, dtype: Dtype) -> Option<Epilogue> {
    let aligned = |address: Address| match address {
        Address::States(byte) | Address::Scratch(byte) => byte.is_multiple_of(16),
    };
    let all = aligned(c) && bias.is_none_or(aligned);
    (bias.is_some() || relu).then(|| Epilogue::new(sizes, relu, all, dtype))
}

/// The address of an operand's first element.
fn first(operand: &Operand) -> Address {
    let skipped = operand.skipped();
    match operand.region.address {
        Address::States(byte) => Address::States(byte + skipped),
        Address::Scratch(byte) => Address::Scratch(byte + skipped),
    }
}
