//! Convolution forwards, and the gradient at the input.
//!
//! A job is some tiles: their image transformed, then for one panel of units after the other all frequencies multiplied
//! and the result transformed back. Where there are few tiles, several jobs have the same ones, each with a group of the
//! panels. Kernels are transformed once, before.

use super::grid::{Grid, OUTSIDE};
use super::image::transform;
use super::kernel::Kernels;
use super::panels::{Panels, apart};
use super::points::{MOST, Points, Square, square};
use crate::convolution::finisher::Finisher;
use crate::convolution::pooled::Pooler;
use crate::convolution::shape::{Geometry, Prepare, Side};
use crate::convolution::slab::Images;
use crate::convolution::sums::{Room, Sums};
use crate::convolution::tile::{Ahead, Product, Run, part, split};
use crate::finish::{Finish, PIXELS};
use crate::memory::{At, Parts, Phase, aligned, all};
use crate::simd::{Arithmetic, Bytes};
use crate::workers::Workers;
use std::marker::PhantomData;

/// Most panels of channels that a product runs over at once, and about how many channels: shorter sums, added up, round
/// less than a single long one.
const MOST_RUNS: usize = 16;
const CHAIN: usize = 256;

/// How the work is cut up, and how working memory is used.
pub(in crate::convolution) struct Plan<S, P> {
    side: Side,
    grid: Grid,
    /// Height, width and channels of the image that is read, and of the one that is written.
    from: [usize; 3],
    to: [usize; 3],
    pad: [isize; 2],
    /// Most tiles of a job, and groups that the panels of units fall into.
    tiles: usize,
    groups: usize,
    /// Whether kernels come from memory, and a job's image does not fit the second-level cache.
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
        let grid = Grid::new(batch, [to[0], to[1]], P::OUT);
        let tiles = tiles_of_a_job::<P>(grid.tiles(), from[2], to[2]);
        let unit_panel = Panels::new::<S>(from[2], to[2]);
        let groups = JOBS.div_ceil(grid.tiles().div_ceil(tiles.max(1)).max(1)).min(unit_panel.panels());
        let mut parts = Parts::default();
        let kernels = parts.take(unit_panel.panels() * P::FREQUENCIES * apart::<S>(unit_panel.rows * unit_panel.width));
        let image = (P::FREQUENCIES * Panels::new::<S>(tiles, from[2]).frequency).next_multiple_of(16);
        let images = parts.take(workers * image);
        let far = P::FREQUENCIES * from[2] * to[2] >= MEMORY;
        let product = P::FREQUENCIES * apart::<S>(tiles * unit_panel.width);
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

    /// The tiles once more, of windows of 2 x 2 results: no tile cuts one.
    fn halves(&self) -> Grid {
        Grid::new(self.grid.batch, [self.to[0] / 2, self.to[1] / 2], P::OUT / 2)
    }

    /// The size of the image of windows.
    fn half(&self) -> [usize; 3] {
        [self.to[0] / 2, self.to[1] / 2, self.to[2]]
    }
}

/// Numbers of the transformed image of a job that stay in the second-level cache.
const CACHED: usize = 150_000;
/// Numbers of the transformed kernels from which on they come from memory.
const MEMORY: usize = 4 << 20;
/// Jobs that there should be at least.
const JOBS: usize = 4;

/// How many tiles a job has: enough for every kernel that is read to be used often, otherwise few, so that their
/// frequencies stay in a cache.
fn tiles_of_a_job<P: Points>(tiles: usize, channels: usize, units: usize) -> usize {
    let cached = CACHED / (P::FREQUENCIES * channels);
    let from_memory = P::FREQUENCIES * channels * units >= MEMORY;
    let most = if from_memory { cached.clamp(64, 256) } else { cached.clamp(32, 256).min(tiles.div_ceil(JOBS)) };
    tiles.div_ceil(tiles.div_ceil(most.max(1)).max(1))
}

/// Computes y.
///
/// # Safety
/// As [`super::super::forward`]; the processor has the features of `S`; kernels are 3 x 3, the stride is 1.
pub(in crate::convolution) unsafe fn forward<S: Bytes, P: Points>(
    geometry: &Geometry,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    finish: Finish<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S, P>::forward(geometry, workers.threads());
    // SAFETY: passed on from the caller.
    unsafe { run(&plan, [x, w], y, finish, prepare, workspace, workers) }
}

/// Computes the gradient at x.
///
/// # Safety
/// As [`super::super::input_gradient`]; the processor has the features of `S`; kernels are 3 x 3, the stride is 1.
pub(in crate::convolution) unsafe fn input<S: Bytes, P: Points>(
    geometry: &Geometry,
    [dy, w]: [*const S::Element; 2],
    dx: *mut S::Element,
    finish: Finish<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S, P>::input(geometry, workers.threads());
    // SAFETY: passed on from the caller.
    unsafe { run(&plan, [dy, w], dx, finish, Prepare::none(), workspace, workers) }
}

