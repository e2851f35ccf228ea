//! Merges pairs of random kernels, and compares the result with that of a simple list that is searched from end to end
//! each time.

use super::{Aside, Dependencies};
use crate::ir::kernels::{Access, Affine, BufferId, Expr, ExprId, Nest, Store, Work};

/// Pseudo-random numbers below a limit.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn work(reads: &[usize], writes: &[usize]) -> Work {
    let access = |&buffer: &usize| {
        let at = Affine { offset: 0, strides: vec![] };
        Access { buffer: BufferId(u32::try_from(buffer).unwrap()), at }
    };
    let exprs = reads.iter().map(|buffer| Expr::Load(access(buffer))).chain([Expr::Const(0.0)]).collect();
    let stores = writes
        .iter()
        .map(|buffer| Store { access: access(buffer), value: ExprId(0), after_reduction: false })
        .collect();
    Work::Nest(Nest { exprs, stores, ..Nest::default() })
}

/// A kernel of the simple list: its number, and the buffers that it reads and writes.
#[derive(Clone)]
struct Kernel {
    number: usize,
    reads: Vec<usize>,
    writes: Vec<usize>,
}

impl Kernel {
    fn conflicts(&self, other: &Kernel) -> bool {
        let interferes = |a: &[usize], b: &[usize]| a.iter().any(|x| b.contains(x));
        interferes(&self.writes, &other.reads)
            || interferes(&self.writes, &other.writes)
            || interferes(&self.reads, &other.writes)
    }
}

/// The places between two kernels whose kernels depend on the first. `None` if the second one depends on one of those.
fn dependants(all: &[Kernel], first: usize, second: usize) -> Option<Vec<usize>> {
    let mut after: Vec<usize> = Vec::new();
    for place in first + 1..second {
        if all[place].conflicts(&all[first]) || after.iter().any(|&other| all[place].conflicts(&all[other])) {
            after.push(place);
        }
    }
    (!after.iter().any(|&place| all[place].conflicts(&all[second]))).then_some(after)
}

/// The list after two kernels became one: kernels between them that depend on the first move behind the new one.
fn joined(all: &[Kernel], [first, second]: [usize; 2], after: &[usize], merged: Kernel) -> Vec<Kernel> {
    let between = |later: bool| (first + 1..second).filter(move |place| after.contains(place) == later);
    let head = between(false).map(|place| all[place].clone());
    let tail = between(true).map(|place| all[place].clone());
    let ends = (all[..first].to_vec(), all[second + 1..].to_vec());
    ends.0.into_iter().chain(head).chain([merged]).chain(tail).chain(ends.1).collect()
}

#[test]
fn searches_find_what_a_walk_through_all_kernels_finds() {
    let (mut moved_later, mut moved_earlier, mut refused) = (0, 0, 0);
    for seed in 0..12 {
        let mut draw = Draw(seed);
        // Few buffers give long chains of dependent kernels, many buffers give kernels that are independent of each other.
        let (count, buffers) = (400, [150, 400, 1000][usize::try_from(seed).unwrap() % 3]);
        let mut dependencies = Dependencies::new(buffers);
        let mut all: Vec<Kernel> = Vec::new();
        for _ in 0..count {
            let reads: Vec<usize> = (0..draw.below(3)).map(|_| draw.below(buffers)).collect();
            let writes = vec![draw.below(buffers)];
            let number = dependencies.push(&work(&reads, &writes));
            all.push(Kernel { number, reads, writes });
        }
        dependencies.trace();
        for _ in 0..600 {
            let (a, b) = (draw.below(all.len()), draw.below(all.len()));
            let (first, second) = (a.min(b), a.max(b));
            if first == second {
                continue;
            }
            // Both must refuse the same pairs, and lead to the same order of kernels after a merge.
            let expected = dependants(&all, first, second);
            let pair = [all[first].number, all[second].number];
            let aside = dependencies.aside(pair[0], pair[1]);
            assert_eq!(aside.is_some(), expected.is_some(), "seed {seed}, {pair:?}");
            let (Some(aside), Some(after)) = (aside, expected) else {
                refused += 1;
                continue;
            };
            match &aside {
                Aside::Later(kernels) => moved_later += kernels.len(),
                Aside::Earlier(kernels) => moved_earlier += kernels.len(),
            }
            let reads = [&all[first].reads[..], &all[second].reads].concat();
            let writes = [&all[first].writes[..], &all[second].writes].concat();
            let (number, _) = dependencies.merge(pair, &work(&reads, &writes), aside);
            all = joined(&all, [first, second], &after, Kernel { number, reads, writes });
            let order: Vec<usize> = dependencies.order.iter().collect();
            assert_eq!(order, all.iter().map(|kernel| kernel.number).collect::<Vec<_>>(), "seed {seed}, {pair:?}");
        }
    }
    assert!(moved_later > 100 && moved_earlier > 100 && refused > 100, "{moved_later} {moved_earlier} {refused}");
}
