//! The text of `.gmpnet` files: sources and spans, the grammar, the syntax tree, syntax errors, and printing.
//!
//! ```text
//! text -read-> Ast -print-> canonical text
//!                  -dump--> one line for each node
//! ```
//!
//! This crate does not know what names mean: the compiler's `resolve` does. It uses no files, clocks or threads.
//!
//! ```
//! use gmpc_grammar::{print, read, source::{Source, Sources}, diagnostic::render};
//!
//! let mut sources = Sources::default();
//! let text = "param=gmp model m { input -> dense (100) -> relu }".to_owned();
//! let id = sources.add(Source { name: "first.gmpnet".to_owned(), text: text.clone() });
//! let (ast, errors) = read(&text, id);
//! assert_eq!(print(&ast), "param = gmp\n\nmodel m {}\n"); // the part without errors
//! assert_eq!(render(&errors[0], &sources), "\
//! error[E0136]: the arguments of `dense` must come directly after its name
//!   first.gmpnet:1:35
//!   1 │ param=gmp model m { input -> dense (100) -> relu }
//!     │                                   ^^ a blank stands between
//!   help: write `dense(…)`
//! ");
//! ```
//!
//! # Guarantees
//!
//! - Any text can be read: [`read()`] returns a tree of the parts without errors, and all errors in file order. After an error,
//!   the reader continues with the next statement or item.
//! - No text makes the reader panic, hang or overflow the stack. At most [`read::MAX_BYTES`] are read, at most
//!   [`read::MAX_BRACKETS`] brackets may be open at once, and no expression is more than [`read::MAX_DEPTH`] operations deep.
//!   So every later walk over the tree may be recursive.
//! - Spans lie inside their text, at character boundaries.
//! - `read(print(ast))` is `ast` except for spans, and printing again gives the same text.
//! - Errors have stable codes, E01xx in this crate. [`explain`] has a page for each.
//!
//! # Where to read next
//!
//! `gmpnet.pest` is the grammar, from the file down to the token. Above each rule there is a text that it accepts.
//! [`read`](mod@read) says how the grammar is used. [`ast`] is the syntax tree that all other code works with.

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
