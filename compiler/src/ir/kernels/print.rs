//! Kernels as text, for snapshots, for `gmpc emit`, and for internal errors. An internal error prints broken kernels, so buffers
//! that do not exist are printed as `?`.

use super::{
    Access, Affine, BufferId, Convolve, Dtype, Expr, Join, Kernels, Location, MatMul, Matrix, Nest, Pass, Pool,
    Pooling, ReluMask, Store, Work,
};
use gmpc_grammar::source::Sources;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Names of the loop variables, outermost first.
const VARIABLES: [&str; 8] = ["i", "j", "k", "l", "p", "q", "r", "s"];

/// Prints all buffers and kernels, with the line of the model that a kernel comes from if `sources` are given.
#[must_use]
pub fn print(kernels: &Kernels, sources: Option<&Sources>) -> String {
    let mut text = String::new();
    let written: BTreeSet<usize> = kernels.kernels.iter().flat_map(|k| k.work.writes()).map(BufferId::index).collect();
    // Passes leave buffers that nothing uses any more. They would only distract.
    let used = |index: usize| written.contains(&index);
    for (_, buffer) in kernels.buffers.iter().enumerate().filter(|(i, b)| b.location == Location::Scratch && used(*i)) {
        let _ = writeln!(text, "buffer {}: {}[{}]", buffer.name, buffer.dtype, buffer.elements);
    }
    for kernel in &kernels.kernels {
        let place = kernel.span.and_then(|span| {
            let sources = sources?;
            let (line, column) = sources.line_column(span);
            Some(format!("  # {}:{line}:{column}", sources.get(span.source)?.name))
        });
        let body = kernels.describe(&kernel.work);
        // The line of the model goes to the end of the first line: the following lines are the body of a nest.
        let (head, rest) = body.split_once('\n').unwrap_or((&body, ""));
        let _ = writeln!(text, "{head}{}\n{rest}", place.unwrap_or_default());
        while text.ends_with("\n\n") {
            text.pop();
        }
    }
    for output in &kernels.outputs {
        let _ = writeln!(text, "output {}", kernels.name(*output));
    }
    text
}

impl Kernels {
    /// Returns a buffer's name; `?` if there is no such buffer.
    fn name(&self, id: BufferId) -> &str {
        self.buffers.get(id.index()).map_or("?", |buffer| &buffer.name)
    }

    fn describe(&self, work: &Work) -> String {
        let name = |id: BufferId| self.name(id);
        match work {
            Work::Nest(nest) => self.describe_nest(nest),
            Work::MatMul(product) => self.describe_matmul(product),
            Work::Spherical(scan) => {
                let results = scan.u.into_iter().chain(scan.saved).map(name).collect::<Vec<_>>();
                format!("{} = spherical {}[{}, {}]", results.join(", "), name(scan.theta), scan.angles, scan.units)
            }
            Work::SphericalGrad(scan) => {
                let from = [scan.g, scan.theta].into_iter().chain(scan.saved).map(name).collect::<Vec<_>>();
                let to = name(scan.gradient);
                format!("{to} = spherical_grad {}[{}, {}]", from.join(", "), scan.angles, scan.units)
            }
            Work::Convolve(product) => self.describe_convolution(product),
            Work::Pool(pool) => self.describe_pool(pool),
            Work::Uniform(draw) => format!("{} = uniform stream {}", name(draw.target), draw.stream),
            Work::Cast(cast) => {
                let bias = cast.bias.map(|bias| format!(" + {}", name(bias))).unwrap_or_default();
                let (relu, dtype) = (if cast.relu { "max 0, " } else { "" }, self.shown_dtype(cast.target));
                format!("{} = {relu}cast {} to {dtype}{bias}", name(cast.target), name(cast.source))
            }
        }
    }

    fn describe_matmul(&self, MatMul { m, n, k, a, b, c, bias, relu }: &MatMul) -> String {
        let matrix = |x: &Matrix| format!("{}[{} + {} i + {} j]", self.name(x.buffer), x.offset, x.rows, x.columns);
        let bias = bias.map(|(id, at)| format!(" + {}[{at} + 1 j]", self.name(id))).unwrap_or_default();
        let relu = if *relu { "max 0, " } else { "" };
        format!("{} = {relu}{} {}{bias}  ({m} x {k} x {n})", matrix(c), matrix(a), matrix(b))
    }

