//! Text to syntax tree, going on after an error so that several are reported at once.
//!
//! ```text
//! text -tokens-> tokens -brackets-> what is balanced -pest-> pairs -build-> Ast
//!                   ^                                  |
//!                   +---- blank the broken part <------+ diagnose
//! ```
//!
//! The grammar (`gmpnet.pest`) alone says what is a program. Where it stops, [`diagnose`] words the error from the tokens
//! around, [`recover`] says which statement or item to leave out, and the rest is read again.

mod build;
mod grammar;
mod tokens;

use crate::ast::{Ast, Expr, Path};
use crate::diagnostic::Diagnostic;
use crate::source::SourceId;
use build::Builder;
use grammar::Rule;

/// How many brackets may be open at once, and how tall the tree of an expression may be. Chosen by hand: far above what a
/// person writes, low enough that every walk of the tree can be recursive in a thread with a stack of 256 KiB.
pub const MAX_DEPTH: usize = 128;

/// Reads a whole file: what could be understood, and every error found, in file order.
///
/// Without errors the tree says exactly what the file says. With errors it lacks the statements and items that were not
/// understood, so whoever goes on with it must not complain about what is missing.
#[must_use]
pub fn read(text: &str, source: SourceId) -> (Ast, Vec<Diagnostic>) {
    let tokens = match tokens::scan(text) {
        Ok(tokens) => tokens,
        Err(at) => return (empty(), vec![unexpected(source, at)]),
    };
    let mut builder = Builder::new(text, source);
    let ast = match grammar::parse(Rule::file, text) {
        Ok(pair) => builder.file(pair, &tokens),
        Err(at) => {
            builder.errors.push(unexpected(source, at));
            empty()
        }
    };
    (ast, builder.errors)
}

/// Reads one expression, as in `--set data.noise=0` or `--param 'gmp + mn'`.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read_expr(text: &str, source: SourceId) -> Result<Expr, Diagnostic> {
    let pair = grammar::parse(Rule::expr_alone, text).map_err(|at| unexpected(source, at))?;
    let mut builder = Builder::new(text, source);
    let expr = pair.into_inner().next().and_then(|p| builder.expr(p));
    match builder.errors.into_iter().next() {
        Some(error) => Err(error),
        None => expr.ok_or_else(|| unexpected(source, 0)),
    }
}

/// Reads a name with its dots, as in `train.optimizer.lr`.
///
/// # Errors
/// What stands there instead of a name.
pub fn read_path(text: &str, source: SourceId) -> Result<Path, Diagnostic> {
    let pair = grammar::parse(Rule::path_alone, text).map_err(|at| unexpected(source, at))?;
    let builder = Builder::new(text, source);
    pair.into_inner().next().map(|p| builder.path(p)).ok_or_else(|| unexpected(source, 0))
}

fn empty() -> Ast {
    Ast { docs: Vec::new(), items: Vec::new(), comments: Vec::new() }
}

fn unexpected(source: SourceId, at: usize) -> Diagnostic {
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    let span = crate::source::Span { source, start: at, end: at };
    Diagnostic::error("E0100", "this is not understood").label(span, "here")
}
