//! Expands a block at one place of use: its arguments, its names, its layers with a prefix of their own.

use super::expand::FlowStage;
use super::{Builder, DEEPEST_BLOCK, Frame, Maybe, complain};
use crate::front::arguments::{Slot, bind};
use crate::front::names::param_use;
use gmpc_grammar::ast::Definition;

impl<'m> Builder<'m> {
    /// Builds the block's layers on `input`. Returns the layer that is its output.
    pub(super) fn block(
        &mut self,
        block: &'m Definition,
        input: usize,
        step: &FlowStage<'m>,
        caller: &mut Frame,
    ) -> Maybe<usize> {
        if caller.nesting >= DEEPEST_BLOCK {
            return self.stop(complain::too_deep(step.span));
        }
        // The whole block counts as work, even if its body makes no layers.
        if !self.step(block.span) {
            return None;
        }
        let name = block.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut slots: Vec<Slot<'_>> =
            block.parameters.iter().map(|p| Slot { name: &p.name.text, required: p.default.is_none() }).collect();
        let positional = slots.len();
        // Every block can be called with `param = …`, by name only. It then replaces the caller's parameterization.
        slots.push(Slot::optional("param"));
        let bound = bind(&name, step.span, &slots, positional, step.arguments);
        let bound = self.keep(bound)?;
        let param = match bound.get("param") {
            Some(expr) => {
                let param = param_use(expr, &self.scope(caller));
                self.keep(param)?
            }
            None => caller.param.clone(),
        };
        // The prefix takes a name too: otherwise a layer `basic1` could not be told from the block `basic1`.
        let prefix = caller.name(&name.replace('.', "_"), step.label);
        if let Some(first) = self.taken.insert(prefix.clone(), step.span) {
            return self.fail(complain::same_name(&prefix, step.label.map_or(step.span, |l| l.span), first));
        }
        let mut frame = self.frame(input, format!("{prefix}."), param, caller.nesting + 1);
        for parameter in &block.parameters {
            // Arguments are evaluated among the names of the caller. Defaults are evaluated among the names of the block: they
            // may use its input and earlier parameters.
            let value = match (bound.get(&parameter.name.text), &parameter.default) {
                (Some(given), _) => self.known(given, caller),
                (None, Some(default)) => self.known(default, &frame),
                (None, None) => None,
            };
            frame.bound.insert(parameter.name.text.clone(), parameter.name.span);
            frame.names.insert(parameter.name.text.clone(), value?);
        }
        self.body(&block.body, &mut frame)
    }
}
