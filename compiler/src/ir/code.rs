//! The code of one program: generated functions, and the order in which they and the kernels of the runtime run.

use crate::ir::experiment::Precision;
use crate::ir::kernels::{Convolve, MatMul, Pool};
use cranelift_codegen::ir::Function;

/// The code of one program, and the addresses of its buffers.
///
/// Every function has the signature `fn(states: *mut u8, scratch: *mut u8, first: usize, end: usize)`.
/// [`crate::ir::layout::StateLayout`] gives the layout of `states`, the offsets here that of `scratch`. Both are aligned to 64
/// bytes. A function that is called with [addresses](Step::Run::addresses) has a fifth parameter, the pointer to them.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// The functions that the steps call.
    pub functions: Vec<Function>,
    /// The steps of the program, in order. A small network has a single one: the call of one function.
    pub steps: Vec<Step>,
    /// Symbols that the functions call. Symbol i is the external name with namespace 0 and index i.
    pub imports: Vec<String>,
    /// Bytes of scratch memory. It holds inputs, outputs and all intermediate values.
    pub scratch_bytes: usize,
    /// Byte offset in scratch of each of `graph.inputs`.
    pub inputs: Vec<usize>,
    /// Byte offset in scratch of each named output, in `graph.outputs` order (`Value`s only).
    pub outputs: Vec<usize>,
    /// Byte offset in scratch of four `u32`: seed low, seed high, step low, step high. `None` if the program draws no numbers.
    pub random: Option<usize>,
}

/// The address of a buffer's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// In the states, at this byte.
    States(usize),
    /// In scratch memory, at this byte.
    Scratch(usize),
}

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Calls a function for the iterations `0..extent` of its outermost loop. Several threads may each take a range
    /// `first..end` of them.
    Run {
        /// Index into the functions.
        function: usize,
        /// The number of iterations. A function with extent 1 ignores its range and does all of its work.
        extent: usize,
        /// For a function that several kernels share: the bytes from the states or from scratch memory to each of its buffers. None
        /// for a function whose addresses are part of the code.
        addresses: Vec<u64>,
    },
    /// A large matmul, whose results threads share.
    MatMul {
        /// The kernel: sizes, strides and ReLU. The offsets of its matrices count from the addresses below.
        product: MatMul,
        /// Left operand, right operand and result.
        operands: [Address; 3],
        /// The buffer of the row that is added to every row of the result.
        bias: Option<Address>,
    },
    /// A convolution or one of its gradients.
    Convolve {
        /// The kernel: sizes and epilogue.
        product: Convolve,
        /// Operands and result.
        operands: [Address; 3],
        /// A scale and a shift for each channel of the images.
        prepare: [Option<Address>; 2],
        /// One number for each unit.
        bias: Option<Address>,
        /// The outputs of a fused pool.
        pooled: Option<PooledAt>,
        /// The buffers of a fused ReLU mask.
        relu_mask: Option<ReluMaskAt>,
        /// Output buffer of the sums.
        sums: Option<Address>,
    },
    /// Pooling or its gradient.
    Pool {
        /// The kernel: sizes and epilogue.
        pool: Pool,
        /// The images.
        x: Option<Address>,
        /// A scale for each of their channels.
        scale: Option<Address>,
        /// The argmax bytes, which replace the images.
        argmax: Option<Address>,
        /// The gradient at the result.
        dy: Option<Address>,
        /// The buffers of a fused ReLU mask.
        relu_mask: Option<ReluMaskAt>,
        /// Output buffer of the sums.
        sums: Option<Address>,
        /// Output buffer of the result.
        target: Address,
    },
}

/// The addresses of a [`ReluMask`](super::kernels::ReluMask).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReluMaskAt {
    /// The output of the ReLU.
    pub relu_output: Address,
    /// A shift for each channel.
    pub shift: Option<Address>,
    /// A scale for each channel.
    pub scale: Option<Address>,
    /// Output buffer of the weighted sums.
    pub weighted: Option<Address>,
}

/// The addresses of a [`Pooled`](super::kernels::Pooled).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledAt {
    /// A scale for each unit.
    pub scale: Option<Address>,
    /// Output buffer of the maxima before scaling.
    pub unscaled_max: Option<Address>,
    /// Output buffer of the argmax bytes.
    pub argmax: Option<Address>,
}

/// Functions of the runtime, in the order of [`Code::imports`]. Each has one symbol for each precision. All arguments have 64
/// bits. Strides are in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Import {
    /// C = A B for matrices in memory. Arguments: m, n, k; address, row stride and column stride of A and of B; address and
    /// row stride of C; address of a row to add, or 0; 1 to replace negative results by 0.
    MatMul,
    /// [`crate::ir::kernels::Spherical`]. Arguments: angles, units, first unit, end of the units; the addresses of the angles,
    /// of the unit vectors or 0, of the saved products or 0.
    Spherical,
    /// [`crate::ir::kernels::SphericalGrad`]. Arguments: angles, units, first unit, end of the units; the addresses of the
    /// angles, of the saved products or 0, of the gradient at the unit vectors, of the gradient at the angles.
    SphericalGrad,
}

impl Import {
    /// All of them, in order.
    pub const ALL: [Import; 3] = [Import::MatMul, Import::Spherical, Import::SphericalGrad];

    /// Its name for the linker.
    #[must_use]
    pub fn symbol(self, precision: Precision) -> &'static str {
        match (self, precision) {
            (Import::MatMul, Precision::F32) => "gmpc_product_f32",
            (Import::MatMul, Precision::F64) => "gmpc_product_f64",
            (Import::Spherical, Precision::F32) => "gmpc_spherical_f32",
            (Import::Spherical, Precision::F64) => "gmpc_spherical_f64",
            (Import::SphericalGrad, Precision::F32) => "gmpc_spherical_grad_f32",
            (Import::SphericalGrad, Precision::F64) => "gmpc_spherical_grad_f64",
        }
    }
}
