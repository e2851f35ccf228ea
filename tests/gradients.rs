//! Gradients that the devices compute in f64, against finite differences: every parameterization with every activation,
//! every loss, and every kind of layer.

use crate::networks::compiled;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_device_reference::Candle;
use gmpc_runtime::task::gradcheck::gradcheck;

const PARAMS: [&str; 8] = ["sp", "wn", "bn", "gmp", "gmp + mn", "wn + mbn", "sp + mn + mbn", "bn + mn"];
const ACTIVATIONS: [&str; 7] = ["identity", "relu", "leaky_relu(0.1)", "tanh", "sigmoid", "gelu", "softplus"];

/// Compiles a file and checks its gradients on both devices.
fn checks(text: &str) {
    let (module, net) = compiled(text);
    for device in [&Cpu::default() as &dyn Device, &Candle] {
        let report = gradcheck(&module, &net, 5, 11, device).unwrap_or_else(|e| panic!("{text}\n{e:?}"));
        assert!(report.passed(), "{} {text}\n{report:#?}", device.name());
        assert!(report.tensors.iter().all(|t| t.elements > 0), "{} {text}\n{report:#?}", device.name());
    }
}

fn with_loss(model: &str, loss: &str) -> String {
    format!("model test(input: [3]) {{ {model} }} train {{ loss = {loss}  optimizer = sgd(lr = 0.1) }}")
}

#[test]
fn gradients_of_every_parameterization_and_activation_match_differences() {
    for param in PARAMS {
        for activation in ACTIVATIONS {
            let model = format!("input -> dense(4) -> {activation} -> dense(3) -> {activation} -> linear(2)");
            checks(&format!("param = {param} {}", with_loss(&model, "mse")));
        }
    }
}

#[test]
fn gradients_of_the_newer_activations_match_differences() {
    let all =
        ["prelu", "relu6", "elu(0.5)", "selu", "silu", "mish", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu"];
    for activation in all {
        let model = format!("input -> dense(4, param = gmp) -> {activation} -> {activation} -> linear(2)");
        checks(&with_loss(&model, "mse"));
    }
}

#[test]
fn gradients_of_stages_and_of_reparameterizations_match_differences() {
    for stage in ["layer_norm", "rms_norm", "group_norm(2)", "batch_norm", "mean_norm"] {
        checks(&with_loss(&format!("input -> dense(4) -> {stage} -> tanh -> linear(2)"), "mse"));
    }
    for stage in ["layer_norm", "rms_norm", "group_norm(2)", "batch_norm", "instance_norm"] {
        checks(&format!(
            "model test(input: [2, 4, 3]) {{ input -> conv(4, 3) -> {stage} -> silu -> global_avg_pool -> linear(2) }}
            train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
        ));
    }
    for param in
        ["weight_standardization", "centred_weight_norm", "cosine", "spectral", "lora(rank = 2)", "hyperspherical"]
    {
        let model = format!("input -> dense(4, param = {param}) -> tanh -> linear(2)");
        checks(&format!("use std.reparameterization {}", with_loss(&model, "mse")));
    }
}

#[test]
fn gradients_of_every_loss_match_differences() {
    for (loss, outputs) in [("mse", 2), ("mae", 2), ("huber", 2), ("cross_entropy", 4), ("binary_cross_entropy", 1)] {
        checks(&with_loss(&format!("input -> dense(4, param = gmp) -> tanh -> linear({outputs})"), loss));
    }
}

#[test]
fn gradients_go_through_every_kind_of_layer() {
    let model = "a = input -> dense(3) -> tanh
        b = input -> mean_norm -> dropout(0.3)
        c = (a + b) * a - 2 * b -> flatten
        concat(c, a / 3) -> gelu -> linear(2)";
    checks(&with_loss(model, "mse"));
}

#[test]
fn gradients_of_units_with_one_input_match_differences() {
    for param in PARAMS {
        checks(&format!(
            "param = {param}
            model test(input: [1]) {{ input -> dense(4) -> relu -> linear(1) }}
            train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
        ));
    }
}

#[test]
fn gradients_of_image_networks_match_differences() {
    for param in PARAMS {
        checks(&format!(
            "param = {param}
            model test(input: [2, 6, 5]) {{
                residual = input -> conv(3, 3, stride = 2) -> relu -> conv(3, [2, 1])
                shortcut = input -> conv(3, 1, stride = 2, bias = false) -> mean_norm
                sum = residual + shortcut -> relu
                both = concat(sum, residual -> leaky_relu(0.1)) -> max_pool([2, 3], stride = 1, pad = [1, 0])
                concat(both -> avg_pool(2, stride = 1, pad = 1) -> flatten, both -> global_avg_pool) -> linear(4)
            }}
            train {{ loss = cross_entropy  optimizer = sgd(lr = 0.1) }}"
        ));
    }
}

#[test]
fn gradients_of_convolutions_of_every_kind_match_differences() {
    for param in PARAMS {
        checks(&format!(
            "param = {param}
            model test(input: [2, 6, 5]) {{
                input -> conv(4, 3, groups = 2) -> tanh -> conv(4, 3, groups = depthwise, dilation = 2) -> relu
                -> conv(4, [2, 3], stride = 2, dilation = [1, 2], fill = reflect) -> tanh -> upsample(2, bilinear)
                -> conv_transpose(4, 3, stride = 2) -> noise(0.1) -> stochastic_depth(0.2) -> maxout(2)
                -> upsample([1, 2]) -> global_max_pool -> linear(2)
            }}
            train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
        ));
        checks(&format!(
            "param = {param}
            model test(input: [3, 11]) {{
                input -> conv(6, 3, dilation = 3, fill = reflect) -> tanh -> conv(6, 4, stride = 2, groups = 3) -> relu
                -> layer_norm -> conv_transpose(4, 3, stride = 2, pad = 1) -> avg_pool(3, stride = 1, pad = 1)
                -> upsample(2, method = bilinear) -> max_pool(2) -> prelu -> flatten -> linear(2)
            }}
            train {{ loss = mse  optimizer = sgd(lr = 0.1) }}"
        ));
    }
}

#[test]
fn gradients_go_through_the_blocks_of_the_library() {
    for blocks in ["vgg6(2)", "official_vgg6(2)"] {
        for param in ["bn", "gmp", "gmp + mn"] {
            checks(&format!(
                "use std.vgg param = {param} model test(input: [1, 8, 8]) {{ input -> {blocks} -> linear(3) }}
                train {{ loss = cross_entropy  optimizer = sgd(lr = 0.1) }}"
            ));
        }
    }
    let blocks = "stem(2) -> basic(2) -> basic(3, stride = 2) -> bottleneck(1) -> official_basic(4) -> official_bottleneck(2, 2)";
    for param in ["bn", "gmp", "gmp + mn"] {
        checks(&format!(
            "use std.resnet param = {param}
            model test(input: [2, 16, 16]) {{ input -> {blocks} -> global_avg_pool -> linear(3) }}
            train {{ loss = cross_entropy  optimizer = sgd(lr = 0.1) }}"
        ));
    }
}
