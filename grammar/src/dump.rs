//! The syntax tree as indented text with one line for each node, for `gmpc emit --stage ast` and for tests.
//!
//! Two trees have the same dump exactly if they are equal except for spans, blank lines and trailing comments.

use crate::ast::{
    Ast, BinaryOp, Binding, Body, Definition, Expr, ExprKind, Initial, Item, Parameter, Stage, Statement, UnaryOp,
};
use std::fmt::Write;

/// Prints a tree. Each level is indented by two columns.
#[must_use]
pub fn dump(ast: &Ast) -> String {
    let mut tree = Tree { text: String::new(), level: 0 };
    tree.docs(&ast.docs);
    for item in &ast.items {
        match item {
            Item::Use { path, .. } => tree.line(&format!("use {path}")),
            Item::Setting(binding) => tree.binding("setting", binding),
            Item::Definition(definition) => tree.definition(definition),
        }
    }
    for comment in &ast.comments {
        tree.line(&format!("comment {:?}", comment.text));
    }
    tree.text
}

/// Prints one expression as indented text.
#[must_use]
pub fn dump_expr(expr: &Expr) -> String {
    let mut tree = Tree { text: String::new(), level: 0 };
    tree.expr(expr);
    tree.text
}

struct Tree {
    text: String,
    level: usize,
}

impl Tree {
    fn line(&mut self, text: &str) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.text, "{:width$}{text}", "", width = 2 * self.level);
    }

    /// Writes a line, then the text of `inside` one level deeper.
    fn node(&mut self, text: &str, inside: impl FnOnce(&mut Self)) {
        self.line(text);
        self.level += 1;
        inside(self);
        self.level -= 1;
    }

    fn docs(&mut self, docs: &[String]) {
        for doc in docs {
            self.line(&format!("doc {doc:?}"));
        }
    }

    fn binding(&mut self, what: &str, binding: &Binding) {
        self.node(&format!("{what} {}", binding.name.text), |tree| {
            tree.docs(&binding.docs);
            tree.expr(&binding.value);
        });
    }

    fn definition(&mut self, definition: &Definition) {
        let name = definition.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        self.node(&format!("{}{name}", definition.kind.keyword()), |tree| {
            tree.docs(&definition.docs);
            definition.parameters.iter().for_each(|parameter| tree.parameter(parameter));
            tree.body(&definition.body);
        });
    }

    fn parameter(&mut self, parameter: &Parameter) {
        self.node(&format!("parameter {}", parameter.name.text), |tree| {
            for (what, value) in [("annotation", &parameter.annotation), ("default", &parameter.default)] {
                if let Some(value) = value {
                    tree.node(what, |tree| tree.expr(value));
                }
            }
        });
    }

    fn body(&mut self, body: &Body) {
        for statement in &body.statements {
            match statement {
                Statement::Bind(binding) => self.binding("bind", binding),
                Statement::Declare(declared) => {
                    let (how, value) = match &declared.initial {
                        Initial::Draw(value) => ("draw", value),
                        Initial::Compute(value) => ("compute", value),
                    };
                    let flags: String = declared.flags.iter().map(|flag| format!(", {}", flag.text)).collect();
                    self.node(&format!("declare {}: {}{flags}", declared.name.text, declared.kind.text), |tree| {
                        tree.docs(&declared.docs);
                        tree.node(how, |tree| tree.expr(value));
                    });
                }
                Statement::From(from) => {
                    let names: Vec<&str> = from.parameters.iter().map(|name| name.text.as_str()).collect();
                    self.node(&format!("from {}", names.join(" ")), |tree| tree.body(&from.body));
                }
            }
        }
        if let Some(result) = &body.result {
            self.node("result", |tree| tree.expr(result));
        }
    }

    fn expr(&mut self, expr: &Expr) {
        // Texts are printed with `{:?}`, so that a line end inside a string does not break the one line for each node.
        // Branches and arms get a node of their own, because two expressions in a row would look like a list.
        match &expr.node {
            ExprKind::Integer(value) => self.line(&format!("integer {value}")),
            ExprKind::Float(value) => self.line(&format!("float {value:?}")),
            ExprKind::String(text) => self.line(&format!("string {text:?}")),
            ExprKind::Bool(value) => self.line(&format!("bool {value}")),
            ExprKind::Path(path) => self.line(&format!("path {path}")),
            ExprKind::List(items) => self.node("list", |tree| items.iter().for_each(|item| tree.expr(item))),
            ExprKind::Unary(op, operand) => self.node(unary(*op), |tree| tree.expr(operand)),
            ExprKind::Binary(op, left, right) => self.node(binary(*op), |tree| {
                tree.expr(left);
                tree.expr(right);
            }),
            ExprKind::Call { callee, arguments } => self.node(&format!("call {callee}"), |tree| {
                for argument in arguments {
                    match &argument.name {
                        Some(name) => tree.node(&format!("{} =", name.text), |tree| tree.expr(&argument.value)),
                        None => tree.expr(&argument.value),
                    }
                }
            }),
            ExprKind::If { condition, yes, no } => self.node("if", |tree| {
                tree.expr(condition);
                tree.node("yes", |tree| tree.expr(yes));
                tree.node("no", |tree| tree.expr(no));
            }),
            ExprKind::Match { subject, arms } => self.node("match", |tree| {
                tree.expr(subject);
                for arm in arms {
                    tree.node("arm", |tree| {
                        match &arm.pattern {
                            Some(pattern) => tree.expr(pattern),
                            None => tree.line("_"),
                        }
                        tree.expr(&arm.value);
                    });
                }
            }),
            ExprKind::Flow { source, stages } => self.node("flow", |tree| {
                tree.expr(source);
                stages.iter().for_each(|stage| tree.stage(stage));
            }),
        }
    }

    fn stage(&mut self, stage: &Stage) {
        let label = stage.label.as_ref().map(|label| format!(" as {}", label.text)).unwrap_or_default();
        self.node(&format!("stage{label}"), |tree| tree.expr(&stage.expr));
    }
}

fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Negate => "negate",
        UnaryOp::Not => "not",
    }
}

fn binary(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "or",
        BinaryOp::And => "and",
        BinaryOp::Equal => "equal",
        BinaryOp::NotEqual => "not equal",
        BinaryOp::Less => "less",
        BinaryOp::LessEqual => "less or equal",
        BinaryOp::Greater => "greater",
        BinaryOp::GreaterEqual => "greater or equal",
        BinaryOp::Add => "add",
        BinaryOp::Subtract => "subtract",
        BinaryOp::Multiply => "multiply",
        BinaryOp::Divide => "divide",
        BinaryOp::Power => "power",
    }
}
