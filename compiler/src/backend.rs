//! The CPU backend: from kernels to Cranelift IR. The CUDA backend is a crate of its own.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod cpu;
pub mod separate;
