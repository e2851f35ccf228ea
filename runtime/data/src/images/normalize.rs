//! Converts bytes to numbers, `(pixel / 255 - mean) / deviation`, by a lookup table.

use super::render::{Room, Source};
use super::set::Store;
use crate::{DataError, Scale};
use gmpc_compiler::ir::experiment::{Normalize, Precision};
use gmpc_device::{Slice, SliceMut};
use rayon::prelude::*;

/// Largest number of photographs, evenly spaced, whose mean and deviation are measured. Decoding a million would take
/// an hour. The number was chosen by hand; the mean is then off by one or two thousandths.
const MEASURED: usize = 2000;

/// The number for each byte in each channel.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    /// `[256, channels]`: the channels of an image are adjacent.
    wide: Vec<f64>,
    narrow: Vec<f32>,
    channels: usize,
    /// 1 / deviation, by which lighting is scaled.
    inverse: [f64; 3],
}

impl Numbers {
    /// From the mean and deviation of each channel. A channel with deviation 0 (all pixels equal) becomes 0.
    pub(super) fn new(scale: &Scale) -> Self {
        let channels = scale.mean.len();
        let mut wide = Vec::with_capacity(256 * channels);
        for byte in 0..=255u8 {
            let mut pixel = vec![f64::from(byte) / 255.0; channels];
            scale.apply(&mut pixel);
            wide.extend(pixel);
        }
        #[expect(clippy::cast_possible_truncation, reason = "to the nearest f32, once")]
        let narrow = wide.iter().map(|&number| number as f32).collect();
        let mut inverse = [0.0; 3];
        for (inverse, &deviation) in inverse.iter_mut().zip(&scale.deviation) {
            *inverse = if deviation == 0.0 { 0.0 } else { 1.0 / deviation };
        }
        Numbers { wide, narrow, channels, inverse }
    }

    /// The table `[256, channels]` in this precision.
    pub(super) fn all(&self, precision: Precision) -> Slice<'_> {
        match precision {
            Precision::F32 => Slice::F32(&self.narrow),
            Precision::F64 => Slice::F64(&self.wide),
        }
    }

    /// Writes the numbers of an image to `to`, beginning at index `from`. `light` is added to pixels on the scale of 0
    /// to 1.
    pub(super) fn write(&self, pixels: &[u8], light: [f32; 3], to: &mut SliceMut<'_>, from: usize) {
        let light: [f64; 3] = std::array::from_fn(|c| f64::from(light[c]) * self.inverse[c]);
        match to {
            #[expect(clippy::cast_possible_truncation, reason = "to the nearest f32, once")]
            SliceMut::F32(to) => {
                let to = &mut to[from..][..pixels.len()];
                look_up(&self.narrow, self.channels, pixels, light.map(|l| l as f32), to);
            }
            SliceMut::F64(to) => look_up(&self.wide, self.channels, pixels, light, &mut to[from..][..pixels.len()]),
        }
    }
}

fn look_up<T>(table: &[T], channels: usize, pixels: &[u8], light: [T; 3], to: &mut [T])
where
    T: Copy + PartialEq + Default + std::ops::Add<Output = T>,
{
    match channels {
        3 => {
            let table = &table[..256 * 3];
            for (pixel, to) in pixels.as_chunks::<3>().0.iter().zip(to.as_chunks_mut::<3>().0) {
                for c in 0..3 {
                    to[c] = table[pixel[c] as usize * 3 + c];
                }
            }
            if light != [T::default(); 3] {
                to.as_chunks_mut::<3>().0.iter_mut().for_each(|to| (0..3).for_each(|c| to[c] = to[c] + light[c]));
            }
        }
        _ => pixels.iter().zip(to).for_each(|(&pixel, to)| *to = table[pixel as usize]),
    }
}

/// Mean and deviation of each channel, in units of pixel / 255, as `normalize` asks for. `source` contains the training
/// images.
///
/// # Errors
/// The errors of reading images.
pub(super) fn scale(normalize: &Normalize, source: &Source) -> Result<Scale, DataError> {
    let channels = source.shape[2];
    match normalize {
        Normalize::Unit => Ok(Scale { mean: vec![0.0; channels], deviation: vec![1.0; channels] }),
        Normalize::Stated { mean, deviation } => Ok(Scale { mean: mean.clone(), deviation: deviation.clone() }),
        Normalize::Channels => moments(source),
        Normalize::Centre => Ok(Scale { deviation: vec![1.0; channels], ..moments(source)? }),
    }
}

/// Integer sums, so the result does not depend on the order of addition.
pub(crate) fn moments(source: &Source) -> Result<Scale, DataError> {
    let [height, width, channels] = source.shape;
    let count = source.rows.len();
    let step = match *source.store {
        Store::Kept { .. } => 1,
        Store::Files { .. } => count.div_ceil(MEASURED).max(1),
    };
    let rows: Vec<u32> = (0..count).step_by(step).filter_map(|row| u32::try_from(row).ok()).collect();
    let sums = rows
        .par_chunks(256)
        .map(|rows| chunk(source, rows))
        .try_reduce(|| [[0u64; 2]; 3], |a, b| Ok(std::array::from_fn(|c| [a[c][0] + b[c][0], a[c][1] + b[c][1]])))?;
    let of = |[sum, square]: [u64; 2]| {
        let pixels = (rows.len() * height * width).max(1) as f64;
        let mean = sum as f64 / pixels;
        let variance = (square as f64 / pixels - mean * mean).max(0.0);
        (mean / 255.0, variance.sqrt() / 255.0)
    };
    let (mean, deviation) = sums[..channels.min(3)].iter().map(|&sums| of(sums)).unzip();
    Ok(Scale { mean, deviation })
}

/// Sum and sum of squares of each channel over some images.
fn chunk(source: &Source, rows: &[u32]) -> Result<[[u64; 2]; 3], DataError> {
    let (mut room, mut pixels) = (Room::default(), vec![0; source.bytes()]);
    let channels = source.shape[2].max(1);
    let mut counts = vec![0u64; 256 * channels];
    for &row in rows {
        source.render(row, None, &mut room, &mut pixels)?;
        for pixel in pixels.chunks_exact(channels) {
            pixel.iter().enumerate().for_each(|(c, &value)| counts[c * 256 + value as usize] += 1);
        }
    }
    let mut sums = [[0u64; 2]; 3];
    for (sums, counts) in sums.iter_mut().zip(counts.chunks_exact(256)) {
        for (value, count) in (0u64..).zip(counts) {
            sums[0] += value * count;
            sums[1] += value * value * count;
        }
    }
    Ok(sums)
}
