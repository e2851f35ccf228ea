//! Gradients at weights that are exactly zero: no pixel of x that is not 0 meets one of dy.

use super::*;

/// Sets numbers of a column to 0, except one in `rare` on average.
fn thin<T: Compiled>(numbers: &mut [T], columns: usize, column: usize, rare: usize, n: &mut Numbers) {
    for number in numbers.iter_mut().skip(column).step_by(columns) {
        if !usize::try_from(n.next()).unwrap().is_multiple_of(rare) {
            *number = T::default();
        }
    }
}

/// Channels and units of all kinds: some never above 0, some in one of 1000 pixels, some nearly everywhere.
fn sparse<T: Compiled + Into<f64>>(g: &Geometry, seed: u64) -> Case<T> {
    let (mut case, mut n) = (Case::<T>::new(g, seed), Numbers(seed + 5));
    case.prepare = Prepare { scale: case.prepare.scale, shift: std::ptr::null() };
    for (list, columns) in [(&mut case.x, g.channels), (&mut case.dy, g.units)] {
        for column in 0..columns {
            let rare = n.one_of(&[1, 2, 10, 100, 1000, usize::MAX]);
            thin(list, columns, column, rare, &mut n);
        }
    }
    case
}

/// Which weights have a product that is not 0?
fn met<T: Compiled + Into<f64>>(g: &Geometry, case: &Case<T>) -> Vec<bool> {
    let mut met = vec![false; g.weights()];
    products(g, |x, w, y| met[w] |= case.x[x].into() != 0.0 && case.dy[y].into() != 0.0);
    met
}

fn stays_zero<T: Compiled + Into<f64>>(g: &Geometry, seed: u64) -> [usize; 2] {
    let case = sparse::<T>(g, seed);
    let met = met(g, &case);
    for algorithm in [Algorithm::Direct, Algorithm::Winograd2, Algorithm::Winograd4] {
        for (variant, threads) in Variant::all().into_iter().zip([1, 2, 3].into_iter().cycle()) {
            let dw = case.computed(g, Direction::Weight, algorithm, variant, &Workers::new(threads));
            for (at, (dw, met)) in dw.iter().zip(&met).enumerate() {
                let dw: f64 = (*dw).into();
                assert_eq!(dw != 0.0, *met, "weight {at} is {dw:e}: {g:?} {algorithm:?} {variant:?}");
            }
        }
    }
    [met.iter().filter(|met| **met).count(), met.iter().filter(|met| !**met).count()]
}

#[test]
fn a_gradient_without_a_product_is_exactly_zero() {
    let mut all = geometries(24, &[[3, 3]], &[[1, 1]]);
    // Strings of several chunks, the last of them short.
    all.push(Geometry {
        batch: 9,
        height: 30,
        width: 21,
        channels: 20,
        out_height: 30,
        out_width: 21,
        units: 35,
        kernel: [3, 3],
        stride: [1, 1],
        pad: [1, 1],
    });
    let mut counts = [0, 0];
    for (seed, g) in (0..).zip(&all) {
        for [met, never] in [stays_zero::<f32>(g, seed), stays_zero::<f64>(g, seed)] {
            counts = [counts[0] + met, counts[1] + never];
        }
    }
    assert!(counts.iter().all(|count| *count > 10_000), "{counts:?} weights that meet and that never do");
}

#[test]
fn a_gradient_that_is_not_finite_is_kept() {
    let g = Geometry {
        batch: 1,
        height: 8,
        width: 8,
        channels: 16,
        out_height: 8,
        out_width: 8,
        units: 16,
        kernel: [3, 3],
        stride: [1, 1],
        pad: [1, 1],
    };
    let mut case = Case::<f32>::new(&g, 0);
    for pixel in 0..64 {
        case.x[pixel * 16] = if pixel == 0 { f32::NAN } else { 0.0 };
        case.dy[pixel * 16] = if pixel == 63 { 1.0 } else { 0.0 };
    }
    for algorithm in [Algorithm::Winograd2, Algorithm::Winograd4] {
        let dw = case.computed(&g, Direction::Weight, algorithm, Variant::best(), &Workers::new(1));
        // The middle tap of every unit but the first meets the NaN.
        assert!((1..16).all(|unit| dw[4 * 16 + unit].is_nan()), "{algorithm:?}");
    }
}
