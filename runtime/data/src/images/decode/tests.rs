//! JPEG and PNG files: complete, grey, CMYK, cut off and damaged.

use super::*;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use proptest::prelude::*;

/// A smooth image of 16x12 pixels.
fn bytes(channels: usize) -> Vec<u8> {
    (0..12u8)
        .flat_map(|y| (0..16u8).flat_map(move |x| (0..channels).map(move |c| 10 * y + 5 * x + 7 * c as u8)))
        .collect()
}

fn jpeg(channels: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let colour = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    JpegEncoder::new_with_quality(&mut file, 95).encode(&bytes(channels), 16, 12, colour).unwrap();
    file
}

fn png(channels: usize, colour: ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(&bytes(channels), 16, 12, colour).unwrap();
    file
}

fn decoded(file: &[u8]) -> Result<Picture, String> {
    let mut picture = Picture::default();
    pixels(file, &mut picture, WHITE).map(|_| picture).map_err(|fault| fault.reason)
}

#[test]
fn every_file_becomes_three_channels() {
    let plain = decoded(&png(3, ExtendedColorType::Rgb8)).unwrap();
    assert_eq!((plain.height, plain.width, plain.channels, plain.pixels.as_slice()), (12, 16, 3, bytes(3).as_slice()));
    let grey = decoded(&png(1, ExtendedColorType::L8)).unwrap();
    assert_eq!(grey.pixels, bytes(1).iter().flat_map(|&v| [v; 3]).collect::<Vec<_>>());
    for channels in [1, 3] {
        let picture = decoded(&jpeg(channels)).unwrap();
        let expected = if channels == 1 { &grey } else { &plain };
        let far = picture.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far < Some(14), "{channels} channels: {far:?}");
    }
    assert_eq!(decoded(&png(4, ExtendedColorType::Rgba8)).unwrap().pixels.len(), 12 * 16 * 3);
}

/// Reference implementation: the image library uses the same decoders but converts to three channels in its own way.
fn by_the_library(file: &[u8]) -> Vec<u8> {
    image::load_from_memory(file).unwrap().into_rgb8().into_raw()
}

#[test]
fn every_layout_reads_as_the_image_library_reads_it() {
    use ExtendedColorType::{L8, L16, Rgb8, Rgb16};
    let layouts = [(1, L8), (3, Rgb8), (2, L16), (6, Rgb16)];
    let mut files: Vec<Vec<u8>> = layouts.map(|(bytes, colour)| png(bytes, colour)).into();
    files.extend([jpeg(1), jpeg(3), cmyk(), palette()]);
    for (number, file) in files.iter().enumerate() {
        assert_eq!(decoded(file).unwrap().pixels, by_the_library(file), "file {number}");
    }
}

#[test]
fn what_is_transparent_lies_on_white_and_is_told() {
    // Opaque, half transparent and fully transparent pixels, with a hidden colour; in grey, in colour, and both with 16
    // bits.
    let colours = [[10, 200, 30, 0], [10, 200, 30, 128], [10, 200, 30, 255]];
    let expected: Vec<u8> = [[255, 255, 255], [132, 227, 142], [10, 200, 30]].concat();
    let write = |bytes: &[u8], colour| {
        let mut file = Vec::new();
        PngEncoder::new(&mut file).write_image(bytes, 3, 1, colour).unwrap();
        let mut picture = Picture::default();
        let seen = pixels(&file, &mut picture, WHITE).unwrap();
        (picture.pixels, seen.transparent, seen.wide.is_some())
    };
    let wide: Vec<u8> = colours.concat().iter().flat_map(|&byte| [byte, byte]).collect();
    assert_eq!(write(&colours.concat(), ExtendedColorType::Rgba8), (expected.clone(), true, false));
    assert_eq!(write(&wide, ExtendedColorType::Rgba16), (expected, true, true));
    let grey = write(&[10, 0, 10, 128, 10, 255], ExtendedColorType::La8);
    assert_eq!(grey, ([[255; 3], [132; 3], [10; 3]].concat(), true, false));
    assert!(!write(&[10, 255, 10, 255, 10, 255], ExtendedColorType::La8).1);
}

#[test]
fn what_is_transparent_lies_on_the_ground_that_is_stated() {
    let mut file = Vec::new();
    let colours = [10, 200, 30, 0, 10, 200, 30, 128, 10, 200, 30, 255];
    PngEncoder::new(&mut file).write_image(&colours, 3, 1, ExtendedColorType::Rgba8).unwrap();
    let mut picture = Picture::default();
    pixels(&file, &mut picture, [0, 100, 255]).unwrap();
    // 128 / 255 of the colour, and the rest of the background.
    assert_eq!(picture.pixels, [[0, 100, 255], [5, 150, 142], [10, 200, 30]].concat());
}

