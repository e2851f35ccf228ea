//! Kernels that fusion makes from small graphs, mostly as text.

use super::{Epilogues, fuse};
use crate::ir::axes::Meaning;
use crate::ir::experiment::Precision;
use crate::ir::graph::{Graph, Id, Op, Role, State};
use crate::ir::kernels::{self, Kernels};
use crate::ir::layout::StateLayout;
use crate::ir::window::Window;
use crate::lower::plan::{in_turn, overlap_steps, plan};
use crate::lower::simplify::{prepare, simplify};
use insta::assert_snapshot;

fn fused(build: impl FnOnce(&mut Graph)) -> Kernels {
    let mut graph = Graph::default();
    build(&mut graph);
    let kernels = fuse(&simplify(&graph), Epilogues::Inside, Precision::F32);
    assert_eq!(kernels::verify(&kernels), Ok(()), "{}", kernels::print(&kernels, None));
    kernels
}

fn text(build: impl FnOnce(&mut Graph)) -> String {
    kernels::print(&fused(build), None)
}

fn state(g: &mut Graph, name: &str, shape: &[usize]) -> (usize, Id) {
    let shape = shape.to_vec();
    g.state(State {
        name: name.into(),
        role: Role::Parameter,
        file_shape: shape.clone(),
        shape,
        transposed: false,
        meaning: Meaning::default(),
    })
}

/// A training step of a network with 4 inputs, a hidden layer of 6 units and squared error.
fn step(g: &mut Graph) {
    let (x, target) = (g.input("x", vec![8, 4]), g.input("target", vec![8, 1]));
    let ((w_state, w), (b_state, b)) = (state(g, "w", &[4, 6]), state(g, "b", &[6]));
    let (v_state, v) = state(g, "v", &[6, 1]);
    let pre = g.matmul(x, w, false, false);
    let row = g.reshape(b, &[1, 6]);
    let sum = g.add(pre, row);
    let zero = g.constant(0.0);
    let hidden = g.binary(Op::Max, sum, zero);
    let y = g.matmul(hidden, v, false, false);
    let error = g.sub(y, target);
    let square = g.mul(error, error);
    let loss = g.sum(square, &[0, 1]);
    g.output("loss", loss);
    // The gradients, and plain gradient descent on all parameters.
    let dv = g.matmul(hidden, error, true, false);
    let dh = g.matmul(error, v, false, true);
    let zeros = g.expand(zero, &[8, 6]);
    let mask = g.binary(Op::Less, zeros, sum);
    let dpre = g.select(mask, dh, zero);
    let db = g.sum(dpre, &[0]);
    let dw = g.matmul(x, dpre, true, false);
    for (index, old, gradient) in [(w_state, w, dw), (b_state, b, db), (v_state, v, dv)] {
        let shape = g.shape(old).to_vec();
        let gradient = g.reshape(gradient, &shape);
        let change = g.scale(gradient, 0.125);
        let new = g.sub(old, change);
        g.write(index, new);
    }
}

#[test]
fn a_step_is_two_products_and_three_nests() {
    assert_snapshot!(text(step));
}

