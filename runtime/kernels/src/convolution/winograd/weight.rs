//! The Winograd gradient at the weights.
//!
//! Tiles are processed in batches. First x and dy of a batch are transformed; a task is some tiles. Then the batch is
//! added to the sums; a task is a panel of channels by a panel of units, and some positions, with one matmul over all
//! tiles of the batch for each position.

use super::grid::Grid;
use super::image::transform;
use super::meetings::{Layout, Meetings};
use super::panels::{Panels, apart};
use super::points::{MOST, Points, Square, square};
use crate::convolution::shape::{Geometry, Prepare};
use crate::convolution::slab::Images;
use crate::convolution::tile::{Ahead, Run, TileMatMul, panel, part, split};
use crate::epilogue::Epilogue;
use crate::memory::{Parallel, Parts, SharedPtr, aligned, run_all};
use crate::simd::{Arithmetic, Simd};
use crate::workers::Workers;
use std::marker::PhantomData;

/// Smallest and largest size of the transformed x and dy of a batch, in numbers. Between them the size is 1.5 times that
/// of the sums: then reading and writing the sums is cheap, and everything fits the L3 cache as far as possible.
const NUMBERS: (usize, usize) = (1 << 20, 10 << 20);
/// Tiles that a task transforms.
const TILES: usize = 16;
/// Tiles of a run (roughly), and limit on the runs of a matmul.
const RUN: usize = 64;
const MOST_RUNS: usize = 32;
/// From this number of pairs of panels on, one task computes all positions of a pair.
const PAIRS: usize = 16;

/// The cut of the work, and the layout of the workspace.
pub(in crate::convolution) struct Plan<S, P> {
    g: Geometry,
    grid: Grid,
    /// Tiles of a batch, and the number of batches.
    tiles: usize,
    batches: usize,
    /// Does a task compute all positions of a pair of panels? And are its sums complete when it ends?
    whole: bool,
    brief: bool,
    x: usize,
    dy: usize,
    sums: usize,
    meetings: Layout,
    parts: Parts,
    types: PhantomData<(S, P)>,
}

impl<S: Arithmetic, P: Points> Plan<S, P> {
    pub(in crate::convolution) fn new(g: &Geometry, workers: usize) -> Self {
        let grid = Grid::new(g.batch, [g.out_height, g.out_width], P::OUT);
        let numbers = (P::POSITIONS * g.channels * g.units * 3 / 2).clamp(NUMBERS.0, NUMBERS.1);
        let most = (numbers / (P::POSITIONS * (g.channels + g.units))).max(64);
        let batches = grid.tiles().div_ceil(most).max(1);
        let tiles = grid.tiles().div_ceil(batches);
        let whole = Self::pairs(g) >= PAIRS;
        let brief = whole && batches == 1;
        let mut parts = Parts::default();
        let x = parts.take(P::POSITIONS * Panels::new::<S>(tiles, g.channels).position_stride);
        let dy = parts.take(P::POSITIONS * Panels::new::<S>(tiles, g.units).position_stride);
        let sums = parts.take(if brief { workers } else { Self::pairs(g) } * Self::sum(g));
        let meetings = Layout::new::<S>(g, &mut parts);
        Self { g: *g, grid, tiles, batches, whole, brief, x, dy, sums, meetings, parts, types: PhantomData }
    }

    pub(in crate::convolution) fn elements(&self) -> usize {
        self.parts.elements()
    }

    fn pairs(g: &Geometry) -> usize {
        g.channels.div_ceil(panel::<S>()) * g.units.div_ceil(panel::<S>())
    }

    /// The size of the sums of a pair of panels in elements: `[position][channel][unit]`.
    fn sum(g: &Geometry) -> usize {
        P::POSITIONS * Self::position_stride(g)
    }

    /// Elements from one position of the sums to the next.
    fn position_stride(g: &Geometry) -> usize {
        apart::<S>(panel::<S>().min(g.channels) * Panels::new::<S>(1, g.units).width)
    }
}