/// # Safety
/// As [`forward`].
unsafe fn run<S: Bytes, P: Points>(
    plan: &Plan<S, P>,
    [x, w]: [*const S::Element; 2],
    y: *mut S::Element,
    finish: Finish<S::Element>,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let memory = aligned(workspace);
    // SAFETY: the parts lie inside the working memory.
    let [kernels, images, products] =
        [plan.kernels, plan.images, plan.products].map(|part| At::write(unsafe { memory.at(part) }));
    let units = if plan.side == Side::Forward { plan.to[2] } else { plan.from[2] };
    let panels = Panels::new::<S>(plan.from[2], plan.to[2]);
    let transform =
        Kernels::<_, P> { side: plan.side, units, panels, w: At::read(w), to: kernels, points: PhantomData };
    let x = Images::new(x, plan.from, prepare);
    let y = At::write(y);
    // SAFETY: the caller vouches for the operands and the features.
    unsafe {
        all::<S, _>(&transform, workers);
        let sums = Sums::both(plan.sums, memory, &finish);
        let tiles = Tiles { plan, kernels: panels, x, weights: kernels, images, products, y, finish, sums };
        all::<S, _>(&tiles, workers);
        sums[0].finish(workers);
        sums[1].finish(workers);
    }
}

/// All tiles of all images; a job is some of them and a group of panels.
struct Tiles<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    kernels: Panels,
    x: Images<S::Element>,
    weights: At<S::Element>,
    images: At<S::Element>,
    products: At<S::Element>,
    y: At<S::Element>,
    finish: Finish<S::Element>,
    sums: [Sums<S>; 2],
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only; what the finish points to is read only, but for its
// sums, of which every job has a part of its own.
unsafe impl<S: Arithmetic, P: Points> Sync for Tiles<'_, S, P> {}

impl<S: Bytes, P: Points> Phase<S> for Tiles<'_, S, P> {
    fn jobs(&self) -> usize {
        self.plan.grid.tiles().div_ceil(self.plan.tiles.max(1)) * self.plan.groups
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, worker: usize) {
        let plan = self.plan;
        let (first, count) = part(plan.grid.tiles(), plan.tiles, job / plan.groups);
        let (first_panel, group) = split(self.kernels.panels(), plan.groups, job % plan.groups);
        let panels = Panels::new::<S>(count, plan.from[2]);
        // SAFETY: the tiles exist; the worker's memory has room for them.
        unsafe {
            let image = self.images.at(worker * plan.image);
            let product = self.products.at(worker * plan.product);
            transform::<S, P::Image>(&self.x, &plan.grid, plan.pad, first, 0..count, &panels, image);
            for index in first_panel..first_panel + group {
                self.multiply(&panels, index, image, product);
                let unit = index * self.kernels.width;
                let [sums, weighted] =
                    self.sums.map(|all| all.begin(job / plan.groups, unit, self.kernels.used(index)));
                let gate = self.finish.gate.at(0, unit, weighted);
                let bias = self.finish.bias;
                let bias = if bias.is_null() { bias } else { bias.add(unit) };
                let finish = Finish { bias, gate, sums, ..self.finish };
                self.store(first, count, index, product, finish);
            }
        }
    }
}

