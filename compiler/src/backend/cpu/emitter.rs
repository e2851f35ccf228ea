//! A function under construction: addresses of buffers, loops and calls.

use super::Import;
use super::machine::Lanes;
use crate::ir::experiment::Precision;
use crate::ir::internal::{index32, internal_error};
use crate::ir::kernels::{BufferId, Dtype, Kernels, Location};
use crate::lower::plan::Plan;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F32X4, F64, F64X2, I64};
use cranelift_codegen::ir::{
    AbiParam, BlockArg, ExtFuncData, ExternalName, FuncRef, Function, InstBuilder, MemFlagsData, Signature, Type,
    UserExternalName, UserFuncName, Value,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use target_lexicon::PointerWidth;

/// A function `fn(states: *mut u8, scratch: *mut u8, first: usize, end: usize)` without a body.
pub(super) fn empty_function(index: usize) -> Function {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(I64); 4];
    Function::with_name_signature(UserFuncName::user(1, index32(index, "functions")), signature)
}

/// A function with a fifth parameter, `addresses: *const u64`: the bytes to each buffer, from the states or from scratch memory.
pub(super) fn empty_shared_function(index: usize) -> Function {
    let mut function = empty_function(index);
    function.signature.params.push(AbiParam::new(I64));
    function
}

/// Does the function read the addresses of its buffers from its fifth parameter?
pub(super) fn is_shared(function: &Function) -> bool {
    function.signature.params.len() > 4
}

/// The flags of loads and stores. They never trap, since the planner gave every buffer its memory.
pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// A function under construction.
pub(super) struct Emitter<'a> {
    pub(super) b: FunctionBuilder<'a>,
    pub(super) precision: Precision,
    kernels: &'a Kernels,
    plan: &'a Plan,
    states: Value,
    pub(super) scratch: Value,
    /// The addresses of the buffers of a shared function, which reads them. Other addresses are constants of the code.
    told: Vec<(BufferId, Value)>,
    /// Begin and end of the iterations of the outermost loop that this call of the function computes.
    share: (Value, Value),
    imports: [Option<FuncRef>; Import::ALL.len()],
}

