#!/usr/bin/env python3
"""Writes golden cases of the library's newer activations, stages and parameterizations, computed by PyTorch in f64.

    python3 tests/golden/definitions/make.py          # needs torch, numpy and safetensors

The format is that of ../cases/README.md, kind `single_step`. What PyTorch has (F.mish, nn.GroupNorm, …) is used as it is; the
parameterizations are written out as their papers define them. Seeds are fixed: the script writes the same numbers again.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

torch.set_default_dtype(torch.float64)
HERE = pathlib.Path(__file__).parent
TOLERANCE = {"forward": 1e-05, "grad": 0.0001}  # of f32; f64 is judged a million times more strictly

ACTIVATIONS = {
    "prelu": None,
    "relu6": F.relu6,
    "elu(0.7)": lambda s: F.elu(s, 0.7),
    "selu": F.selu,
    "silu": F.silu,
    "mish": F.mish,
    # The gradient of `F.hardsigmoid` has 1 / 6 in single precision.
    "hard_sigmoid": lambda s: F.relu6(s + 3) / 6,
    "hard_swish": F.hardswish,
    "hard_tanh": F.hardtanh,
    "leaky_relu(0.1)": lambda s: F.leaky_relu(s, 0.1),
    "gelu": F.gelu,
    "softplus": F.softplus,
}


def draw(seed, *shape, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(*shape, generator=generator)).requires_grad_()


def write(name, source, parameters, buffers, forward, shape):
    """`forward(x, parameters, buffers, train)` returns the output, and in training changes `buffers`."""
    x = draw(1, *shape)
    tensors = {"input": x}
    for key, value in parameters.items():
        tensors[f"param.{key}"] = value
    for key, value in buffers.items():
        tensors[f"buffer.{key}"] = value.clone()
    with torch.no_grad():
        evaluated = forward(x, parameters, {k: v.clone() for k, v in buffers.items()}, False)
    target = draw(2, *evaluated.shape).detach()
    tensors["target"] = target
    tensors["eval.output"] = evaluated
    tensors["eval.loss"] = F.mse_loss(evaluated, target)
    after = {k: v.clone() for k, v in buffers.items()}
    output = forward(x, parameters, after, True)
    output.retain_grad()
    loss = F.mse_loss(output, target)
    loss.backward()
    tensors["train.output"], tensors["train.loss"] = output, loss
    tensors["grad.output"], tensors["grad.input"] = output.grad, x.grad
    for key, value in parameters.items():
        if value.grad is not None:
            tensors[f"grad.{key}"] = value.grad
    for key, value in after.items():
        tensors[f"buffer_after.{key}"] = value
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    body = f"{source}\ntrain {{ loss = mse  optimizer = sgd(lr = 0.1) }}\n"
    meta = {"name": name, "format_version": 1, "kind": "single_step", "loss": "mse", "tolerance": TOLERANCE, "source": body}
    (HERE / f"{name}.json").write_text(json.dumps(meta, indent=1) + "\n")
    save_file(tensors, str(HERE / f"{name}.safetensors"))


def word(call):
    return call.split("(")[0]


def activations():
    for index, (call, function) in enumerate(ACTIVATIONS.items()):
        parameters = {"layer.w": draw(10 + index, 6, 4, scale=2.0), "layer.b": draw(40 + index, 6)}
        if function is None:
            parameters["layer.prelu.slope"] = draw(70, 6, scale=0.3)

        def forward(x, p, _, __, function=function):
            s = F.linear(x, p["layer.w"], p["layer.b"])
            return F.prelu(s, p["layer.prelu.slope"]) if function is None else function(s)

        source = f"model golden(input: [4]) {{ input -> dense(6, param = sp) as layer -> {call} }}"
        write(f"act_{word(call)}", source, parameters, {}, forward, (5, 4))
    images()
    outside()


def images():
    """A learned slope for each channel, in a unit and alone."""
    parameters = {
        "layer.w": draw(90, 3, 2, 3, 3),
        "layer.b": draw(91, 3),
        "layer.prelu.slope": draw(92, 3, scale=0.3),
        "prelu1.slope": draw(93, 3, scale=0.3),
    }

    def forward(x, p, _, __):
        s = F.prelu(F.conv2d(x, p["layer.w"], p["layer.b"], padding=1), p["layer.prelu.slope"])
        return F.prelu(F.silu(s) - 0.1, p["prelu1.slope"])

    flow = "both = input -> conv(3, 3, param = sp) as layer -> prelu -> silu\n    both - 0.1 -> prelu"
    write("act_images", f"model golden(input: [2, 4, 5]) {{\n    {flow}\n}}", parameters, {}, forward, (3, 2, 4, 5))


def outside():
    """An activation of one's own belongs to the unit: `r` of gmp stays outside of it."""
    parameters = {
        "layer.theta": draw(95, 5, 3),
        "layer.lambda": draw(96, 5),
        "layer.r": draw(97, 5),
    }

    def forward(x, p, _, __):
        s = x @ spherical(p["layer.theta"]).T + p["layer.lambda"]
        return p["layer.r"] * torch.where(s > 0, s, 0.5 * torch.sin(s))

    own = "activation wave(s, size = 0.5) { select(s > 0, s, size * sin(s)) }\n"
    write("act_own_of_gmp", own + "model golden(input: [4]) { input -> dense(5, param = gmp) as layer -> wave }", parameters, {}, forward, (6, 4))


