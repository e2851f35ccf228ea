//! From a `schedule` definition with its arguments to a [`Curve`]: a formula of the time.
//!
//! The vocabulary has what no other one has: lists (`at <= epoch` compares each item), and an `if` whose condition is known only
//! while training, which computes both branches and takes one.

mod complain;

use crate::front::functions::{self, Dialect};
use crate::front::interpret::{Literal, Statements, Vocabulary, walk};
use crate::ir::experiment::{Curve, CurveNode, CurveOp, Hand};
use crate::ir::graph::Op;
use crate::ir::module::{Instance, Value};
use gmpc_grammar::ast::{
    Argument, Arm, BinaryOp, Binding, Body, Declaration, Expr, ExprKind, From, Path, Stage, UnaryOp,
};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// The functions that a schedule may call.
const DIALECT: &[Dialect] = &[Dialect::Schedules];
/// The most nodes of a formula. A list in an argument multiplies the work, so this keeps hostile files cheap.
const MOST_NODES: usize = 1 << 16;

/// Makes the formula of a schedule.
///
/// # Errors
/// E0620 for an unknown name or function, E0621 for what is no number where one is needed.
pub(super) fn curve(instance: &Instance) -> Result<Curve, Diagnostic> {
    let mut builder = Builder { nodes: vec![], names: BTreeMap::new() };
    for (name, hand) in Hand::ALL {
        builder.nodes.push(CurveNode::Clock(hand));
        builder.names.insert(name.to_string(), Term::Node(builder.nodes.len() - 1));
    }
    let pi = builder.number(std::f64::consts::PI);
    builder.names.insert("pi".to_string(), pi);
    // An argument may have the name of something that can be read, such as `step`: the definition then means its argument.
    for (name, value) in &instance.arguments {
        let term = builder.known(value);
        builder.names.insert(name.clone(), term);
    }
    let body = &instance.definition.body;
    let value = builder.body(body)?;
    let span = body.result.as_ref().map_or(body.span, |result| result.span);
    let result = builder.node(&value, span)?;
    Ok(Curve { name: instance.name.clone(), nodes: builder.nodes, result })
}

/// The value of an expression.
#[derive(Debug, Clone)]
enum Term {
    /// A node of the formula.
    Node(usize),
    /// Known to be true or false.
    Truth(bool),
    /// A text or a word, or another value that is no number.
    Text(String),
    /// `[30, 60]`
    List(Vec<Term>),
}

/// A formula under construction.
struct Builder {
    nodes: Vec<CurveNode>,
    names: BTreeMap<String, Term>,
}

impl Builder {
    fn number(&mut self, value: f64) -> Term {
        self.nodes.push(CurveNode::Number(value));
        Term::Node(self.nodes.len() - 1)
    }

    fn known(&mut self, value: &Value) -> Term {
        match value {
            Value::Integer(n) => self.number(*n as f64),
            Value::Float(x) => self.number(*x),
            Value::Bool(b) => Term::Truth(*b),
            Value::String(text) | Value::Word(text) => Term::Text(text.clone()),
            Value::Instance(instance) => Term::Text(instance.name.clone()),
            Value::List(items) => Term::List(items.iter().map(|item| self.known(item)).collect()),
        }
    }

    /// Returns a term as a node. True is 1, false is 0.
    fn node(&mut self, term: &Term, span: Span) -> Result<usize, Diagnostic> {
        match term {
            Term::Node(index) => Ok(*index),
            Term::Truth(truth) => match self.number(f64::from(u8::from(*truth))) {
                Term::Node(index) => Ok(index),
                _ => Err(complain::no_number("a truth value", span)),
            },
            Term::Text(text) => Err(complain::no_number(&format!("`{text}`"), span)),
            Term::List(_) => Err(complain::no_number("a list", span)),
        }
    }

    /// Adds an operation on terms, item by item if one of them is a list. Known operands give a known result.
    fn apply(&mut self, op: &CurveOp, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
        let lists = operands.iter().filter_map(|(term, _)| match term {
            Term::List(items) => Some(items.len()),
            _ => None,
        });
        let lengths: Vec<usize> = lists.collect();
        let Some(&length) = lengths.first() else { return self.one(op, operands, span) };
        if lengths.iter().any(|&other| other != length) {
            return Err(complain::lengths(span));
        }
        let item = |i: usize| -> Vec<(Term, Span)> {
            let of = |(term, place): &(Term, Span)| match term {
                Term::List(items) => (items.get(i).cloned().unwrap_or(Term::Truth(false)), *place),
                term => (term.clone(), *place),
            };
            operands.iter().map(of).collect()
        };
        (0..length).map(|i| self.one(op, &item(i), span)).collect::<Result<_, _>>().map(Term::List)
    }

