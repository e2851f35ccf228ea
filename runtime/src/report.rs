//! What is shown of finished work: tables of comparisons, figures of runs.

pub mod figure;
pub mod table;