def spherical(theta):
    """Unit vectors from angles: cos t1, sin t1 cos t2, …, sin t1 … sin tn."""
    sines = torch.cumprod(torch.sin(theta), dim=1)
    ones = torch.ones(theta.shape[0], 1)
    return torch.cat([ones, sines], dim=1) * torch.cat([torch.cos(theta), ones], dim=1)


def norms():
    row, image = (6, 8), (4, 6, 3, 5)
    pixels = lambda x: x.movedim(1, -1)
    back = lambda x: x.movedim(-1, 1)
    cases = {
        "layer_norm": (lambda x, g, s: F.layer_norm(x, (8,), g, s), row),
        "layer_norm_images": (lambda x, g, s: back(F.layer_norm(pixels(x), (6,), g, s)), image),
        "rms_norm": (lambda x, g, s: F.rms_norm(x, (8,), g, 1e-6), row),
        "rms_norm_images": (lambda x, g, s: back(F.rms_norm(pixels(x), (6,), g, 1e-6)), image),
        "instance_norm_images": (lambda x, g, s: F.instance_norm(x, weight=g, bias=s), image),
        "group_norm": (lambda x, g, s: F.group_norm(x, 2, g, s), row),
        "group_norm_images": (lambda x, g, s: F.group_norm(x, 3, g, s), image),
    }
    for index, (name, (function, shape)) in enumerate(cases.items()):
        features = shape[1]
        stage = name.removesuffix("_images")
        call = {"group_norm": f"group_norm({2 if shape is row else 3})"}.get(stage, stage)
        parameters = {"norm.gain": draw(100 + index, features)}
        if stage != "rms_norm":
            parameters["norm.shift"] = draw(120 + index, features)
        source = f"model golden(input: {list(shape[1:])}) {{ input -> {call} as norm }}"
        forward = lambda x, p, _, __, f=function: f(x, p["norm.gain"], p.get("norm.shift"))
        write(f"stage_{name}", source, parameters, {}, forward, shape)
    for name, shape in [("batch_norm", row), ("batch_norm_images", image)]:
        features = shape[1]
        parameters = {"norm.gain": draw(140, features), "norm.shift": draw(141, features)}
        buffers = {"norm.running_mean": draw(142, features).detach(), "norm.running_var": draw(143, features).detach().abs() + 0.5}

        def forward(x, p, b, train):
            return F.batch_norm(x, b["norm.running_mean"], b["norm.running_var"], p["norm.gain"], p["norm.shift"], train, 0.1, 1e-5)

        write(f"stage_{name}", f"model golden(input: {list(shape[1:])}) {{ input -> batch_norm as norm }}", parameters, buffers, forward, shape)


