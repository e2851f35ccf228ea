#!/usr/bin/env python3
"""PyTorch's side of the comparison: a training step of VGG-6 on 32x32 images with 1000 classes, with momentum SGD.

  peer.py time MODE [BATCH] [SECONDS]    on a GPU: microseconds per step, for each parameterization and precision; MODE is `eager`
                                         or `max-autotune`; channels last, cudnn.benchmark, data on the GPU; the median of
                                         blocks, as one JSON line each; cases for which SECONDS were not enough are named
  peer.py small MODE [BATCH] [SECONDS]   the same for a network of UCI's size, 13-100-1, Adam
  peer.py count [BATCH]                  on any machine, with tensors without memory: launches and bytes of an eager step

`count` counts every operation that PyTorch dispatches as one launch, except views. The backward pass of a convolution counts as one
launch for each gradient that it returns. The optimizer is counted in its foreach form, with one launch per list of tensors. The
bytes are those of the tensors that each operation reads and writes, without what caches save. A real GPU launches more kernels:
for changes of layout, reductions in several kernels, and parts of long lists.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

PARAMS = ("sp", "bn", "gmp", "gmp + mn")
# The precisions of the comparison come first, in case the time is not enough for all of them.
PRECISIONS = ("tf32", "bf16", "f32")
MODES = ("eager", "max-autotune")


class Geometric(nn.Module):
    """r act(u(theta) * x + lambda), written as a user of PyTorch would. * is a 3x3 convolution, or with `dense` a product. With
    `mn`, the mean of each channel is subtracted from the result."""

    def __init__(self, inputs, units, mn=False, dense=False):
        super().__init__()
        angles = inputs - 1 if dense else 9 * inputs - 1
        w = torch.randn(units, angles + 1)
        tail = w.square().flip(1).cumsum(1).flip(1).sqrt()
        last = torch.atan2(w[:, -1:], w[:, -2:-1])
        self.theta = nn.Parameter(torch.cat([torch.atan2(tail[:, 1:-1], w[:, :-2]), last], 1))
        self.dense = dense
        self.offset = nn.Parameter(torch.zeros(units))
        self.scale = nn.Parameter(torch.ones(units))
        self.mn = mn
        if mn:
            self.register_buffer("mean", torch.zeros(units))

    def forward(self, x):
        s, c = torch.sin(self.theta), torch.cos(self.theta)
        one = torch.ones_like(s[:, :1])
        w = torch.cat([one, torch.cumprod(s, 1)], 1) * torch.cat([c, one], 1)
        if self.dense:
            return F.relu(F.linear(x, w, self.offset)) * self.scale
        w = w.view(w.shape[0], x.shape[1], 3, 3).contiguous(memory_format=torch.channels_last)
        y = F.relu(F.conv2d(x, w, self.offset, padding=1)) * self.scale.view(1, -1, 1, 1)
        if self.mn:
            mean = y.mean((0, 2, 3))
            with torch.no_grad():
                self.mean.lerp_(mean.detach().float(), 0.01)
            y = y - mean.view(1, -1, 1, 1)
        return y


def convolution(param, inputs, units):
    if param.startswith("gmp"):
        return Geometric(inputs, units, mn="mn" in param)
    if param == "bn":
        return nn.Sequential(
            nn.Conv2d(inputs, units, 3, padding=1, bias=False), nn.BatchNorm2d(units, 0.001, 0.01), nn.ReLU()
        )
    return nn.Sequential(nn.Conv2d(inputs, units, 3, padding=1), nn.ReLU())


def vgg6(param):
    layers, inputs = [], 3
    for units in (128, 256, 512):
        layers += [convolution(param, inputs, units), convolution(param, units, units), nn.MaxPool2d(2)]
        inputs = units
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def small(param):
    hidden = {
        "sp": lambda: nn.Sequential(nn.Linear(13, 100), nn.ReLU()),
        "bn": lambda: nn.Sequential(nn.Linear(13, 100, bias=False), nn.BatchNorm1d(100), nn.ReLU()),
        "gmp": lambda: Geometric(13, 100, dense=True),
    }
    return nn.Sequential(hidden[param](), nn.Linear(100, 1))


class Training:
    """VGG-6 on images with classes, or with `is_small` the small network on rows of a table with numbers as targets."""

    def __init__(self, param, batch, device, is_small=False):
        torch.manual_seed(0)
        if is_small:
            self.model, self.loss = small(param).to(device), F.mse_loss
            self.x, self.target = torch.randn(batch, 13).to(device), torch.randn(batch, 1).to(device)
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01, foreach=True)
            return
        self.model, self.loss = vgg6(param).to(device=device, memory_format=torch.channels_last), F.cross_entropy
        self.x = torch.randn(batch, 3, 32, 32).to(device).contiguous(memory_format=torch.channels_last)
        self.target = torch.randint(0, 1000, (batch,)).to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, foreach=True)

    def step(self, forward, half=False):
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            loss = self.loss(forward(self.x), self.target)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss


# ---------------------------------------------------------------- counts


def count(param, batch):
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    def size(tensors):
        return sum(t.numel() * t.element_size() for t in tree_leaves(tensors) if isinstance(t, torch.Tensor))

    class Counter(TorchDispatchMode):
        launches, read, written, libraries = 0, 0, 0, 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            name = func._schema.name.removeprefix("aten::")
            if name == "convolution_backward":
                gradient, x, weight = args[:3]
                for got, operands in zip(result, ([gradient, weight], [gradient, x], [gradient])):
                    if got is not None:
                        self.add(name, operands, got)
            elif not (func.is_view or name in ("detach", "alias", "empty_like", "empty", "_unsafe_view", "zeros_like")):
                writes = [a for a, given in zip(args, func._schema.arguments) if given.alias_info and given.alias_info.is_write]
                self.add(name, args, writes if writes else result)
            return result

        def add(self, name, reads, writes):
            self.launches += 1
            self.libraries += name in ("convolution", "convolution_backward", "mm", "addmm")
            self.read += size(reads)
            self.written += size(writes)

    with torch.device("meta"):
        training = Training(param, batch, "meta")
        training.step(training.model)  # the first step creates the state of the optimizer
        with Counter() as counter:
            training.step(training.model)
    return {"param": param, "batch": batch, "launches": counter.launches, "libraries": counter.libraries,
            "read_bytes": counter.read, "written_bytes": counter.written}


# ---------------------------------------------------------------- times


def precision(name):
    allowed = name != "f32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def microseconds(step):
    """The median time of a step, over blocks of ten steps with one synchronization each, after a second of warm-up. There are 15
    blocks, or at least five if two seconds are not enough for more."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < 1:
        step()
        torch.cuda.synchronize()
    blocks, began = [], time.perf_counter()
    while len(blocks) < 5 or (len(blocks) < 15 and time.perf_counter() - began < 2):
        begin = time.perf_counter()
        for _ in range(10):
            step()
        torch.cuda.synchronize()
        blocks.append((time.perf_counter() - begin) / 10 * 1e6)
    return statistics.median(blocks), min(blocks)


