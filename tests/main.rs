//! Tests of the whole program from outside. They are one test binary, so that everything is linked only once.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    reason = "numbers in tests are small, and their inputs need no exact last digit"
)]

mod advice;
mod analysis;
mod bench;
mod browser;
mod campaign;
mod cli;
mod compare;
mod convert;
mod cuda;
mod damage;
mod data;
mod determinism;
mod differential;
mod divergence;
mod emulator;
mod errors;
mod examples;
mod exit_codes;
mod export;
mod fuzz;
mod golden;
#[cfg(feature = "cuda")]
mod gpu;
#[cfg(feature = "cuda")]
mod gpu_ahead;
mod gpu_script;
mod gradients;
mod images;
mod layers;
mod networks;
mod outputs;
mod readme;
mod reproduce;
mod support;
mod tables;
mod tidy;
mod training;
