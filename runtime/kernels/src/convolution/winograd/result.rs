//! The forward Winograd convolution, and the gradient at the input.
//!
//! The kernels are transformed first. A task has some tiles. It transforms their image; then for each panel of units it
//! multiplies all positions and transforms the result back. If there are few tiles, several tasks have the same tiles,
//! each with another group of panels.

use super::grid::{Grid, OUTSIDE};
use super::image::transform;
use super::kernel::Kernels;
use super::panels::{Panels, apart};
use super::points::{MOST, Points, Square, square};
use crate::convolution::epilogue::VectorEpilogue;
use crate::convolution::pooled::Pooler;
use crate::convolution::shape::{Geometry, Prepare, Side};
use crate::convolution::slab::Images;
use crate::convolution::sums::{Room, Sums};
use crate::convolution::tile::{Ahead, Run, TileMatMul, part, split};
use crate::epilogue::{Epilogue, PIXELS};
use crate::memory::{Parallel, Parts, SharedPtr, aligned, run_all};
use crate::simd::{Arithmetic, Bytes};
use crate::workers::Workers;
use std::marker::PhantomData;

/// Limits on the panels of channels of one sum, and on its channels (roughly). Several shorter sums, added up, have
/// smaller rounding errors than one long sum.
const MOST_RUNS: usize = 16;
const CHAIN: usize = 256;

/// The cut of the work, and the layout of the workspace.
pub(in crate::convolution) struct Plan<S, P> {
    side: Side,
    grid: Grid,
    /// Height, width and channels of the image that is read, and of the one that is written.
    from: [usize; 3],
    to: [usize; 3],
    pad: [isize; 2],
    /// Limit on the tiles of a task, and the number of groups of panels of units.
    tiles: usize,
    groups: usize,
    /// Are the kernels so large that they come from memory?
    far: bool,
    kernels: usize,
    images: usize,
    image: usize,
    products: usize,
    product: usize,
    sums: [Room; 2],
    parts: Parts,
    types: PhantomData<(S, P)>,
}

impl<S: Arithmetic, P: Points> Plan<S, P> {
    pub(in crate::convolution) fn forward(g: &Geometry, workers: usize) -> Self {
        let (from, to) = ([g.height, g.width, g.channels], [g.out_height, g.out_width, g.units]);
        Self::new(Side::Forward, g.batch, [from, to], g.pad.map(usize::cast_signed), workers)
    }

    pub(in crate::convolution) fn input(g: &Geometry, workers: usize) -> Self {
        let (from, to) = ([g.out_height, g.out_width, g.units], [g.height, g.width, g.channels]);
        Self::new(Side::Input, g.batch, [from, to], g.pad.map(|pad| 2 - pad.cast_signed()), workers)
    }

    fn new(side: Side, batch: usize, [from, to]: [[usize; 3]; 2], pad: [isize; 2], workers: usize) -> Self {
        // The cut must not depend on threads: partial sums are taken for each part of the tiles.
        let grid = Grid::new(batch, [to[0], to[1]], P::OUT);
        let tiles = tiles_of_a_task::<P>(grid.tiles(), from[2], to[2]);
        let unit_panel = Panels::new::<S>(from[2], to[2]);
        let groups = TASKS.div_ceil(grid.tiles().div_ceil(tiles.max(1)).max(1)).min(unit_panel.panels());
        let mut parts = Parts::default();
        let kernels = parts.take(unit_panel.panels() * P::POSITIONS * apart::<S>(unit_panel.rows * unit_panel.width));
        // Each worker has room for the transformed image of a task, and for the products of one panel.
        let image = (P::POSITIONS * Panels::new::<S>(tiles, from[2]).position_stride).next_multiple_of(16);
        let images = parts.take(workers * image);
        let far = P::POSITIONS * from[2] * to[2] >= MEMORY;
        let product = P::POSITIONS * apart::<S>(tiles * unit_panel.width);
        let products = parts.take(workers * product);
        let sums = [(); 2].map(|()| Room::take::<S>(grid.tiles().div_ceil(tiles.max(1)), to[2], &mut parts));
        Self {
            side,
            grid,
            from,
            to,
            pad,
            tiles,
            groups,
            far,
            kernels,
            images,
            image,
            products,
            product,
            sums,
            parts,
            types: PhantomData,
        }
    }

