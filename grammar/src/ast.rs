//! The syntax tree of a `.gmpnet` file, before any name is looked up.
//!
//! It contains spans for errors, and comments for the formatter. All definitions have the same form ([`Definition`]): a kind,
//! a name, parameters, and a body of statements, perhaps with a last expression, its result.
//! Parameterizations (`gmp + mn`), flows (`input -> dense(10) -> relu`) and plain values are all [`Expr`]s.

use crate::source::Span;

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ast {
    /// Lines of `//!` documentation at the top, without the marker.
    pub docs: Vec<String>,
    /// The items, in file order.
    pub items: Vec<Item>,
    /// All `//` comments that are not documentation, in file order, for the formatter.
    pub comments: Vec<Comment>,
    /// The bytes at which runs of blank lines begin, in file order, for the formatter.
    pub blank_lines: Vec<u32>,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its text, without `//` and without the blanks around it.
    pub text: String,
    /// From `//` to the end of the line.
    pub span: Span,
    /// Is there something before it on its line?
    pub trailing: bool,
}

/// An item at the top level of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `use std.resnet`
    Use {
        /// `std.resnet`
        path: Path,
        /// The whole line.
        span: Span,
    },
    /// `param = gmp`, `data = uci.yacht`, `precision = f64`, `seed = 1`
    Setting(Binding),
    /// `model`, `block`, `train`, `dataset`, `parameterization`, …
    Definition(Definition),
}

/// The kind of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `model levy { … }`
    Model,
    /// `block basic(channels, stride = 1) { … }`
    Block,
    /// `train { … }`; has no name
    Train,
    /// `dataset uci.yacht { … }`
    Dataset,
    /// `parameterization gmp(…) { … }`
    Parameterization,
    /// `modifier mn(…) { … }`
    Modifier,
    /// `activation relu(s) { … }`
    Activation,
    /// `stage layer_norm(eps = 1e-5) { … }`
    Stage,
    /// `initializer he_normal { … }`
    Initializer,
    /// `optimizer adam(…) { … }`
    Optimizer,
    /// `loss mae(prediction, target) { … }`
    Loss,
    /// `metric rmse(prediction, target) { … }`
    Metric,
    /// `schedule milestones(at, factor = 0.1) { … }`
    Schedule,
}

impl Kind {
    /// All kinds, in the order above.
    pub const ALL: [Kind; 13] = [
        Kind::Model,
        Kind::Block,
        Kind::Train,
        Kind::Dataset,
        Kind::Parameterization,
        Kind::Modifier,
        Kind::Activation,
        Kind::Stage,
        Kind::Initializer,
        Kind::Optimizer,
        Kind::Loss,
        Kind::Metric,
        Kind::Schedule,
    ];

    /// Returns the first word of such a definition.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Kind::Model => "model",
            Kind::Block => "block",
            Kind::Train => "train",
            Kind::Dataset => "dataset",
            Kind::Parameterization => "parameterization",
            Kind::Modifier => "modifier",
            Kind::Activation => "activation",
            Kind::Stage => "stage",
            Kind::Initializer => "initializer",
            Kind::Optimizer => "optimizer",
            Kind::Loss => "loss",
            Kind::Metric => "metric",
            Kind::Schedule => "schedule",
        }
    }
}

/// `kind name(parameters) { statements result }`
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its kind.
    pub kind: Kind,
    /// Its name. `uci.yacht` has two parts; `train` has no name.
    pub name: Option<Path>,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The statements between the braces.
    pub body: Body,
    /// Lines of `///` documentation before it, without the marker.
    pub docs: Vec<String>,
    /// From the keyword to the closing brace.
    pub span: Span,
}

/// `stride = 1`, `input: [3, 32, 32]`, `prediction: logits`, `channels`
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Ident,
    /// The expression after `:`, a shape or a word.
    pub annotation: Option<Expr>,
    /// The expression after `=`.
    pub default: Option<Expr>,
}

/// The body of a definition, between its braces.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The statements, in order.
    pub statements: Vec<Statement>,
    /// The last expression, which has no name: a model's output, a loss's value.
    pub result: Option<Expr>,
    /// From brace to brace.
    pub span: Span,
}

/// One statement of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `shortcut = input -> conv(64, 1)`, `loss = mse`, `param = gmp`
    Bind(Binding),
    /// `theta: angles ~ init`, `b: offset = 0`, `m: state = 0`
    Declare(Declaration),
    /// `from(w, b) { theta = angles(w) … }` in a parameterization: computes its parameters from plain weights.
    From(From),
}

/// `name = value`
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Left of `=`.
    pub name: Ident,
    /// Right of `=`.
    pub value: Expr,
    /// Lines of `///` documentation before it.
    pub docs: Vec<String>,
}

