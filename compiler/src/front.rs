//! The front end: from a syntax tree to a [`Net`](crate::ir::net::Net). It reports all mistakes of the user.
//!
//! ```text
//! Ast -resolve-> Module -infer-> Net
//! ```

pub(crate) mod arguments;
pub(crate) mod bounds;
pub mod constant;
pub mod functions;
pub mod infer;
pub(crate) mod instance;
pub(crate) mod interpret;
pub(crate) mod names;
pub mod resolve;
pub(crate) mod scope;
pub(crate) mod stages;
pub mod stdlib;
pub(crate) mod suggest;
pub(crate) mod value;
