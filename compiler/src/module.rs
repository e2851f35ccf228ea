//! A file after `resolve`: every name found, every override applied, definitions of the standard library beside the user's.

use crate::experiment::Experiment;
use gmpc_grammar::ast::{Definition, Kind};
use gmpc_grammar::source::{Sources, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Definitions by kind and full name (`uci.yacht`).
pub type Definitions = BTreeMap<(Kind, String), Arc<Definition>>;

/// A resolved file.
#[derive(Debug, Clone)]
pub struct Module {
    /// The user's file, the standard library, the overrides.
    pub sources: Sources,
    /// By kind and full name (`uci.yacht`): the standard library's and the user's.
    pub definitions: Definitions,
    /// The network to build.
    pub model: Arc<Definition>,
    /// `param = …` at the top of the file, overrides applied; `sp` where the file says nothing.
    pub param: ParamUse,
    /// What the `train` block names; `None` without one.
    pub training: Option<Training>,
    /// What is to be done with the network.
    pub experiment: Experiment,
    /// The user's source with every override applied and printed canonically: what a run folder keeps, and what gives
    /// the same experiment again with no option at all.
    pub effective_source: String,
}

/// The definitions a training step is built from.
#[derive(Debug, Clone)]
pub struct Training {
    /// `loss = mae`
    pub loss: Instance,
    /// `optimizer = adam(lr = 0.1)`. Its `lr` argument is also `TrainSpec::lr`; in the graph `lr` is a scalar input that the
    /// schedule sets. A file with a `train` block but no optimizer has none.
    pub optimizer: Option<Instance>,
    /// `metrics = [rmse]`
    pub metrics: Vec<Instance>,
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
    /// What it means.
    pub definition: Arc<Definition>,
    /// One value for every parameter of the definition (defaults filled in), except for those a stage supplies itself
    /// (`prediction`, `target`, `w`, `b`).
    pub arguments: BTreeMap<String, Value>,
    /// Where it was asked for.
    pub span: Span,
}

/// A value known at compile time.
#[derive(Debug, Clone)]
pub enum Value {
    /// `10_000`, and negative ones.
    Integer(i64),
    /// Always finite.
    Float(f64),
    /// `"drawn"`
    String(String),
    /// `true`
    Bool(bool),
    /// `[3, 3]`
    List(Vec<Value>),
    /// `he_normal`, `gmp(scale = 2)`: a definition handed over as a value.
    Instance(Box<Instance>),
    /// `same`, `all`, `whitespace`: a word that the called thing knows.
    Word(String),
}

impl std::fmt::Display for ParamUse {
    /// `gmp + mn`; arguments are left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base.name)?;
        self.modifiers.iter().try_for_each(|m| write!(f, " + {}", m.name))
    }
}
