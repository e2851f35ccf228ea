//! Pooling and its gradients: a thread for each element of the result, or for 16 bytes of channels if their number permits.
//!
//! ```text
//! max_pool        the largest value of the window; padding never wins, NaN always does
//! max_pool_grad   for each pixel: the sum of the gradients of the windows in which it is the first largest one
//! sum_pool        the sum of the window
//! sum_pool_grad   for each pixel: the sum of the gradients of all windows that contain it
//! ```
//!
//! The thread of a pixel gathers its gradient; no thread scatters. So the order of every sum is fixed, and windows may overlap.

use super::context::{Computed, Context, Function};
use super::draft::{Draft, parameters};
use super::source::{Feature, Features};
use super::text::{Text, float, number};
use super::threads::{BLOCK, global_index, per_thread};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::{BufferId, Pool, Pooling};

/// The kernel of a pool.
pub(crate) fn draft(pool: &Pool, context: Context) -> Draft {
    let lanes = lanes(pool, context.precision);
    let [height, width] = written(pool);
    let threads = pool.images[0] * height * width * (pool.images[3] / lanes);
    let mut features = Features::default();
    // The value is a function of the source, so that a nest into which the pool is inlined calls the same text.
    let images = pool.x.and_then(|x| context.computing(x));
    let names: Vec<&str> = operands(pool, images).iter().map(|id| context.names[id].as_str()).collect();
    let value = function(pool, images, context, lanes).call("at", &names, &mut features);
    let target = &context.names[&pool.target];
    let (index, mut text) = (context.index, Text::body());
    // `at` is the index of the first element of a thread.
    let step = if lanes > 1 { format!(" * {lanes}") } else { String::new() };
    let thread = global_index(index);
    text.line(format!("const {index} at = {};", if lanes > 1 { format!("({thread}){step}") } else { thread }));
    if !threads.is_multiple_of(BLOCK) {
        text.line(format!("if (at >= {}) return;", threads * lanes));
    }
    text.line(context.write(pool.target, (target, "at"), &value, lanes > 1, &mut features));
    Draft {
        kind: word(pool.pooling),
        comment: format!("{threads} threads, {}", per_thread(lanes)),
        parameters: parameters(&operands(pool, images), &[pool.target]),
        blocks: threads.div_ceil(BLOCK) as u64,
        ..Draft::new(text, features)
    }
}

/// Channels that a thread computes at once: 16 bytes of them if they divide the number of channels.
pub(crate) fn lanes(pool: &Pool, precision: Precision) -> usize {
    let most = 16 / precision.bytes();
    if pool.images[3].is_multiple_of(most) { most } else { 1 }
}

/// The buffers to which the function gets pointers; `images`: the functions of the images if they are inlined.
pub(crate) fn operands(pool: &Pool, images: Option<&Computed>) -> Vec<BufferId> {
    let images = images.map_or_else(|| pool.x.into_iter().collect(), |images| images.operands.clone());
    images.into_iter().chain(pool.scale).chain(pool.dy).collect()
}

/// The function that computes one element, or `lanes` neighbours, of the result of a pool.
pub(crate) fn function(pool: &Pool, images: Option<&Computed>, context: Context, lanes: usize) -> Function {
    let half =
        |id: Option<BufferId>, word: &'static str| if id.is_some_and(|id| context.is_bf16(id)) { word } else { "" };
    let own = images.map_or(pool.x, |_| None);
    let name = format!("{}{}{}", function_name(pool, lanes), half(own, "_of_half"), half(pool.dy, "_from_half"));
    let name = images.map_or(name.clone(), |images| format!("{name}_of_{}", images.function(lanes).name));
    let mut writer = Writer { pool, images, context, lanes, text: Text::body(), features: Features::default() };
    let text = writer.function(&name);
    Function { name, text, needed: writer.features }
}

/// Height and width of the result.
fn written(pool: &Pool) -> [usize; 2] {
    let is_gradient = matches!(pool.pooling, Pooling::MaxGradient | Pooling::SumGradient);
    if is_gradient { [pool.images[1], pool.images[2]] } else { pool.result }
}

/// `max_pool_2x2_by_2x2_pad_0x0_of_32x32x128_to_16x16`: everything that the text of the function depends on.
fn function_name(pool: &Pool, lanes: usize) -> String {
    let [kernel, stride, before] =
        [pool.window.kernel, pool.window.stride, pool.window.before].map(|[h, w]| format!("{h}x{w}"));
    let ([_, height, width, channels], [h, w]) = (pool.images, pool.result);
    let scaled = if pool.scale.is_some() { "_scaled" } else { "" };
    let each = if lanes > 1 { "" } else { "_single" };
    let size = format!("{height}x{width}x{channels}_to_{h}x{w}");
    format!("{}_{kernel}_by_{stride}_pad_{before}_of_{size}{scaled}{each}", word(pool.pooling))
}

fn word(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Max => "max_pool",
        Pooling::MaxGradient => "max_pool_grad",
        Pooling::Sum => "sum_pool",
        Pooling::SumGradient => "sum_pool_grad",
    }
}