    /// Prints `results = epilogue of convolve images filters`, with everything that is fused into the convolution. Two kernels
    /// that do different work must not print alike.
    fn describe_convolution(&self, product: &Convolve) -> String {
        let name = |id: BufferId| self.name(id);
        let word = match product.pass {
            Pass::Forward => "convolve",
            Pass::BackwardData => "convolve_input",
            Pass::BackwardFilter => "convolve_weight",
        };
        let bias = product.bias.map(|id| format!(" + {}", name(id))).unwrap_or_default();
        let relu = if product.relu { "max 0, " } else { "" };
        let affine = match (product.prepare.scale.map(name), product.prepare.shift.map(name)) {
            (None, None) => String::new(),
            (Some(scale), None) => format!(" (images {scale})"),
            (None, Some(shift)) => format!(" (images + {shift})"),
            (Some(scale), Some(shift)) => format!(" (images {scale} + {shift})"),
        };
        // Both shapes are those of the forward convolution, also if the pass is a gradient.
        let [n, h, w, c] = product.images;
        let [oh, ow, units] = product.result;
        // Additional results are written left of `=`, after the main result.
        let sums = self.describe_sums(product.sums, product.relu_mask.as_ref());
        let relu_mask = self.describe_relu_mask(product.sums, product.relu_mask.as_ref());
        let (more, pool) = self.describe_pooled(product);
        format!(
            "{}{more}{sums} = {pool}{relu}{word} {} {}{}{bias}{relu_mask}  {}  ({n} x {h}x{w}x{c} to {oh}x{ow}x{units})",
            name(product.c),
            name(product.a),
            name(product.b),
            affine,
            product.window
        )
    }

    /// Prints the additional results of a fused pool, and the pool itself.
    fn describe_pooled(&self, product: &Convolve) -> (String, String) {
        let Some(pooled) = product.pooled else { return <(String, String)>::default() };
        let name = |id: BufferId| self.name(id);
        let more = pooled.unscaled_max.into_iter().chain(pooled.argmax).map(|id| format!(", {}", name(id))).collect();
        let scale = pooled.scale.map(|id| format!(" (results {})", name(id))).unwrap_or_default();
        (more, format!("max_pool 2x2{scale} of "))
    }

    /// Prints the buffers of sums that a kernel writes beside its result.
    fn describe_sums(&self, sums: Option<BufferId>, relu_mask: Option<&ReluMask>) -> String {
        let all = sums.into_iter().chain(relu_mask.and_then(|relu_mask| relu_mask.weighted));
        all.map(|id| format!(", {}", self.name(id))).collect()
    }

    /// Prints the fused ReLU mask and the sums.
    fn describe_relu_mask(&self, sums: Option<BufferId>, relu_mask: Option<&ReluMask>) -> String {
        let name = |id: BufferId| self.name(id);
        let shift = relu_mask
            .and_then(|relu_mask| relu_mask.shift)
            .map(|shift| format!(" + {}", name(shift)))
            .unwrap_or_default();
        let mut text =
            relu_mask.map(|relu_mask| format!("{shift} where 0 < {}", name(relu_mask.relu_output))).unwrap_or_default();
        if sums.is_some() {
            text.push_str(" and its sums");
        }
        if let Some(relu_mask) = relu_mask.filter(|relu_mask| relu_mask.weighted.is_some()) {
            text.push_str(&format!(" and sums times {}", name(relu_mask.relu_output)));
        }
        if let Some(scale) = relu_mask.and_then(|relu_mask| relu_mask.scale) {
            text.push_str(&format!(", scaled by {}", name(scale)));
        }
        text
    }

    fn describe_pool(&self, pool: &Pool) -> String {
        let word = match pool.pooling {
            Pooling::Max => "max_pool",
            Pooling::MaxGradient => "max_pool_grad",
            Pooling::Sum => "sum_pool",
            Pooling::SumGradient => "sum_pool_grad",
        };
        let scale = pool.scale.map(|id| format!(" (images {})", self.name(id))).unwrap_or_default();
        let operands = pool.x.iter().chain(&pool.argmax).chain(&pool.dy).map(|id| format!(" {}", self.name(*id)));
        let ([n, h, w, c], [oh, ow]) = (pool.images, pool.result);
        let sums = self.describe_sums(pool.sums, pool.relu_mask.as_ref());
        let relu_mask = self.describe_relu_mask(pool.sums, pool.relu_mask.as_ref());
        format!(
            "{}{sums} = {word}{}{scale}{relu_mask}  {}  ({n} x {h}x{w} to {oh}x{ow}, {c} channels)",
            self.name(pool.target),
            operands.collect::<String>(),
            pool.window
        )
    }

