//! Random syntax trees. The reader could build each of them, apart from the spans.

use gmpc_grammar::ast::{
    Argument, Arm, BinaryOp, Binding, Body, Declaration, Definition, Expr, ExprKind, From, Ident, Initial, Item, Kind,
    Parameter, Path, Stage, Statement, UnaryOp,
};
use gmpc_grammar::read::KEYWORDS;
use gmpc_grammar::source::{SourceId, Span};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const NOWHERE: Span = Span { source: SourceId(0), start: 0, end: 0 };

fn ident() -> impl Strategy<Value = Ident> {
    // Words such as `model` are keywords only at the top of a file. In a body they are ordinary names.
    let text = prop_oneof![
        4 => "[a-z][a-z0-9_]{0,6}|_[a-zA-Z0-9_]{1,3}",
        1 => prop::sample::select(Kind::ALL.map(|kind| kind.keyword().to_owned()).to_vec()),
    ];
    text.prop_filter("a keyword", |text| !KEYWORDS.contains(&text.as_str())).prop_map(named)
}

fn named(text: String) -> Ident {
    Ident { text, span: NOWHERE }
}

fn path() -> impl Strategy<Value = Path> {
    vec(ident(), 1..4).prop_map(|parts| Path { parts })
}

fn expr(node: ExprKind) -> Expr {
    Expr { node, span: NOWHERE }
}

/// Makes names different by appending their position. The reader refuses two parameters with one name.
fn distinct(names: Vec<Ident>) -> Vec<Ident> {
    names.into_iter().enumerate().map(|(i, name)| named(format!("{}_{i}", name.text))).collect()
}

fn leaf() -> impl Strategy<Value = Expr> {
    prop_oneof![
        any::<u64>().prop_map(ExprKind::Integer),
        any::<f64>().prop_filter("not finite", |x| x.is_finite()).prop_map(|x| ExprKind::Float(x.abs())),
        any::<String>().prop_map(ExprKind::String),
        any::<bool>().prop_map(ExprKind::Bool),
        path().prop_map(ExprKind::Path),
    ]
    .prop_map(expr)
}

/// Generates any expression.
pub fn expression() -> impl Strategy<Value = Expr> + Clone {
    leaf().prop_recursive(6, 48, 4, |inner| {
        let stage = (stage(inner.clone()), option::of(ident())).prop_map(|(expr, label)| Stage { expr, label });
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| expr(ExprKind::List(items))),
            (unary(), inner.clone()).prop_map(|(op, x)| expr(ExprKind::Unary(op, Box::new(x)))),
            (binary(), inner.clone(), inner.clone()).prop_map(|(op, a, b)| expr(ExprKind::Binary(
                op,
                Box::new(a),
                Box::new(b)
            ))),
            stage_of(inner.clone()),
            (inner, vec(stage, 1..5))
                .prop_map(|(source, stages)| expr(ExprKind::Flow { source: Box::new(source), stages })),
        ]
    })
}

fn unary() -> impl Strategy<Value = UnaryOp> {
    prop_oneof![Just(UnaryOp::Negate), Just(UnaryOp::Not)]
}

fn binary() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    prop::sample::select(vec![
        Or,
        And,
        Equal,
        NotEqual,
        Less,
        LessEqual,
        Greater,
        GreaterEqual,
        Add,
        Subtract,
        Multiply,
        Divide,
        Power,
    ])
}

fn stage(inner: impl Strategy<Value = Expr> + Clone + 'static) -> impl Strategy<Value = Expr> {
    prop_oneof![path().prop_map(|path| expr(ExprKind::Path(path))), stage_of(inner)]
}

/// Generates what can stand after `->`, except for a bare name.
fn stage_of(inner: impl Strategy<Value = Expr> + Clone + 'static) -> impl Strategy<Value = Expr> {
    let arm = (option::of(inner.clone()), inner.clone()).prop_map(|(pattern, value)| Arm { pattern, value });
    prop_oneof![
        (path(), vec(inner.clone(), 0..3), vec((ident(), inner.clone()), 0..3)).prop_map(
            |(callee, positional, named)| {
                let mut arguments: Vec<Argument> =
                    positional.into_iter().map(|value| Argument { name: None, value }).collect();
                let (names, values): (Vec<_>, Vec<_>) = named.into_iter().unzip();
                let named = distinct(names).into_iter().zip(values);
                arguments.extend(named.map(|(name, value)| Argument { name: Some(name), value }));
                expr(ExprKind::Call { callee, arguments })
            }
        ),
        (inner.clone(), inner.clone(), inner.clone()).prop_map(|(condition, yes, no)| expr(ExprKind::If {
            condition: Box::new(condition),
            yes: Box::new(yes),
            no: Box::new(no),
        })),
        (inner, vec(arm, 1..4)).prop_map(|(subject, arms)| expr(ExprKind::Match { subject: Box::new(subject), arms })),
    ]
}

