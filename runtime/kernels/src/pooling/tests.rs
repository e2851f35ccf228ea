//! Pools of every variant are compared with plain loops.

use super::*;
use crate::epilogue::ReluMask;

/// Small integers, so that windows have ties and sums are exact.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = ((state >> 16) % 9) as f32;
        number - 4.0
    };
    (0..count).map(|_| next()).collect()
}

fn window(
    [batch, height, width, channels]: [usize; 4],
    [out_height, out_width]: [usize; 2],
    [kernel, stride, pad]: [usize; 3],
) -> Window {
    let [kernel, stride, pad] = [kernel, stride, pad].map(|size| [size; 2]);
    Window { batch, height, width, channels, out_height, out_width, kernel, stride, pad }
}

fn windows() -> [Window; 6] {
    [
        window([2, 6, 6, 17], [3, 3], [2, 2, 0]),
        window([3, 7, 9, 130], [4, 5], [3, 2, 1]),
        window([1, 5, 4, 3], [5, 4], [3, 1, 1]),
        window([2, 4, 4, 16], [1, 1], [4, 4, 0]),
        window([2, 5, 5, 8], [2, 2], [2, 3, 0]),
        window([1, 3, 3, 5], [3, 3], [2, 3, 2]), // the last windows lie outside the image
    ]
}

/// Calls `visit` for every window with its offset in the small images, and the offsets of its pixels in the large images.
fn each(w: &Window, mut visit: impl FnMut(usize, &[usize])) {
    let places =
        (0..w.batch).flat_map(|n| (0..w.out_height).flat_map(move |r| (0..w.out_width).map(move |s| [n, r, s])));
    for ([n, r, s], c) in places.flat_map(|place| (0..w.channels).map(move |c| (place, c))) {
        let mut pixels = Vec::new();
        for (i, j) in (0..w.kernel[0]).flat_map(|i| (0..w.kernel[1]).map(move |j| (i, j))) {
            let row = (r * w.stride[0] + i).checked_sub(w.pad[0]).filter(|row| *row < w.height);
            let column = (s * w.stride[1] + j).checked_sub(w.pad[1]).filter(|column| *column < w.width);
            if let (Some(row), Some(column)) = (row, column) {
                pixels.push(((n * w.height + row) * w.width + column) * w.channels + c);
            }
        }
        visit(((n * w.out_height + r) * w.out_width + s) * w.channels + c, &pixels);
    }
}

