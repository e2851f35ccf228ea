//! Producer inlining: pools and maps are computed where they are read, and their results need no memory.
//!
//! ```text
//! t9 = max_pool_grad t3 t8                                       two passes over images: t9 written, t9 read
//! for i, j, k: t10[…] = select(t9[…], …), images11 = sum …       becomes one: max_pool_grad_…(at, t3, t8) in the nest
//!
//! for i, j: t3[…] = max(t2[…] factor[j] + shift[j], 0)           written, and read by a pool and its gradient
//! t4 = max_pool t3                                               becomes one: max_pool_…(at, t2, factor, shift)
//! ```
//!
//! The gradient of a pool usually goes through a ReLU mask and into the gradient of a bias. One pass moves a third of the
//! memory. A map is computed again in each reader if all readers can. If one reader needs the map in memory, the other readers
//! compute it only if they read all its large operands anyway.

use crate::emit::nest::form;
use crate::emit::transpose::is_transpose;
use crate::emit::{mapped, pool};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::{Buffer, BufferId, Expr, Kernel, Kernels, Nest, Pool, Pooling, Work};

/// Kernels, some of which are inlined into others.
#[derive(Debug, Clone)]
pub(crate) struct Inlined {
    /// All kernels in order.
    pub(crate) kernels: Kernels,
    /// For each kernel: true if it is inlined into the next kernel that is not marked.
    pub(crate) marks: Vec<bool>,
}

/// Inlines pools and maps into their readers. An inlined kernel stands before its reader, is marked, and stores nothing.
pub(crate) fn inline(kernels: Kernels, precision: Precision) -> Inlined {
    let item = |kernel: &Kernel| Item { kernel: kernel.clone(), computed: Vec::new() };
    let items = kernels.kernels.iter().map(item).collect();
    let mut inlining = Inlining { kernels: Kernels { kernels: Vec::new(), ..kernels }, items, precision };
    // Pools before maps: a pool inlined into a nest can then read a map that is inlined into the same nest.
    inlining.pools();
    inlining.maps();
    let Inlining { mut kernels, items, .. } = inlining;
    let mut marks = Vec::new();
    for Item { kernel, computed } in items {
        marks.extend(computed.iter().map(|_| true).chain([false]));
        kernels.kernels.extend(computed.into_iter().chain([kernel]));
    }
    Inlined { kernels, marks }
}

/// A kernel with the kernels inlined into it, in order.
struct Item {
    kernel: Kernel,
    computed: Vec<Kernel>,
}

impl Item {
    fn works(&self) -> impl Iterator<Item = &Work> {
        self.computed.iter().chain([&self.kernel]).map(|kernel| &kernel.work)
    }

    fn reads(&self, id: BufferId) -> bool {
        self.works().any(|work| work.reads().contains(&id))
    }

    /// Lets the item read `to` instead of `from`.
    fn rename(&mut self, from: BufferId, to: BufferId) {
        for kernel in self.computed.iter_mut().chain([&mut self.kernel]) {
            match &mut kernel.work {
                Work::Nest(nest) => nest.exprs.iter_mut().for_each(|expr| {
                    if let Expr::Load(access) = expr
                        && access.buffer == from
                    {
                        access.buffer = to;
                    }
                }),
                Work::Pool(pool) if pool.x == Some(from) => pool.x = Some(to),
                Work::Pool(_) | Work::MatMul(_) | Work::Convolve(_) | Work::Cast(_) => {}
                Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => {}
            }
        }
    }
}

struct Inlining {
    /// Buffers and outputs; its list of kernels is empty while `items` holds them.
    kernels: Kernels,
    items: Vec<Item>,
    precision: Precision,
}

impl Inlining {
    /// The items that read a buffer.
    fn readers(&self, id: BufferId) -> Vec<usize> {
        (0..self.items.len()).filter(|&place| self.items[place].reads(id)).collect()
    }

    /// Does no item after `from`, up to and including `to`, write one of the buffers?
    fn stay(&self, ids: &[BufferId], from: usize, to: usize) -> bool {
        let written = |item: &Item| item.kernel.work.writes().iter().any(|id| ids.contains(id));
        to > from && !self.items[from + 1..=to].iter().any(written)
    }

    /// A new buffer like `id`, for a further reader that computes the same values.
    fn again(&mut self, id: BufferId) -> BufferId {
        let like = &self.kernels.buffers[id.index()];
        let buffer = Buffer { name: like.name.clone(), ..*like };
        self.kernels.buffers.push(buffer);
        BufferId::new(self.kernels.buffers.len() - 1)
    }

    /// Inlines pools into the nests that read them.
    fn pools(&mut self) {
        // From last to first, so that removing an item leaves the places of earlier items unchanged.
        for place in (0..self.items.len()).rev() {
            let Work::Pool(pool) = self.items[place].kernel.work.clone() else { continue };
            let Some(readers) = self.readers_of_pool(place, &pool) else { continue };
            let span = self.items.remove(place).kernel.span;
            for (number, reader) in readers.into_iter().map(|reader| reader - 1).enumerate() {
                let target = if number == 0 { pool.target } else { self.again(pool.target) };
                self.items[reader].rename(pool.target, target);
                let work = Work::Pool(Pool { target, ..pool.clone() });
                self.items[reader].computed.push(Kernel { work, span });
            }
        }
    }

