//! One function under construction: addresses of buffers, loops, calls.

use super::Import;
use super::machine::Lanes;
use crate::experiment::Precision;
use crate::kernels::{BufferId, Kernels, Place};
use crate::plan::Plan;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F32X4, F64, F64X2, I64};
use cranelift_codegen::ir::{
    AbiParam, BlockArg, ExtFuncData, ExternalName, FuncRef, Function, InstBuilder, MemFlagsData, Signature, Type,
    UserExternalName, UserFuncName, Value,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use target_lexicon::PointerWidth;

/// `fn(states: *mut u8, scratch: *mut u8, first: usize, end: usize)` without a body.
pub(super) fn empty_function(index: usize) -> Function {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(I64); 4];
    Function::with_name_signature(UserFuncName::user(1, u32::try_from(index).unwrap_or(u32::MAX)), signature)
}

/// What loads and stores may assume: they never trap, and address generated buffers.
pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// One function under construction.
pub(super) struct Emitter<'a> {
    pub(super) b: FunctionBuilder<'a>,
    pub(super) precision: Precision,
    kernels: &'a Kernels,
    plan: &'a Plan,
    states: Value,
    pub(super) scratch: Value,
    /// First and end of the caller's share of a loop.
    share: (Value, Value),
    imports: [Option<FuncRef>; Import::ALL.len()],
}

impl<'a> Emitter<'a> {
    pub(super) fn new(
        function: &'a mut Function,
        context: &'a mut FunctionBuilderContext,
        kernels: &'a Kernels,
        plan: &'a Plan,
        precision: Precision,
    ) -> Self {
        let mut b = FunctionBuilder::new(function, context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let &[states, scratch, first, end] = b.block_params(entry) else { unreachable!("four parameters, just made") };
        let imports = [None; Import::ALL.len()];
        Emitter { b, precision, kernels, plan, states, scratch, share: (first, end), imports }
    }

    pub(super) fn finish(mut self) {
        self.b.ins().return_(&[]);
        self.b.finalize(TargetFrontendConfig {
            default_call_conv: CallConv::SystemV,
            pointer_width: PointerWidth::U64,
            page_size_align_log2: 12,
        });
    }

    /// How many instructions there are so far.
    pub(super) fn instructions(&self) -> usize {
        self.b.func.dfg.num_insts()
    }

    /// Where the random key lies in scratch memory.
    pub(super) fn random(&self) -> usize {
        self.plan.random.unwrap_or(0)
    }

    /// Elements of a buffer.
    pub(super) fn elements(&self, buffer: BufferId) -> usize {
        self.kernels.buffers[buffer.index()].elements
    }

    /// Bytes of a number.
    pub(super) fn bytes(&self) -> usize {
        crate::plan::bytes(self.precision)
    }

    /// Numbers in a vector.
    pub(super) fn lanes(&self) -> usize {
        16 / self.bytes()
    }

    /// The type of `width` numbers side by side: 1 or [`Self::lanes`].
    pub(super) fn float(&self, width: usize) -> Type {
        match (self.precision, width) {
            (Precision::F32, 1) => F32,
            (Precision::F32, _) => F32X4,
            (Precision::F64, 1) => F64,
            (Precision::F64, _) => F64X2,
        }
    }

    /// The base pointer a buffer is addressed from, and its byte offset there.
    pub(super) fn base(&self, buffer: BufferId) -> (Value, usize) {
        let pointer = match self.kernels.buffers[buffer.index()].place {
            Place::State(_) => self.states,
            Place::Input(_) | Place::Scratch => self.scratch,
        };
        (pointer, self.plan.offsets[buffer.index()])
    }

    /// The address of an element.
    pub(super) fn address(&mut self, buffer: BufferId, element: usize) -> Value {
        let (pointer, offset) = self.base(buffer);
        let bytes = offset + element * self.bytes();
        self.b.ins().iadd_imm_s(pointer, immediate(bytes))
    }

    /// Arithmetic on `width` numbers at once.
    pub(super) fn machine(&mut self, width: usize) -> Lanes<'_, 'a> {
        let float = self.float(width);
        Lanes { b: &mut self.b, precision: self.precision, float }
    }

    /// A loop whose body runs at least once: `start`, `start + step`, … below `end`.
    pub(super) fn begin_loop(&mut self, start: usize) -> Loop {
        let start = self.b.ins().iconst(I64, immediate(start));
        self.begin_loop_at(start)
    }

    /// Where the caller's share of a loop begins and ends; there is something between them.
    pub(super) fn share(&self) -> (Value, Value) {
        self.share
    }

    /// A loop from a value on, whose body runs at least once.
    pub(super) fn begin_loop_at(&mut self, start: Value) -> Loop {
        let body = self.b.create_block();
        let index = self.b.append_block_param(body, I64);
        self.b.ins().jump(body, &[BlockArg::Value(start)]);
        self.b.switch_to_block(body);
        Loop { body, index }
    }

    /// Closes a loop that goes one by one up to a value.
    pub(super) fn end_loop_at(&mut self, open: &Loop, end: Value) {
        let exit = self.b.create_block();
        let next = self.b.ins().iadd_imm_s(open.index, 1);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.b.ins().brif(more, open.body, &[BlockArg::Value(next)], exit, &[]);
        self.b.seal_block(open.body);
        self.b.switch_to_block(exit);
        self.b.seal_block(exit);
    }

    /// Closes what [`Self::begin_loop`] opened.
    pub(super) fn end_loop(&mut self, open: &Loop, end: usize, step: usize) {
        let exit = self.b.create_block();
        let next = self.b.ins().iadd_imm_s(open.index, immediate(step));
        let more = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, next, immediate(end));
        self.b.ins().brif(more, open.body, &[BlockArg::Value(next)], exit, &[]);
        self.b.seal_block(open.body);
        self.b.switch_to_block(exit);
        self.b.seal_block(exit);
    }

    /// A loop variable times a size.
    pub(super) fn times(&mut self, value: Value, factor: usize) -> Value {
        if factor.is_power_of_two() {
            return self.b.ins().ishl_imm_u(value, i64::from(factor.trailing_zeros()));
        }
        self.b.ins().imul_imm_s(value, immediate(factor))
    }

    /// Calls a function of the runtime with 64-bit arguments.
    pub(super) fn call(&mut self, import: Import, arguments: &[Value]) {
        let function = match self.imports[import as usize] {
            Some(known) => known,
            None => self.declare(import, arguments.len()),
        };
        self.b.ins().call(function, arguments);
    }

    fn declare(&mut self, import: Import, arguments: usize) -> FuncRef {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params = vec![AbiParam::new(I64); arguments];
        let signature = self.b.import_signature(signature);
        let name = self.b.func.declare_imported_user_function(UserExternalName::new(0, import as u32));
        let data = ExtFuncData { name: ExternalName::user(name), signature, colocated: false, patchable: false };
        let function = self.b.import_function(data);
        self.imports[import as usize] = Some(function);
        function
    }
}

/// An open loop.
pub(super) struct Loop {
    body: cranelift_codegen::ir::Block,
    /// The loop variable.
    pub(super) index: Value,
}

/// A size as an immediate; sizes stay below 2^43 bytes.
pub(super) fn immediate(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
