//! Mathematics written once for every backend.

pub mod philox;
