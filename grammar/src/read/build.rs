//! Builds the syntax tree from pest's pairs: files, definitions, statements.
//!
//! Before: pairs of the rule `file`. After: an [`Ast`], and errors that the grammar cannot find: numbers out of range, unknown
//! escapes, positional arguments after named ones, names given twice. A pair that pest cannot produce gives `None` and is left
//! out, so this code never panics.

mod check;
mod expression;
mod literal;

use super::grammar::Rule;
use super::tokens::span;
use crate::ast::{
    Ast, Binding, Body, Declaration, Definition, From, Ident, Initial, Item, Kind, Parameter, Path, Statement,
};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};
use pest::iterators::Pair;

/// Builds the tree of one text, and collects its errors.
pub struct Builder<'t> {
    text: &'t str,
    source: SourceId,
    /// Errors so far.
    pub errors: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    /// A builder for one text.
    pub fn new(text: &'t str, source: SourceId) -> Self {
        Builder { text, source, errors: Vec::new() }
    }

    /// Returns the tree of a pair of the rule `file`, without comments.
    pub fn file(&mut self, pair: Pair<'_, Rule>) -> Ast {
        let mut ast = Ast::default();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::file_doc => ast.docs.push(marked(part.as_str(), "//!")),
                _ => ast.items.extend(self.item(part)),
            }
        }
        check::settings(&ast.items, &mut self.errors);
        ast
    }

    fn item(&mut self, pair: Pair<'_, Rule>) -> Option<Item> {
        match pair.as_rule() {
            Rule::import => {
                let start = pair.as_span().start();
                let path = self.path(pair.into_inner().find(|p| p.as_rule() == Rule::path)?);
                let span = span(self.source, start, path.span().end as usize);
                Some(Item::Use { path, span })
            }
            Rule::setting => self.binding(pair).map(Item::Setting),
            Rule::definition => self.definition(pair).map(Item::Definition),
            _ => None,
        }
    }

    fn definition(&mut self, pair: Pair<'_, Rule>) -> Option<Definition> {
        let (mut docs, mut name, mut parameters) = (Vec::new(), None, Vec::new());
        let mut opened = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::doc => docs.push(marked(part.as_str(), "///")),
                Rule::kind | Rule::train => opened = Some((kind(part.as_str())?, self.span(&part))),
                Rule::path => name = Some(self.path(part)),
                Rule::parameters => parameters = self.parameters(part),
                Rule::body => {
                    let body = self.body(part);
                    let (kind, start) = opened?;
                    let span = start.to(body.span);
                    let made = Definition { kind, name, parameters, body, docs, span };
                    check::parameters(&made, &mut self.errors);
                    check::definition(&made, &mut self.errors);
                    return Some(made);
                }
                _ => {}
            }
        }
        None
    }

    fn parameters(&mut self, pair: Pair<'_, Rule>) -> Vec<Parameter> {
        let each = pair.into_inner().filter(|p| p.as_rule() == Rule::parameter);
        each.filter_map(|p| self.parameter(p)).collect()
    }

    fn parameter(&mut self, pair: Pair<'_, Rule>) -> Option<Parameter> {
        let (mut name, mut annotation, mut default) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.ident(&part)),
                Rule::annotation => annotation = self.inner_expr(part),
                Rule::compute => default = self.inner_expr(part),
                _ => {}
            }
        }
        Some(Parameter { name: name?, annotation, default })
    }

    fn body(&mut self, pair: Pair<'_, Rule>) -> Body {
        let mut body = Body { statements: Vec::new(), result: None, span: self.span(&pair) };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::from => body.statements.extend(self.from(part).map(Statement::From)),
                Rule::declaration => body.statements.extend(self.declaration(part).map(Statement::Declare)),
                Rule::binding => body.statements.extend(self.binding(part).map(Statement::Bind)),
                Rule::result => body.result = self.inner_expr(part),
                _ => {}
            }
        }
        body
    }

    fn from(&mut self, pair: Pair<'_, Rule>) -> Option<From> {
        let span = self.span(&pair);
        let (mut parameters, mut body) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => parameters.push(self.ident(&part)),
                Rule::body => body = Some(self.body(part)),
                _ => {}
            }
        }
        Some(From { parameters, body: body?, span })
    }

    fn declaration(&mut self, pair: Pair<'_, Rule>) -> Option<Declaration> {
        let (mut docs, mut names, mut axes, mut flags) = (Vec::new(), Vec::new(), None, Vec::new());
        let mut initial = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::doc => docs.push(marked(part.as_str(), "///")),
                Rule::name => names.push(self.ident(&part)),
                Rule::flag => flags.extend(part.into_inner().map(|name| self.ident(&name))),
                Rule::axes => {
                    let span = self.span(&part);
                    let listed = part.into_inner().filter(|p| p.as_rule() == Rule::name);
                    let listed: Vec<Ident> = listed.map(|name| self.ident(&name)).collect();
                    let words: Vec<&str> = listed.iter().map(|name| name.text.as_str()).collect();
                    names.push(Ident { text: format!("[{}]", words.join(", ")), span });
                    axes = Some(listed);
                }
                Rule::draw => initial = self.inner_expr(part).map(Initial::Draw),
                Rule::compute => initial = self.inner_expr(part).map(Initial::Compute),
                _ => {}
            }
        }
        let mut names = names.into_iter();
        Some(Declaration { name: names.next()?, kind: names.next()?, axes, initial: initial?, flags, docs })
    }

    fn binding(&mut self, pair: Pair<'_, Rule>) -> Option<Binding> {
        let (mut docs, mut name, mut value) = (Vec::new(), None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::doc => docs.push(marked(part.as_str(), "///")),
                Rule::name => name = Some(self.ident(&part)),
                Rule::expr => value = self.expr(part),
                _ => {}
            }
        }
        Some(Binding { name: name?, value: value?, docs })
    }

    /// Returns a name with its dots.
    pub fn path(&self, pair: Pair<'_, Rule>) -> Path {
        Path { parts: pair.into_inner().map(|part| self.ident(&part)).collect() }
    }

    fn ident(&self, pair: &Pair<'_, Rule>) -> Ident {
        Ident { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    /// Returns the span of a pair. It is exact for rules that end with a token. For other rules it includes the blanks after them.
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        span(self.source, pair.as_span().start(), pair.as_span().end())
    }
}

/// Returns a line of documentation without its marker and without the blank after it.
fn marked(line: &str, marker: &str) -> String {
    let text = line.strip_prefix(marker).unwrap_or(line);
    text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned()
}

/// Returns the kind of definition that begins with this word.
pub fn kind(word: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.keyword() == word)
}
