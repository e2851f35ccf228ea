//! JPEG and PNG files to pixels: three channels whatever the file has, grey and CMYK included. The orientation that a
//! camera notes is left alone, as the usual loaders do.

use super::picture::Picture;
use crate::data::DataError;
use image::codecs::png::PngEncoder;
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// No photograph of a data set is larger.
const MOST_FILE_BYTES: u64 = 256 << 20;
const MOST_SIDE: u32 = 1 << 15;
const MOST_PIXEL_BYTES: u64 = 512 << 20;

/// Decodes a file into `picture`, whose memory is used again.
///
/// # Errors
/// `E0751` where the system refuses, `E0764` for what is no sound image, cut off, or larger than any photograph.
pub(super) fn read(path: &Path, picture: &mut Picture) -> Result<(), DataError> {
    let size = std::fs::metadata(path).map_err(|e| DataError::io(path, "look at it", &e))?.len();
    if size > MOST_FILE_BYTES {
        return Err(damaged(path, format!("{size} bytes are more than any photograph has")));
    }
    let bytes = std::fs::read(path).map_err(|e| DataError::io(path, "read it", &e))?;
    pixels(&bytes, picture).map_err(|reason| damaged(path, reason))
}

fn damaged(path: &Path, reason: String) -> DataError {
    DataError::data("E0764", path.display().to_string(), reason)
        .help("get the file again, or take it out of its folder; `gmpc data verify` finds all such files at once")
}

/// Decodes a JPEG or PNG file that is in memory.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn pixels(bytes: &[u8], picture: &mut Picture) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_string());
    }
    if bytes.starts_with(&[0xFF, 0xD8]) && is_cut_off(bytes) {
        return Err("the JPEG is cut off before its end".to_string());
    }
    // The decoders are other people's, and files come from anywhere: a panic of theirs is a damaged file.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(bytes, picture)));
    decoded.unwrap_or_else(|_| Err("the decoder gave up on it".to_string()))
}

fn decode(bytes: &[u8], picture: &mut Picture) -> Result<(), String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png)) {
        return Err("it is neither JPEG nor PNG".to_string());
    }
    let mut decoder = reader.into_decoder().map_err(|e| e.to_string())?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 || width > MOST_SIDE || height > MOST_SIDE || decoder.total_bytes() > MOST_PIXEL_BYTES
    {
        return Err(format!("an image of {width}×{height} is none, or larger than any photograph"));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_PIXEL_BYTES);
    decoder.set_limits(limits).map_err(|e| e.to_string())?;
    let colours = decoder.color_type();
    if colours == ColorType::Rgb8 {
        picture.pixels.clear();
        picture.pixels.resize(usize::try_from(decoder.total_bytes()).unwrap_or(0), 0);
        decoder.read_image(&mut picture.pixels).map_err(|e| e.to_string())?;
    } else {
        let image = image::DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
        picture.pixels = image.into_rgb8().into_raw();
    }
    (picture.height, picture.width, picture.channels) = (height as usize, width as usize, 3);
    Ok(())
}

/// Does the last scan of a JPEG not end? Inside a scan no marker looks like the end or like another scan's beginning
/// (ITU T.81, B.1.1.5), so the last marker of both kinds tells; a decoder would fill the rest with grey.
fn is_cut_off(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, marker]);
    match (last(0xDA), last(0xD9)) {
        (Some(scan), Some(end)) => end < scan,
        _ => true,
    }
}

/// Encodes three channels as PNG.
pub(super) fn png(pixels: &[u8], width: usize, height: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let side = |n: usize| u32::try_from(n).map_err(|_| "it is too large".to_string());
    let encoder = PngEncoder::new(&mut bytes);
    let written = encoder.write_image(pixels, side(width)?, side(height)?, ExtendedColorType::Rgb8);
    written.map(|()| bytes).map_err(|e| e.to_string())
}

/// Three channels to one, as ITU-R BT.601 weighs them.
pub(super) fn to_grey(picture: &mut Picture) {
    let grey = |&[r, g, b]: &[u8; 3]| {
        let sum = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
        u8::try_from((sum + 500) / 1000).unwrap_or(u8::MAX)
    };
    picture.pixels = picture.pixels.as_chunks::<3>().0.iter().map(grey).collect();
    picture.channels = 1;
}

#[cfg(test)]
mod tests;
