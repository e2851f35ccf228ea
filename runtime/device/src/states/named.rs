//! States by name, in the layout of files. Checkpoints, conversion and tests use this form.

use crate::{Numbers, Slice, SliceMut, States};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Role, State, Tensor};
use gmpc_compiler::ir::layout::StateLayout;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tensor in the layout of files.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Sizes of the axes; a dense weight is `[units, fan_in]`.
    pub shape: Vec<usize>,
    /// The numbers, row-major.
    pub numbers: Numbers,
}

/// Tensors by name.
pub type Named = BTreeMap<String, Stored>;

impl States {
    /// States that are all zero.
    #[must_use]
    pub fn zeros(layout: &Arc<StateLayout>, precision: Precision) -> Self {
        States::new(Arc::clone(layout), Numbers::zeros(precision, layout.elements))
    }

    /// The states whose role passes `keep`, in the layout of files.
    #[must_use]
    pub fn named(&self, keep: impl Fn(Role) -> bool) -> Named {
        let chosen = self.layout.states.iter().zip(&self.layout.offsets).filter(|(state, _)| keep(state.role));
        chosen.map(|(state, &offset)| (state.name.clone(), self.stored(state, offset))).collect()
    }

    fn stored(&self, state: &State, offset: usize) -> Stored {
        let numbers = match &self.data().as_slice() {
            Slice::F32(data) => Numbers::F32(to_file(state, &data[offset..])),
            Slice::F64(data) => Numbers::F64(to_file(state, &data[offset..])),
        };
        Stored { shape: state.file_shape.clone(), numbers }
    }

    /// Sets every state whose role passes `keep` from the tensors of a file. Numbers are rounded if the precisions
    /// differ. Other tensors are ignored.
    ///
    /// # Errors
    /// A sentence: a tensor is missing, or has another shape. Some states may have been set by then.
    pub fn set_named(&mut self, tensors: &Named, keep: impl Fn(Role) -> bool) -> Result<(), String> {
        let layout = Arc::clone(&self.layout);
        for (state, &offset) in layout.states.iter().zip(&layout.offsets).filter(|(state, _)| keep(state.role)) {
            let stored = tensors.get(&state.name).ok_or_else(|| format!("it has no tensor `{}`", state.name))?;
            if stored.shape != state.file_shape {
                let (found, wanted) = (&stored.shape, &state.file_shape);
                return Err(format!("`{}` is {found:?} in it, where the network has {wanted:?}", state.name));
            }
            self.put(state, offset, &stored.numbers.as_slice().to_f64());
        }
        Ok(())
    }

    /// Sets a state from numbers in graph layout. Each is rounded once.
    ///
    /// # Errors
    /// A sentence: the shapes differ.
    pub fn set_tensor(&mut self, index: usize, tensor: &Tensor) -> Result<(), String> {
        let layout = Arc::clone(&self.layout);
        let known = layout.states.get(index).zip(layout.offsets.get(index));
        let Some((state, &offset)) = known.filter(|(state, _)| state.shape == tensor.shape) else {
            return Err(format!("state {index} is not {:?}", tensor.shape));
        };
        assert!(offset + state.shape.iter().product::<usize>() <= layout.elements, "a state outside of the layout");
        self.write(offset, tensor.data.iter().copied(), tensor.data.len());
        Ok(())
    }

    /// Sets the columns of a state from `first` on, as many as `tensor` has: the indices of its last axis. Each number is rounded
    /// once.
    ///
    /// # Errors
    /// A sentence: the shapes differ elsewhere, or the state has fewer columns.
    pub fn set_columns(&mut self, index: usize, first: usize, tensor: &Tensor) -> Result<(), String> {
        let layout = Arc::clone(&self.layout);
        let known = layout.states.get(index).filter(|state| state.shape == tensor.shape);
        if known.is_some() && first == 0 {
            return self.set_tensor(index, tensor);
        }
        let (state, &offset) = layout.states.get(index).zip(layout.offsets.get(index)).ok_or("no such state")?;
        let (Some((&all, rows)), Some((&columns, same))) = (state.shape.split_last(), tensor.shape.split_last()) else {
            return Err(format!("state {index} has no columns"));
        };
        if rows != same || first + columns > all || columns == 0 {
            return Err(format!("state {index} has no columns {:?} from {first} on", tensor.shape));
        }
        assert!(offset + state.shape.iter().product::<usize>() <= layout.elements, "a state outside of the layout");
        for (row, numbers) in tensor.data.chunks_exact(columns).enumerate() {
            self.write(offset + row * all + first, numbers.iter().copied(), columns);
        }
        Ok(())
    }

    /// A state in graph layout and double precision.
    ///
    /// # Panics
    /// There is no such state.
    #[must_use]
    pub fn tensor(&self, index: usize) -> Tensor {
        let (state, offset) = (&self.layout.states[index], self.layout.offsets[index]);
        let len = state.shape.iter().product::<usize>();
        Tensor { shape: state.shape.clone(), data: (offset..offset + len).map(|i| self.data().get(i)).collect() }
    }