def parameterizations():
    use = "use std.reparameterization\n"
    flat = lambda w: w.flatten(1)

    def dense(call, layer="layer"):
        return f"{use}model golden(input: [4]) {{ input -> dense(5, param = {call}) as {layer} -> tanh }}"

    def standardized(x, p, _, __):
        w = p["layer.w"]
        variance, mean = torch.var_mean(w, dim=1, correction=0, keepdim=True)
        return torch.tanh(F.linear(x, (w - mean) / torch.sqrt(variance + 1e-5), p["layer.b"]))

    plain = {"layer.w": draw(200, 5, 4), "layer.b": draw(201, 5)}
    write("param_weight_standardization", dense("weight_standardization"), plain, {}, standardized, (6, 4))

    def standardized_images(x, p, _, __):
        w = p["layer.w"]
        variance, mean = torch.var_mean(w, dim=(1, 2, 3), correction=0, keepdim=True)
        return F.relu(F.conv2d(x, (w - mean) / torch.sqrt(variance + 1e-5), p["layer.b"], padding=1))

    source = f"{use}model golden(input: [2, 4, 5]) {{ input -> conv(3, 3, param = weight_standardization) as layer -> relu }}"
    filters = {"layer.w": draw(202, 3, 2, 3, 3), "layer.b": draw(203, 3)}
    write("param_weight_standardization_images", source, filters, {}, standardized_images, (3, 2, 4, 5))

    def centred(x, p, _, __):
        v = p["layer.v"] - p["layer.v"].mean(1, keepdim=True)
        w = p["layer.l"][:, None] * v / v.norm(dim=1, keepdim=True)
        return torch.tanh(F.linear(x, w, p["layer.b"]))

    write("param_centred_weight_norm", dense("centred_weight_norm"), {"layer.v": draw(204, 5, 4), "layer.l": draw(205, 5), "layer.b": draw(206, 5)}, {}, centred, (6, 4))

    def cosine(x, p, _, __):
        w = p["layer.w"]
        squares = F.linear(x * x, torch.ones_like(w))
        return torch.tanh(F.linear(x, w) / (w.norm(dim=1) * torch.sqrt(squares + 1e-12)))

    ones = torch.ones(5, 4)
    write("param_cosine", dense("cosine"), {"layer.w": draw(207, 5, 4)}, {"layer.ones": ones}, cosine, (6, 4))

    def spectral(x, p, b, train):
        w = p["layer.w"]
        if train:
            with torch.no_grad():
                b["layer.v"] = F.normalize(flat(w).T @ b["layer.u"], dim=0)
                b["layer.u"] = F.normalize(flat(w) @ b["layer.v"], dim=0)
        sigma = b["layer.u"] @ flat(w) @ b["layer.v"]
        return torch.tanh(F.linear(x, w / sigma, p["layer.b"]))

    unit = lambda seed, n: F.normalize(draw(seed, n).detach(), dim=0)
    write("param_spectral", dense("spectral"), {"layer.w": draw(208, 5, 4), "layer.b": draw(209, 5)}, {"layer.u": unit(210, 5), "layer.v": unit(211, 4)}, spectral, (6, 4))
    spectral_module()

    def lora(x, p, b, _):
        return torch.tanh(F.linear(x, b["layer.w"] + 0.5 * p["layer.up"] @ p["layer.down"], p["layer.b"]))

    adapted = {"layer.up": draw(212, 5, 2), "layer.down": draw(213, 2, 4), "layer.b": draw(214, 5)}
    write("param_lora", dense("lora(rank = 2, scale = 0.5)"), adapted, {"layer.w": draw(215, 5, 4).detach()}, lora, (6, 4))

    def hyperspherical(x, p, _, __):
        return p["layer.r"] * torch.tanh(x @ spherical(p["layer.theta"]).T + p["layer.lambda"])

    shared = {"layer.theta": draw(216, 5, 3), "layer.lambda": draw(217, 5), "layer.r": draw(218, 1)}
    write("param_hyperspherical", dense("hyperspherical"), shared, {}, hyperspherical, (6, 4))


def spectral_module():
    """The spectral normalization written out above is that of torch.nn.utils.spectral_norm, in the order of the paper's algorithm."""
    torch.manual_seed(0)
    layer = nn.utils.spectral_norm(nn.Linear(4, 5))
    w, u = layer.weight_orig, layer.weight_u.clone()
    x = draw(3, 6, 4)
    found = layer(x)
    v = F.normalize(w.T @ u, dim=0)
    u = F.normalize(w @ v, dim=0)
    assert torch.allclose(found, F.linear(x, w / (u @ w @ v), layer.bias), atol=1e-12)


activations()
norms()
parameterizations()
print(f"{len(list(HERE.glob('*.json')))} cases")
