//! A program's instructions for this CPU as text, for `gmpc emit --stage asm`.

use super::{failed, isa};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use gmpc_compiler::ir::program::Program;
use gmpc_device::DeviceError;

/// A listing of the machine instructions of each function, as Cranelift prints them.
///
/// # Errors
/// There is no code generator for this CPU.
pub fn disassemble(program: &Program) -> Result<String, DeviceError> {
    let isa = isa()?;
    let mut text = String::new();
    for function in &program.code.functions {
        let mut context = Context::for_function(function.clone());
        context.set_disasm(true);
        let compiled = context.compile(&*isa, &mut ControlPlane::default());
        let compiled = compiled.map_err(|error| failed("generating code", error.inner))?;
        text.push_str(compiled.vcode.as_deref().unwrap_or_default());
    }
    Ok(text)
}
