//! The formula of a `schedule` definition: a rate that follows from the time alone.
//!
//! ```text
//! schedule milestones(at, factor) { base * factor ^ count(at <= epoch) }        with at = [30], factor = 0.1
//! %0 = base   %1 = 0.1   %2 = 30   %3 = epoch   %4 = %2 <= %3   %5 = %1 ^ %4   %6 = %0 * %5
//! ```

use crate::ir::graph::{Op, scalar};

/// A formula over the time of a run, as a list of nodes with operands before their users.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Name of the definition, for messages.
    pub name: String,
    /// Operands come before their users. At least one.
    pub nodes: Vec<CurveNode>,
    /// Index of the rate.
    pub result: usize,
}

/// One node of a formula.
#[derive(Debug, Clone, PartialEq)]
pub enum CurveNode {
    /// A number.
    Number(f64),
    /// A value that the runtime provides.
    Clock(Hand),
    /// An operation on earlier nodes. Operands that it does not have are 0.
    Apply(CurveOp, [usize; 3]),
}

/// An operation of a formula.
#[derive(Debug, Clone, PartialEq)]
pub enum CurveOp {
    /// Elementwise.
    Each(Op),
    /// The next whole number that is not larger.
    Floor,
    /// The next whole number that is not smaller.
    Ceil,
}

/// A value that a formula can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// Epochs that are done.
    Epoch,
    /// Epochs of the whole run.
    Epochs,
    /// Optimizer steps that are done.
    Step,
    /// Optimizer steps of the whole run.
    Steps,
    /// `step / steps`
    Progress,
    /// The learning rate of the optimizer.
    Base,
}

impl Hand {
    /// All of them, with their names in the language.
    pub const ALL: [(&'static str, Hand); 6] = [
        ("epoch", Hand::Epoch),
        ("epochs", Hand::Epochs),
        ("step", Hand::Step),
        ("steps", Hand::Steps),
        ("progress", Hand::Progress),
        ("base", Hand::Base),
    ];
}

/// A moment of a run. Epochs and steps count from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Epochs that are done.
    pub epoch: u64,
    /// Epochs of the whole run.
    pub epochs: u64,
    /// Optimizer steps that are done.
    pub step: u64,
    /// Optimizer steps of the whole run.
    pub steps: u64,
}

impl Curve {
    /// The rate at a moment. `base` is the optimizer's learning rate. `registers` is working memory, so that a call allocates
    /// nothing after the first one.
    #[must_use]
    pub fn at(&self, base: f64, moment: &Moment, registers: &mut Vec<f64>) -> f64 {
        registers.clear();
        for node in &self.nodes {
            let value = match node {
                CurveNode::Number(value) => *value,
                CurveNode::Clock(hand) => hand.value(base, moment),
                CurveNode::Apply(op, operands) => op.apply(operands.map(|i| registers.get(i).copied().unwrap_or(0.0))),
            };
            registers.push(value);
        }
        registers.get(self.result).copied().unwrap_or(f64::NAN)
    }

    /// Does the rate change from step to step? If it only reads the epoch, one value holds for the whole epoch.
    #[must_use]
    pub fn every_step(&self) -> bool {
        let mut read = vec![false; self.nodes.len()];
        if let Some(result) = read.get_mut(self.result) {
            *result = true;
        }
        for index in (0..self.nodes.len()).rev().filter(|&i| i <= self.result) {
            if let (true, CurveNode::Apply(_, operands)) = (read[index], &self.nodes[index]) {
                operands.iter().filter(|&&i| i < index).for_each(|&i| read[i] = true);
            }
        }
        let moves = |node: &CurveNode| matches!(node, CurveNode::Clock(Hand::Step | Hand::Progress));
        self.nodes.iter().zip(&read).any(|(node, &read)| read && moves(node))
    }
}

impl Hand {
    fn value(self, base: f64, moment: &Moment) -> f64 {
        match self {
            Hand::Epoch => moment.epoch as f64,
            Hand::Epochs => moment.epochs.max(1) as f64,
            Hand::Step => moment.step as f64,
            Hand::Steps => moment.steps.max(1) as f64,
            Hand::Progress => moment.step as f64 / moment.steps.max(1) as f64,
            Hand::Base => base,
        }
    }
}

impl CurveOp {
    /// Computes one node.
    #[must_use]
    pub fn apply(&self, operands: [f64; 3]) -> f64 {
        match self {
            CurveOp::Each(op) => scalar(op, operands),
            CurveOp::Floor => operands[0].floor(),
            CurveOp::Ceil => operands[0].ceil(),
        }
    }
}
