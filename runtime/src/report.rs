//! What is shown of finished work: tables of comparisons, figures of runs, a page about them.

pub mod beside;
pub mod figure;
pub mod page;
pub mod plot;
pub mod table;
