//! Reads `groups = [angles(lr = 0.01), stem(weight_decay = 0)]` and `freeze = [stem, stage1]`.
//!
//! Which parameters a word means is known when the network is: words that mean none are reported there.

use super::context::Context;
use crate::front::arguments::{Bound, Slot, bind};
use crate::front::constant::number;
use crate::front::instance::instantiate;
use crate::ir::module::{Group, Instance};
use gmpc_grammar::ast::{Argument, Expr, ExprKind, Ident, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Reads the groups. `optimizer` is the setting and what it stands for: each group changes some of its arguments.
pub(crate) fn groups(
    expr: &Expr,
    optimizer: (Option<&Expr>, &Option<Option<Instance>>),
    context: &mut Context<'_>,
) -> Option<Vec<Group>> {
    let (call, base) = match optimizer {
        (Some(call), Some(Some(base))) => (context.branch(call)?, base),
        // A wrong optimizer is reported already.
        (Some(_), _) => return None,
        (None, _) => return context.keep(Err(vec![not_groups(expr, "there is no optimizer to change")])),
    };
    let expr = context.branch(expr)?;
    let ExprKind::List(items) = &expr.node else {
        return context.keep(Err(vec![not_groups(expr, "this is not a list of calls")]));
    };
    let mut groups = Some(Vec::new());
    for item in items {
        let read = match &item.node {
            ExprKind::Call { callee, arguments } => group(item.span, (callee, arguments), (call, base), context),
            _ => Err(vec![not_groups(item, "this is not a call")]),
        };
        match (context.keep(read), &mut groups) {
            (Some(group), Some(groups)) => groups.push(group),
            _ => groups = None,
        }
    }
    groups
}

/// Makes the optimizer once more with the arguments of the group, so that they are checked and that defaults which follow from
/// them are right. What differs from the optimizer itself is the group's.
fn group(
    span: Span,
    (name, given): (&Path, &[Argument]),
    (call, base): (&Expr, &Instance),
    context: &Context<'_>,
) -> Result<Group, Vec<Diagnostic>> {
    let parameters = &base.definition.parameters;
    let slots: Vec<Slot<'_>> = parameters.iter().map(|p| Slot::optional(&p.name.text)).collect();
    let own = bind(&base.name, span, &slots, 0, given)?;
    let none: &[Argument] = &[];
    let before = match &call.node {
        ExprKind::Call { arguments, .. } => arguments.as_slice(),
        _ => none,
    };
    let before = bind(&base.name, span, &slots, slots.len(), before)?;
    let arguments = joined(&before, &own);
    let changed = instantiate(&base.definition, &arguments, span, &context.scope())?;
    if let Some(lr) = changed.arguments.get("lr").filter(|_| own.contains_key("lr"))
        && number(lr).is_none_or(|lr| lr < 0.0)
    {
        let place = own.get("lr").map_or(span, |expr| expr.span);
        return Err(vec![
            Diagnostic::error("E0603", "`lr` of a group is a number, 0 or more")
                .label(place, "this is something else")
                .help("write `stem(lr = 0.01)`; `freeze = [stem]` leaves it out of training"),
        ]);
    }
    let differs = |name: &str, value: &crate::ir::module::Value| {
        base.arguments.get(name).is_none_or(|old| format!("{old:?}") != format!("{value:?}"))
    };
    // An argument that the group states counts also where it is that of the optimizer: an earlier group may have changed it.
    let arguments =
        changed.arguments.into_iter().filter(|(name, value)| own.contains_key(name) || differs(name, value));
    Ok(Group { name: name.to_string(), arguments: arguments.collect(), span: name.span() })
}

/// The arguments of the optimizer with those of the group in their place, all by name.
fn joined(before: &Bound<'_>, own: &Bound<'_>) -> Vec<Argument> {
    let mut all = before.clone();
    all.extend(own.iter().map(|(name, expr)| (name.clone(), *expr)));
    let argument = |(name, expr): (String, &Expr)| Argument {
        name: Some(Ident { text: name, span: expr.span }),
        value: expr.clone(),
    };
    all.into_iter().map(argument).collect()
}

fn not_groups(expr: &Expr, label: &str) -> Diagnostic {
    Diagnostic::error("E0616", "`groups` lists kinds or layers with arguments of the optimizer")
        .label(expr.span, label)
        .help("write `groups = [angles(lr = 0.01), stem(weight_decay = 0)]`, below `optimizer = …`")
}

/// Reads names of layers and blocks: `freeze = [stem, stage1]`, or `except = [head]`.
pub(crate) fn layers(setting: &str, expr: &Expr, context: &mut Context<'_>) -> Option<Vec<(String, Span)>> {
    let expr = context.branch(expr)?;
    let items = match &expr.node {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(expr),
    };
    let mut names = Vec::new();
    for item in items {
        let ExprKind::Path(path) = &item.node else {
            return context.keep(Err(vec![
                Diagnostic::error("E0616", format!("`{setting}` lists the names of layers and blocks"))
                    .label(item.span, "this is no name")
                    .help(format!(
                        "write `{setting} = [stem, stage1]`; `input -> dense(8) as stem` gives a layer its name"
                    )),
            ]));
        };
        names.push((path.to_string(), path.span()));
    }
    Some(names)
}
