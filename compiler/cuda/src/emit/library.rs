//! Matmuls and convolutions as launches that a library computes.

use crate::launch::{self, Convolution, Operand, Work};
use crate::layout::Layout;
use gmpc_compiler::ir::kernels::{BufferId, Convolve, MatMul, Matrix, Pass};

/// The number of window positions, of channels, and of units.
pub(crate) fn sizes(convolution: &Convolve) -> [usize; 3] {
    [convolution.window.area(), convolution.images[3], convolution.result[2]]
}

/// Is the convolution a matmul of pixels and filters?
pub(crate) fn is_matmul(convolution: &Convolve) -> bool {
    convolution.window.is_pointwise()
}

/// `convolve`, `convolve_input`, `convolve_weight`
pub(crate) fn word(pass: Pass) -> &'static str {
    match pass {
        Pass::Forward => "convolve",
        Pass::BackwardData => "convolve_input",
        Pass::BackwardFilter => "convolve_weight",
    }
}

/// A matmul as a launch.
pub(crate) fn matmul(layout: &Layout, MatMul { m, n, k, a, b, c, bias, relu }: &MatMul) -> Work {
    let operand = |matrix: &Matrix, written: bool| Operand {
        region: layout.region(matrix.buffer, !written, written),
        offset: matrix.offset,
        rows: matrix.rows,
        columns: matrix.columns,
    };
    let row = |&(buffer, offset): &(BufferId, usize)| operand(&Matrix { buffer, offset, rows: *n, columns: 1 }, false);
    Work::MatMul(launch::MatMul {
        m: *m,
        n: *n,
        k: *k,
        a: operand(a, false),
        b: operand(b, false),
        c: operand(c, true),
        bias: bias.as_ref().map(row),
        relu: *relu,
        contractions: layout.contractions,
    })
}

/// A convolution as a launch.
pub(crate) fn convolution(layout: &Layout, convolution: &Convolve) -> Work {
    if is_matmul(convolution) {
        return self::matmul(layout, &pointwise(convolution));
    }
    Work::Convolution(Convolution {
        pass: convolution.pass,
        window: convolution.window,
        images: convolution.images,
        result: convolution.result,
        a: layout.region(convolution.a, true, false),
        b: layout.region(convolution.b, true, false),
        c: layout.region(convolution.c, false, true),
        bias: convolution.bias.map(|bias| layout.region(bias, true, false)),
        relu: convolution.relu,
        contractions: layout.contractions,
    })
}

/// A 1 x 1 convolution as a matmul: pixels `[n h w, channels]`, filters `[channels, units]`, results `[n h w, units]`.
fn pointwise(convolution: &Convolve) -> MatMul {
    let [_, channels, units] = sizes(convolution);
    let pixels: usize = convolution.images[..3].iter().product();
    let plain = |buffer: BufferId, columns: usize| Matrix { buffer, offset: 0, rows: columns, columns: 1 };
    let transposed = |buffer: BufferId, rows: usize| Matrix { buffer, offset: 0, rows: 1, columns: rows };
    let (m, n, k, a, b, c) = match convolution.pass {
        Pass::Forward => (pixels, units, channels, plain(convolution.a, channels), plain(convolution.b, units), units),
        Pass::BackwardData => {
            (pixels, channels, units, plain(convolution.a, units), transposed(convolution.b, units), channels)
        }
        Pass::BackwardFilter => {
            (channels, units, pixels, transposed(convolution.a, channels), plain(convolution.b, units), units)
        }
    };
    let bias = convolution.bias.map(|bias| (bias, 0));
    MatMul { m, n, k, a, b, c: plain(convolution.c, c), bias, relu: convolution.relu }
}
