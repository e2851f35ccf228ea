//! Every algorithm, direction and variant is compared with plain loops in f64, over odd sizes.

use super::*;
use crate::Variant;
use crate::compiled::Compiled;
use crate::epilogue::{Pooled, ReluMask};

mod meetings;
mod pooled;

/// Numbers without a pattern, in [-1, 1).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn one_of<T: Copy>(&mut self, some: &[T]) -> T {
        some[usize::try_from(self.next()).unwrap() % some.len()]
    }

    fn list<T: Compiled>(&mut self, count: usize) -> Vec<T> {
        (0..count).map(|_| T::from_f64(self.next() as f64 / f64::from(1 << 30) - 1.0)).collect()
    }
}

/// The number of windows along an axis that is padded on both sides, and sometimes one more or less.
fn windows(size: usize, kernel: usize, stride: usize, pad: usize, numbers: &mut Numbers) -> usize {
    let exact = ((size + 2 * pad).saturating_sub(kernel) / stride) + 1;
    (exact + numbers.one_of(&[0, 0, 0, 1])).saturating_sub(numbers.one_of(&[0, 0, 0, 1])).max(1)
}

fn geometries(count: usize, kernels: &[[usize; 2]], strides: &[[usize; 2]]) -> Vec<Geometry> {
    let mut numbers = Numbers(7);
    let mut all = Vec::new();
    while all.len() < count {
        let n = &mut numbers;
        let (kernel, stride) = (n.one_of(kernels), n.one_of(strides));
        let [height, width] =
            [n.one_of(&[1, 2, 3, 4, 5, 7, 8, 9, 11, 13]), n.one_of(&[1, 2, 3, 4, 6, 7, 8, 10, 12, 13])];
        let pad = [n.one_of(&[0, 1, 1, 2, 3]), n.one_of(&[0, 1, 1, 2, 3])];
        let out_height = windows(height, kernel[0], stride[0], pad[0], n);
        let out_width = windows(width, kernel[1], stride[1], pad[1], n);
        let (channels, units) = (n.one_of(&[1, 2, 3, 5, 16, 17, 33, 64]), n.one_of(&[1, 2, 3, 5, 16, 17, 33, 64, 70]));
        let batch = n.one_of(&[1, 2, 3, 5]);
        let g = Geometry { batch, height, width, channels, out_height, out_width, units, kernel, stride, pad };
        if g.outputs() * g.weights() / units < 3_000_000 {
            all.push(g);
        }
    }
    all
}

/// Calls `visit` with the offsets in x, w and y of every product that is a term of y.
fn products(g: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    for (n, r, s) in
        (0..g.batch).flat_map(|n| (0..g.out_height).flat_map(move |r| (0..g.out_width).map(move |s| (n, r, s))))
    {
        for (i, j) in (0..g.kernel[0]).flat_map(|i| (0..g.kernel[1]).map(move |j| (i, j))) {
            let row = (r * g.stride[0] + i).checked_sub(g.pad[0]).filter(|row| *row < g.height);
            let column = (s * g.stride[1] + j).checked_sub(g.pad[1]).filter(|column| *column < g.width);
            let (Some(row), Some(column)) = (row, column) else { continue };
            for c in 0..g.channels {
                let x = ((n * g.height + row) * g.width + column) * g.channels + c;
                let w = ((c * g.kernel[0] + i) * g.kernel[1] + j) * g.units;
                let y = ((n * g.out_height + r) * g.out_width + s) * g.units;
                (0..g.units).for_each(|o| visit(x, w + o, y + o));
            }
        }
    }
}

/// The operands of one case, and the vectors to which `epilogue` and `prepare` point.
struct Case<T> {
    x: Vec<T>,
    w: Vec<T>,
    dy: Vec<T>,
    bias: Vec<T>,
    scale: Vec<T>,
    shift: Vec<T>,
    epilogue: Epilogue<T>,
    prepare: Prepare<T>,
}

impl<T: Compiled + Into<f64>> Case<T> {
    fn new(g: &Geometry, seed: u64) -> Self {
        let mut n = Numbers(seed);
        let (x, w, dy) = (n.list(g.inputs()), n.list(g.weights()), n.list(g.outputs()));
        let (bias, scale, shift): (Vec<T>, Vec<T>, Vec<T>) = (n.list(g.units), n.list(g.channels), n.list(g.channels));
        let some = |yes: u64, list: &Vec<T>| if seed & yes != 0 { list.as_ptr() } else { std::ptr::null() };
        let epilogue = Epilogue { bias: some(1, &bias), relu: seed & 2 != 0, ..Epilogue::none() };
        let prepare = Prepare { scale: some(4, &scale), shift: some(8, &shift) };
        Self { x, w, dy, bias, scale, shift, epilogue, prepare }
    }

