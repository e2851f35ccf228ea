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
pub const NETWORKS: [Case; 40] = [
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
    ("double", Data::Table, "precision = f64 param = gmp + mn model m(input: [3]) { input -> dense(6) -> relu -> dense(5) -> gelu -> linear(2) }"),
];