    /// The nests that read the result of a pool, if all of them can compute it instead and less memory is read.
    fn readers_of_pool(&self, place: usize, pool: &Pool) -> Option<Vec<usize>> {
        let readers = self.readers(pool.target);
        let reads = |nest: &Nest, id: BufferId| nest.loads().any(|load| load.buffer == id);
        let alone = readers.len() == 1;
        let is_gradient = matches!(pool.pooling, Pooling::MaxGradient | Pooling::SumGradient);
        let can = |&reader: &usize| {
            let Item { kernel: Kernel { work: Work::Nest(nest), .. }, computed } = &self.items[reader] else {
                return false;
            };
            // With several readers, each must read the images anyway; else inlining would read them more often.
            let little = alone || is_gradient && pool.x.is_none_or(|x| reads(nest, x));
            let operands = Work::Pool(pool.clone()).reads();
            computed.is_empty() && little && once(nest, pool, self.precision) && self.stay(&operands, place, reader)
        };
        let all = !readers.is_empty() && readers.iter().all(can) && !self.kernels.outputs.contains(&pool.target);
        all.then_some(readers)
    }

    /// Inlines maps into the kernels that read them.
    fn maps(&mut self) {
        for place in (0..self.items.len()).rev() {
            let Item { kernel: Kernel { work: Work::Nest(map), span }, computed } = &self.items[place] else {
                continue;
            };
            let Some(target) = mapped::target(&self.kernels, map).filter(|_| computed.is_empty()) else { continue };
            let (map, span) = (map.clone(), *span);
            let (readers, vanishes) = self.readers_of_map(place, &map, target);
            for (number, &reader) in readers.iter().enumerate() {
                let own = if vanishes && number == 0 { target } else { self.again(target) };
                self.items[reader].rename(target, own);
                let mut copy = map.clone();
                copy.stores[0].access.buffer = own;
                self.items[reader].computed.insert(0, Kernel { work: Work::Nest(copy), span });
            }
            if vanishes {
                self.items.remove(place);
            }
        }
    }

    /// The readers that shall compute a map, and whether nobody else needs it in memory.
    fn readers_of_map(&self, place: usize, map: &Nest, target: BufferId) -> (Vec<usize>, bool) {
        let operands = mapped::operands(map);
        let size = |id: &BufferId| self.kernels.buffers[id.index()].elements;
        let large: Vec<BufferId> = operands.iter().copied().filter(|id| size(id) >= size(&target)).collect();
        let all = self.readers(target);
        let can = |&reader: &usize| {
            self.stay(&operands, place, reader) && computes(&self.items[reader], map, target, self.precision)
        };
        let able: Vec<usize> = all.iter().copied().filter(can).collect();
        // A map of two large operands reads more than its result has numbers: only a single reader may compute it.
        let vanishes = able.len() == all.len() && !all.is_empty() && (large.len() <= 1 || all.len() == 1);
        if vanishes {
            return (able, true);
        }
        let reads_anyway = |&reader: &usize| {
            let Work::Nest(nest) = &self.items[reader].kernel.work else { return false };
            large.iter().all(|id| nest.loads().any(|load| load.buffer == *id))
        };
        (able.into_iter().filter(reads_anyway).collect(), false)
    }
}

/// Can an item compute a map wherever it reads it?
fn computes(item: &Item, map: &Nest, target: BufferId, precision: Precision) -> bool {
    let is_wide = mapped::wide(map, precision).is_some();
    let of_pool = |pool: &Pool| {
        let elsewhere = pool.scale == Some(target) || pool.dy == Some(target);
        !elsewhere && (is_wide || pool::lanes(pool, precision) == 1)
    };
    let of_nest = |nest: &Nest| {
        let lanes = form(nest, precision).1;
        let moves = |strides: &[usize]| nest.space.iter().zip(strides).all(|(size, stride)| *size == 1 || *stride != 0);
        let mut loads = nest.loads().filter(|load| load.buffer == target);
        !is_transpose(nest) && (is_wide || lanes == 1) && loads.all(|load| moves(&load.at.strides))
    };
    let can = |work: &Work, own: bool| match work {
        _ if !work.reads().contains(&target) => true,
        Work::Pool(pool) => of_pool(pool),
        Work::Nest(nest) => own && of_nest(nest),
        Work::MatMul(_) | Work::Convolve(_) | Work::Cast(_) => false,
        Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => false,
    };
    can(&item.kernel.work, true) && item.computed.iter().all(|kernel| can(&kernel.work, false))
}

/// Does the nest read every element of the pool's result once, with neighbouring threads at neighbouring elements?
fn once(nest: &Nest, pool: &Pool, precision: Precision) -> bool {
    let loads: Vec<_> = nest.loads().filter(|load| load.buffer == pool.target).collect();
    let [load] = loads[..] else { return false };
    let (along, lanes) = form(nest, precision);
    let moves = nest.space.iter().zip(&load.at.strides).all(|(size, stride)| *size == 1 || *stride != 0);
    let neighbours = along.is_none_or(|axis| load.at.strides[axis] == 1);
    moves && neighbours && pool.images[3].is_multiple_of(lanes)
}
