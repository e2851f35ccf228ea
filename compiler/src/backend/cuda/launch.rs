//! What a CUDA program is for a runtime: a text to compile, and what to launch in turn. Numbers and text, no pointers.

use crate::experiment::{Contractions, Precision};
use crate::kernels::Pass;
use crate::plan::Address;
use crate::window::Window;

/// One program: source, memory, launches.
///
/// A device keeps two memories, each aligned to 256 bytes or more: the states, laid out by
/// [`crate::layout::StateLayout`], and scratch memory of [`Self::scratch_bytes`]. Everything else is an [`Address`] in one of
/// them, a multiple of 64 bytes, fixed for the life of the program: the launches can be captured once and replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Of all its numbers.
    pub precision: Precision,
    /// How its products and convolutions multiply.
    pub contractions: Contractions,
    /// CUDA C++ that needs no header; every kernel is `extern "C"`. Compile it with [`OPTIONS`].
    pub source: String,
    /// Bytes of scratch memory: inputs, outputs, everything in between. Need not be cleared.
    pub scratch_bytes: usize,
    /// Byte offset in scratch of each of `graph.inputs`; row-major numbers of the precision. The scalars that the prologue
    /// computes (learning rate and the like) are inputs too: kernels read them from device memory.
    pub inputs: Vec<usize>,
    /// Byte offset in scratch of each named output, in `graph.outputs` order (`Value`s only).
    pub outputs: Vec<usize>,
    /// Byte offset in scratch of four `u32` to be set before a run: seed low, seed high, step low, step high; where the
    /// program draws numbers.
    pub random: Option<usize>,
    /// In order; each may read what any earlier one wrote.
    pub launches: Vec<Launch>,
}

/// Options of the compiler that the text is written for: products and sums are fused where the text says `fma` and nowhere
/// else, and subnormal numbers count as zero, as on the processor. Never fast mathematics.
pub const OPTIONS: [&str; 5] = ["--std=c++17", "--fmad=false", "--ftz=true", "--prec-div=true", "--prec-sqrt=true"];

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// In words, for lists and times: `columns_images6`, `convolve t4`.
    pub label: String,
    /// The line of the model it came from, `examples/first.gmpnet:4:46`, where known.
    pub line: Option<String>,
    /// What is done.
    pub work: Work,
    /// Bytes of distinct numbers it reads.
    pub read_bytes: u64,
    /// Bytes of distinct numbers it writes.
    pub written_bytes: u64,
}

/// What a launch does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Runs a kernel of the source.
    Kernel(Kernel),
    /// Calls a library for a matrix product.
    Product(Product),
    /// Calls a library for a convolution or one of its gradients.
    Convolution(Convolution),
}

/// A launch of a generated kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// The function's name in the source.
    pub name: String,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Dynamic shared memory, in bytes; static shared memory is declared in the text.
    pub shared_bytes: u32,
    /// The function's parameters: one pointer for each.
    pub arguments: Vec<Region>,
}

/// Memory that a launch touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// First byte.
    pub address: Address,
    /// How many bytes belong to it; nothing outside is touched.
    pub bytes: usize,
    /// Does the launch read it?
    pub read: bool,
    /// Does the launch write it?
    pub written: bool,
}

/// A matrix: element (i, j) stands `i rows + j columns` numbers after the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// The memory that it lies in.
    pub region: Region,
    /// Number of its first element in the region.
    pub offset: usize,
    /// Step from row to row, in numbers.
    pub rows: usize,
    /// Step from column to column, in numbers.
    pub columns: usize,
}

/// c = a b, or a b + bias, or max(a b + bias, 0), with a `[m, k]`, b `[k, n]`, c `[m, n]`; of the strides of each operand at
/// least one is 1, and rows of c are contiguous.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// What the sum runs over.
    pub k: usize,
    /// Left operand.
    pub a: Operand,
    /// Right operand.
    pub b: Operand,
    /// Result.
    pub c: Operand,
    /// A contiguous row of n numbers to be added to every row of the product.
    pub bias: Option<Operand>,
    /// Negative results become 0. NaN stays where a kernel of ours does this; a library may make it 0.
    pub relu: bool,
    /// How to multiply. With `Bf16` the numbers of a and b are bfloat16; sums are single precision.
    pub contractions: Contractions,
    /// Are those of c and the bias bfloat16, too?
    pub half: bool,
}

/// A convolution or one of its gradients, all channels last: images `[batch, height, width, channels]`, filters
/// `[units, kernel height, kernel width, channels]`.
///
/// ```text
/// Forward   a images     b filters               c result     bias and relu where set
/// Input     a d result   b filters               c d images
/// Weight    a images     b d result              c d filters
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Which product.
    pub pass: Pass,
    /// Size of the filters, strides, padding above and to the left; what is below and to the right follows from the sizes.
    pub window: Window,
    /// Shape of the images.
    pub images: [usize; 4],
    /// Height, width and channels (units) of the result.
    pub result: [usize; 3],
    /// First operand.
    pub a: Region,
    /// Second operand.
    pub b: Region,
    /// What is written.
    pub c: Region,
    /// One number a unit to be added; forward only.
    pub bias: Option<Region>,
    /// Negative results become 0; NaN stays; forward only.
    pub relu: bool,
    /// How to multiply. With `Bf16` all three operands are bfloat16, and there is no bias and no rectifier.
    pub contractions: Contractions,
}

impl Launch {
    /// Every region it touches.
    #[must_use]
    pub fn regions(&self) -> Vec<Region> {
        match &self.work {
            Work::Kernel(kernel) => kernel.arguments.clone(),
            Work::Product(product) => {
                let operands = [product.a, product.b, product.c].into_iter().chain(product.bias);
                operands.map(|operand| operand.region).collect()
            }
            Work::Convolution(product) => [product.a, product.b, product.c].into_iter().chain(product.bias).collect(),
        }
    }
}
