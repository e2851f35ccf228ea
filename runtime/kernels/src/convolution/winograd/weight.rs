//! Gradient at the weights.
//!
//! Tiles are taken a batch at a time: first x and dy are transformed, a job being some tiles; then a job is a panel of
//! channels by a panel of units, and some frequencies, to whose sums the batch is added in one product over all its tiles.

use super::grid::Grid;
use super::image::transform;
use super::panels::{Panels, apart};
use super::points::{MOST, Points, Square, square};
use crate::convolution::shape::{Geometry, Prepare};
use crate::convolution::slab::Images;
use crate::convolution::tile::{Ahead, Product, Run, panel, part, split};
use crate::finish::Finish;
use crate::memory::{At, Parts, Phase, aligned, all};
use crate::simd::Arithmetic;
use crate::workers::Workers;
use std::marker::PhantomData;

/// Numbers of the frequencies of x and dy together, at least and at most: between them half as many again as the sums have,
/// so that reading and writing the sums stays cheap while everything fits the third-level cache as far as possible.
const NUMBERS: (usize, usize) = (1 << 20, 10 << 20);
/// Tiles that a job transforms.
const TILES: usize = 16;
/// Tiles of a run, about, and most runs of a product.
const RUN: usize = 64;
const MOST_RUNS: usize = 32;
/// Pairs of panels from which on one job does all frequencies of a pair.
const PAIRS: usize = 16;

/// How the work is cut up, and how working memory is used.
pub(in crate::convolution) struct Plan<S, P> {
    g: Geometry,
    grid: Grid,
    /// Tiles of a batch, and batches.
    tiles: usize,
    batches: usize,
    /// Whether a job does all frequencies of a pair of panels, and whether its sums need not outlive it.
    whole: bool,
    brief: bool,
    x: usize,
    dy: usize,
    sums: usize,
    parts: Parts,
    types: PhantomData<(S, P)>,
}

impl<S: Arithmetic, P: Points> Plan<S, P> {
    pub(in crate::convolution) fn new(g: &Geometry, workers: usize) -> Self {
        let grid = Grid::new(g.batch, [g.out_height, g.out_width], P::OUT);
        let numbers = (P::FREQUENCIES * g.channels * g.units * 3 / 2).clamp(NUMBERS.0, NUMBERS.1);
        let most = (numbers / (P::FREQUENCIES * (g.channels + g.units))).max(64);
        let batches = grid.tiles().div_ceil(most).max(1);
        let tiles = grid.tiles().div_ceil(batches);
        let whole = Self::pairs(g) >= PAIRS;
        let brief = whole && batches == 1;
        let mut parts = Parts::default();
        let x = parts.take(P::FREQUENCIES * Panels::new::<S>(tiles, g.channels).frequency);
        let dy = parts.take(P::FREQUENCIES * Panels::new::<S>(tiles, g.units).frequency);
        let sums = parts.take(if brief { workers } else { Self::pairs(g) } * Self::sum(g));
        Self { g: *g, grid, tiles, batches, whole, brief, x, dy, sums, parts, types: PhantomData }
    }

    pub(in crate::convolution) fn elements(&self) -> usize {
        self.parts.elements()
    }

    fn pairs(g: &Geometry) -> usize {
        g.channels.div_ceil(panel::<S>()) * g.units.div_ceil(panel::<S>())
    }

    /// Elements of the sums of a pair of panels: `[frequency][channel][unit]`.
    fn sum(g: &Geometry) -> usize {
        P::FREQUENCIES * Self::frequency(g)
    }

    /// Elements from one frequency of the sums to the next.
    fn frequency(g: &Geometry) -> usize {
        apart::<S>(panel::<S>().min(g.channels) * Panels::new::<S>(1, g.units).width)
    }
}

