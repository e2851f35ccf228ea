//! Launches and bytes moved by one run of a program: counted, not measured.

use super::launch::{Program, Work};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::groups::{convolution, elementwise, joined, pool, reduction, scan, view};
use gmpc_compiler::ir::graph::{Graph, Op};

/// Launches of one run of a program, and the bytes they move.
///
/// Each launch counts every distinct number that it reads or writes once. Cache hits are not subtracted. Repeated reads inside
/// a library are not added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Generated kernels, and the separate epilogues after library calls that compute no bias or ReLU themselves.
    pub kernels: usize,
    /// Matmuls and convolutions, which libraries compute.
    pub libraries: usize,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

impl Counts {
    /// All launches: kernels and library calls.
    #[must_use]
    pub fn launches(&self) -> usize {
        self.kernels + self.libraries
    }

    /// Bytes read and written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.read_bytes.saturating_add(self.written_bytes)
    }
}

impl Program {
    /// Counts the launches of the program and their bytes.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for launch in &self.launches {
            match launch.work {
                Work::Kernel(_) => counts.kernels += 1,
                Work::MatMul(_) | Work::Convolution(_) => counts.libraries += 1,
            }
            let separate = launch.work.separate_epilogue(self.precision).unwrap_or(0);
            counts.kernels += usize::from(separate > 0);
            counts.read_bytes = counts.read_bytes.saturating_add(launch.read_bytes).saturating_add(separate);
            counts.written_bytes = counts.written_bytes.saturating_add(launch.written_bytes).saturating_add(separate);
        }
        counts
    }
}

impl Work {
    /// Bytes that a separate epilogue reads, and also writes, after a library call. `None` if the call needs no such pass:
    /// libraries compute bias and ReLU in single precision, but not in double precision.
    fn separate_epilogue(&self, precision: Precision) -> Option<u64> {
        let (follows, c) = match self {
            Work::Kernel(_) => return None,
            Work::MatMul(product) => (product.bias.is_some() || product.relu, product.c.region),
            Work::Convolution(product) => (product.bias.is_some() || product.relu, product.c),
        };
        (follows && precision == Precision::F64).then_some(c.bytes as u64)
    }
}

/// Counts one launch for each operation of the graph, as a framework without a compiler would run it. Every operation reads its
/// operands and writes its result. Reshapes, broadcasts, transposes and slices are views and cost nothing.
#[must_use]
pub fn one_by_one(graph: &Graph, precision: Precision) -> Counts {
    let bytes = |elements: usize| (elements as u64).saturating_mul(precision.bytes() as u64);
    let mut counts = Counts::default();
    // An operation reads the tensor behind the views: a broadcast operand counts with its size before the broadcast.
    let size = |id: gmpc_compiler::ir::graph::Id| {
        let mut id = id;
        while is_view(&graph[id].op) {
            id = graph[id].inputs[0];
        }
        graph.shape(id).iter().product::<usize>()
    };
    for node in &graph.nodes {
        match &node.op {
            Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) => continue,
            view!() => continue,
            Op::MatMul { .. } | convolution!() => counts.libraries += 1,
            Op::Uniform { .. } | elementwise!() | joined!() | reduction!() | pool!() | scan!() => counts.kernels += 1,
        }
        let read = node.inputs.iter().fold(0_usize, |sum, &id| sum.saturating_add(size(id)));
        counts.read_bytes = counts.read_bytes.saturating_add(bytes(read));
        counts.written_bytes = counts.written_bytes.saturating_add(bytes(node.shape.iter().product()));
    }
    counts
}

fn is_view(op: &Op) -> bool {
    matches!(op, view!())
}
