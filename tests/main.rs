//! The whole of gmpc seen from outside, as one test binary: `cargo test --release` builds and links it once.

mod golden;
mod tidy;
