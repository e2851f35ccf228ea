//! Convolutions with a fused max-pool, and the gradients of such pools, are compared with a convolution followed by a pool.

use super::*;
use crate::pooling::{Window, max_pool_gradient, max_pool_gradient_from_argmax};

/// The results of one fused call.
struct Got<T> {
    y: Vec<T>,
    largest: Vec<T>,
    argmax: Vec<u8>,
    sums: Vec<T>,
}

/// Runs a convolution with a fused max-pool.
fn pooled<T: Compiled + Into<f64>>(
    case: &Case<T>,
    g: &Geometry,
    scale: *const T,
    algorithm: Algorithm,
    variant: Variant,
    workers: &Workers,
) -> Got<T> {
    // One element more than needed, to see writes beyond the end.
    let (count, nan) = (g.outputs() / 4, T::from_f64(f64::NAN));
    let mut got = Got {
        y: vec![nan; count + 1],
        largest: vec![nan; count + 1],
        argmax: vec![0; count + 1],
        sums: vec![nan; g.units],
    };
    let mut memory = vec![nan; workspace::<T>(g, Direction::Forward, algorithm, variant, workers.threads()) + 1];
    let pooled = Pooled { scale, unscaled_max: got.largest.as_mut_ptr(), argmax: got.argmax.as_mut_ptr() };
    let epilogue = Epilogue { pooled: Some(pooled), sums: got.sums.as_mut_ptr(), ..case.epilogue };
    let (x, w, y) = (case.x.as_ptr(), case.w.as_ptr(), got.y.as_mut_ptr());
    // SAFETY: this CPU has the variant; all vectors have the sizes of the geometry.
    unsafe { forward(variant, algorithm, g, x, w, y, epilogue, case.prepare, memory.as_mut_ptr(), workers) };
    let is_nan = |number: Option<T>| number.is_some_and(|number| number.into().is_nan());
    let inside = is_nan(got.y.pop()) && is_nan(got.largest.pop()) && is_nan(memory.pop());
    assert!(inside && got.argmax.pop() == Some(0), "wrote beyond the end: {g:?} {algorithm:?} {variant:?}");
    got
}

/// The offsets of the pixels of window `at` of the pooled images, row by row.
fn pixels(g: &Geometry, at: usize) -> [usize; 4] {
    let (place, unit) = (at / g.units, at % g.units);
    let (row, column) = (place / (g.out_width / 2), place % (g.out_width / 2));
    [0, 1, 2, 3].map(|i| ((2 * row + i / 2) * g.out_width + 2 * column + i % 2) * g.units + unit)
}

fn pools_what_it_computes<T: Compiled + Into<f64> + std::fmt::Debug>(
    geometries: &[Geometry],
    algorithm: Algorithm,
    limit: f64,
) {
    // The convolution without a pool is tested elsewhere; here its results are pooled by plain loops.
    for (seed, g) in (0_u64..).zip(geometries.iter().filter(|g| g.halves())) {
        let (case, mut n) = (Case::<T>::new(g, seed), Numbers(seed + 5));
        let factors: Vec<T> = n.list(g.units);
        let scale = if seed % 2 == 0 { factors.as_ptr() } else { std::ptr::null() };
        let scaled = |x: T, unit: usize| if seed % 2 == 0 { x.times(factors[unit]) } else { x };
        for (variant, threads) in Variant::all().into_iter().zip([2, 1, 3]) {
            let (workers, text) = (Workers::new(threads), format!("{g:?} {algorithm:?} {variant:?}"));
            let (plain, sums) = case.computed_with_sums(g, Direction::Forward, algorithm, variant, &workers);
            let got = pooled(&case, g, scale, algorithm, variant, &workers);
            for at in 0..g.outputs() / 4 {
                let (pixels, unit) = (pixels(g, at), at % g.units);
                let value = |i: usize| scaled(plain[pixels[i]], unit).into();
                // Of equal numbers, the first one counts. The lower bits of an argmax name it, and the upper bits are the
                // ReLU mask.
                let best = (1..4).fold(0, |best, i| if value(i) > value(best) { i } else { best });
                let above = (0..4).filter(|i| plain[pixels[*i]].into() > 0.0).map(|i| 16 << i).sum::<u8>();
                assert_eq!(got.argmax[at], (1 << best) + above, "argmax {at}: {text}");
                let wanted = [plain[pixels[best]], scaled(plain[pixels[best]], unit)].map(Into::into);
                assert_eq!([got.largest[at], got.y[at]].map(Into::into), wanted, "number {at}: {text}");
            }
            assert_sums(&plain, &got.sums, limit, &text);
            assert_sums(&plain, &sums, limit, &text);
            gradients_agree(&case, g, &plain, &got, scale, variant, &workers, limit);
        }
    }
}