    pub(in crate::convolution) fn elements(&self) -> usize {
        self.parts.elements()
    }

    /// The same tiles as a grid over windows of 2 x 2 results. No tile cuts a window, because m is even.
    fn halves(&self) -> Grid {
        Grid::new(self.grid.batch, [self.to[0] / 2, self.to[1] / 2], P::OUT / 2)
    }

    /// The size of the pooled image.
    fn half(&self) -> [usize; 3] {
        [self.to[0] / 2, self.to[1] / 2, self.to[2]]
    }
}

/// Limit on the numbers of a task's transformed image: it must stay in the L2 cache.
const CACHED: usize = 150_000;
/// From this number of elements on, the transformed kernels do not fit into the caches and come from memory.
const MEMORY: usize = 4 << 20;
/// Fewest tasks.
const TASKS: usize = 4;

/// The number of tiles of a task. If kernels come from memory, it is large, so that each kernel is used often. Otherwise
/// it is small, so that the transformed image stays in the cache.
fn tiles_of_a_task<P: Points>(tiles: usize, channels: usize, units: usize) -> usize {
    let cached = CACHED / (P::POSITIONS * channels);
    let from_memory = P::POSITIONS * channels * units >= MEMORY;
    let most = if from_memory { cached.clamp(64, 256) } else { cached.clamp(32, 256).min(tiles.div_ceil(TASKS)) };
    tiles.div_ceil(tiles.div_ceil(most.max(1)).max(1))
}

/// Computes y.
///
/// # Safety
/// The contract of [`super::super::forward`]. The CPU has the features of `S`. Kernels are 3 x 3, and the stride is 1.
pub(in crate::convolution) unsafe fn forward<S: Bytes, P: Points>(
    geometry: &Geometry,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    epilogue: Epilogue<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S, P>::forward(geometry, workers.threads());
    // SAFETY: the contract of this function is that of the call.
    unsafe { run(&plan, [x, w], y, epilogue, prepare, workspace, workers) }
}

/// Computes the gradient at x.
///
/// # Safety
/// The contract of [`super::super::input_gradient`]. The CPU has the features of `S`. Kernels are 3 x 3, and the stride is 1.
pub(in crate::convolution) unsafe fn input<S: Bytes, P: Points>(
    geometry: &Geometry,
    [dy, w]: [*const S::Element; 2],
    dx: *mut S::Element,
    epilogue: Epilogue<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S, P>::input(geometry, workers.threads());
    // SAFETY: the contract of this function is that of the call.
    unsafe { run(&plan, [dy, w], dx, epilogue, Prepare::none(), workspace, workers) }
}

/// Transforms the kernels, computes all tiles, then joins the sums.
///
/// # Safety
/// As for [`forward`].
unsafe fn run<S: Bytes, P: Points>(
    plan: &Plan<S, P>,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    epilogue: Epilogue<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let memory = aligned(workspace);
    // SAFETY: the plan took these parts of the workspace.
    let [kernels, images, products] =
        [plan.kernels, plan.images, plan.products].map(|part| SharedPtr::write(unsafe { memory.at(part) }));
    let units = if plan.side == Side::Forward { plan.to[2] } else { plan.from[2] };
    let panels = Panels::new::<S>(plan.from[2], plan.to[2]);
    let transform =
        Kernels::<_, P> { side: plan.side, units, panels, w: SharedPtr::read(w), to: kernels, points: PhantomData };
    let x = Images::new(x, plan.from, prepare);
    let y = SharedPtr::write(y);
    // SAFETY: operands and features are the contract of this function. `run_all` returns when all its tasks are done, so
    // tiles read complete kernels, and `finish` reads complete sums.
    unsafe {
        run_all::<S, _>(&transform, workers);
        let sums = Sums::both(plan.sums, memory, &epilogue);
        let tiles = Tiles { plan, kernels: panels, x, weights: kernels, images, products, y, epilogue, sums };
        run_all::<S, _>(&tiles, workers);
        sums[0].finish(workers);
        sums[1].finish(workers);
    }
}