    fn prepared(&self, g: &Geometry, at: usize) -> f64 {
        let (x, c) = (self.x[at].into(), at % g.channels);
        let x = if self.prepare.scale.is_null() { x } else { x * self.scale[c].into() };
        if self.prepare.shift.is_null() { x } else { x + self.shift[c].into() }
    }

    fn exact(&self, g: &Geometry, direction: Direction) -> Vec<f64> {
        let size = match direction {
            Direction::Forward => g.outputs(),
            Direction::Input => g.inputs(),
            Direction::Weight => g.weights(),
        };
        let mut exact = vec![0.0; size];
        products(g, |x, w, y| match direction {
            Direction::Forward => exact[y] += self.prepared(g, x) * self.w[w].into(),
            Direction::Input => exact[x] += self.dy[y].into() * self.w[w].into(),
            Direction::Weight => exact[w] += self.prepared(g, x) * self.dy[y].into(),
        });
        if direction == Direction::Forward {
            for (at, y) in exact.iter_mut().enumerate() {
                *y += if self.epilogue.bias.is_null() { 0.0 } else { self.bias[at % g.units].into() };
                *y = if self.epilogue.relu { y.max(0.0) } else { *y };
            }
        }
        exact
    }

    fn computed(
        &self,
        g: &Geometry,
        direction: Direction,
        algorithm: Algorithm,
        variant: Variant,
        workers: &Workers,
    ) -> Vec<T> {
        self.computed_with_sums(g, direction, algorithm, variant, workers).0
    }

    /// The results, and their sums over all pixels. A gradient at the weights has no sums.
    fn computed_with_sums(
        &self,
        g: &Geometry,
        direction: Direction,
        algorithm: Algorithm,
        variant: Variant,
        workers: &Workers,
    ) -> (Vec<T>, Vec<T>) {
        // Every buffer begins as NaN, so that an element which is never written is found; one element more shows writes
        // beyond the end.
        let nan = T::from_f64(f64::NAN);
        let size = self.exact_size(g, direction);
        let (mut to, room) = (vec![nan; size + 1], workspace::<T>(g, direction, algorithm, variant, workers.threads()));
        let mut memory = vec![nan; room + 1];
        let columns = match direction {
            Direction::Forward => g.units,
            Direction::Input => g.channels,
            Direction::Weight => 0,
        };
        let mut sums = vec![nan; columns + 1];
        let totals = sums.as_mut_ptr();
        let (x, w, dy, result, work) =
            (self.x.as_ptr(), self.w.as_ptr(), self.dy.as_ptr(), to.as_mut_ptr(), memory.as_mut_ptr());
        // SAFETY: this CPU has the variant; all vectors have the sizes of the geometry.
        unsafe {
            match direction {
                Direction::Forward => {
                    let epilogue = Epilogue { sums: totals, ..self.epilogue };
                    forward(variant, algorithm, g, x, w, result, epilogue, self.prepare, work, workers);
                }
                Direction::Input => {
                    let epilogue = Epilogue { sums: totals, ..Epilogue::none() };
                    input_gradient(variant, algorithm, g, dy, w, result, epilogue, work, workers);
                }
                Direction::Weight => weight_gradient(variant, algorithm, g, x, dy, result, self.prepare, work, workers),
            }
        }
        let is_nan = |number: Option<T>| number.is_some_and(|number| number.into().is_nan());
        assert!(
            is_nan(to.pop()) && is_nan(memory.pop()) && is_nan(sums.pop()),
            "wrote beyond the end: {g:?} {direction:?} {algorithm:?} {variant:?}"
        );
        (to, sums)
    }

    fn exact_size(&self, g: &Geometry, direction: Direction) -> usize {
        match direction {
            Direction::Forward => g.outputs(),
            Direction::Input => g.inputs(),
            Direction::Weight => g.weights(),
        }
    }
}

/// The relative error |computed - exact| / |exact|, with lengths of vectors.
fn error<T: Compiled + Into<f64>>(computed: &[T], exact: &[f64]) -> f64 {
    let square = |x: f64| x * x;
    let difference: f64 = computed.iter().zip(exact).map(|(a, b)| square((*a).into() - b)).sum();
    let size: f64 = exact.iter().map(|b| square(*b)).sum();
    if size == 0.0 { difference } else { (difference / size).sqrt() }
}

