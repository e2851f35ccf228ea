//! The processor backend: kernels as Cranelift functions.

/// Code of one program and where its buffers lie.
///
/// Every function has the signature `fn(states: *mut u8, scratch: *mut u8)`; `states` is laid out by
/// [`crate::program::StateLayout`], `scratch` by the offsets here. Both are aligned to 64 bytes.
#[derive(Debug, Clone)]
pub struct Code {
    /// Run in order; one function for a small network.
    pub functions: Vec<cranelift_codegen::ir::Function>,
    /// Bytes of scratch memory: inputs, outputs, everything in between.
    pub scratch_bytes: usize,
    /// Byte offset in scratch of each of `graph.inputs`.
    pub inputs: Vec<usize>,
    /// Byte offset in scratch of each named output, in `graph.outputs` order (`Value`s only).
    pub outputs: Vec<usize>,
    /// Byte offset in scratch of four `u32`: seed low, seed high, step low, step high; where the program draws numbers.
    pub random: Option<usize>,
}