/// All tiles of all images. A task is some tiles and a group of panels.
struct Tiles<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    kernels: Panels,
    x: Images<S::Element>,
    weights: SharedPtr<S::Element>,
    images: SharedPtr<S::Element>,
    products: SharedPtr<S::Element>,
    y: SharedPtr<S::Element>,
    epilogue: Epilogue<S::Element>,
    sums: [Sums<S>; 2],
}

// SAFETY: the plan is plain numbers and contains `S` as a type only. The pointers in the epilogue are only read, except
// those of the sums, of which every task has its own part and columns.
unsafe impl<S: Arithmetic, P: Points> Sync for Tiles<'_, S, P> {}

impl<S: Bytes, P: Points> Parallel<S> for Tiles<'_, S, P> {
    fn tasks(&self) -> usize {
        self.plan.grid.tiles().div_ceil(self.plan.tiles.max(1)) * self.plan.groups
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, worker: usize) {
        let plan = self.plan;
        let (first, count) = part(plan.grid.tiles(), plan.tiles, task / plan.groups);
        let (first_panel, group) = split(self.kernels.panels(), plan.groups, task % plan.groups);
        let panels = Panels::new::<S>(count, plan.from[2]);
        // SAFETY: the tiles and panels exist, and no other task has both. The plan has room for an image and a product
        // for each worker. Vectors of the epilogue have a number for each unit.
        unsafe {
            let image = self.images.at(worker * plan.image);
            let product = self.products.at(worker * plan.product);
            transform::<S, P::Image>(&self.x, &plan.grid, plan.pad, first, 0..count, &panels, image);
            for index in first_panel..first_panel + group {
                self.multiply(&panels, index, image, product);
                let unit = index * self.kernels.width;
                let [sums, weighted] =
                    self.sums.map(|all| all.begin(task / plan.groups, unit, self.kernels.used(index)));
                let relu_mask = self.epilogue.relu_mask.at(0, unit, weighted);
                let bias = self.epilogue.bias;
                let bias = if bias.is_null() { bias } else { bias.add(unit) };
                let epilogue = Epilogue { bias, relu_mask, sums, ..self.epilogue };
                self.store(first, count, index, product, epilogue);
            }
        }
    }
}