/// Checks that the sums are those of the stored results.
fn assert_sums<T: Compiled + Into<f64>>(computed: &[T], sums: &[T], limit: f64, case: &str) {
    for (column, sum) in sums.iter().enumerate() {
        let stored = || computed.iter().skip(column).step_by(sums.len()).map(|number| (*number).into());
        let (exact, size) = (stored().sum::<f64>(), stored().map(f64::abs).sum::<f64>());
        let error = ((*sum).into() - exact).abs();
        assert!(error <= limit * size, "sum {column} is {:e}, not {exact:e}: {case}", (*sum).into());
    }
}

const DIRECTIONS: [Direction; 3] = [Direction::Forward, Direction::Input, Direction::Weight];

fn agrees<T: Compiled + Into<f64>>(geometries: &[Geometry], algorithm: Algorithm, limit: f64) {
    let workers = Workers::new(2);
    for (seed, g) in (0..).zip(geometries) {
        assert!(algorithm.fits(g));
        let case = Case::<T>::new(g, seed);
        for direction in DIRECTIONS {
            let exact = case.exact(g, direction);
            for variant in Variant::all() {
                let (computed, sums) = case.computed_with_sums(g, direction, algorithm, variant, &workers);
                let error = error(&computed, &exact);
                assert!(error < limit, "{error:e}: {g:?} {direction:?} {algorithm:?} {variant:?}");
                assert_sums(&computed, &sums, limit, &format!("{g:?} {direction:?} {algorithm:?} {variant:?}"));
            }
        }
    }
}

const KERNELS: [[usize; 2]; 6] = [[1, 1], [3, 3], [3, 2], [5, 5], [7, 7], [2, 3]];
const STRIDES: [[usize; 2]; 4] = [[1, 1], [2, 2], [3, 3], [2, 1]];

#[test]
fn direct_convolution_agrees_with_plain_loops() {
    let geometries = geometries(150, &KERNELS, &STRIDES);
    agrees::<f32>(&geometries, Algorithm::Direct, 2e-6);
    agrees::<f64>(&geometries, Algorithm::Direct, 1e-14);
}

#[test]
fn winograd_agrees_with_plain_loops() {
    let geometries = geometries(100, &[[3, 3]], &[[1, 1]]);
    agrees::<f32>(&geometries, Algorithm::Winograd2, 4e-6);
    agrees::<f64>(&geometries, Algorithm::Winograd2, 1e-14);
    agrees::<f32>(&geometries, Algorithm::Winograd4, 8e-6);
    agrees::<f64>(&geometries, Algorithm::Winograd4, 2e-14);
}

#[test]
fn long_sums_stay_accurate() {
    let g = Geometry {
        batch: 1,
        height: 8,
        width: 8,
        channels: 512,
        out_height: 8,
        out_width: 8,
        units: 64,
        kernel: [3, 3],
        stride: [1, 1],
        pad: [1, 1],
    };
    agrees::<f32>(&[g], Algorithm::Direct, 2e-6);
    agrees::<f32>(&[g], Algorithm::Winograd2, 1e-6);
    agrees::<f32>(&[g], Algorithm::Winograd4, 3e-6);
    let swapped = Geometry { channels: 64, units: 512, ..g };
    agrees::<f32>(&[swapped], Algorithm::Winograd4, 3e-6);
    let many =
        Geometry { batch: 16, height: 24, width: 24, out_height: 24, out_width: 24, channels: 16, units: 16, ..g };
    agrees::<f32>(&[many], Algorithm::Winograd4, 4e-6);
}

#[test]
fn a_kernel_with_more_rows_than_runs_adds_up_in_memory() {
    let g = Geometry {
        batch: 2,
        height: 40,
        width: 5,
        channels: 3,
        out_height: 4,
        out_width: 5,
        units: 18,
        kernel: [37, 2],
        stride: [1, 1],
        pad: [0, 1],
    };
    agrees::<f32>(&[g; 4], Algorithm::Direct, 2e-6);
}

