//! A file after `resolve`: all names are found and all overrides applied. Definitions of the standard library are included.

use crate::ir::experiment::Experiment;
use gmpc_grammar::ast::{Ast, Definition, Item, Kind};
use gmpc_grammar::source::{Sources, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Definitions by kind and full name (`uci.yacht`).
pub type Definitions = BTreeMap<(Kind, String), Arc<Definition>>;

/// A resolved file.
#[derive(Debug, Clone)]
pub struct Module {
    /// The texts of the standard library, the user's file and the overrides.
    pub sources: Sources,
    /// Definitions of the standard library and of the user, by kind and full name (`uci.yacht`).
    pub definitions: Definitions,
    /// The network to build.
    pub model: Arc<Definition>,
    /// `param = …` at the top level of the file, or its override; `sp` if the file does not state it.
    pub param: ParamUse,
    /// The definitions that the `train` block names. `None` without such a block.
    pub training: Option<Training>,
    /// Data, training and precision.
    pub experiment: Experiment,
    /// The user's source in canonical form, with all overrides applied. A run folder stores it. It describes the same
    /// experiment without any option.
    pub effective_source: String,
}

/// The definitions a training step is built from.
#[derive(Debug, Clone)]
pub struct Training {
    /// `loss = mae`
    pub loss: Instance,
    /// `optimizer = adam(lr = 0.1)`. Its argument `lr` is also `TrainSpec::lr`. In the graph, `lr` is a scalar input that the
    /// schedule sets. `None` if the `train` block names no optimizer.
    pub optimizer: Option<Instance>,
    /// `metrics = [rmse]`
    pub metrics: Vec<Instance>,
    /// `groups = [angles(lr = 0.01)]`, in the order written.
    pub groups: Vec<Group>,
    /// `freeze = [stem]`: names of layers and blocks, with their places.
    pub freeze: Vec<(String, Span)>,
}

/// `angles(lr = 0.01)`: other arguments of the optimizer for some parameters.
#[derive(Debug, Clone)]
pub struct Group {
    /// A kind of parameter, the name of a layer, or of a block with layers.
    pub name: String,
    /// The arguments of the optimizer that differ.
    pub arguments: BTreeMap<String, Value>,
    /// The group in the text.
    pub span: Span,
}

/// `gmp + mn`: a parameterization and its modifiers.
#[derive(Debug, Clone)]
pub struct ParamUse {
    /// `gmp`
    pub base: Instance,
    /// `mn`, in the order written.
    pub modifiers: Vec<Instance>,
}

/// A definition with its arguments: `gmp(scale = 2)`, `adam(lr = 0.1)`, `he_normal`.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its full name.
    pub name: String,
    /// The definition.
    pub definition: Arc<Definition>,
    /// One value for every parameter of the definition, defaults included. Parameters that a stage fills in itself are missing
    /// (`prediction`, `target`).
    pub arguments: BTreeMap<String, Value>,
    /// The name or call in the text.
    pub span: Span,
}

/// A value known at compile time.
#[derive(Debug, Clone)]
pub enum Value {
    /// A whole number, negative ones included: `10_000`.
    Integer(i64),
    /// A real number, always finite.
    Float(f64),
    /// `"drawn"`
    String(String),
    /// `true`
    Bool(bool),
    /// `[3, 3]`
    List(Vec<Value>),
    /// A definition as a value: `he_normal`, `gmp(scale = 2)`.
    Instance(Box<Instance>),
    /// A word with a meaning for the callee: `same`, `all`, `whitespace`.
    Word(String),
}

impl Instance {
    /// Do both name the same definition, with the same arguments? They may come from two files: then their texts are compared.
    #[must_use]
    pub fn is_same(&self, other: &Instance) -> bool {
        let text = |of: &Instance| {
            let item = Item::Definition((*of.definition).clone());
            gmpc_grammar::print(&Ast { items: vec![item], ..Ast::default() })
        };
        let values =
            |of: &Instance| of.arguments.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>();
        self.name == other.name
            && values(self) == values(other)
            && (Arc::ptr_eq(&self.definition, &other.definition) || text(self) == text(other))
    }
}

impl std::fmt::Display for Value {
    /// As the language writes it, definitions without their arguments.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Integer(n) => write!(f, "{n}"),
            Value::Float(x) => write!(f, "{x}"),
            Value::String(text) => write!(f, "{text:?}"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Value::Instance(instance) => f.write_str(&instance.name),
            Value::Word(word) => f.write_str(word),
        }
    }
}

impl std::fmt::Display for ParamUse {
    /// Prints `gmp + mn`, without arguments.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base.name)?;
        self.modifiers.iter().try_for_each(|m| write!(f, " + {}", m.name))
    }
}
