//! Each rule rejects a plan that breaks it. The sweep finds the same overlaps as a comparison of all pairs.

use super::{Planned, overlap_steps};
use crate::ir::axes::Meaning;
use crate::ir::experiment::Precision;
use crate::ir::graph::{Role, State};
use crate::ir::kernels::{
    Access, Affine, Buffer, BufferId, Dtype, Expr, Kernel, Kernels, Location, Nest, Store, Uniform, Work,
};
use crate::ir::layout::StateLayout;
use crate::lower::plan::{Plan, in_turn, live_ranges, plan, reuse};
use crate::math::philox::philox;
use crate::stage::Made;

/// A map from one buffer to another, each of 16 numbers.
fn map(from: u32, to: u32) -> Kernel {
    let at = Affine { offset: 0, strides: vec![1] };
    let access = |buffer| Access { buffer: BufferId(buffer), at: at.clone() };
    let mut nest = Nest { space: vec![16], reduced: vec![false], ..Nest::default() };
    let value = nest.push(Expr::Load(access(from)));
    nest.stores.push(Store { access: access(to), value, after_reduction: false });
    Kernel { work: Work::Nest(nest), span: None }
}

fn buffer(name: &str, location: Location) -> Buffer {
    Buffer { name: name.into(), elements: 16, location, dtype: Dtype::F32 }
}

/// x -> t2 -> t3 -> w, and random numbers into t4.
fn kernels() -> Kernels {
    let places = [Location::Input(0), Location::State(0), Location::Scratch, Location::Scratch, Location::Scratch];
    let buffers =
        ["x", "w", "t2", "t3", "t4"].iter().zip(places).map(|(name, location)| buffer(name, location)).collect();
    let draw = Kernel { work: Work::Uniform(Uniform { stream: 0, target: BufferId(4) }), span: None };
    let kernels = vec![map(0, 2), map(2, 3), draw, map(3, 1)];
    Kernels { buffers, kernels, outputs: vec![BufferId(4)], precision: Precision::F32 }
}

fn states() -> StateLayout {
    let (name, role, shape) = ("w".to_string(), Role::Parameter, vec![16]);
    StateLayout::new(&[State {
        name,
        role,
        file_shape: shape.clone(),
        shape,
        transposed: false,
        meaning: Meaning::default(),
    }])
}

/// The verdict on a valid plan after a change.
fn said(change: impl FnOnce(&mut Plan)) -> Result<(), String> {
    let (kernels, states) = (kernels(), states());
    let mut plan = plan(&kernels, &states);
    change(&mut plan);
    let planned = Planned { plan, kernels: &kernels, steps: &in_turn(&kernels), states: &states };
    assert!(planned.print(None).contains("steps"));
    planned.verify()
}

#[test]
fn each_rule_catches_what_breaks_it() {
    assert_eq!(said(|_| {}), Ok(()));
    type Broken = (&'static str, fn(&mut Plan));
    let broken: [Broken; 6] = [
        ("does not lie where the states' layout says", |plan| plan.offsets[1] = 64),
        ("leaves scratch memory", |plan| plan.offsets[3] = plan.scratch_bytes),
        ("does not begin on a cache line", |plan| plan.offsets[2] += 4),
        ("leaves scratch memory", |plan| plan.random = Some(0)),
        ("the random key leaves scratch memory", |plan| plan.random = Some(plan.scratch_bytes)),
        ("in use at once and share memory", |plan| plan.offsets[3] = plan.offsets[0]),
    ];
    for (rule, change) in broken {
        let said = said(change).expect_err(rule);
        assert!(said.contains(rule), "expected `{rule}`, found `{said}`");
    }
}

#[test]
fn a_buffer_may_take_the_place_of_one_that_is_read_for_the_last_time() {
    let kernels = kernels();
    let plan = plan(&kernels, &states());
    assert_eq!(plan.offsets[3], plan.offsets[2], "t3 replaces t2, number by number");
    assert_eq!(overlap_steps(&kernels, &in_turn(&kernels), &plan), None);
}

/// Compares every pair of buffers.
fn any_pair(kernels: &Kernels, steps: &[usize], plan: &Plan) -> bool {
    let live_ranges = live_ranges(kernels, steps);
    let owners = reuse(kernels, steps, &live_ranges);
    let range = |i: usize| (plan.offsets[i], plan.offsets[i] + kernels.buffers[i].bytes());
    let pairs = (0..live_ranges.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    pairs.into_iter().any(|(a, b)| {
        let (Some(live_a), Some(live_b)) = (live_ranges[a], live_ranges[b]) else { return false };
        let ((a0, a1), (b0, b1)) = (range(a), range(b));
        let replaces = owners[a] == owners[b] && range(a) == range(b);
        !replaces && live_a.0 <= live_b.1 && live_b.0 <= live_a.1 && a0 < b1 && b0 < a1
    })
}

#[test]
fn the_sweep_finds_an_overlap_where_some_pair_overlaps() {
    let mut found = [0, 0];
    for case in 0..400 {
        let word = |i: u32| philox([i, case, 0, 0], [7, 7])[0];
        let count = 4 + word(0) % 12;
        let buffers =
            (0..count).map(|i| Buffer { elements: 16, ..buffer(&format!("t{i}"), Location::Scratch) }).collect();
        let chosen = |i: u32| word(i) % count;
        let pairs = (0..count + 4).map(|i| (chosen(100 + i), chosen(200 + i))).filter(|(from, to)| from != to);
        let all = pairs.map(|(from, to)| map(from, to)).collect();
        let kernels = Kernels { buffers, kernels: all, outputs: vec![], precision: Precision::F32 };
        let (steps, states) = (in_turn(&kernels), StateLayout::new(&[]));
        let mut plan = plan(&kernels, &states);
        assert!(!any_pair(&kernels, &steps, &plan));
        assert_eq!(overlap_steps(&kernels, &steps, &plan), None);
        // One buffer is moved forward by half of its size. Whether it overlaps another one now depends on what lies there.
        plan.offsets[chosen(300) as usize] += 32;
        let overlaps = any_pair(&kernels, &steps, &plan);
        let swept = overlap_steps(&kernels, &steps, &plan);
        assert_eq!(swept.is_some(), overlaps, "case {case}: {swept:?}");
        found[usize::from(overlaps)] += 1;
    }
    assert!(found[0] > 20 && found[1] > 20, "both happen: {found:?}");
}
