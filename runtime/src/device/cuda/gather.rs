//! Inputs that the GPU makes itself: data in its memory, and the kernel that picks a batch out of them.

use super::super::gather::Table;
use super::super::{DeviceError, Numbers, Slice};
use super::driver::{Function, Grid, Module, Queue};
use super::memory::{Memory, Pinned};
use crate::data::images::{PURPOSE, Store};
use gmpc_compiler::backend::cuda::gather::{self, Gather};
use gmpc_compiler::experiment::{ImageStep, Precision};
use std::ffi::c_void;
use std::sync::{Arc, Weak};

/// Memory that data leave for programs.
const LEFT_FREE: usize = 2 << 30;

/// Data on a GPU, each as long as somebody here has them too.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<(Origin, Arc<Memory>)>);

/// What data are a copy of.
#[derive(Debug)]
enum Origin {
    Numbers(Weak<Numbers>),
    Images(Weak<Store>),
}

impl Origin {
    fn new(table: &Table<'_>) -> Self {
        match table {
            Table::Numbers { numbers, .. } => Origin::Numbers(Arc::downgrade(numbers)),
            Table::Images { store, .. } => Origin::Images(Arc::downgrade(store)),
        }
    }

    fn is(&self, table: &Table<'_>) -> bool {
        match (self, table) {
            (Origin::Numbers(known), Table::Numbers { numbers, .. }) => known.as_ptr() == Arc::as_ptr(numbers),
            (Origin::Images(known), Table::Images { store, .. }) => known.as_ptr() == Arc::as_ptr(store),
            _ => false,
        }
    }

    fn is_alive(&self) -> bool {
        match self {
            Origin::Numbers(known) => known.strong_count() > 0,
            Origin::Images(known) => known.strong_count() > 0,
        }
    }
}

impl Tables {
    /// Where data are on the GPU; brought there unless they are there. `None` where they do not fit.
    fn keep(&mut self, queue: &Arc<Queue>, table: &Table<'_>) -> Result<Option<Arc<Memory>>, DeviceError> {
        self.0.retain(|(origin, memory)| origin.is_alive() || Arc::strong_count(memory) > 1);
        if let Some((_, memory)) = self.0.iter().find(|(origin, _)| origin.is(table)) {
            return Ok(Some(Arc::clone(memory)));
        }
        let bytes = table.bytes();
        if bytes.saturating_add(LEFT_FREE) > queue.free_bytes()? {
            return Ok(None);
        }
        let memory = Memory::new(queue, bytes)?;
        match table {
            Table::Numbers { numbers, .. } => memory.fill(raw(&numbers.as_slice()))?,
            Table::Images { store, .. } => {
                if let Store::Kept { pixels, .. } = &***store {
                    memory.fill(pixels)?;
                }
            }
        }
        let memory = Arc::new(memory);
        self.0.push((Origin::new(table), Arc::clone(&memory)));
        Ok(Some(memory))
    }
}

/// Numbers as bytes.
fn raw<'a>(numbers: &Slice<'a>) -> &'a [u8] {
    match *numbers {
        // SAFETY: numbers have no padding, and any of their bytes is one.
        Slice::F32(data) => unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) },
        // SAFETY: as above.
        Slice::F64(data) => unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) },
    }
}

/// An input that is made on the GPU, or was found to be made here.
#[derive(Debug)]
pub(super) struct Maker {
    origin: Origin,
    steps: Vec<ImageStep>,
    /// `None` where the data do not fit, or need steps that no kernel does.
    ready: Option<Ready>,
}

/// Everything to make it with.
struct Ready {
    table: Arc<Memory>,
    /// What pixels stand for.
    values: Option<Memory>,
    /// Words that are asked with, here and there.
    here: Pinned,
    there: Memory,
    function: Function,
    grid: Grid,
    _module: Box<dyn Module>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("table", &self.table).field("grid", &self.grid).finish_non_exhaustive()
    }
}

impl Maker {
    /// For a table and an input of `batch` rows.
    pub(super) fn new(
        queue: &Arc<Queue>,
        tables: &mut Tables,
        table: &Table<'_>,
        precision: Precision,
        batch: usize,
    ) -> Result<Self, DeviceError> {
        let steps = if let Table::Images { steps, .. } = table { steps.to_vec() } else { vec![] };
        let ready = match kernel(table, precision, batch) {
            Some(gather) => Ready::new(queue, tables, table, &gather)?,
            None => None,
        };
        Ok(Maker { origin: Origin::new(table), steps, ready })
    }

    /// Does the GPU make the input?
    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Is it for this table?
    pub(super) fn is_for(&self, table: &Table<'_>) -> bool {
        let steps = if let Table::Images { steps, .. } = table { *steps } else { &[] };
        self.origin.is(table) && self.steps == steps
    }

    /// The words to be set before it is put on the stream; `None` where the input is made here.
    pub(super) fn words(&mut self) -> Option<&mut [u32]> {
        Some(self.ready.as_mut()?.here.as_words_mut())
    }

    /// Puts the words and the kernel on the stream.
    ///
    /// # Errors
    /// The driver refuses.
    pub(super) fn put(&self, queue: &Queue, to: u64) -> Result<(), DeviceError> {
        let Some(Ready { table, values, here, there, function, grid, .. }) = &self.ready else { return Ok(()) };
        // SAFETY: `there` has as many words, which nobody changes before the stream has been waited for.
        unsafe { here.send(there.start)? };
        let mut places = [Some(table.start), values.as_ref().map(|values| values.start), Some(there.start), Some(to)];
        let places = places.iter_mut().flatten();
        let mut given: Vec<*mut c_void> = places.map(|place| (&raw mut *place).cast()).collect();
        // SAFETY: these are the kernel's parameters, see `Gather`; the input has room for what it makes, and rows are below the
        // table's count.
        unsafe { queue.launch(*function, *grid, &mut given) }
    }
}

fn kernel(table: &Table<'_>, precision: Precision, batch: usize) -> Option<Gather> {
    match table {
        Table::Numbers { numbers, width } if numbers.precision() == precision => {
            gather::numbers(precision, batch, *width)
        }
        Table::Images { store, steps, .. } => match &***store {
            Store::Kept { shape, .. } => gather::images(precision, batch, *shape, steps, PURPOSE),
            Store::Files { .. } => None,
        },
        Table::Numbers { .. } => None,
    }
}

impl Ready {
    fn new(
        queue: &Arc<Queue>,
        tables: &mut Tables,
        table: &Table<'_>,
        gather: &Gather,
    ) -> Result<Option<Self>, DeviceError> {
        let Some(kept) = tables.keep(queue, table)? else { return Ok(None) };
        let values = match table {
            Table::Numbers { .. } => None,
            Table::Images { values, .. } => {
                let memory = Memory::new(queue, raw(values).len())?;
                memory.fill(raw(values))?;
                Some(memory)
            }
        };
        let module = queue.module(&gather.source)?;
        Ok(Some(Ready {
            table: kept,
            values,
            here: Pinned::zeros(queue, Precision::F32, gather.words)?,
            there: Memory::new(queue, 4 * gather.words)?,
            function: module.function(Gather::NAME)?,
            grid: Grid { blocks: [gather.blocks, 1, 1], threads: [gather.threads, 1, 1], shared_bytes: 0 },
            _module: module,
        }))
    }
}
