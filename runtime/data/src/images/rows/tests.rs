//! Images as rows of batches, plain and augmented, with any number of workers.

use super::*;
use crate::images::shapes;
use crate::images::{Store, normalize::scale};
use gmpc_compiler::ir::experiment::Normalize;

const PIXELS: usize = 32 * 32 * 3;

/// Rows 5, 6, … of rendered images.
fn images(training: Vec<ImageStep>, plain: Vec<ImageStep>, workers: usize) -> ImageRows {
    let set = shapes::render(150, 0, 3, "shapes").unwrap();
    let source = Arc::new(Source { store: set.store, rows: (5..145).collect(), plain, training, shape: [32, 32, 3] });
    let numbers = Numbers::new(&scale(&Normalize::Channels, &source).unwrap());
    ImageRows::new(source, numbers).with_workers(workers)
}

fn augmented() -> Vec<ImageStep> {
    vec![
        ImageStep::HorizontalFlip,
        ImageStep::RandomCrop { height: 32, width: 32, pad: 4 },
        ImageStep::RandomResize { low: 33, high: 40 },
        ImageStep::RandomCrop { height: 32, width: 32, pad: 0 },
        ImageStep::Lighting { deviation: 0.1 },
    ]
}

fn copied(images: &ImageRows, pick: &Pick<'_>, draw: Draw) -> Vec<f32> {
    let mut to = vec![0.0; pick.len() * images.width()];
    images.copy(pick, draw, &mut SliceMut::F32(&mut to)).unwrap();
    to
}

/// The batches of an epoch, 32 rows each, from batch `first` on.
fn epoch(images: &ImageRows, epoch: u64, order: &[u32], first: usize) -> Vec<Vec<f32>> {
    images.begin(7, epoch, Some(order), first * 32);
    order.chunks(32).skip(first).map(|rows| copied(images, &Pick::These(rows), Draw::Training)).collect()
}

#[test]
fn an_epoch_is_the_same_with_any_number_of_workers_and_from_any_batch_on() {
    let order: Vec<u32> = crate::order(7, 2, 140);
    let one = epoch(&images(augmented(), vec![], 1), 2, &order, 0);
    for workers in [2, 5] {
        assert_eq!(epoch(&images(augmented(), vec![], workers), 2, &order, 0), one);
    }
    let resumed = images(augmented(), vec![], 3);
    assert_eq!(epoch(&resumed, 2, &order, 3), one[3..]);
    assert_ne!(epoch(&resumed, 3, &order, 0), one, "another epoch draws anew");
    // Images that are asked for out of order are prepared immediately, and are the same.
    resumed.begin(7, 2, Some(&order), 0);
    assert_eq!(copied(&resumed, &Pick::These(&order[64..96]), Draw::Training), one[2]);
}

#[test]
fn nothing_is_drawn_where_nothing_is_trained() {
    let rows = images(augmented(), vec![], 2);
    let first = copied(&rows, &Pick::Range(3..9), Draw::Nothing);
    rows.begin(1, 1, None, 0);
    assert_eq!(copied(&rows, &Pick::Range(3..9), Draw::Nothing), first);
    rows.begin_plain();
    assert_eq!(copied(&rows, &Pick::These(&[3, 4, 5, 6, 7, 8]), Draw::Nothing), first);
    assert!(rows.changes() && !images(vec![], vec![], 1).changes());
}

#[test]
fn numbers_are_normalized_pixels_in_the_order_of_height_width_channels() {
    let rows = images(vec![], vec![], 1);
    let all = copied(&rows, &Pick::Range(0..140), Draw::Nothing);
    for channel in 0..3 {
        let values = || all.iter().skip(channel).step_by(3).map(|&v| f64::from(v));
        let count = 140.0 * 1024.0;
        let mean = values().sum::<f64>() / count;
        let square = values().map(|v| v * v).sum::<f64>() / count;
        assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3, "{mean} {square}");
    }
    let Store::Kept { pixels, .. } = &*rows.source.store else { panic!("kept") };
    let (image, width) = (&pixels[7 * PIXELS..][..PIXELS], PIXELS);
    let mut wide = vec![0.0; width];
    rows.copy(&Pick::These(&[2]), Draw::Nothing, &mut SliceMut::F64(&mut wide)).unwrap();
    // Larger bytes are larger numbers, in every channel.
    let rank = |c: usize, i: usize| (image[3 * i + c], wide[3 * i + c]);
    assert!((1..1024).all(|i| (rank(1, i).0 > rank(1, 0).0) == (rank(1, i).1 > rank(1, 0).1)));
}

#[test]
fn a_transform_is_done_to_every_image() {
    let steps = vec![ImageStep::Resize { height: 40, width: 40 }, ImageStep::CenterCrop { height: 32, width: 32 }];
    let rows = images(vec![], steps, 2);
    let on_the_spot = copied(&rows, &Pick::Range(0..140), Draw::Nothing);
    rows.begin_plain();
    let ahead: Vec<f32> =
        [0..64, 64..140].into_iter().flat_map(|r| copied(&rows, &Pick::Range(r), Draw::Nothing)).collect();
    assert_eq!(ahead, on_the_spot);
}
