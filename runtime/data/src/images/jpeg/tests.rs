//! Kinds of JPEG, written by `cjpeg`, `jpegtran` and Pillow from one image of 37x29 pixels. Supported kinds must give
//! Pillow's pixels; the others must be refused by name.

use super::super::decode::{WHITE, look_at_jpeg, pixels};
use super::super::picture::Picture;

/// Valid and supported: means of red, green and blue in the quarters of the image (upper left, upper right, lower left,
/// lower right), as Pillow 12 decodes the file, rotated by `ImageOps.exif_transpose`.
#[rustfmt::skip] // a file, a line
const READ: &[(&str, [f64; 12])] = &[
    ("all21", [58.1, 201.9, 116.0, 167.7, 202.2, 113.4, 72.8, 87.9, 113.8, 182.4, 88.1, 111.2]),
    ("cmyk", [58.1, 201.8, 115.8, 168.0, 201.8, 113.4, 72.6, 88.3, 114.0, 182.4, 88.3, 111.4]),
    ("ff", [58.1, 201.9, 116.0, 167.7, 202.2, 113.4, 72.8, 87.9, 113.8, 182.4, 88.1, 111.2]),
    ("grey", [149.1, 149.1, 149.1, 181.7, 181.7, 181.7, 86.3, 86.3, 86.3, 118.9, 118.9, 118.9]),
    ("greyprog", [149.1, 149.1, 149.1, 181.7, 181.7, 181.7, 86.3, 86.3, 86.3, 118.9, 118.9, 118.9]),
    ("mixed", [58.2, 201.8, 116.6, 167.6, 202.0, 114.5, 73.2, 87.7, 113.9, 182.6, 88.0, 111.1]),
    ("mixed2", [58.1, 201.9, 116.0, 168.0, 202.0, 113.4, 72.9, 87.8, 113.8, 181.9, 88.3, 111.2]),
    ("mpo", [58.1, 201.9, 116.0, 167.7, 202.2, 113.4, 72.8, 87.9, 113.8, 182.4, 88.1, 111.2]),
    ("prog", [58.1, 202.0, 115.5, 168.0, 201.9, 114.1, 72.9, 87.9, 113.6, 181.9, 88.4, 111.0]),
    ("prog444", [58.1, 201.9, 116.0, 167.7, 202.2, 113.4, 72.8, 87.9, 113.8, 182.4, 88.1, 111.2]),
    ("progrestart", [58.1, 202.0, 115.5, 168.0, 201.9, 114.1, 72.9, 87.9, 113.6, 181.9, 88.4, 111.0]),
    ("q16", [19.5, 201.9, 134.3, 185.1, 185.1, 185.1, 81.9, 107.3, 98.4, 158.2, 110.7, 128.0]),
    ("restart", [58.1, 202.0, 115.5, 168.0, 201.9, 114.1, 72.9, 87.9, 113.6, 181.9, 88.4, 111.0]),
    ("restartb", [58.2, 201.9, 116.0, 167.6, 202.2, 113.3, 73.2, 87.7, 113.6, 182.6, 88.0, 111.2]),
    ("rgb", [58.1, 201.8, 115.8, 168.0, 201.8, 113.4, 72.6, 88.3, 114.0, 182.4, 88.3, 111.4]),
    ("s1x1", [58.1, 201.9, 116.0, 167.7, 202.2, 113.4, 72.8, 87.9, 113.8, 182.4, 88.1, 111.2]),
    ("s1x2", [58.8, 201.4, 116.6, 168.5, 201.5, 114.5, 72.9, 87.8, 113.9, 182.7, 87.9, 111.1]),
    ("s1x4", [59.0, 201.5, 116.1, 168.6, 201.6, 114.0, 72.2, 88.3, 113.1, 181.8, 88.4, 111.3]),
    ("s2x1", [58.2, 201.9, 116.0, 167.6, 202.2, 113.3, 73.2, 87.7, 113.6, 182.6, 88.0, 111.2]),
    ("s2x2", [58.1, 202.0, 115.5, 168.0, 201.9, 114.1, 72.9, 87.9, 113.6, 181.9, 88.4, 111.0]),
    ("s2x4", [59.4, 201.2, 116.4, 168.1, 201.8, 113.7, 72.3, 88.2, 113.1, 181.8, 88.5, 110.3]),
    ("s4x1", [58.6, 201.7, 116.0, 167.9, 201.8, 114.9, 73.6, 87.5, 113.5, 182.7, 87.6, 112.7]),
    ("s4x2", [58.5, 201.6, 115.9, 167.7, 201.8, 114.8, 73.1, 87.7, 113.6, 182.2, 88.0, 112.0]),
    ("turned", [73.5, 84.0, 115.5, 58.6, 198.0, 113.6, 182.4, 84.5, 112.9, 168.5, 197.9, 112.1]),
];

