//! Puts kernels into the source and makes launches of them.

use super::context::Names;
use super::draft::{self, Draft, Parameter};
use super::kernel::{self, names, neutral};
use super::library;
use super::source::{Feature, Features};
use super::text::{comment, identifier};
use super::traffic;
use crate::launch::{Kernel, Launch, Region, Work};
use crate::layout::Layout;
use gmpc_compiler::ir::internal::internal_error;
use gmpc_compiler::ir::kernels::{self, BufferId, Dtype};
use gmpc_grammar::source::{Sources, Span};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// Limit on the lines of the model that one comment names.
const LINES: usize = 6;

/// A function of the source.
struct Function {
    name: String,
    comment: String,
    /// Lines of the model.
    lines: BTreeSet<String>,
    text: String,
}

/// A program under construction.
pub(crate) struct Emitter<'a> {
    layout: Layout<'a>,
    sources: Option<&'a Sources>,
    functions: Vec<Function>,
    /// Indices in `functions`, by the text with neutral names.
    known: HashMap<String, usize>,
    taken: BTreeSet<String>,
    features: Features,
}

impl<'a> Emitter<'a> {
    pub(crate) fn new(layout: Layout<'a>, sources: Option<&'a Sources>) -> Self {
        Emitter {
            layout,
            sources,
            functions: Vec::new(),
            known: HashMap::new(),
            taken: BTreeSet::new(),
            features: Features::default(),
        }
    }

    /// The launch of kernels that share it; `None` if there is nothing to do. A single kernel may have inlined work, `computed`.
    pub(crate) fn step(&mut self, kernels: &[&kernels::Kernel], computed: &[&kernels::Work]) -> Option<Launch> {
        let mut lines: Vec<String> = Vec::new();
        for line in kernels.iter().filter_map(|kernel| self.line(kernel.span)) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let (label, work) = match kernels {
            [kernel] => self.alone(&kernel.work, computed, lines.first())?,
            many => self.grouped(many)?,
        };
        let all = self.layout.kernels;
        let moved = kernels.iter().map(|kernel| traffic::of(all, &kernel.work, computed));
        let (read_bytes, written_bytes) = moved.fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        Some(Launch {
            label,
            line: shortened(&lines, 2).map(|lines| lines.join(", ")),
            work,
            read_bytes,
            written_bytes,
        })
    }

    /// `examples/first.gmpnet:4:46`
    fn line(&self, span: Option<Span>) -> Option<String> {
        let (span, sources) = (span?, self.sources?);
        let (line, column) = sources.line_column(span);
        Some(format!("{}:{line}:{column}", comment(&sources.get(span.source)?.name)))
    }

    /// The launch of a single kernel, and its label; `None` if there is nothing to do.
    fn alone(
        &mut self,
        work: &kernels::Work,
        computed: &[&kernels::Work],
        line: Option<&String>,
    ) -> Option<(String, Work)> {
        match work {
            // Libraries compute these: nothing is added to the source except what a separate epilogue needs.
            kernels::Work::MatMul(product) => {
                let label = format!("product {}", self.layout.name(product.c.buffer));
                Some((label, self.call(library::matmul(&self.layout, product))))
            }
            kernels::Work::Convolve(product) => {
                let label = format!("{} {}", library::word(product.pass), self.layout.name(product.c));
                Some((label, self.call(library::convolution(&self.layout, product))))
            }
            kernels::Work::Nest(_)
            | kernels::Work::Pool(_)
            | kernels::Work::Cast(_)
            | kernels::Work::Spherical(_)
            | kernels::Work::SphericalGrad(_)
            | kernels::Work::Uniform(_) => {
                let draft = self.neutral(work, computed)?;
                let name = self.function(work, computed, &draft, line, Form::Kernel);
                // A buffer keeps its place in the list of parameters whatever its name is, so the arguments of the draft with
                // neutral names fit the function.
                let mut arguments: Vec<Region> =
                    draft.parameters.iter().map(|p| self.layout.region(p.buffer, p.read, p.written)).collect();
                arguments.extend(draft.extra.and_then(|_| self.layout.random()));
                Some((name.clone(), Work::Kernel(launch(name, draft.blocks, draft.threads, arguments))))
            }
        }
    }

