//! Stages of a flow as a plain list: `if` and `match` decided, `repeat` unrolled, names looked up.

use super::{Builder, Frame, MOST_STEPS, Maybe, STAGES, complain};
use crate::arguments::{Slot, bind};
use crate::constant::branch;
use crate::module::Value;
use gmpc_grammar::ast::{Argument, Definition, Expr, ExprKind, Ident, Kind, Path};
use gmpc_grammar::source::Span;
use std::sync::Arc;

/// One stage, ready to be applied.
#[derive(Clone, Copy)]
pub(super) struct Step<'m> {
    /// What it applies.
    pub what: What<'m>,
    /// Of the call.
    pub arguments: &'m [Argument],
    /// `as hidden`
    pub label: Option<&'m Ident>,
    /// The stage in the text.
    pub span: Span,
}

/// What a stage applies.
#[derive(Clone, Copy)]
pub(super) enum What<'m> {
    /// `dense`, `relu`, …
    BuiltIn(&'static str),
    /// One of the file's or the library's.
    Block(&'m Arc<Definition>),
}

impl<'m> Builder<'m> {
    /// Adds the stages of an expression in stage position.
    pub(super) fn expand(
        &mut self,
        expr: &'m Expr,
        label: Option<&'m Ident>,
        frame: &Frame,
        steps: &mut Vec<Step<'m>>,
    ) -> Maybe<()> {
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
        steps: &mut Vec<Step<'m>>,
    ) -> Maybe<()> {
        if steps.len() >= MOST_STEPS {
            return self.stop(complain::too_many(span, "stages", MOST_STEPS));
        }
        let mut name = path.to_string();
        // A block's parameter may hold the name of an activation.
        if let Some(Value::Word(word)) = frame.names.get(&name) {
            name.clone_from(word);
        }
        let what = match STAGES.iter().find(|s| **s == name && name != "concat") {
            Some(built_in) => What::BuiltIn(built_in),
            None => match self.module.definitions.get(&(Kind::Block, name.clone())) {
                Some(block) => What::Block(block),
                None => return self.unknown_stage(&name, path.span(), frame),
            },
        };
        steps.push(Step { what, arguments, label, span });
        Some(())
    }

    fn unknown_stage(&mut self, name: &str, span: Span, frame: &Frame) -> Maybe<()> {
        if frame.tensors.contains_key(name) || frame.names.contains_key(name) {
            return self.fail(complain::no_stage_but_a_value(name, span));
        }
        let blocks = self.module.definitions.keys().filter(|(k, _)| *k == Kind::Block).map(|(_, n)| n.as_str());
        let error = complain::unknown_stage(name, span, STAGES.into_iter().chain(blocks));
        self.fail(error)
    }

    /// `repeat(3, dense(64) -> relu)`
    fn repeat(
        &mut self,
        arguments: &'m [Argument],
        label: Option<&'m Ident>,
        span: Span,
        frame: &Frame,
        steps: &mut Vec<Step<'m>>,
    ) -> Maybe<()> {
        let slots = [Slot::required("n"), Slot::required("stage")];
        let bound = bind("repeat", span, &slots, slots.len(), arguments);
        let bound = self.keep(bound)?;
        let (n, stage) = (*bound.get("n")?, *bound.get("stage")?);
        let times = match self.known(n, frame)? {
            Value::Integer(times) if times >= 0 => usize::try_from(times).unwrap_or(usize::MAX),
            other => return self.fail(complain::unfit("n", "a whole number, 0 or more", n.span, &other)),
        };
        if let Some(label) = label.filter(|_| times != 1) {
            return self.fail(complain::label_on_repeat(label, span));
        }
        let before = steps.len();
        if times > 0 {
            self.expand(stage, label, frame, steps)?;
        }
        let made = steps.len() - before;
        if made.saturating_mul(times) > MOST_STEPS {
            return self.stop(complain::too_many(span, "stages", MOST_STEPS));
        }
        for _ in 1..times {
            steps.extend_from_within(before..before + made);
        }
        Some(())
    }
}
