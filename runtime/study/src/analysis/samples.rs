//! The inputs of a first layer's units over the training rows: the rows themselves, or patches of images.
//!
//! Images are many and large, so a sample of them is used: evenly spaced over the training rows, and over the positions
//! of a filter. Positions at which a filter reads padding are left out, because the value of padding depends on the
//! filter's modifiers.

use super::Run;
use gmpc_compiler::graphs::boundary::First;
use gmpc_compiler::ir::net::{Connection, Convolution, LayerKind};
use gmpc_compiler::ir::window::Window;
use gmpc_data::images::Draw;
use gmpc_data::{Pick, Rows};
use gmpc_device::Numbers;
use gmpc_runtime::program::session::Programs;

/// Largest number of images, and of positions in each.
const IMAGES: usize = 64;
const PLACES: usize = 256;
/// Largest number of input elements over all rows.
const NUMBERS: usize = 1 << 24;

/// A sample of the inputs of a layer's units.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// `[count, fan_in]`, row-major.
    pub rows: Vec<f64>,
    /// Number of rows or patches.
    pub count: usize,
    /// Number of rows or images that they come from, if these are not all.
    pub sample: Option<usize>,
}

/// The inputs of a first layer's units. `None` if the data are not available or cannot be read.
#[must_use]
pub fn samples(run: &Run, first: &First) -> Option<Samples> {
    let rows = &run.tables.as_ref()?.train;
    let net = &run.network.net;
    let layer = net.layers.get(first.layer)?;
    let input = &net.layers.first()?.shape;
    let convolution = match &layer.kind {
        LayerKind::Unit(unit) => match unit.connection {
            Connection::Convolution(convolution) => Some(convolution),
            Connection::Dense { .. } => None,
        },
        _ => return None,
    };
    // Images are limited by their number, table rows by their total size.
    let most = convolution.map_or(NUMBERS / rows.width().max(1), |_| IMAGES).clamp(1, rows.count().max(1));
    let data = sampled(run, rows, most)?;
    let sample = (most < rows.count()).then_some(most);
    let ([_, height, width], [channels, high, wide]) = (image(&layer.shape), image(input));
    let seen = match (convolution, input.len()) {
        (Some(of), 2 | 3) => {
            let places = places(&of.reach()?, [high, wide], [height, width]);
            // Rows hold a series in the order of the network, and images with their channels last.
            let last = if input.len() == 2 { each_transposed(&data, wide, channels) } else { data };
            let images = last.chunks_exact(channels * high * wide);
            let shape = [channels, high, wide];
            let each = |pixels: &[f64]| places.iter().flat_map(|at| patch(pixels, shape, &of, *at)).collect::<Vec<_>>();
            let seen: Vec<f64> = images.flat_map(each).collect();
            let count = seen.len() / first.fan_in.max(1);
            return Some(Samples { rows: seen, count, sample: Some(most) });
        }
        (None, 3) => each_transposed(&data, channels, high * wide),
        _ => data,
    };
    Some(Samples { count: seen.len() / first.fan_in.max(1), rows: seen, sample })
}

/// Channels, height and width of an example. A series has height 1.
fn image(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [channels, height, width] => [channels, height, width],
        [channels, positions] => [channels, 1, positions],
        _ => [shape.first().copied().unwrap_or(1), 1, 1],
    }
}

/// `most` evenly spaced rows, as programs take them.
fn sampled(run: &Run, rows: &Rows, most: usize) -> Option<Vec<f64>> {
    let mut numbers = Numbers::zeros(run.network.precision(), most.checked_mul(rows.width())?);
    rows.begin_plain();
    let chosen: Vec<u32> = (0..most).filter_map(|k| u32::try_from(k * rows.count() / most).ok()).collect();
    rows.inputs_into(&Pick::These(&chosen), Draw::Nothing, &mut numbers.as_mut()).ok()?;
    Some(numbers.as_slice().to_f64())
}

/// Upper left corners of the positions at which a window lies within the image, evenly spaced.
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

/// The input of a filter at one position, channels outermost, from an image whose channels are innermost.
fn patch(pixels: &[f64], [channels, _, width]: [usize; 3], of: &Convolution, [top, left]: [usize; 2]) -> Vec<f64> {
    let ([height, across], [down, apart]) = (of.window.kernel, of.dilation);
    let at = |c: usize, i: usize, j: usize| {
        pixels.get(((top + i * down) * width + left + j * apart) * channels + c).copied()
    };
    let numbers = (0..channels).flat_map(|c| (0..height).flat_map(move |i| (0..across).map(move |j| (c, i, j))));
    numbers.map(|(c, i, j)| at(c, i, j).unwrap_or(f64::NAN)).collect()
}

/// Converts images `[places, columns]` each to `[columns, places]`: channels that are innermost become outermost.
fn each_transposed(data: &[f64], columns: usize, places: usize) -> Vec<f64> {
    let one = |image: &[f64]| -> Vec<f64> {
        (0..columns).flat_map(|c| image.iter().skip(c).step_by(columns).copied()).collect()
    };
    data.chunks_exact((columns * places).max(1)).flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_its_channels_outermost() {
        // Two channels of 3 x 4 pixels: channel c of pixel p is 100 c + p.
        let pixels: Vec<f64> = (0..12).flat_map(|p| [f64::from(p), 100.0 + f64::from(p)]).collect();
        let window = Window { kernel: [2, 2], stride: [1, 1], before: [0, 0] };
        let plain = Convolution::plain(1, window);
        let seen = patch(&pixels, [2, 3, 4], &plain, [1, 2]);
        assert_eq!(seen, [6.0, 7.0, 10.0, 11.0, 106.0, 107.0, 110.0, 111.0]);
        let wide = Convolution { dilation: [1, 2], ..plain };
        assert_eq!(patch(&pixels, [2, 3, 4], &wide, [0, 1])[..4], [1.0, 3.0, 5.0, 7.0]);
        assert_eq!(each_transposed(&pixels, 2, 12)[..3], [0.0, 1.0, 2.0]);
    }

    #[test]
    fn places_lie_within_the_image() {
        let window = Window { kernel: [3, 3], stride: [2, 2], before: [1, 1] };
        // In an image of 5 x 5, results 0 and 2 of each axis read padding.
        assert_eq!(places(&window, [5, 5], [3, 3]), [[1, 1]]);
        let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
        let many = places(&window, [64, 64], [64, 64]);
        assert_eq!((many.len(), many[0]), (PLACES, [0, 0]));
        assert!(many.iter().all(|at| at[0] + 3 <= 64 && at[1] + 3 <= 64));
        let large = Window { kernel: [9, 9], stride: [1, 1], before: [4, 4] };
        assert_eq!(places(&large, [5, 5], [5, 5]), [] as [[usize; 2]; 0]);
    }
}
