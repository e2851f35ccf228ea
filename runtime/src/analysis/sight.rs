//! What the units of a first layer see of the training rows: the rows themselves, or patches of images.
//!
//! Images are many and large, so that of them a sample is looked at, evenly spaced over the training rows and over the places
//! of a filter. Places at which a filter sees padding are left out: what padding is to a filter depends on its modifiers.

use super::Subject;
use crate::data::images::Draw;
use crate::device::Numbers;
use crate::rows::{Pick, Rows};
use crate::session::Programs;
use gmpc_compiler::boundary::First;
use gmpc_compiler::net::{LayerKind, Product};
use gmpc_compiler::window::Window;

/// Images that a filter is moved over, and places on each, at most.
const IMAGES: usize = 64;
const PLACES: usize = 256;
/// Numbers of all rows that are looked at, at most.
const NUMBERS: usize = 1 << 24;

/// Inputs of a layer's units.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// `[count, fan_in]`
    pub rows: Vec<f64>,
    /// How many.
    pub count: usize,
    /// Out of so many rows or images, where that is not all of them.
    pub sample: Option<usize>,
}

/// What the units of a first layer see; `None` where the data are not here or cannot be read.
#[must_use]
pub fn sight(subject: &Subject, first: &First) -> Option<Sight> {
    let rows = &subject.tables.as_ref()?.train;
    let net = &subject.network.net;
    let layer = net.layers.get(first.layer)?;
    let input = &net.layers.first()?.shape;
    let window = match &layer.kind {
        LayerKind::Unit(unit) => match unit.product {
            Product::Convolution { window, .. } => Some(window),
            Product::Dense { .. } => None,
        },
        _ => return None,
    };
    let most = window.map_or(NUMBERS / rows.width().max(1), |_| IMAGES).clamp(1, rows.count().max(1));
    let data = sampled(subject, rows, most)?;
    let sample = (most < rows.count()).then_some(most);
    let seen = match (window, &input[..]) {
        (Some(window), &[channels, height, width]) => {
            let image = [channels, height, width];
            let places = places(&window, [height, width], [layer.shape[1], layer.shape[2]]);
            let images = data.chunks_exact(channels * height * width);
            let each =
                |pixels: &[f64]| places.iter().flat_map(|at| patch(pixels, image, &window, *at)).collect::<Vec<_>>();
            let seen: Vec<f64> = images.flat_map(each).collect();
            let count = seen.len() / first.fan_in.max(1);
            return Some(Sight { rows: seen, count, sample: Some(most) });
        }
        (None, &[channels, height, width]) => channels_first(&data, channels, height * width),
        _ => data,
    };
    Some(Sight { count: seen.len() / first.fan_in.max(1), rows: seen, sample })
}

/// So many rows, evenly spaced, as programs take them.
fn sampled(subject: &Subject, rows: &Rows, most: usize) -> Option<Vec<f64>> {
    let mut numbers = Numbers::zeros(subject.network.precision(), most.checked_mul(rows.width())?);
    rows.begin_plain();
    let chosen: Vec<u32> = (0..most).filter_map(|k| u32::try_from(k * rows.count() / most).ok()).collect();
    rows.inputs_into(&Pick::These(&chosen), Draw::Nothing, &mut numbers.as_mut()).ok()?;
    Some(numbers.as_slice().to_f64())
}

/// Upper left corners of places where a window lies within the image, evenly spaced.
fn places(window: &Window, image: [usize; 2], result: [usize; 2]) -> Vec<[usize; 2]> {
    let within = |axis: usize| -> Vec<usize> {
        let corner = |k: usize| {
            let first = window.source(axis, k, 0, image[axis])?;
            window.source(axis, k, window.kernel[axis] - 1, image[axis]).map(|_| first)
        };
        (0..result[axis]).filter_map(corner).collect()
    };
    let (rows, columns) = (within(0), within(1));
    let all = rows.len() * columns.len();
    let most = all.min(PLACES);
    (0..most).map(|k| k * all / most).map(|k| [rows[k / columns.len()], columns[k % columns.len()]]).collect()
}

/// What a filter sees at a place, channels outermost, of an image whose channels are last.
fn patch(pixels: &[f64], [channels, _, width]: [usize; 3], window: &Window, [top, left]: [usize; 2]) -> Vec<f64> {
    let [height, across] = window.kernel;
    let at = |c: usize, i: usize, j: usize| pixels.get(((top + i) * width + left + j) * channels + c).copied();
    let numbers = (0..channels).flat_map(|c| (0..height).flat_map(move |i| (0..across).map(move |j| (c, i, j))));
    numbers.map(|(c, i, j)| at(c, i, j).unwrap_or(f64::NAN)).collect()
}

/// Images `[pixels, channels]` as flat rows of `[channels, pixels]`.
fn channels_first(data: &[f64], channels: usize, pixels: usize) -> Vec<f64> {
    let one = |image: &[f64]| -> Vec<f64> {
        (0..channels).flat_map(|c| image.iter().skip(c).step_by(channels).copied()).collect()
    };
    data.chunks_exact((channels * pixels).max(1)).flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_its_channels_outermost() {
        // Two channels of 3 x 4 pixels: channel c of pixel p is 100 c + p.
        let pixels: Vec<f64> = (0..12).flat_map(|p| [f64::from(p), 100.0 + f64::from(p)]).collect();
        let window = Window { kernel: [2, 2], stride: [1, 1], before: [0, 0] };
        let seen = patch(&pixels, [2, 3, 4], &window, [1, 2]);
        assert_eq!(seen, [6.0, 7.0, 10.0, 11.0, 106.0, 107.0, 110.0, 111.0]);
        assert_eq!(channels_first(&pixels, 2, 12)[..3], [0.0, 1.0, 2.0]);
    }

    #[test]
    fn places_lie_within_the_image() {
        let window = Window { kernel: [3, 3], stride: [2, 2], before: [1, 1] };
        // Of an image of 5 x 5, results 0 and 2 of each axis see padding.
        assert_eq!(places(&window, [5, 5], [3, 3]), [[1, 1]]);
        let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
        let many = places(&window, [64, 64], [64, 64]);
        assert_eq!((many.len(), many[0]), (PLACES, [0, 0]));
        assert!(many.iter().all(|at| at[0] + 3 <= 64 && at[1] + 3 <= 64));
        let large = Window { kernel: [9, 9], stride: [1, 1], before: [4, 4] };
        assert_eq!(places(&large, [5, 5], [5, 5]), [] as [[usize; 2]; 0]);
    }
}
