//! A function under construction: loops over numbers in memory, in Cranelift's intermediate representation.

use super::Fault;
use cranelift_codegen::Context;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, F64, F64X2, I64};
use cranelift_codegen::ir::{AbiParam, BlockArg, Function, InstBuilder, MemFlagsData, Type, UserFuncName, Value};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module};
use cranelift_object::ObjectModule;
use gmpc_compiler::math::Precision;

/// Bytes of a vector.
const VECTOR: usize = 16;

/// What all functions of an object share.
pub(super) struct Unit {
    pub(super) module: ObjectModule,
    pub(super) precision: Precision,
    context: FunctionBuilderContext,
}

impl Unit {
    pub(super) fn new(module: ObjectModule, precision: Precision) -> Self {
        Unit { module, precision, context: FunctionBuilderContext::new() }
    }

    /// Declares a function of 64-bit arguments, which gives nothing or a number of `result`.
    pub(super) fn declare(
        &mut self,
        name: Option<&str>,
        arguments: usize,
        result: Option<Type>,
    ) -> Result<FuncId, Fault> {
        let mut signature = self.module.make_signature();
        signature.params = vec![AbiParam::new(I64); arguments];
        signature.returns = result.map(AbiParam::new).into_iter().collect();
        Ok(match name {
            Some(name) => self.module.declare_function(name, Linkage::Export, &signature)?,
            None => self.module.declare_anonymous_function(&signature)?,
        })
    }

    /// Writes the body of a declared function; `body` gets its arguments and gives its result.
    pub(super) fn define(
        &mut self,
        id: FuncId,
        body: impl FnOnce(&mut Machine<'_>, &[Value]) -> Result<Option<Value>, Fault>,
    ) -> Result<(), Fault> {
        let signature = self.module.declarations().get_function_decl(id).signature.clone();
        let mut function = Function::with_name_signature(UserFuncName::user(0, id.as_u32()), signature);
        let mut b = FunctionBuilder::new(&mut function, &mut self.context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let arguments = b.block_params(entry).to_vec();
        let mut machine = Machine { b, module: &mut self.module, precision: self.precision };
        let result = body(&mut machine, &arguments)?;
        machine.b.ins().return_(result.as_slice());
        let target = machine.module.target_config();
        machine.b.finalize(target);
        self.module.define_function(id, &mut Context::for_function(function))?;
        Ok(())
    }

    /// Bytes that nothing writes to.
    pub(super) fn data(&mut self, bytes: Vec<u8>) -> Result<DataId, Fault> {
        data(&mut self.module, bytes)
    }
}

fn data(module: &mut ObjectModule, bytes: Vec<u8>) -> Result<DataId, Fault> {
    let id = module.declare_anonymous_data(false, false)?;
    let mut description = DataDescription::new();
    description.define(bytes.into_boxed_slice());
    description.set_align(64);
    module.define_data(id, &description)?;
    Ok(id)
}

/// One function.
pub(super) struct Machine<'a> {
    pub(super) b: FunctionBuilder<'a>,
    module: &'a mut ObjectModule,
    pub(super) precision: Precision,
}

/// A pointer to numbers; [`Machine::load`] counts from there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers(pub(super) Value);

impl Machine<'_> {
    /// The type of a number.
    pub(super) fn float(&self) -> Type {
        match self.precision {
            Precision::F32 => F32,
            Precision::F64 => F64,
        }
    }

    /// The type of a vector of them.
    fn vector(&self) -> Type {
        match self.precision {
            Precision::F32 => F32X4,
            Precision::F64 => F64X2,
        }
    }

    /// Numbers of a vector.
    pub(super) fn lanes(&self) -> usize {
        VECTOR / self.precision.bytes()
    }

    /// Bytes or numbers of the program, as a pointer.
    pub(super) fn pointer(&mut self, data: DataId) -> Numbers {
        let value = self.module.declare_data_in_func(data, self.b.func);
        Numbers(self.b.ins().symbol_value(I64, value))
    }

    /// Constant numbers of the network's precision.
    pub(super) fn constants(&mut self, numbers: &[f64]) -> Result<Numbers, Fault> {
        let bytes = match self.precision {
            Precision::F32 => numbers.iter().flat_map(|&number| crate::network::single(number).to_le_bytes()).collect(),
            Precision::F64 => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        };
        let data = data(self.module, bytes)?;
        Ok(self.pointer(data))
    }

    /// Constant numbers in double precision.
    pub(super) fn doubles(&mut self, numbers: &[f64]) -> Result<Numbers, Fault> {
        let data = data(self.module, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())?;
        Ok(self.pointer(data))
    }

    /// A whole number.
    pub(super) fn whole(&mut self, number: usize) -> Value {
        self.b.ins().iconst(I64, size(number))
    }

    /// A number of the network's precision.
    pub(super) fn number(&mut self, number: f64) -> Value {
        match self.precision {
            Precision::F32 => self.b.ins().f32const(crate::network::single(number)),
            Precision::F64 => self.b.ins().f64const(number),
        }
    }

    /// `index * factor + offset`.
    pub(super) fn place(&mut self, index: Value, factor: usize, offset: usize) -> Value {
        let scaled = if factor == 1 { index } else { self.b.ins().imul_imm_s(index, size(factor)) };
        if offset == 0 { scaled } else { self.b.ins().iadd_imm_s(scaled, size(offset)) }
    }