/// Computes the gradient at w.
///
/// # Safety
/// As [`super::super::weight_gradient`]; the processor has the features of `S`; kernels are 3 x 3, the stride is 1.
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
    // SAFETY: the parts lie inside the working memory.
    let [to_x, to_dy, sums] = [plan.x, plan.dy, plan.sums].map(|part| At::write(unsafe { memory.at(part) }));
    // Without a summand, the factors of channels wait for the result, which is smaller than the images.
    let late = prepare.shift.is_null();
    let scale = At::read(if late { prepare.scale } else { std::ptr::null() });
    let x = Images::new(x, [g.height, g.width, g.channels], if late { Prepare::none() } else { prepare });
    let dy = Images::new(dy, [g.out_height, g.out_width, g.units], Prepare::none());
    for batch in 0..plan.batches {
        let (first, count) = if plan.tiles == 0 { (0, 0) } else { part(plan.grid.tiles(), plan.tiles, batch) };
        let (x_panels, dy_panels) = (Panels::new::<S>(count, g.channels), Panels::new::<S>(count, g.units));
        let images = Transforms { plan: &plan, first, count, x, dy, x_panels, dy_panels, to_x, to_dy };
        let (begin, end) = (batch == 0, batch + 1 == plan.batches);
        let pairs =
            Pairs { plan: &plan, begin, end, x_panels, dy_panels, x: to_x, dy: to_dy, sums, dw: At::write(dw), scale };
        // SAFETY: the caller vouches for the operands and the features.
        unsafe {
            all::<S, _>(&images, workers);
            all::<S, _>(&pairs, workers);
        }
    }
    if !plan.whole {
        // SAFETY: as above; all sums are complete.
        unsafe { all::<S, _>(&Back { plan: &plan, sums, dw: At::write(dw), scale }, workers) };
    }
}

/// Transforms some tiles of x and dy; a job is a few of them.
struct Transforms<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    first: usize,
    count: usize,
    x: Images<S::Element>,
    dy: Images<S::Element>,
    x_panels: Panels,
    dy_panels: Panels,
    to_x: At<S::Element>,
    to_dy: At<S::Element>,
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only.
unsafe impl<S: Arithmetic, P: Points> Sync for Transforms<'_, S, P> {}

impl<S: Arithmetic, P: Points> Phase<S> for Transforms<'_, S, P> {
    fn jobs(&self) -> usize {
        2 * self.count.div_ceil(TILES)
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let (row, rows) = part(self.count, TILES, job / 2);
        let (grid, rows) = (&self.plan.grid, row..row + rows);
        // SAFETY: the tiles exist; these rows of the panels are this job's alone.
        unsafe {
            if job.is_multiple_of(2) {
                let (pad, to) = (self.plan.g.pad.map(usize::cast_signed), self.to_x.at(0));
                transform::<S, P::Image>(&self.x, grid, pad, self.first, rows, &self.x_panels, to);
            } else {
                let to = self.to_dy.at(0);
                transform::<S, P::Gradient>(&self.dy, grid, [0, 0], self.first, rows, &self.dy_panels, to);
            }
        }
    }
}

/// Adds a batch of tiles to the sums; a job is a pair of panels, or one row of its frequencies.
struct Pairs<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    /// Whether this is the first batch, and the last.
    begin: bool,
    end: bool,
    x_panels: Panels,
    dy_panels: Panels,
    x: At<S::Element>,
    dy: At<S::Element>,
    sums: At<S::Element>,
    dw: At<S::Element>,
    scale: At<S::Element>,
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only.
unsafe impl<S: Arithmetic, P: Points> Sync for Pairs<'_, S, P> {}

impl<S: Arithmetic, P: Points> Phase<S> for Pairs<'_, S, P> {
    fn jobs(&self) -> usize {
        self.x_panels.panels() * self.dy_panels.panels() * if self.plan.whole { 1 } else { P::SIZE }
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, worker: usize) {
        let plan = self.plan;
        let (pair, frequencies) = if plan.whole {
            (job, 0..P::FREQUENCIES)
        } else {
            (job / P::SIZE, job % P::SIZE * P::SIZE..(job % P::SIZE + 1) * P::SIZE)
        };
        let at = if plan.brief { worker } else { pair };
        // SAFETY: the pair and the frequencies exist; their sums are this job's alone.
        unsafe {
            let sums = self.sums.at(at * Plan::<S, P>::sum(&plan.g));
            for frequency in frequencies {
                self.multiply(pair, frequency, sums);
            }
            if plan.whole && self.end {
                back(plan, pair, 0..self.x_panels.used(pair / self.dy_panels.panels()), sums, [self.dw, self.scale]);
            }
        }
    }
}

