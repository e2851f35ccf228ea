//! What can be learned from runs: boundaries and their drift, reports, and the paper's experiments.
//!
//! ```text
//! runs -analysis-> numbers -report-> figures, tables, a page        reproduce: the paper's experiments, run and reported
//! comparisons -judge-> differences with intervals                 statistics: the formulas for them
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

pub mod analysis;
pub mod judge;
pub mod report;
pub mod reproduce;
pub mod statistics;