    fn one(&mut self, op: &CurveOp, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
        let mut indices = [0; 3];
        for (slot, (term, place)) in indices.iter_mut().zip(operands) {
            *slot = self.node(term, *place)?;
        }
        let numbers: Vec<f64> = operands.iter().zip(indices).filter_map(|(_, index)| self.fixed(index)).collect();
        if numbers.len() == operands.len() {
            let mut values = [0.0; 3];
            values.iter_mut().zip(&numbers).for_each(|(slot, number)| *slot = *number);
            let value = op.apply(values);
            return match op {
                CurveOp::Each(Op::Less | Op::LessEqual | Op::Equal) => Ok(Term::Truth(value != 0.0)),
                _ if value.is_finite() => Ok(self.number(value)),
                _ => Err(complain::not_finite(span)),
            };
        }
        if self.nodes.len() >= MOST_NODES {
            return Err(complain::too_long(span));
        }
        self.nodes.push(CurveNode::Apply(op.clone(), indices));
        Ok(Term::Node(self.nodes.len() - 1))
    }

    /// The number of a node that is known while compiling.
    fn fixed(&self, index: usize) -> Option<f64> {
        match self.nodes.get(index) {
            Some(CurveNode::Number(value)) => Some(*value),
            _ => None,
        }
    }

    fn each(&mut self, op: Op, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
        self.apply(&CurveOp::Each(op), operands, span)
    }

    /// 1 - a
    fn not(&mut self, operand: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
        if let Term::Truth(truth) = operand.0 {
            return Ok(Term::Truth(!truth));
        }
        let one = self.number(1.0);
        self.each(Op::Sub, &[(one, span), operand], span)
    }

    /// How many items of a list are true.
    fn count(&mut self, list: Term, span: Span) -> Result<Term, Diagnostic> {
        let Term::List(items) = list else { return Err(complain::no_list(span)) };
        let mut sum = self.number(0.0);
        for item in items {
            sum = self.each(Op::Add, &[(sum, span), (item, span)], span)?;
        }
        Ok(sum)
    }

    /// Chooses between two values while training.
    fn select(&mut self, condition: (Term, Span), yes: &Expr, no: &Expr, span: Span) -> Result<Term, Diagnostic> {
        let yes = (self.evaluate(yes)?, yes.span);
        let no = (self.evaluate(no)?, no.span);
        self.each(Op::Select, &[condition, yes, no], span)
    }
}

impl<'e> Vocabulary<'e> for Builder {
    type Value = Term;
    type Failure = Diagnostic;

    /// An `if` whose condition is known takes one branch. Otherwise both are computed.
    fn evaluate(&mut self, expr: &'e Expr) -> Result<Term, Diagnostic> {
        let ExprKind::If { condition, yes, no } = &expr.node else { return walk(self, expr) };
        let value = self.evaluate(condition)?;
        match self.truth(&value) {
            Some(true) => self.evaluate(yes),
            Some(false) => self.evaluate(no),
            None => self.select((value, condition.span), yes, no, expr.span),
        }
    }

    fn literal(&mut self, literal: Literal<'e>, _: Span) -> Result<Term, Diagnostic> {
        Ok(match literal {
            Literal::Integer(n) => self.number(n as f64),
            Literal::Float(x) => self.number(x),
            Literal::String(text) => Term::Text(text.to_string()),
            Literal::Bool(truth) => Term::Truth(truth),
        })
    }

    fn name(&mut self, path: &'e Path, span: Span) -> Result<Term, Diagnostic> {
        let name = path.to_string();
        let found = self.names.get(&name).cloned();
        found.ok_or_else(|| complain::unknown_name(&name, span, self.names.keys().map(String::as_str)))
    }

    fn list(&mut self, items: &'e [Expr], _: &'e Expr) -> Result<Term, Diagnostic> {
        items.iter().map(|item| self.evaluate(item)).collect::<Result<_, _>>().map(Term::List)
    }

    fn truth(&self, value: &Term) -> Option<bool> {
        match value {
            Term::Truth(truth) => Some(*truth),
            _ => None,
        }
    }

    fn unary(&mut self, operator: UnaryOp, operand: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
        match operator {
            UnaryOp::Negate => self.each(Op::Neg, &[operand], span),
            UnaryOp::Not => self.not(operand, span),
        }
    }

