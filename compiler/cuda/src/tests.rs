//! The text and the launches of the examples.

use super::{Program, Region, Work, one_by_one};
use crate::{lower, lower_cuda};
use gmpc_compiler::Options;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::program;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::math::philox::{MULTIPLIERS, WEYL};
use gmpc_compiler::stage::{Harness, Observer, Part, Silent};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Source;
use insta::assert_snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const FIRST: &str = include_str!("../../../examples/first.gmpnet");
const UCI: &str = include_str!("../../../examples/uci.gmpnet");
const VGG6: &str = include_str!("../../../examples/vgg6.gmpnet");
const RESNET18: &str = include_str!("../../../examples/resnet18.gmpnet");
const PARAMS: [&str; 6] = ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"];

/// Diagnostics as plain text, for a test that fails.
fn told(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("\n")
}

/// The training step of an example, and its program for the CPU.
fn step(name: &str, text: &str, param: &str, batch: usize) -> (Program, program::Program) {
    step_with(&[], name, text, param, batch)
}

/// The same with settings overridden.
fn step_with(set: &[(&str, &str)], name: &str, text: &str, param: &str, batch: usize) -> (Program, program::Program) {
    let file = Source { name: format!("examples/{name}.gmpnet"), text: text.to_string() };
    let set = set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let overrides = Overrides { param: Some(param.to_string()), set, ..Overrides::default() };
    let (module, _) =
        gmpc_compiler::front(file, &overrides, &Silent).unwrap_or_else(|f| panic!("{}", told(&f.diagnostics)));
    let fail = |errors: Vec<_>| -> ! { panic!("{}", told(&errors)) };
    let net = gmpc_compiler::elaborate(&module, None, &Silent).unwrap_or_else(|errors| fail(errors));
    let compiled = gmpc_compiler::program(&module, &net, Goal::Train, batch, &Options::default(), &Silent);
    let program = compiled.unwrap_or_else(|errors| fail(errors));
    (lower_cuda(&program, Some(&module.sources)), program)
}

/// The generated kernels of a source, without the shared functions before them.
fn kernels(program: &Program) -> Vec<&str> {
    let parts = ["__global__", "unsigned block", "unsigned at, "];
    let own = |text: &&str| parts.iter().any(|part| text.contains(part));
    program.source.split("\n\n").filter(own).map(str::trim).collect()
}

/// One line for each launch.
fn launches(program: &Program) -> String {
    program.launches.iter().fold(String::new(), |mut text, launch| {
        let size = match &launch.work {
            Work::Kernel(kernel) => format!("<<<{}, {}>>>", kernel.grid[0], kernel.block[0]),
            Work::MatMul(product) => format!(" ({} x {} x {})", product.m, product.k, product.n),
            Work::Convolution(product) => format!(" {:?} to {:?}", product.images, product.result),
        };
        let line = launch.line.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}{size}  {line}", launch.label);
        text
    })
}

#[test]
fn the_first_example_under_every_parameterization() {
    for param in PARAMS.into_iter().filter(|param| !param.contains("mbn")) {
        let (program, _) = step("first", FIRST, param, 10);
        let text = format!("{}\n\n{}", kernels(&program).join("\n\n"), launches(&program));
        assert_snapshot!(format!("first_{}", param.replace(" + ", "_")), text);
    }
}

#[test]
fn the_launches_of_vgg6_under_every_parameterization() {
    for param in PARAMS {
        let (program, _) = step("vgg6", VGG6, param, 256);
        assert_snapshot!(format!("vgg6_{}", param.replace(" + ", "_")), launches(&program));
    }
}

/// Kernels of the larger examples. Of those that differ only in names and numbers, one is shown.
#[test]
fn the_kernels_of_the_image_examples() {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut shown = String::new();
    for param in ["gmp + mn", "bn"] {
        let (program, _) = step("vgg6", VGG6, param, 256);
        for kernel in kernels(&program) {
            if seen.insert(shape(kernel)) {
                let _ = writeln!(shown, "{kernel}\n");
            }
        }
    }
    assert_snapshot!(shown);
}

