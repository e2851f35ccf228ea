//! Rendered 32x32 images of shapes, to try a network without a data set. They are synthetic.
//!
//! Class `2 k` is outline `k` filled, class `2 k + 1` the same outline hollow. Every image has a random position, size,
//! rotation, colours, background and noise, as a function of the set's seed, the part and the image's number.

mod outline;

use super::batch::reserve;
use super::draws::Draws;
use super::set::{ImageSet, Store};
use crate::DataError;
use outline::{OUTLINES, Outline};
use rayon::prelude::*;
use std::sync::Arc;

/// Separates these random numbers from those of other purposes.
const PURPOSE: u32 = 0xDA7A_0006;
const SIDE: usize = 32;
const BYTES: usize = SIDE * SIDE * 3;
/// Largest number of images: three gigabytes of pixels.
const MOST: usize = 1_000_000;
/// Line width of a hollow shape in units of its radius.
const LINE: f64 = 0.28;

type Colour = [f64; 3];

/// Renders both parts.
///
/// # Errors
/// `E0759`: there are too many images.
pub(super) fn render(train: usize, test: usize, draw: u64, set: &str) -> Result<ImageSet, DataError> {
    let total = train.saturating_add(test);
    if train == 0 || total > MOST {
        let reason = format!("{train} images to train on and {test} to test on are none, or more than {MOST} together");
        return Err(DataError::data("E0759", set, reason).help("ask for fewer: `shapes32(train = 50_000)`"));
    }
    let mut pixels = Vec::new();
    reserve(&mut pixels, total * BYTES, set)?;
    pixels.resize(total * BYTES, 0);
    let outlines: Vec<Outline> = OUTLINES.iter().map(|(_, points)| points()).collect();
    pixels.par_chunks_mut(BYTES).enumerate().for_each(|(image, to)| {
        let (part, number) = if image < train { (0, image) } else { (1, image - train) };
        #[expect(clippy::cast_possible_truncation, reason = "below MOST")]
        let mut draws = Draws::from(draw, [PURPOSE, part, number as u32]);
        let class = class(number);
        one(&outlines[class / 2], class % 2 == 1, &mut draws, to);
    });
    let number = |image: usize| if image < train { image } else { image - train };
    let labels = (0..total).map(|image| u32::try_from(class(number(image))).unwrap_or(0)).collect();
    let names = OUTLINES.iter().flat_map(|(name, _)| [format!("{name}, filled"), format!("{name}, hollow")]).collect();
    let store = Arc::new(Store::Kept { shape: [SIDE, SIDE, 3], pixels: Arc::new(pixels) });
    Ok(ImageSet { store, labels, train, names, notes: vec![] })
}

/// The classes in turn, so that all are equally frequent.
fn class(number: usize) -> usize {
    number % (2 * OUTLINES.len())
}

/// The random parameters of one image.
struct Scene {
    centre: [f64; 2],
    radius: f64,
    sine: f64,
    cosine: f64,
    fill: Colour,
    ground: [Colour; 2],
    /// The direction and the scale of the background's gradient.
    slope: [f64; 2],
    noise: f64,
}

impl Scene {
    fn new(draws: &mut Draws) -> Self {
        let radius = draws.uniform(7.0, 13.0);
        let mut place = || draws.uniform(0.75 * radius, 32.0 - 0.75 * radius);
        let centre = [place(), place()];
        let angle = draws.uniform(0.0, std::f64::consts::TAU);
        let mut colour = || -> Colour { std::array::from_fn(|_| draws.uniform(20.0, 235.0)) };
        let ground = [colour(), colour()];
        let mut fill = colour();
        // A shape whose colour is too similar to the background gets the opposite colour.
        let middle: Colour = std::array::from_fn(|c| (ground[0][c] + ground[1][c]) / 2.0);
        let contrast: f64 = fill.iter().zip(middle).map(|(a, b)| (a - b).abs()).sum();
        if contrast < 150.0 {
            fill = middle.map(|value| if value > 128.0 { value - 110.0 } else { value + 110.0 });
        }
        let direction = draws.uniform(0.0, std::f64::consts::TAU);
        let slope = [libm::cos(direction) / 45.0, libm::sin(direction) / 45.0];
        let noise = draws.uniform(4.0, 24.0);
        Scene { centre, radius, sine: libm::sin(angle), cosine: libm::cos(angle), fill, ground, slope, noise }
    }

