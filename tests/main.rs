//! The whole of gmpc seen from outside, as one test binary: `cargo test --release` builds and links it once.

mod analysis;
mod browser;
mod cli;
mod convert;
mod cuda;
mod determinism;
mod emulator;
mod errors;
mod examples;
mod exit_codes;
mod fuzz;
mod golden;
#[cfg(feature = "cuda")]
mod gpu;
#[cfg(feature = "cuda")]
mod gpu_ahead;
mod gpu_script;
mod gradients;
mod images;
mod readme;
mod reproduce;
mod support;
mod tidy;
mod training;
