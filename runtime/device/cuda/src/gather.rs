//! Inputs that the GPU gathers itself: data in its memory, and the kernel that gathers a batch from them.

use super::driver::{Function, Grid, Module, Queue};
use super::memory::{Memory, Pinned};
use gmpc_compiler::ir::experiment::{ImageStep, Precision};
use gmpc_cuda::emit::gather::{self, Gather};
use gmpc_device::table::Table;
use gmpc_device::{DeviceError, Numbers, Slice};
use std::ffi::c_void;
use std::sync::{Arc, Weak};

/// Bytes of GPU memory that must stay free for programs when data are copied there.
const LEFT_FREE: usize = 2 << 30;

/// Data on a GPU. Each stays as long as the host has the data too, or a program uses them.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<(Origin, Arc<Memory>)>);

/// The host's data of which a table is a copy. The reference is weak, so that it does not keep the data alive.
#[derive(Debug)]
enum Origin {
    Numbers(Weak<Numbers>),
    Images(Weak<Vec<u8>>),
}

impl Origin {
    fn new(table: &Table<'_>) -> Self {
        match table {
            Table::Numbers { numbers, .. } => Origin::Numbers(Arc::downgrade(numbers)),
            Table::Images { pixels, .. } => Origin::Images(Arc::downgrade(pixels)),
        }
    }

    fn is(&self, table: &Table<'_>) -> bool {
        match (self, table) {
            (Origin::Numbers(known), Table::Numbers { numbers, .. }) => known.as_ptr() == Arc::as_ptr(numbers),
            (Origin::Images(known), Table::Images { pixels, .. }) => known.as_ptr() == Arc::as_ptr(pixels),
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
    /// The copy of the data on the GPU, made at the first call. `None` if it does not fit.
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
            Table::Images { pixels, .. } => memory.fill(pixels)?,
        }
        let memory = Arc::new(memory);
        self.0.push((Origin::new(table), Arc::clone(&memory)));
        Ok(Some(memory))
    }
}

/// Numbers as bytes.
fn raw<'a>(numbers: &Slice<'a>) -> &'a [u8] {
    match *numbers {
        // SAFETY: `f32` has no padding, so all `size_of_val(data)` bytes are initialized; the lifetime is that of `data`.
        Slice::F32(data) => unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) },
        // SAFETY: as for `f32`.
        Slice::F64(data) => unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) },
    }
}

/// How an input is gathered on the GPU, or the result that it must be made on the host.
#[derive(Debug)]
pub(super) struct Maker {
    origin: Origin,
    steps: Vec<ImageStep>,
    /// `None` if the data do not fit, or a step has no kernel.
    ready: Option<Ready>,
}

/// Everything that is needed to gather the input.
struct Ready {
    table: Arc<Memory>,
    /// The numbers that pixel bytes stand for.
    values: Option<Memory>,
    /// The words that select a batch: on the host, and their copy on the GPU.
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
    /// Prepares an input of `batch` rows from a table.
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

    /// Does the GPU gather the input?
    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Was this made for the table, with the same steps?
    pub(super) fn is_for(&self, table: &Table<'_>) -> bool {
        let steps = if let Table::Images { steps, .. } = table { *steps } else { &[] };
        self.origin.is(table) && self.steps == steps
    }

    /// The words that select a batch, to be set before [`Self::put`]. `None` if the host makes the input.
    pub(super) fn words(&mut self) -> Option<&mut [u32]> {
        Some(self.ready.as_mut()?.here.as_words_mut())
    }

    /// Puts the copy of the words, and the kernel, on the stream.
    ///
    /// # Errors
    /// The driver refuses.
    pub(super) fn put(&self, queue: &Queue, to: u64) -> Result<(), DeviceError> {
        let Some(Ready { table, values, here, there, function, grid, .. }) = &self.ready else { return Ok(()) };
        // SAFETY: `Ready::new` made `there` as large as `here`. Only `words` changes `here`, and `Executable` forbids
        // calls that reach it until `finish` has waited for the stream.
        unsafe { here.send(there.start)? };
        let mut places = [Some(table.start), values.as_ref().map(|values| values.start), Some(there.start), Some(to)];
        let places = places.iter_mut().flatten();
        let mut given: Vec<*mut c_void> = places.map(|place| (&raw mut *place).cast()).collect();
        // SAFETY: the kernel's parameters are these pointers in this order, see `Gather::source`. The kernel writes
        // `batch` rows, the size of the input at `to`. The caller of `Executable::gather` asks only for rows of the
        // table.
        unsafe { queue.launch(*function, *grid, &mut given) }
    }
}

fn kernel(table: &Table<'_>, precision: Precision, batch: usize) -> Option<Gather> {
    match table {
        Table::Numbers { numbers, width } if numbers.precision() == precision => {
            gather::numbers(precision, batch, *width)
        }
        Table::Images { shape, purpose, steps, .. } => gather::images(precision, batch, *shape, steps, *purpose),
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
        let Some(on_gpu) = tables.keep(queue, table)? else { return Ok(None) };
        // The table of pixels is shared by all programs; what bytes stand for depends on the program's precision.
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
            table: on_gpu,
            values,
            // Words of 32 bits take the room of numbers in single precision.
            here: Pinned::zeros(queue, Precision::F32, gather.words)?,
            there: Memory::new(queue, 4 * gather.words)?,
            function: module.function(Gather::NAME)?,
            grid: Grid { blocks: [gather.blocks, 1, 1], threads: [gather.threads, 1, 1], shared_bytes: 0 },
            _module: module,
        }))
    }
}