/// The set of words in a kernel without names and numbers: equal for kernels that differ only in those.
fn shape(kernel: &str) -> String {
    let body = kernel.split_once("\n{").map_or(kernel, |(_, body)| body);
    if kernel.contains("void together") || kernel.contains("\ntogether") {
        return "together".to_string();
    }
    let words = body.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let plain = words.filter(|word| !word.contains(|c: char| c.is_ascii_digit() || c == '_') && !word.is_empty());
    let head = kernel.split("void ").nth(1).unwrap_or_default();
    let name = head.split_once(")\n").filter(|_| head.starts_with("__launch")).map_or(head, |(_, name)| name);
    let kind = name.split('_').next().unwrap_or_default();
    format!("{kind}: {:?}", plain.collect::<BTreeSet<_>>())
}

/// The launches and bytes of every example, as one table.
#[test]
fn counts_of_the_examples() {
    let mut table = String::new();
    for (name, text, batch) in
        [("first", FIRST, 10), ("uci", UCI, 404), ("vgg6", VGG6, 256), ("resnet18", RESNET18, 256)]
    {
        for param in PARAMS.into_iter().filter(|p| !p.contains("mbn") || name == "vgg6") {
            let (cuda, plain) = step(name, text, param, batch);
            // Fusion must never cost launches or bytes.
            let (own, each) = (cuda.counts(), one_by_one(&plain.graph, plain.precision));
            assert!(
                own.launches() < each.launches() && own.bytes() <= each.bytes(),
                "{name} {param}: {own:?} {each:?}"
            );
            let _ = writeln!(
                table,
                "{name:8} {param:8} {:4} launches ({:3} by libraries), {:8.3} MB; one by one {:5} and {:8.3} MB",
                own.launches(),
                own.libraries,
                megabytes(own.bytes()),
                each.launches(),
                megabytes(each.bytes()),
            );
        }
    }
    // bfloat16 halves the bytes of activations, so its own lines show whether the casts were removed.
    for (name, text) in [("vgg6", VGG6), ("resnet18", RESNET18)] {
        for param in ["sp", "bn", "gmp", "gmp + mn"] {
            let (cuda, _) = step_with(&[("precision", "bf16")], name, text, param, 256);
            let own = cuda.counts();
            let _ = writeln!(
                table,
                "{name:8} {param:8} {:4} launches ({:3} by libraries), {:8.3} MB in bf16",
                own.launches(),
                own.libraries,
                megabytes(own.bytes()),
            );
        }
    }
    assert_snapshot!(table);
}

