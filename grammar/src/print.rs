//! The formatter: prints a syntax tree as canonical text.
//!
//! The printed text reads as the same tree, except for spans, and printing it again gives the same text. Comments and
//! documentation stay where they are. A blank line between two statements stays, but never more than one. Each level is
//! indented by four columns. Lines have at most 100 columns if they can be broken: at `->`, in brackets, before `else`, before
//! `+`. The `=` and `~` of neighbouring settings (in a file, `train` or `dataset`) and declarations are aligned.

mod expression;
mod layout;
mod notes;

use crate::ast::{Ast, Binding, Body, Declaration, Definition, Expr, From, Initial, Item, Kind, Parameter, Statement};
use crate::source::Span;
use layout::{Layout, Page, WIDTH};
use notes::Notes;

/// Returns the canonical text of a tree. It ends with a line end.
#[must_use]
pub fn print(ast: &Ast) -> String {
    let mut printer = Printer { notes: Notes::new(&ast.comments, &ast.blank_lines), page: Page::default() };
    printer.file(ast);
    printer.page.finish()
}

/// Returns the canonical text of one expression, on one line if it fits, without a line end.
#[must_use]
pub fn print_expr(expr: &Expr) -> String {
    let mut page = Page::default();
    let layout = expression::expression(expr, &mut Notes::new(&[], &[]));
    page.write(&Layout::grouped(layout), 0, false);
    page.finish().trim_end().to_owned()
}

struct Printer<'a> {
    notes: Notes<'a>,
    page: Page,
}

