//! Launches of a program, ready to be put on the stream.

use super::super::super::DeviceError;
use super::super::driver::{Call, Function, Grid, Module};
use super::super::gpu::Shared;
use super::super::product;
use gmpc_compiler::backend::cuda::finish::Finish;
use gmpc_compiler::backend::cuda::{Kernel, Operand, Region, Work};
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::plan::Address;

/// A launch, ready.
pub(super) enum Step {
    Kernel { function: Function, grid: Grid, arguments: Vec<Address> },
    Library { call: Box<dyn Call>, operands: [Address; 3], bias: Option<Address>, finish: Option<Finish> },
}

impl Step {
    pub(super) fn new(
        shared: &Shared,
        module: &dyn Module,
        work: &Work,
        precision: Precision,
    ) -> Result<Self, DeviceError> {
        let queue = &shared.queue;
        let (call, operands, bias, finish) = match work {
            Work::Kernel(kernel) => return Step::of_kernel(module, kernel),
            Work::Product(p) => {
                let narrow = product::width(precision, p.contractions);
                let whole = precision.bytes();
                let operands = [first(&p.a, narrow), first(&p.b, narrow), first(&p.c, whole)];
                let bias = p.bias.as_ref().map(|bias| first(bias, whole));
                let finish = finish([p.m, p.n, p.c.rows], bias, operands[2], p.relu, precision);
                (queue.product(p, precision)?, operands, bias, finish)
            }
            Work::Convolution(c) => {
                let ([height, width, units], bias) = (c.result, c.bias.map(|region| region.address));
                let rows = c.images[0] * height * width;
                let operands = [c.a, c.b, c.c].map(|region| region.address);
                let finish = finish([rows, units, units], bias, operands[2], c.relu, precision);
                (queue.convolution(c, precision)?, operands, bias, finish)
            }
        };
        let finish = finish.filter(|_| !call.finishes());
        Ok(Step::Library { call, operands, bias, finish })
    }

    fn of_kernel(module: &dyn Module, kernel: &Kernel) -> Result<Self, DeviceError> {
        let grid = Grid { blocks: kernel.grid, threads: kernel.block, shared_bytes: kernel.shared_bytes };
        let arguments = kernel.arguments.iter().map(|region: &Region| region.address).collect();
        Ok(Step::Kernel { function: module.function(&kernel.name)?, grid, arguments })
    }
}

/// `None` where nothing follows. Regions begin at multiples of 64 bytes.
fn finish(
    [rows, columns, step]: [usize; 3],
    bias: Option<Address>,
    c: Address,
    relu: bool,
    precision: Precision,
) -> Option<Finish> {
    let aligned = |address: Address| match address {
        Address::States(byte) | Address::Scratch(byte) => byte.is_multiple_of(16),
    };
    let all = aligned(c) && bias.is_none_or(aligned);
    (bias.is_some() || relu).then(|| Finish::new([rows, columns, step], relu, all, precision))
}

/// Where an operand's first element lies, of numbers of `width` bytes.
fn first(operand: &Operand, width: usize) -> Address {
    let skipped = operand.offset * width;
    match operand.region.address {
        Address::States(byte) => Address::States(byte + skipped),
        Address::Scratch(byte) => Address::Scratch(byte + skipped),
    }
}
