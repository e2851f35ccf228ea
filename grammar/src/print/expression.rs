//! Prints expressions, with parentheses only where the tree would be another one without them.

use super::layout::Layout;
use super::notes::Notes;
use crate::ast::{Argument, Arm, BinaryOp, Expr, ExprKind, Stage, UnaryOp};
use crate::source::Span;

/// The levels of the expressions that bind loosest (flows) and tightest (`^`).
const FLOW: u8 = 0;
const TIGHTEST: u8 = 9;

/// Prints an expression in a place where any is allowed: in brackets, in branches, after `=>`.
pub fn expression(expr: &Expr, notes: &mut Notes<'_>) -> Layout {
    written(expr, FLOW, notes)
}

/// Prints the value of a name. Further lines of it are indented.
pub fn bound(expr: &Expr, notes: &mut Notes<'_>) -> Layout {
    let layout = expression(expr, notes);
    match expr.node {
        ExprKind::Flow { .. } | ExprKind::Binary(..) | ExprKind::Unary(..) => Layout::Indent(Box::new(layout)),
        _ => layout,
    }
}

/// Prints the last expression of a body. After a statement it must not begin with `-`, because this would continue the statement.
pub fn result(expr: &Expr, follows: bool, notes: &mut Notes<'_>) -> Layout {
    let layout = expression(expr, notes);
    if follows && begins_with_minus(expr) { parenthesized(layout) } else { layout }
}

fn begins_with_minus(expr: &Expr) -> bool {
    match &expr.node {
        ExprKind::Unary(UnaryOp::Negate, _) => true,
        ExprKind::Binary(op, left, _) => needed(left) >= left_level(*op) && begins_with_minus(left),
        ExprKind::Flow { source, .. } => needed(source) > FLOW && begins_with_minus(source),
        _ => false,
    }
}

fn parenthesized(inner: Layout) -> Layout {
    Layout::group(vec![Layout::text("("), Layout::Indent(Box::new(inner)), Layout::text(")")])
}

/// Prints an expression. It gets parentheses if it binds less tightly than `least`.
fn written(expr: &Expr, least: u8, notes: &mut Notes<'_>) -> Layout {
    let layout = match &expr.node {
        ExprKind::Integer(value) => Layout::Text(grouped(*value)),
        // The shortest decimal that reads as the same number; it always has a dot or an exponent.
        ExprKind::Float(value) => Layout::Text(format!("{value:?}")),
        ExprKind::String(text) => Layout::Text(quoted(text)),
        ExprKind::Bool(value) => Layout::Text(value.to_string()),
        ExprKind::Path(path) => Layout::Text(path.to_string()),
        ExprKind::List(items) => list(items, expr.span, notes),
        ExprKind::Unary(op, operand) => unary(*op, operand, notes),
        ExprKind::Binary(op, left, right) => binary(*op, left, right, notes),
        ExprKind::Call { callee, arguments } => call(&callee.to_string(), arguments, expr.span, notes),
        ExprKind::If { condition, yes, no } => conditional(condition, yes, no, notes),
        ExprKind::Match { subject, arms } => selection(subject, arms, expr.span, notes),
        ExprKind::Flow { source, stages } => flow(source, stages, notes),
    };
    if needed(expr) < least { parenthesized(layout) } else { layout }
}

/// Returns how tightly an expression binds at its top. The levels are in the order of the reader's. `if` and `match` bind loosely
/// here, so that they get parentheses, for readability.
fn needed(expr: &Expr) -> u8 {
    match &expr.node {
        ExprKind::Flow { .. } => FLOW,
        ExprKind::If { .. } | ExprKind::Match { .. } => 1,
        ExprKind::Binary(op, ..) => level(*op),
        ExprKind::Unary(UnaryOp::Not, _) => 4,
        ExprKind::Unary(UnaryOp::Negate, _) => 8,
        _ => TIGHTEST + 1,
    }
}

fn level(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 2,
        BinaryOp::And => 3,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => 5,
        BinaryOp::Add | BinaryOp::Subtract => 6,
        BinaryOp::Multiply | BinaryOp::Divide => 7,
        BinaryOp::Power => TIGHTEST,
    }
}

/// Returns the lowest level of a left operand without parentheses: the operator's own level, except for comparisons and `^`.
fn left_level(op: BinaryOp) -> u8 {
    if matches!(level(op), 5 | TIGHTEST) { level(op) + 1 } else { level(op) }
}

/// Returns the lowest level of a right operand without parentheses: a tighter level, except for `^`, which is right-associative.
fn right_level(op: BinaryOp) -> u8 {
    if op == BinaryOp::Power { TIGHTEST } else { level(op) + 1 }
}

fn unary(op: UnaryOp, operand: &Expr, notes: &mut Notes<'_>) -> Layout {
    let (sign, least) = match op {
        UnaryOp::Not => ("not ", 5),
        UnaryOp::Negate => ("-", TIGHTEST),
    };
    Layout::Row(vec![Layout::text(sign), written(operand, least, notes)])
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr, notes: &mut Notes<'_>) -> Layout {
    // Operators of the same level break together: all terms of a sum, but not the factors inside a term.
    let chained = matches!(&left.node, ExprKind::Binary(inner, ..) if level(*inner) == level(op));
    let left = written(left, left_level(op), notes);
    let left = if chained { left } else { Layout::grouped(left) };
    let right = Layout::grouped(written(right, right_level(op), notes));
    if op == BinaryOp::Power {
        return Layout::Row(vec![left, Layout::text("^"), right]);
    }
    Layout::Row(vec![left, Layout::Line, Layout::text(format!("{} ", op.symbol())), right])
}