    /// A library call. The runtime may compile a separate epilogue after it, which needs the functions for bfloat16.
    fn call(&mut self, work: Work) -> Work {
        if matches!(&work, Work::MatMul(product) if product.c.region.dtype == Dtype::Bf16) {
            self.features.add(Feature::Bf16);
        }
        work
    }

    /// The draft of work with neutral names, so that equal kernels have equal texts.
    fn neutral(&self, work: &kernels::Work, computed: &[&kernels::Work]) -> Option<Draft> {
        neutral(self.layout.kernels, work, computed, self.layout.precision)
    }

    /// One kernel for several independent kernels. The number of a block selects the part that it runs.
    fn grouped(&mut self, kernels: &[&kernels::Kernel]) -> Option<(String, Work)> {
        let mut pieces = Vec::new();
        for kernel in kernels {
            let Some(draft) = self.neutral(&kernel.work, &[]) else { continue };
            let line = self.line(kernel.span);
            let name = self.function(&kernel.work, &[], &draft, line.as_ref(), Form::Part);
            pieces.push((name, draft));
        }
        // Parts that share a buffer share a parameter: a launch has room for 4 KiB of parameters.
        let all = united(pieces.iter().flat_map(|(_, draft)| &draft.parameters));
        let mut used = BTreeSet::new();
        let names: Names =
            all.iter().map(|p| (p.buffer, unique(&mut used, &identifier(self.layout.name(p.buffer))))).collect();
        let extra = pieces.iter().find_map(|(_, draft)| draft.extra);
        let one =
            |p: &Parameter| draft::declare(p, self.layout.precision, &names[&p.buffer], self.is_shared(&all, p.buffer));
        let list = draft::list(&all.iter().map(one).chain(extra.map(str::to_string)).collect::<Vec<_>>());
        // The pass `group` puts only kernels with equal numbers of threads together.
        let threads = pieces.first()?.1.threads;
        let name = unique(&mut self.taken, "together");
        let mut text = format!("{}\n{name}({list})\n{{\n", draft::head(threads));
        text.push_str("    const unsigned block = blockIdx.x;\n");
        // Each part gets the blocks after those of the parts before it, and sees them numbered from 0.
        let mut before = 0;
        for (part, draft) in &pieces {
            let own: Vec<&str> = draft.parameters.iter().map(|p| names[&p.buffer].as_str()).collect();
            let given = own.into_iter().chain(draft.extra.map(|_| "random")).collect::<Vec<_>>().join(", ");
            let block = if before == 0 { "block".to_string() } else { format!("block - {before}") };
            before += draft.blocks;
            let _ = writeln!(text, "    if (block < {before}) return {part}({block}, {given});");
        }
        text.push_str("}\n");
        let mut arguments: Vec<Region> = all.iter().map(|p| self.layout.region(p.buffer, p.read, p.written)).collect();
        arguments.extend(extra.and_then(|_| self.layout.random()));
        let comment = format!("{} pieces of work that do not need each other", pieces.len());
        self.functions.push(Function { name: name.clone(), comment, lines: BTreeSet::new(), text });
        Some((name.clone(), Work::Kernel(launch(name, before, threads, arguments))))
    }

    /// The name of the function that does some work. The function is added unless an equal one exists.
    fn function(
        &mut self,
        work: &kernels::Work,
        computed: &[&kernels::Work],
        draft: &Draft,
        line: Option<&String>,
        form: Form,
    ) -> String {
        let plain = names(work, computed, |position, _| format!("b{position}"));
        let key = self.write(draft, "f", &plain, form);
        let place = match self.known.get(&key) {
            Some(&place) => place,
            None => {
                self.functions.push(self.readable(work, computed, draft, form));
                let place = self.functions.len() - 1;
                self.taken.insert(self.functions[place].name.clone());
                self.features.join(&draft.features);
                self.known.insert(key, place);
                place
            }
        };
        self.functions[place].lines.extend(line.cloned());
        self.functions[place].name.clone()
    }