#[test]
fn states_of_one_shape_are_updated_in_one_loop_in_place() {
    let kernels = fused(|g| {
        let gradient = g.input("g", vec![3, 5]);
        let ((m_index, m), (w_index, w)) = (state(g, "m", &[3, 5]), state(g, "w", &[3, 5]));
        let kept = g.scale(m, 0.9);
        let new_m = g.add(kept, gradient);
        let root = g.unary(Op::Sqrt, new_m);
        let new_w = g.sub(w, root);
        g.write(m_index, new_m);
        g.write(w_index, new_w);
    });
    assert_snapshot!(kernels::print(&kernels, None), @r"
    for i in 15:
        %0 = m[i]
        %1 = 0.9
        %2 = mul %0 %1
        %3 = g[i]
        %4 = add %2 %3
        %5 = w[i]
        %6 = sqrt %4
        %7 = sub %5 %6
        m[i] = %4
        w[i] = %7
    ");
}

#[test]
fn mean_and_variance_take_a_pass_each() {
    assert_snapshot!(text(|g| {
        let x = g.input("x", vec![8, 3]);
        let mean = g.mean(x, &[0]);
        let centred = g.sub(x, mean);
        let square = g.mul(centred, centred);
        let variance = g.mean(square, &[0]);
        let deviation = g.unary(Op::Sqrt, variance);
        let y = g.div(centred, deviation);
        g.output("y", y);
    }));
}

#[test]
fn a_gradient_shares_the_scan_of_its_unit_vectors() {
    let scans = |angles: usize| {
        text(|g| {
            let (theta, weight) = (g.input("theta", vec![angles, 5]), g.input("g", vec![angles + 1, 5]));
            let u = g.spherical(theta);
            let gradient = g.push(Op::SphericalGrad, vec![theta, weight], vec![angles, 5]);
            g.output("u", u);
            g.output("gradient", gradient);
        })
    };
    assert_snapshot!(scans(40), @r"
    buffer t2: f32[205]
    buffer prefix0: f32[20]
    buffer t3: f32[200]
    t2, prefix0 = spherical theta[40, 5]
    t3 = spherical_grad g, theta, prefix0[40, 5]
    output t2
    output t3
    ");
    // With one group of angles, the scan has no products to save.
    assert_snapshot!(scans(3), @r"
    buffer t2: f32[20]
    buffer t3: f32[15]
    t2 = spherical theta[3, 5]
    t3 = spherical_grad g, theta[3, 5]
    output t2
    output t3
    ");
}

#[test]
fn joined_and_padded_values_are_written_in_place() {
    assert_snapshot!(text(|g| {
        let (a, b) = (g.input("a", vec![2, 3]), g.input("b", vec![2, 2]));
        let joined = g.concat(&[a, b], 1);
        let padded = g.pad(a, 0, 1, 4);
        g.output("joined", joined);
        g.output("padded", padded);
    }));
}

fn is_state(kernels: &Kernels, id: kernels::BufferId) -> bool {
    matches!(kernels.buffers[id.index()].location, kernels::Location::State(_))
}

#[test]
fn swapped_states_go_through_memory() {
    let kernels = fused(|g| {
        let ((a_index, a), (b_index, b)) = (state(g, "a", &[5]), state(g, "b", &[5]));
        g.write(a_index, b);
        g.write(b_index, a);
    });
    // Both old values must be read before the first new value is written.
    let writes_state = |k: &kernels::Kernel| k.work.writes().iter().any(|id| is_state(&kernels, *id));
    let first_write = kernels.kernels.iter().position(writes_state).expect("a write");
    let mut read: Vec<_> = kernels.kernels[..=first_write].iter().flat_map(|k| k.work.reads()).collect();
    read.retain(|id| is_state(&kernels, *id));
    read.dedup();
    assert_eq!(read.len(), 2, "{}", kernels::print(&kernels, None));
}

#[test]
fn buffers_in_use_at_once_never_overlap() {
    for precision in [Precision::F32, Precision::F64] {
        let mut graph = Graph::default();
        step(&mut graph);
        let kernels = fuse(&simplify(&graph), Epilogues::Inside, precision);
        let plan = plan(&kernels, &StateLayout::new(&graph.states));
        assert_eq!(overlap_steps(&kernels, &in_turn(&kernels), &plan), None);
        let total: usize = kernels.buffers.iter().map(kernels::Buffer::bytes).sum();
        assert!(plan.scratch_bytes > 0 && plan.offsets.iter().all(|o| o % 64 == 0 && *o <= total * 64));
        // The check must also reject a wrong plan, otherwise it would prove nothing.
        let wrong = crate::lower::plan::Plan { offsets: vec![0; kernels.buffers.len()], ..plan };
        assert!(overlap_steps(&kernels, &in_turn(&kernels), &wrong).is_some());
    }
}

/// A convolution with bias, ReLU and pooling, and the gradients at its filters and its bias.
fn image_step(g: &mut Graph) {
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    let half = Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] };
    let (x, dy) = (g.input("x", vec![2, 4, 4, 3]), g.input("dy", vec![2, 2, 2, 5]));
    let ((_, w), (_, b)) = (state(g, "w", &[27, 5]), state(g, "b", &[1, 5]));
    let zero = g.constant(0.0);
    let pre = g.convolve(x, w, window, [4, 4]);
    let sum = g.add(pre, b);
    let hidden = g.binary(Op::Max, sum, zero);
    let pooled = g.pool(Op::MaxPool(half), hidden, &[5, 2, 2]);
    g.output("pooled", pooled);
    // Backward: through the pool, through the ReLU as a mask, then to bias, filters and images.
    let dh = g.push(Op::MaxPoolGrad(half), vec![hidden, dy], vec![2, 4, 4, 5]);
    let mask = g.binary(Op::Less, zero, hidden);
    let dpre = g.select(mask, dh, zero);
    let db = g.sum(dpre, &[0, 1, 2]);
    let dw = g.push(Op::ConvolveWeight(window), vec![x, dpre], vec![27, 5]);
    let dx = g.push(Op::ConvolveInput(window), vec![dpre, w], vec![2, 4, 4, 3]);
    for (name, id) in [("db", db), ("dw", dw), ("dx", dx)] {
        g.output(name, id);
    }
}

#[test]
fn a_convolution_takes_its_bias_and_relu_along_and_sums_go_image_by_image() {
    assert_snapshot!(text(image_step));
}

#[test]
fn a_pool_is_its_own_kernel_where_the_results_are_needed() {
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    let pools_with = |size: usize, pool: Window, read: bool| {
        let kernels = fused(|g| {
            let (x, w) = (g.input("x", vec![2, size, size, 3]), g.input("w", vec![27, 5]));
            let y = g.convolve(x, w, window, [size, size]);
            let small = (size - pool.kernel[0]) / pool.stride[0] + 1;
            let largest = g.pool(Op::MaxPool(pool), y, &[5, small, small]);
            g.output("largest", largest);
            if read {
                let doubled = g.scale(y, 2.0);
                g.output("doubled", doubled);
            }
        });
        let inside =
            |kernel: &kernels::Kernel| matches!(&kernel.work, kernels::Work::Convolve(c) if c.pooled.is_some());
        kernels.kernels.iter().any(inside)
    };
    // Only windows of 2 x 2 that cover the images exactly can be computed inside, and only if nothing else reads the
    // results.
    let two = |stride| Window { kernel: [2, 2], stride: [stride; 2], before: [0, 0] };
    assert!(pools_with(4, two(2), false));
    assert!(!pools_with(4, two(2), true), "the results are read");
    assert!(!pools_with(5, two(2), false), "a row is left over");
    assert!(!pools_with(4, two(1), false), "windows overlap");
    assert!(
        !pools_with(6, Window { kernel: [3, 3], stride: [3, 3], before: [0, 0] }, false),
        "windows of another size"
    );
}

/// A convolution with ReLU, the scale of GmP, centring and a max pool. Its gradients need only the largest result of each
/// window.
fn centred_pool_step(g: &mut Graph) {
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    let half = Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] };
    let (x, dy) = (g.input("x", vec![2, 4, 4, 3]), g.input("dy", vec![2, 2, 2, 5]));
    let ((_, w), (_, r)) = (state(g, "w", &[27, 5]), state(g, "r", &[1, 1, 1, 5]));
    let zero = g.constant(0.0);
    let pre = g.convolve(x, w, window, [4, 4]);
    let hidden = g.binary(Op::Max, pre, zero);
    let scaled = g.mul(hidden, r);
    let mean = g.mean(scaled, &[0, 1, 2]);
    let centred = g.sub(scaled, mean);
    let largest = g.pool(Op::MaxPool(half), centred, &[5, 2, 2]);
    // The gradient of centring subtracts the mean of the gradient. The gradient of the scale is the sum of gradient times
    // result.
    let gradient = g.push(Op::MaxPoolGrad(half), vec![centred, dy], vec![2, 4, 4, 5]);
    let total = g.sum(gradient, &[0, 1, 2]);
    let shift = g.scale(total, -1.0 / 32.0);
    let dh = g.add(gradient, shift);
    let product = g.mul(dh, hidden);
    let dr = g.sum(product, &[0, 1, 2]);
    let mask = g.binary(Op::Less, zero, hidden);
    let kept = g.select(mask, dh, zero);
    let dpre = g.mul(kept, r);
    let dx = g.push(Op::ConvolveInput(window), vec![dpre, w], vec![2, 4, 4, 3]);
    for (name, id) in [("largest", largest), ("dr", dr), ("dx", dx)] {
        g.output(name, id);
    }
}