/// The first largest pixel; NaN counts as the largest.
fn first_largest(x: &[f32], pixels: &[usize]) -> Option<usize> {
    pixels.iter().copied().reduce(|best, at| {
        let better = x[at] > x[best] || (x[at].is_nan() && !x[best].is_nan());
        if better { at } else { best }
    })
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

#[test]
fn pools_agree_with_plain_loops() {
    for (w, factors) in windows().into_iter().flat_map(|w| [(w, false), (w, true)]) {
        let scale: Vec<f32> = [1.0, -1.0, 2.0].into_iter().cycle().take(w.channels).collect();
        let (large, small) =
            (w.batch * w.height * w.width * w.channels, w.batch * w.out_height * w.out_width * w.channels);
        let (mut x, dy) = (numbers(large, 1), numbers(small, 2));
        // NaN must win, and -inf must not be mistaken for padding.
        x[large / 2] = f32::NAN;
        x[large / 3] = f32::NEG_INFINITY;
        let mut scaled = x.clone();
        if factors {
            scaled.iter_mut().zip(scale.iter().cycle()).for_each(|(x, scale)| *x *= scale);
        }
        let (mut y, mut dx) = (vec![f32::NEG_INFINITY; small], vec![0.0; large]);
        let (mut sum, mut sum_dx) = (vec![0.0; small], vec![0.0; large]);
        each(&w, |at, pixels| {
            if let Some(best) = first_largest(&scaled, pixels) {
                y[at] = scaled[best];
                dx[best] += dy[at];
            }
            sum[at] = pixels.iter().map(|pixel| x[*pixel]).sum();
            pixels.iter().for_each(|pixel| sum_dx[*pixel] += dy[at]);
        });
        for (variant, threads) in Variant::all().into_iter().flat_map(|v| [1, 2, 3].map(|t| (v, t))) {
            let workers = Workers::new(threads);
            let mut got = [vec![9.5; small], vec![9.5; large], vec![9.5; small], vec![9.5; large]];
            let scale = if factors { scale.as_ptr() } else { std::ptr::null() };
            let [a, b, c, d] = got.each_mut().map(|list| list.as_mut_ptr());
            // SAFETY: this CPU has the variant; all vectors have the sizes of the window.
            unsafe {
                max_pool(variant, &w, x.as_ptr(), scale, a, &workers);
                max_pool_gradient(variant, &w, x.as_ptr(), scale, dy.as_ptr(), b, Epilogue::none(), &workers);
                sum_pool(variant, &w, x.as_ptr(), c, &workers);
                sum_pool_gradient(variant, &w, dy.as_ptr(), d, &workers);
            }
            for (got, exact) in got.iter().zip([&y, &dx, &sum, &sum_dx]) {
                assert!(same(got, exact), "{w:?} {variant:?} {threads} threads:\n{got:?}\n{exact:?}");
            }
        }
    }
}

#[test]
fn gradients_of_max_pools_apply_the_epilogue() {
    for (w, factors) in windows().into_iter().filter(Window::tiles).flat_map(|w| [(w, false), (w, true)]) {
        let (large, small) =
            (w.batch * w.height * w.width * w.channels, w.batch * w.out_height * w.out_width * w.channels);
        let (x, dy) = (numbers(large, 1), numbers(small, 2));
        let scale: Vec<f32> = [1.0, -2.0, 0.5].into_iter().cycle().take(w.channels).collect();
        let mut plain = vec![9.5; large];
        let workers = Workers::new(2);
        let gradient = |variant, dx: *mut f32, epilogue| {
            let (x, dy) = (x.as_ptr(), dy.as_ptr());
            // SAFETY: this CPU has the variant; all vectors have the sizes of the window.
            unsafe { max_pool_gradient(variant, &w, x, std::ptr::null(), dy, dx, epilogue, &workers) }
        };
        // The gradient without an epilogue is tested above. Here the epilogue is applied to it by plain loops.
        gradient(Variant::Portable, plain.as_mut_ptr(), Epilogue::none());
        let bias: Vec<f32> = [0.5, 1.0].into_iter().cycle().take(w.channels).collect();
        if factors {
            plain.iter_mut().zip(bias.iter().cycle()).for_each(|(dx, bias)| *dx += bias);
        }
        let masked: Vec<f32> = plain.iter().zip(&x).map(|(dx, x)| if *x > 0.0 { *dx } else { 0.0 }).collect();
        let (mut sums, mut weighted) = (vec![0.0; w.batch * w.channels], vec![0.0; w.batch * w.channels]);
        for at in 0..large {
            let column = at / (w.height * w.width * w.channels) * w.channels + at % w.channels;
            sums[column] += masked[at];
            weighted[column] += plain[at] * x[at];
        }
        let factor = |at: usize| if factors { scale[at % w.channels] } else { 1.0 };
        let wanted: Vec<f32> = masked.iter().enumerate().map(|(at, dx)| dx * factor(at)).collect();
        for variant in Variant::all() {
            let mut got = [vec![9.5; large], vec![9.5; sums.len()], vec![9.5; sums.len()]];
            let [dx, own, other] = got.each_mut().map(|list| list.as_mut_ptr());
            let scale = if factors { scale.as_ptr() } else { std::ptr::null() };
            let relu_mask = ReluMask { relu_output: x.as_ptr(), scale, weighted: other };
            let bias = if factors { bias.as_ptr() } else { std::ptr::null() };
            gradient(variant, dx, Epilogue { bias, relu_mask, sums: own, ..Epilogue::none() });
            for (got, exact) in got.iter().zip([&wanted, &sums, &weighted]) {
                assert!(same(got, exact), "{w:?} {variant:?}:\n{got:?}\n{exact:?}");
            }
        }
    }
}
