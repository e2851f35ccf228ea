//! Backends: from kernels to the text of machine code.

pub mod cpu;
pub mod cuda;
