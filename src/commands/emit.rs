//! `gmpc emit FILE --stage S`: a stage of the compiler as text, on standard output.

use crate::args::{EmitArgs, StageName};
use crate::failure::{Failure, Kind};
use crate::output::{Output, to_stdout};
use crate::project::{batch, module, network, read_text, step_goal, wrong};
use gmpc_compiler::fuse::{Epilogues, fuse};
use gmpc_compiler::graph::Graph;
use gmpc_compiler::kernels;
use gmpc_compiler::program::{Goal, Program};
use gmpc_runtime::network::Network;
use gmpc_runtime::session::Programs;

/// Prints the stage.
///
/// # Errors
/// The file is wrong; for `asm`, there is no code generator for this processor; for `ptx`, no CUDA.
pub fn run(args: &EmitArgs, output: &Output) -> Result<(), Failure> {
    let text = match args.stage {
        StageName::Ast => ast(args)?,
        StageName::Module => module(&args.file, &args.data, output)?.effective_source.clone(),
        stage => later(stage, args, network(&args.file, &args.data, output)?.as_ref())?,
    };
    to_stdout(&text.trim_end());
    Ok(())
}

/// The tree as it was read, before any override.
fn ast(args: &EmitArgs) -> Result<String, Failure> {
    let text = read_text(&args.file.file)?;
    let mut sources = gmpc_grammar::source::Sources::default();
    let name = args.file.file.display().to_string();
    let id = sources.add(gmpc_grammar::source::Source { name, text: text.clone() });
    let (ast, errors) = gmpc_grammar::read(&text, id);
    if errors.is_empty() { Ok(gmpc_grammar::dump(&ast)) } else { Err(wrong(errors, sources)) }
}

/// A stage for which shapes have to be known.
fn later(stage: StageName, args: &EmitArgs, network: &Network) -> Result<String, Failure> {
    let rows = batch(args.batch, network);
    let step = || network.program(step_goal(network), rows);
    Ok(match stage {
        StageName::Ast | StageName::Module => String::new(),
        StageName::Net => network.net.to_string(),
        StageName::Graph => print(&network.program(Goal::Predict, rows)?.graph, network),
        StageName::Step => print(&step()?.graph, network),
        StageName::Kernels => kernels::print(&fuse(&step()?.graph, Epilogues::Inside), Some(&network.module.sources)),
        StageName::Clif => clif(&step()?),
        StageName::Asm => asm(&step()?)?,
        StageName::Cuda => cuda(&step()?, network),
        StageName::Ptx => ptx(&step()?)?,
    })
}

/// A graph with the lines its nodes come from.
fn print(graph: &Graph, network: &Network) -> String {
    graph.print(Some(&network.module.sources))
}

/// Cranelift's intermediate code of every function.
fn clif(program: &Program) -> String {
    let functions: Vec<String> = program.code.functions.iter().map(|function| function.display().to_string()).collect();
    functions.join("\n")
}

/// The CUDA C++ of every kernel, and what is launched in turn.
fn cuda(program: &Program, network: &Network) -> String {
    gmpc_compiler::lower_cuda(program, Some(&network.module.sources)).to_string()
}

/// NVIDIA's intermediate code, from NVIDIA's own compiler.
fn ptx(program: &Program) -> Result<String, Failure> {
    let source = gmpc_compiler::lower_cuda(program, None).source;
    Ok(gmpc_runtime::device::cuda::ptx(&source).map_err(gmpc_runtime::failure::Failure::from)?)
}

/// This processor's instructions.
fn asm(program: &Program) -> Result<String, Failure> {
    gmpc_runtime::device::cpu::disassemble(program).map_err(|error| Failure::new(Kind::Device, error.to_string()))
}
