//! Characteristic activation analysis of runs: where each unit's boundary lies, how it moved, how a perturbation moves it.
//!
//! Source: Chen and Ge, arXiv 2305.15912. Nothing here knows a parameterization; boundaries come from the compiler.

pub mod perturb;
pub mod region;
pub mod stability;
pub mod subject;

pub use perturb::{Perturbed, UnitName, perturb};
pub use stability::{Movement, Side, Stability, stability};
pub use subject::Subject;
