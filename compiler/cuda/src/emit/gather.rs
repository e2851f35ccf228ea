//! Kernels that gather a batch from data in GPU memory: rows of a table, or images with random flips and crops. They draw the
//! same random words as the CPU, so the batches are equal bit by bit.
//!
//! ```text
//! numbers   to[row, column] = table[asked[row], column]
//! images    to[row, i, j, channel] = value[pixel(asked[row], i', j', channel), channel]     i', j' by the steps, last first
//! ```
//!
//! A program does not know its data. So each kernel is a separate source, made when the data are known.

use super::draft::head as launch_bounds;
use super::source::PHILOX;
use super::text::float;
use gmpc_compiler::ir::experiment::{ImageStep, Precision};
use std::fmt::Write;

/// Threads of a block.
const BLOCK: u32 = 256;

/// A kernel that fills an input of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gather {
    /// CUDA C++ with one kernel, [`Self::NAME`]. Its parameters: the table or all pixels; for images the numbers
    /// `[256, channels]` that pixel bytes stand for; `asked`, 32-bit words; the input that is filled.
    pub source: String,
    /// Number of blocks.
    pub blocks: u32,
    /// Threads of a block.
    pub threads: u32,
    /// Words of `asked`: the row (image) of each example; for images also the seed, low word first, and the epoch.
    pub words: usize,
}

impl Gather {
    /// The name of the kernel.
    pub const NAME: &'static str = "gather";
    /// Words after the rows: seed low, seed high, epoch low.
    pub const KEY: usize = 3;
}

/// A kernel that gathers rows of `width` numbers. `None` if the batch is empty, or too large for one launch.
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
    Some(Gather { source, blocks, threads: BLOCK, words: batch })
}

/// A kernel that gathers images of size `from` (height, width, channels) and applies the steps. `purpose` is the second word of
/// the counter of the random words. `None` for steps without a kernel (resizing, lighting), and for crops that do not fit.
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
    // The generator stands in the source only if a step draws.
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
    // A thread computes one number of the result and walks back through the steps to its pixel. So the last step is undone
    // first. Random words are numbered from the first step on, as on the CPU.
    draw(&mut source, words, batch, purpose);
    source.push_str("    bool inside = true;\n");
    let mut word = words;
    for step in planned.iter().rev() {
        word -= step.words();
        step.undo(&mut source, word);
    }
    // A place outside the image is padding: pixel byte 0.
    let _ = write!(
        source,
        "    const unsigned char pixel = inside ? pixels[{} * image + (i * {from_width} + j) * {channels} + channel] : 0;\n    \
         to[at] = value[pixel * {channels} + channel];\n}}\n",
        count(from_height * from_width * channels)
    );
    Some(Gather { source, blocks, threads: BLOCK, words: batch + Gather::KEY })
}

/// The number of blocks, and of all numbers. `None` for none, and for more than 32-bit indices reach.
fn size(batch: usize, width: usize) -> Option<(u32, usize)> {
    let total = batch.checked_mul(width).filter(|total| *total > 0 && *total < 1 << 31)?;
    Some((u32::try_from(total.div_ceil(BLOCK as usize)).ok()?, total))
}

/// A 64-bit factor: the index into a large table exceeds 32 bits.
fn count(width: usize) -> String {
    format!("{width}ull")
}

fn head(comment: &str, parameters: &[String], number: &str) -> String {
    let mut all = parameters.to_vec();
    all.push("const unsigned* __restrict__ asked".into());
    all.push(format!("{number}* __restrict__ to"));
    format!("// {comment}\n{}\n{}(\n    {})\n{{\n", launch_bounds(BLOCK), Gather::NAME, all.join(",\n    "))
}

fn guard(total: usize) -> String {
    let end =
        if total.is_multiple_of(BLOCK as usize) { String::new() } else { format!("    if (at >= {total}u) return;\n") };
    format!("    const unsigned at = blockIdx.x * {BLOCK}u + threadIdx.x;\n{end}")
}

/// Emits the random words `d` of an image: counters 0, 1, …, in the order in which the steps use them.
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
    /// Number of random words that the step uses.
    fn words(&self) -> usize {
        match self.step {
            ImageStep::HorizontalFlip => 1,
            ImageStep::RandomCrop { .. } => 2,
            ImageStep::CenterCrop { .. } | ImageStep::Resize { .. } | ImageStep::ResizeShorter { .. } => 0,
            ImageStep::RandomResize { .. } | ImageStep::Lighting { .. } => 0,
        }
    }

    /// Emits the way from a place after the step to the place before it. `word` is the index of its first random word.
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
            ImageStep::CenterCrop { .. }
            | ImageStep::Resize { .. }
            | ImageStep::ResizeShorter { .. }
            | ImageStep::RandomResize { .. }
            | ImageStep::Lighting { .. } => {
                writeln!(source, "    i += {};\n    j += {};", (height - new_height) / 2, (width - new_width) / 2)
            }
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
    fn steps_without_a_kernel_are_left_to_the_cpu() {
        let resize = [ImageStep::Resize { height: 16, width: 16 }];
        assert_eq!(images(Precision::F32, 8, [32, 32, 3], &resize, 1), None);
        let large = [ImageStep::CenterCrop { height: 33, width: 8 }];
        assert_eq!(images(Precision::F32, 8, [32, 32, 3], &large, 1), None);
        assert_eq!((numbers(Precision::F32, 0, 3), numbers(Precision::F32, 1 << 20, 1 << 20)), (None, None));
        assert_eq!(numbers(Precision::F64, 10, 30).map(|gather| (gather.blocks, gather.words)), Some((2, 10)));
    }
}