def times(mode, batch, is_small, end):
    torch.backends.cudnn.benchmark = True
    for name in ("f32",) if is_small else PRECISIONS:
        precision(name)
        for param in PARAMS[:3] if is_small else PARAMS:
            line = {"peer": "pytorch", "version": torch.__version__, "mode": mode, "param": param, "precision": name,
                    "batch": batch}
            if time.perf_counter() > end:
                print(json.dumps(line | {"error": "not run, the time is over"}), flush=True)
                continue
            torch._dynamo.reset()
            try:
                training = Training(param, batch, "cuda", is_small)
                forward = training.model if mode == "eager" else torch.compile(training.model, mode=mode)
                median, least = microseconds(lambda: training.step(forward, name == "bf16"))
                line |= {"us_per_step": median, "us_min": least}
            except Exception as error:  # reported, so that a gap in the table has a reason
                line["error"] = f"{type(error).__name__}: {error}"[:300]
            print(json.dumps(line), flush=True)


def main():
    what, *rest = sys.argv[1:] or [""]
    if what == "count":
        for param in PARAMS:
            print(json.dumps(count(param, int(rest[0]) if rest else 256)), flush=True)
    elif what in ("time", "small") and rest and rest[0] in MODES:
        if not torch.cuda.is_available():
            sys.exit("PyTorch sees no GPU")
        numbers = [int(word) for word in rest[1:]]
        batch = numbers[0] if numbers else 64 if what == "small" else 1024
        times(rest[0], batch, what == "small", time.perf_counter() + (numbers[1] if len(numbers) > 1 else 10**6))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
