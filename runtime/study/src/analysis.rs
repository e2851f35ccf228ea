//! Characteristic activation analysis of runs: the boundary of each unit, its drift over training, and its response to
//! perturbation.
//!
//! Source: Chen and Ge, arXiv 2305.15912. Nothing here depends on a parameterization, because the compiler computes the
//! boundaries.

pub mod activity;
pub mod deep;
pub mod drift;
pub mod layers;
pub mod perturb;
mod piecewise;
pub mod region;
mod regions;
pub mod run;
pub mod samples;

pub use activity::{Activity, activity};
pub use deep::deep;
pub use drift::{Drift, Extent, drift};
pub use layers::{Cells, Layer, Layers, layers};
pub use perturb::{Perturbed, UnitName, perturb};
pub use piecewise::{Map, PiecewiseAffine};
pub use regions::{BoundaryPiece, Region, Regions, regions};
pub use run::{Run, make_all_titles_unique, make_titles_unique};
pub use samples::{Samples, samples};