/// Checks the gradient with a ReLU mask, and both its sums, against the gradient without one.
fn relu_masks_agree<T: Compiled + Into<f64> + PartialEq + std::fmt::Debug>(
    geometries: &[Geometry],
    algorithm: Algorithm,
    limit: f64,
) {
    for (seed, g) in (0_u64..).zip(geometries) {
        let (case, mut n) = (Case::<T>::new(g, seed), Numbers(seed + 99));
        let (relu_output, scale): (Vec<T>, Vec<T>) = (n.list(g.inputs()), n.list(g.channels));
        for (variant, threads) in Variant::all().into_iter().zip([1, 2, 3].into_iter().cycle()) {
            let workers = Workers::new(threads);
            let plain = case.computed(g, Direction::Input, algorithm, variant, &workers);
            let room = workspace::<T>(g, Direction::Input, algorithm, variant, threads);
            let nan = T::from_f64(f64::NAN);
            let (mut dx, mut memory) = (vec![nan; g.inputs()], vec![nan; room]);
            let (mut sums, mut weighted) = (vec![nan; g.channels], vec![nan; g.channels]);
            let scaled = seed % 2 == 0;
            let relu_mask = ReluMask {
                relu_output: relu_output.as_ptr(),
                scale: if scaled { scale.as_ptr() } else { std::ptr::null() },
                weighted: weighted.as_mut_ptr(),
            };
            let epilogue = Epilogue { relu_mask, sums: sums.as_mut_ptr(), ..Epilogue::none() };
            let (dy, w, work) = (case.dy.as_ptr(), case.w.as_ptr(), memory.as_mut_ptr());
            // SAFETY: this CPU has the variant; all vectors have the sizes of the geometry.
            unsafe { input_gradient(variant, algorithm, g, dy, w, dx.as_mut_ptr(), epilogue, work, &workers) };
            let text = format!("{g:?} {algorithm:?} {variant:?}");
            let open = |at: usize| relu_output[at] > T::default();
            // The mask only selects, so results must be equal bit by bit; sums may differ by rounding.
            let masked: Vec<T> = (0..g.inputs()).map(|at| if open(at) { plain[at] } else { T::default() }).collect();
            for (at, masked) in masked.iter().enumerate() {
                let wanted = if scaled { masked.times(scale[at % g.channels]) } else { *masked };
                assert_eq!(dx[at], wanted, "number {at}: {text}");
            }
            assert_sums(&masked, &sums, limit, &text);
            let products: Vec<T> = plain.iter().zip(&relu_output).map(|(a, b)| a.times(*b)).collect();
            assert_sums(&products, &weighted, limit, &text);
        }
    }
}

#[test]
fn gradients_apply_relu_masks() {
    let geometries = geometries(60, &KERNELS, &STRIDES);
    relu_masks_agree::<f32>(&geometries, Algorithm::Direct, 2e-6);
    relu_masks_agree::<f64>(&geometries, Algorithm::Direct, 1e-14);
    let geometries = self::geometries(40, &[[3, 3]], &[[1, 1]]);
    for algorithm in [Algorithm::Winograd2, Algorithm::Winograd4] {
        relu_masks_agree::<f32>(&geometries, algorithm, 2e-6);
        relu_masks_agree::<f64>(&geometries, algorithm, 1e-14);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    // Small shapes are cut into few tasks; the last one is large enough for many.
    let mut all = geometries(12, &[[3, 3]], &[[1, 1]]);
    all.extend(geometries(12, &KERNELS, &STRIDES));
    all.push(Geometry {
        batch: 9,
        height: 20,
        width: 18,
        channels: 20,
        out_height: 20,
        out_width: 18,
        units: 40,
        kernel: [3, 3],
        stride: [1, 1],
        pad: [1, 1],
    });
    for (seed, g) in (0..).zip(&all) {
        let case = Case::<f32>::new(g, seed);
        let algorithms = [Algorithm::Direct, Algorithm::Winograd2, Algorithm::Winograd4];
        for algorithm in algorithms.into_iter().filter(|algorithm| algorithm.fits(g)) {
            for direction in DIRECTIONS {
                let bits = |threads: usize| {
                    let workers = Workers::new(threads);
                    let (computed, sums) = case.computed_with_sums(g, direction, algorithm, Variant::best(), &workers);
                    computed.iter().chain(&sums).map(|number| number.to_bits()).collect::<Vec<_>>()
                };
                let one = bits(1);
                for threads in [2, 3, 5] {
                    assert!(bits(threads) == one, "{threads} threads: {g:?} {direction:?} {algorithm:?}");
                }
            }
        }
    }
}

#[test]
fn nan_reaches_exactly_what_depends_on_it() {
    let g = Geometry {
        batch: 2,
        height: 12,
        width: 12,
        channels: 4,
        out_height: 12,
        out_width: 12,
        units: 18,
        kernel: [3, 3],
        stride: [1, 1],
        pad: [1, 1],
    };
    let mut case = Case::<f32>::new(&g, 2);
    let bad = ((12 + 5) * 12 + 7) * 4 + 1;
    case.x[bad] = f32::NAN;
    for variant in Variant::all() {
        let y = case.computed(&g, Direction::Forward, Algorithm::Direct, variant, &Workers::new(2));
        let mut depends = vec![false; g.outputs()];
        products(&g, |x, _, y| depends[y] |= x == bad);
        assert!(y.iter().zip(&depends).all(|(y, depends)| y.is_nan() == *depends), "{variant:?}");
    }
}