#[test]
fn a_convolution_hands_its_pool_on_and_what_the_gradient_needs() {
    let mut graph = Graph::default();
    centred_pool_step(&mut graph);
    let kernels = fuse(&simplify(&prepare(&simplify(&graph))), Epilogues::Inside, Precision::F32);
    assert_eq!(kernels::verify(&kernels), Ok(()));
    assert_snapshot!(kernels::print(&kernels, None));
}

#[test]
fn an_update_follows_what_it_waits_for() {
    let kernels = fused(|g| {
        let (x, dy) = (g.input("x", vec![8, 4]), g.input("dy", vec![8, 6]));
        let ((a_state, a), (b_state, b)) = (state(g, "a", &[4, 6]), state(g, "b", &[6, 4]));
        let da = g.matmul(x, dy, true, false);
        let before = g.matmul(dy, b, false, false); // reads b, so the update of b must wait for it
        let db = g.matmul(dy, x, true, false);
        for (index, old, gradient) in [(b_state, b, db), (a_state, a, da)] {
            let new = g.sub(old, gradient);
            g.write(index, new);
        }
        g.output("before", before);
    });
    let touched = |kernel: &kernels::Kernel| {
        let name = |id: &kernels::BufferId| kernels.buffers[id.index()].name.clone();
        kernel.work.writes().iter().map(name).collect::<Vec<_>>().join(" ")
    };
    let order: Vec<String> = kernels.kernels.iter().map(touched).collect();
    assert_eq!(order, ["t4", "a", "t5", "t6", "b"], "{}", kernels::print(&kernels, None));
}

