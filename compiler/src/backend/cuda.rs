//! The CUDA backend: kernels as CUDA C++ text and a list of launches.
//!
//! Nests, scans, pooling and random numbers become kernels of one header-free source; matrix products and convolutions are
//! launches that a library computes. Everything a runtime needs stands in [`Program`] as text and numbers: nothing here
//! compiles, runs or points anywhere, so that all of it is tested on any machine.
//!
//! A kernel's text depends on the shape of its work alone, so that layers of one shape share a kernel. Each begins with the
//! lines of the model that it came from.

mod draft;
mod launch;
mod library;
mod machine;
mod nest;
mod pool;
mod print;
mod reduce;
mod scan;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod traffic;
mod uniform;
mod values;

pub use launch::{Convolution, Kernel, Launch, OPTIONS, Operand, Product, Program, Region, Work};

use crate::experiment::Precision;
use crate::kernels::{self, BufferId, Kernels, Place};
use crate::plan::{Plan, bytes};
use draft::{Draft, Names, Parameter};
use gmpc_grammar::source::{Sources, Span};
use nest::Context;
use source::Features;
use std::collections::{BTreeSet, HashMap};

/// Kernels as libraries can compute them: see `library`.
#[must_use]
pub fn prepare(kernels: &Kernels) -> Kernels {
    library::prepare(kernels)
}

/// Source and launches for kernels whose buffers lie where `plan` says; `sources` knows the lines of the model.
#[must_use]
pub fn emit(kernels: &Kernels, plan: &Plan, precision: Precision, sources: Option<&Sources>) -> Program {
    let input = |i: usize| kernels.buffers.iter().position(|b| b.place == Place::Input(i));
    let count = kernels.buffers.iter().filter(|b| matches!(b.place, Place::Input(_))).count();
    let mut emitter = Emitter {
        kernels,
        plan,
        precision,
        sources,
        functions: Vec::new(),
        known: HashMap::new(),
        features: Features::default(),
    };
    let launches = kernels.kernels.iter().filter_map(|kernel| emitter.launch(kernel)).collect();
    Program {
        precision,
        source: emitter.source(),
        scratch_bytes: plan.scratch_bytes,
        inputs: (0..count).filter_map(input).map(|buffer| plan.offsets[buffer]).collect(),
        outputs: kernels.outputs.iter().map(|o| plan.offsets[o.index()]).collect(),
        random: plan.random,
        launches,
    }
}

/// A kernel of the source.
struct Function {
    name: String,
    comment: String,
    /// Lines of the model.
    lines: BTreeSet<String>,
    text: String,
}

/// A program under construction.
struct Emitter<'a> {
    kernels: &'a Kernels,
    plan: &'a Plan,
    precision: Precision,
    sources: Option<&'a Sources>,
    functions: Vec<Function>,
    /// Functions by their text with neutral names.
    known: HashMap<String, usize>,
    features: Features,
}

