//! Unit vectors from angles, and the gradient at the angles: scans along the angles. A block computes a few units.
//!
//! ```text
//! threads      x: neighbouring units, side by side in memory      y: chunks of the angles, each walked by one thread
//! forward      chunk products → shared memory → product before each chunk → unit vectors
//! backward     chunk maps F → B + (1 - a) F → shared memory → F behind each chunk → gradient at the angles
//! ```
//!
//! A sine near 1 loses its low bits, and a product of thousands of such sines loses its magnitude. So no sine is computed. Both
//! scans use the versine q, one minus the sine. The forward scan updates the product as P - P q and carries the rounding error
//! along; this keeps the relative error small even when the product is small, which a state 1 - P would not. The backward scan
//! keeps the slope as 1 - a.
//!
//! The forward kernel saves only the product before every [`GROUP`]th angle. In the backward kernel a thread walks its chunk
//! group by group and recomputes the cosines, versines and products of a group in registers. So memory traffic is the angles
//! and the gradients, nothing else.
//!
//! Source: paper, Eq. 6; the recurrences of [`gmpc_compiler::ir::graph::Op::SphericalGrad`].

use super::context::Context;
use super::draft::{Draft, parameters};
use super::source::{Feature, Features};
use super::text::{Text, float, function};
use gmpc_compiler::ir::kernels::{Spherical, SphericalGrad, Work};
use gmpc_math::spherical::GROUP;

/// Fewest angles of a thread: below that, no further threads share a unit.
const CHUNK: usize = GROUP;
/// Limit on the chunks of a unit.
const CHUNKS: usize = 64;
/// Threads of a block, if there are enough units.
const THREADS: usize = 256;

/// How angles and units are cut.
struct Cut {
    /// Units side by side in a block.
    width: usize,
    /// Chunks of the angles.
    height: usize,
    /// Angles of a chunk.
    chunk: usize,
    angles: usize,
    units: usize,
}

impl Cut {
    fn new(angles: usize, units: usize) -> Self {
        let mut height = 1;
        while 2 * height * CHUNK <= angles && 2 * height <= CHUNKS {
            height *= 2;
        }
        // At least 8 neighbouring units: memory moves 32 bytes at once.
        let width = (THREADS / height).max(8).min(units.next_power_of_two());
        // Chunks begin at multiples of GROUP, where the forward kernel saves its products.
        let chunk = if height == 1 { angles } else { angles.div_ceil(height).next_multiple_of(GROUP) };
        Cut { width, height, chunk, angles, units }
    }

    /// Emits the unit and the chunk of a thread. A thread without a unit gets an empty chunk: it must still reach the barriers.
    fn place(&self, text: &mut Text, index: &str) {
        let Cut { width, chunk, angles, units, .. } = self;
        text.line(format!("const unsigned x = threadIdx.x % {width}, y = threadIdx.x / {width};"));
        text.line(format!("const {index} unit = block * {width} + x;"));
        let end = format!("(y + 1) * {chunk} < {angles} ? (y + 1) * {chunk} : {angles}");
        let end = if self.is_exact() { end } else { format!("unit >= {units} ? 0 : {end}") };
        text.line(format!("const {index} first = y * {chunk}, end = {end};"));
    }