/// Valid, but decoded wrongly or not at all by the decoder; then incomplete files.
const REFUSED: &[(&str, &str)] = &[
    ("arith", "arithmetic-coded"),
    ("arithprog", "arithmetic-coded"),
    ("finechroma", "its colours are sampled 1x1, 2x2, 1x1"),
    ("finechroma2", "its colours are sampled 1x1, 1x2, 2x1"),
    ("finechromaprog", "its colours are sampled 1x1, 2x2, 1x1"),
    ("noninter", "not interleaved"),
    ("noninter2", "not interleaved"),
    ("noninter444", "not interleaved"),
    ("s3", "its colours are sampled 3x1"),
    ("s3x2", "its colours are sampled 3x2"),
    ("half_eoi", "cut off before its end"),
    ("hole", "end before the image is complete"),
    ("prog_half", "end before the image is complete"),
    ("prog_missing", "the last scans of the JPEG are missing"),
];

fn file(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/images/jpeg/kinds");
    std::fs::read(folder.join(format!("{name}.jpg"))).unwrap()
}

/// Means of each channel in the quarters of an image.
fn quarters(picture: &Picture) -> Vec<f64> {
    let (half_height, half_width) = (picture.height / 2, picture.width / 2);
    let mean = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, channel: usize| {
        let count = (rows.len() * columns.len()) as f64;
        let values = rows.flat_map(|y| columns.clone().map(move |x| (y * picture.width + x) * 3 + channel));
        values.map(|place| f64::from(picture.pixels[place])).sum::<f64>() / count
    };
    let (top, bottom) = (0..half_height, half_height..picture.height);
    let (left, right) = (0..half_width, half_width..picture.width);
    let parts = [(&top, &left), (&top, &right), (&bottom, &left), (&bottom, &right)];
    parts.iter().flat_map(|(y, x)| (0..3).map(|c| mean((*y).clone(), (*x).clone(), c)).collect::<Vec<_>>()).collect()
}

#[test]
fn every_kind_that_is_read_is_read_as_pillow_reads_it() {
    let mut far = Vec::new();
    for (name, expected) in READ {
        let mut picture = Picture::default();
        match pixels(&file(name), &mut picture, WHITE) {
            Ok(_) => {
                let found = quarters(&picture);
                let most = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                if most > 1.5 {
                    far.push(format!("{name}: {most} apart: {found:.1?}"));
                }
            }
            Err(fault) => far.push(format!("{name}: {fault}")),
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

#[test]
fn the_rest_is_refused_by_name() {
    let mut wrong = Vec::new();
    for (name, reason) in REFUSED {
        match look_at_jpeg(&file(name)) {
            Err(fault) if fault.reason.contains(reason) => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_cut_anywhere_is_refused_and_no_byte_makes_the_walk_panic() {
    for name in ["s2x2", "prog", "restart", "greyprog"] {
        let whole = file(name);
        for cut in 0..whole.len() - 1 {
            assert!(look_at_jpeg(&whole[..cut]).is_err(), "{name} cut to {cut}");
        }
        for place in 2..whole.len() {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut changed = whole.clone();
                changed[place] = byte;
                let _ = look_at_jpeg(&changed);
            }
        }
    }
}

#[test]
fn a_tiny_file_with_a_gigantic_header_is_refused_before_memory_is_asked_for() {
    let mut bytes = file("s1x1");
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x30, 0, 0x30, 0]);
    let fault = look_at_jpeg(&bytes).unwrap_err();
    assert!(fault.reason.contains("12288×12288 takes 432 MB to decode"), "{fault}");
}

#[test]
fn a_hole_of_zeros_in_the_data_is_found() {
    // Twice as large as the others in each direction, so that there is room for a hole.
    let mut whole = Vec::new();
    let noise = |k: usize| u8::try_from(k * k * 7919 % 251).unwrap();
    let pixels: Vec<u8> = (0..96 * 96 * 3).map(noise).collect();
    image::codecs::jpeg::JpegEncoder::new(&mut whole).encode(&pixels, 96, 96, image::ExtendedColorType::Rgb8).unwrap();
    assert!(look_at_jpeg(&whole).is_ok());
    let (middle, end) = (whole.len() / 2, whole.len() - 2);
    whole[middle..end].fill(0);
    let fault = look_at_jpeg(&whole).unwrap_err();
    assert!(fault.reason.contains("zero bytes"), "{fault}");
}
