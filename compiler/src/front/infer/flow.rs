//! Builds the layers of a flow. A parameterized layer and the activation right after it become one unit.

use super::expand::{FlowStage, What};
use super::{Builder, Frame, Maybe, complain};
use gmpc_grammar::ast::{Expr, Stage};

impl<'m> Builder<'m> {
    /// Builds a flow. Returns the layer that it ends in.
    pub(super) fn flow(&mut self, source: &'m Expr, stages: &'m [Stage], frame: &mut Frame) -> Maybe<usize> {
        let current = self.operand(source, frame);
        let mut steps = Vec::new();
        let mut whole = true;
        // All stages are looked up even if one is unknown, so that every unknown stage is reported.
        for stage in stages {
            whole &= self.expand(&stage.expr, stage.label.as_ref(), frame, &mut steps).is_some();
        }
        if !whole {
            return None;
        }
        self.run(current?, &steps, frame)
    }

    fn run(&mut self, mut current: usize, steps: &[FlowStage<'m>], frame: &mut Frame) -> Maybe<usize> {
        let mut rest = steps;
        while let [step, after @ ..] = rest {
            if !self.step(step.span) {
                return None;
            }
            rest = after;
            current = match step.what {
                What::Block(block) => self.block(block, current, step, frame)?,
                // The formula of a parameterization calls the activation itself: `gmp` is `r * act(s + lambda)`.
                What::BuiltIn(name @ ("dense" | "conv" | "conv_transpose" | "linear")) => {
                    let activation = match after.first() {
                        Some(next) => self.activation_of(next, frame),
                        None => None,
                    };
                    if let Some((_, next)) = &activation {
                        // The activation is used up. The unit is one layer, so it has one label.
                        rest = after.get(1..).unwrap_or(&[]);
                        if let (Some(first), Some(second)) = (step.label, next.label) {
                            return self.fail(complain::two_labels(first, second));
                        }
                    }
                    self.unit(name, current, step, activation, frame)?
                }
                What::BuiltIn(name) => self.layer(name, current, step, frame)?,
                What::Activation(_) => self.activation(current, step, frame)?,
                What::Stage(definition) => self.defined_stage(definition, current, step, frame)?,
            };
        }
        Some(current)
    }
}
