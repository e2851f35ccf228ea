//! Decodes JPEG and PNG files to three channels, also from grey and CMYK images. Images are rotated as their Exif
//! orientation says, and transparent pixels are placed on a background colour.

use super::fault::Fault;
use super::guard::guarded;
use super::picture::Picture;
use super::{jpeg, orientation};
use crate::DataError;
use std::io::Cursor;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Largest size of a file in bytes, and of a side in pixels. No photograph of a data set is larger.
const MOST_FILE_BYTES: u64 = 256 << 20;
const MOST_SIDE: usize = 1 << 15;
/// Limits of the memory for decoding, because a header can claim any size: a limit for small files, a number of bytes
/// for each byte of a large file, and a limit for all. A page of a book at 600 dpi takes 104 MB, although its file may
/// be tiny.
const ANY_FILE: usize = 192 << 20;
const FOR_EACH_BYTE: usize = 64;
const MOST_MEMORY: usize = 1 << 30;
/// Images that need more memory than this are decoded one after another, whatever the number of threads.
const LARGE: usize = 32 << 20;

/// Red, green and blue.
pub(super) type Colour = [u8; 3];
/// The default background colour for transparent pixels.
pub(super) const WHITE: Colour = [255; 3];

/// Facts about a decoded image that may be reported.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// True if its Exif orientation rotated it.
    pub(super) turned: bool,
    /// True if some pixels are transparent.
    pub(super) transparent: bool,
    /// The largest value, if values have 16 bits.
    pub(super) wide: Option<u16>,
    /// Lock for large images: while it is held, other threads do not decode large images.
    pub(super) _turn: Option<MutexGuard<'static, ()>>,
}

/// Decodes a file into `picture` and reuses its memory.
///
/// # Errors
/// `E0751`: the system refuses to read it. `E0764`: it is not a valid image, is incomplete, or is larger than the
/// limits.
pub(super) fn read(path: &Path, picture: &mut Picture, ground: Colour) -> Result<Seen, DataError> {
    pixels(&bytes_of(path)?, picture, ground).map_err(|fault| image_error(path, fault))
}

/// The bytes of a file.
///
/// # Errors
/// The errors of [`read`].
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, DataError> {
    let about = std::fs::metadata(path).map_err(|e| DataError::io(path, "look at it", &e))?;
    if about.len() > MOST_FILE_BYTES || !about.is_file() {
        let reason = format!("{} bytes are more than any photograph has, or it is not a regular file", about.len());
        return Err(image_error(path, Fault::damaged(reason)));
    }
    std::fs::read(path).map_err(|e| DataError::io(path, "read it", &e))
}

/// An error about an image file.
pub(super) fn image_error(path: &Path, fault: Fault) -> DataError {
    DataError::data("E0764", path.display().to_string(), fault.reason).help(fault.help)
}

/// Decodes the bytes of a JPEG or PNG file.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn pixels(bytes: &[u8], picture: &mut Picture, ground: Colour) -> Result<Seen, Fault> {
    if bytes.is_empty() {
        return Err(Fault::damaged("the file is empty"));
    }
    // A panic in these external decoders counts as an error of the file, because files come from any source.
    guarded(|| decode(bytes, picture, ground)).unwrap_or_else(|| Err(gives_up()))
}

/// The error for a decoder that panicked.
pub(super) fn gives_up() -> Fault {
    let help = "save it again as an ordinary JPEG or as PNG, or remove it from its folder";
    Fault::other("the image decoder failed on it", help)
}

fn decode(bytes: &[u8], picture: &mut Picture, ground: Colour) -> Result<Seen, Fault> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        decode_jpeg(bytes, picture)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        decode_png(bytes, picture, ground)
    } else {
        Err(stranger(bytes))
    }
}