    /// Prints a nest as loops: the outer axes, the reduced axes inside them, and what comes after the reduction.
    fn describe_nest(&self, nest: &Nest) -> String {
        // A broken nest may lack entries of `reduced`.
        let reduces = |axis: usize| nest.reduced.get(axis) == Some(&true);
        let outer: Vec<usize> = (0..nest.space.len()).filter(|&a| !reduces(a)).collect();
        let reduced: Vec<usize> = (0..nest.space.len()).filter(|&a| reduces(a)).collect();
        let mut text = String::new();
        let head = |axes: &[usize]| {
            axes.iter().map(|&a| format!("{} in {}", VARIABLES[a % 8], nest.space[a])).collect::<Vec<_>>().join(", ")
        };
        let mut indent = 1;
        let word = if nest.parallel { "for threads" } else { "for" };
        let _ = writeln!(text, "{word} {}:", if outer.is_empty() { "one point".into() } else { head(&outer) });
        if !reduced.is_empty() {
            let _ = writeln!(text, "    over {}:", head(&reduced));
            indent = 2;
        }
        // Code runs in this order: values and stores inside the loops, reductions, then what needs their results.
        let after_reduction = nest.after_reduction();
        let pad = |indent: usize| "    ".repeat(indent);
        for (index, expr) in nest.exprs.iter().enumerate().filter(|(i, _)| !after_reduction[*i]) {
            let _ = writeln!(text, "{}%{index} = {}", pad(indent), self.describe_expr(expr));
        }
        for store in nest.stores.iter().filter(|s| !s.after_reduction) {
            let _ = writeln!(text, "{}{}", pad(indent), self.describe_store(store));
        }
        for (index, reduction) in nest.reductions.iter().enumerate() {
            let word = if reduction.join == Join::Sum { "sum" } else { "max" };
            let _ = writeln!(text, "{}r{index} = {word} %{}", pad(indent), reduction.value.0);
        }
        for (index, expr) in nest.exprs.iter().enumerate().filter(|(i, _)| after_reduction[*i]) {
            let _ = writeln!(text, "    %{index} = {}", self.describe_expr(expr));
        }
        for store in nest.stores.iter().filter(|s| s.after_reduction) {
            let _ = writeln!(text, "    {}", self.describe_store(store));
        }
        text
    }

    fn describe_expr(&self, expr: &Expr) -> String {
        match expr {
            Expr::Const(value) => format!("{value}"),
            Expr::Load(access) => self.describe_load(access),
            Expr::Index(at) => format!("index {}", describe_affine(at)),
            Expr::Reduced(index) => format!("r{index}"),
            Expr::Apply(op, operands) => {
                operands.iter().fold(op.name().to_string(), |text, o| format!("{text} %{}", o.0))
            }
        }
    }

    /// Prints an element; as `f32(h3[i])` if reading it converts.
    fn describe_load(&self, access: &Access) -> String {
        let (element, own) = (self.describe_access(access), Dtype::from(self.precision));
        if self.shown_dtype(access.buffer) == own { element } else { format!("{own}({element})") }
    }

    /// Prints `h3[i] = %4`, or `h3[i] = bf16(%4)` if writing it converts.
    fn describe_store(&self, Store { access, value, .. }: &Store) -> String {
        let (element, dtype) = (self.describe_access(access), self.shown_dtype(access.buffer));
        if dtype == Dtype::from(self.precision) {
            return format!("{element} = %{}", value.0);
        }
        format!("{element} = {dtype}(%{})", value.0)
    }

    /// Returns the dtype of a buffer. Of a buffer that does not exist, the program's dtype, because broken kernels are printed
    /// too.
    fn shown_dtype(&self, id: BufferId) -> Dtype {
        self.buffers.get(id.index()).map_or(Dtype::from(self.precision), |buffer| buffer.dtype)
    }

    fn describe_access(&self, access: &Access) -> String {
        format!("{}[{}]", self.name(access.buffer), describe_affine(&access.at))
    }
}

fn describe_affine(at: &Affine) -> String {
    let mut terms: Vec<String> = Vec::new();
    if at.offset != 0 {
        terms.push(at.offset.to_string());
    }
    for (axis, &stride) in at.strides.iter().enumerate().filter(|(_, s)| **s != 0) {
        let variable = VARIABLES[axis % 8];
        terms.push(if stride == 1 { variable.to_string() } else { format!("{stride} {variable}") });
    }
    if terms.is_empty() { "0".into() } else { terms.join(" + ") }
}
