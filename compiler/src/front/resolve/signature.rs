//! Finds the parameters of a callee in a setting, in order.

use super::average::AVERAGES;
use super::data::FILE_KINDS;
use super::data::steps::{NORMALIZE, STEPS};
use super::schedule::{SCHEDULES, STOPS};
use super::start::{SEEDS, STARTS};
use crate::front::instance::is_supplied;
use crate::ir::module::Definitions;
use gmpc_grammar::ast::Kind;

/// Returns the names of the parameters. Empty if `callee` is unknown.
pub(super) fn parameters(callee: &str, kind: Option<Kind>, definitions: &Definitions) -> Vec<String> {
    let defined = kind.and_then(|kind| definitions.get(&(kind, callee.to_string())));
    if let Some(definition) = defined {
        let own = definition.parameters.iter().filter(|p| !is_supplied(definition, p));
        return own.map(|p| p.name.text.clone()).collect();
    }
    let built_in = SCHEDULES.iter().chain(&STOPS).chain(&AVERAGES).chain(&STARTS).chain(&SEEDS);
    let built_in = built_in.chain(&FILE_KINDS).chain(&STEPS).chain([&NORMALIZE]);
    let built_in = built_in.into_iter().find(|(name, _)| *name == callee);
    built_in.map(|(_, slots)| slots.iter().map(|s| s.name.to_string()).collect()).unwrap_or_default()
}
