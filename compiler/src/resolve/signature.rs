//! The parameters of whatever can be called in a setting, in order.

use super::data::FILE_KINDS;
use super::data::steps::{NORMALIZE, STEPS};
use super::schedule::{SCHEDULES, STOPS};
use crate::module::Definitions;
use gmpc_grammar::ast::Kind;

/// Names of the parameters; empty where `callee` is unknown.
pub(super) fn parameters(callee: &str, kind: Option<Kind>, definitions: &Definitions) -> Vec<String> {
    let defined = kind.and_then(|kind| definitions.get(&(kind, callee.to_string())));
    if let Some(definition) = defined {
        let supplied = matches!(definition.kind, Kind::Loss | Kind::Metric);
        let own = definition.parameters.iter().map(|p| p.name.text.clone());
        return own.filter(|n| !supplied || (n != "prediction" && n != "target")).collect();
    }
    let built_in = SCHEDULES.iter().chain(&STOPS).chain(&FILE_KINDS).chain(&STEPS).chain([&NORMALIZE]);
    let built_in = built_in.into_iter().find(|(name, _)| *name == callee);
    built_in.map(|(_, slots)| slots.iter().map(|s| s.name.to_string()).collect()).unwrap_or_default()
}
