//! Kernels as text, as readable loop nests: what snapshots hold and `gmpc emit --stage kernels` shows.

use super::{
    Access, Affine, BufferId, Convolve, Expr, Gate, Join, Kernels, MatMul, Matrix, Nest, Pass, Place, Pool, Pooling,
    Rounding, Work,
};
use gmpc_grammar::source::Sources;
use std::fmt::Write;

/// Letters of the loop variables, outermost first.
const VARIABLES: [&str; 8] = ["i", "j", "k", "l", "p", "q", "r", "s"];

/// Every buffer and kernel, with the line of the model each kernel came from where `sources` knows it.
#[must_use]
pub fn print(kernels: &Kernels, sources: Option<&Sources>) -> String {
    let mut text = String::new();
    let written: Vec<_> = kernels.kernels.iter().flat_map(|k| k.work.writes()).collect();
    let used = |index: usize| written.iter().any(|id| id.index() == index);
    for (_, buffer) in kernels.buffers.iter().enumerate().filter(|(i, b)| b.place == Place::Scratch && used(*i)) {
        let _ = writeln!(text, "buffer {}[{}]", buffer.name, buffer.elements);
    }
    for kernel in &kernels.kernels {
        let place = kernel.span.and_then(|span| {
            let sources = sources?;
            let (line, column) = sources.line_column(span);
            Some(format!("  # {}:{line}:{column}", sources.get(span.source)?.name))
        });
        let body = kernels.describe(&kernel.work);
        let (head, rest) = body.split_once('\n').unwrap_or((&body, ""));
        let _ = writeln!(text, "{head}{}\n{rest}", place.unwrap_or_default());
        while text.ends_with("\n\n") {
            text.pop();
        }
    }
    for output in &kernels.outputs {
        let _ = writeln!(text, "output {}", kernels.buffers[output.index()].name);
    }
    text
}

impl Kernels {
    fn describe(&self, work: &Work) -> String {
        let name = |id: super::BufferId| self.buffers[id.index()].name.as_str();
        match work {
            Work::Nest(nest) => self.describe_nest(nest),
            Work::MatMul(product) => self.describe_product(product),
            Work::Spherical(scan) => {
                let results = scan.u.into_iter().chain(scan.kept).map(name).collect::<Vec<_>>();
                format!("{} = spherical {}[{}, {}]", results.join(", "), name(scan.theta), scan.angles, scan.units)
            }
            Work::SphericalGrad(scan) => {
                let from = [scan.g, scan.theta].into_iter().chain(scan.kept).map(name).collect::<Vec<_>>();
                let to = name(scan.gradient);
                format!("{to} = spherical_grad {}[{}, {}]", from.join(", "), scan.angles, scan.units)
            }
            Work::Convolve(product) => self.describe_convolution(product),
            Work::Pool(pool) => self.describe_pool(pool),
            Work::Uniform(draw) => format!("{} = uniform stream {}", name(draw.target), draw.stream),
            Work::Round(round) => match &round.rounding {
                Rounding::Narrow => format!("{} = narrow {}", name(round.target), name(round.source)),
                Rounding::Widen { bias, relu, .. } => {
                    let bias = bias.map(|bias| format!(" + {}", name(bias))).unwrap_or_default();
                    let relu = if *relu { "max 0, " } else { "" };
                    format!("{} = {relu}widen {}{bias}", name(round.target), name(round.source))
                }
            },
        }
    }

    fn describe_product(&self, MatMul { m, n, k, a, b, c, bias, relu }: &MatMul) -> String {
        let matrix = |x: &Matrix| {
            format!("{}[{} + {} i + {} j]", self.buffers[x.buffer.index()].name, x.offset, x.rows, x.columns)
        };
        let bias = bias.map(|(id, at)| format!(" + {}[{at} + 1 j]", self.buffers[id.index()].name)).unwrap_or_default();
        let relu = if *relu { "max 0, " } else { "" };
        format!("{} = {relu}{} {}{bias}  ({m} x {k} x {n})", matrix(c), matrix(a), matrix(b))
    }

    fn describe_convolution(&self, product: &Convolve) -> String {
        let name = |id: super::BufferId| self.buffers[id.index()].name.as_str();
        let word = match product.pass {
            Pass::Forward => "convolve",
            Pass::Input => "convolve_input",
            Pass::Weight => "convolve_weight",
        };
        let bias = product.bias.map(|id| format!(" + {}", name(id))).unwrap_or_default();
        let relu = if product.relu { "max 0, " } else { "" };
        let affine = match (product.prepare.scale.map(name), product.prepare.shift.map(name)) {
            (None, None) => String::new(),
            (Some(scale), None) => format!(" (images {scale})"),
            (None, Some(shift)) => format!(" (images + {shift})"),
            (Some(scale), Some(shift)) => format!(" (images {scale} + {shift})"),
        };
        let [n, h, w, c] = product.images;
        let [oh, ow, units] = product.result;
        let sums = self.describe_sums(product.sums, product.gate.as_ref());
        let gate = self.describe_gate(product.sums, product.gate.as_ref());
        let (more, pool) = self.describe_pooled(product);
        format!(
            "{}{more}{sums} = {pool}{relu}{word} {} {}{}{bias}{gate}  {}  ({n} x {h}x{w}x{c} to {oh}x{ow}x{units})",
            name(product.c),
            name(product.a),
            name(product.b),
            affine,
            product.window
        )
    }

