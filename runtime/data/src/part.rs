//! A part of the data in the program's precision, and the copying of its rows into a program's inputs.

use crate::DataError;
use crate::Pick;
use crate::images::{Draw, ImagePart, ImageRows};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_device::table::Table;
use gmpc_device::{DeviceError, Executable, Numbers, SliceMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows of inputs and targets, rounded once to the program's precision.
#[derive(Debug)]
pub struct Rows {
    /// Unique among all `Rows` of this process, so that a program can recognize the rows that it already holds.
    id: u64,
    count: usize,
    inputs: Inputs,
    targets: Matrix,
}

#[derive(Debug)]
enum Inputs {
    Numbers(Matrix),
    /// Images, prepared from bytes or files when they are used.
    Images(Box<ImageRows>),
}

#[derive(Debug)]
struct Matrix {
    width: usize,
    numbers: Arc<Numbers>,
}

impl Rows {
    /// From `[count, features]` and `[count, outputs]`, row-major. The widths follow from the lengths.
    #[must_use]
    pub fn new(precision: Precision, count: usize, inputs: &[f64], targets: &[f64]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let matrix =
            |data: &[f64]| Matrix { width: data.len() / count.max(1), numbers: Arc::new(rounded(precision, data)) };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Rows { id, count, inputs: Inputs::Numbers(matrix(inputs)), targets: matrix(targets) }
    }

    /// From images.
    #[must_use]
    pub fn of_images(precision: Precision, part: ImagePart) -> Self {
        let ImagePart { images, classes } = part;
        let rows = Rows::new(precision, images.count(), &[], &classes);
        Rows { inputs: Inputs::Images(Box::new(images)), ..rows }
    }

    /// Number of input elements of one row.
    #[must_use]
    pub fn width(&self) -> usize {
        match &self.inputs {
            Inputs::Numbers(matrix) => matrix.width,
            Inputs::Images(images) => images.width(),
        }
    }

    /// True if the inputs of training differ from epoch to epoch, although the rows are the same.
    #[must_use]
    pub fn changes(&self) -> bool {
        matches!(&self.inputs, Inputs::Images(images) if images.changes())
    }

    /// Announces the epoch that is trained next, its order of rows (`None`: their own order) and the index of the first
    /// row, so that images can be prepared in advance.
    pub fn begin(&self, seed: u64, epoch: u64, order: Option<&[u32]>, from: usize) {
        if let Inputs::Images(images) = &self.inputs {
            images.begin(seed, epoch, order, from);
        }
    }

    /// Announces that all rows are evaluated in order.
    pub fn begin_plain(&self) {
        if let Inputs::Images(images) = &self.inputs {
            images.begin_plain();
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The identity of these rows within this process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Lets a device make the inputs of some rows from data that it stores. Returns false if it does not.
    ///
    /// # Errors
    /// The device failed.
    pub fn inputs_there(
        &self,
        pick: &Pick<'_>,
        draw: Draw,
        executable: &mut dyn Executable,
        index: usize,
    ) -> Result<bool, DeviceError> {
        match &self.inputs {
            Inputs::Numbers(matrix) => matrix.there(pick, executable, index),
            Inputs::Images(images) => match images.table(draw, self.targets.numbers.precision()) {
                Some(table) => executable.gather(index, &table, &mut |words| images.ask(pick, words)),
                None => Ok(false),
            },
        }
    }

    /// The same for the targets.
    ///
    /// # Errors
    /// The device failed.
    pub fn targets_there(
        &self,
        pick: &Pick<'_>,
        executable: &mut dyn Executable,
        index: usize,
    ) -> Result<bool, DeviceError> {
        self.targets.there(pick, executable, index)
    }

    /// Copies the inputs of some rows one after another. `draw` says how images are prepared.
    ///
    /// # Errors
    /// An image cannot be read or decoded.
    pub fn inputs_into(&self, pick: &Pick<'_>, draw: Draw, to: &mut SliceMut<'_>) -> Result<(), DataError> {
        match &self.inputs {
            Inputs::Numbers(matrix) => matrix.copy(pick, to),
            Inputs::Images(images) => images.copy(pick, draw, to)?,
        }
        Ok(())
    }

    /// The first target of a row, widened: the number of its class.
    #[must_use]
    pub fn target(&self, row: usize) -> f64 {
        let width = self.targets.numbers.len() / self.count.max(1);
        self.targets.numbers.get(row * width)
    }

    /// How many rows each class has. Targets are the numbers of classes.
    #[must_use]
    pub fn rows_of_classes(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for index in 0..self.targets.numbers.len() {
            let class = self.targets.numbers.get(index);
            if class >= 0.0 && class < classes as f64 {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
                let class = class as usize;
                counts[class] += 1;
            }
        }
        counts
    }

    /// Copies the targets of some rows one after another.
    pub fn targets_into(&self, pick: &Pick<'_>, to: &mut SliceMut<'_>) {
        self.targets.copy(pick, to);
    }
}

impl Matrix {
    fn there(&self, pick: &Pick<'_>, executable: &mut dyn Executable, index: usize) -> Result<bool, DeviceError> {
        let table = Table::Numbers { numbers: &self.numbers, width: self.width };
        executable.gather(index, &table, &mut |words| {
            words.iter_mut().zip(pick.rows()).for_each(|(to, row)| *to = row);
        })
    }

    fn copy(&self, pick: &Pick<'_>, to: &mut SliceMut<'_>) {
        match (&*self.numbers, to) {
            (Numbers::F32(from), SliceMut::F32(to)) => gather(from, self.width, pick, to),
            (Numbers::F64(from), SliceMut::F64(to)) => gather(from, self.width, pick, to),
            // Rows always have the precision of the session's programs, so this cannot happen.
            (Numbers::F32(_), SliceMut::F64(_)) | (Numbers::F64(_), SliceMut::F32(_)) => {
                unreachable!("rows of another precision than the program")
            }
        }
    }
}

/// Rounds each number once to a precision.
#[must_use]
pub fn rounded(precision: Precision, data: &[f64]) -> Numbers {
    let mut numbers = Numbers::zeros(precision, data.len());
    match numbers.as_mut() {
        #[expect(clippy::cast_possible_truncation, reason = "to the nearest f32, as the precision says")]
        SliceMut::F32(to) => to.iter_mut().zip(data).for_each(|(to, &number)| *to = number as f32),
        SliceMut::F64(to) => to.copy_from_slice(data),
    }
    numbers
}

fn gather<T: Copy>(from: &[T], width: usize, pick: &Pick<'_>, to: &mut [T]) {
    match pick {
        Pick::Range(rows) => to.copy_from_slice(&from[rows.start * width..rows.end * width]),
        Pick::These(rows) => match width {
            // For a row of a few numbers, a call of memcpy would cost more than the copying.
            1 => rows.iter().zip(to).for_each(|(&row, to)| *to = from[row as usize]),
            2..=4 => narrow::<T, 1>(from, width, rows, to),
            5..=8 => narrow::<T, 4>(from, width, rows, to),
            9..=16 => narrow::<T, 8>(from, width, rows, to),
            _ => rows.iter().zip(to.chunks_exact_mut(width.max(1))).for_each(|(&row, to)| {
                to.copy_from_slice(&from[row as usize * width..][..width]);
            }),
        },
    }
}

/// Copies rows of `W` to `2 W` numbers by two copies of `W` numbers that may overlap, so that the compiler knows every
/// length. With `W` = 1 it is a plain loop.
fn narrow<T: Copy, const W: usize>(from: &[T], width: usize, rows: &[u32], to: &mut [T]) {
    for (&row, to) in rows.iter().zip(to.chunks_exact_mut(width)) {
        let from = &from[row as usize * width..][..width];
        match (from.first_chunk::<W>(), from.last_chunk::<W>()) {
            (Some(first), Some(last)) if W > 1 => {
                to[..W].copy_from_slice(first);
                to[width - W..].copy_from_slice(last);
            }
            _ => from.iter().zip(to).for_each(|(from, to)| *to = *from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_arrive_whole_and_in_order_at_every_width() {
        for width in 1..=40 {
            let inputs: Vec<f64> = (0..5 * width).map(|i| f64::from(u32::try_from(i).unwrap())).collect();
            let rows = Rows::new(Precision::F32, 5, &inputs, &[0.0, 1.0, 2.0, 3.0, 4.0]);
            for (pick, order) in [(Pick::These(&[4, 0, 2]), [4, 0, 2]), (Pick::Range(1..4), [1, 2, 3])] {
                let mut to = vec![0.0f32; 3 * width];
                rows.inputs_into(&pick, Draw::Nothing, &mut SliceMut::F32(&mut to)).unwrap();
                let expected: Vec<f64> = order.iter().flat_map(|row| inputs[row * width..][..width].to_vec()).collect();
                assert_eq!(to.iter().copied().map(f64::from).collect::<Vec<_>>(), expected, "width {width}");
                let mut to = vec![0.0f32; 3];
                rows.targets_into(&pick, &mut SliceMut::F32(&mut to));
                assert_eq!(to.iter().map(|&t| f64::from(t)).collect::<Vec<_>>(), order.map(inputs_row));
            }
        }
    }

    fn inputs_row(row: usize) -> f64 {
        f64::from(u32::try_from(row).unwrap())
    }

    #[test]
    fn two_parts_are_never_taken_for_one_another() {
        let part = || Rows::new(Precision::F64, 1, &[1.0], &[1.0]);
        assert_ne!(part().id(), part().id());
    }
}
