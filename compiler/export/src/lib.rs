//! A trained network as files that others run: ONNX, C, machine code, PyTorch.
//!
//! ```text
//! Net, weights, facts of the data -Network::new-> Network -onnx | c | object | torch-> files as bytes
//! ```
//!
//! Pure: no files, clock, threads. One description, [`Network`], is what every form is written from, and both steps match every layer
//! there is: a layer that is added to the language does not compile before it is said what becomes of it here. `onnx::evaluate` reads an
//! ONNX file back and computes it, so that `gmpc export` can compare what it wrote with `gmpc predict`.

#![forbid(unsafe_code)]
// A layer that is added to the language has to be said what becomes of.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod c;
mod facts;
pub mod formula;
mod names;
pub mod network;
pub mod object;
pub mod onnx;
mod plan;
mod refusal;
pub mod torch;

pub use network::{Facts, Network};
pub use refusal::Refusal;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its ending: `onnx`, `c`, `safetensors`.
    pub ending: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
}
