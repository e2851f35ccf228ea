//! The [`Machine`] that emits Cranelift instructions for scalars or for vectors of 128 bits.

use crate::ir::experiment::Precision;
use crate::math::Machine;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{ConstantData, Endianness, InstBuilder, MemFlagsData, Opcode, Type, Value};
use cranelift_frontend::FunctionBuilder;

/// Emits arithmetic on values of one type.
pub(super) struct Lanes<'e, 'f> {
    pub(super) b: &'e mut FunctionBuilder<'f>,
    pub(super) precision: Precision,
    pub(super) float: Type,
}

pub(super) fn little() -> MemFlagsData {
    MemFlagsData::new().with_endianness(Endianness::Little)
}

impl Lanes<'_, '_> {
    fn is_vector(&self) -> bool {
        self.float.is_vector()
    }

    fn integer(&self) -> Type {
        match (self.precision, self.is_vector()) {
            (Precision::F32, false) => I32,
            (Precision::F32, true) => I32X4,
            (Precision::F64, false) => I64,
            (Precision::F64, true) => I64X2,
        }
    }

    /// A scalar in all lanes.
    pub(super) fn splat(&mut self, scalar: Value) -> Value {
        if self.is_vector() { self.b.ins().splat(self.float, scalar) } else { scalar }
    }

    /// Compares two values. For vectors the result has all bits of a lane set or clear, for scalars it is a truth value.
    pub(super) fn compare(&mut self, condition: FloatCC, a: Value, b: Value) -> Value {
        self.b.ins().fcmp(condition, a, b)
    }

    fn compares_integers(&self, mask: Value) -> bool {
        let definition = self.b.func.dfg.value_def(mask).inst();
        definition.is_some_and(|inst| self.b.func.dfg.insts[inst].opcode() == Opcode::Icmp)
    }

    /// a where `mask` holds, otherwise 0.
    pub(super) fn masked(&mut self, mask: Value, a: Value) -> Value {
        if !self.is_vector() {
            let zero = self.number(0.0);
            return self.b.ins().select(mask, a, zero);
        }
        let mask = self.b.ins().bitcast(self.float, little(), mask);
        self.b.ins().band(mask, a)
    }

    /// -a
    pub(super) fn neg(&mut self, a: Value) -> Value {
        self.b.ins().fneg(a)
    }

    /// |a|
    pub(super) fn abs(&mut self, a: Value) -> Value {
        self.b.ins().fabs(a)
    }

    /// a where a > b or a is NaN, otherwise b.
    pub(super) fn larger(&mut self, a: Value, b: Value) -> Value {
        let above = self.compare(FloatCC::LessThan, b, a);
        let value = self.select(above, a, b);
        let unknown = self.compare(FloatCC::Unordered, a, a);
        self.select(unknown, a, value)
    }

    /// a where a < b or a is NaN, otherwise b.
    pub(super) fn smaller(&mut self, a: Value, b: Value) -> Value {
        let below = self.compare(FloatCC::LessThan, a, b);
        let value = self.select(below, a, b);
        let unknown = self.compare(FloatCC::Unordered, a, a);
        self.select(unknown, a, value)
    }

    /// The larger of a and a constant other than NaN, which takes one instruction.
    pub(super) fn larger_than(&mut self, a: Value, constant: Value) -> Value {
        let below = self.compare(FloatCC::LessThan, a, constant);
        self.select(below, constant, a)
    }

    /// The smaller of a and a constant other than NaN.
    pub(super) fn smaller_than(&mut self, a: Value, constant: Value) -> Value {
        let above = self.compare(FloatCC::LessThan, constant, a);
        self.select(above, constant, a)
    }

    /// A vector constant from its bytes.
    fn vector_constant(&mut self, bytes: Vec<u8>) -> Value {
        let constant = self.b.func.dfg.constants.insert(ConstantData::from(bytes));
        self.b.ins().vconst(self.float, constant)
    }

    /// A vector constant from one number per lane.
    pub(super) fn numbers(&mut self, values: &[f64]) -> Value {
        let bytes = values.iter().flat_map(|&v| self.encode(v)).collect();
        self.vector_constant(bytes)
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounding to the precision is the point")]
    fn encode(&self, value: f64) -> Vec<u8> {
        match self.precision {
            Precision::F32 => (value as f32).to_le_bytes().to_vec(),
            Precision::F64 => value.to_le_bytes().to_vec(),
        }
    }
}

impl Machine for Lanes<'_, '_> {
    type V = Value;
    type M = Value;
    type I = Value;

    fn precision(&self) -> Precision {
        self.precision
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounding to the precision is the point")]
    fn number(&mut self, value: f64) -> Value {
        if self.is_vector() {
            return self.numbers(&vec![value; self.float.lane_count() as usize]);
        }
        if self.float == F32 {
            return self.b.ins().f32const(value as f32);
        }
        assert_eq!(self.float, F64);
        self.b.ins().f64const(value)
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fadd(a, b)
    }

    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fsub(a, b)
    }

    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fmul(a, b)
    }

    fn div(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fdiv(a, b)
    }

    fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.b.ins().fma(a, b, c)
    }

    fn sqrt(&mut self, a: Value) -> Value {
        self.b.ins().sqrt(a)
    }

    fn less(&mut self, a: Value, b: Value) -> Value {
        self.compare(FloatCC::LessThan, a, b)
    }

    fn select(&mut self, mask: Value, a: Value, b: Value) -> Value {
        if self.is_vector() && self.compares_integers(mask) {
            // As integers, the code generator sees that each lane of the mask is all ones or all zeros, and emits a blend.
            let (a, b) = (self.bits(a), self.bits(b));
            let chosen = self.b.ins().bitselect(mask, a, b);
            self.from_bits(chosen)
        } else if self.is_vector() {
            let mask = self.b.ins().bitcast(self.float, little(), mask);
            self.b.ins().bitselect(mask, a, b)
        } else {
            self.b.ins().select(mask, a, b)
        }
    }

    fn bits(&mut self, a: Value) -> Value {
        let integer = self.integer();
        self.b.ins().bitcast(integer, little(), a)
    }

    fn from_bits(&mut self, a: Value) -> Value {
        self.b.ins().bitcast(self.float, little(), a)
    }

    fn whole(&mut self, value: i64) -> Value {
        let integer = self.integer();
        if !self.is_vector() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the low half is what is meant"
            )]
            let value = if integer == I32 { i64::from(value as i32 as u32) } else { value };
            return self.b.ins().iconst(integer, value);
        }
        let lane = value.to_le_bytes();
        let size = 16 / integer.lane_count() as usize;
        let bytes: Vec<u8> = (0..integer.lane_count()).flat_map(|_| lane[..size].to_vec()).collect();
        let constant = self.b.func.dfg.constants.insert(ConstantData::from(bytes));
        self.b.ins().vconst(integer, constant)
    }

    fn plus(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().iadd(a, b)
    }

    fn and(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().band(a, b)
    }

    fn or(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().bor(a, b)
    }

    fn xor(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().bxor(a, b)
    }

    fn shl(&mut self, a: Value, by: u32) -> Value {
        self.b.ins().ishl_imm_u(a, i64::from(by))
    }

    fn shr(&mut self, a: Value, by: u32) -> Value {
        self.b.ins().ushr_imm_u(a, i64::from(by))
    }

    fn is_zero(&mut self, a: Value) -> Value {
        let zero = self.whole(0);
        self.b.ins().icmp(IntCC::Equal, a, zero)
    }
}
