//! Kernels that make a batch out of data in the GPU's own memory: rows of a table, or images with flips and crops drawn as the
//! processor draws them, the same bits.
//!
//! ```text
//! numbers   to[row, column] = table[asked[row], column]
//! images    to[row, i, j, channel] = value[pixel(asked[row], i', j', channel), channel]     i', j' by the steps, last first
//! ```
//!
//! A program does not know its data, so each of these is a source of its own, made when the data are there.

use super::draft::head as launch_bounds;
use super::source::PHILOX;
use super::text::float;
use crate::experiment::{ImageStep, Precision};
use std::fmt::Write;

/// Threads of a block.
const BLOCK: usize = 256;

/// A kernel that fills an input of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gather {
    /// CUDA C++ with one kernel, [`Self::NAME`]. Its parameters: the table or all pixels; of images the numbers
    /// `[256, channels]` that pixels stand for; `asked`, 32-bit words; the input.
    pub source: String,
    /// Blocks.
    pub blocks: u32,
    /// Threads of a block.
    pub threads: u32,
    /// Words of `asked`: a row (an image) for each example, then the seed, low word first, and the epoch, of images.
    pub words: usize,
}

impl Gather {
    /// The kernel's name.
    pub const NAME: &'static str = "gather";
    /// Words behind the rows: seed low, seed high, epoch low.
    pub const KEY: usize = 3;
}

/// Rows of `width` numbers from a table; `None` where there is nothing to do, or too much for one launch.
#[must_use]
pub fn numbers(precision: Precision, batch: usize, width: usize) -> Option<Gather> {
    let (blocks, total) = size(batch, width)?;
    let number = float(precision);
    let mut source =
        head(&format!("{batch} rows of {width} numbers"), &[format!("const {number}* __restrict__ table")], number);
    let _ = write!(
        source,
        "{}    to[at] = table[{} * asked[at / {width}] + at % {width}];\n}}\n",
        guard(total),
        count(width)
    );
    Some(Gather { source, blocks, threads: BLOCK as u32, words: batch })
}

/// Images of `from` (height, width, channels) by these steps, whose random words have `purpose` in the second word of the
/// counter; `None` for steps that no kernel does here (resizing, lighting), and for windows that do not fit.
#[must_use]
pub fn images(
    precision: Precision,
    batch: usize,
    from: [usize; 3],
    steps: &[ImageStep],
    purpose: u32,
) -> Option<Gather> {
    let [from_height, from_width, channels] = from;
    let planned = plan(steps, [from_height, from_width])?;
    let [height, width] = planned.last().map_or([from_height, from_width], |step| step.after);
    let (blocks, total) = size(batch, height * width * channels)?;
    let number = float(precision);
    let parameters =
        ["const unsigned char* __restrict__ pixels".to_string(), format!("const {number}* __restrict__ value")];
    let mut source = String::new();
    let words = planned.iter().map(|step| step.words()).sum::<usize>();
    if words > 0 {
        source.push_str(PHILOX.trim_start());
        source.push('\n');
    }
    source.push_str(&head(&format!("{batch} images of {height} x {width} x {channels}"), &parameters, number));
    source.push_str(&guard(total));
    let per_image = height * width * channels;
    let _ = write!(
        source,
        "    const unsigned image = asked[at / {per_image}];\n    const int channel = at % {channels};\n    \
         int j = at / {channels} % {width}, i = at / {} % {height};\n",
        width * channels
    );
    draw(&mut source, words, batch, purpose);
    source.push_str("    bool inside = true;\n");
    let mut word = words;
    for step in planned.iter().rev() {
        word -= step.words();
        step.undo(&mut source, word);
    }
    let _ = write!(
        source,
        "    const unsigned char pixel = inside ? pixels[{} * image + (i * {from_width} + j) * {channels} + channel] : 0;\n    \
         to[at] = value[pixel * {channels} + channel];\n}}\n",
        count(from_height * from_width * channels)
    );
    Some(Gather { source, blocks, threads: BLOCK as u32, words: batch + Gather::KEY })
}

/// Blocks and numbers in all.
fn size(batch: usize, width: usize) -> Option<(u32, usize)> {
    let total = batch.checked_mul(width).filter(|total| *total > 0 && *total < 1 << 31)?;
    Some((u32::try_from(total.div_ceil(BLOCK)).ok()?, total))
}

/// A factor that keeps places in a large table from wrapping around.
fn count(width: usize) -> String {
    format!("{width}ull")
}

fn head(comment: &str, parameters: &[String], number: &str) -> String {
    let mut all = parameters.to_vec();
    all.push("const unsigned* __restrict__ asked".into());
    all.push(format!("{number}* __restrict__ to"));
    format!("// {comment}\n{}\n{}(\n    {})\n{{\n", launch_bounds(BLOCK as u32), Gather::NAME, all.join(",\n    "))
}

