//! Flips, crops, resizes and lighting on small images.

use super::*;

/// `[height, width, 3]`. Each pixel contains its own position.
fn picture(height: u8, width: u8) -> Picture {
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| [y, x, 200])).collect();
    Picture { height: height.into(), width: width.into(), channels: 3, pixels }
}

fn done(step: ImageStep, picture: &mut Picture, image: u32) -> Result<[f32; 3], String> {
    let mut light = [0.0; 3];
    apply(step, picture, &mut Draws::new(0, 0, image), &mut Scratch::default(), &mut light).map(|()| light)
}

#[test]
fn about_half_of_the_images_are_mirrored() {
    let mut mirrored = 0;
    for image in 0..400 {
        let mut flipped = picture(2, 3);
        done(ImageStep::HorizontalFlip, &mut flipped, image).unwrap();
        if flipped != picture(2, 3) {
            mirrored += 1;
            assert_eq!(flipped.pixels[..9], [0, 2, 200, 0, 1, 200, 0, 0, 200]);
        }
    }
    assert!((160..240).contains(&mirrored), "{mirrored}");
}

#[test]
fn a_crop_moves_by_as_much_as_the_padding_and_zeros_come_in() {
    let mut offsets = std::collections::BTreeSet::new();
    for image in 0..300 {
        let mut cropped = picture(4, 4);
        done(ImageStep::RandomCrop { height: 4, width: 4, pad: 1 }, &mut cropped, image).unwrap();
        assert_eq!((cropped.height, cropped.width, cropped.pixels.len()), (4, 4, 48));
        // The pixel in the middle lies in the image, whatever the window.
        let middle = &cropped.pixels[(4 + 1) * 3..][..3];
        offsets.insert((middle[0], middle[1]));
        let zeros = cropped.pixels.chunks(3).filter(|pixel| pixel[2] == 0).count();
        let moved = [middle[0], middle[1]].map(|at| usize::from(at != 1));
        assert_eq!(zeros, 16 - (4 - moved[0]) * (4 - moved[1]));
    }
    assert_eq!(offsets.len(), 9, "{offsets:?}");
}

#[test]
fn the_centre_is_the_centre() {
    let mut cropped = picture(6, 8);
    done(ImageStep::CenterCrop { height: 2, width: 4 }, &mut cropped, 0).unwrap();
    assert_eq!(cropped.pixels[..6], [2, 2, 200, 2, 3, 200]);
    let too_large = done(ImageStep::CenterCrop { height: 3, width: 4 }, &mut cropped, 0).unwrap_err();
    assert_eq!(too_large, "a window of 3×4 does not fit into an image of 2×4");
}

#[test]
fn sizes_after_a_resize_are_those_asked_for_and_flat_colours_stay() {
    for (step, size) in [
        (ImageStep::Resize { height: 5, width: 9 }, (5, 9)),
        (ImageStep::ResizeShorter { side: 3 }, (3, 4)),
        (ImageStep::RandomResize { low: 7, high: 7 }, (7, 7)),
    ] {
        let mut resized = picture(6, 8);
        done(step, &mut resized, 0).unwrap();
        assert_eq!((resized.height, resized.width), size);
        assert!(resized.pixels.chunks(3).all(|pixel| pixel[2] == 200));
    }
    let sides: std::collections::BTreeSet<usize> = (0..100)
        .map(|image| {
            let mut resized = picture(6, 8);
            done(ImageStep::RandomResize { low: 4, high: 6 }, &mut resized, image).unwrap();
            resized.height
        })
        .collect();
    assert_eq!(sides.into_iter().collect::<Vec<_>>(), [4, 5, 6]);
    let mut narrow = Picture { height: 1, width: 9000, channels: 1, pixels: vec![0; 9000] };
    assert!(done(ImageStep::ResizeShorter { side: 2 }, &mut narrow, 0).unwrap_err().contains("beyond 4096×4096"));
}

#[test]
fn light_has_the_covariance_of_the_components() {
    let mut squares = [0.0f64; 3];
    for image in 0..4000 {
        let light = done(ImageStep::Lighting { deviation: 0.1 }, &mut picture(1, 1), image).unwrap();
        squares.iter_mut().zip(light).for_each(|(sum, light)| *sum += f64::from(light * light));
    }
    for (square, components) in squares.iter().zip(COMPONENTS) {
        let expected: f64 = components.iter().zip(WEIGHTS).map(|(c, w)| (0.1 * c * w).powi(2)).sum();
        assert!((square / 4000.0 / expected - 1.0).abs() < 0.1, "{square} {expected}");
    }
}

#[test]
fn a_grey_picture_is_resized_as_the_library_resizes_one() {
    use fast_image_resize::pixels::U8;
    for [height, width] in [[5, 9], [3, 4], [20, 31], [6, 2]] {
        let pixels: Vec<u8> = (0..8 * 11).map(|i: u32| u8::try_from(i * i * 37 % 251).unwrap()).collect();
        let from = TypedImageRef::<U8>::from_buffer(11, 8, &pixels).unwrap();
        let mut expected = vec![0; height * width];
        let mut to = TypedImage::<U8>::from_buffer(width as u32, height as u32, &mut expected).unwrap();
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
        Resizer::new().resize_typed(&from, &mut to, &options).unwrap();
        let mut grey = Picture { height: 8, width: 11, channels: 1, pixels };
        resize(&mut grey, height, width, &mut Scratch::default()).unwrap();
        assert_eq!((grey.height, grey.width, grey.channels, grey.pixels), (height, width, 1, expected));
    }
}
