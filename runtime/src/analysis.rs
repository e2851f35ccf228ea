//! Characteristic activation analysis of runs: where each unit's boundary lies, how it moved, how a perturbation moves it.
//!
//! Source: Chen and Ge, arXiv 2305.15912. Nothing here knows a parameterization; boundaries come from the compiler.

pub mod activity;
pub mod deep;
pub mod layers;
pub mod perturb;
pub mod region;
pub mod sight;
pub mod stability;
pub mod subject;

pub use activity::{Activity, activity};
pub use deep::deep;
pub use layers::{Cells, Layer, Layers, layers};
pub use perturb::{Perturbed, UnitName, perturb};
pub use sight::{Sight, sight};
pub use stability::{Movement, Stability, stability};
pub use subject::Subject;