impl<S: Bytes, P: Points> Tiles<'_, S, P> {
    /// All frequencies of a panel of units, as `[frequency][tile][width]`.
    ///
    /// # Safety
    /// The panel exists; `image` holds the frequencies of the tiles, `product` has room for the results.
    #[inline(always)]
    unsafe fn multiply(&self, panels: &Panels, index: usize, image: *const S::Element, product: *mut S::Element) {
        let kernels = &self.kernels;
        let one = apart::<S>(kernels.rows * kernels.width);
        let columns = kernels.used(index).next_multiple_of(S::LANES);
        let most = (CHAIN / panels.width).clamp(1, MOST_RUNS);
        let mut runs = [Run::default(); MOST_RUNS];
        for frequency in 0..P::FREQUENCIES {
            // The next frequency's; behind the last one the next panel's kernels follow, and the image begins again.
            let next = (frequency + 1) % P::FREQUENCIES;
            // SAFETY: addresses inside the transformed kernels or one behind them, and inside the image.
            let ahead = unsafe {
                let kernels = self.weights.at((index * P::FREQUENCIES + frequency + 1) * one).cast_const();
                let image = image.add(next * panels.frequency);
                let [kernel_count, image_count] = if self.plan.far { [one, panels.frequency] } else { [0, 0] };
                [Ahead { at: kernels, count: kernel_count }, Ahead { at: image, count: image_count }]
            };
            for start in (0..panels.panels()).step_by(most) {
                let count = most.min(panels.panels() - start);
                for (at, run) in runs.iter_mut().enumerate().take(count) {
                    let panel = start + at;
                    let (left, right) = (panel * panels.rows * panels.width, panel * panels.width * kernels.width);
                    *run = Run { left, right, depth: panels.used(panel) };
                }
                // SAFETY: the frequency exists in all three; the caller vouches for them.
                unsafe {
                    S::enter(Product::<S, false> {
                        rows: panels.rows,
                        columns,
                        runs: &runs[..count],
                        left: image.add(frequency * panels.frequency),
                        left_stride: panels.width,
                        right: self.weights.at((index * P::FREQUENCIES + frequency) * one),
                        right_stride: kernels.width,
                        target: product.add(frequency * apart::<S>(panels.rows * kernels.width)),
                        target_stride: kernels.width,
                        add: start > 0,
                        finish: Finish::none(),
                        ahead: if start == 0 { ahead } else { [Ahead::none(); 2] },
                    });
                }
            }
        }
    }

    /// Transforms a panel of units back, and stores what lies inside the image.
    ///
    /// # Safety
    /// As [`Self::multiply`], which came before; the finish is that of the panel's units, sums from [`Sums::begin`].
    #[inline(always)]
    unsafe fn store(
        &self,
        first: usize,
        count: usize,
        index: usize,
        product: *const S::Element,
        finish: Finish<S::Element>,
    ) {
        let (plan, width) = (self.plan, self.kernels.width);
        for tile in 0..count {
            let places = match finish.pooled {
                None => plan.grid.pixels(first + tile, [0, 0], P::OUT, plan.to),
                Some(_) => plan.halves().pixels(first + tile, [0, 0], P::OUT / 2, plan.half()),
            };
            for column in (0..self.kernels.used(index)).step_by(S::LANES) {
                let lanes = S::LANES.min(self.kernels.used(index) - column);
                let unit = index * width + column;
                // SAFETY: `lanes` units from `unit` on exist in every pixel of the image, and from `column` on in the finish.
                unsafe {
                    let mut block: Square<S> = [[S::zero(); MOST]; MOST];
                    for i in 0..P::SIZE {
                        for j in 0..P::SIZE {
                            let at = (i * P::SIZE + j) * apart::<S>(count * width) + tile * width + column;
                            block[i][j] = S::load(product.add(at));
                        }
                    }
                    let block = square::<S, P::Result>(&block);
                    let mut finisher = Finisher::<S>::new(&finish, column, lanes);
                    match &finish.pooled {
                        None => self.store_pixels(&block, &mut finisher, &places, unit),
                        Some(pooled) => {
                            self.store_windows(&block, &mut finisher, &places, unit, &Pooler::new(pooled, unit, lanes))
                        }
                    }
                    finisher.end();
                }
            }
        }
    }

    /// Stores the pixels of a tile that lie inside the image.
    ///
    /// # Safety
    /// The pixels exist from `unit` on; as [`Finisher::store`].
    #[inline(always)]
    unsafe fn store_pixels(
        &self,
        block: &Square<S>,
        finisher: &mut Finisher<S>,
        pixels: &[[usize; MOST]; MOST],
        unit: usize,
    ) {
        for i in 0..P::OUT {
            for j in 0..P::OUT {
                if pixels[i][j] != OUTSIDE {
                    // SAFETY: passed on from the caller.
                    unsafe { finisher.store(block[i][j], pixels[i][j] + unit, self.y) }
                }
            }
        }
    }

    /// Stores the largest of each window of a tile that lies inside the image.
    ///
    /// # Safety
    /// The windows exist from `unit` on; as [`Pooler::store`].
    #[inline(always)]
    unsafe fn store_windows(
        &self,
        block: &Square<S>,
        finisher: &mut Finisher<S>,
        windows: &[[usize; MOST]; MOST],
        unit: usize,
        pooler: &Pooler<S>,
    ) {
        for i in 0..P::OUT / 2 {
            for j in 0..P::OUT / 2 {
                if windows[i][j] != OUTSIDE {
                    let at = windows[i][j] + unit;
                    // SAFETY: passed on from the caller; without a gate no place matters to the finisher.
                    unsafe {
                        let mut window = [S::zero(); PIXELS];
                        for p in 0..PIXELS {
                            window[p] = finisher.finish(block[2 * i + p / 2][2 * j + p % 2], at);
                        }
                        pooler.store(window, at, self.y);
                    }
                }
            }
        }
    }
}
