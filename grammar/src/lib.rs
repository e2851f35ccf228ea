//! The text of `.gmpnet`: sources and spans, the grammar, the syntax tree, and its printing.
//!
//! ```text
//! text -read-> Ast -print-> canonical text
//! ```
//!
//! Nothing here knows what a name means; that is the compiler's `resolve`.

#![forbid(unsafe_code)]

pub mod ast;
pub mod diagnostic;
pub mod dump;
pub mod explain;
pub mod print;
pub mod read;
pub mod similar;
pub mod source;

pub use dump::dump;
pub use print::{print, print_expr};
pub use read::{read, read_expr, read_path};
