//! Launches of a program, ready to be put on the stream.

use super::super::super::DeviceError;
use super::super::driver::{Call, Function, Grid, Module};
use super::super::product;
use super::super::shared::Shared;
use gmpc_compiler::backend::cuda::finish::Finish;
use gmpc_compiler::backend::cuda::plain::plain;
use gmpc_compiler::backend::cuda::{Kernel, Launch, Operand, Region, Work};
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::plan::Address;

/// A launch, ready.
pub(super) enum Step {
    Kernel(Function, Grid, Vec<Address>),
    Library(Box<Called>),
    /// A kernel of a source of its own, instead of a library's call.
    Plain {
        kernel: (Function, Grid, Vec<Address>),
        _module: Box<dyn Module>,
    },
}

/// A library's call.
pub(super) struct Called {
    /// For messages: what is computed, with its sizes.
    pub(super) name: String,
    pub(super) call: Box<dyn Call>,
    pub(super) operands: [Address; 3],
    pub(super) bias: Option<Address>,
    /// A pass that follows it.
    pub(super) finish: Option<(Finish, Function)>,
}

impl Step {
    /// `libraries`: do they compute what they can?
    pub(super) fn new(
        shared: &Shared,
        module: &dyn Module,
        launch: &Launch,
        (precision, libraries): (Precision, bool),
    ) -> Result<Self, DeviceError> {
        let queue = &shared.queue;
        if !libraries && !matches!(launch.work, Work::Kernel(_)) {
            return Step::plain(shared, launch, precision);
        }
        let name = name(launch);
        let told = |error: DeviceError| DeviceError { message: format!("{name}: {}", error.message), ..error };
        let (call, operands, bias, finish) = match &launch.work {
            Work::Kernel(kernel) => {
                let (function, grid, arguments) = of_kernel(module, kernel)?;
                return Ok(Step::Kernel(function, grid, arguments));
            }
            Work::Product(p) => {
                let narrow = product::width(precision, p.contractions);
                let whole = product::result_width(precision, p.half);
                let operands = [first(&p.a, narrow), first(&p.b, narrow), first(&p.c, whole)];
                let bias = p.bias.as_ref().map(|bias| first(bias, whole));
                let finish = finish([p.m, p.n, p.c.rows], bias, operands[2], p.relu, (precision, p.half));
                (queue.product(p, precision).map_err(told)?, operands, bias, finish)
            }
            Work::Convolution(c) => {
                let ([height, width, units], bias) = (c.result, c.bias.map(|region| region.address));
                let rows = c.images[0] * height * width;
                let operands = [c.a, c.b, c.c].map(|region| region.address);
                let finish = finish([rows, units, units], bias, operands[2], c.relu, (precision, false));
                (queue.convolution(c, precision).map_err(told)?, operands, bias, finish)
            }
        };
        let Some(call) = call else {
            queue.remark(&format!("{name}: the library has no algorithm for it, a plain kernel computes it slowly"));
            return Step::plain(shared, launch, precision);
        };
        let finish = finish.filter(|_| !call.finishes());
        let finish = finish.map(|finish| Ok((finish, module.function(finish.name())?))).transpose()?;
        Ok(Step::Library(Box::new(Called { name, call, operands, bias, finish })))
    }

    /// What a library would compute, as a kernel.
    fn plain(shared: &Shared, launch: &Launch, precision: Precision) -> Result<Self, DeviceError> {
        let none = || DeviceError { message: format!("{}: no library computes it", name(launch)), help: None };
        let own = plain(&launch.work, precision).ok_or_else(none)?;
        let module = shared.queue.module(&own.source)?;
        let kernel = of_kernel(module.as_ref(), &own.kernel)?;
        Ok(Step::Plain { kernel, _module: module })
    }
}

/// `convolve t12, 3x3 stride 1x1 pad 1x1   (256 x 32x32x3 to 32x32x128, bf16)`
fn name(launch: &Launch) -> String {
    match &launch.work {
        Work::Kernel(_) => launch.label.clone(),
        Work::Product(product) => format!("{}, {}", launch.label, product.sizes()),
        Work::Convolution(convolution) => format!("{}, {}", launch.label, convolution.sizes()),
    }
}

fn of_kernel(module: &dyn Module, kernel: &Kernel) -> Result<(Function, Grid, Vec<Address>), DeviceError> {
    let grid = Grid { blocks: kernel.grid, threads: kernel.block, shared_bytes: kernel.shared_bytes };
    let arguments = kernel.arguments.iter().map(|region: &Region| region.address).collect();
    Ok((module.function(&kernel.name)?, grid, arguments))
}

/// `None` where nothing follows. Regions begin at multiples of 64 bytes.
fn finish(
    sizes: [usize; 3],
    bias: Option<Address>,
    c: Address,
    relu: bool,
    numbers: (Precision, bool),
) -> Option<Finish> {
    let aligned = |address: Address| match address {
        Address::States(byte) | Address::Scratch(byte) => byte.is_multiple_of(16),
    };
    let all = aligned(c) && bias.is_none_or(aligned);
    (bias.is_some() || relu).then(|| Finish::new(sizes, relu, all, numbers))
}

/// Where an operand's first element lies, of numbers of `width` bytes.
fn first(operand: &Operand, width: usize) -> Address {
    let skipped = operand.offset * width;
    match operand.region.address {
        Address::States(byte) => Address::States(byte + skipped),
        Address::Scratch(byte) => Address::Scratch(byte + skipped),
    }
}
