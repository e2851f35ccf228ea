//! Reads a file of a data set: its path, the address to fetch it from, and its checksum.

use super::Said;
use crate::front::resolve::context::Context;
use crate::ir::experiment::FileSpec;
use gmpc_grammar::ast::Expr;
use gmpc_grammar::diagnostic::Diagnostic;

/// Reads the file. Without a path, its name is the end of its address, in a folder with the name of the data set.
pub(super) fn file(path: Option<&Expr>, said: &Said<'_>, context: &mut Context<'_>) -> Option<FileSpec> {
    let given = path.map(|e| (e, context.text("path", e)));
    let url = said.read("url", context, |e, c| c.text("url", e))?;
    let sha256 = said.read("sha256", context, checksum)?;
    let path = match given {
        Some((expr, path)) => Some(path?).filter(|p| !p.is_empty()).or_else(|| no_path(expr.span, context)),
        None => match url.as_deref().and_then(|u| u.rsplit('/').next()).filter(|name| !name.is_empty()) {
            Some(name) => Some(format!("{}/{name}", said.name.replace('.', "/"))),
            None => no_path(said.span, context),
        },
    };
    Some(FileSpec { path: path?, url, sha256 })
}

fn no_path(span: gmpc_grammar::source::Span, context: &mut Context<'_>) -> Option<String> {
    context.keep(Err(vec![
        Diagnostic::error("E0708", "the file has no name").label(span, "here").help("write `table(\"data.csv\", …)`"),
    ]))
}

fn checksum(expr: &Expr, context: &mut Context<'_>) -> Option<String> {
    let text = context.text("sha256", expr)?;
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    context.keep(Err(vec![
        Diagnostic::error("E0709", "a SHA-256 checksum is 64 hexadecimal digits")
            .label(expr.span, format!("{} characters", text.chars().count()))
            .help("print it with `sha256sum FILE`"),
    ]))
}
