//! Reads the Exif orientation of an image and applies it.

use super::picture::Picture;

/// Tag of the orientation in Exif's first directory.
const TAG: u16 = 0x0112;

/// The orientation in an Exif block (a small TIFF file): 1 to 8; 1, upright, if there is none.
pub(super) fn of_exif(exif: &[u8]) -> u8 {
    find(exif).filter(|value| (1..=8).contains(value)).unwrap_or(1)
}

fn find(exif: &[u8]) -> Option<u8> {
    let little = exif.starts_with(b"II");
    let short = |at: usize| -> Option<u16> {
        let pair = <[u8; 2]>::try_from(exif.get(at..at.checked_add(2)?)?).ok()?;
        Some(if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
    };
    let long = |at: usize| -> Option<usize> {
        let (first, second) = (usize::from(short(at)?), usize::from(short(at.checked_add(2)?)?));
        Some(if little { second << 16 | first } else { first << 16 | second })
    };
    let folder = long(4)?;
    let count = usize::from(short(folder)?);
    (0..count).find_map(|entry| {
        let at = folder.checked_add(2 + 12 * entry)?;
        (short(at)? == TAG).then(|| short(at + 8)).flatten().and_then(|value| u8::try_from(value).ok())
    })
}

/// True if it exchanges height and width.
pub(super) fn swaps_sides(orientation: u8) -> bool {
    orientation >= 5
}

/// Rotates and mirrors an image so that it is upright.
pub(super) fn apply(picture: &mut Picture, orientation: u8) {
    if orientation <= 1 {
        return;
    }
    let (height, width, channels) = (picture.height, picture.width, picture.channels);
    let (tall, wide) = if swaps_sides(orientation) { (width, height) } else { (height, width) };
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    for y in 0..tall {
        for x in 0..wide {
            let (from_y, from_x) = match orientation {
                2 => (y, width - 1 - x),
                3 => (height - 1 - y, width - 1 - x),
                4 => (height - 1 - y, x),
                5 => (x, y),
                6 => (height - 1 - x, y),
                7 => (height - 1 - x, width - 1 - y),
                _ => (x, width - 1 - y),
            };
            pixels.extend_from_slice(&picture.pixels[(from_y * width + from_x) * channels..][..channels]);
        }
    }
    (picture.height, picture.width, picture.pixels) = (tall, wide, pixels);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_orientation_stands_as_its_photographer_saw_it() {
        // The image `1 2 3 / 4 5 6`, and the result of Pillow's `exif_transpose`.
        let expected: [(u8, usize, &[u8]); 8] = [
            (1, 2, &[1, 2, 3, 4, 5, 6]),
            (2, 2, &[3, 2, 1, 6, 5, 4]),
            (3, 2, &[6, 5, 4, 3, 2, 1]),
            (4, 2, &[4, 5, 6, 1, 2, 3]),
            (5, 3, &[1, 4, 2, 5, 3, 6]),
            (6, 3, &[4, 1, 5, 2, 6, 3]),
            (7, 3, &[6, 3, 5, 2, 4, 1]),
            (8, 3, &[3, 6, 2, 5, 1, 4]),
        ];
        for (orientation, height, pixels) in expected {
            let mut picture = Picture { height: 2, width: 3, channels: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
            apply(&mut picture, orientation);
            assert_eq!((picture.height, picture.pixels.as_slice()), (height, pixels), "{orientation}");
        }
    }

    #[test]
    fn the_note_of_a_camera_is_found_in_both_orders_of_bytes() {
        let little = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let big = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0";
        assert_eq!((of_exif(little), of_exif(big)), (6, 8));
        for cut in 0..little.len() {
            assert!(matches!(of_exif(&little[..cut]), 1 | 6));
        }
    }
}
