//! The text of `.gmpnet`: sources and spans, the grammar, the syntax tree, its errors, and its printing.
//!
//! ```text
//! text -read-> Ast -print-> canonical text
//!                  -dump--> one node a line
//! ```
//!
//! Nothing here knows what a name means; that is the compiler's `resolve`. Nothing here touches files, clocks or threads.
//!
//! ```
//! use gmpc_grammar::{print, read, source::{Source, Sources}, diagnostic::render};
//!
//! let mut sources = Sources::default();
//! let text = "param=gmp model m { input -> dense (100) -> relu }".to_owned();
//! let id = sources.add(Source { name: "first.gmpnet".to_owned(), text: text.clone() });
//! let (ast, errors) = read(&text, id);
//! assert_eq!(print(&ast), "param = gmp\n\nmodel m {}\n"); // what could be understood
//! assert_eq!(render(&errors[0], &sources), "\
//! error[E0136]: the arguments of `dense` stand directly behind its name
//!   first.gmpnet:1:35
//!   1 │ param=gmp model m { input -> dense (100) -> relu }
//!     │                                   ^^ a blank stands between
//!   help: write `dense(…)`
//! ");
//! ```
//!
//! # What can be relied on
//!
//! - Any text is read: [`read()`] gives a tree of what could be understood and every error found, in file order. The reader
//!   goes on behind the statement or item that holds an error.
//! - No text panics, hangs or overflows the stack: at most [`read::MAX_BYTES`] are read, [`read::MAX_BRACKETS`] brackets
//!   may be open at once, and no expression is more than [`read::MAX_DEPTH`] operations deep, so that every later walk of
//!   the tree may be recursive.
//! - Spans lie inside of their text, at character boundaries.
//! - `read(print(ast))` is `ast` up to spans, and printing again changes nothing.
//! - Errors have stable codes, E01xx here; [`explain`] has a page for each.
//!
//! # Where to read on
//!
//! `gmpnet.pest` is the grammar, from the file down to the token, each rule under a text it accepts. [`read`](mod@read) tells how
//! it is driven; [`ast`] is what everything else codes against.

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