/// An item or a statement. It begins on a line of its own.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Use(&'a crate::ast::Path, Span),
    Definition(&'a Definition),
    Setting(&'a Binding),
    Bind(&'a Binding),
    Declare(&'a Declaration),
    From(&'a From),
    Result(&'a Expr),
}

impl Entry<'_> {
    /// Returns its span, without its documentation.
    fn span(&self) -> Span {
        match self {
            Entry::Use(_, span) => *span,
            Entry::Definition(definition) => definition.span,
            Entry::Setting(binding) | Entry::Bind(binding) => binding.name.span.to(binding.value.span),
            Entry::Declare(declaration) => {
                let (Initial::Draw(value) | Initial::Compute(value)) = &declaration.initial;
                declaration.name.span.to(declaration.flags.last().map_or(value.span, |flag| flag.span))
            }
            Entry::From(from) => from.span,
            Entry::Result(value) => value.span,
        }
    }

    fn docs(&self) -> &[String] {
        match self {
            Entry::Definition(definition) => &definition.docs,
            Entry::Setting(binding) | Entry::Bind(binding) => &binding.docs,
            Entry::Declare(declaration) => &declaration.docs,
            Entry::Use(..) | Entry::From(_) | Entry::Result(_) => &[],
        }
    }

    /// Returns the number of columns before `=` or `~`, if these are aligned.
    fn head_width(&self) -> Option<usize> {
        match self {
            Entry::Setting(binding) => Some(binding.name.text.len()),
            Entry::Declare(declared) => Some(declared.name.text.len() + 2 + declared.kind.text.len()),
            _ => None,
        }
    }
}

impl Printer<'_> {
    fn file(&mut self, ast: &Ast) {
        let mut fresh = true;
        for doc in &ast.docs {
            self.begin(&mut fresh, 0, false);
            self.words(&line_of("//!", doc));
        }
        let entries: Vec<Entry<'_>> = ast
            .items
            .iter()
            .map(|item| match item {
                Item::Use { path, span } => Entry::Use(path, *span),
                Item::Setting(binding) => Entry::Setting(binding),
                Item::Definition(definition) => Entry::Definition(definition),
            })
            .collect();
        if !ast.docs.is_empty() && (!entries.is_empty() || self.notes.next_before(u32::MAX).is_some()) {
            self.notes.blank_after_docs();
        }
        self.entries(&entries, 0, u32::MAX, fresh);
    }

    /// Prints entries on lines of their own, with their comments. `end` is the end of the body that contains them.
    fn entries(&mut self, entries: &[Entry<'_>], indent: usize, end: u32, mut fresh: bool) {
        let widths = self.aligned(entries);
        for (i, entry) in entries.iter().enumerate() {
            let before = i.checked_sub(1).and_then(|b| entries.get(b));
            // A definition always has a blank line around it. If comments come before it, the blank line comes before them.
            let apart = matches!(entry, Entry::Definition(_)) || matches!(before, Some(Entry::Definition(_)));
            let mut gap = before.is_some() && apart;
            while let Some(comment) = self.notes.next_before(entry.span().start) {
                let blank = self.notes.blank_before(comment.span.start) || gap;
                self.begin(&mut fresh, indent, blank);
                self.words(&notes::written(&comment.text));
                gap = false;
            }
            let blank = self.notes.blank_before(entry.span().start) || gap;
            for (k, doc) in entry.docs().iter().enumerate() {
                self.begin(&mut fresh, indent, blank && k == 0);
                self.words(&line_of("///", doc));
            }
            self.begin(&mut fresh, indent, blank && entry.docs().is_empty());
            self.entry(entry, indent, widths.get(i).copied().unwrap_or(0), i > 0);
            // Comments inside the entry that have not been printed, and comments after it on its line.
            let next = entries.get(i + 1).map_or(end, |next| next.span().start);
            self.comments_after(entry.span().end, next, indent);
        }
        // Comments after the last entry.
        while let Some(comment) = self.notes.next_before(end) {
            let blank = self.notes.blank_before(comment.span.start);
            self.begin(&mut fresh, indent, blank);
            self.words(&notes::written(&comment.text));
        }
    }

    /// Returns for each entry the column of its `=` or `~`: that of the widest entry in its run. Blank lines, comments and
    /// documentation end a run.
    fn aligned(&self, entries: &[Entry<'_>]) -> Vec<usize> {
        let mut widths = vec![0; entries.len()];
        let mut from = 0;
        for i in 0..entries.len() {
            let (Some(entry), Some(next)) = (entries.get(i), entries.get(i + 1)) else { break };
            let together = entry.head_width().is_some()
                && next.head_width().is_some()
                && next.docs().is_empty()
                && !self.notes.separates(entry.span().end, next.span().start);
            if !together {
                widen(entries, &mut widths, from..i + 1);
                from = i + 1;
            }
        }
        widen(entries, &mut widths, from..entries.len());
        widths
    }

    /// Prints one entry without its comments. `width` is the column of its `=` or `~`. `follows`: there is an entry before it.
    fn entry(&mut self, entry: &Entry<'_>, indent: usize, width: usize, follows: bool) {
        match entry {
            Entry::Use(path, _) => self.words(&format!("use {path}")),
            Entry::Definition(definition) => self.definition(definition, indent),
            Entry::Setting(binding) | Entry::Bind(binding) => {
                self.words(&format!("{:width$} = ", binding.name.text));
                self.value(&binding.value, indent);
            }
            // Name and kind are padded together, so that the signs of neighbouring declarations stand in one column.
            Entry::Declare(declared) => {
                let head = format!("{}: {}", declared.name.text, declared.kind.text);
                let (sign, value) = match &declared.initial {
                    Initial::Draw(value) => ('~', value),
                    Initial::Compute(value) => ('=', value),
                };
                self.words(&format!("{head:width$} {sign} "));
                self.value(value, indent);
                declared.flags.iter().for_each(|flag| self.words(&format!(", {}", flag.text)));
            }
            Entry::From(from) => {
                let names: Vec<&str> = from.parameters.iter().map(|name| name.text.as_str()).collect();
                self.words(&format!("from({}) ", names.join(", ")));
                self.body(&from.body, Kind::Parameterization, true, indent);
            }
            // A result after a statement may need parentheses: `-x` would continue the statement.
            Entry::Result(value) => {
                let layout = expression::result(value, follows, &mut self.notes);
                self.page.write(&Layout::grouped(layout), indent, false);
            }
        }
    }

    /// Prints the value after `=` or `~`. Its further lines are indented.
    fn value(&mut self, value: &Expr, indent: usize) {
        let layout = expression::bound(value, &mut self.notes);
        self.page.write(&Layout::grouped(layout), indent, false);
    }

    fn definition(&mut self, definition: &Definition, indent: usize) {
        let mut head = definition.kind.keyword().to_owned();
        if let Some(name) = &definition.name {
            head.push_str(&format!(" {name}"));
        }
        self.words(&head);
        if !definition.parameters.is_empty() {
            let start = definition.body.span.start;
            let layout = parameters(&definition.parameters, start, &mut self.notes);
            self.page.write(&layout, indent, false);
        }
        self.words(" ");
        let short = matches!(
            definition.kind,
            Kind::Modifier | Kind::Activation | Kind::Loss | Kind::Metric | Kind::Initializer | Kind::Schedule
        );
        self.body(&definition.body, definition.kind, short, indent);
    }

    /// Prints a body with its braces, on one line if `short` allows it and it fits.
    fn body(&mut self, body: &Body, kind: Kind, short: bool, indent: usize) {
        let settings = matches!(kind, Kind::Train | Kind::Dataset);
        let mut entries: Vec<Entry<'_>> = body
            .statements
            .iter()
            .map(|statement| match statement {
                Statement::Bind(binding) if settings => Entry::Setting(binding),
                Statement::Bind(binding) => Entry::Bind(binding),
                Statement::Declare(declaration) => Entry::Declare(declaration),
                Statement::From(from) => Entry::From(from),
            })
            .collect();
        entries.extend(body.result.as_ref().map(Entry::Result));
        // The byte of the closing brace: comments before it belong to the body.
        let end = body.span.end.saturating_sub(1);
        if entries.is_empty() && self.notes.peek_before(end).is_none() {
            return self.words("{}");
        }
        if short && let Some(line) = self.one_line(&entries, end) {
            return self.words(&line);
        }
        self.words("{");
        let first = entries.first().map_or(end, |entry| entry.span().start);
        self.comments_after(body.span.start + 1, first, indent + 4);
        // A body neither begins nor ends with a blank line.
        self.notes.skip_blank(first);
        self.entries(&entries, indent + 4, end, false);
        self.notes.skip_blank(end);
        self.page.line(indent);
        self.words("}");
    }

    /// Returns a body of a few short statements as one line, if it has no comments and fits.
    fn one_line(&self, entries: &[Entry<'_>], end: u32) -> Option<String> {
        if self.notes.peek_before(end).is_some() {
            return None;
        }
        let mut parts = Vec::new();
        for entry in entries {
            let (Entry::Bind(_) | Entry::Result(_), []) = (entry, entry.docs()) else { return None };
            let text = match entry {
                Entry::Bind(binding) => format!("{} = {}", binding.name.text, print_expr(&binding.value)),
                Entry::Result(value) if parts.is_empty() => print_expr(value),
                _ => return None,
            };
            parts.push(text);
        }
        let line = format!("{{ {} }}", parts.join("  "));
        let fits = self.page.column() + line.chars().count() <= WIDTH && !line.contains('\n');
        fits.then_some(line)
    }

    /// Prints the comments after an entry that ends at byte `end`, up to byte `next`, where the next entry begins.
    fn comments_after(&mut self, end: u32, next: u32, indent: usize) {
        let mut first = true;
        while let Some(comment) = self.notes.next_after(end, next) {
            if first {
                self.words("  ");
            } else {
                self.page.line(indent);
            }
            self.words(&notes::written(&comment.text));
            first = false;
        }
    }

    /// Begins a line, after a blank line if wanted. `fresh`: it is the first line of the text, which needs neither.
    fn begin(&mut self, fresh: &mut bool, indent: usize, blank: bool) {
        if !std::mem::replace(fresh, false) {
            if blank && !self.page.opened() {
                self.page.line(0);
            }
            self.page.line(indent);
        }
    }

    fn words(&mut self, text: &str) {
        self.page.write(&Layout::text(text), 0, false);
    }
}

fn widen(entries: &[Entry<'_>], widths: &mut [usize], run: std::ops::Range<usize>) {
    let widest = entries.get(run.clone()).unwrap_or(&[]).iter().filter_map(Entry::head_width).max().unwrap_or(0);
    if let Some(run) = widths.get_mut(run) {
        run.fill(widest);
    }
}

fn line_of(marker: &str, text: &str) -> String {
    format!("{marker} {text}").trim_end().to_owned()
}

fn parameters(parameters: &[Parameter], end: u32, notes: &mut Notes<'_>) -> Layout {
    let starts: Vec<u32> = parameters.iter().map(|p| p.name.span.start).chain([end]).collect();
    let mut inside = vec![Layout::Soft];
    for (i, parameter) in parameters.iter().enumerate() {
        inside.extend(notes.own_lines(parameter.name.span.start));
        inside.push(Layout::text(&parameter.name.text));
        let mut last = parameter.name.span.end;
        for (sign, value) in [(": ", &parameter.annotation), (" = ", &parameter.default)] {
            let Some(value) = value else { continue };
            inside.push(Layout::text(sign));
            inside.push(expression::expression(value, notes));
            last = value.span.end;
        }
        let more = i + 1 < parameters.len();
        inside.push(if more { Layout::text(",") } else { Layout::IfBroken(",") });
        inside.extend(notes.trailing(last, starts.get(i + 1).copied().unwrap_or(end)));
        inside.extend(more.then_some(Layout::Line));
    }
    Layout::group(vec![Layout::text("("), Layout::indent(inside), Layout::Soft, Layout::text(")")])
}
