//! Machine code as an object file, and its header: what `--as c` gives, compiled by Cranelift instead of a C compiler.
//!
//! The functions are those of the header of `--as c`, for the operating system that gmpc runs on and any CPU of its
//! architecture. Nothing is allocated or kept between calls. The code refers to nothing but functions of `libm`, which
//! [`Written::needs`] names: `expf`, `tanhf`, `erff`, `log1pf`, in double precision `exp`, `tanh`, `erf`, `log1p`.

mod classes;
mod dense;
mod formula;
mod functions;
mod layers;
mod machine;
mod windows;

use crate::File;
use crate::c::{Build, Weights, Words, header, main};
use crate::network::Network;
use crate::plan::plan;
use crate::refusal::Refusal;
use cranelift_codegen::isa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_module::{Linkage, Module, ModuleError, default_libcall_names};
use cranelift_object::{ObjectBuilder, ObjectModule};
use machine::Unit;
use target_lexicon::Triple;

/// The object and its header.
#[derive(Debug)]
pub struct Written {
    /// `.o` and `.h`.
    pub files: Vec<File>,
    /// The functions of `libm` that it calls, in the order of their names.
    pub needs: Vec<String>,
}

/// Why no code came out, for a report of a bug.
#[derive(Debug)]
struct Fault(String);

impl From<ModuleError> for Fault {
    fn from(error: ModuleError) -> Self {
        Fault(format!("{error:?}"))
    }
}

/// Words that only the header of an object has, not that of a source.
pub const IN_HEADER: &str = "Machine code in";

/// Compiles a network. `stem` is the files' name without its ending.
///
/// # Errors
/// E0596: there is no code generator for this machine. E0594: a fault of ours.
pub fn write(network: &Network, stem: &str) -> Result<Written, Refusal> {
    let words = Words::new(stem);
    let module = module(stem)?;
    let mut unit = Unit::new(module, network.precision);
    layers::predict(&mut unit, network, &words).map_err(inside)?;
    classes::functions(&mut unit, network, &words).map_err(inside)?;
    // Asked before `finish` takes the module. The only imports are the functions of `Machine::libm`.
    let imports =
        unit.module.declarations().get_functions().filter(|(_, function)| function.linkage == Linkage::Import);
    let mut needs: Vec<String> = imports.filter_map(|(_, function)| function.name.clone()).collect();
    needs.sort_unstable();
    let bytes = unit.module.finish().emit().map_err(|error| inside(Fault(error.to_string())))?;
    let build = Build {
        told: match needs.is_empty() {
            true => format!("{IN_HEADER} `{stem}.o`, for {}; it needs no other code.", Triple::host()),
            false => format!(
                "{IN_HEADER} `{stem}.o`, for {}; link with `-lm`: it calls {}.",
                Triple::host(),
                needs.join(", ")
            ),
        },
        // An object pads images in scratch memory, which the C source does not: it needs more.
        scratch: scratch(network),
        weights: None,
    };
    let header = header(network, &words, &build);
    let files = vec![File { ending: "o", bytes }, File { ending: "h", bytes: header.into_bytes() }];
    Ok(Written { files, needs })
}

/// The source of a program that predicts what it reads, to be linked with the object: see [`crate::c::program`]. `header` is the
/// object's.
#[must_use]
pub fn program(stem: &str, header: &[u8]) -> String {
    String::from_utf8_lossy(header).into_owned() + &main(&Words::new(stem), Weights::Inside)
}

/// Numbers of scratch memory: the values of layers, behind them what definitions compute on the way, and the largest image with its
/// padding.
fn scratch(network: &Network) -> usize {
    plan(network).numbers() + windows::largest_padded(network)
}

fn inside(fault: Fault) -> Refusal {
    Refusal::inside(&fault.0)
}

/// An empty object for this machine's architecture. Its code runs on every CPU of that architecture.
fn module(stem: &str) -> Result<ObjectModule, Refusal> {
    let none = |why: String| Refusal {
        code: "E0596",
        message: format!("there is no code generator for {}: {why}", Triple::host()),
        help: "write C with `--as c`, and compile it there".into(),
    };
    let mut flags = settings::builder();
    // The linker may place the code anywhere. Nothing here unwinds, so there are no tables for it.
    for (name, value) in [("opt_level", "speed"), ("is_pic", "true"), ("unwind_info", "false")] {
        flags.set(name, value).map_err(|error| none(error.to_string()))?;
    }
    let isa = isa::lookup(Triple::host()).map_err(|error| none(error.to_string()))?;
    let isa = isa.finish(settings::Flags::new(flags)).map_err(|error| none(error.to_string()))?;
    let builder = ObjectBuilder::new(isa, stem, default_libcall_names()).map_err(|error| none(error.to_string()))?;
    Ok(ObjectModule::new(builder))
}
