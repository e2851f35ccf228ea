//! gmpc.
fn main() {}
