//! Rules for movement: two reshapes, two transposes or two broadcasts in a row become one.

use super::Rewriter;
use crate::ir::graph::{Id, Op};

impl Rewriter {
    pub(super) fn reshape(&mut self, id: Id, shape: &[usize]) -> Id {
        if self.shape(id) == shape {
            return id;
        }
        let operand = |this: &Self| this.graph[id].inputs[0];
        match self.op(id) {
            Op::Reshape => self.reshape(operand(self), shape),
            // A broadcast number has the same elements in any shape.
            Op::Broadcast if self.shape(operand(self)).iter().product::<usize>() == 1 => {
                let one = self.reshape(operand(self), &vec![1; shape.len()]);
                self.broadcast(one, shape)
            }
            _ => self.push(Op::Reshape, &[id], shape),
        }
    }

    pub(super) fn broadcast(&mut self, id: Id, shape: &[usize]) -> Id {
        if self.shape(id) == shape {
            return id;
        }
        match self.op(id) {
            Op::Broadcast => self.broadcast(self.graph[id].inputs[0], shape),
            _ => self.push(Op::Broadcast, &[id], shape),
        }
    }

    pub(super) fn transpose(&mut self, id: Id, axes: &[usize]) -> Id {
        if axes.iter().enumerate().all(|(i, &axis)| i == axis) {
            return id;
        }
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape(id)[axis]).collect();
        let order: Vec<usize> = axes.iter().copied().filter(|&axis| self.shape(id)[axis] != 1).collect();
        if order.is_sorted() {
            return self.reshape(id, &shape); // only axes of size 1 change places
        }
        match self.op(id).clone() {
            Op::Transpose(inner) => {
                let axes: Vec<usize> = axes.iter().map(|&axis| inner[axis]).collect();
                self.transpose(self.graph[id].inputs[0], &axes)
            }
            Op::Broadcast => {
                let turned = self.transpose(self.graph[id].inputs[0], axes);
                self.broadcast(turned, &shape)
            }
            _ => self.push(Op::Transpose(axes.to_vec()), &[id], &shape),
        }
    }
}
