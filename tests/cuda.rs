//! The CUDA backend without a GPU.
//!
//! ```text
//! syntax      every emitted kernel is C++ without a warning                              g++
//! toolchain   every emitted kernel is machine code without a spill, as a table           NVRTC, nvdisasm
//! epilogue    bias and ReLU after a library's product                                    the emulator
//! gathering   batches made on the GPU against those of the CPU, bit for bit              the emulator
//! bf16        rounding to bfloat16 against rounding in Rust                              the emulator
//! plain       our kernels for products and convolutions, against those of libraries      the emulator
//! numerics    kernels against the evaluator in f64, in several orders, of odd sizes      the emulator
//! sanitized   the same with the sanitizers for addresses and for races
//! training    the golden cases                                                           the emulator as a device
//! ```

mod bf16;
pub mod device;
mod emitted;
mod epilogue;
mod gathering;
mod graphs;
mod numerics;
mod plain;
mod text;
mod toolchain;