#[test]
fn biases_and_relus_after_libraries_count_where_libraries_do_not_have_them() {
    let (single, plain) = step("vgg6", VGG6, "sp", 8);
    let double = lower_cuda(&program::Program { precision: Precision::F64, ..plain }, None);
    let follows = |work: &Work| match work {
        Work::Kernel(_) => false,
        Work::MatMul(product) => product.bias.is_some(),
        Work::Convolution(product) => product.bias.is_some() && product.relu,
    };
    assert_eq!(single.launches.iter().filter(|launch| follows(&launch.work)).count(), 7);
    let (single, double) = (single.counts(), double.counts());
    assert_eq!((single.libraries, single.kernels + 7), (double.libraries, double.kernels));
    assert!(double.bytes() > 2 * single.bytes());
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[test]
fn every_launch_names_a_kernel_of_the_source_with_as_many_parameters() {
    for (name, text, param, batch) in [
        ("first", FIRST, "bn", 10),
        ("uci", UCI, "gmp", 404),
        ("vgg6", VGG6, "gmp + mn", 8),
        ("resnet18", RESNET18, "wn", 4),
    ] {
        let (program, _) = step(name, text, param, batch);
        let mut parameters: BTreeMap<&str, usize> = BTreeMap::new();
        for kernel in kernels(&program).into_iter().filter(|text| text.contains("__global__")) {
            let head = kernel.split_once(")\n{").expect("a body").0;
            let (_, head) = head.split_once("__launch_bounds__").expect("a head");
            let (function, list) = head.split_once('\n').and_then(|(_, rest)| rest.split_once('(')).expect("a list");
            assert!(parameters.insert(function, list.split(',').count()).is_none(), "{function} stands there twice");
        }
        for launch in &program.launches {
            if let Work::Kernel(kernel) = &launch.work {
                assert_eq!(parameters.get(kernel.name.as_str()), Some(&kernel.arguments.len()), "{}", kernel.name);
            }
        }
    }
}

#[test]
fn every_pass_makes_well_formed_kernels_with_memory_apart() {
    // The harness verifies what each pass makes; a violation is a panic.
    for (name, text) in [("first", FIRST), ("uci", UCI), ("vgg6", VGG6), ("resnet18", RESNET18)] {
        for (param, precision) in PARAMS.into_iter().flat_map(|param| ["f32", "bf16"].map(|p| (param, p))) {
            let (cuda, _) = step_with(&[("precision", precision)], name, text, param, 8);
            assert!(!cuda.launches.is_empty(), "{name} {param} {precision}");
        }
    }
}

/// The memory that a launch writes overlaps nothing else that it touches, unless a nest replaces values in place, element by
/// element. Every region lies inside the memory that the program asks for.
#[test]
fn launches_write_apart_or_in_place() {
    for (param, precision) in PARAMS.into_iter().flat_map(|param| ["f32", "bf16"].map(|precision| (param, precision))) {
        let (program, plain) = step_with(&[("precision", precision)], "vgg6", VGG6, param, 8);
        let states =
            gmpc_compiler::ir::layout::StateLayout::new(&plain.graph.states).elements * plain.precision.bytes();
        for launch in &program.launches {
            let regions = launch.regions();
            for region in &regions {
                let (end, size) = match region.address {
                    Address::States(at) => (at + region.bytes, states),
                    Address::Scratch(at) => (at + region.bytes, program.scratch_bytes),
                };
                assert!(end <= size, "{} leaves its memory", launch.label);
            }
            // A map may read and write the same element. A group of kernels may not: its parts run in any order.
            let in_place = |a: &Region, b: &Region| {
                let is_map = matches!(launch.work, Work::Kernel(_)) && !launch.label.starts_with("together");
                is_map && a.address == b.address && a.bytes == b.bytes
            };
            let pairs = regions.iter().enumerate().flat_map(|(i, a)| regions[..i].iter().map(move |b| (a, b)));
            for (a, b) in pairs.filter(|(a, b)| a.written || b.written) {
                assert!(!interferes(a, b) || in_place(a, b), "{param} {precision} {}: {a:?} and {b:?}", launch.label);
            }
        }
    }
}

fn interferes(a: &Region, b: &Region) -> bool {
    let apart = |x: usize, y: usize| x + a.bytes <= y || y + b.bytes <= x;
    match (a.address, b.address) {
        (Address::States(x), Address::States(y)) | (Address::Scratch(x), Address::Scratch(y)) => !apart(x, y),
        _ => false,
    }
}

#[test]
fn random_words_come_from_the_constants_of_the_cpu() {
    let text = "
        param = sp
        data = levy(points = 50, noise = 0.1)
        model m { input -> dense(10) -> relu -> dropout(0.5) -> linear(1) }
        train { loss = mse  optimizer = adam(lr = 0.01)  batch = 10  epochs = 1 }";
    let (program, _) = step("dropout", text, "sp", 10);
    assert!(program.random.is_some());
    for constant in MULTIPLIERS.into_iter().chain(WEYL) {
        assert!(program.source.contains(&format!("0x{constant:x}u")), "{constant:x}");
    }
}

/// Records the passes that begin.
#[derive(Debug, Default)]
struct Passes(std::sync::Mutex<Vec<&'static str>>);

impl Observer for Passes {
    fn begin(&self, stage: &'static str, part: Part) {
        if part == Part::Pass {
            self.0.lock().unwrap().push(stage);
        }
    }
}

#[test]
fn every_pass_runs_in_the_harness() {
    let (_, program) = step("first", FIRST, "gmp + mn", 64);
    let passes = Passes::default();
    let _ = lower(&program, Harness::new(&passes, None));
    let passes = passes.0.into_inner().unwrap().join(" ");
    assert_snapshot!(passes, @"cuda.fuse cuda.library cuda.split cuda.defer_updates cuda.inline cuda.group cuda.plan cuda.emit");
}
