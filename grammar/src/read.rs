//! Reads a text to a syntax tree. It continues after an error, so that several errors are reported at once.
//!
//! ```text
//! text -scan-> tokens -foreign, brackets-> balanced text -parse-> pairs -build-> Ast
//!                                               ^           |
//!                        blank the statement    +-----------+ diagnose, recover
//! ```
//!
//! Only the grammar (`gmpnet.pest`) decides what a valid text is. Where it stops, `diagnose` makes the error from the tokens
//! around this place. `recover` decides which statement or item to leave out, and the text is read again without it.

mod brackets;
mod build;
mod diagnose;
mod fault;
mod foreign;
mod grammar;
mod layout;
mod reader;
mod recover;
mod scene;
mod tokens;

use crate::ast::{Ast, Expr, Path};
use crate::diagnostic::Diagnostic;
use crate::source::SourceId;
use build::Builder;
use grammar::Rule;
use reader::Reader;

pub use scene::KEYWORDS;

/// The largest height of an expression's tree. It is far above what a person writes, and low enough that every walk over the
/// tree can be recursive.
pub const MAX_DEPTH: usize = 128;

/// The most brackets that may be open at once. Measured: reading this many needs a stack of less than 256 KiB in an optimized
/// build.
pub const MAX_BRACKETS: usize = 64;

/// Bytes of the largest text that is read, 4 MiB. It is a thousand times the largest example.
pub const MAX_BYTES: usize = 4 << 20;

/// Reads a whole file. Returns the tree, and all errors in file order.
///
/// Without errors the tree is that of the whole file. With errors it lacks the statements and items that contain them. So a
/// caller that continues with it must not report anything as missing.
#[must_use]
pub fn read(text: &str, source: SourceId) -> (Ast, Vec<Diagnostic>) {
    let mut ast = Ast::default();
    let mut reader = match Reader::new(text, source) {
        Ok(reader) => reader,
        Err(error) => return (ast, vec![error]),
    };
    let (comments, blank_lines) = (layout::comments(text, source, &reader.tokens), layout::blank_lines(text));
    reader.balance();
    reader.parse(Rule::file, |builder, pair| ast = builder.file(pair));
    ast.comments = comments;
    ast.blank_lines = blank_lines;
    (ast, reader.finish())
}

/// Reads one expression, as in `--set data.noise=0` or `--param 'gmp + mn'`.
///
/// # Errors
/// The first mistake.
pub fn read_expr(text: &str, source: SourceId) -> Result<Expr, Diagnostic> {
    alone(text, source, Rule::expr_alone, |builder, pair| builder.expr(pair))
}

/// Reads a name with its dots, as in `train.optimizer.lr`.
///
/// # Errors
/// The text is not a name.
pub fn read_path(text: &str, source: SourceId) -> Result<Path, Diagnostic> {
    alone(text, source, Rule::path_alone, |builder, pair| Some(builder.path(pair)))
}

/// Reads a text with a single expression or name. It stops at the first error, because there is nothing else to read.
fn alone<T>(
    text: &str,
    source: SourceId,
    rule: Rule,
    build: impl Fn(&mut Builder<'_>, pest::iterators::Pair<'_, Rule>) -> Option<T>,
) -> Result<T, Diagnostic> {
    let mut reader = Reader::new(text, source)?;
    reader.balance();
    if reader.errors.is_empty() {
        let mut made = None;
        reader.parse(rule, |builder, pair| {
            made = pair.into_inner().next().and_then(|inner| build(builder, inner));
        });
        if let (Some(made), []) = (made, reader.errors.as_slice()) {
            return Ok(made);
        }
    }
    let first = reader.finish().into_iter().next();
    Err(first.unwrap_or_else(|| diagnose::exhausted(source)))
}
