//! The tasks behind the commands, one file for each.

pub mod bench;
pub mod check;
pub mod compare;
pub mod convert;
pub mod evaluate;
pub mod experiment;
pub mod export;
pub mod gradcheck;
pub mod import;
pub mod predict;
pub mod predictor;
pub mod reopen;
pub mod resume;
pub mod start;
pub mod train;