/// Prints `open a, b close`, with one part on each line if it does not fit on one line.
fn listed(open: String, close: &'static str, parts: Vec<Layout>) -> Layout {
    if parts.is_empty() {
        return Layout::Text(format!("{open}{close}"));
    }
    let mut inside = vec![Layout::Soft];
    inside.extend(parts);
    Layout::group(vec![Layout::Text(open), Layout::indent(inside), Layout::Soft, Layout::text(close)])
}

/// Prints one part of a list in brackets, with its comma and the comments around it.
fn listed_part(part: Layout, own: Span, next: Option<u32>, outer: Span, notes: &mut Notes<'_>) -> Vec<Layout> {
    let mut row = vec![Layout::grouped(part)];
    row.push(if next.is_some() { Layout::text(",") } else { Layout::IfBroken(",") });
    row.extend(notes.trailing(own.end, next.unwrap_or(outer.end)));
    if next.is_some() {
        row.push(Layout::Line);
    } else {
        // Comments between the last part and the closing bracket.
        while let Some(comment) = notes.next_before(outer.end) {
            row.extend([Layout::Hard, Layout::Trailing(super::notes::written(&comment.text))]);
        }
    }
    row
}

fn list(items: &[Expr], span: Span, notes: &mut Notes<'_>) -> Layout {
    let mut parts = Vec::new();
    for (i, item) in items.iter().enumerate() {
        parts.extend(notes.own_lines(item.span.start));
        let next = items.get(i + 1).map(|next| next.span.start);
        let part = expression(item, notes);
        parts.extend(listed_part(part, item.span, next, span, notes));
    }
    listed("[".to_owned(), "]", parts)
}

fn call(callee: &str, arguments: &[Argument], span: Span, notes: &mut Notes<'_>) -> Layout {
    let whole =
        |argument: &Argument| argument.name.as_ref().map_or(argument.value.span, |n| n.span.to(argument.value.span));
    let mut parts = Vec::new();
    for (i, argument) in arguments.iter().enumerate() {
        parts.extend(notes.own_lines(whole(argument).start));
        let next = arguments.get(i + 1).map(|next| whole(next).start);
        let mut part: Vec<Layout> =
            argument.name.iter().map(|name| Layout::text(format!("{} = ", name.text))).collect();
        part.push(expression(&argument.value, notes));
        parts.extend(listed_part(Layout::Row(part), whole(argument), next, span, notes));
    }
    listed(format!("{callee}("), ")", parts)
}

fn conditional(condition: &Expr, yes: &Expr, no: &Expr, notes: &mut Notes<'_>) -> Layout {
    let mut row = vec![Layout::text("if "), asked(condition, notes), Layout::text(" "), branch(yes, notes)];
    let mut no = no;
    // A chain of `else if` is one group, so that either all of its branches begin on new lines or none.
    while let ExprKind::If { condition, yes, no: other } = &no.node {
        row.extend([Layout::Line, Layout::text("else if "), asked(condition, notes), Layout::text(" ")]);
        row.push(branch(yes, notes));
        no = other;
    }
    row.extend([Layout::Line, Layout::text("else "), branch(no, notes)]);
    Layout::Align(Box::new(Layout::group(row)))
}

/// Prints a condition, a subject or a pattern, on one line if it fits.
fn asked(expr: &Expr, notes: &mut Notes<'_>) -> Layout {
    Layout::grouped(written(expr, 2, notes))
}

fn branch(value: &Expr, notes: &mut Notes<'_>) -> Layout {
    let mut inside = vec![Layout::Line];
    inside.extend(notes.own_lines(value.span.start));
    inside.push(Layout::grouped(expression(value, notes)));
    inside.extend(notes.trailing(value.span.end, value.span.end));
    Layout::group(vec![Layout::text("{"), Layout::indent(inside), Layout::Line, Layout::text("}")])
}

fn selection(subject: &Expr, arms: &[Arm], span: Span, notes: &mut Notes<'_>) -> Layout {
    let start = |arm: &Arm| arm.pattern.as_ref().map_or(arm.value.span.start, |pattern| pattern.span.start);
    let head = Layout::Row(vec![Layout::text("match "), asked(subject, notes), Layout::text(" {")]);
    let mut inside = vec![Layout::Line];
    for (i, arm) in arms.iter().enumerate() {
        inside.extend(notes.own_lines(start(arm)));
        let next = arms.get(i + 1).map(start);
        let pattern = match &arm.pattern {
            Some(pattern) => asked(pattern, notes),
            None => Layout::text("_"),
        };
        let part = Layout::Row(vec![pattern, Layout::text(" => "), expression(&arm.value, notes)]);
        inside.extend(listed_part(part, arm.value.span, next, span, notes));
    }
    Layout::group(vec![head, Layout::indent(inside), Layout::Line, Layout::text("}")])
}

/// Prints the stages of a flow with as few line ends as possible. A line end comes before `->`.
fn flow(source: &Expr, stages: &[Stage], notes: &mut Notes<'_>) -> Layout {
    let mut row = Vec::new();
    let mut parts = vec![written(source, FLOW + 1, notes)];
    for stage in stages {
        let comments = notes.below(stage.expr.span.start);
        if !comments.is_empty() {
            row.push(Layout::Fill(std::mem::take(&mut parts)));
            row.extend(comments);
            row.push(Layout::Hard);
        }
        let mut part = vec![Layout::text("-> "), written(&stage.expr, FLOW, notes)];
        part.extend(stage.label.iter().map(|label| Layout::text(format!(" as {}", label.text))));
        parts.push(Layout::Row(part));
    }
    row.push(Layout::Fill(parts));
    if row.len() == 1 { row.remove(0) } else { Layout::Row(row) }
}

/// Prints `10_000`: numbers of five digits or more have groups of three digits.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\0' => quoted.push_str("\\0"),
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