/// Computes the gradient at w.
///
/// # Safety
/// The contract of [`super::super::weight_gradient`]. The CPU has the features of `S`. Kernels are 3 x 3, and the stride is 1.
pub(in crate::convolution) unsafe fn gradient<S: Arithmetic, P: Points>(
    geometry: &Geometry,
    [x, dy]: [*const S::Element; 2],
    dw: *mut S::Element,
    prepare: Prepare<S::Element>,
    workspace: *mut S::Element,
    workers: &Workers,
) {
    let plan = Plan::<S, P>::new(geometry, workers.threads());
    let (g, memory) = (geometry, aligned(workspace));
    // SAFETY: the plan took these parts of the workspace.
    let [to_x, to_dy, sums] = [plan.x, plan.dy, plan.sums].map(|part| SharedPtr::write(unsafe { memory.at(part) }));
    // Without a shift, the scales of channels are applied to the result, which is smaller than the images.
    let late = prepare.shift.is_null();
    let scale = SharedPtr::read(if late { prepare.scale } else { std::ptr::null() });
    let x = Images::new(x, [g.height, g.width, g.channels], if late { Prepare::none() } else { prepare });
    let dy = Images::new(dy, [g.out_height, g.out_width, g.units], Prepare::none());
    // SAFETY: x and dy have the sizes of the geometry, and the plan took the parts from the workspace.
    let meetings = unsafe { Meetings::<S>::new(plan.meetings, g, [x, dy], memory) };
    let results = Results { meetings: &meetings, dw: SharedPtr::write(dw), scale };
    // SAFETY: operands and features are the contract of this function.
    unsafe { meetings.begin(g.batch, workers) };
    for batch in 0..plan.batches {
        let (first, count) = if plan.tiles == 0 { (0, 0) } else { part(plan.grid.tiles(), plan.tiles, batch) };
        let (x_panels, dy_panels) = (Panels::new::<S>(count, g.channels), Panels::new::<S>(count, g.units));
        let images = Transforms { plan: &plan, first, count, x, dy, x_panels, dy_panels, to_x, to_dy };
        let (begin, end) = (batch == 0, batch + 1 == plan.batches);
        let pairs = Pairs { plan: &plan, begin, end, x_panels, dy_panels, x: to_x, dy: to_dy, sums, results };
        // SAFETY: operands and features are the contract of this function. `run_all` returns when all its tasks are done,
        // so pairs read complete transforms.
        unsafe {
            run_all::<S, _>(&images, workers);
            run_all::<S, _>(&pairs, workers);
        }
    }
    if !plan.whole {
        // SAFETY: operands and features are the contract of this function; the loop above has completed all sums.
        unsafe { run_all::<S, _>(&Back { plan: &plan, sums, results }, workers) };
    }
    // SAFETY: all gradients have been transformed back; the rest is the contract of this function.
    unsafe { meetings.end(g.batch, g.channels, dw, workers) };
}

/// Where gradients go, and what they need on the way.
struct Results<'a, S: Simd> {
    meetings: &'a Meetings<S>,
    dw: SharedPtr<S::Element>,
    scale: SharedPtr<S::Element>,
}

impl<S: Simd> Clone for Results<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Simd> Copy for Results<'_, S> {}

/// Transforms the tiles of a batch of x and dy. A task is a few tiles of one of them.
struct Transforms<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    first: usize,
    count: usize,
    x: Images<S::Element>,
    dy: Images<S::Element>,
    x_panels: Panels,
    dy_panels: Panels,
    to_x: SharedPtr<S::Element>,
    to_dy: SharedPtr<S::Element>,
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only.
unsafe impl<S: Arithmetic, P: Points> Sync for Transforms<'_, S, P> {}

impl<S: Arithmetic, P: Points> Parallel<S> for Transforms<'_, S, P> {
    fn tasks(&self) -> usize {
        2 * self.count.div_ceil(TILES)
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let (row, rows) = part(self.count, TILES, task / 2);
        let (grid, rows) = (&self.plan.grid, row..row + rows);
        // SAFETY: the tiles exist, and no other task has these rows of the panels.
        unsafe {
            if task.is_multiple_of(2) {
                let (pad, to) = (self.plan.g.pad.map(usize::cast_signed), self.to_x.at(0));
                transform::<S, P::Image>(&self.x, grid, pad, self.first, rows, &self.x_panels, to);
            } else {
                let to = self.to_dy.at(0);
                transform::<S, P::Gradient>(&self.dy, grid, [0, 0], self.first, rows, &self.dy_panels, to);
            }
        }
    }
}

/// Adds a batch of tiles to the sums. A task is a pair of panels, or one row of its positions.
struct Pairs<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    /// Is this the first batch, and is it the last?
    begin: bool,
    end: bool,
    x_panels: Panels,
    dy_panels: Panels,
    x: SharedPtr<S::Element>,
    dy: SharedPtr<S::Element>,
    sums: SharedPtr<S::Element>,
    results: Results<'a, S>,
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only.
unsafe impl<S: Arithmetic, P: Points> Sync for Pairs<'_, S, P> {}

impl<S: Arithmetic, P: Points> Parallel<S> for Pairs<'_, S, P> {
    fn tasks(&self) -> usize {
        self.x_panels.panels() * self.dy_panels.panels() * if self.plan.whole { 1 } else { P::SIZE }
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, worker: usize) {
        let plan = self.plan;
        let (pair, positions) = if plan.whole {
            (task, 0..P::POSITIONS)
        } else {
            (task / P::SIZE, task % P::SIZE * P::SIZE..(task % P::SIZE + 1) * P::SIZE)
        };
        let at = if plan.brief { worker } else { pair };
        // SAFETY: the pair and the positions exist, and no other task has their sums.
        unsafe {
            let sums = self.sums.at(at * Plan::<S, P>::sum(&plan.g));
            for position in positions {
                self.multiply(pair, position, sums);
            }
            if plan.whole && self.end {
                back(plan, pair, 0..self.x_panels.used(pair / self.dy_panels.panels()), sums, &self.results);
            }
        }
    }
}

