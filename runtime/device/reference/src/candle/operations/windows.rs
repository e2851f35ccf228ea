//! Convolutions and pools on candle, one position of the window at a time. Each position is a slice of the padded images.
//!
//! ```text
//! tap t of x: the pixels at position t of every window, [batch, height', width', channels]
//! y  = sum over t of  tap_t(x) w_t        dw_t = tap_t(x)^T dy        dx = sum over t of  scatter_t(dy w_t^T)
//! ```

use candle_core::{DType, Device, Result, Tensor};
use gmpc_compiler::ir::window::Window;

/// How a window slides over images of one size.
struct Slide<'a> {
    window: &'a Window,
    /// Shape of the images, `[batch, height, width, channels]`.
    input: [usize; 4],
    /// Height and width of the result.
    output: [usize; 2],
}

impl<'a> Slide<'a> {
    fn new(window: &'a Window, input: &[usize], output: &[usize]) -> Self {
        Slide { window, input: [input[0], input[1], input[2], input[3]], output: [output[1], output[2]] }
    }

    fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let [rows, columns] = self.window.kernel;
        (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)))
    }

    /// The number of rows (axis 0) or columns (axis 1) with padding: enough for all windows and for the whole image.
    fn padded(&self, axis: usize) -> usize {
        let seen = (self.output[axis] - 1) * self.window.stride[axis] + self.window.kernel[axis];
        seen.max(self.window.before[axis] + self.input[axis + 1])
    }

    fn pad(&self, x: &Tensor, value: f64) -> Result<Tensor> {
        let mut x = x.clone();
        for axis in [0, 1] {
            let (before, size) = (self.window.before[axis], self.input[axis + 1]);
            let part = |count: usize, x: &Tensor| {
                let mut shape = x.dims().to_vec();
                shape[axis + 1] = count;
                Tensor::full(value, shape, &Device::Cpu)?.to_dtype(x.dtype())
            };
            let (above, below) = (part(before, &x)?, part(self.padded(axis) - before - size, &x)?);
            x = Tensor::cat(&[&above, &x, &below], axis + 1)?;
        }
        Ok(x)
    }

    /// For each window, the index of its position `offset` along an axis of the padded images.
    fn indices(&self, axis: usize, offset: usize) -> Result<Tensor> {
        let at = |i: usize| u32::try_from(i * self.window.stride[axis] + offset).unwrap_or(u32::MAX);
        Tensor::from_vec((0..self.output[axis]).map(at).collect::<Vec<_>>(), self.output[axis], &Device::Cpu)
    }

    fn tap(&self, padded: &Tensor, (i, j): (usize, usize)) -> Result<Tensor> {
        padded.index_select(&self.indices(0, i)?, 1)?.index_select(&self.indices(1, j)?, 2)?.contiguous()
    }

    /// Adds the values of a tap to the pixels from which the tap was taken.
    fn scatter(&self, padded: &Tensor, values: &Tensor, (i, j): (usize, usize)) -> Result<Tensor> {
        let [batch, _, _, channels] = self.input;
        let wide = Tensor::zeros((batch, self.output[0], self.padded(1), channels), values.dtype(), &Device::Cpu)?;
        let wide = wide.index_add(&self.indices(1, j)?, &values.contiguous()?, 2)?;
        padded.index_add(&self.indices(0, i)?, &wide, 1)
    }

    fn zeros(&self, like: &Tensor) -> Result<Tensor> {
        let [batch, _, _, channels] = self.input;
        Tensor::zeros((batch, self.padded(0), self.padded(1), channels), like.dtype(), &Device::Cpu)
    }

    /// The images without their padding.
    fn inside(&self, padded: &Tensor) -> Result<Tensor> {
        let [rows, columns] = self.window.before;
        padded.narrow(1, rows, self.input[1])?.narrow(2, columns, self.input[2])?.contiguous()
    }
}

/// Images as a matrix with one row for each pixel.
fn pixels(x: &Tensor) -> Result<Tensor> {
    let channels = x.dim(3)?;
    x.contiguous()?.reshape((x.elem_count() / channels.max(1), channels))
}

/// The weights at one position of the filters, `[channels, units]`.
fn filter(w: &Tensor, area: usize, place: usize) -> Result<Tensor> {
    let (rows, units) = w.dims2()?;
    w.reshape((rows / area, area, units))?.narrow(1, place, 1)?.squeeze(1)?.contiguous()
}

pub(super) fn convolve(window: &Window, x: &Tensor, w: &Tensor, shape: &[usize]) -> Result<Tensor> {
    in_double(x, w, |x, w| plain_convolve(window, x, w, shape))
}

pub(super) fn convolve_input(window: &Window, dy: &Tensor, w: &Tensor, shape: &[usize]) -> Result<Tensor> {
    in_double(dy, w, |dy, w| plain_convolve_input(window, dy, w, shape))
}