impl<S: Arithmetic, P: Points> Pairs<'_, S, P> {
    /// One frequency of a pair of panels.
    ///
    /// # Safety
    /// Both exist; `sums` are the pair's, and this thread's alone.
    #[inline(always)]
    unsafe fn multiply(&self, pair: usize, frequency: usize, sums: *mut S::Element) {
        let (x, dy) = (&self.x_panels, &self.dy_panels);
        let (channels, units) = (pair / dy.panels(), pair % dy.panels());
        let rows = x.used(channels);
        // Short runs, so that what comes next is fetched in many small bits.
        let count = x.rows.div_ceil(RUN).clamp(1, MOST_RUNS);
        let mut runs = [Run::default(); MOST_RUNS];
        for (at, run) in runs.iter_mut().enumerate().take(count) {
            let (first, depth) = split(x.rows, count, at);
            *run = Run { left: first * x.width, right: first * dy.width, depth };
        }
        // SAFETY: the frequency of the panels lies inside x and dy; the sums have room for it. What comes next is not read.
        unsafe {
            let left = self.x.at(frequency * x.frequency + channels * x.rows * x.width).cast_const();
            let right = self.dy.at(frequency * dy.frequency + units * dy.rows * dy.width).cast_const();
            let ahead = [
                Ahead { at: left.wrapping_add(x.frequency), count: x.rows * x.width },
                Ahead { at: right.wrapping_add(dy.frequency), count: dy.rows * dy.width },
            ];
            S::enter(Product::<S, true> {
                rows,
                columns: dy.used(units).next_multiple_of(S::LANES),
                runs: &runs[..count],
                left,
                left_stride: x.width,
                right,
                right_stride: dy.width,
                target: sums.add(frequency * Plan::<S, P>::frequency(&self.plan.g)),
                target_stride: dy.width,
                add: !self.begin,
                finish: Finish::none(),
                ahead,
            });
        }
    }
}

/// Transforms sums back; a job is some channels of a pair of panels.
struct Back<'a, S: Arithmetic, P> {
    plan: &'a Plan<S, P>,
    sums: At<S::Element>,
    dw: At<S::Element>,
    scale: At<S::Element>,
}

// SAFETY: the plan is plain numbers, `S` appears in it as a type only.
unsafe impl<S: Arithmetic, P: Points> Sync for Back<'_, S, P> {}

/// Channels of a job.
const CHANNELS: usize = 8;

impl<S: Arithmetic, P: Points> Phase<S> for Back<'_, S, P> {
    fn jobs(&self) -> usize {
        Plan::<S, P>::pairs(&self.plan.g) * panel::<S>().div_ceil(CHANNELS)
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let g = &self.plan.g;
        let (pair, first) = (job / panel::<S>().div_ceil(CHANNELS), job % panel::<S>().div_ceil(CHANNELS) * CHANNELS);
        let used = (g.channels - pair / g.units.div_ceil(panel::<S>()) * panel::<S>()).min(panel::<S>());
        // SAFETY: the pair exists, and the channels below `used` in it.
        unsafe {
            let sums = self.sums.at(pair * Plan::<S, P>::sum(g));
            back(self.plan, pair, first.min(used)..(first + CHANNELS).min(used), sums, [self.dw, self.scale]);
        }
    }
}

/// Transforms the sums of some channels of a pair of panels back, and stores them, times the factors of their channels unless
/// these are null.
///
/// # Safety
/// The pair and the channels exist; `sums` are the pair's; these weights are this thread's alone; the processor has the
/// features of `S`.
#[inline(always)]
unsafe fn back<S: Arithmetic, P: Points>(
    plan: &Plan<S, P>,
    pair: usize,
    channels: std::ops::Range<usize>,
    sums: *const S::Element,
    [dw, scale]: [At<S::Element>; 2],
) {
    let g = &plan.g;
    let dy = Panels::new::<S>(1, g.units);
    let (channel_panel, unit_panel) = (pair / dy.panels(), pair % dy.panels());
    let one = Plan::<S, P>::frequency(g);
    for channel in channels {
        for column in (0..dy.used(unit_panel)).step_by(S::LANES) {
            let lanes = S::LANES.min(dy.used(unit_panel) - column);
            let (c, unit) = (channel_panel * panel::<S>() + channel, unit_panel * dy.width + column);
            // SAFETY: the sums of the channel and `lanes` units from `unit` on exist.
            unsafe {
                let mut block: Square<S> = [[S::zero(); MOST]; MOST];
                for i in 0..P::SIZE {
                    for j in 0..P::SIZE {
                        let at = (i * P::SIZE + j) * one + channel * dy.width + column;
                        block[i][j] = S::load(sums.add(at));
                    }
                }
                let block = square::<S, P::KernelGradient>(&block);
                let factor = (!scale.at(0).is_null()).then(|| S::splat(scale.at(c)));
                for i in 0..3 {
                    for j in 0..3 {
                        let value = factor.map_or(block[i][j], |factor| block[i][j].times(factor));
                        value.store_first(dw.at((c * 9 + i * 3 + j) * g.units + unit), lanes);
                    }
                }
            }
        }
    }
}
