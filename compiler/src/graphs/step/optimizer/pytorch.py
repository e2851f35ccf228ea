"""Writes pytorch.txt: weights after seven steps of each optimizer, in f64, for the settings of gmpc that mean the same.

Run: python pytorch.py > pytorch.txt   (PyTorch 2 and NumPy, CPU)

The network is linear, 3 inputs and 2 outputs; loss mse; the same batch of 6 rows in each step. Numbers of the batch and the first
weights are sines, see `start`. What PyTorch does not have (Lion, LARS, LAMB, Muon in f64) is written out in NumPy.
"""

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
STEPS = 7


def start():
    x = np.array([[np.sin(1 + 3 * i + j) for j in range(3)] for i in range(6)])
    y = np.array([[np.cos(2 * i + j) for j in range(2)] for i in range(6)])
    w = np.array([[0.5 * np.sin(2 + 2 * i + u) for u in range(2)] for i in range(3)])  # [fan_in, units]
    b = np.array([0.1, 0.2])
    return x, y, w, b


def show(setting, w, b):
    print(setting)
    print(" ".join(repr(float(n)) for n in list(w.reshape(-1)) + list(b.reshape(-1))))


def by_torch(setting, make, clip=None, batches=1):
    x, y, w, b = start()
    x, y = torch.tensor(x), torch.tensor(y)
    w = torch.tensor(w.T.copy(), requires_grad=True)
    b = torch.tensor(b, requires_grad=True)
    optimizer = make(w, b)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = ((x @ w.T + b - y) ** 2).mean()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_([w, b], clip)
        optimizer.step()
    show(setting, w.detach().numpy().T, b.detach().numpy())


def by_numpy(setting, update):
    """`update(name, value, gradient, state, step)` gives the new value; weights are [units, fan_in] there."""
    x, y, w, b = start()
    w = w.T.copy()
    states = {"weight": {}, "offset": {}}
    for step in range(1, STEPS + 1):
        error = x @ w.T + b - y
        gw, gb = 2 * error.T @ x / error.size, 2 * error.sum(0) / error.size
        w, b = update("weight", w, gw, states["weight"], step), update("offset", b, gb, states["offset"], step)
    show(setting, w.T, b)


def lion(lr, b1, b2, wd):
    def update(_, v, g, s, step):
        m = s.get("m", np.zeros_like(v))
        c = b1 * m + (1 - b1) * g
        s["m"] = b2 * m + (1 - b2) * g
        return v * (1 - lr * wd) - lr * np.sign(c)
    return update


def lars(lr, momentum, wd, trust, eps=1e-8):
    def update(kind, v, g, s, step):
        if kind == "weight":
            nw, ng = np.linalg.norm(v), np.linalg.norm(g)
            g = (g + wd * v) * (trust * nw / (ng + wd * nw + eps))
        s["v"] = momentum * s.get("v", 0.0) + lr * g
        return v - s["v"]
    return update


def adam_step(g, s, step, b1, b2, eps):
    s["m"] = b1 * s.get("m", 0.0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0.0) + (1 - b2) * g * g
    return s["m"] / (1 - b1**step) / (np.sqrt(s["v"] / (1 - b2**step)) + eps)


def lamb(lr, wd, b1=0.9, b2=0.999, eps=1e-6):
    def update(kind, v, g, s, step):
        u = adam_step(g, s, step, b1, b2, eps)
        if kind != "weight":
            return v - lr * u
        u = u + wd * v
        return v - lr * np.linalg.norm(v) / np.linalg.norm(u) * u
    return update


def muon(lr, wd, momentum=0.95, other=0.1, scale="units"):
    def update(kind, v, g, s, step):
        if kind != "weight":
            return v - other * lr * adam_step(g, s, step, 0.9, 0.999, 1e-8)
        s["m"] = momentum * s.get("m", 0.0) + (1 - momentum) * g
        x = (1 - momentum) * g + momentum * s["m"]
        x = x / (np.linalg.norm(x) + 1e-7)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
        units, fan_in = v.shape
        size = 0.2 * np.sqrt(max(units, fan_in)) if scale == "adam" else np.sqrt(max(1, units / fan_in))
        return v * (1 - lr * wd) - lr * size * x
    return update


O = torch.optim
by_torch("optimizer = sgd(lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.01)",
         lambda w, b: O.SGD([w, b], 0.1, momentum=0.9, nesterov=True, weight_decay=0.01))
by_torch("optimizer = adam(lr = 0.05, weight_decay = 0.01)", lambda w, b: O.Adam([w, b], 0.05, weight_decay=0.01))
by_torch("optimizer = adamw(lr = 0.05)", lambda w, b: O.AdamW([w, b], 0.05))
by_torch("optimizer = amsgrad(lr = 0.05, weight_decay = 0.01)",
         lambda w, b: O.Adam([w, b], 0.05, amsgrad=True, weight_decay=0.01))
by_torch("optimizer = radam(lr = 0.05, beta2 = 0.7)", lambda w, b: O.RAdam([w, b], 0.05, betas=(0.9, 0.7)))
by_torch("optimizer = radam(lr = 0.05, weight_decay = 0.1)", lambda w, b: O.RAdam([w, b], 0.05, weight_decay=0.1))
by_torch("optimizer = nadam(lr = 0.05, weight_decay = 0.01)", lambda w, b: O.NAdam([w, b], 0.05, weight_decay=0.01))
by_torch("optimizer = adagrad(lr = 0.1, lr_decay = 0.1, start = 0.2, weight_decay = 0.01)",
         lambda w, b: O.Adagrad([w, b], 0.1, lr_decay=0.1, initial_accumulator_value=0.2, weight_decay=0.01))
by_torch("optimizer = rmsprop(lr = 0.01)", lambda w, b: O.RMSprop([w, b], 0.01))
by_torch("optimizer = rmsprop(lr = 0.01, momentum = 0.8, centred = true, weight_decay = 0.01)",
         lambda w, b: O.RMSprop([w, b], 0.01, momentum=0.8, centered=True, weight_decay=0.01))
by_torch("optimizer = adam(lr = 0.05, weight_decay = 0.1)  groups = [offset(lr = 0.2, weight_decay = 0)]",
         lambda w, b: O.Adam([{"params": [w]}, {"params": [b], "lr": 0.2, "weight_decay": 0}], 0.05, weight_decay=0.1))
by_torch("optimizer = sgd(lr = 0.3, momentum = 0.9)  clip_norm = 0.25",
         lambda w, b: O.SGD([w, b], 0.3, momentum=0.9), clip=0.25)
by_numpy("optimizer = lion(lr = 0.02, weight_decay = 0.1)", lion(0.02, 0.9, 0.99, 0.1))
by_numpy("optimizer = lars(lr = 2, trust = 0.05, weight_decay = 0.01)", lars(2, 0.9, 0.01, 0.05))
by_numpy("optimizer = lamb(lr = 0.05)", lamb(0.05, 0.01))
by_numpy("optimizer = muon(lr = 0.05)", muon(0.05, 0.1))
by_numpy('optimizer = muon(lr = 0.05, weight_decay = 0, scale = "adam", other = 0.5)',
         muon(0.05, 0, other=0.5, scale="adam"))
