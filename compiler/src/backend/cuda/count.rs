//! How much a step moves and how often it launches: counted, not measured.

use super::launch::{Program, Work};
use crate::experiment::Precision;
use crate::graph::{Graph, Op};

/// What one run of a program amounts to.
///
/// Bytes are distinct numbers that each launch reads and writes, wherever they come from: what caches save is not taken off,
/// what a library reads twice is not added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kernels of the source, and the passes that follow libraries' calls which do not add a bias and rectify themselves.
    pub kernels: usize,
    /// Matrix products and convolutions, which libraries compute.
    pub libraries: usize,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

impl Counts {
    /// Everything that is launched.
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
    /// Counts its launches.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for launch in &self.launches {
            match launch.work {
                Work::Kernel(_) => counts.kernels += 1,
                Work::Product(_) | Work::Convolution(_) => counts.libraries += 1,
            }
            let apart = launch.work.finished_apart(self.precision).unwrap_or(0);
            counts.kernels += usize::from(apart > 0);
            counts.read_bytes = counts.read_bytes.saturating_add(launch.read_bytes).saturating_add(apart);
            counts.written_bytes = counts.written_bytes.saturating_add(launch.written_bytes).saturating_add(apart);
        }
        counts
    }
}

impl Work {
    /// Bytes that a pass of its own reads, and writes, after a library's call: in single precision libraries add the bias and
    /// rectify in the call, in double precision they do not.
    fn finished_apart(&self, precision: Precision) -> Option<u64> {
        let (follows, c) = match self {
            Work::Kernel(_) => return None,
            Work::Product(product) => (product.bias.is_some() || product.relu, product.c.region),
            Work::Convolution(product) => (product.bias.is_some() || product.relu, product.c),
        };
        (follows && precision == Precision::F64).then_some(c.bytes as u64)
    }
}

/// The same graph with a launch for each operation, as a framework without a compiler would run it: every operation reads its
/// operands and writes its result; reshapes, broadcasts, transposes and slices are free views.
#[must_use]
pub fn one_by_one(graph: &Graph, precision: Precision) -> Counts {
    let bytes = |elements: usize| (elements as u64).saturating_mul(precision.bytes() as u64);
    let mut counts = Counts::default();
    let size = |id: crate::graph::Id| {
        let mut id = id;
        while is_view(&graph[id].op) {
            id = graph[id].inputs[0];
        }
        graph.shape(id).iter().product::<usize>()
    };
    for node in &graph.nodes {
        match &node.op {
            Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) => continue,
            op if is_view(op) => continue,
            Op::MatMul { .. } | Op::Convolve(_) | Op::ConvolveInput(_) | Op::ConvolveWeight(_) => {
                counts.libraries += 1;
            }
            _ => counts.kernels += 1,
        }
        let read = node.inputs.iter().fold(0_usize, |sum, &id| sum.saturating_add(size(id)));
        counts.read_bytes = counts.read_bytes.saturating_add(bytes(read));
        counts.written_bytes = counts.written_bytes.saturating_add(bytes(node.shape.iter().product()));
    }
    counts
}

fn is_view(op: &Op) -> bool {
    matches!(op, Op::Reshape | Op::Transpose(_) | Op::Broadcast | Op::Slice { .. })
}