fn guard(total: usize) -> String {
    let end = if total.is_multiple_of(BLOCK) { String::new() } else { format!("    if (at >= {total}u) return;\n") };
    format!("    const unsigned at = blockIdx.x * {BLOCK}u + threadIdx.x;\n{end}")
}

/// Random words `d` of the image: counters 0, 1, … in the order in which the steps take them.
fn draw(source: &mut String, words: usize, batch: usize, purpose: u32) {
    if words == 0 {
        return;
    }
    let _ = writeln!(source, "    unsigned d[{}];", words.next_multiple_of(4));
    for block in 0..words.div_ceil(4) {
        let _ = write!(
            source,
            "    {{\n        unsigned c[4] = {{{block}u, 0x{purpose:08x}u, asked[{}], image}};\n        \
             philox(c, asked[{batch}], asked[{}]);\n        \
             #pragma unroll\n        for (int n = 0; n < 4; ++n) d[{} + n] = c[n];\n    }}\n",
            batch + 2,
            batch + 1,
            4 * block
        );
    }
}

/// A step with the sizes before and after it.
struct Planned {
    step: ImageStep,
    before: [usize; 2],
    after: [usize; 2],
}

fn plan(steps: &[ImageStep], from: [usize; 2]) -> Option<Vec<Planned>> {
    let mut before = from;
    let mut planned = Vec::new();
    for &step in steps {
        let (after, pad) = match step {
            ImageStep::HorizontalFlip => (before, 0),
            ImageStep::RandomCrop { height, width, pad } => ([height, width], pad),
            ImageStep::CenterCrop { height, width } => ([height, width], 0),
            ImageStep::Resize { .. }
            | ImageStep::ResizeShorter { .. }
            | ImageStep::RandomResize { .. }
            | ImageStep::Lighting { .. } => return None,
        };
        let fits = (0..2).all(|axis| after[axis] > 0 && after[axis] <= before[axis] + 2 * pad);
        let small = before.iter().all(|&size| size < 1 << 15) && pad < 1 << 15;
        if !fits || !small {
            return None;
        }
        planned.push(Planned { step, before, after });
        before = after;
    }
    Some(planned)
}

impl Planned {
    /// Random words that it takes.
    fn words(&self) -> usize {
        match self.step {
            ImageStep::HorizontalFlip => 1,
            ImageStep::RandomCrop { .. } => 2,
            _ => 0,
        }
    }

    /// From a place after the step to the place before it; `word` is the first of its random words.
    fn undo(&self, source: &mut String, word: usize) {
        let ([height, width], [new_height, new_width]) = (self.before, self.after);
        let _ = match self.step {
            ImageStep::HorizontalFlip => writeln!(source, "    j = d[{word}] >> 31 ? {} - j : j;", width - 1),
            ImageStep::RandomCrop { pad, .. } => {
                let free = [height + 2 * pad - new_height + 1, width + 2 * pad - new_width + 1];
                writeln!(
                    source,
                    "    i += (int)__umulhi(d[{word}], {}u) - {pad};\n    j += (int)__umulhi(d[{}], {}u) - {pad};\n    \
                     inside = inside && i >= 0 && i < {height} && j >= 0 && j < {width};",
                    free[0],
                    word + 1,
                    free[1]
                )
            }
            _ => writeln!(source, "    i += {};\n    j += {};", (height - new_height) / 2, (width - new_width) / 2),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn images_are_cropped_and_flipped_from_the_last_step_to_the_first() {
        let steps = [ImageStep::RandomCrop { height: 32, width: 32, pad: 4 }, ImageStep::HorizontalFlip];
        let gather = images(Precision::F32, 8, [32, 32, 3], &steps, 0xDA7A_0005).unwrap();
        assert_eq!((gather.blocks, gather.words), (96, 11));
        assert_snapshot!(gather.source.split_once("// 8 images").unwrap().1);
    }

    #[test]
    fn what_no_kernel_does_is_left_to_the_processor() {
        let resize = [ImageStep::Resize { height: 16, width: 16 }];
        assert_eq!(images(Precision::F32, 8, [32, 32, 3], &resize, 1), None);
        let large = [ImageStep::CenterCrop { height: 33, width: 8 }];
        assert_eq!(images(Precision::F32, 8, [32, 32, 3], &large, 1), None);
        assert_eq!((numbers(Precision::F32, 0, 3), numbers(Precision::F32, 1 << 20, 1 << 20)), (None, None));
        assert_eq!(numbers(Precision::F64, 10, 30).map(|gather| (gather.blocks, gather.words)), Some((2, 10)));
    }
}
