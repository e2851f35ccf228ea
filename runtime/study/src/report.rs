//! Presents finished work: tables of comparisons, figures of runs, and a page with both.

#![expect(clippy::disallowed_methods, reason = "a drawing needs no last digit")]

pub mod beside;
pub mod figure;
pub mod page;
pub mod plot;
pub mod rates;
pub mod sheet;
pub mod shown;
pub mod table;