    /// Does every thread have a unit?
    fn is_exact(&self) -> bool {
        self.units.is_multiple_of(self.width)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a block has at most 1024 threads")]
    fn draft(&self, kind: &'static str, work: &Work, text: Text, features: Features) -> Draft {
        let Cut { width, height, chunk, angles, units } = self;
        Draft {
            kind,
            comment: format!("{units} units of {angles} angles, {width} x {height} threads, {chunk} angles each"),
            parameters: parameters(&work.reads(), &work.writes()),
            // Two numbers for each thread, of 8 bytes at most.
            shared: 16 * width * height,
            blocks: units.div_ceil(*width) as u64,
            threads: (width * height) as u32,
            ..Draft::new(text, features)
        }
    }
}

/// The kernel that computes unit vectors, and saves products for the gradient. `None` if there are no units.
pub(crate) fn forward(scan: &Spherical, context: Context) -> Option<Draft> {
    if scan.units == 0 {
        return None;
    }
    let cut = Cut::new(scan.angles, scan.units);
    let Cut { width, height, units, angles, .. } = cut;
    let (float, index) = (float(context.precision), context.index);
    let theta = &context.names[&scan.theta];
    let mut text = Text::body();
    cut.place(&mut text, index);
    // First walk: the product of the sines of each chunk, with its rounding error, goes to shared memory.
    text.line(format!("__shared__ {float} product[{height}][{width}], error[{height}][{width}];"));
    text.line(format!("{float} p = 1, e = 0, cosine, q;"));
    text.line("#pragma unroll 4");
    text.open(format!("for ({index} k = first; k < end; ++k)"));
    text.line(format!("cosine_and_versine({theta}[k * {units} + unit], cosine, q);"));
    text.line("shrink(p, e, q);");
    text.close();
    text.line("product[y][x] = p;");
    text.line("error[y][x] = e;");
    text.line("__syncthreads();");
    // Each thread multiplies the products of the chunks before its own, from first to last: one order, the same bits always.
    text.line("p = 1, e = 0;");
    text.line("for (unsigned other = 0; other < y; ++other) times(p, e, product[other][x], error[other][x]);");
    // Second walk: component k is the cosine of angle k times the product of the sines before it.
    text.line("#pragma unroll 4");
    text.open(format!("for ({index} k = first; k < end; ++k)"));
    text.line(format!("const {index} at = k * {units} + unit;"));
    text.line(format!("cosine_and_versine({theta}[at], cosine, q);"));
    if let Some(u) = scan.u {
        text.line(format!(
            "{}[at] = {}(e, cosine, p * cosine);",
            context.names[&u],
            function(context.precision, "fma")
        ));
    }
    // Two rows for each group after the first: the product before it, and its error. Group 0 starts from 1 and needs none.
    if let Some(saved) = scan.saved {
        let saved = &context.names[&saved];
        text.open(format!("if (k != 0 && k % {GROUP} == 0)"));
        text.line(format!("{saved}[(k / {GROUP} * 2 - 2) * {units} + unit] = p;"));
        text.line(format!("{saved}[(k / {GROUP} * 2 - 1) * {units} + unit] = e;"));
        text.close();
    }
    text.line("shrink(p, e, q);");
    text.close();
    // The last component is the product of all sines. The thread of the last chunk has it.
    if let Some(u) = scan.u {
        let inside = if cut.is_exact() { String::new() } else { format!(" && unit < {units}") };
        let last = format!("{}[{} + unit] = p + e;", context.names[&u], angles * units);
        text.line(format!("if (y == {}{inside}) {last}", height - 1));
    }
    let mut features = Features::default();
    features.add(Feature::CosineAndVersine);
    features.add(Feature::Shrink);
    Some(cut.draft("spherical", &Work::Spherical(scan.clone()), text, features))
}

/// The kernel that computes the gradient at the angles. `None` if there are no angles.
pub(crate) fn backward(scan: &SphericalGrad, context: Context) -> Option<Draft> {
    if scan.units == 0 || scan.angles == 0 {
        return None;
    }
    let cut = Cut::new(scan.angles, scan.units);
    let Cut { width, height, units, angles, .. } = cut;
    let (float, index, fma) = (float(context.precision), context.index, function(context.precision, "fma"));
    let (theta, g, gradient) = (&context.names[&scan.theta], &context.names[&scan.g], &context.names[&scan.gradient]);
    let mut text = Text::body();
    cut.place(&mut text, index);
    // First walk, backwards: a chunk is the map F -> b + (1 - a) F of the value F that arrives behind it. Such maps compose.
    text.line(format!("__shared__ {float} slope[{height}][{width}], shift[{height}][{width}];"));
    text.line(format!("{float} a = 0, b = 0, cosine, q;"));
    text.line("#pragma unroll 4");
    text.open(format!("for ({index} k = end; k-- > first;)"));
    text.line(format!("const {index} at = k * {units} + unit;"));
    text.line(format!("cosine_and_versine({theta}[at], cosine, q);"));
    text.line(format!("b = {fma}({g}[at], cosine, {fma}(-b, q, b));"));
    text.line(format!("a = {fma}(a, 1 - q, q);"));
    text.close();
    text.line("slope[y][x] = a;");
    text.line("shift[y][x] = b;");
    text.line("__syncthreads();");
    // The value behind the last angle is the gradient at the last component. Each thread applies the maps of the chunks behind
    // its own, from last to first: one order, the same bits always.
    let last = format!("{g}[{} + unit]", angles * units);
    let last = if cut.is_exact() { last } else { format!("unit >= {units} ? 0 : {last}") };
    text.line(format!("{float} f = {last};"));
    text.line(format!(
        "for (int other = {}; other > int(y); --other) f = {fma}(-slope[other][x], f, f) + shift[other][x];",
        height - 1
    ));
    // Loops over a group have constant bounds and are unrolled, so that the arrays stay in registers. The comparison with
    // `end` inside a loop replaces a variable bound.
    let chunk = cut.chunk.min(GROUP);
    text.line("// Group by group: forwards for what the angles give, backwards with what arrives.");
    text.open(format!("for ({index} group = (end + {}) / {GROUP}; group-- > first / {GROUP};)", GROUP - 1));
    text.line(format!("{float} cosines[{chunk}], versines[{chunk}], products[{chunk}], p = 1, e = 0;"));
    // A group restarts from the product that the forward kernel saved before it; group 0 from 1.
    if let Some(saved) = scan.saved {
        let saved = &context.names[&saved];
        text.open("if (group != 0)");
        text.line(format!("p = {saved}[(group * 2 - 2) * {units} + unit];"));
        text.line(format!("e = {saved}[(group * 2 - 1) * {units} + unit];"));
        text.close();
    }
    text.line("#pragma unroll");
    text.open(format!("for (int k = 0; k < {chunk}; ++k)"));
    text.open(format!("if (group * {GROUP} + k < end)"));
    text.line(format!("cosine_and_versine({theta}[(group * {GROUP} + k) * {units} + unit], cosines[k], versines[k]);"));
    text.line("products[k] = p + e;");
    text.line("shrink(p, e, versines[k]);");
    text.close();
    text.close();
    // Both formulas avoid the sine 1 - q, whose low bits would be lost: d - d q and f - f q take its place.
    text.line("#pragma unroll");
    text.open(format!("for (int k = {}; k >= 0; --k)", chunk - 1));
    text.open(format!("if (group * {GROUP} + k < end)"));
    text.line(format!("const {index} at = (group * {GROUP} + k) * {units} + unit;"));
    text.line(format!("const {float} d = {g}[at];"));
    text.line(format!("{gradient}[at] = products[k] * {fma}(d, versines[k], {fma}(cosines[k], f, -d));"));
    text.line(format!("f = {fma}(d, cosines[k], {fma}(-f, versines[k], f));"));
    text.close();
    text.close();
    text.close();
    let mut features = Features::default();
    features.add(Feature::CosineAndVersine);
    features.add(Feature::Shrink);
    Some(cut.draft("spherical_grad", &Work::SphericalGrad(scan.clone()), text, features))
}
