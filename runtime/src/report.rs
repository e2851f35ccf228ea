//! What is shown of finished work: tables of comparisons, figures of runs, a page about them.

pub mod figure;
pub mod page;
pub mod table;