/// Checks that the gradient from the argmax is equal to the gradient that searches the images again.
#[expect(clippy::too_many_arguments, reason = "a case and what was computed of it")]
fn gradients_agree<T: Compiled + Into<f64> + std::fmt::Debug>(
    case: &Case<T>,
    g: &Geometry,
    plain: &[T],
    got: &Got<T>,
    scale: *const T,
    variant: Variant,
    workers: &Workers,
    limit: f64,
) {
    let window = Window {
        batch: g.batch,
        height: g.out_height,
        width: g.out_width,
        channels: g.units,
        out_height: g.out_height / 2,
        out_width: g.out_width / 2,
        kernel: [2, 2],
        stride: [2, 2],
        pad: [0, 0],
    };
    let (dy, nan) = (&case.dy[..g.outputs() / 4], T::from_f64(f64::NAN));
    let gradient = |from_argmax: bool, masked: bool| {
        let (mut dx, mut sums) = (vec![nan; g.outputs()], vec![nan; g.batch * g.units]);
        let mut weighted = sums.clone();
        let relu_output = if from_argmax { got.largest.as_ptr() } else { plain.as_ptr() };
        let relu_mask = ReluMask { relu_output, scale, weighted: weighted.as_mut_ptr() };
        let shift = if masked { std::ptr::null() } else { case.bias.as_ptr() };
        let relu_mask = if masked { relu_mask } else { ReluMask::none() };
        let epilogue = Epilogue { bias: shift, relu_mask, sums: sums.as_mut_ptr(), ..Epilogue::none() };
        // SAFETY: this CPU has the variant; all vectors have the sizes of the window.
        unsafe {
            let (dy, dx) = (dy.as_ptr(), dx.as_mut_ptr());
            if from_argmax {
                max_pool_gradient_from_argmax(variant, &window, got.argmax.as_ptr(), dy, dx, epilogue, workers);
            } else {
                max_pool_gradient(variant, &window, plain.as_ptr(), scale, dy, dx, epilogue, workers);
            }
        }
        (dx, sums, weighted)
    };
    // The two forms count a shift differently in the weighted sum, so shift and mask are tested one at a time.
    for masked in [true, false] {
        let [(dx, sums, weighted), (exact, exact_sums, exact_weighted)] =
            [gradient(true, masked), gradient(false, masked)];
        let text = format!("{g:?} {variant:?}, masked {masked}");
        assert!(dx.iter().zip(&exact).all(|(a, b)| a == b), "{text}");
        let pixels = f64::from(u32::try_from(g.out_height * g.out_width).unwrap());
        for (a, b) in sums.iter().zip(&exact_sums).chain(weighted.iter().zip(&exact_weighted).filter(|_| masked)) {
            assert!(((*a).into() - (*b).into()).abs() <= limit * pixels, "{a:?} is not {b:?}: {text}");
        }
    }
}

#[test]
fn convolutions_pool_their_results() {
    let direct = geometries(120, &KERNELS, &STRIDES);
    pools_what_it_computes::<f32>(&direct, Algorithm::Direct, 2e-6);
    pools_what_it_computes::<f64>(&direct, Algorithm::Direct, 1e-14);
    let three = geometries(80, &[[3, 3]], &[[1, 1]]);
    assert!(three.iter().filter(|g| g.halves()).count() > 10);
    for algorithm in [Algorithm::Winograd2, Algorithm::Winograd4] {
        pools_what_it_computes::<f32>(&three, algorithm, 2e-6);
        pools_what_it_computes::<f64>(&three, algorithm, 1e-14);
    }
}

#[test]
fn nan_counts_as_larger_than_any_number() {
    let g = Geometry {
        batch: 1,
        height: 4,
        width: 4,
        channels: 1,
        out_height: 4,
        out_width: 4,
        units: 1,
        kernel: [1, 1],
        stride: [1, 1],
        pad: [0, 0],
    };
    // A 1 x 1 kernel of weight 1 copies the image, so the four windows hold exactly these numbers.
    let mut case = Case::<f32>::new(&g, 0);
    case.w = vec![1.0];
    let (nan, many) = (f32::NAN, f32::INFINITY);
    case.x = vec![
        1.0, nan, nan, many, //
        many, 2.0, nan, 3.0, //
        -1.0, -1.0, 0.0, -0.0, //
        -1.0, -2.0, -3.0, 0.0,
    ];
    for variant in Variant::all() {
        let got = pooled(&case, &g, std::ptr::null(), Algorithm::Direct, variant, &Workers::new(1));
        assert!(
            got.y[0].is_nan() && got.y[1].is_nan() && (got.y[2], got.y[3]) == (-1.0, 0.0),
            "{variant:?} {:?}",
            got.y
        );
        assert_eq!(got.argmax, [0b1101_0010, 0b1010_0001, 0b0000_0001, 0b0000_0001], "{variant:?}");
    }
}