fn docs() -> impl Strategy<Value = Vec<String>> {
    vec("([ -~]{0,12}[!-~])?", 0..3)
}

fn binding() -> impl Strategy<Value = Binding> {
    (ident(), expression(), docs()).prop_map(|(name, value, docs)| Binding { name, value, docs })
}

fn declaration() -> impl Strategy<Value = Declaration> {
    let initial = prop_oneof![expression().prop_map(Initial::Draw), expression().prop_map(Initial::Compute)];
    let shape = proptest::option::weighted(0.3, vec(ident(), 0..3));
    let parts = (ident(), ident(), shape, initial, vec(ident(), 0..3), docs());
    parts.prop_map(|(name, kind, axes, initial, flags, docs)| {
        // The kind of a shape is the shape's text.
        let words = |axes: &Vec<Ident>| axes.iter().map(|axis| axis.text.as_str()).collect::<Vec<_>>().join(", ");
        let kind = axes.as_ref().map_or(kind, |axes| Ident { text: format!("[{}]", words(axes)), span: NOWHERE });
        Declaration { name, kind, axes, initial, flags, docs }
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    prop_oneof![3 => binding().prop_map(Statement::Bind), 1 => declaration().prop_map(Statement::Declare)]
}

fn from() -> impl Strategy<Value = Statement> {
    (vec(ident(), 0..3), vec(binding(), 0..4)).prop_map(|(parameters, bindings)| {
        let statements = bindings.into_iter().map(Statement::Bind).collect();
        let body = Body { statements, result: None, span: NOWHERE };
        Statement::From(From { parameters: distinct(parameters), body, span: NOWHERE })
    })
}

fn definition() -> impl Strategy<Value = Definition> {
    let parameter = (ident(), option::of(expression()), option::of(expression()));
    let parts = (path(), vec(parameter, 0..3), vec(statement(), 0..4), option::of(from()), option::of(expression()));
    (prop::sample::select(Kind::ALL.to_vec()), parts, docs()).prop_map(|(kind, parts, docs)| {
        let (mut name, parameters, mut statements, from, mut result) = parts;
        // Only the name of a data set may have dots.
        if kind != Kind::Dataset {
            name.parts.truncate(1);
        }
        // `train` and `dataset` hold settings and have no result. A setting must not occur twice.
        if matches!(kind, Kind::Train | Kind::Dataset) {
            result = None;
            for (i, statement) in statements.iter_mut().enumerate() {
                if let Statement::Bind(binding) = statement {
                    binding.name.text.push_str(&format!("_{i}"));
                }
            }
        }
        // The reader accepts `from(…)` only in parameterizations, and once.
        statements.extend(from.filter(|_| kind == Kind::Parameterization));
        let (names, rest): (Vec<_>, Vec<_>) = parameters.into_iter().map(|(name, a, d)| (name, (a, d))).unzip();
        let parameters = distinct(names).into_iter().zip(rest).map(|(name, (annotation, default))| Parameter {
            name,
            annotation,
            default,
        });
        // `train` has neither a name nor parameters.
        let train = kind == Kind::Train;
        Definition {
            kind,
            name: (!train).then_some(name),
            parameters: if train { Vec::new() } else { parameters.collect() },
            body: Body { statements, result, span: NOWHERE },
            docs,
            span: NOWHERE,
        }
    })
}

/// Generates the items of a file.
pub fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop_oneof![
        1 => path().prop_map(|path| Item::Use { path, span: NOWHERE }),
        2 => binding().prop_map(Item::Setting),
        3 => definition().prop_map(Item::Definition),
    ];
    vec(item, 0..5).prop_map(|mut items| {
        for (i, item) in items.iter_mut().enumerate() {
            if let Item::Setting(binding) = item {
                binding.name.text.push_str(&format!("_{i}"));
            }
        }
        items
    })
}
