//! Networks that every form has to compute: each layer, parameterization and kind of data of the language, up to 200 layers.

/// What goes in and comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Numbers as the network takes them, regression.
    Bare,
    /// A scaled table, scaled targets.
    Table,
    /// A scaled table, classes with a score each.
    Classes,
    /// A scaled table, two classes with one score.
    Binary,
    /// Bytes, classes with a score each.
    Images,
}

/// A name, the data, and a file.
pub type Case = (&'static str, Data, &'static str);

/// All of them.
pub const NETWORKS: [Case; 62] = [
    ("affine", Data::Bare, "model m(input: [3]) { input -> linear(2) }"),
    ("sp_relu", Data::Table, "param = sp model m(input: [3]) { input -> dense(5) -> relu -> linear(2) }"),
    ("sp_leaky", Data::Bare, "param = sp model m(input: [3]) { input -> dense(5) -> leaky_relu(0.2) -> linear(2) }"),
    ("sp_tanh", Data::Classes, "param = sp model m(input: [3]) { input -> dense(5) -> tanh -> linear(4) }"),
    ("sp_sigmoid", Data::Binary, "param = sp model m(input: [3]) { input -> dense(5) -> sigmoid -> linear(1) }"),
    ("sp_gelu", Data::Table, "param = sp model m(input: [3]) { input -> dense(5) -> gelu -> linear(2) }"),
    ("sp_softplus", Data::Table, "param = sp model m(input: [3]) { input -> dense(5) -> softplus -> linear(2) }"),
    ("sp_mn", Data::Table, "param = sp + mn model m(input: [3]) { input -> dense(5) -> relu -> linear(2) }"),
    ("sp_mbn", Data::Table, "param = sp + mbn model m(input: [3]) { input -> dense(5) -> relu -> linear(2) }"),
    ("wn", Data::Table, "param = wn model m(input: [3]) { input -> dense(5) -> relu -> dense(4) -> gelu -> linear(2) }"),
    ("wn_mbn", Data::Classes, "param = wn + mbn model m(input: [3]) { input -> dense(5) -> relu -> dense(4) -> tanh -> linear(3) }"),
    ("bn", Data::Table, "param = bn model m(input: [3]) { input -> dense(5) -> relu -> dense(4, bias = false) -> tanh -> linear(2) }"),
    ("bn_mn", Data::Table, "param = bn + mn model m(input: [3]) { input -> dense(5) -> relu -> linear(2) }"),
    ("gmp", Data::Table, "param = gmp model m(input: [3]) { input -> dense(6) -> relu -> dense(5) -> tanh -> dense(4, bias = false) -> linear(2) }"),
    ("gmp_mn", Data::Classes, "param = gmp + mn model m(input: [3]) { input -> dense(6) -> relu -> dense(5) -> softplus -> linear(3) }"),
    ("gmp_mbn", Data::Binary, "param = gmp + mbn model m(input: [3]) { input -> dense(6) -> relu -> linear(1) }"),
    ("gmp_one_input", Data::Table, "param = gmp model m(input: [1]) { input -> dense(6) -> relu -> linear(1) }"),
    ("gmp_last", Data::Table, "param = gmp model m(input: [3]) { input -> dense(6) -> relu -> dense(2) }"),
    (
        "own",
        Data::Table,
        "parameterization halves(init = he_normal) { w: weight ~ init  inside: unit = 1  outside: unit = 1  b: offset = 0
            s = inside * dot(w, x)  outside * act(s + b) + b }
         param = halves model m(input: [3]) { input -> dense(5) -> relu -> dense(4) -> tanh -> linear(2) }",
    ),
    (
        "residual",
        Data::Table,
        "use std.residual param = gmp model m(input: [3]) { input -> residual(6) -> residual(6) -> relu -> linear(2) }",
    ),
    (
        "arithmetic",
        Data::Table,
        "model m(input: [3]) { a = input -> dense(4) -> tanh  b = input -> dense(4) -> sigmoid
            2 * a + b / (b + 1.5) - a * b - 0.5 + (1 - b) -> linear(2) }",
    ),
    ("over", Data::Bare, "model m(input: [3]) { a = input -> dense(4) -> sigmoid  2 / (a + 1) - a / 4 -> linear(2) }"),
    ("concat", Data::Table, "model m(input: [3]) { a = input -> dense(2) -> tanh  concat(a, input, a) -> linear(2) }"),
    ("dropout", Data::Table, "model m(input: [3]) { input -> dropout(0.1) -> dense(4) -> relu -> dropout(0.5) -> linear(2) -> dropout(0.1) }"),
    ("mean_norm", Data::Table, "model m(input: [3]) { input -> mean_norm -> dense(4) -> relu -> mean_norm(momentum = 0.2) -> linear(2) }"),
    (
        "words",
        Data::Classes,
        "model lambda(input: [3]) { a = input -> dense(4) as class -> relu -> dense(4) as int -> relu  b = a -> dense(4) as scores -> relu
            a + b -> dense(4) as input_mean -> relu -> dense(4) as probabilities -> relu -> dense(3) as torch -> relu
            -> dense(3) as parameters -> relu -> dense(3) as _modules -> relu -> linear(3) as x }",
    ),
    (
        "words_of_definitions",
        Data::Table,
        "activation class(s, x = 2) { lambda: unit = 0.5  forward: layer = 0.1  lambda * sin(x * s) + forward * s }
         stage product(eps: not_negative = 0.1) { t1: feature = 1  self_: feature = 0  t1 * x / (norm(x, over = features) + eps) + self_ }
         parameterization mean(init = he_normal) { number: weight ~ init  scratch: unit = 1
            s = dot(number, x)  scratch * act(s) + act(s + scratch) }
         param = mean + mn model gmp(input: [3]) { input -> product as wn -> dense(4) as known -> class -> dense(4) as double -> class
            -> dense(4) as product -> relu -> linear(2) as Mean }",
    ),
    ("unused", Data::Table, "model m(input: [3]) { a = input -> dense(4) -> relu  b = a -> dense(7)  a -> linear(2) }"),
    ("deep", Data::Table, "param = wn model m(input: [3]) { input -> repeat(199, dense(6) -> leaky_relu(0.5)) -> linear(2) }"),
    ("deep_gmp", Data::Table, "use std.residual param = gmp model m(input: [3]) { input -> repeat(99, residual(5)) -> linear(1) }"),
    ("flat", Data::Images, "model m(input: [3, 5, 4]) { input -> flatten -> dense(6) -> relu -> linear(4) }"),
    (
        "filters",
        Data::Images,
        "param = gmp model m(input: [3, 9, 8]) { input -> conv(5, 3, stride = 2) -> relu -> conv(4, [2, 3], pad = [1, 0]) -> tanh
            -> flatten -> linear(4) }",
    ),
    (
        "centred",
        Data::Images,
        "param = gmp + mn model m(input: [3, 7, 6]) { input -> conv(4, 3) -> relu -> conv(3, [2, 4]) -> softplus -> conv(3, 1) -> relu
            -> global_avg_pool -> linear(4) }",
    ),
    (
        "normed",
        Data::Images,
        "param = bn model m(input: [1, 7, 6]) { input -> conv(4, 3) -> relu -> conv(3, 2, stride = 2, bias = false) -> relu -> mean_norm
            -> global_avg_pool -> linear(4) }",
    ),
    (
        "stretched",
        Data::Images,
        "modifier stretched(momentum = 0.1) { x = 2 * (x - mean(x)) }
         param = wn + stretched model m(input: [3, 6, 5]) { input -> conv(4, 3) -> relu -> flatten -> linear(3) }",
    ),
    ("far", Data::Images, "param = wn model m(input: [3, 4, 5]) { input -> conv(3, 2, pad = 4) -> relu -> flatten -> linear(3) }"),
    (
        "pools",
        Data::Images,
        "param = wn + mbn model m(input: [3, 11, 10]) { input -> conv(4, 3) -> max_pool(3, stride = 2, pad = 1) -> relu
            -> avg_pool(3, stride = 2, pad = [1, 2]) -> max_pool([2, 1], stride = 1, pad = [1, 0]) -> avg_pool([1, 2], stride = [1, 3])
            -> flatten -> linear(5) }",
    ),
    (
        "branches",
        Data::Images,
        "param = gmp model m(input: [3, 6, 6]) { a = input -> conv(3, 3) -> relu -> max_pool(2)  b = input -> avg_pool(2)
            concat(a, b, a) -> conv(3, 3, stride = 2) -> gelu -> flatten -> linear(3) }",
    ),
    (
        "resnet",
        Data::Images,
        "use std.resnet param = gmp + mn model m(input: [3, 16, 16]) { input -> stem(4) -> basic(4) -> basic(8, stride = 2)
            -> bottleneck(2) -> global_avg_pool -> linear(5) }",
    ),
    ("vgg", Data::Images, "use std.vgg param = bn model m(input: [3, 16, 16]) { input -> official_vgg6(4) -> linear(6) }"),
    ("elu_selu", Data::Table, "model m(input: [3]) { input -> dense(5) -> elu(alpha = 0.7) -> dense(4) -> selu -> linear(2) }"),
    ("silu_mish", Data::Table, "param = gmp model m(input: [3]) { input -> dense(5) -> silu -> dense(4) -> mish -> linear(2) }"),
    ("prelu", Data::Table, "param = wn model m(input: [3]) { input -> dense(5) -> prelu -> dense(4) -> prelu(start = 0.5) as p -> linear(2) }"),
    (
        "hard",
        Data::Classes,
        "param = bn model m(input: [3]) { input -> dense(6) -> hard_sigmoid -> dense(5) -> hard_swish -> dense(4) -> hard_tanh
            -> dense(4) -> relu6 -> linear(3) }",
    ),
    (
        "activations_alone",
        Data::Table,
        "model m(input: [3]) { a = input -> dense(4) -> tanh  a + 0.5 -> silu -> prelu -> elu -> hard_swish -> mish -> linear(2) }",
    ),
    (
        "own_activation",
        Data::Binary,
        "activation bent(s, at = 0.3) { slope: unit = 0.7  bend: layer = 0.2
            low = select(s < at and s > -2, sin(s), cos(s) * slope)
            low + sqrt(abs(s) + 1) + log(1 + s^2) - bend * log1p(exp(min(s, 0))) + sign(s) * max(s, bend)^1.5 / (1 + abs(s)) + (s <= 0.1) }
         param = gmp model m(input: [3]) { input -> dense(5) -> bent -> dense(4) -> bent(at = 0) -> linear(1) }",
    ),
    (
        "rows_normed",
        Data::Table,
        "model m(input: [3]) { input -> layer_norm -> dense(8) -> rms_norm -> relu -> dense(8) -> group_norm(groups = 4)
            -> batch_norm(eps = 1e-3) -> tanh -> linear(2) }",
    ),
    (
        "images_normed",
        Data::Images,
        "model m(input: [3, 5, 6]) { input -> instance_norm -> conv(4, 3) -> layer_norm -> relu -> group_norm(groups = 2) -> conv(5, 2)
            -> rms_norm -> batch_norm -> silu -> prelu -> flatten -> linear(3) }",
    ),
    (
        "own_stage",
        Data::Images,
        "stage ranged(momentum = 0.2) { gain: feature = 1  shift: position = 0  all: layer = 0.5
            spread = max(x, over = positions) - min(x, over = [features, positions])
            gain * (x - mean(x)) / (spread + 0.1) + shift + all * norm(x, over = features) / (var(x * 2) + 1) }
         model m(input: [3, 4, 5]) { input -> conv(4, 3) -> ranged -> relu -> flatten -> ranged_row -> linear(2) }
         stage ranged_row { a: feature = 1  a * x - mean(x) / (1 + sum(x^2, over = features)) }",
    ),
    ("standardized", Data::Table, "use std.reparameterization param = weight_standardization model m(input: [3]) { input -> dense(5) -> silu -> linear(2) }"),
    ("centred_wn", Data::Table, "use std.reparameterization param = centred_weight_norm + mn model m(input: [3]) { input -> dense(5) -> relu -> linear(2) }"),
    ("cosine", Data::Table, "use std.reparameterization param = cosine model m(input: [3]) { input -> dense(5) -> tanh -> dense(4) -> silu -> linear(2) }"),
    (
        "cosine_filters",
        Data::Images,
        "use std.reparameterization param = cosine model m(input: [3, 6, 5]) { input -> conv(4, 3) -> relu -> conv(3, [2, 3], pad = [3, 1], stride = [1, 2])
            -> mish -> flatten -> linear(2) }",
    ),
    ("spectral", Data::Classes, "use std.reparameterization param = spectral model m(input: [3]) { input -> dense(5) -> elu -> linear(3) }"),
    ("spectral_filters", Data::Images, "use std.reparameterization param = spectral model m(input: [3, 5, 5]) { input -> conv(4, 3) -> relu -> flatten -> linear(3) }"),
    ("lora", Data::Table, "use std.reparameterization param = lora(rank = 2, scale = 0.5) model m(input: [3]) { input -> dense(5) -> relu -> linear(2) }"),
    ("hyperspherical", Data::Table, "use std.reparameterization param = hyperspherical(radius = 2) model m(input: [3]) { input -> dense(5) -> softplus -> linear(2) }"),
    (
        "two_acts",
        Data::Table,
        "parameterization both(init = he_normal) { w: weight ~ init  v: weight ~ init  b: offset = 0
            s = dot(w, x)  act(s + b) + 0.5 * act(-dot(v, x)) }
         param = both model m(input: [3]) { input -> dense(5) -> silu -> dense(4) -> prelu -> linear(2) }",
    ),
    (
        "own_statistics",
        Data::Table,
        "parameterization whitened(init = he_normal, momentum = 0.3) { w: weight ~ init  g: unit = 1
            s = dot(w, x - mean(x))  g * act(s / sqrt(var(s) + 0.01)) }
         param = whitened model m(input: [3]) { input -> dense(5) -> relu -> linear(2) }",
    ),
    ("bn_mbn", Data::Images, "param = bn + mn model m(input: [3, 5, 5]) { input -> conv(4, 3) -> silu -> conv(3, 2) -> prelu -> global_avg_pool -> linear(2) }"),
    (
        "double_defined",
        Data::Table,
        "use std.reparameterization precision = f64 param = cosine
         model m(input: [3]) { input -> layer_norm -> dense(6) -> prelu -> dense(5) -> mish -> group_norm(groups = 5) -> linear(2) }",
    ),
    ("double", Data::Table, "precision = f64 param = gmp + mn model m(input: [3]) { input -> dense(6) -> relu -> dense(5) -> gelu -> linear(2) }"),
];
