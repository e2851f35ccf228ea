//! The CUDA backend without a GPU.
//!
//! ```text
//! syntax      every emitted kernel is C++ without a warning                              g++
//! toolchain   every emitted kernel is machine code without a spill, as a table           NVRTC, nvdisasm
//! finishing   bias and rectifier after a library's product                                 the emulator
//! gathering   batches made on the GPU against those made here, bit for bit                   the emulator
//! halves      rounding to bfloat16 against rounding in Rust                              the emulator
//! plain       kernels for what libraries have no algorithm for, against those libraries   the emulator
//! numerics    kernels against the evaluator in f64, in several orders, of odd sizes      the emulator
//! sanitized   the same with the sanitizers for addresses and for races
//! training    the golden cases                                                           the emulator as a device
//! ```

pub mod device;
mod emitted;
mod finishing;
mod gathering;
mod graphs;
mod halves;
mod numerics;
mod plain;
mod text;
mod toolchain;