impl<'a> Emitter<'a> {
    pub(super) fn new(
        function: &'a mut Function,
        context: &'a mut FunctionBuilderContext,
        kernels: &'a Kernels,
        plan: &'a Plan,
    ) -> Self {
        let precision = kernels.precision;
        let mut b = FunctionBuilder::new(function, context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let &[states, scratch, first, end, ..] = b.block_params(entry) else {
            unreachable!("at least four parameters, just made")
        };
        let imports = [None; Import::ALL.len()];
        Emitter { b, precision, kernels, plan, states, scratch, told: Vec::new(), share: (first, end), imports }
    }

    /// For a shared function: reads where these buffers lie. Comes before anything else.
    pub(super) fn read_addresses(&mut self, buffers: &[BufferId]) {
        let entry = self.b.current_block().map(|block| self.b.block_params(block));
        let Some(&[_, _, _, _, addresses]) = entry else { unreachable!("five parameters, just made") };
        for (&buffer, at) in buffers.iter().zip((0..).step_by(8)) {
            let bytes = self.b.ins().load(I64, flags(), addresses, at);
            let base = self.pointer(buffer);
            let address = self.b.ins().iadd(base, bytes);
            self.told.push((buffer, address));
        }
    }

    pub(super) fn finish(mut self) {
        self.b.ins().return_(&[]);
        self.b.finalize(TargetFrontendConfig {
            default_call_conv: CallConv::SystemV,
            pointer_width: PointerWidth::U64,
            page_size_align_log2: 12,
        });
    }

    /// The number of instructions so far.
    pub(super) fn instructions(&self) -> usize {
        self.b.func.dfg.num_insts()
    }

    /// The offset of the random key in scratch memory.
    pub(super) fn random(&self) -> usize {
        self.plan
            .random
            .unwrap_or_else(|| internal_error("emit", "random numbers without a key", format_args!("{:?}", self.plan)))
    }

    /// The number of elements of a buffer.
    pub(super) fn elements(&self, buffer: BufferId) -> usize {
        self.kernels.buffers[buffer.index()].elements
    }

    /// Bytes of a number in the program's precision.
    pub(super) fn bytes(&self) -> usize {
        self.precision.bytes()
    }

    /// The type of a buffer's numbers.
    pub(super) fn dtype(&self, buffer: BufferId) -> Dtype {
        self.kernels.dtype(buffer)
    }

    /// The number of lanes of a vector.
    pub(super) fn lanes(&self) -> usize {
        16 / self.bytes()
    }

    /// The type of a scalar if `width` is 1, or of a vector if it is [`Self::lanes`].
    pub(super) fn float(&self, width: usize) -> Type {
        match (self.precision, width) {
            (Precision::F32, 1) => F32,
            (Precision::F32, _) => F32X4,
            (Precision::F64, 1) => F64,
            (Precision::F64, _) => F64X2,
        }
    }

    /// The base pointer of a buffer's memory, and the byte offset of the buffer from there.
    pub(super) fn base(&self, buffer: BufferId) -> (Value, usize) {
        match self.told.iter().find(|(told, _)| *told == buffer) {
            Some((_, address)) => (*address, 0),
            None => (self.pointer(buffer), self.plan.offsets[buffer.index()]),
        }
    }

    /// Where the memory begins that a buffer is part of.
    fn pointer(&self, buffer: BufferId) -> Value {
        match self.kernels.buffers[buffer.index()].location {
            Location::State(_) => self.states,
            Location::Input(_) | Location::Scratch => self.scratch,
        }
    }

    /// The address of an element.
    pub(super) fn address(&mut self, buffer: BufferId, element: usize) -> Value {
        let (pointer, offset) = self.base(buffer);
        let bytes = offset + element * self.dtype(buffer).bytes();
        self.b.ins().iadd_imm_s(pointer, immediate(bytes))
    }

    /// The machine that emits arithmetic on `width` numbers at once.
    pub(super) fn machine(&mut self, width: usize) -> Lanes<'_, 'a> {
        let float = self.float(width);
        Lanes { b: &mut self.b, precision: self.precision, float }
    }

    /// Opens a loop whose body runs at least once: `start`, `start + step`, … below `end`, which [`Self::end_loop`] gets.
    pub(super) fn begin_loop(&mut self, start: usize) -> Loop {
        let start = self.b.ins().iconst(I64, immediate(start));
        self.begin_loop_at(start)
    }

    /// Begin and end of the rounds of the outermost loop that this call computes. There is at least one round.
    pub(super) fn share(&self) -> (Value, Value) {
        self.share
    }

    /// Opens a loop that begins at a value and whose body runs at least once.
    pub(super) fn begin_loop_at(&mut self, start: Value) -> Loop {
        let body = self.b.create_block();
        let index = self.b.append_block_param(body, I64);
        self.b.ins().jump(body, &[BlockArg::Value(start)]);
        self.b.switch_to_block(body);
        Loop { body, index }
    }

    /// Closes a loop with steps of 1 that ends before a value.
    pub(super) fn end_loop_at(&mut self, open: &Loop, end: Value) {
        let exit = self.b.create_block();
        let next = self.b.ins().iadd_imm_s(open.index, 1);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.b.ins().brif(more, open.body, &[BlockArg::Value(next)], exit, &[]);
        self.b.seal_block(open.body);
        self.b.switch_to_block(exit);
        self.b.seal_block(exit);
    }

    /// Closes a loop that [`Self::begin_loop`] opened.
    pub(super) fn end_loop(&mut self, open: &Loop, end: usize, step: usize) {
        let exit = self.b.create_block();
        let next = self.b.ins().iadd_imm_s(open.index, immediate(step));
        let more = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, next, immediate(end));
        self.b.ins().brif(more, open.body, &[BlockArg::Value(next)], exit, &[]);
        self.b.seal_block(open.body);
        self.b.switch_to_block(exit);
        self.b.seal_block(exit);
    }

    /// A loop variable plus a size.
    pub(super) fn behind(&mut self, value: Value, size: usize) -> Value {
        self.b.ins().iadd_imm_s(value, immediate(size))
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

/// A size as an immediate operand. Sizes stay below 2^43 bytes.
pub(super) fn immediate(value: usize) -> i64 {
    i64::try_from(value).unwrap_or_else(|_| internal_error("emit", "a size beyond 2^63", value))
}
