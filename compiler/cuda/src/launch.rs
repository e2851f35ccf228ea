//! The CUDA program that a runtime receives: a source to compile, and the launches in their order. It holds numbers and text,
//! no pointers.

use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::experiment::{Contractions, Precision};
use gmpc_compiler::ir::kernels::{Dtype, Pass};
use gmpc_compiler::ir::window::Window;
use gmpc_compiler::stage::Made;
use gmpc_grammar::source::Sources;

/// One program: source, memory, launches.
///
/// A device allocates two regions of memory, each aligned to 256 bytes or more: the states, laid out by
/// [`gmpc_compiler::ir::layout::StateLayout`], and scratch memory of [`Self::scratch_bytes`]. Every buffer has an [`Address`] in
/// one of them, a multiple of 64 bytes. Addresses never change, so the launches can be captured once and replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// The precision of all numbers that are not bfloat16.
    pub precision: Precision,
    /// The number format in which its matmuls and convolutions multiply.
    pub contractions: Contractions,
    /// CUDA C++ that needs no header; every kernel is `extern "C"`. Compile it with [`OPTIONS`].
    pub source: String,
    /// Bytes of scratch memory, which holds inputs, outputs and intermediate results. It need not be cleared.
    pub scratch_bytes: usize,
    /// Byte offset in scratch of each of `graph.inputs`; row-major numbers of the precision. The scalars that the prologue
    /// computes (learning rate and the like) are inputs too: kernels read them from device memory.
    pub inputs: Vec<usize>,
    /// Byte offset in scratch of each named output, in `graph.outputs` order (`Value`s only).
    pub outputs: Vec<usize>,
    /// Byte offset in scratch of four `u32` to be set before a run: seed low, seed high, step low, step high. `None` if the
    /// program draws no random numbers.
    pub random: Option<usize>,
    /// The launches in order. Each may read the results of every earlier one.
    pub launches: Vec<Launch>,
}

/// The options with which NVIDIA's compiler must compile the source. A product and a sum are fused only where the text says
/// `fma`. Subnormal numbers count as zero, as on the CPU. Fast mathematics stays off: results would differ from the CPU.
pub const OPTIONS: [&str; 5] = ["--std=c++17", "--fmad=false", "--ftz=true", "--prec-div=true", "--prec-sqrt=true"];

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The name in lists and timings: `columns_images6`, `convolve t4`.
    pub label: String,
    /// The line of the model it came from, `examples/first.gmpnet:4:46`, if it is known.
    pub line: Option<String>,
    /// The work of the launch.
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
    /// Calls a library for a matmul.
    MatMul(MatMul),
    /// Calls a library for a convolution or one of its gradients.
    Convolution(Convolution),
}

/// A launch of a generated kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// The function's name in the source.
    pub name: String,
    /// Number of blocks along each axis.
    pub grid: [u32; 3],
    /// Threads of a block along each axis.
    pub block: [u32; 3],
    /// Dynamic shared memory in bytes. Static shared memory is declared in the source.
    pub shared_bytes: u32,
    /// The arguments of the function in order. Each is one pointer.
    pub arguments: Vec<Region>,
}

/// Memory that a launch touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// First byte.
    pub address: Address,
    /// The dtype of its numbers.
    pub dtype: Dtype,
    /// Size in bytes. The launch touches nothing outside.
    pub bytes: usize,
    /// Does the launch read it?
    pub read: bool,
    /// Does the launch write it?
    pub written: bool,
}

/// A matrix in memory: element (i, j) lies `i * rows + j * columns` numbers after the first element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// The memory that it lies in.
    pub region: Region,
    /// Index of its first element in the region, in numbers.
    pub offset: usize,
    /// Stride from row to row, in numbers.
    pub rows: usize,
    /// Stride from column to column, in numbers.
    pub columns: usize,
}

/// c = a b, or a b + bias, or max(a b + bias, 0), with a `[m, k]`, b `[k, n]`, c `[m, n]`. At least one stride of each operand
/// is 1. Rows of c are contiguous.
#[derive(Debug, Clone, PartialEq)]
pub struct MatMul {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of each sum: columns of a, rows of b.
    pub k: usize,
    /// Left operand.
    pub a: Operand,
    /// Right operand.
    pub b: Operand,
    /// Result.
    pub c: Operand,
    /// A contiguous row of n numbers, added to every row of the result.
    pub bias: Option<Operand>,
    /// Negative results become 0. NaN stays NaN in generated kernels; a library may make it 0.
    pub relu: bool,
    /// The number format in which to multiply. With `Bf16`, a and b are bfloat16, c and the bias may be, and sums are single
    /// precision.
    pub contractions: Contractions,
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
    /// The convolution itself, or which of its gradients.
    pub pass: Pass,
    /// Size of the filters, strides, padding above and to the left. Padding below and to the right follows from the sizes.
    pub window: Window,
    /// Shape of the images.
    pub images: [usize; 4],
    /// Height, width and channels (units) of the result.
    pub result: [usize; 3],
    /// First operand.
    pub a: Region,
    /// Second operand.
    pub b: Region,
    /// The result.
    pub c: Region,
    /// One number for each unit, added to the result. Forward only.
    pub bias: Option<Region>,
    /// Negative results become 0; NaN stays. Forward only.
    pub relu: bool,
    /// The number format in which to multiply. With `Bf16`, a, b and c are bfloat16, and there is no bias and no ReLU.
    pub contractions: Contractions,
}

impl Operand {
    /// Bytes of the region that lie before the first element.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.offset * self.region.dtype.bytes()
    }
}

impl Launch {
    /// Every region that the launch reads or writes.
    #[must_use]
    pub fn regions(&self) -> Vec<Region> {
        match &self.work {
            Work::Kernel(kernel) => kernel.arguments.clone(),
            Work::MatMul(product) => {
                let operands = [product.a, product.b, product.c].into_iter().chain(product.bias);
                operands.map(|operand| operand.region).collect()
            }
            Work::Convolution(product) => [product.a, product.b, product.c].into_iter().chain(product.bias).collect(),
        }
    }
}

impl Made for Program {
    /// Checks that every launch stays inside scratch memory. NVIDIA's compiler checks the source itself.
    fn verify(&self) -> Result<(), String> {
        let inside = |at: usize, bytes: usize| at.checked_add(bytes).is_some_and(|end| end <= self.scratch_bytes);
        if !self.inputs.iter().chain(&self.outputs).all(|&at| inside(at, 0)) {
            return Err("an input or output leaves scratch memory".to_string());
        }
        for launch in &self.launches {
            let stays = |region: &Region| match region.address {
                Address::Scratch(at) => inside(at, region.bytes),
                Address::States(_) => true, // the plan has been verified against the layout of the states
            };
            if !launch.regions().iter().all(stays) {
                return Err(format!("{} leaves scratch memory", launch.label));
            }
        }
        Ok(())
    }

    fn print(&self, _: Option<&Sources>) -> String {
        self.to_string()
    }
}