    /// What a convolution that pools writes beside the largest of its results, and how it finds them.
    fn describe_pooled(&self, product: &Convolve) -> (String, String) {
        let Some(pooled) = product.pooled else { return <(String, String)>::default() };
        let name = |id: BufferId| self.buffers[id.index()].name.as_str();
        let more = pooled.largest.into_iter().chain(pooled.marks).map(|id| format!(", {}", name(id))).collect();
        let scale = pooled.scale.map(|id| format!(" (results {})", name(id))).unwrap_or_default();
        (more, format!("max_pool 2x2{scale} of "))
    }

    /// What a kernel writes beside its result.
    fn describe_sums(&self, sums: Option<BufferId>, gate: Option<&Gate>) -> String {
        let all = sums.into_iter().chain(gate.and_then(|gate| gate.weighted));
        all.map(|id| format!(", {}", self.buffers[id.index()].name)).collect()
    }

    /// What happens to results on the way, and what is summed.
    fn describe_gate(&self, sums: Option<BufferId>, gate: Option<&Gate>) -> String {
        let name = |id: BufferId| self.buffers[id.index()].name.as_str();
        let shift = gate.and_then(|gate| gate.shift).map(|shift| format!(" + {}", name(shift))).unwrap_or_default();
        let mut text = gate.map(|gate| format!("{shift} where 0 < {}", name(gate.rectified))).unwrap_or_default();
        if sums.is_some() {
            text.push_str(" and its sums");
        }
        if let Some(gate) = gate.filter(|gate| gate.weighted.is_some()) {
            text.push_str(&format!(" and sums times {}", name(gate.rectified)));
        }
        if let Some(scale) = gate.and_then(|gate| gate.scale) {
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
        let scale = pool.scale.map(|id| format!(" (images {})", self.buffers[id.index()].name)).unwrap_or_default();
        let operands =
            pool.x.iter().chain(&pool.marks).chain(&pool.dy).map(|id| format!(" {}", self.buffers[id.index()].name));
        let ([n, h, w, c], [oh, ow]) = (pool.images, pool.result);
        let sums = self.describe_sums(pool.sums, pool.gate.as_ref());
        let gate = self.describe_gate(pool.sums, pool.gate.as_ref());
        format!(
            "{}{sums} = {word}{}{scale}{gate}  {}  ({n} x {h}x{w} to {oh}x{ow}, {c} channels)",
            self.buffers[pool.target.index()].name,
            operands.collect::<String>(),
            pool.window
        )
    }

    fn describe_nest(&self, nest: &Nest) -> String {
        let kept: Vec<usize> = (0..nest.space.len()).filter(|&a| !nest.reduced[a]).collect();
        let reduced: Vec<usize> = (0..nest.space.len()).filter(|&a| nest.reduced[a]).collect();
        let mut text = String::new();
        let head = |axes: &[usize]| {
            axes.iter().map(|&a| format!("{} in {}", VARIABLES[a % 8], nest.space[a])).collect::<Vec<_>>().join(", ")
        };
        let mut indent = 1;
        let word = if nest.spread { "for threads" } else { "for" };
        let _ = writeln!(text, "{word} {}:", if kept.is_empty() { "one point".into() } else { head(&kept) });
        if !reduced.is_empty() {
            let _ = writeln!(text, "    over {}:", head(&reduced));
            indent = 2;
        }
        let late = nest.late();
        let pad = |indent: usize| "    ".repeat(indent);
        for (index, expr) in nest.exprs.iter().enumerate().filter(|(i, _)| !late[*i]) {
            let _ = writeln!(text, "{}%{index} = {}", pad(indent), self.describe_expr(expr));
        }
        for store in nest.stores.iter().filter(|s| !s.late) {
            let _ = writeln!(text, "{}{} = %{}", pad(indent), self.describe_access(&store.access), store.value.0);
        }
        for (index, reduction) in nest.reductions.iter().enumerate() {
            let word = if reduction.join == Join::Sum { "sum" } else { "max" };
            let _ = writeln!(text, "{}r{index} = {word} %{}", pad(indent), reduction.value.0);
        }
        for (index, expr) in nest.exprs.iter().enumerate().filter(|(i, _)| late[*i]) {
            let _ = writeln!(text, "    %{index} = {}", self.describe_expr(expr));
        }
        for store in nest.stores.iter().filter(|s| s.late) {
            let _ = writeln!(text, "    {} = %{}", self.describe_access(&store.access), store.value.0);
        }
        text
    }

    fn describe_expr(&self, expr: &Expr) -> String {
        match expr {
            Expr::Const(value) => format!("{value}"),
            Expr::Load(access) => self.describe_access(access),
            Expr::Index(at) => format!("index {}", describe_affine(at)),
            Expr::Reduced(index) => format!("r{index}"),
            Expr::Apply(op, operands) => {
                operands.iter().fold(op.name().to_string(), |text, o| format!("{text} %{}", o.0))
            }
        }
    }

    fn describe_access(&self, access: &Access) -> String {
        format!("{}[{}]", self.buffers[access.buffer.index()].name, describe_affine(&access.at))
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
