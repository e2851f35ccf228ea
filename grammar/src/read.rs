//! Text to syntax tree, going on after an error so that several are reported at once.
//!
//! ```text
//! text -scan-> tokens -foreign, brackets-> balanced text -parse-> pairs -build-> Ast
//!                                               ^           |
//!                        blank the statement    +-----------+ diagnose, recover
//! ```
//!
//! The grammar (`gmpnet.pest`) alone says what a program is. Where it stops, `diagnose` words the error from the tokens
//! around, `recover` says which statement or item to leave out, and the text is read again without it.

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

/// How tall the tree of an expression may be. Chosen by hand: far above what a person writes, low enough that every walk of
/// the tree can be recursive.
pub const MAX_DEPTH: usize = 128;

/// How many brackets may be open at once. Chosen by measuring: reading this many takes less than a stack of 256 KiB
/// in an optimized build.
pub const MAX_BRACKETS: usize = 64;

/// Bytes of the largest text that is read, 4 MiB. Chosen by hand: a thousand times the largest example.
pub const MAX_BYTES: usize = 4 << 20;

/// Reads a whole file: what could be understood, and every error found, in file order.
///
/// Without errors the tree says exactly what the file says. With errors it lacks the statements and items that were not
/// understood, so whoever goes on with it must not complain about what is missing.
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
/// The first thing that is wrong with it.
pub fn read_expr(text: &str, source: SourceId) -> Result<Expr, Diagnostic> {
    alone(text, source, Rule::expr_alone, |builder, pair| builder.expr(pair))
}

/// Reads a name with its dots, as in `train.optimizer.lr`.
///
/// # Errors
/// What stands there instead of a name.
pub fn read_path(text: &str, source: SourceId) -> Result<Path, Diagnostic> {
    alone(text, source, Rule::path_alone, |builder, pair| Some(builder.path(pair)))
}

/// Reads a text that holds one thing; there is nothing to go on with after an error.
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