#[test]
fn large_nests_have_an_outermost_loop_for_threads() {
    let kernels = fused(|g| {
        let a = g.input("a", vec![64, 32, 32, 8]);
        let doubled = g.scale(a, 2.0);
        g.output("doubled", doubled);
    });
    assert_snapshot!(kernels::print(&kernels, None));
}

/// Sums over all pixels of a convolution's result, and of a gradient at its images, as centring needs them.
fn centred_step(g: &mut Graph) {
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    let (x, dy) = (g.input("x", vec![2, 4, 4, 3]), g.input("dy", vec![2, 4, 4, 5]));
    let ((_, w), (_, b)) = (state(g, "w", &[27, 5]), state(g, "b", &[1, 5]));
    let zero = g.constant(0.0);
    let pre = g.convolve(x, w, window, [4, 4]);
    let sum = g.add(pre, b);
    let hidden = g.binary(Op::Max, sum, zero);
    let total = g.sum(hidden, &[0, 1, 2]);
    let dx = g.push(Op::ConvolveInput(window), vec![dy, w], vec![2, 4, 4, 3]);
    let mean = g.mean(dx, &[0, 1, 2]);
    let centred = g.sub(dx, mean);
    for (name, id) in [("hidden", hidden), ("total", total), ("centred", centred)] {
        g.output(name, id);
    }
}

