//! `gmpc emit FILE --stage S`: prints what a stage of the compiler makes.
//!
//! The pipeline runs as far as needed, and its harness prints the stage into a string. Machine code and PTX are made by
//! other compilers from the pipeline's last result.

use crate::args::{EmitArgs, StageName};
use crate::failure::{Failure, Kind};
use crate::output::{Output, to_stdout};
use crate::project::{batch, module, network_with, step_goal};
use gmpc_compiler::stage::{Harness, Observer};
use gmpc_runtime::program::session::Programs;
use std::sync::{Arc, Mutex, PoisonError};

/// Prints the stage.
///
/// # Errors
/// The file has errors; for `asm`, there is no code generator for this CPU; for `ptx`, there is no CUDA.
pub fn run(args: &EmitArgs, output: &Output) -> Result<(), Failure> {
    let shown = Arc::new(Shown { stage: args.stage.stage(), text: Mutex::new(None) });
    let made = compile(args, &shown, output);
    // A file with an error in a later stage still has this stage, so its text comes first.
    let text = match shown.take() {
        Some(text) => text,
        None => made?.ok_or_else(|| Failure::new(Kind::Bug, "the pipeline has no such stage"))?,
    };
    to_stdout(&text.trim_end());
    Ok(())
}

/// Runs the pipeline at least up to the stage. Returns the text of stages that other compilers make.
fn compile(args: &EmitArgs, shown: &Arc<Shown>, output: &Output) -> Result<Option<String>, Failure> {
    let observer: Arc<dyn Observer> = Arc::clone(shown) as Arc<dyn Observer>;
    if let StageName::Ast | StageName::Override | StageName::Module = args.stage {
        return module(&args.file, &args.data, observer, output).map(|_| None);
    }
    let network = network_with(&args.file, &args.data, observer, output)?;
    if let StageName::Net | StageName::Initialize = args.stage {
        return Ok(None);
    }
    let program = network.program(step_goal(&network), batch(args.batch, &network))?;
    match args.stage {
        StageName::Asm => gmpc_device_cpu::disassemble(&program)
            .map(Some)
            .map_err(|error| Failure::new(Kind::Device, error.to_string())),
        StageName::Cuda => {
            // The observer receives the text.
            let _ = gmpc_cuda::lower(&program, Harness::new(shown.as_ref(), Some(&network.module.sources)));
            Ok(None)
        }
        StageName::Ptx => {
            let source = gmpc_cuda::lower_cuda(&program, None).source;
            Ok(Some(crate::cuda::ptx(&source).map_err(gmpc_runtime::failure::Failure::from)?))
        }
        _ => Ok(None),
    }
}

/// Stores the text of a stage when it runs for the first time.
#[derive(Debug)]
struct Shown {
    stage: Option<&'static str>,
    text: Mutex<Option<String>>,
}

impl Shown {
    fn take(&self) -> Option<String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Observer for Shown {
    fn wants(&self, stage: &'static str) -> bool {
        self.stage == Some(stage)
    }

    fn printed(&self, _: &'static str, text: String) {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }
}
