//! Pooling and its gradients: a thread for each place that is written, 16 bytes of channels where they permit.
//!
//! ```text
//! max_pool        the largest of the window; padding never wins, NaN always does
//! max_pool_grad   for each pixel: the gradients of the windows in which it is the first largest one
//! sum_pool        the sum of the window
//! sum_pool_grad   for each pixel: the gradients of all windows that see it
//! ```
//!
//! A gradient is gathered, never scattered, so that its order is fixed and windows may overlap.

use super::draft::{Draft, parameters};
use super::nest::{BLOCK, Context, global_index, per_thread};
use super::source::{Feature, Features};
use super::text::{Text, float, number};
use crate::kernels::{Pool, Pooling, Work};

/// The kernel of a pool.
pub(super) fn draft(pool: &Pool, context: Context) -> Draft {
    let channels = pool.images[3];
    let most = 16 / context.precision.bytes();
    let lanes = if channels.is_multiple_of(most) { most } else { 1 };
    let gathers = matches!(pool.pooling, Pooling::MaxGradient | Pooling::SumGradient);
    let [height, width] = if gathers { [pool.images[1], pool.images[2]] } else { pool.result };
    let threads = pool.images[0] * height * width * (channels / lanes);
    let mut writer = Writer { pool, context, lanes, text: Text::body(), features: Features::default() };
    writer.place(threads, height, width);
    match pool.pooling {
        Pooling::Max | Pooling::Sum => writer.forward(),
        Pooling::MaxGradient | Pooling::SumGradient => writer.gradient(),
    }
    let work = Work::Pool(pool.clone());
    Draft {
        kind: word(pool.pooling),
        comment: format!("{threads} threads, {}", per_thread(lanes)),
        parameters: parameters(&work.reads(), &work.writes()),
        blocks: threads.div_ceil(BLOCK) as u64,
        ..Draft::new(writer.text, writer.features)
    }
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
    context: Context<'a>,
    lanes: usize,
    text: Text,
    features: Features,
}

impl Writer<'_> {
    fn name(&self, buffer: Option<crate::kernels::BufferId>) -> String {
        buffer.and_then(|id| self.context.names.get(&id)).cloned().unwrap_or_default()
    }

    /// The type of 16 bytes or of one number.
    fn kind(&self) -> &'static str {
        if self.lanes > 1 { "Lanes" } else { float(self.context.precision) }
    }

    /// A number in every lane.
    fn filled(&self, value: &str) -> String {
        if self.lanes > 1 { format!("{{{}}}", vec![value; self.lanes].join(", ")) } else { value.to_string() }
    }

    fn read(&self, name: &str, at: &str) -> String {
        if self.lanes > 1 { format!("load({name} + ({at}))") } else { format!("{name}[{at}]") }
    }

    /// Statements for every lane; `@` stands for the lane.
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

    /// Which channels (c), column (w), row (h) and image (b) a thread writes.
    fn place(&mut self, threads: usize, height: usize, width: usize) {
        let Context { index, .. } = self.context;
        let channels = self.pool.images[3] / self.lanes;
        self.text.line(format!("const {index} at = {};", global_index(index)));
        if !threads.is_multiple_of(BLOCK) {
            self.text.line(format!("if (at >= {threads}) return;"));
        }
        let step = if self.lanes > 1 { format!(" * {}", self.lanes) } else { String::new() };
        self.text.line(format!("const {index} c = at % {channels}{step}, b = at / {};", channels * width * height));
        let (w, h) = (format!("at / {channels} % {width}"), format!("at / {} % {height}", channels * width));
        self.text.line(format!("const int w = {w}, h = {h};"));
    }

    /// The place of a pixel of the images in memory.
    fn pixel(&self, row: &str, column: &str) -> String {
        let [_, height, width, channels] = self.pool.images;
        format!("((b * {height} + {row}) * {width} + {column}) * {channels} + c")
    }

    /// The place of a window's result in memory.
    fn window(&self, row: &str, column: &str) -> String {
        let ([height, width], channels) = (self.pool.result, self.pool.images[3]);
        format!("((b * {height} + {row}) * {width} + {column}) * {channels} + c")
    }

    fn factor(&mut self) {
        if let Some(scale) = self.pool.scale {
            let name = self.name(Some(scale));
            let read = self.read(&name, "c");
            self.text.line(format!("const {} factor = {read};", self.kind()));
        }
    }

    /// Opens loops over a window's places inside the images.
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

    /// Does no window see padding?
    fn is_inside(&self) -> bool {
        let inside = |axis: usize| {
            let window = self.pool.window;
            let seen = (self.pool.result[axis] - 1) * window.stride[axis] + window.kernel[axis];
            window.before[axis] == 0 && seen <= self.pool.images[axis + 1]
        };
        inside(0) && inside(1)
    }

    /// The value of a pixel that takes part in the search for the largest.
    fn value(&mut self, name: &str) {
        let x = self.name(self.pool.x);
        let read = self.read(&x, &self.pixel("y", "x"));
        let kind = self.kind();
        if self.pool.scale.is_some() {
            self.text.line(format!("{kind} {name} = {read};"));
            let line = format!("{name}@ = {name}@ * factor@;");
            self.each(&[&line]);
        } else {
            self.text.line(format!("const {kind} {name} = {read};"));
        }
    }

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
        self.write("result", &self.window("h", "w"));
    }

    fn write(&mut self, value: &str, at: &str) {
        let target = self.name(Some(self.pool.target));
        if self.lanes > 1 {
            self.text.line(format!("store({target} + ({at}), {value});"));
        } else {
            self.text.line(format!("{target}[{at}] = {value};"));
        }
    }

    /// For each window that sees the pixel: its gradient, where the pixel has a right to it.
    fn gradient(&mut self) {
        let zero = self.filled(&number(self.context.precision, 0.0));
        self.factor();
        self.text.line(format!("{} result = {zero};", self.kind()));
        for (axis, (at, first, last)) in [("h", "top", "bottom"), ("w", "left", "right")].into_iter().enumerate() {
            let (kernel, stride, before) =
                (self.pool.window.kernel[axis], self.pool.window.stride[axis], self.pool.window.before[axis]);
            let reach = kernel - 1;
            // The windows o with o stride - before <= at <= o stride - before + kernel - 1.
            let begin =
                format!("{at} + {before} < {reach} ? 0 : ({at} + {before} - {reach} + {}) / {stride}", stride - 1);
            let end = format!("({at} + {before}) / {stride}");
            let most = self.pool.result[axis] - 1;
            self.text.line(format!("const int {first} = {begin};"));
            self.text.line(format!("const int {last} = {end} < {most} ? {end} : {most};"));
        }
        self.text.line("for (int oh = top; oh <= bottom; ++oh)");
        self.text.open("for (int ow = left; ow <= right; ++ow)");
        if self.pool.pooling == Pooling::MaxGradient {
            self.search();
        }
        let dy = self.name(self.pool.dy);
        let read = self.read(&dy, &self.window("oh", "ow"));
        self.text.line(format!("const {} g = {read};", self.kind()));
        match self.pool.pooling {
            Pooling::MaxGradient => self.each(&["if (place@ == own) result@ = result@ + g@;"]),
            _ => self.each(&["result@ = result@ + g@;"]),
        }
        self.text.close();
        self.write("result", &self.pixel("h", "w"));
    }

    /// The place of the first largest value of window (oh, ow), or of its first NaN; and this pixel's place in it.
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