    fn background(&self, x: f64, y: f64) -> Colour {
        let share = (0.5 + self.slope[0] * (x - 16.0) + self.slope[1] * (y - 16.0)).clamp(0.0, 1.0);
        std::array::from_fn(|c| self.ground[0][c] + share * (self.ground[1][c] - self.ground[0][c]))
    }

    /// A point of the image in the coordinates of the outline.
    fn local(&self, x: f64, y: f64) -> [f64; 2] {
        let (x, y) = ((x - self.centre[0]) / self.radius, (y - self.centre[1]) / self.radius);
        [self.cosine * x + self.sine * y, self.cosine * y - self.sine * x]
    }
}

/// Renders one image with four samples for each pixel.
fn one(outline: &Outline, hollow: bool, draws: &mut Draws, to: &mut [u8]) {
    let scene = Scene::new(draws);
    for (place, pixel) in to.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((place % SIDE) as f64, (place / SIDE) as f64);
        let inside = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]].iter().filter(|[right, down]| {
            let point = scene.local(x + right, y + down);
            outline.holds(point) && !(hollow && outline.distance(point) > LINE)
        });
        let cover = inside.count() as f64 / 4.0;
        let ground = scene.background(x, y);
        for (c, value) in pixel.iter_mut().enumerate() {
            let colour = ground[c] + cover * (scene.fill[c] - ground[c]) + scene.noise * draws.normal();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let byte = (colour + 0.5).clamp(0.0, 255.0) as u8;
            *value = byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_equally_frequent_and_named() {
        let set = render(40, 20, 0, "shapes32").unwrap();
        assert_eq!((set.names.len(), set.labels.len(), set.train), (20, 60, 40));
        assert!((0..20).all(|class| set.labels.iter().filter(|&&l| l == class).count() == 3));
        assert_eq!(set.names[7], "star, hollow");
    }

    #[test]
    fn images_are_a_function_of_seed_part_and_number() {
        let pixels = |set: ImageSet| match Arc::try_unwrap(set.store).unwrap() {
            Store::Kept { pixels, .. } => pixels,
            Store::Files { .. } => Arc::default(),
        };
        let [few, many, other] =
            [(20, 5, 0), (25, 5, 0), (20, 5, 1)].map(|(a, b, c)| pixels(render(a, b, c, "a").unwrap()));
        assert_eq!(few[..20 * BYTES], many[..20 * BYTES]);
        assert_eq!(few[20 * BYTES..], many[25 * BYTES..]);
        assert_ne!(few[..BYTES], other[..BYTES]);
        assert_ne!(few[..BYTES], few[20 * BYTES..][..BYTES], "train and test have no image in common");
    }

    #[test]
    fn a_filled_shape_covers_more_than_a_hollow_one() {
        for (name, points) in OUTLINES {
            let outline = points();
            let grid = || (-20..=20).flat_map(|x| (-20..=20).map(move |y| [f64::from(x) / 16.0, f64::from(y) / 16.0]));
            let filled = grid().filter(|&p| outline.holds(p)).count();
            let hollow = grid().filter(|&p| outline.holds(p) && outline.distance(p) <= LINE).count();
            assert!(filled > hollow + 8, "{name}: {filled} {hollow}");
        }
    }

    #[test]
    fn no_image_and_too_many_are_refused() {
        assert_eq!(render(0, 5, 0, "a").unwrap_err().code, "E0759");
        assert_eq!(render(usize::MAX, 5, 0, "a").unwrap_err().code, "E0759");
    }
}
