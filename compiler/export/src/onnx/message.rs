//! The messages of an ONNX file that are written here, field numbers as in `onnx.proto3` of onnx 1.12 (IR version 8).
//!
//! Fields that are left out here are skipped when a file is read back. Values of attributes are `optional`, for readers ask whether
//! a 0 was written.

use prost::Message;

/// Types of a tensor's elements.
pub(super) mod element {
    /// f32
    pub const FLOAT: i32 = 1;
    /// u8
    pub const UINT8: i32 = 2;
    /// i64
    pub const INT64: i32 = 7;
    /// A truth value.
    pub const BOOL: i32 = 9;
    /// f64
    pub const DOUBLE: i32 = 11;
}

/// The file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(string, tag = "6")]
    pub doc_string: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Pair>,
}

/// Which operators are meant.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A line of the metadata.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pair {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes in an order in which they can run.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    #[prost(string, tag = "10")]
    pub doc_string: String,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

/// An operation.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

/// A setting of an operation.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// 1: `f`, 2: `i`, 7: `ints`.
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

/// A constant.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(string, tag = "8")]
    pub name: String,
    /// Little-endian, row-major.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// Name and type of an input or an output.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub kind: Option<Kind>,
}

/// A type; only tensors are used.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Kind {
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorKind>,
}

/// Type and shape of a tensor.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorKind {
    #[prost(int32, tag = "1")]
    pub element: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// Sizes of the axes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// One size: a number or a symbol.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Dimension {
    #[prost(oneof = "Size", tags = "1, 2")]
    pub size: Option<Size>,
}

/// A size.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Size {
    /// Known.
    #[prost(int64, tag = "1")]
    Value(i64),
    /// Whatever comes.
    #[prost(string, tag = "2")]
    Symbol(String),
}

impl ValueInfo {
    /// A batch of examples of one shape.
    pub(super) fn batch(name: &str, element: i32, example: &[usize]) -> Self {
        let batch = Dimension { size: Some(Size::Symbol("batch".into())) };
        let known = example.iter().map(|&size| Dimension { size: Some(Size::Value(whole(size))) });
        let shape = Shape { dim: std::iter::once(batch).chain(known).collect() };
        ValueInfo {
            name: name.to_string(),
            kind: Some(Kind { tensor: Some(TensorKind { element, shape: Some(shape) }) }),
        }
    }
}

/// A size as ONNX has it. Sizes of networks stay far below 2^63.
pub(super) fn whole(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A whole number as an attribute.
pub(super) fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), f: None, i: Some(value), ints: vec![], kind: 2 }
}

/// Whole numbers as an attribute.
pub(super) fn ints(name: &str, values: &[usize]) -> Attribute {
    Attribute { name: name.into(), f: None, i: None, ints: values.iter().map(|&value| whole(value)).collect(), kind: 7 }
}

/// A number as an attribute.
pub(super) fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(value), i: None, ints: vec![], kind: 1 }
}
