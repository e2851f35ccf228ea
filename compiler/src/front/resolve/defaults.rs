//! Applies `defaults = [gmp(scale = "drawn"), bn(eps = 1e-3)]`: replaces defaults of definitions for the whole file.
//!
//! A file can thus state the arguments of every parameterization, and `--param bn` still selects one by its name. This pass
//! changes the definitions before anything uses them, so nothing else needs to know this setting.

use crate::front::arguments::{Slot, bind};
use crate::front::instance::is_supplied;
use crate::front::suggest::suggestion;
use crate::ir::module::Definitions;
use gmpc_grammar::ast::{Argument, Expr, ExprKind, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use std::sync::Arc;

/// Kinds that take arguments, in the order in which a name is searched.
const KINDS: [Kind; 11] = [
    Kind::Parameterization,
    Kind::Modifier,
    Kind::Activation,
    Kind::Stage,
    Kind::Initializer,
    Kind::Optimizer,
    Kind::Loss,
    Kind::Metric,
    Kind::Schedule,
    Kind::Block,
    Kind::Dataset,
];

/// Changes the defaults of definitions, and notes names and arguments that do not exist.
pub(crate) fn apply(setting: &Expr, definitions: &mut Definitions, errors: &mut Vec<Diagnostic>) {
    let ExprKind::List(items) = &setting.node else {
        errors.push(not_calls(setting));
        return;
    };
    for item in items {
        match &item.node {
            ExprKind::Call { callee, arguments } => {
                errors.extend(one(item, callee, arguments, definitions).err().unwrap_or_default());
            }
            _ => errors.push(not_calls(item)),
        }
    }
}

fn one(
    call: &Expr,
    callee: &Path,
    arguments: &[Argument],
    definitions: &mut Definitions,
) -> Result<(), Vec<Diagnostic>> {
    let name = callee.to_string();
    let key = KINDS.into_iter().map(|kind| (kind, name.clone())).find(|key| definitions.contains_key(key));
    let Some(definition) = key.and_then(|key| definitions.get_mut(&key)) else {
        return Err(vec![unknown(callee, definitions)]);
    };
    let own = definition.parameters.iter().filter(|p| !is_supplied(definition, p));
    let slots: Vec<Slot<'_>> = own.map(|p| Slot::optional(&p.name.text)).collect();
    let bound = bind(&name, call.span, &slots, slots.len(), arguments)?;
    for parameter in &mut Arc::make_mut(definition).parameters {
        if let Some(given) = bound.get(&parameter.name.text) {
            parameter.default = Some((*given).clone());
        }
    }
    Ok(())
}

fn not_calls(expr: &Expr) -> Diagnostic {
    Diagnostic::error("E0224", "`defaults` is a list of calls")
        .label(expr.span, "this is something else")
        .help("write `defaults = [gmp(scale = \"drawn\"), sp(init = glorot_uniform)]`")
}

fn unknown(callee: &Path, definitions: &Definitions) -> Diagnostic {
    let names = definitions.keys().filter(|(kind, _)| KINDS.contains(kind)).map(|(_, name)| name.as_str());
    Diagnostic::error("E0225", format!("there is no definition `{callee}` to give defaults to"))
        .label(callee.span(), "unknown")
        .help(suggestion(&callee.to_string(), "definitions", names))
}

#[cfg(test)]
mod tests {
    use crate::front;
    use crate::front::resolve::Overrides;
    use crate::ir::module::Value;
    use crate::stage::Silent;
    use gmpc_grammar::source::Source;

    fn source(defaults: &str) -> Source {
        let text = format!("defaults = {defaults}\nmodel m(input: [3]) {{ input -> dense(2) -> relu -> linear(1) }}\n");
        Source { name: "test.gmpnet".into(), text }
    }

    fn codes(defaults: &str) -> Vec<&'static str> {
        match front(source(defaults), &Overrides::default(), &Silent) {
            Ok(_) => vec![],
            Err(failure) => failure.diagnostics.iter().map(|d| d.code).collect(),
        }
    }

    #[test]
    fn a_default_holds_wherever_the_definition_is_named_and_an_argument_beats_it() {
        let scale = |param: &str| {
            let overrides = Overrides { param: Some(param.into()), ..Overrides::default() };
            let (module, _) = front(source("[gmp(scale = 3)]"), &overrides, &Silent).expect("a file without mistakes");
            module.param.base.arguments.get("scale").cloned()
        };
        assert!(matches!(scale("gmp + mn"), Some(Value::Integer(3))));
        assert!(matches!(scale("gmp(scale = 5)"), Some(Value::Integer(5))));
    }

    #[test]
    fn names_and_arguments_that_do_not_exist_are_reported() {
        assert_eq!(codes("[gpm(scale = 3)]"), ["E0225"]);
        assert_eq!(codes("[gmp(scael = 3)]"), ["E0211"]);
        assert_eq!(codes("[mae(prediction = 3)]"), ["E0211"]);
        assert_eq!(codes("[gmp]"), ["E0224"]);
        assert_eq!(codes("gmp(scale = 3)"), ["E0224"]);
    }
}