/// Describes a file that is neither JPEG nor PNG, if its first bytes tell what it is.
fn stranger(bytes: &[u8]) -> Fault {
    let convert = "save it as PNG or JPEG, or remove it from its folder";
    let begins = |what: &[u8]| bytes.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what));
    let kind = match bytes {
        _ if begins(b"GIF8") => "a GIF",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "a WebP image",
        _ if begins(b"BM") => "a BMP image",
        _ if bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*") => "a TIFF image",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "a HEIC, HEIF or AVIF image, or a film",
        _ if bytes.starts_with(b"version https://git-lfs") => {
            let help = "get the files themselves with `git lfs pull`";
            return Fault::other("it is a pointer of Git LFS, not the image", help);
        }
        _ if begins(b"<!doctype") || begins(b"<html") => {
            return Fault::other("it is a web page, not an image", "the download failed: download the file again");
        }
        _ if begins(b"<svg") || begins(b"<?xml") => "a drawing (SVG)",
        _ => return Fault::damaged("it is neither JPEG nor PNG"),
    };
    Fault::other(format!("it is neither JPEG nor PNG: it is {kind}, although its name says otherwise"), convert)
}

/// Checks that an image may be decoded which needs `each` bytes for each pixel and whose file has `length` bytes. For a
/// large image it waits for the lock and returns it.
fn fits(width: usize, height: usize, each: usize, length: usize) -> Result<Option<MutexGuard<'static, ()>>, Fault> {
    static TURN: Mutex<()> = Mutex::new(());
    let sides = 1..=MOST_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(Fault::damaged(format!("an image of {width}×{height} is empty, or larger than any photograph")));
    }
    let (memory, most) = (width * height * each, length.saturating_mul(FOR_EACH_BYTE).clamp(ANY_FILE, MOST_MEMORY));
    if memory > most {
        let reason = format!(
            "an image of {width}×{height} takes {} MB to decode, more than the {} MB that a file of {length} bytes is given",
            memory >> 20,
            most >> 20
        );
        return Err(Fault::other(reason, "save it smaller, or remove it from its folder"));
    }
    Ok((memory > LARGE).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Reads the facts about a JPEG without decoding it.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn look_at_jpeg(bytes: &[u8]) -> Result<jpeg::Known, Fault> {
    jpeg::look(bytes, |width, height, each| fits(width, height, each, bytes.len()).map(drop))
}

fn decode_jpeg(bytes: &[u8], picture: &mut Picture) -> Result<Seen, Fault> {
    let known = look_at_jpeg(bytes)?;
    let turned = known.orientation > 1;
    let each = 3 + if known.progressive { 2 * known.components } else { 0 } + if turned { 3 } else { 0 };
    let turn = fits(known.width, known.height, each, bytes.len())?;
    let options = DecoderOptions::default().set_strict_mode(false);
    let options = options.set_max_width(usize::MAX).set_max_height(usize::MAX);
    // A grey image stays grey until the end; the decoder converts every other colour space, including CMYK, to RGB.
    let (colours, channels) = if known.components == 1 { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    let options = options.jpeg_set_out_colorspace(colours);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes[..known.end]), options);
    room(picture, known.width, known.height, channels)?;
    decoder.decode_into(&mut picture.pixels).map_err(|e| Fault::damaged(e.to_string()))?;
    if channels == 1 {
        picture.pixels = picture.pixels.iter().flat_map(|&grey| [grey; 3]).collect();
    }
    orientation::apply(picture, known.orientation);
    Ok(Seen { turned, _turn: turn, ..Seen::default() })
}

/// Allocates zeroed memory for an image.
fn room(picture: &mut Picture, width: usize, height: usize, channels: usize) -> Result<(), Fault> {
    let bytes = width * height * channels;
    picture.pixels.clear();
    picture.pixels.try_reserve_exact(bytes).map_err(|_| no_memory())?;
    picture.pixels.resize(bytes, 0);
    (picture.height, picture.width, picture.channels) = (height, width, 3);
    Ok(())
}

fn no_memory() -> Fault {
    Fault::other("there is not enough memory to decode it", "save it smaller, or free some memory")
}