    /// The sum of two whole numbers.
    pub(super) fn plus(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().iadd(a, b)
    }

    /// The numbers from index `count` on.
    pub(super) fn behind(&mut self, numbers: Numbers, count: usize) -> Numbers {
        Numbers(self.place(numbers.0, 1, count * self.precision.bytes()))
    }

    /// The address of element `index`, of so many bytes each.
    pub(super) fn address(&mut self, numbers: Numbers, index: Value, bytes: usize) -> Value {
        let offset = self.place(index, bytes, 0);
        self.plus(numbers.0, offset)
    }

    /// Element `index`.
    pub(super) fn load(&mut self, numbers: Numbers, index: Value) -> Value {
        let (float, bytes) = (self.float(), self.precision.bytes());
        let address = self.address(numbers, index, bytes);
        self.b.ins().load(float, flags(), address, 0)
    }

    /// Elements from `index` on, a vector of them.
    pub(super) fn load_vector(&mut self, numbers: Numbers, index: Value) -> Value {
        let (vector, bytes) = (self.vector(), self.precision.bytes());
        let address = self.address(numbers, index, bytes);
        self.b.ins().load(vector, flags(), address, 0)
    }

    /// Writes element `index`, or a vector from there on.
    pub(super) fn store(&mut self, value: Value, numbers: Numbers, index: Value) {
        let bytes = self.precision.bytes();
        let address = self.address(numbers, index, bytes);
        self.b.ins().store(flags(), value, address, 0);
    }

    /// A number in every lane.
    pub(super) fn splat(&mut self, number: Value) -> Value {
        let vector = self.vector();
        self.b.ins().splat(vector, number)
    }

    /// `sum + a * b`, rounded twice, of numbers or vectors.
    pub(super) fn multiply_add(&mut self, sum: Value, a: Value, b: Value) -> Value {
        let product = self.b.ins().fmul(a, b);
        self.b.ins().fadd(sum, product)
    }

    /// `if a > b { yes } else { no }`.
    pub(super) fn if_greater(&mut self, a: Value, b: Value, yes: Value, no: Value) -> Value {
        let greater = self.b.ins().fcmp(FloatCC::GreaterThan, a, b);
        self.b.ins().select(greater, yes, no)
    }

    /// Does something for each `index` below `count`.
    pub(super) fn each(
        &mut self,
        count: usize,
        body: impl FnOnce(&mut Self, Value) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.fold(count, &[], |machine, index, _| body(machine, index).map(|()| vec![])).map(drop)
    }

    /// Carries values from round to round: `body` gets the index and the values, and gives the new ones.
    pub(super) fn fold(
        &mut self,
        count: usize,
        first: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Result<Vec<Value>, Fault>,
    ) -> Result<Vec<Value>, Fault> {
        if count == 0 {
            return Ok(first.to_vec());
        }
        let end = self.whole(count);
        self.fold_until(end, first, body)
    }

    /// As [`Self::fold`] for at least one round, until the index is `end`.
    pub(super) fn fold_until(
        &mut self,
        end: Value,
        first: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Result<Vec<Value>, Fault>,
    ) -> Result<Vec<Value>, Fault> {
        let (round, done) = (self.b.create_block(), self.b.create_block());
        let index = self.b.append_block_param(round, I64);
        let mut carried = vec![];
        for &value in first {
            let kind = self.b.func.dfg.value_type(value);
            carried.push(self.b.append_block_param(round, kind));
        }
        let zero = self.whole(0);
        self.b.ins().jump(round, &arguments(zero, first));
        self.b.switch_to_block(round);
        let results = body(self, index, &carried)?;
        let next = self.b.ins().iadd_imm_s(index, 1);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.b.ins().brif(more, round, &arguments(next, &results), done, &[]);
        self.b.seal_block(round);
        self.b.switch_to_block(done);
        self.b.seal_block(done);
        Ok(results)
    }

    /// Calls a function of this object.
    pub(super) fn call(&mut self, function: FuncId, arguments: &[Value]) -> Option<Value> {
        let function = self.module.declare_func_in_func(function, self.b.func);
        let call = self.b.ins().call(function, arguments);
        self.b.inst_results(call).first().copied()
    }

    /// Calls a mathematical function of one or two numbers: `tanh`, in single precision `tanhf`.
    pub(super) fn libm(&mut self, name: &str, x: &[Value]) -> Result<Value, Fault> {
        let name = match self.precision {
            Precision::F32 => format!("{name}f"),
            Precision::F64 => name.to_string(),
        };
        let mut signature = self.module.make_signature();
        signature.params = vec![AbiParam::new(self.float()); x.len()];
        signature.returns = vec![AbiParam::new(self.float())];
        let id = self.module.declare_function(&name, Linkage::Import, &signature)?;
        self.call(id, x).ok_or_else(|| Fault(format!("{name} gives no number")))
    }
}

fn arguments(index: Value, values: &[Value]) -> Vec<BlockArg> {
    std::iter::once(&index).chain(values).map(|&value| BlockArg::Value(value)).collect()
}

/// Loads and stores never trap: the caller gives memory of the stated sizes.
pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// Sizes of a network in memory are far below 2^63.
pub(super) fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