/// `name: kind ~ initializer` or `name: kind = value`, perhaps with `, frozen` behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// The declared name.
    pub name: Ident,
    /// `weight`, `unit`, `offset`, `angles`, `layer`, `feature`, `position`, `state`; for a shape by axes its text,
    /// `[units, rank]`.
    pub kind: Ident,
    /// The names of `[units, rank]`, in order; `None` for a kind that is a word.
    pub axes: Option<Vec<Ident>>,
    /// Its initial value.
    pub initial: Initial,
    /// The words after the initial value: `frozen`, `state`.
    pub flags: Vec<Ident>,
    /// Lines of `///` documentation before it.
    pub docs: Vec<String>,
}

impl Declaration {
    /// May a conversion draw it, where its `from` section does not bind it? A parameter with axes of its own that is drawn is one factor of
    /// a product, such as `down` of a low-rank adaptation, and does not matter where the other one is 0.
    #[must_use]
    pub fn may_be_drawn(&self) -> bool {
        self.axes.is_some() && matches!(self.initial, Initial::Draw(_))
    }
}

/// The initial value of a declaration.
#[derive(Debug, Clone, PartialEq)]
pub enum Initial {
    /// `~ init`: drawn by an initializer.
    Draw(Expr),
    /// `= value`: computed at initialization.
    Compute(Expr),
}

/// `from(w, b) { statements }`
#[derive(Debug, Clone, PartialEq)]
pub struct From {
    /// The names of the plain weight `[units, fan_in]` and offset `[units]`.
    pub parameters: Vec<Ident>,
    /// One binding for each declared parameter.
    pub body: Body,
    /// The whole section.
    pub span: Span,
}

/// A name in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub text: String,
    /// Its place in the text.
    pub span: Span,
}

/// `input.channels`: one or more names joined by dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The names, at least one.
    pub parts: Vec<Ident>,
}

impl Path {
    /// Returns the span from the first part to the last.
    #[must_use]
    pub fn span(&self) -> Span {
        match (self.parts.first(), self.parts.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => Span { source: crate::source::SourceId(0), start: 0, end: 0 },
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, part) in self.parts.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { "." }, part.text)?;
        }
        Ok(())
    }
}

/// A value, a parameterization, or a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// The expression without its span.
    pub node: ExprKind,
    /// Its place in the text.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `10_000`
    Integer(u64),
    /// `0.1`, `1e-5`; always finite
    Float(f64),
    /// `"target"`
    String(String),
    /// `true`, `false`
    Bool(bool),
    /// `relu`, `input.channels`, `uci.yacht`
    Path(Path),
    /// `[3, 32, 32]`
    List(Vec<Expr>),
    /// `-x`, `not x`
    Unary(UnaryOp, Box<Expr>),
    /// `residual + shortcut`, `g^2`, `gmp + mn`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `conv(64, 3, stride = 2)`
    Call {
        /// `conv`
        callee: Path,
        /// In order; positional arguments come before named ones.
        arguments: Vec<Argument>,
    },
    /// `if condition { yes } else { no }`; `no` may itself be an `If`
    If {
        /// The condition, which is known at compile time.
        condition: Box<Expr>,
        /// The value if the condition is true.
        yes: Box<Expr>,
        /// The value if the condition is false.
        no: Box<Expr>,
    },
    /// `match param { gmp => 0.1, _ => 0.01 }`
    Match {
        /// The value that patterns are compared with.
        subject: Box<Expr>,
        /// The arms. The first one that fits is taken.
        arms: Vec<Arm>,
    },
    /// `input -> dense(100) as hidden -> relu`
    Flow {
        /// The tensor that the flow begins with.
        source: Box<Expr>,
        /// The stages, at least one.
        stages: Vec<Stage>,
    },
}

/// `stride = 2` or `64`
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `None` for a positional argument.
    pub name: Option<Ident>,
    /// Its value.
    pub value: Expr,
}

/// `gmp + mn => 0.1`
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// `None` for `_`.
    pub pattern: Option<Expr>,
    /// The expression right of `=>`.
    pub value: Expr,
}

/// One stage of a flow, after `->`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// A name (`relu`), a call (`dense(10)`), or an `if` or `match` that gives one.
    pub expr: Expr,
    /// `as hidden`
    pub label: Option<Ident>,
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// Operators with two operands. Those that bind loosest come first: `or`, `and`, comparisons, `+ -`, `* /`, `^`. Only `^` is
/// right-associative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `^`
    Power,
}

impl BinaryOp {
    /// As the language writes it: `<=`, `and`.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Power => "^",
        }
    }
}
