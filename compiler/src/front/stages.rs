//! The names of the built-in stages of a flow.

/// Built-in stages and functions of tensors. A definition cannot have one of these names.
pub(crate) const STAGES: [&str; 10] =
    ["dense", "conv", "linear", "max_pool", "avg_pool", "global_avg_pool", "dropout", "flatten", "repeat", "concat"];

/// Newer built-in stages. A definition of a file that has one of these names takes its place, as files that were written before rely
/// on.
pub(crate) const NEWER: [&str; 6] =
    ["conv_transpose", "global_max_pool", "upsample", "maxout", "noise", "stochastic_depth"];

/// Each of them with its arguments and one line, in the order of [`STAGES`] and [`NEWER`].
pub(crate) const SIGNATURES: [(&str, &str, &str); 16] = [
    ("dense", "dense(units, bias = true, param = …)", "a parameterized layer"),
    (
        "conv",
        "conv(channels, kernel, stride = 1, pad = same, bias = true, param = …, groups = 1, dilation = 1, fill = zeros)",
        "a parameterized convolution: every filter is one unit",
    ),
    ("linear", "linear(units, bias = true)", "the output layer: plain affine, never parameterized"),
    ("max_pool", "max_pool(k, stride = k, pad = 0)", "the largest value of each window, channel by channel"),
    ("avg_pool", "avg_pool(k, stride = k, pad = 0)", "the mean of each window; padding counts as zeros"),
    ("global_avg_pool", "global_avg_pool", "the mean of each channel: an image becomes a row"),
    ("dropout", "dropout(p)", "zeroes with probability `p` in training"),
    ("flatten", "flatten", "to one axis; of images channel by channel, row by row"),
    ("repeat", "repeat(n, stage)", "the stage `n` times, with weights of its own each time"),
    ("concat", "concat(a, b)", "features or channels side by side"),
    (
        "conv_transpose",
        "conv_transpose(channels, kernel, stride = 1, pad = same, bias = true, param = …)",
        "a parameterized transposed convolution: `stride` times as many positions",
    ),
    ("global_max_pool", "global_max_pool", "the largest value of each channel: an image becomes a row"),
    ("upsample", "upsample(factor, method = nearest)", "more positions: each repeated, or `bilinear` between them"),
    ("maxout", "maxout(k)", "the largest of `k` neighbouring features, which become one"),
    ("noise", "noise(deviation)", "adds normal numbers in training"),
    ("stochastic_depth", "stochastic_depth(p)", "zeroes whole examples with probability `p` in training"),
];

/// Activations and stages of the library that blocks cannot replace: files rely on what they mean. Newer ones give way to a block
/// of the file.
pub(crate) const RESERVED: [&str; 8] =
    ["relu", "leaky_relu", "tanh", "sigmoid", "gelu", "softplus", "identity", "mean_norm"];