    fn binary(
        &mut self,
        operator: BinaryOp,
        left: (Term, Span),
        right: (Term, Span),
        span: Span,
    ) -> Result<Term, Diagnostic> {
        if let (Term::Text(a), Term::Text(b), BinaryOp::Equal | BinaryOp::NotEqual) = (&left.0, &right.0, operator) {
            return Ok(Term::Truth((a == b) == (operator == BinaryOp::Equal)));
        }
        match operator {
            BinaryOp::Add => self.each(Op::Add, &[left, right], span),
            BinaryOp::Subtract => self.each(Op::Sub, &[left, right], span),
            BinaryOp::Multiply => self.each(Op::Mul, &[left, right], span),
            BinaryOp::Divide => self.each(Op::Div, &[left, right], span),
            BinaryOp::Power => self.each(Op::Pow, &[left, right], span),
            BinaryOp::Less => self.each(Op::Less, &[left, right], span),
            BinaryOp::LessEqual => self.each(Op::LessEqual, &[left, right], span),
            BinaryOp::Greater => self.each(Op::Less, &[right, left], span),
            BinaryOp::GreaterEqual => self.each(Op::LessEqual, &[right, left], span),
            BinaryOp::Equal => self.each(Op::Equal, &[left, right], span),
            BinaryOp::NotEqual => {
                let equal = self.each(Op::Equal, &[left, right], span)?;
                self.not((equal, span), span)
            }
            // Conditions are 0 or 1, so that their product is `and` and their maximum is `or`.
            BinaryOp::And => self.each(Op::Mul, &[left, right], span),
            BinaryOp::Or => self.each(Op::Max, &[left, right], span),
        }
    }

    fn call(&mut self, callee: &'e Path, arguments: &'e [Argument], expr: &'e Expr) -> Result<Term, Diagnostic> {
        let (name, span) = (callee.to_string(), expr.span);
        let Some(function) = functions::find(&name, DIALECT) else {
            return Err(complain::unknown_function(&name, callee.span()));
        };
        if arguments.len() != function.most_arguments() || arguments.iter().any(|a| a.name.is_some()) {
            return Err(complain::arity(&name, function.most_arguments(), span));
        }
        let operands = arguments.iter().map(|a| Ok((self.evaluate(&a.value)?, a.value.span)));
        let mut operands = operands.collect::<Result<Vec<_>, Diagnostic>>()?;
        match (&function.op, name.as_str()) {
            (Some(op), _) => self.each(op.clone(), &operands, span),
            (None, "floor") => self.apply(&CurveOp::Floor, &operands, span),
            (None, "ceil") => self.apply(&CurveOp::Ceil, &operands, span),
            (None, _) => match operands.pop() {
                Some((list, _)) => self.count(list, span),
                None => Err(complain::no_list(span)),
            },
        }
    }

    /// Decides a `match` of a word, a text or a number that is known. A pattern that is a name stands for itself.
    fn chosen(&mut self, expr: &'e Expr) -> Result<&'e Expr, Diagnostic> {
        let ExprKind::Match { subject, arms } = &expr.node else { return Ok(expr) };
        let value = self.evaluate(subject)?;
        for Arm { pattern, value: arm } in arms {
            let Some(pattern) = pattern else { return Ok(arm) };
            let fits = match (&value, &pattern.node) {
                (Term::Text(word), ExprKind::Path(path)) => *word == path.to_string(),
                (Term::Text(word), ExprKind::String(text)) => word == text,
                (Term::Truth(truth), ExprKind::Bool(wanted)) => truth == wanted,
                _ => self.equals(&value, pattern, subject.span)?,
            };
            if fits {
                return Ok(arm);
            }
        }
        Err(complain::no_arm(expr.span))
    }

    fn flow(&mut self, _: &'e Expr, _: &'e [Stage], span: Span) -> Result<Term, Diagnostic> {
        Err(complain::no_number("a flow", span))
    }
}

impl Builder {
    fn equals(&mut self, value: &Term, pattern: &Expr, span: Span) -> Result<bool, Diagnostic> {
        let other = self.evaluate(pattern)?;
        match self.each(Op::Equal, &[(value.clone(), span), (other, pattern.span)], pattern.span)? {
            Term::Truth(truth) => Ok(truth),
            _ => Err(complain::not_known(span)),
        }
    }
}

impl<'e> Statements<'e> for Builder {
    fn bind(&mut self, binding: &'e Binding) -> Result<(), Diagnostic> {
        let value = self.evaluate(&binding.value)?;
        self.names.insert(binding.name.text.clone(), value);
        Ok(())
    }

    fn declare(&mut self, declaration: &'e Declaration) -> Result<(), Diagnostic> {
        Err(complain::no_state(declaration.name.span))
    }

    /// The reader allows `from` in parameterizations only.
    fn section(&mut self, _: &'e From) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn no_result(&mut self, body: &'e Body) -> Diagnostic {
        complain::no_result(body.span)
    }
}
