//! Reads `record = boundaries`.

use super::context::Context;
use super::schedule::call;
use crate::front::arguments::Slot;
use crate::ir::experiment::{Every, Followed, Record};
use gmpc_grammar::ast::Expr;
use gmpc_grammar::diagnostic::Diagnostic;

/// What can be recorded, with its parameters.
pub(crate) const RECORDS: [(&str, &[Slot<'static>]); 1] =
    [("boundaries", &[Slot::optional("epochs"), Slot::optional("steps"), Slot::optional("layers")])];

/// The layers whose boundaries are recorded.
const LAYERS: [(&str, Followed); 2] = [("first", Followed::First), ("all", Followed::All)];

/// Reads `boundaries` (of the first layers, after every epoch), `boundaries(epochs = 10)`, `boundaries(steps = 100)` or
/// `boundaries(layers = all)`.
pub(crate) fn record(expr: &Expr, context: &mut Context<'_>) -> Option<Record> {
    let chosen = context.branch(expr)?;
    let (_, given) = call(chosen, "record", &RECORDS, context)?;
    let every = match (given.get("epochs"), given.get("steps")) {
        (Some(epochs), Some(steps)) => {
            return context.keep(Err(vec![
                Diagnostic::error("E0615", "`boundaries` counts epochs or steps, not both")
                    .label(epochs.span, "so many epochs")
                    .label(steps.span, "so many steps")
                    .help("leave one of them out"),
            ]));
        }
        (None, Some(steps)) => Every::Steps(context.whole("steps", steps, 1)?),
        (Some(epochs), None) => Every::Epochs(context.whole("epochs", epochs, 1)?),
        (None, None) => Every::Epochs(1),
    };
    let followed = given.get("layers").map_or(Some(Followed::First), |expr| context.word("layers", expr, &LAYERS))?;
    Some(Record { every, followed, span: expr.span })
}