    /// The first state with a number that is not finite.
    #[must_use]
    pub fn first_not_finite(&self) -> Option<&State> {
        let mut each = self.layout.states.iter().zip(&self.layout.offsets);
        let found = each.find(|(state, offset)| {
            let range = **offset..**offset + state.shape.iter().product::<usize>();
            match self.data().as_slice() {
                Slice::F32(data) => data[range].iter().any(|number| !number.is_finite()),
                Slice::F64(data) => data[range].iter().any(|number| !number.is_finite()),
            }
        });
        found.map(|(state, _)| state)
    }

    fn put(&mut self, state: &State, offset: usize, file: &[f64]) {
        let (rows, columns) = matrix(state);
        if state.transposed {
            // The file holds `columns` units of `rows` numbers each; the graph holds the transpose.
            let numbers = (0..rows).flat_map(|row| (0..columns).map(move |column| file[column * rows + row]));
            self.write(offset, numbers, file.len());
        } else {
            self.write(offset, file.iter().copied(), file.len());
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounded once, as the precision says")]
    fn write(&mut self, offset: usize, numbers: impl Iterator<Item = f64>, len: usize) {
        match self.data_mut().as_mut() {
            SliceMut::F32(to) => to[offset..offset + len].iter_mut().zip(numbers).for_each(|(to, n)| *to = n as f32),
            SliceMut::F64(to) => to[offset..offset + len].iter_mut().zip(numbers).for_each(|(to, n)| *to = n),
        }
    }
}

/// The sizes of a state as a matrix: fan-in, units.
fn matrix(state: &State) -> (usize, usize) {
    let rows = state.shape.first().copied().unwrap_or(1);
    (rows, state.shape.iter().skip(1).product())
}

fn to_file<T: Copy>(state: &State, data: &[T]) -> Vec<T> {
    let (rows, columns) = matrix(state);
    if state.transposed {
        (0..columns).flat_map(|column| (0..rows).map(move |row| data[row * columns + column])).collect()
    } else {
        data[..rows * columns].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(precision: Precision) -> States {
        let state = |name: &str, role, shape: Vec<usize>, file_shape: Vec<usize>, transposed| State {
            name: name.into(),
            role,
            shape,
            file_shape,
            transposed,
            meaning: gmpc_compiler::ir::axes::Meaning::default(),
        };
        let layout = StateLayout::new(&[
            state("a.w", Role::Parameter, vec![3, 2], vec![2, 3], true),
            state("a.b", Role::Parameter, vec![2], vec![2], false),
            state("adam.m/a.b", Role::Optimizer, vec![2], vec![2], false),
        ]);
        let mut states = States::zeros(&Arc::new(layout), precision);
        states.set_tensor(0, &Tensor { shape: vec![3, 2], data: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] }).unwrap();
        states.set_tensor(1, &Tensor { shape: vec![2], data: vec![7.0, 0.1] }).unwrap();
        states
    }

    #[test]
    fn columns_of_a_state_are_set_alone() {
        let mut states = states(Precision::F64);
        states.set_columns(0, 1, &Tensor { shape: vec![3, 1], data: vec![-2.0, -4.0, -6.0] }).unwrap();
        assert_eq!(states.tensor(0).data, [1.0, -2.0, 3.0, -4.0, 5.0, -6.0]);
        states.set_columns(0, 0, &Tensor { shape: vec![3, 2], data: vec![1.0; 6] }).unwrap();
        assert_eq!(states.tensor(0).data, [1.0; 6]);
        assert!(states.set_columns(0, 1, &Tensor { shape: vec![3, 2], data: vec![1.0; 6] }).is_err(), "beyond the end");
        assert!(states.set_columns(0, 0, &Tensor { shape: vec![2, 2], data: vec![1.0; 4] }).is_err(), "other rows");
    }

    #[test]
    fn a_file_holds_one_unit_after_another() {
        let named = states(Precision::F32).named(|role| role == Role::Parameter);
        assert_eq!(named.keys().collect::<Vec<_>>(), ["a.b", "a.w"]);
        assert_eq!(named["a.w"].shape, [2, 3]);
        assert_eq!(named["a.w"].numbers.as_slice().to_f64(), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn what_a_file_holds_comes_back_bit_for_bit() {
        for precision in [Precision::F32, Precision::F64] {
            let before = states(precision);
            let mut after = States::zeros(&before.layout, precision);
            after.set_named(&before.named(|_| true), |_| true).unwrap();
            assert_eq!(before.data(), after.data());
        }
    }

    #[test]
    fn a_missing_tensor_and_a_wrong_shape_are_named() {
        let mut states = states(Precision::F32);
        let mut named = states.named(|role| role == Role::Parameter);
        assert_eq!(states.set_named(&named, |_| true).unwrap_err(), "it has no tensor `adam.m/a.b`");
        named.get_mut("a.w").unwrap().shape = vec![3, 2];
        let error = states.set_named(&named, |role| role == Role::Parameter).unwrap_err();
        assert_eq!(error, "`a.w` is [3, 2] in it, where the network has [2, 3]");
    }

    #[test]
    fn a_state_that_is_not_finite_is_named() {
        let mut states = states(Precision::F32);
        assert_eq!(states.first_not_finite(), None);
        states.set_tensor(1, &Tensor { shape: vec![2], data: vec![0.0, f64::NAN] }).unwrap();
        assert_eq!(states.first_not_finite().unwrap().name, "a.b");
    }
}