struct Writer<'a> {
    pool: &'a Pool,
    /// The functions of the images if they are inlined.
    images: Option<&'a Computed>,
    context: Context<'a>,
    lanes: usize,
    text: Text,
    features: Features,
}

impl Writer<'_> {
    /// The text of the function that computes an element.
    fn function(&mut self, name: &str) -> String {
        self.place();
        match self.pool.pooling {
            Pooling::Max | Pooling::Sum => self.forward(),
            Pooling::MaxGradient | Pooling::SumGradient => self.gradient(),
        }
        self.text.line("return result;");
        let float = float(self.context.precision);
        let own = |buffer: Option<BufferId>, name: &str| buffer.map(|_| name.to_string());
        let images = self.given().unwrap_or_else(|| own(self.pool.x, "images").into_iter().collect());
        let given = images.into_iter().chain(own(self.pool.scale, "factors")).chain(own(self.pool.dy, "gradient"));
        let list: Vec<String> = given.map(|name| format!("const {float}* {name}")).collect();
        let signature = format!("{}({} at, {})", name, self.context.index, list.join(", "));
        let body = std::mem::replace(&mut self.text, Text::body()).finish();
        let word = word(self.pool.pooling);
        format!(
            "// What {word} writes at an element.\n__device__ __forceinline__ {} {signature}\n{{\n{body}}}\n",
            self.kind()
        )
    }

    /// The names in this function of the operands of inlined images.
    fn given(&self) -> Option<Vec<String>> {
        self.images.map(|images| (0..images.operands.len()).map(|i| format!("images{i}")).collect())
    }

    /// The type of a value: 16 bytes of lanes, or one number.
    fn kind(&self) -> &'static str {
        if self.lanes > 1 { "Lanes" } else { float(self.context.precision) }
    }

    /// The same number in every lane.
    fn filled(&self, value: &str) -> String {
        if self.lanes > 1 { format!("{{{}}}", vec![value; self.lanes].join(", ")) } else { value.to_string() }
    }

    fn read(&mut self, id: Option<BufferId>, name: &str, at: &str) -> String {
        let wide = self.lanes > 1;
        match id {
            Some(id) if self.context.is_bf16(id) => self.context.read(id, name, at, wide, &mut self.features),
            _ if wide => format!("load({name} + ({at}))"),
            _ => format!("{name}[{at}]"),
        }
    }

    /// Emits statements for every lane; `@` stands for the lane.
    fn each(&mut self, statements: &[&str]) {
        let lane = if self.lanes > 1 { ".n[n]" } else { "" };
        if self.lanes > 1 {
            self.text.line("#pragma unroll");
            self.text.open(format!("for (int n = 0; n < {}; ++n)", self.lanes));
        }
        statements.iter().for_each(|line| self.text.line(line.replace('@', lane)));
        if self.lanes > 1 {
            self.text.close();
        }
    }

    /// Emits the first channel (c), the column (w), the row (h) and the image (b) of an element.
    fn place(&mut self) {
        let (index, channels, [height, width]) = (self.context.index, self.pool.images[3], written(self.pool));
        let image = channels * width * height;
        self.text.line(format!("const {index} c = at % {channels}, b = at / {image};"));
        let (w, h) = (format!("at / {channels} % {width}"), format!("at / {} % {height}", channels * width));
        self.text.line(format!("const int w = {w}, h = {h};"));
    }

    /// The index in memory of a pixel of the images.
    fn pixel(&self, row: &str, column: &str) -> String {
        let [_, height, width, channels] = self.pool.images;
        format!("((b * {height} + {row}) * {width} + {column}) * {channels} + c")
    }

    /// The index in memory of the result of a window.
    fn window(&self, row: &str, column: &str) -> String {
        let ([height, width], channels) = (self.pool.result, self.pool.images[3]);
        format!("((b * {height} + {row}) * {width} + {column}) * {channels} + c")
    }

    /// Emits the scale of the channels, if there is one.
    fn factor(&mut self) {
        if self.pool.scale.is_some() {
            let read = self.read(self.pool.scale, "factors", "c");
            self.text.line(format!("const {} factor = {read};", self.kind()));
        }
    }

    /// Opens loops over the positions of a window that lie inside the images.
    fn open_window(&mut self, row: &str, column: &str) {
        let [[kh, kw], [sh, sw], [bh, bw]] =
            [self.pool.window.kernel, self.pool.window.stride, self.pool.window.before];
        let [_, height, width, _] = self.pool.images;
        self.text.line("#pragma unroll");
        self.text.open(format!("for (int i = 0; i < {kh}; ++i)"));
        self.text.line("#pragma unroll");
        self.text.open(format!("for (int j = 0; j < {kw}; ++j)"));
        self.text.line(format!("const int y = {row} * {sh} + i - {bh}, x = {column} * {sw} + j - {bw};"));
        if !self.is_inside() {
            self.text.line(format!("if (y < 0 || y >= {height} || x < 0 || x >= {width}) continue;"));
        }
    }

    /// Do all windows lie inside the images, without padding?
    fn is_inside(&self) -> bool {
        let inside = |axis: usize| {
            let window = self.pool.window;
            let seen = (self.pool.result[axis] - 1) * window.stride[axis] + window.kernel[axis];
            window.before[axis] == 0 && seen <= self.pool.images[axis + 1]
        };
        inside(0) && inside(1)
    }

    /// Emits the value of a pixel, times the scale.
    fn value(&mut self, name: &str) {
        let at = self.pixel("y", "x");
        let read = match self.images.zip(self.given()) {
            None => self.read(self.pool.x, "images", &at),
            Some((images, given)) => {
                let given: Vec<&str> = given.iter().map(String::as_str).collect();
                images.function(self.lanes).call(&at, &given, &mut self.features)
            }
        };
        let kind = self.kind();
        if self.pool.scale.is_some() {
            self.text.line(format!("{kind} {name} = {read};"));
            let line = format!("{name}@ = {name}@ * factor@;");
            self.each(&[&line]);
        } else {
            self.text.line(format!("const {kind} {name} = {read};"));
        }
    }

    /// Emits the largest value or the sum of a window.
    fn forward(&mut self) {
        let is_max = self.pool.pooling == Pooling::Max;
        let start = if is_max { f64::NEG_INFINITY } else { 0.0 };
        let start = self.filled(&number(self.context.precision, start));
        self.factor();
        self.text.line(format!("{} result = {start};", self.kind()));
        self.open_window("h", "w");
        self.value("v");
        if is_max {
            self.features.add(Feature::Larger);
            self.each(&["result@ = larger(v@, result@);"]);
        } else {
            self.each(&["result@ = result@ + v@;"]);
        }
        self.text.close();
        self.text.close();
    }

    /// Emits the sum over the windows that contain the pixel. A max-pool adds only the gradients of windows whose first largest
    /// value is this pixel.
    fn gradient(&mut self) {
        let zero = self.filled(&number(self.context.precision, 0.0));
        self.factor();
        self.text.line(format!("{} result = {zero};", self.kind()));
        for (axis, (at, first, last)) in [("h", "top", "bottom"), ("w", "left", "right")].into_iter().enumerate() {
            let (kernel, stride, before) =
                (self.pool.window.kernel[axis], self.pool.window.stride[axis], self.pool.window.before[axis]);
            let reach = kernel - 1;
            // Window o contains the pixel if o stride - before <= at <= o stride - before + kernel - 1. The division of C
            // rounds towards 0, so a negative numerator must not reach it.
            let begin =
                format!("{at} + {before} < {reach} ? 0 : ({at} + {before} - {reach} + {}) / {stride}", stride - 1);
            let end = format!("({at} + {before}) / {stride}");
            let most = self.pool.result[axis] - 1;
            self.text.line(format!("const int {first} = {begin};"));
            self.text.line(format!("const int {last} = {end} < {most} ? {end} : {most};"));
        }
        // Windows are visited in row-major order, so the sum has one order.
        self.text.line("for (int oh = top; oh <= bottom; ++oh)");
        self.text.open("for (int ow = left; ow <= right; ++ow)");
        if self.pool.pooling == Pooling::MaxGradient {
            self.search();
        }
        let read = self.read(self.pool.dy, "gradient", &self.window("oh", "ow"));
        self.text.line(format!("const {} g = {read};", self.kind()));
        match self.pool.pooling {
            Pooling::MaxGradient => self.each(&["if (place@ == own) result@ = result@ + g@;"]),
            Pooling::Max | Pooling::Sum | Pooling::SumGradient => self.each(&["result@ = result@ + g@;"]),
        }
        self.text.close();
    }

    /// Emits a search of window (oh, ow): `place` is the position of its first NaN, or else of its first largest value; `own` is
    /// the position of this pixel.
    fn search(&mut self) {
        let low = self.filled(&number(self.context.precision, f64::NEG_INFINITY));
        let [[_, kw], [sh, sw], [bh, bw]] = [self.pool.window.kernel, self.pool.window.stride, self.pool.window.before];
        let kind = self.kind();
        self.text.line(format!("{kind} best = {low};"));
        let places =
            if self.lanes > 1 { format!("Places place = {}", self.filled("-1")) } else { "int place = -1".into() };
        if self.lanes > 1 {
            self.features.add(Feature::Places);
        }
        self.text.line(format!("{places};"));
        self.open_window("oh", "ow");
        self.value("v");
        let line =
            format!("if (place@ < 0 || v@ > best@ || (v@ != v@ && best@ == best@)) best@ = v@, place@ = i * {kw} + j;");
        self.each(&[&line]);
        self.text.close();
        self.text.close();
        let (row, column) = (format!("h - (oh * {sh} - {bh})"), format!("w - (ow * {sw} - {bw})"));
        self.text.line(format!("const int own = ({row}) * {kw} + {column};"));
    }
}
