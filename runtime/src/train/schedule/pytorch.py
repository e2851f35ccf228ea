"""Writes pytorch.txt: the rate of each step by PyTorch's schedulers, for the settings of gmpc that mean the same.

Run: python pytorch.py > pytorch.txt   (PyTorch 2, CPU). 6 epochs of 5 steps, rate 0.3.
"""

import warnings

import torch
from torch.optim import lr_scheduler as s

warnings.simplefilter("ignore")
EPOCHS, STEPS, LR = 6, 5, 0.3

# setting of gmpc, scheduler, does it count steps?
CASES = [
    ("step(every = 2, factor = 0.5)", lambda o: s.StepLR(o, 2, 0.5), False),
    ("step(every = 4, factor = 0.7, per = step)", lambda o: s.StepLR(o, 4, 0.7), True),
    ("milestones(at = [2, 5])", lambda o: s.MultiStepLR(o, [2, 5], 0.1), False),
    ("milestones(at = [3, 10, 11], factor = 0.5, per = step)", lambda o: s.MultiStepLR(o, [3, 10, 11], 0.5), True),
    ("exponential(factor = 0.9)", lambda o: s.ExponentialLR(o, 0.9), False),
    ("exponential(factor = 0.97, per = step)", lambda o: s.ExponentialLR(o, 0.97), True),
    ("linear(start = 0.2, final = 1, length = 4)", lambda o: s.LinearLR(o, 0.2, 1.0, 4), False),
    ("linear(start = 1, final = 0.1, per = step)", lambda o: s.LinearLR(o, 1.0, 0.1, 30), True),
    ("polynomial(power = 2)", lambda o: s.PolynomialLR(o, 6, 2.0), False),
    ("polynomial(power = 0.9, length = 20, per = step)", lambda o: s.PolynomialLR(o, 20, 0.9), True),
    ("cosine", lambda o: s.CosineAnnealingLR(o, 6), False),
    ("cosine(final = 0.1, per = step)", lambda o: s.CosineAnnealingLR(o, 30, eta_min=0.03), True),
    ("cosine_restarts(first = 2)", lambda o: s.CosineAnnealingWarmRestarts(o, 2), False),
    ("cosine_restarts(first = 4, longer = 2, final = 0.05, per = step)",
     lambda o: s.CosineAnnealingWarmRestarts(o, 4, 2, eta_min=0.015), True),
    ("one_cycle", lambda o: s.OneCycleLR(o, LR, total_steps=30, cycle_momentum=False), True),
    ("one_cycle(rise = 0.4, start = 0.1, final = 0.001, smooth = false)",
     lambda o: s.OneCycleLR(o, LR, total_steps=30, pct_start=0.4, anneal_strategy="linear", div_factor=10,
                            final_div_factor=100, cycle_momentum=False), True),
    ("cyclic(low = 0.1, up = 4)", lambda o: s.CyclicLR(o, 0.03, LR, 4, cycle_momentum=False), True),
    ("cyclic(low = 0.5, up = 3, down = 6, shrink = 0.5)",
     lambda o: s.CyclicLR(o, 0.15, LR, 3, 6, mode="triangular2", cycle_momentum=False), True),
]

for setting, scheduler, per_step in CASES:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    schedule = scheduler(optimizer)
    rates = []
    for _ in range(EPOCHS):
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if per_step and len(rates) < EPOCHS * STEPS:
                schedule.step()
        if not per_step:
            schedule.step()
    print(setting)
    print(" ".join(repr(float(rate)) for rate in rates))
