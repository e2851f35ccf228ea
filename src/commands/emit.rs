//! `gmpc emit FILE --stage S`: a stage of the compiler as text, on standard output.

use crate::args::{EmitArgs, StageName};
use crate::failure::{Failure, Kind};
use crate::output::{Output, to_stdout};
use crate::project::{compiler, module, read_text, wrong};
use gmpc_compiler::Compiler;
use gmpc_compiler::fuse::fuse;
use gmpc_compiler::graph::Graph;
use gmpc_compiler::kernels;
use gmpc_compiler::program::{Goal, Program};
use gmpc_compiler::simplify::hoist;

/// Prints the stage.
///
/// # Errors
/// The file is wrong; for `asm`, there is no code generator for this processor.
pub fn run(args: &EmitArgs, output: &Output) -> Result<(), Failure> {
    let text = match args.stage {
        StageName::Ast => ast(args)?,
        StageName::Module => module(&args.file, output)?.effective_source.clone(),
        stage => later(stage, args, &compiler(&args.file, &args.data, output)?)?,
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
fn later(stage: StageName, args: &EmitArgs, compiler: &Compiler) -> Result<String, Failure> {
    let batch = args.batch.unwrap_or_else(|| compiler.batch(super::ROWS_WITHOUT_DATA));
    let fail = |errors| wrong(errors, compiler.module.sources.clone());
    let step = || compiler.program(training_goal(compiler), batch).map_err(fail);
    match stage {
        StageName::Ast | StageName::Module => Ok(String::new()),
        StageName::Net => Ok(compiler.net.to_string()),
        StageName::Graph => Ok(print(&compiler.graph(Goal::Predict, batch).map_err(fail)?.0, compiler)),
        StageName::Step => Ok(print(&compiler.graph(training_goal(compiler), batch).map_err(fail)?.0, compiler)),
        StageName::Kernels => {
            let (graph, _) = compiler.graph(training_goal(compiler), batch).map_err(fail)?;
            Ok(kernels::print(&fuse(&hoist(&graph).0), Some(&compiler.module.sources)))
        }
        StageName::Clif => Ok(clif(&step()?)),
        StageName::Asm => asm(&step()?),
    }
}

/// Training where the file trains; otherwise what comes nearest.
fn training_goal(compiler: &Compiler) -> Goal {
    match &compiler.module.training {
        Some(training) if training.optimizer.is_some() => Goal::Train,
        Some(_) => Goal::Evaluate,
        None => Goal::Predict,
    }
}

/// A graph with the lines its nodes come from.
fn print(graph: &Graph, compiler: &Compiler) -> String {
    graph.print(Some(&compiler.module.sources))
}

/// Cranelift's intermediate code of every function.
fn clif(program: &Program) -> String {
    let functions: Vec<String> = program.code.functions.iter().map(|function| function.display().to_string()).collect();
    functions.join("\n")
}

/// This processor's instructions.
fn asm(program: &Program) -> Result<String, Failure> {
    gmpc_runtime::device::cpu::disassemble(program).map_err(|error| Failure::new(Kind::Device, error.to_string()))
}
