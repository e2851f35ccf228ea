//! Results as text for other programs: pure functions from data to strings.

pub mod table;