pub(super) fn convolve_weight(window: &Window, x: &Tensor, dy: &Tensor, shape: &[usize]) -> Result<Tensor> {
    in_double(x, dy, |x, dy| plain_convolve_weight(window, x, dy, shape))
}

/// Computes in double precision and rounds once. Single precision would round after every position of the window.
fn in_double(a: &Tensor, b: &Tensor, compute: impl Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    compute(&a.to_dtype(DType::F64)?, &b.to_dtype(DType::F64)?)?.to_dtype(a.dtype())
}

fn plain_convolve(window: &Window, x: &Tensor, w: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let slide = Slide::new(window, x.dims(), shape);
    let padded = slide.pad(x, 0.0)?;
    let mut sum: Option<Tensor> = None;
    for (number, place) in slide.places().enumerate() {
        let part = pixels(&slide.tap(&padded, place)?)?.matmul(&filter(w, window.area(), number)?)?;
        sum = Some(match sum {
            Some(sum) => sum.add(&part)?,
            None => part,
        });
    }
    sum.map_or_else(|| super::unsupported("an empty window"), |sum| sum.reshape(shape))
}

fn plain_convolve_input(window: &Window, dy: &Tensor, w: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let slide = Slide::new(window, shape, dy.dims());
    let mut dx = slide.zeros(dy)?;
    let tap = [dy.dim(0)?, dy.dim(1)?, dy.dim(2)?, shape[3]];
    for (number, place) in slide.places().enumerate() {
        let transposed = filter(w, window.area(), number)?.t()?.contiguous()?;
        dx = slide.scatter(&dx, &pixels(dy)?.matmul(&transposed)?.reshape(&tap)?, place)?;
    }
    slide.inside(&dx)
}

fn plain_convolve_weight(window: &Window, x: &Tensor, dy: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let slide = Slide::new(window, x.dims(), dy.dims());
    let padded = slide.pad(x, 0.0)?;
    let dy = pixels(dy)?;
    let part = |place| pixels(&slide.tap(&padded, place)?)?.t()?.contiguous()?.matmul(&dy)?.unsqueeze(1);
    let parts = slide.places().map(part).collect::<Result<Vec<Tensor>>>()?;
    Tensor::cat(&parts, 1)?.reshape(shape)
}

pub(super) fn max_pool(window: &Window, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let slide = Slide::new(window, x.dims(), shape);
    let padded = slide.pad(x, f64::NEG_INFINITY)?;
    let taps = slide.places().map(|place| slide.tap(&padded, place));
    taps.reduce(|a, b| super::larger(&a?, &b?)).unwrap_or_else(|| super::unsupported("an empty window"))
}

/// The gradient of a window goes to its first largest value, or to its first NaN.
pub(super) fn max_pool_grad(window: &Window, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let slide = Slide::new(window, x.dims(), dy.dims());
    let padded = slide.pad(x, f64::NEG_INFINITY)?;
    let mut best = Tensor::full(f64::NEG_INFINITY, dy.dims(), &Device::Cpu)?.to_dtype(x.dtype())?;
    let mut winner = dy.zeros_like()?;
    for (number, place) in slide.places().enumerate() {
        // The winner changes only if the maximum does. NaN is not equal to itself, so a NaN that stays needs its own test.
        let tap = slide.tap(&padded, place)?;
        let next = super::larger(&best, &tap)?;
        let same = next.eq(&best)?.to_dtype(x.dtype())?;
        let both_nan = best.ne(&best)?.to_dtype(x.dtype())?;
        let stays = same.add(&both_nan)?.gt(&same.zeros_like()?)?;
        winner = stays.where_cond(&winner, &all(&winner, number)?)?;
        best = next;
    }
    let mut dx = slide.zeros(dy)?;
    for (number, place) in slide.places().enumerate() {
        let here = winner.eq(&all(&winner, number)?)?;
        dx = slide.scatter(&dx, &here.where_cond(dy, &dy.zeros_like()?)?, place)?;
    }
    slide.inside(&dx)
}

/// A tensor like `like` with the number of a position everywhere.
fn all(like: &Tensor, place: usize) -> Result<Tensor> {
    like.ones_like()?.affine(place as f64, 0.0)
}

pub(super) fn sum_pool(window: &Window, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let slide = Slide::new(window, x.dims(), shape);
    let padded = slide.pad(x, 0.0)?;
    let taps = slide.places().map(|place| slide.tap(&padded, place));
    taps.reduce(|a, b| a?.add(&b?)).unwrap_or_else(|| super::unsupported("an empty window"))
}

pub(super) fn sum_pool_grad(window: &Window, dy: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let slide = Slide::new(window, shape, dy.dims());
    let mut dx = slide.zeros(dy)?;
    for place in slide.places() {
        dx = slide.scatter(&dx, dy, place)?;
    }
    slide.inside(&dx)
}
