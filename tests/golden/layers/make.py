#!/usr/bin/env python3
"""Writes golden cases of layers, computed by PyTorch in f64: convolutions of every kind, pools, upsampling and maxout.

    python3 tests/golden/layers/make.py          # needs torch, numpy and safetensors

The format is that of ../cases/README.md, kind `single_step`. Weights of transposed convolutions are `[units, channels, …]` here, and
`[channels, units, …]` in PyTorch. Seeds are fixed: the script writes the same numbers again.
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
HERE = pathlib.Path(__file__).parent
TOLERANCE = {"forward": 1e-05, "grad": 0.0001}  # of f32; f64 is judged a million times more strictly


def draw(seed, *shape, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(*shape, generator=generator)).requires_grad_()


def write(name, flow, parameters, forward, shape, head="", buffers=None):
    """`forward(x, parameters)` returns the output; `buffers` are means, which a training step changes."""
    x = draw(1, *shape)
    source = f"{head}model golden(input: {list(shape[1:])}) {{ input -> {flow} }}"
    tensors = {"input": x} | {f"param.{key}": value for key, value in parameters.items()}
    with torch.no_grad():
        evaluated = forward(x, parameters, False)
    target = draw(2, *evaluated.shape).detach()
    output = forward(x, parameters, True)
    output.retain_grad()
    loss = F.mse_loss(output, target)
    loss.backward()
    tensors |= {"target": target, "eval.output": evaluated, "eval.loss": F.mse_loss(evaluated, target)}
    tensors |= {"train.output": output, "train.loss": loss, "grad.output": output.grad, "grad.input": x.grad}
    tensors |= {f"grad.{key}": value.grad for key, value in parameters.items()}
    for key, (before, after) in (buffers or {}).items():
        tensors |= {f"buffer.{key}": before, f"buffer_after.{key}": after(x)}
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    body = f"{source}\ntrain {{ loss = mse  optimizer = sgd(lr = 0.1) }}\n"
    meta = {"name": name, "format_version": 1, "kind": "single_step", "loss": "mse", "tolerance": TOLERANCE, "source": body}
    (HERE / f"{name}.json").write_text(json.dumps(meta, indent=1) + "\n")
    save_file(tensors, str(HERE / f"{name}.safetensors"))


def unit_vectors(theta):
    """Unit vectors from angles: cos t1, sin t1 cos t2, …, sin t1 … sin tn."""
    sines = torch.cumprod(torch.sin(theta), dim=1)
    ones = torch.ones(theta.shape[0], 1)
    return torch.cat([ones, sines], dim=1) * torch.cat([torch.cos(theta), ones], dim=1)


def plain(seed, *weight):
    return {"layer.w": draw(seed, *weight), "layer.b": draw(seed + 1, weight[0])}


def convolutions():
    image = (3, 4, 7, 6)
    cases = {
        # name: arguments, shape of the weight, arguments of conv2d
        "groups": ("6, 3, groups = 2", (6, 2, 3, 3), dict(groups=2, padding=1)),
        "groups_stride": ("6, 3, stride = 2, pad = 1, groups = 2", (6, 2, 3, 3), dict(groups=2, padding=1, stride=2)),
        "depthwise": ("4, 3, groups = depthwise", (4, 1, 3, 3), dict(groups=4, padding=1)),
        "depthwise_several": ("8, 3, groups = depthwise", (8, 1, 3, 3), dict(groups=4, padding=1)),
        "depthwise_stride": ("8, [3, 2], stride = [2, 3], pad = [1, 0], groups = 4", (8, 1, 3, 2), dict(groups=4, padding=(1, 0), stride=(2, 3))),
        "dilation": ("5, 3, dilation = 2", (5, 4, 3, 3), dict(dilation=2, padding=2)),
        "dilation_uneven": ("5, [2, 3], pad = [1, 2], dilation = [3, 2]", (5, 4, 2, 3), dict(dilation=(3, 2), padding=(1, 2))),
        "dilation_stride": ("5, 3, stride = 2, pad = 2, dilation = 2", (5, 4, 3, 3), dict(dilation=2, padding=2, stride=2)),
        "dilation_groups": ("8, 3, dilation = 2, groups = 2", (8, 2, 3, 3), dict(dilation=2, padding=2, groups=2)),
        "dilation_depthwise": ("4, 3, dilation = [1, 2], groups = 4", (4, 1, 3, 3), dict(dilation=(1, 2), padding=(1, 2), groups=4)),
        "padding_beyond": ("3, 2, pad = 3, dilation = 2", (3, 4, 2, 2), dict(dilation=2, padding=3)),
    }
    for index, (name, (call, weight, arguments)) in enumerate(cases.items()):
        forward = lambda x, p, _, a=arguments: torch.tanh(F.conv2d(x, p["layer.w"], p["layer.b"], **a))
        write(f"conv_{name}", f"conv({call}, param = sp) as layer -> tanh", plain(10 + 2 * index, *weight), forward, image)

    def reflected(pad, **arguments):
        return lambda x, p, _: torch.tanh(F.conv2d(F.pad(x, pad, mode="reflect"), p["layer.w"], p["layer.b"], **arguments))

    write("conv_reflect", "conv(5, [3, 5], fill = reflect, param = sp) as layer -> tanh", plain(50, 5, 4, 3, 5), reflected((2, 2, 1, 1)), image)
    # An odd pixel of padding comes last: 7 rows with stride 2 need 2 rows, 6 columns need 1.
    stride = "conv(5, 3, stride = 2, fill = reflect, param = sp) as layer -> tanh"
    write("conv_reflect_stride", stride, plain(52, 5, 4, 3, 3), reflected((0, 1, 1, 1), stride=2), image)
    both = "conv(4, 3, fill = reflect, dilation = 2, groups = 4, param = sp) as layer -> tanh"
    write("conv_reflect_dilation", both, plain(54, 4, 1, 3, 3), reflected((2, 2, 2, 2), dilation=2, groups=4), image)


def parameterized():
    """The fan-in of a grouped convolution is that of a group, and angles are one less. `mn` moves the image before padding."""
    theta, offset, radius = draw(60, 6, 2 * 9 - 1), draw(61, 6), draw(62, 6)
    parameters = {"layer.theta": theta, "layer.lambda": offset, "layer.r": radius}
    radial = lambda p: p["layer.r"][:, None, None]

    def gmp(x, p, _):
        w = unit_vectors(p["layer.theta"]).reshape(6, 2, 3, 3)
        return radial(p) * F.relu(F.conv2d(x, w, p["layer.lambda"], padding=1, groups=2))

    write("gmp_groups", "conv(6, 3, groups = 2, param = gmp) as layer -> relu", parameters, gmp, (3, 4, 7, 6))

    v, length, b = draw(63, 4, 1, 3, 3), draw(64, 4), draw(65, 4)

    def wn(x, p, _):
        w = p["layer.l"][:, None, None, None] * p["layer.v"] / p["layer.v"].flatten(1).norm(dim=1)[:, None, None, None]
        return torch.tanh(F.conv2d(x, w, p["layer.b"], padding=2, dilation=2, groups=4))

    depthwise = "conv(4, 3, groups = 4, dilation = 2, param = wn) as layer -> tanh"
    write("wn_depthwise", depthwise, {"layer.v": v, "layer.l": length, "layer.b": b}, wn, (3, 4, 7, 6))

    theta, offset, radius = draw(66, 3, 4 * 9 - 1), draw(67, 3), draw(68, 3)
    parameters = {"layer.theta": theta, "layer.lambda": offset, "layer.r": radius}

    def transposed(x, p, _):
        w = unit_vectors(p["layer.theta"]).reshape(3, 4, 3, 3).transpose(0, 1)
        return radial(p) * F.relu(F.conv_transpose2d(x, w, p["layer.lambda"], stride=2, padding=1))

    write("gmp_transposed", "conv_transpose(3, 3, stride = 2, pad = 1, param = gmp) as layer -> relu", parameters, transposed, (3, 4, 4, 5))

    mean = draw(69, 4).detach()
    weight = {"layer.w": draw(70, 4, 1, 3, 3), "layer.b": draw(71, 4)}

    def centred(x, p, train):
        m = x.mean((0, 2, 3), keepdim=True) if train else mean[:, None, None]
        return torch.tanh(F.conv2d(x - m, p["layer.w"], p["layer.b"], padding=1, groups=4))

    after = lambda x: 0.9 * mean + 0.1 * x.mean((0, 2, 3))
    flow = "conv(4, 3, groups = 4, param = sp + mn) as layer -> tanh"
    write("mn_depthwise", flow, weight, centred, (3, 4, 5, 6), buffers={"layer.running_mean": (mean, after)})


def transposed():
    cases = {
        "plain": ("3, 3, pad = 0", (3, 4, 3, 3), dict()),
        "stride": ("3, 4, stride = 2, pad = 1", (3, 4, 4, 4), dict(stride=2, padding=1)),
        "uneven": ("5, [2, 3], stride = [2, 1], pad = [0, 1]", (5, 4, 2, 3), dict(stride=(2, 1), padding=(0, 1))),
        "gaps": ("3, 1, stride = 3, pad = 0", (3, 4, 1, 1), dict(stride=3)),
        # `same` gives twice as many: PyTorch calls the row and column at the end `output_padding`.
        "same": ("3, 3, stride = 2", (3, 4, 3, 3), dict(stride=2)),
    }
    for index, (name, (call, weight, arguments)) in enumerate(cases.items()):

        def forward(x, p, _, a=arguments, same=name == "same"):
            y = F.conv_transpose2d(x, p["layer.w"].transpose(0, 1), p["layer.b"], **a)
            return torch.tanh(y[..., : 2 * x.shape[2], : 2 * x.shape[3]] if same else y)

        write(f"transposed_{name}", f"conv_transpose({call}, param = sp) as layer -> tanh", plain(100 + 2 * index, *weight), forward, (3, 4, 4, 5))


def without_parameters():
    image = (3, 4, 6, 5)
    up = lambda factor, mode: lambda x, p, _: F.interpolate(x, scale_factor=factor, mode=mode)
    cases = {
        "upsample_nearest": ("upsample([2, 3])", up((2, 3), "nearest")),
        "upsample_bilinear": ("upsample(2, method = bilinear)", up(2, "bilinear")),
        "upsample_bilinear_uneven": ("upsample([3, 4], method = bilinear)", up((3, 4), "bilinear")),
        "global_max_pool": ("global_max_pool", lambda x, p, _: x.amax((2, 3))),
        "maxout_images": ("maxout(2)", lambda x, p, _: x.reshape(3, 2, 2, 6, 5).amax(2)),
        "avg_pool_padded": ("avg_pool([3, 2], stride = 2, pad = 1)", lambda x, p, _: F.avg_pool2d(x, (3, 2), 2, 1)),
        "max_pool_padded": ("max_pool([3, 2], stride = [1, 2], pad = 1)", lambda x, p, _: F.max_pool2d(x, (3, 2), (1, 2), 1)),
    }
    for name, (flow, forward) in cases.items():
        write(name, flow, {}, forward, image)
    write("maxout_row", "dense(6, param = sp) as layer -> maxout(3)", plain(130, 6, 4), lambda x, p, _: F.linear(x, p["layer.w"], p["layer.b"]).reshape(-1, 2, 3).amax(2), (5, 4))


def series():
    """One axis of positions. Outputs are rows, in the order of files."""
    shape = (4, 3, 12)
    conv = {
        "conv": ("conv(5, 4, param = sp)", (5, 3, 4), lambda x, w, b: F.conv1d(F.pad(x, (1, 2)), w, b)),
        "conv_dilation": ("conv(5, 3, dilation = 4, param = sp)", (5, 3, 3), lambda x, w, b: F.conv1d(x, w, b, padding=4, dilation=4)),
        "conv_stride": ("conv(5, 3, stride = 2, pad = 1, param = sp)", (5, 3, 3), lambda x, w, b: F.conv1d(x, w, b, padding=1, stride=2)),
        "conv_depthwise": ("conv(6, 3, groups = depthwise, param = sp)", (6, 1, 3), lambda x, w, b: F.conv1d(x, w, b, padding=1, groups=3)),
        "conv_reflect": ("conv(5, 5, fill = reflect, param = sp)", (5, 3, 5), lambda x, w, b: F.conv1d(F.pad(x, (2, 2), mode="reflect"), w, b)),
        "conv_transpose": ("conv_transpose(5, 4, stride = 2, pad = 1, param = sp)", (5, 3, 4), lambda x, w, b: F.conv_transpose1d(x, w.transpose(0, 1), b, stride=2, padding=1)),
    }
    for index, (name, (call, weight, function)) in enumerate(conv.items()):
        forward = lambda x, p, _, f=function: torch.tanh(f(x, p["layer.w"], p["layer.b"])).flatten(1)
        write(f"series_{name}", f"{call} as layer -> tanh -> flatten", plain(150 + 2 * index, *weight), forward, shape)
    pools = {
        "max_pool": ("max_pool(3, stride = 2, pad = 1) -> flatten", lambda x, p, _: F.max_pool1d(x, 3, 2, 1).flatten(1)),
        "avg_pool": ("avg_pool(3, stride = 2, pad = 1) -> flatten", lambda x, p, _: F.avg_pool1d(x, 3, 2, 1).flatten(1)),
        "global_avg_pool": ("global_avg_pool", lambda x, p, _: x.mean(2)),
        "global_max_pool": ("global_max_pool", lambda x, p, _: x.amax(2)),
        "upsample_nearest": ("upsample(3) -> flatten", lambda x, p, _: F.interpolate(x, scale_factor=3).flatten(1)),
        "upsample_linear": ("upsample(3, method = bilinear) -> flatten", lambda x, p, _: F.interpolate(x, scale_factor=3, mode="linear").flatten(1)),
        "flatten": ("flatten", lambda x, p, _: x.flatten(1)),
        "concat": ("tanh -> join", lambda x, p, _: torch.cat([torch.tanh(x), torch.tanh(x) ** 2], 1).flatten(1)),
    }
    for name, (flow, forward) in pools.items():
        head = "block join { concat(input, input * input) -> flatten }\n" if name == "concat" else ""
        write(f"series_{name}", flow, {}, forward, shape, head)
    norm = {"norm.gain": draw(190, 3), "norm.shift": draw(191, 3)}
    layer = lambda x, p, _: F.layer_norm(x.transpose(1, 2), (3,), p["norm.gain"], p["norm.shift"]).transpose(1, 2).flatten(1)
    write("series_layer_norm", "layer_norm as norm -> flatten", norm, layer, shape)
    mean, variance = draw(192, 5).detach(), draw(193, 5).detach().abs() + 0.5
    batch = {"layer.w": draw(194, 5, 3, 3), "layer.gamma": draw(195, 5), "layer.beta": draw(196, 5)}

    def bn(x, p, train):
        s = F.conv1d(x, p["layer.w"], padding=1)
        return F.relu(F.batch_norm(s, mean.clone(), variance.clone(), p["layer.gamma"], p["layer.beta"], train, 0.1, 1e-5)).flatten(1)

    s = lambda x: F.conv1d(x, batch["layer.w"], padding=1)
    buffers = {
        "layer.running_mean": (mean, lambda x: 0.9 * mean + 0.1 * s(x).mean((0, 2))),
        "layer.running_var": (variance, lambda x: 0.9 * variance + 0.1 * s(x).transpose(0, 1).flatten(1).var(1)),
    }
    write("series_bn", "conv(5, 3, param = bn) as layer -> relu -> flatten", batch, bn, shape, buffers=buffers)


convolutions()
parameterized()
transposed()
without_parameters()
series()
print(f"{len(list(HERE.glob('*.json')))} cases")