#[test]
fn a_tiny_file_that_claims_a_huge_image_is_refused() {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, 20_000, 20_000);
    encoder.set_depth(::png::BitDepth::One);
    encoder.write_header().unwrap().write_image_data(&vec![0; 2500 * 20_000]).unwrap();
    let reason = decoded(&file).unwrap_err();
    assert!(
        file.len() < 100_000 && reason.contains("20000×20000 takes 1144 MB to decode, more than the 192 MB"),
        "{reason}"
    );
}

#[test]
fn files_of_other_kinds_are_called_by_their_kind() {
    let starts: [(&[u8], &str); 4] = [
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
    ];
    for (start, kind) in starts {
        assert!(decoded(start).unwrap_err().contains(kind), "{kind}");
    }
}

/// A PNG of 16x12 pixels with a palette of four colours, two bits for each pixel.
fn palette() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, 16, 12);
    encoder.set_color(::png::ColorType::Indexed);
    encoder.set_depth(::png::BitDepth::Two);
    encoder.set_palette(vec![0, 0, 0, 255, 0, 7, 1, 2, 3, 200, 100, 50]);
    let rows: Vec<u8> = (0..48).map(|i| 0b0001_1011u8.rotate_left(i % 5)).collect();
    encoder.write_header().unwrap().write_image_data(&rows).unwrap();
    file
}

#[test]
fn what_is_no_whole_image_is_refused_with_a_reason() {
    let whole = jpeg(3);
    for cut in [1, 2, 20, whole.len() / 2, whole.len() - 3, whole.len() - 1] {
        assert!(decoded(&whole[..cut]).is_err(), "{cut} of {} bytes", whole.len());
    }
    assert_eq!(decoded(&whole[..whole.len() - 2]).unwrap_err(), "the JPEG is cut off before its end");
    let png = png(3, ExtendedColorType::Rgb8);
    for cut in [8, 30, png.len() / 2, png.len() - 20] {
        assert!(decoded(&png[..cut]).is_err(), "{cut}");
    }
    assert_eq!(decoded(b"").unwrap_err(), "the file is empty");
    assert_eq!(decoded(b"no image, or so it says").unwrap_err(), "it is neither JPEG nor PNG");
}

/// Converts bits to bytes, with the zero after each 0xFF that a scan requires.
fn packed(bits: &str) -> Vec<u8> {
    let full = format!("{bits}{}", "1".repeat(bits.len().wrapping_neg() % 8));
    let bytes = (0..full.len() / 8).map(|i| u8::from_str_radix(&full[8 * i..8 * i + 8], 2).unwrap());
    bytes.flat_map(|byte| if byte == 0xFF { vec![byte, 0] } else { vec![byte] }).collect()
}

/// An 8x8 JPEG of one colour in CMYK, as Adobe's programs write it: 255 means no ink.
fn cmyk() -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    let mut segment = |marker: u8, bytes: &[u8]| {
        file.extend([0xFF, marker, 0, u8::try_from(bytes.len() + 2).unwrap()]);
        file.extend(bytes);
    };
    segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x00");
    segment(0xDB, &[&[0][..], &[1; 64]].concat());
    let components = [1, 2, 3, 4].map(|id| [id, 0x11, 0]).concat();
    segment(0xC0, &[&[8, 0, 8, 0, 8, 4][..], &components].concat());
    // One code in each table: DC differences of 0 and of 10 bits; AC only with the end of a block.
    segment(0xC4, &[&[0, 1, 1][..], &[0; 14], &[0, 10]].concat());
    segment(0xC4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
    segment(0xDA, &[&[4][..], &[1, 2, 3, 4].map(|id| [id, 0]).concat(), &[0, 63, 0]].concat());
    // 8 * (value - 128) is the DC coefficient of a block: -1016 is nearly full ink, 1016 is none.
    let (ink, none) = ("1000000001110", "1011111110000");
    file.extend(packed(&[ink, none, none, none].concat()));
    file.extend([0xFF, 0xD9]);
    file
}

#[test]
fn cyan_ink_becomes_green_and_blue_light() {
    let picture = decoded(&cmyk()).unwrap();
    assert_eq!((picture.height, picture.width, picture.channels), (8, 8, 3));
    let pixel = &picture.pixels[..3];
    assert!(pixel[0] < 6 && pixel[1] > 249 && pixel[2] > 249, "{pixel:?}");
}

#[test]
fn a_header_of_gigantic_sides_costs_no_memory() {
    let mut file = jpeg(3);
    let frame = file.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    file[frame + 5..frame + 9].fill(0xFF);
    assert_eq!(decoded(&file).unwrap_err(), "an image of 65535×65535 is empty, or larger than any photograph");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_change_of_an_image_makes_the_decoder_panic(which in 0usize..3, place: usize, byte: u8, cut: usize) {
        let mut file = match which {
            0 => jpeg(3),
            1 => jpeg(1),
            _ => png(3, ExtendedColorType::Rgb8),
        };
        let length = file.len();
        let _ = decoded(&file[..cut % length]);
        file[place % length] = byte;
        if let Ok(picture) = decoded(&file) {
            prop_assert_eq!(picture.pixels.len(), picture.height * picture.width * 3);
        }
    }
}