    /// A function with readable names.
    fn readable(&self, work: &kernels::Work, computed: &[&kernels::Work], plain: &Draft, form: Form) -> Function {
        let mut used = BTreeSet::new();
        let names = names(work, computed, |_, id| unique(&mut used, &identifier(self.layout.name(id))));
        let target = plain.parameters.iter().find(|p| p.written).map_or("", |p| self.layout.name(p.buffer));
        let name = unique(&mut self.taken.clone(), &format!("{}_{}", plain.kind, identifier(target)));
        let readable = kernel::draft(self.layout.kernels, work, computed, self.layout.precision, &names);
        let text = readable.map(|draft| self.write(&draft, &name, &names, form)).unwrap_or_default();
        Function { name, comment: plain.comment.clone(), lines: BTreeSet::new(), text }
    }

    fn write(&self, draft: &Draft, name: &str, names: &Names, form: Form) -> String {
        let shared = |id| form == Form::Kernel && self.is_shared(&draft.parameters, id);
        let signature = draft.signature(names, self.layout.precision, shared);
        match form {
            Form::Kernel => draft.kernel(name, &signature),
            Form::Part => draft.part(name, &signature),
        }
    }

    /// Does the memory of a buffer overlap another parameter, and is one of the two written?
    fn is_shared(&self, parameters: &[Parameter], id: BufferId) -> bool {
        let Some(own) = parameters.iter().find(|p| p.buffer == id) else { return false };
        parameters.iter().any(|other| {
            other.buffer != id && (own.written || other.written) && self.layout.interferes(id, other.buffer)
        })
    }

    /// The whole source.
    pub(crate) fn source(self) -> String {
        let mut text = self.features.text(self.layout.precision);
        for function in &self.functions {
            text.push('\n');
            let lines: Vec<String> = function.lines.iter().cloned().collect();
            for line in shortened(&lines, LINES).unwrap_or_default() {
                let _ = writeln!(text, "// {line}");
            }
            let _ = write!(text, "// {}\n{}", function.comment, function.text);
        }
        text
    }
}

/// How a function is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A kernel that is launched alone.
    Kernel,
    /// A function that a grouped kernel calls.
    Part,
}

fn launch(name: String, blocks: u64, threads: u32, arguments: Vec<Region>) -> Kernel {
    let Ok(count) = u32::try_from(blocks) else { internal_error("cuda.emit", "more blocks than a grid has", name) };
    let grid = [count, 1, 1];
    Kernel { name, grid, block: [threads, 1, 1], shared_bytes: 0, arguments }
}

/// Every buffer once; it is read (written) if any of its parameters is.
fn united<'d>(all: impl Iterator<Item = &'d Parameter>) -> Vec<Parameter> {
    let mut united: Vec<Parameter> = Vec::new();
    for parameter in all {
        match united.iter_mut().find(|known| known.buffer == parameter.buffer) {
            Some(known) => {
                known.read |= parameter.read;
                known.written |= parameter.written;
            }
            None => united.push(*parameter),
        }
    }
    united
}

/// The first `most` lines, and a line with the number of the others. `None` if there are no lines.
fn shortened(all: &[String], most: usize) -> Option<Vec<String>> {
    let mut shown: Vec<String> = all.iter().take(most).cloned().collect();
    if all.len() > most {
        shown.push(format!("and {} more", all.len() - most));
    }
    (!shown.is_empty()).then_some(shown)
}

/// The word, or the word with a number if it is taken.
fn unique(taken: &mut BTreeSet<String>, word: &str) -> String {
    let mut name = word.to_string();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{word}_{number}");
        number += 1;
    }
    name
}