impl<S: Bytes, P: Points> Tiles<'_, S, P> {
    /// Multiplies all positions of a panel of units; the result is `[position][tile][width]`.
    ///
    /// # Safety
    /// The panel exists. `image` holds the transformed tiles, and `product` has room for the results.
    #[inline(always)]
    unsafe fn multiply(&self, panels: &Panels, index: usize, image: *const S::Element, product: *mut S::Element) {
        let kernels = &self.kernels;
        let one = apart::<S>(kernels.rows * kernels.width);
        let columns = kernels.used(index).next_multiple_of(S::LANES);
        let most = (CHAIN / panels.width).clamp(1, MOST_RUNS);
        let mut runs = [Run::default(); MOST_RUNS];
        for position in 0..P::POSITIONS {
            // The next position is prefetched. After the last one, the kernels of the next panel follow, and the image
            // begins again.
            let next = (position + 1) % P::POSITIONS;
            // SAFETY: the offsets are inside the transformed kernels or directly behind them, and inside the image.
            let ahead = unsafe {
                let kernels = self.weights.at((index * P::POSITIONS + position + 1) * one).cast_const();
                let image = image.add(next * panels.position_stride);
                let [kernel_count, image_count] = if self.plan.far { [one, panels.position_stride] } else { [0, 0] };
                [Ahead { at: kernels, count: kernel_count }, Ahead { at: image, count: image_count }]
            };
            for start in (0..panels.panels()).step_by(most) {
                let count = most.min(panels.panels() - start);
                for (at, run) in runs.iter_mut().enumerate().take(count) {
                    let panel = start + at;
                    let (left, right) = (panel * panels.rows * panels.width, panel * panels.width * kernels.width);
                    *run = Run { left, right, depth: panels.used(panel) };
                }
                // SAFETY: the position is inside image, kernels and product, by the contract of this function, and
                // `count` panels from `start` on are inside the position.
                unsafe {
                    S::enter(TileMatMul::<S, false> {
                        rows: panels.rows,
                        columns,
                        runs: &runs[..count],
                        left: image.add(position * panels.position_stride),
                        left_stride: panels.width,
                        right: self.weights.at((index * P::POSITIONS + position) * one),
                        right_stride: kernels.width,
                        target: product.add(position * apart::<S>(panels.rows * kernels.width)),
                        target_stride: kernels.width,
                        add: start > 0,
                        epilogue: Epilogue::none(),
                        ahead: if start == 0 { ahead } else { [Ahead::none(); 2] },
                    });
                }
            }
        }
    }

    /// Transforms a panel of units back, applies the epilogue, and stores the pixels inside the image.
    ///
    /// # Safety
    /// [`Self::multiply`] has filled `product`. The epilogue is that of the panel's units; its sums are from [`Sums::begin`]. No other
    /// thread writes these tiles of these units.
    #[inline(always)]
    unsafe fn store(
        &self,
        first: usize,
        count: usize,
        index: usize,
        product: *const S::Element,
        epilogue: Epilogue<S::Element>,
    ) {
        let (plan, width) = (self.plan, self.kernels.width);
        for tile in 0..count {
            // With a pool, offsets are those of windows in the pooled image.
            let places = match epilogue.pooled {
                None => plan.grid.pixels(first + tile, [0, 0], P::OUT, plan.to),
                Some(_) => plan.halves().pixels(first + tile, [0, 0], P::OUT / 2, plan.half()),
            };
            for column in (0..self.kernels.used(index)).step_by(S::LANES) {
                let lanes = S::LANES.min(self.kernels.used(index) - column);
                let unit = index * width + column;
                // SAFETY: `lanes` units from `unit` on are inside every pixel of the image, and from `column` on inside
                // the epilogue.
                unsafe {
                    let mut block: Square<S> = [[S::zero(); MOST]; MOST];
                    for i in 0..P::SIZE {
                        for j in 0..P::SIZE {
                            let at = (i * P::SIZE + j) * apart::<S>(count * width) + tile * width + column;
                            block[i][j] = S::load(product.add(at));
                        }
                    }
                    let block = square::<S, P::Result>(&block);
                    let mut vector_epilogue = VectorEpilogue::<S>::new(&epilogue, column, lanes);
                    match &epilogue.pooled {
                        None => self.store_pixels(&block, &mut vector_epilogue, &places, unit),
                        Some(pooled) => self.store_windows(
                            &block,
                            &mut vector_epilogue,
                            &places,
                            unit,
                            &Pooler::new(pooled, unit, lanes),
                        ),
                    }
                    vector_epilogue.end();
                }
            }
        }
    }

    /// Stores the pixels of a tile that are inside the image.
    ///
    /// # Safety
    /// The contract of [`VectorEpilogue::store`] for every pixel, from `unit` on.
    #[inline(always)]
    unsafe fn store_pixels(
        &self,
        block: &Square<S>,
        vector_epilogue: &mut VectorEpilogue<S>,
        pixels: &[[usize; MOST]; MOST],
        unit: usize,
    ) {
        for i in 0..P::OUT {
            for j in 0..P::OUT {
                if pixels[i][j] != OUTSIDE {
                    // SAFETY: the contract of this function is that of the call.
                    unsafe { vector_epilogue.store(block[i][j], pixels[i][j] + unit, self.y) }
                }
            }
        }
    }

    /// Stores the maximum of each window of a tile that is inside the image.
    ///
    /// # Safety
    /// The contract of [`Pooler::store`] for every window, from `unit` on.
    #[inline(always)]
    unsafe fn store_windows(
        &self,
        block: &Square<S>,
        vector_epilogue: &mut VectorEpilogue<S>,
        windows: &[[usize; MOST]; MOST],
        unit: usize,
        pooler: &Pooler<S>,
    ) {
        for i in 0..P::OUT / 2 {
            for j in 0..P::OUT / 2 {
                if windows[i][j] != OUTSIDE {
                    let at = windows[i][j] + unit;
                    // SAFETY: the contract of this function. A pool comes without a ReLU mask, so the epilogue reads
                    // nothing at `at`.
                    unsafe {
                        let mut window = [S::zero(); PIXELS];
                        for p in 0..PIXELS {
                            window[p] = vector_epilogue.finish(block[2 * i + p / 2][2 * j + p % 2], at);
                        }
                        pooler.store(window, at, self.y);
                    }
                }
            }
        }
    }
}
