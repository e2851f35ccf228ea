//! The syntax tree: what a `.gmpnet` file says, before any name is looked up.
//!
//! Spans and comments are kept, so that errors can point and a formatter can print. All definitions share one shape
//! ([`Definition`]): a kind, a name, parameters, a body of statements and perhaps a last expression, its result.
//! Parameterizations (`gmp + mn`), flows (`input -> dense(10) -> relu`) and plain values are all [`Expr`]s.

use crate::source::Span;

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ast {
    /// Lines of `//!` documentation at the top, without the marker.
    pub docs: Vec<String>,
    /// In file order.
    pub items: Vec<Item>,
    /// Every `//` comment that is not documentation, in file order, for the formatter.
    pub comments: Vec<Comment>,
    /// Where runs of blank lines begin, in bytes, in file order, for the formatter.
    pub blank_lines: Vec<u32>,
}

/// A comment and where it stands; `text` is without `//` and the blanks around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// What it says.
    pub text: String,
    /// From `//` to the end of the line.
    pub span: Span,
    /// Does it stand behind something on its line?
    pub trailing: bool,
}

/// What can stand at the top level of a file.
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

/// What a definition defines.
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
    /// `initializer he_normal { … }`
    Initializer,
    /// `optimizer adam(…) { … }`
    Optimizer,
    /// `loss mae(prediction, target) { … }`
    Loss,
    /// `metric rmse(prediction, target) { … }`
    Metric,
}

impl Kind {
    /// Every kind, in the order above.
    pub const ALL: [Kind; 10] = [
        Kind::Model,
        Kind::Block,
        Kind::Train,
        Kind::Dataset,
        Kind::Parameterization,
        Kind::Modifier,
        Kind::Initializer,
        Kind::Optimizer,
        Kind::Loss,
        Kind::Metric,
    ];

    /// The word that opens such a definition.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Kind::Model => "model",
            Kind::Block => "block",
            Kind::Train => "train",
            Kind::Dataset => "dataset",
            Kind::Parameterization => "parameterization",
            Kind::Modifier => "modifier",
            Kind::Initializer => "initializer",
            Kind::Optimizer => "optimizer",
            Kind::Loss => "loss",
            Kind::Metric => "metric",
        }
    }
}

/// `kind name(parameters) { statements result }`
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// What is defined.
    pub kind: Kind,
    /// `uci.yacht` has two parts; `train` has none.
    pub name: Option<Path>,
    /// In order.
    pub parameters: Vec<Parameter>,
    /// Between the braces.
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
    /// After `:`, a shape or a word.
    pub annotation: Option<Expr>,
    /// After `=`.
    pub default: Option<Expr>,
}

/// What stands between the braces of a definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// In order.
    pub statements: Vec<Statement>,
    /// The last expression, which no name binds: a model's output, a loss's value.
    pub result: Option<Expr>,
    /// With the braces.
    pub span: Span,
}

/// One line of a body.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `shortcut = input -> conv(64, 1)`, `loss = mse`, `param = gmp`
    Bind(Binding),
    /// `theta: angles ~ init`, `b: offset = 0`, `m: state = 0`
    Declare(Declaration),
    /// `from(w, b) { theta = angles(w) … }` in a parameterization: how plain weights are written in it.
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

/// `name: kind ~ initializer` or `name: kind = value`
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// What is declared.
    pub name: Ident,
    /// `weight`, `unit`, `offset`, `angles`, `state`
    pub kind: Ident,
    /// How it starts.
    pub initial: Initial,
    /// Lines of `///` documentation before it.
    pub docs: Vec<String>,
}

/// How a declared value starts.
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
    /// One binding per declared parameter.
    pub body: Body,
    /// All of it.
    pub span: Span,
}

/// A name where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// `input.channels`: one or more names joined by dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// At least one.
    pub parts: Vec<Ident>,
}

impl Path {
    /// From the first part to the last.
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
    /// What it says.
    pub node: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression says.
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
        /// In order, positional before named.
        arguments: Vec<Argument>,
    },
    /// `if condition { yes } else { no }`; `no` may itself be an `If`
    If {
        /// Known at compile time.
        condition: Box<Expr>,
        /// Where it holds.
        yes: Box<Expr>,
        /// Where it does not.
        no: Box<Expr>,
    },
    /// `match param { gmp => 0.1, _ => 0.01 }`
    Match {
        /// What is looked at.
        subject: Box<Expr>,
        /// The first that fits is taken.
        arms: Vec<Arm>,
    },
    /// `input -> dense(100) as hidden -> relu`
    Flow {
        /// What enters.
        source: Box<Expr>,
        /// At least one.
        stages: Vec<Stage>,
    },
}

/// `stride = 2` or `64`
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `None` for a positional one.
    pub name: Option<Ident>,
    /// Its value.
    pub value: Expr,
}

/// `gmp + mn => 0.1`
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// `None` for `_`.
    pub pattern: Option<Expr>,
    /// Right of `=>`.
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

/// Operators with two operands, loosest first: `or`, `and`, comparisons, `+ -`, `* /`, `^` (to the right).
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