fn decode_png(bytes: &[u8], picture: &mut Picture, ground: Colour) -> Result<Seen, Fault> {
    let broken = |e: png::DecodingError| Fault::damaged(e.to_string());
    let limits = png::Limits { bytes: LARGE };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    // Palettes and depths below 8 bits become bytes. 16 bits are rounded below.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let interlaced = reader.info().interlaced;
    let orientation = reader.info().exif_metadata.as_deref().map_or(1, orientation::of_exif);
    let (colours, depth) = reader.output_color_type();
    let layout = Layout { channels: colours.samples(), wide: depth == png::BitDepth::Sixteen, ground };
    let turned = orientation > 1;
    let each = 3 + if interlaced { layout.bytes() } else { 0 } + if turned { 3 } else { 0 };
    let mut seen = Seen { turned, _turn: fits(width, height, each, bytes.len())?, ..Seen::default() };
    picture.pixels.clear();
    (picture.height, picture.width, picture.channels) = (height, width, 3);
    if interlaced {
        let mut all = Vec::new();
        all.try_reserve_exact(width * height * layout.bytes()).map_err(|_| no_memory())?;
        all.resize(width * height * layout.bytes(), 0);
        reader.next_frame(&mut all).map_err(broken)?;
        layout.append(&all, picture, &mut seen)?;
    } else {
        // Decoding row by row needs memory only for rows that exist. A row of bits is not yet a row of colours.
        while let Some(row) = reader.next_row().map_err(broken)? {
            layout.append(row.data(), picture, &mut seen)?;
        }
    }
    if picture.pixels.len() != width * height * 3 {
        return Err(Fault::damaged("its rows end before the image is complete"));
    }
    reader.finish().map_err(broken)?;
    orientation::apply(picture, orientation);
    Ok(seen)
}

/// The layout of decoded pixels.
#[derive(Clone, Copy)]
struct Layout {
    /// Number of channels, 1 to 4: grey, grey and alpha, RGB, or RGB and alpha.
    channels: usize,
    /// True for two bytes in each channel, big-endian.
    wide: bool,
    /// Background colour of transparent pixels.
    ground: Colour,
}

impl Layout {
    /// Bytes of a pixel.
    fn bytes(self) -> usize {
        self.channels << usize::from(self.wide)
    }

    /// Appends pixels as red, green and blue bytes: grey is repeated, 16 bits are rounded to 8, transparent pixels are
    /// blended with the background.
    fn append(self, pixels: &[u8], picture: &mut Picture, seen: &mut Seen) -> Result<(), Fault> {
        let narrowed = if self.wide { narrow(pixels, seen) } else { Vec::new() };
        let pixels = if self.wide { narrowed.as_slice() } else { pixels };
        let to = &mut picture.pixels;
        to.try_reserve(pixels.len() / self.channels * 3).map_err(|_| no_memory())?;
        match self.channels {
            3 => to.extend_from_slice(pixels),
            1 => to.extend(pixels.iter().flat_map(|&grey| [grey; 3])),
            2 => {
                let pixel = |&[grey, alpha]: &[u8; 2]| self.ground.map(|ground| over(grey, alpha, ground));
                to.extend(pixels.as_chunks::<2>().0.iter().flat_map(pixel));
            }
            _ => {
                let [red, green, blue] = self.ground;
                let pixel = |&[r, g, b, alpha]: &[u8; 4]| {
                    [(r, red), (g, green), (b, blue)].map(|(colour, ground)| over(colour, alpha, ground))
                };
                to.extend(pixels.as_chunks::<4>().0.iter().flat_map(pixel));
            }
        }
        if self.channels.is_multiple_of(2) {
            seen.transparent |= pixels.chunks_exact(self.channels).any(|pixel| pixel.last() != Some(&255));
        }
        Ok(())
    }
}

/// Rounds 16 bits to the nearest 8-bit value.
fn narrow(pixels: &[u8], seen: &mut Seen) -> Vec<u8> {
    let mut largest = seen.wide.unwrap_or(0);
    let byte = |&pair: &[u8; 2]| {
        let number = u16::from_be_bytes(pair);
        largest = largest.max(number);
        u8::try_from((u32::from(number) + 128) / 257).unwrap_or(u8::MAX)
    };
    let narrow = pixels.as_chunks::<2>().0.iter().map(byte).collect();
    seen.wide = Some(largest);
    narrow
}

/// Blends a colour of opacity `alpha` / 255 with the background.
fn over(colour: u8, alpha: u8, ground: u8) -> u8 {
    let [colour, alpha, ground] = [colour, alpha, ground].map(u32::from);
    u8::try_from((colour * alpha + ground * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}

/// Encodes three channels as PNG.
pub(super) fn png(pixels: &[u8], width: usize, height: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let side = |n: usize| u32::try_from(n).map_err(|_| "it is too large".to_string());
    let mut encoder = png::Encoder::new(&mut bytes, side(width)?, side(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.map(|()| bytes).map_err(|e| e.to_string())
}

/// Converts three channels to grey with the weights of ITU-R BT.601.
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
