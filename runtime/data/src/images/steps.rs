//! Flips, crops, resizes and lighting.

use super::draws::Draws;
use super::picture::Picture;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use gmpc_compiler::ir::experiment::{ImageStep, shorter};

/// Principal components of ImageNet's colours, on the scale of 0 to 1, and their weights. Source of the method:
/// Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012. The
/// values are those of Facebook's ResNet code (fb.resnet.torch, `imagenet.lua`).
const WEIGHTS: [f64; 3] = [0.2175, 0.0188, 0.0045];
const COMPONENTS: [[f64; 3]; 3] = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]];

/// Memory for the steps that need it.
#[derive(Default)]
pub(super) struct Scratch {
    pixels: Vec<u8>,
    resizer: Resizer,
}

/// Applies one step. The random numbers are drawn whatever the image contains, so they depend on the image's number
/// only.
///
/// # Errors
/// A window is larger than the image.
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
        // Positions are drawn for every image, so a later step gets the same random numbers whatever the sizes are.
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
            // Grey images have no colours to shift, but the numbers were drawn all the same.
            if picture.channels == 3 {
                for (light, components) in light.iter_mut().zip(COMPONENTS) {
                    let sum: f64 = components.iter().zip(factors).map(|(component, factor)| component * factor).sum();
                    #[expect(clippy::cast_possible_truncation, reason = "rounded once")]
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

/// Mirrors an image horizontally.
fn mirror(picture: &mut Picture) {
    for row in picture.pixels.chunks_exact_mut((picture.width * picture.channels).max(1)) {
        match picture.channels {
            3 => row.as_chunks_mut::<3>().0.reverse(),
            _ => row.reverse(),
        }
    }
}

/// Cuts a window out of an image with `pad` zeros on each side. The window fits.
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
    // The columns that lie within the image itself.
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

/// Resizes an image: linear interpolation between pixels, and averaging if it becomes smaller.
pub(super) fn resize(picture: &mut Picture, height: usize, width: usize, scratch: &mut Scratch) -> Result<(), String> {
    if [height, width] == [picture.height, picture.width] {
        return Ok(());
    }
    if height > ImageStep::LARGEST || width > ImageStep::LARGEST {
        return Err(format!("resized, it would be {height}×{width}, beyond {0}×{0}", ImageStep::LARGEST));
    }
    let grey = picture.channels == 1;
    if grey {
        picture.pixels = picture.pixels.iter().flat_map(|&pixel| [pixel; 3]).collect();
    }
    scratch.pixels.clear();
    scratch.pixels.resize(height * width * 3, 0);
    resize_colours(picture, height, width, scratch).map_err(|what| format!("it cannot be resized: {what}"))?;
    if grey {
        scratch.pixels = scratch.pixels.iter().step_by(3).copied().collect();
    }
    std::mem::swap(&mut picture.pixels, &mut scratch.pixels);
    (picture.height, picture.width) = (height, width);
    Ok(())
}

/// Resizes into `scratch.pixels`, which is large enough. The pixel type is named explicitly, so that the library's code
/// is compiled for this type only and not for all types.
fn resize_colours(picture: &Picture, height: usize, width: usize, scratch: &mut Scratch) -> Result<(), String> {
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let from = TypedImageRef::<U8x3>::from_buffer(size(picture.width), size(picture.height), &picture.pixels);
    let to = TypedImage::<U8x3>::from_buffer(size(width), size(height), &mut scratch.pixels);
    let (from, mut to) = (from.map_err(|error| error.to_string())?, to.map_err(|error| error.to_string())?);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    scratch.resizer.resize_typed(&from, &mut to, &options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