#[test]
fn a_convolution_sums_its_results_where_it_can() {
    assert_snapshot!(text(centred_step));
    let mut graph = Graph::default();
    centred_step(&mut graph);
    let separate = fuse(&simplify(&graph), Epilogues::Separate, Precision::F32);
    let inside = |kernel: &kernels::Kernel| matches!(&kernel.work, kernels::Work::Convolve(c) if c.sums.is_some());
    assert!(!separate.kernels.iter().any(inside), "{}", kernels::print(&separate, None));
}

/// The gradients at two ReLUs, one before a centred max pool and one before a convolution, both with the scale of GmP.
fn gated_step(g: &mut Graph) {
    let window = Window { kernel: [3, 3], stride: [1, 1], before: [1, 1] };
    let half = Window { kernel: [2, 2], stride: [2, 2], before: [0, 0] };
    let (y, dp, dz) =
        (g.input("y", vec![2, 4, 4, 3]), g.input("dp", vec![2, 2, 2, 3]), g.input("dz", vec![2, 4, 4, 5]));
    let ((_, w), (_, r)) = (state(g, "w", &[27, 5]), state(g, "r", &[1, 3]));
    let zero = g.constant(0.0);
    let h = g.binary(Op::Max, y, zero);
    g.output("h", h);
    let pooled = g.push(Op::MaxPoolGrad(half), vec![h, dp], vec![2, 4, 4, 3]);
    let before = g.push(Op::ConvolveInput(window), vec![dz, w], vec![2, 4, 4, 3]);
    let total = g.sum(dp, &[0, 1, 2]);
    let mean = g.scale(total, -0.25);
    let centred = g.add(pooled, mean);
    // Both gradients have all parts of a ReLU mask: the sum of the product, the mask, the sum of the masked gradient, and
    // the factor.
    for (name, dh) in [("pool", centred), ("convolution", before)] {
        let product = g.mul(dh, h);
        let weighted = g.sum(product, &[0, 1, 2]);
        let mask = g.binary(Op::Less, zero, h);
        let kept = g.select(mask, dh, zero);
        let sum = g.sum(kept, &[0, 1, 2]);
        let scaled = g.mul(kept, r);
        for (what, id) in [("weighted", weighted), ("sum", sum), ("scaled", scaled)] {
            g.output(format!("{what} {name}"), id);
        }
    }
}

#[test]
fn gradients_pass_a_relus_gradient_while_they_are_in_registers() {
    assert_snapshot!(text(gated_step));
    let mut graph = Graph::default();
    gated_step(&mut graph);
    let separate = fuse(&simplify(&graph), Epilogues::Separate, Precision::F32);
    let masked = |kernel: &kernels::Kernel| {
        matches!(&kernel.work, kernels::Work::Convolve(product) if product.relu_mask.is_some())
            || matches!(&kernel.work, kernels::Work::Pool(pool) if pool.relu_mask.is_some())
    };
    assert!(!separate.kernels.iter().any(masked), "{}", kernels::print(&separate, None));
}

#[test]
fn a_gradient_that_something_else_reads_passes_no_relu_mask() {
    let kernels = fused(|g| {
        gated_step(g);
        let gradients: Vec<_> =
            g.ids().filter(|id| matches!(g[*id].op, Op::MaxPoolGrad(_) | Op::ConvolveInput(_))).collect();
        for (index, id) in gradients.into_iter().enumerate() {
            let doubled = g.scale(id, 2.0);
            g.output(format!("doubled {index}"), doubled);
        }
    });
    assert!(!kernels::print(&kernels, None).contains("where 0 <"), "{}", kernels::print(&kernels, None));
}
