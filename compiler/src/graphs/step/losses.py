"""Writes losses.txt: PyTorch's cross entropy for the rows of `tests.rs`. Run: python losses.py > losses.txt"""

import torch
from torch.nn.functional import cross_entropy

torch.set_default_dtype(torch.float64)
x = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.2, 0.3], [-0.7, 1.5, 0.0]])
y = torch.tensor([2, 0, 1])
w = torch.tensor([1.0, 2.5, 0.5])
balanced = 6 / (3 * torch.tensor([2.0, 1.0, 3.0]))
for weight, smoothing in [(None, 0.0), (None, 0.1), (w, 0.0), (w, 0.1), (balanced, 0.0)]:
    print(repr(float(cross_entropy(x, y, weight=weight, label_smoothing=smoothing))))
