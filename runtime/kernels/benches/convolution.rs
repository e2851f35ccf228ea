//! Times of the convolution kernels on the shapes of VGG-6 and ResNet-18, compared with the CPU's peak.
//!
//! `cargo bench -p gmpc-kernels --bench convolution [-- NETWORK [BATCH [THREADS]]]` with NETWORK `vgg6` or `resnet18`.
//! GFLOP/s are nominal: the operations of a direct convolution, with padding, divided by the time. Milliseconds are the
//! median, then the fastest.

use gmpc_kernels::convolution::{
    Algorithm, Direction, Geometry, Prepare, forward, input_gradient, weight_gradient, workspace,
};
use gmpc_kernels::epilogue::Epilogue;
use gmpc_kernels::workers::Workers;
use gmpc_kernels::{Variant, peak_gflops};
use gmpc_math::Precision;
use std::time::Instant;

/// Channels, units, height and width, kernel, stride, pad.
type Layer = [usize; 6];

const VGG6: [Layer; 6] = [
    [3, 128, 32, 3, 1, 1],
    [128, 128, 32, 3, 1, 1],
    [128, 256, 16, 3, 1, 1],
    [256, 256, 16, 3, 1, 1],
    [256, 512, 8, 3, 1, 1],
    [512, 512, 8, 3, 1, 1],
];
const RESNET18: [Layer; 11] = [
    [3, 64, 224, 7, 2, 3],
    [64, 64, 56, 3, 1, 1],
    [64, 128, 56, 3, 2, 1],
    [64, 128, 56, 1, 2, 0],
    [128, 128, 28, 3, 1, 1],
    [128, 256, 28, 3, 2, 1],
    [128, 256, 28, 1, 2, 0],
    [256, 256, 14, 3, 1, 1],
    [256, 512, 14, 3, 2, 1],
    [256, 512, 14, 1, 2, 0],
    [512, 512, 7, 3, 1, 1],
];

fn geometry(batch: usize, [channels, units, size, kernel, stride, pad]: Layer) -> Geometry {
    let out = (size + 2 * pad - kernel) / stride + 1;
    Geometry {
        batch,
        height: size,
        width: size,
        channels,
        out_height: out,
        out_width: out,
        units,
        kernel: [kernel; 2],
        stride: [stride; 2],
        pad: [pad; 2],
    }
}

/// Numbers without a pattern, in [-1, 1).
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Median and fastest time of one direction, in ms.
fn time(g: &Geometry, direction: Direction, algorithm: Algorithm, workers: &Workers) -> (f64, f64) {
    let variant = Variant::best();
    let (mut x, mut w, mut y) = (numbers(g.inputs()), numbers(g.weights()), numbers(g.outputs()));
    let mut memory = vec![0.0_f32; workspace::<f32>(g, direction, algorithm, variant, workers.threads())];
    let mut call = || {
        let (x, w, y, memory) = (x.as_mut_ptr(), w.as_mut_ptr(), y.as_mut_ptr(), memory.as_mut_ptr());
        let (epilogue, prepare) = (Epilogue::none(), Prepare::none());
        let begin = Instant::now();
        // SAFETY: this CPU has the variant. The vectors have the sizes of the geometry, and none overlaps another.
        unsafe {
            match direction {
                Direction::Forward => forward(variant, algorithm, g, x, w, y, epilogue, prepare, memory, workers),
                Direction::Input => input_gradient(variant, algorithm, g, y, w, x, epilogue, memory, workers),
                Direction::Weight => weight_gradient(variant, algorithm, g, x, y, w, prepare, memory, workers),
            }
        }
        begin.elapsed().as_secs_f64() * 1e3
    };
    call();
    let mut times: Vec<f64> = (0..9).map(|_| call()).collect();
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let number =
        |index: usize, default: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    let resnet = arguments.first().is_some_and(|name| name == "resnet18");
    let (layers, batch): (&[Layer], _) = if resnet { (&RESNET18, number(1, 16)) } else { (&VGG6, number(1, 64)) };
    let workers = Workers::new(number(2, 2));
    // The peak is measured in the same process, so that both run at the same clock rate as far as possible.
    let peak = peak_gflops(Precision::F32);
    println!("batch {batch}, {} threads, peak {peak:.0} GFLOP/s a core", workers.threads());
    println!(
        "{:22} {:8} {:10} {:>8} {:>8} {:>8} {:>6} {:>7}",
        "layer", "what", "how", "ms", "fastest", "GFLOP/s", "peak", "MB"
    );
    for layer in layers {
        let g = geometry(batch, *layer);
        let name = format!("{}->{} @{} {}x{}/{}", layer[0], layer[1], layer[2], layer[3], layer[3], layer[4]);
        for direction in [Direction::Forward, Direction::Input, Direction::Weight] {
            for algorithm in [Algorithm::Direct, Algorithm::Winograd2, Algorithm::Winograd4] {
                if !algorithm.fits(&g) {
                    continue;
                }
                let (median, fastest) = time(&g, direction, algorithm, &workers);
                // A multiplication and an addition for each term of each result.
                let flops = 2.0 * (g.outputs() * g.weights() / g.units) as f64;
                let (rate, chosen) = (flops / fastest / 1e6, Algorithm::choose(&g, direction) == algorithm);
                let share = 100.0 * rate / (peak * workers.threads() as f64);
                let mb = 4e-6 * workspace::<f32>(&g, direction, algorithm, Variant::best(), workers.threads()) as f64;
                let (what, how) =
                    (format!("{direction:?}"), format!("{algorithm:?}{}", if chosen { " *" } else { "" }));
                println!("{name:22} {what:8} {how:12} {median:8.2} {fastest:8.2} {rate:8.0} {share:5.0}% {mb:6.1}");
            }
        }
    }
}