impl Emitter<'_> {
    /// The launch of a kernel; `None` where there is nothing to do.
    fn launch(&mut self, kernel: &kernels::Kernel) -> Option<Launch> {
        let line = self.line(kernel.span);
        let (read_bytes, written_bytes) = traffic::of(self.kernels, &kernel.work, self.precision);
        let (label, work) = match &kernel.work {
            kernels::Work::MatMul(product) => {
                (format!("product {}", self.name(product.c.buffer)), library::product(self, product))
            }
            kernels::Work::Convolve(product) => (
                format!("{} {}", library::word(product.pass), self.name(product.c)),
                library::convolution(self, product),
            ),
            generated => {
                let kernel = self.kernel(generated, line.as_deref())?;
                (kernel.name.clone(), Work::Kernel(kernel))
            }
        };
        Some(Launch { label, line, work, read_bytes, written_bytes })
    }

    /// `examples/first.gmpnet:4:46`
    fn line(&self, span: Option<Span>) -> Option<String> {
        let (span, sources) = (span?, self.sources?);
        let (line, column) = sources.line_column(span);
        Some(format!("{}:{line}:{column}", text::comment(&sources.get(span.source)?.name)))
    }

    fn name(&self, id: BufferId) -> &str {
        &self.kernels.buffers[id.index()].name
    }

    /// The memory of a buffer.
    fn region(&self, id: BufferId, read: bool, written: bool) -> Region {
        let bytes = self.kernels.buffers[id.index()].elements * bytes(self.precision);
        Region { address: self.plan.address(self.kernels, id), bytes, read, written }
    }

    fn draft(&self, work: &kernels::Work, names: &Names) -> Option<Draft> {
        let context = Context { precision: self.precision, names, index: self.index(work) };
        match work {
            kernels::Work::Nest(nest) if nest.space.contains(&0) => None,
            kernels::Work::Nest(nest) => Some(nest::draft(nest, context)),
            kernels::Work::Spherical(scan) => scan::forward(scan, context),
            kernels::Work::SphericalGrad(scan) => scan::backward(scan, context),
            kernels::Work::Pool(pool) => Some(pool::draft(pool, context)),
            kernels::Work::Uniform(draw) => Some(uniform::draft(draw, self.elements(draw.target), context)),
            kernels::Work::MatMul(_) | kernels::Work::Convolve(_) => None,
        }
    }

    fn elements(&self, id: BufferId) -> usize {
        self.kernels.buffers[id.index()].elements
    }

    /// The type that counts the elements of everything that is touched.
    fn index(&self, work: &kernels::Work) -> &'static str {
        let points = if let kernels::Work::Nest(nest) = work { nest.space.iter().product() } else { 0 };
        let touched = work.reads().into_iter().chain(work.writes()).map(|id| self.elements(id));
        let most = touched.max().unwrap_or(0).max(points);
        if most < 1 << 31 { "unsigned" } else { "unsigned long long" }
    }

    /// A launch of a generated kernel, which is written unless its text is known already.
    fn kernel(&mut self, work: &kernels::Work, line: Option<&str>) -> Option<Kernel> {
        let neutral = self.names(work, |position, _| format!("b{position}"));
        let draft = self.draft(work, &neutral)?;
        let key = self.function(&draft, "kernel", &neutral);
        let place = match self.known.get(&key) {
            Some(&place) => place,
            None => {
                let place = self.write(work, &draft)?;
                self.known.insert(key, place);
                place
            }
        };
        self.functions[place].lines.extend(line.map(str::to_string));
        let mut arguments: Vec<Region> =
            draft.parameters.iter().map(|p| self.region(p.buffer, p.read, p.written)).collect();
        if let kernels::Work::Uniform(_) = work {
            arguments.push(self.random()?);
        }
        Some(Kernel {
            name: self.functions[place].name.clone(),
            grid: [u32::try_from(draft.blocks).unwrap_or(u32::MAX), 1, 1],
            block: [draft.threads, 1, 1],
            shared_bytes: 0,
            arguments,
        })
    }

    /// Where the key of the random numbers lies.
    fn random(&self) -> Option<Region> {
        let address = crate::plan::Address::Scratch(self.plan.random?);
        Some(Region { address, bytes: 16, read: true, written: false })
    }

    /// Adds a function with names for people.
    fn write(&mut self, work: &kernels::Work, draft: &Draft) -> Option<usize> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let names = self.names(work, |_, name| unique(&mut taken, &text::identifier(name)));
        let target = draft.parameters.iter().find(|p| p.written)?.buffer;
        let wanted = format!("{}_{}", draft.kind, text::identifier(self.name(target)));
        let mut known: BTreeSet<String> = self.functions.iter().map(|f| f.name.clone()).collect();
        let name = unique(&mut known, &wanted);
        let readable = self.draft(work, &names)?;
        self.features.join(&readable.features);
        let text = self.function(&readable, &name, &names);
        let function = Function { name, comment: draft.comment.clone(), lines: BTreeSet::new(), text };
        self.functions.push(function);
        Some(self.functions.len() - 1)
    }

    fn function(&self, draft: &Draft, name: &str, names: &Names) -> String {
        draft.function(name, names, self.precision, |id| self.is_shared(&draft.parameters, id))
    }

    /// Names for every buffer of a kernel, each told its position.
    fn names(&self, work: &kernels::Work, mut name: impl FnMut(usize, &str) -> String) -> Names {
        let all = draft::parameters(&work.reads(), &work.writes());
        all.iter().enumerate().map(|(i, p)| (p.buffer, name(i, self.name(p.buffer)))).collect()
    }

    /// Does a buffer's memory lie in another one's, and is one of them written?
    fn is_shared(&self, parameters: &[Parameter], id: BufferId) -> bool {
        let Some(own) = parameters.iter().find(|p| p.buffer == id) else { return false };
        let place = |id: BufferId| self.region(id, false, false);
        parameters
            .iter()
            .any(|other| other.buffer != id && (own.written || other.written) && meet(place(id), place(other.buffer)))
    }

    fn source(self) -> String {
        let mut text = self.features.text(self.precision);
        for function in &self.functions {
            text.push('\n');
            for line in lines(&function.lines) {
                text.push_str(&format!("// {line}\n"));
            }
            text.push_str(&format!("// {}\n{}", function.comment, function.text));
        }
        text
    }
}

/// Lines of the model, the first few by name.
fn lines(all: &BTreeSet<String>) -> Vec<String> {
    const SHOWN: usize = 6;
    let mut shown: Vec<String> = all.iter().take(SHOWN).cloned().collect();
    if all.len() > SHOWN {
        shown.push(format!("and {} more", all.len() - SHOWN));
    }
    shown
}

/// The word, or the word with a number where it is taken.
fn unique(taken: &mut BTreeSet<String>, word: &str) -> String {
    let mut name = word.to_string();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{word}_{number}");
        number += 1;
    }
    name
}

fn meet(a: Region, b: Region) -> bool {
    use crate::plan::Address::{Scratch, States};
    let apart = |a: usize, b: usize, sizes: (usize, usize)| a + sizes.0 <= b || b + sizes.1 <= a;
    match (a.address, b.address) {
        (States(x), States(y)) | (Scratch(x), Scratch(y)) => !apart(x, y, (a.bytes, b.bytes)),
        _ => false,
    }
}