impl<S: Arithmetic, P: Points> Pairs<'_, S, P> {
    /// Multiplies one position of a pair of panels, and adds it to the sums.
    ///
    /// # Safety
    /// The pair and the position exist. `sums` are those of the pair, and no other thread uses this position of them.
    #[inline(always)]
    unsafe fn multiply(&self, pair: usize, position: usize, sums: *mut S::Element) {
        let (x, dy) = (&self.x_panels, &self.dy_panels);
        let (channels, units) = (pair / dy.panels(), pair % dy.panels());
        let rows = x.used(channels);
        // Short runs, so that the next position is prefetched in many small pieces.
        let count = x.rows.div_ceil(RUN).clamp(1, MOST_RUNS);
        let mut runs = [Run::default(); MOST_RUNS];
        for (at, run) in runs.iter_mut().enumerate().take(count) {
            let (first, depth) = split(x.rows, count, at);
            *run = Run { left: first * x.width, right: first * dy.width, depth };
        }
        // SAFETY: the position of the panels is inside x and dy, and the sums have room for it. The memory behind them is
        // only prefetched, not read.
        unsafe {
            let left = self.x.at(position * x.position_stride + channels * x.rows * x.width).cast_const();
            let right = self.dy.at(position * dy.position_stride + units * dy.rows * dy.width).cast_const();
            let ahead = [
                Ahead { at: left.wrapping_add(x.position_stride), count: x.rows * x.width },
                Ahead { at: right.wrapping_add(dy.position_stride), count: dy.rows * dy.width },
            ];
            S::enter(TileMatMul::<S, true> {
                rows,
                columns: dy.used(units).next_multiple_of(S::LANES),
                runs: &runs[..count],
                left,
                left_stride: x.width,
                right,
                right_stride: dy.width,
                target: sums.add(position * Plan::<S, P>::position_stride(&self.plan.g)),
                target_stride: dy.width,
                add: !self.begin,
                epilogue: Epilogue::none(),
                ahead,
            });
        }
    }
}

/// Transforms sums back. A task is some channels of a pair of panels.
struct Back<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    sums: SharedPtr<S::Element>,
    results: Results<'a, S>,
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only.
unsafe impl<S: Arithmetic, P: Points> Sync for Back<'_, S, P> {}

/// Channels of a task.
const CHANNELS: usize = 8;

impl<S: Arithmetic, P: Points> Parallel<S> for Back<'_, S, P> {
    fn tasks(&self) -> usize {
        Plan::<S, P>::pairs(&self.plan.g) * panel::<S>().div_ceil(CHANNELS)
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let g = &self.plan.g;
        let (pair, first) = (task / panel::<S>().div_ceil(CHANNELS), task % panel::<S>().div_ceil(CHANNELS) * CHANNELS);
        let used = (g.channels - pair / g.units.div_ceil(panel::<S>()) * panel::<S>()).min(panel::<S>());
        // SAFETY: the pair exists, and has `used` channels. No other task has these channels of it.
        unsafe {
            let sums = self.sums.at(pair * Plan::<S, P>::sum(g));
            back(self.plan, pair, first.min(used)..(first + CHANNELS).min(used), sums, &self.results);
        }
    }
}

/// Transforms the sums of some channels of a pair of panels back, multiplies them by the scales of the channels unless
/// these are null, stores them, and looks for those that are 0 in exact arithmetic.
///
/// # Safety
/// The pair and the channels exist. `sums` are those of the pair. No other thread writes these weights. The CPU has the features of
/// `S`.
#[inline(always)]
unsafe fn back<S: Arithmetic, P: Points>(
    plan: &Plan<S, P>,
    pair: usize,
    channels: std::ops::Range<usize>,
    sums: *const S::Element,
    results: &Results<S>,
) {
    let (g, Results { meetings, dw, scale }) = (&plan.g, *results);
    let dy = Panels::new::<S>(1, g.units);
    let (channel_panel, unit_panel) = (pair / dy.panels(), pair % dy.panels());
    let one = Plan::<S, P>::position_stride(g);
    for channel in channels {
        for column in (0..dy.used(unit_panel)).step_by(S::LANES) {
            let lanes = S::LANES.min(dy.used(unit_panel) - column);
            let (c, unit) = (channel_panel * panel::<S>() + channel, unit_panel * dy.width + column);
            // SAFETY: the sums have all positions of the channel and the column; dw has `lanes` units from `unit` on.
            unsafe {
                let mut block: Square<S> = [[S::zero(); MOST]; MOST];
                for i in 0..P::SIZE {
                    for j in 0..P::SIZE {
                        let at = (i * P::SIZE + j) * one + channel * dy.width + column;
                        block[i][j] = S::load(sums.add(at));
                    }
                }
                let block = square::<S, P::KernelGradient>(&block);
                // A scale multiplies all pixels of a channel, so it may multiply their sum instead.
                let factor = (!scale.at(0).is_null()).then(|| S::splat(scale.at(c)));
                for i in 0..3 {
                    for j in 0..3 {
                        let value = factor.map_or(block[i][j], |factor| block[i][j].times(factor));
                        value.store_first(dw.at((c * 9 + i * 3 + j) * g.units + unit), lanes);
                        meetings.first([c, i * 3 + j, unit, lanes], value);
                    }
                }
            }
        }
    }
}
