//! Flips, crops, resizes and lighting.

use super::draws::Draws;
use super::picture::Picture;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use gmpc_compiler::experiment::{ImageStep, shorter};

/// Principal components of ImageNet's colours, on the scale of 0 to 1, and their weights: Krizhevsky, Sutskever and Hinton,
/// "ImageNet classification with deep convolutional neural networks", 2012; the values are those of the ResNet code of
/// Facebook (fb.resnet.torch, `imagenet.lua`).
const WEIGHTS: [f64; 3] = [0.2175, 0.0188, 0.0045];
const COMPONENTS: [[f64; 3]; 3] = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]];

/// Memory of the steps that need some.
#[derive(Default)]
pub(super) struct Scratch {
    pixels: Vec<u8>,
    resizer: Resizer,
}

/// Does one step. What is drawn is drawn whatever the image, so that it depends on the image's number alone.
///
/// # Errors
/// A window that is larger than the image.
pub(super) fn apply(
    step: ImageStep,
    picture: &mut Picture,
    draws: &mut Draws,
    scratch: &mut Scratch,
    light: &mut [f32; 3],
) -> Result<(), String> {
    match step {
        ImageStep::HorizontalFlip => {
            if draws.coin() {
                mirror(picture);
            }
            Ok(())
        }
        ImageStep::RandomCrop { height, width, pad } => {
            let free = |whole: usize, window: usize| (whole + 2 * pad).checked_sub(window);
            let (Some(down), Some(right)) = (free(picture.height, height), free(picture.width, width)) else {
                return Err(too_small(picture, height, width));
            };
            let (top, left) = (draws.between(0, down), draws.between(0, right));
            window(picture, [height, width], [top, left], pad, &mut scratch.pixels);
            Ok(())
        }
        ImageStep::CenterCrop { height, width } => {
            let free = |whole: usize, window: usize| whole.checked_sub(window);
            let (Some(down), Some(right)) = (free(picture.height, height), free(picture.width, width)) else {
                return Err(too_small(picture, height, width));
            };
            window(picture, [height, width], [down / 2, right / 2], 0, &mut scratch.pixels);
            Ok(())
        }
        ImageStep::Resize { height, width } => resize(picture, height, width, scratch),
        ImageStep::ResizeShorter { side } => {
            let (height, width) = shorter(picture.height, picture.width, side);
            resize(picture, height, width, scratch)
        }
        ImageStep::RandomResize { low, high } => {
            let side = draws.between(low, high);
            resize(picture, side, side, scratch)
        }
        ImageStep::Lighting { deviation } => {
            let factors = WEIGHTS.map(|weight| weight * deviation * draws.normal());
            if picture.channels == 3 {
                for (light, components) in light.iter_mut().zip(COMPONENTS) {
                    let sum: f64 = components.iter().zip(factors).map(|(component, factor)| component * factor).sum();
                    #[allow(clippy::cast_possible_truncation)] // rounded once
                    let sum = sum as f32;
                    *light += sum;
                }
            }
            Ok(())
        }
    }
}

fn too_small(picture: &Picture, height: usize, width: usize) -> String {
    format!("a window of {height}×{width} does not fit into an image of {}×{}", picture.height, picture.width)
}

/// Left becomes right.
fn mirror(picture: &mut Picture) {
    for row in picture.pixels.chunks_exact_mut((picture.width * picture.channels).max(1)) {
        match picture.channels {
            3 => row.as_chunks_mut::<3>().0.reverse(),
            _ => row.reverse(),
        }
    }
}

/// Cuts a window out of the image, which `pad` zeros surround on each side. The window fits.
fn window(
    picture: &mut Picture,
    [height, width]: [usize; 2],
    [top, left]: [usize; 2],
    pad: usize,
    scratch: &mut Vec<u8>,
) {
    if pad == 0 && [height, width] == [picture.height, picture.width] {
        return;
    }
    let channels = picture.channels;
    scratch.clear();
    scratch.resize(height * width * channels, 0);
    // The columns that lie in the image itself.
    let first = left.max(pad);
    let last = (left + width).min(pad + picture.width);
    for (i, to) in scratch.chunks_exact_mut(width * channels).enumerate() {
        let Some(row) = (top + i).checked_sub(pad).filter(|&row| row < picture.height) else { continue };
        if first < last {
            let from = &picture.pixels[(row * picture.width + first - pad) * channels..][..(last - first) * channels];
            to[(first - left) * channels..][..from.len()].copy_from_slice(from);
        }
    }
    std::mem::swap(&mut picture.pixels, scratch);
    (picture.height, picture.width) = (height, width);
}

/// To another size, linear between pixels and averaging where it shrinks.
pub(super) fn resize(picture: &mut Picture, height: usize, width: usize, scratch: &mut Scratch) -> Result<(), String> {
    if [height, width] == [picture.height, picture.width] {
        return Ok(());
    }
    if height > ImageStep::LARGEST || width > ImageStep::LARGEST {
        return Err(format!("resized, it would be {height}×{width}, beyond {0}×{0}", ImageStep::LARGEST));
    }
    scratch.pixels.clear();
    scratch.pixels.resize(height * width * picture.channels, 0);
    // Named kinds of pixels: a resize that asks at run time would be compiled for all that the library has.
    let resized = if picture.channels == 3 {
        resize_pixels::<U8x3>(picture, height, width, scratch)
    } else {
        resize_pixels::<U8>(picture, height, width, scratch)
    };
    resized.map_err(|what| format!("it cannot be resized: {what}"))?;
    std::mem::swap(&mut picture.pixels, &mut scratch.pixels);
    (picture.height, picture.width) = (height, width);
    Ok(())
}

/// Into `scratch.pixels`, which has room.
fn resize_pixels<P: PixelTrait>(
    picture: &Picture,
    height: usize,
    width: usize,
    scratch: &mut Scratch,
) -> Result<(), String> {
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let from = TypedImageRef::<P>::from_buffer(size(picture.width), size(picture.height), &picture.pixels);
    let to = TypedImage::<P>::from_buffer(size(width), size(height), &mut scratch.pixels);
    let (from, mut to) = (from.map_err(|error| error.to_string())?, to.map_err(|error| error.to_string())?);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    scratch.resizer.resize_typed(&from, &mut to, &options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
