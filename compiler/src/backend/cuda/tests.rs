//! The text and the launches of the examples.

use super::{Program, Region, Work, one_by_one};
use crate::experiment::Precision;
use crate::math::philox::{MULTIPLIERS, WEYL};
use crate::plan::Address;
use crate::program::Goal;
use crate::resolve::{Overrides, read};
use crate::{Options, program};
use gmpc_grammar::source::Source;
use insta::assert_snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const FIRST: &str = include_str!("../../../../examples/first.gmpnet");
const UCI: &str = include_str!("../../../../examples/uci.gmpnet");
const VGG6: &str = include_str!("../../../../examples/vgg6.gmpnet");
const RESNET18: &str = include_str!("../../../../examples/resnet18.gmpnet");
const PARAMS: [&str; 6] = ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"];

/// The training step of an example, and its program for the processor.
fn step(name: &str, text: &str, param: &str, batch: usize) -> (Program, program::Program) {
    step_with(&[], name, text, param, batch)
}

/// The same with settings overridden.
fn step_with(set: &[(&str, &str)], name: &str, text: &str, param: &str, batch: usize) -> (Program, program::Program) {
    let file = Source { name: format!("examples/{name}.gmpnet"), text: text.to_string() };
    let set = set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let overrides = Overrides { param: Some(param.to_string()), set, ..Overrides::default() };
    let (module, _) = read(file, &overrides).unwrap_or_else(|f| panic!("{}", crate::testing::told(&f.diagnostics)));
    let told = |errors: Vec<_>| -> ! { panic!("{}", crate::testing::told(&errors)) };
    let net = crate::infer::infer(&module, None).unwrap_or_else(|errors| told(errors));
    let compiled = crate::compile(&module, &net, Goal::Train, batch, &Options::default());
    let program = compiled.unwrap_or_else(|errors| told(errors));
    (crate::lower_cuda(&program, Some(&module.sources)), program)
}

/// Everything behind the functions that kernels share.
fn kernels(program: &Program) -> Vec<&str> {
    let parts = ["__global__", "unsigned block", "unsigned at, "];
    let own = |text: &&str| parts.iter().any(|part| text.contains(part));
    program.source.split("\n\n").filter(own).map(str::trim).collect()
}

/// One line a launch.
fn launches(program: &Program) -> String {
    program.launches.iter().fold(String::new(), |mut text, launch| {
        let size = match &launch.work {
            Work::Kernel(kernel) => format!("<<<{}, {}>>>", kernel.grid[0], kernel.block[0]),
            Work::Product(product) => format!(" ({} x {} x {})", product.m, product.k, product.n),
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

/// Kernels of the larger examples, one of those that differ in names and numbers only.
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

/// The words of a kernel, without names, numbers and how often they stand there.
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

/// What every example comes to.
#[test]
fn counts_of_the_examples() {
    let mut table = String::new();
    for (name, text, batch) in
        [("first", FIRST, 10), ("uci", UCI, 404), ("vgg6", VGG6, 256), ("resnet18", RESNET18, 256)]
    {
        for param in PARAMS.into_iter().filter(|p| !p.contains("mbn") || name == "vgg6") {
            let (cuda, plain) = step(name, text, param, batch);
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
fn biases_and_rectifiers_after_libraries_count_where_libraries_do_not_have_them() {
    let (single, plain) = step("vgg6", VGG6, "sp", 8);
    let double = crate::lower_cuda(&program::Program { precision: Precision::F64, ..plain }, None);
    let follows = |work: &Work| match work {
        Work::Kernel(_) => false,
        Work::Product(product) => product.bias.is_some(),
        Work::Convolution(product) => product.bias.is_some() && product.relu,
    };
    assert_eq!(single.launches.iter().filter(|launch| follows(&launch.work)).count(), 7);
    let (single, double) = (single.counts(), double.counts());
    assert_eq!((single.libraries, single.kernels + 7), (double.libraries, double.kernels));
    assert!(double.bytes() > 2 * single.bytes());
}

#[allow(clippy::cast_precision_loss)] // a few digits are shown
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
fn prepared_kernels_are_well_formed_and_have_memory_apart() {
    for (name, text) in [("first", FIRST), ("uci", UCI), ("vgg6", VGG6), ("resnet18", RESNET18)] {
        for (param, precision) in PARAMS.into_iter().flat_map(|param| ["f32", "bf16"].map(|p| (param, p))) {
            let (_, plain) = step_with(&[("precision", precision)], name, text, param, 8);
            let fused = crate::fuse::fuse(&plain.graph, crate::fuse::Epilogues::Apart);
            let prepared = super::prepare(&fused, plain.precision, plain.contractions);
            assert_eq!(crate::kernels::verify(&prepared.kernels), Ok(()), "{name} {param} {precision}");
            let (laid_out, steps) = (prepared.laid_out(), &prepared.steps);
            let states = crate::layout::StateLayout::new(&plain.graph.states);
            let plan = crate::plan::plan_steps(&laid_out, steps, &states, plain.precision);
            let overlap = crate::plan::overlap_steps(&laid_out, steps, &plan, plain.precision);
            assert_eq!(overlap, None, "{name} {param} {precision}");
        }
    }
}

/// What a launch writes lies apart from everything else it touches, unless a nest replaces values in place, number by number; and
/// inside the memory that the program asks for.
#[test]
fn launches_write_apart_or_in_place() {
    for (param, precision) in PARAMS.into_iter().flat_map(|param| ["f32", "bf16"].map(|precision| (param, precision))) {
        let (program, plain) = step_with(&[("precision", precision)], "vgg6", VGG6, param, 8);
        let states = crate::layout::StateLayout::new(&plain.graph.states).elements * plain.precision.bytes();
        for launch in &program.launches {
            let regions = launch.regions();
            for region in &regions {
                let (end, size) = match region.address {
                    Address::States(at) => (at + region.bytes, states),
                    Address::Scratch(at) => (at + region.bytes, program.scratch_bytes),
                };
                assert!(end <= size, "{} leaves its memory", launch.label);
            }
            let in_place = |a: &Region, b: &Region| {
                let is_map = matches!(launch.work, Work::Kernel(_)) && !launch.label.starts_with("together");
                is_map && a.address == b.address && a.bytes == b.bytes
            };
            let pairs = regions.iter().enumerate().flat_map(|(i, a)| regions[..i].iter().map(move |b| (a, b)));
            for (a, b) in pairs.filter(|(a, b)| a.written || b.written) {
                assert!(!meet(a, b) || in_place(a, b), "{param} {precision} {}: {a:?} and {b:?}", launch.label);
            }
        }
    }
}

fn meet(a: &Region, b: &Region) -> bool {
    let apart = |x: usize, y: usize| x + a.bytes <= y || y + b.bytes <= x;
    match (a.address, b.address) {
        (Address::States(x), Address::States(y)) | (Address::Scratch(x), Address::Scratch(y)) => !apart(x, y),
        _ => false,
    }
}

#[test]
fn random_words_come_from_the_constants_of_the_processor() {
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
