//! Makes a plain list of the stages of a flow: decides `if` and `match`, unrolls `repeat`, looks up names.

use super::{Builder, Frame, MOST_STEPS, Maybe, complain};
use crate::front::arguments::{Slot, bind};
use crate::front::constant::branch;
use crate::front::stages::{NEWER, STAGES};
use crate::ir::module::{Instance, Value};
use gmpc_grammar::ast::{Argument, Definition, Expr, ExprKind, Ident, Kind, Path};
use gmpc_grammar::source::Span;
use std::sync::Arc;

/// One stage, ready to be applied.
#[derive(Clone)]
pub(super) struct FlowStage<'m> {
    /// The layer or block that it applies.
    pub what: What<'m>,
    /// The activation that a block got as an argument, `act = leaky_relu(0.2)`: it has its arguments already.
    pub given: Option<Box<Instance>>,
    /// The arguments of the call.
    pub arguments: &'m [Argument],
    /// `as hidden`
    pub label: Option<&'m Ident>,
    /// The stage in the text.
    pub span: Span,
}

/// The layer or block that a stage applies.
#[derive(Clone, Copy)]
pub(super) enum What<'m> {
    /// `dense`, `relu`, …
    BuiltIn(&'static str),
    /// A block of the file or of the library.
    Block(&'m Arc<Definition>),
    /// An activation, without its arguments yet.
    Activation(&'m Arc<Definition>),
    /// A stage that a definition describes.
    Stage(&'m Arc<Definition>),
}

impl<'m> Builder<'m> {
    /// Adds the stages of an expression that stands where a stage is expected.
    pub(super) fn expand(
        &mut self,
        expr: &'m Expr,
        label: Option<&'m Ident>,
        frame: &Frame,
        steps: &mut Vec<FlowStage<'m>>,
    ) -> Maybe<()> {
        // The choice depends only on known values, so the list of stages is fixed before any layer is built.
        let chosen = branch(expr, &self.scope(frame)).map_err(|e| vec![e]);
        let chosen = self.keep(chosen)?;
        match &chosen.node {
            ExprKind::Path(path) => self.stage(path, &[], label, chosen.span, frame, steps),
            ExprKind::Call { callee, arguments } if callee.to_string() == "repeat" => {
                self.repeat(arguments, label, chosen.span, frame, steps)
            }
            ExprKind::Call { callee, arguments } => self.stage(callee, arguments, label, chosen.span, frame, steps),
            ExprKind::Flow { source, stages } => {
                self.expand(source, None, frame, steps)?;
                // A label after a whole flow names the layer that the flow ends in.
                let last = stages.len().saturating_sub(1);
                for (i, stage) in stages.iter().enumerate() {
                    let outer = label.filter(|_| i == last);
                    self.expand(&stage.expr, stage.label.as_ref().or(outer), frame, steps)?;
                }
                Some(())
            }
            _ => self.fail(complain::not_a_stage(chosen.span)),
        }
    }

    fn stage(
        &mut self,
        path: &Path,
        arguments: &'m [Argument],
        label: Option<&'m Ident>,
        span: Span,
        frame: &Frame,
        steps: &mut Vec<FlowStage<'m>>,
    ) -> Maybe<()> {
        if steps.len() >= MOST_STEPS {
            return self.stop(complain::too_many(span, "stages", MOST_STEPS));
        }
        let mut name = path.to_string();
        // A parameter of a block may hold an activation: `act = tanh`, `act = leaky_relu(0.2)`.
        let given = match frame.names.get(&name) {
            Some(Value::Instance(instance)) if instance.definition.kind == Kind::Activation => Some(instance.clone()),
            _ => None,
        };
        if let Some(instance) = &given {
            name.clone_from(&instance.name);
        }
        // Arguments at the place of use replace those that the block was given.
        let given = given.filter(|_| arguments.is_empty());
        // `concat` is a function of tensors, not a stage. Built-in stages come first, because a block cannot have their names.
        let what = match STAGES.iter().find(|s| **s == name && name != "concat") {
            Some(built_in) => What::BuiltIn(built_in),
            None => {
                let found = |kind| self.module.definitions.get(&(kind, name.clone()));
                let what = found(Kind::Block)
                    .map(What::Block)
                    .or_else(|| found(Kind::Activation).map(What::Activation))
                    .or_else(|| found(Kind::Stage).map(What::Stage))
                    .or_else(|| NEWER.iter().find(|newer| **newer == name).map(|newer| What::BuiltIn(newer)));
                match what {
                    Some(what) => what,
                    None => return self.unknown_stage(&name, path.span(), frame),
                }
            }
        };
        steps.push(FlowStage { what, given, arguments, label, span });
        Some(())
    }

    fn unknown_stage(&mut self, name: &str, span: Span, frame: &Frame) -> Maybe<()> {
        if frame.tensors.contains_key(name) || frame.names.contains_key(name) {
            return self.fail(complain::no_stage_but_a_value(name, span));
        }
        let flows = |kind: Kind| matches!(kind, Kind::Block | Kind::Activation | Kind::Stage);
        let blocks = self.module.definitions.keys().filter(move |(k, _)| flows(*k)).map(|(_, n)| n.as_str());
        let error = complain::unknown_stage(name, span, STAGES.into_iter().chain(NEWER).chain(blocks));
        self.fail(error)
    }

    /// `repeat(3, dense(64) -> relu)`
    fn repeat(
        &mut self,
        arguments: &'m [Argument],
        label: Option<&'m Ident>,
        span: Span,
        frame: &Frame,
        steps: &mut Vec<FlowStage<'m>>,
    ) -> Maybe<()> {
        let slots = [Slot::required("n"), Slot::required("stage")];
        let bound = bind("repeat", span, &slots, slots.len(), arguments);
        let bound = self.keep(bound)?;
        let (n, stage) = (*bound.get("n")?, *bound.get("stage")?);
        let times = match self.known(n, frame)? {
            // A number that does not fit is far above `MOST_STEPS`, so the check below rejects it.
            Value::Integer(times) if times >= 0 => usize::try_from(times).unwrap_or(usize::MAX),
            other => return self.fail(complain::unfit("n", "a whole number, 0 or more", n.span, &other)),
        };
        if let Some(label) = label.filter(|_| times != 1) {
            return self.fail(complain::label_on_repeat(label, span));
        }
        // The stage is expanded once and copied: expanding it every time would report the same mistake every time.
        let before = steps.len();
        if times > 0 {
            self.expand(stage, label, frame, steps)?;
        }
        let made = steps.len() - before;
        if made.saturating_mul(times) > MOST_STEPS {
            return self.stop(complain::too_many(span, "stages", MOST_STEPS));
        }
        for _ in 1..times {
            let again = steps[before..before + made].to_vec();
            steps.extend(again);
        }
        Some(())
    }
}
