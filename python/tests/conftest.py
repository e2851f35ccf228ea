"""A small table and networks that train in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

NET = """
param = {param}
data  = table("rows.csv", target = {target}, {more}split = random(train = 0.8))
model net {{ input -> dense(6) as hidden -> relu -> linear({width}) as last }}
train {{ loss = {loss}  optimizer = adam(lr = 0.02)  batch = 8  epochs = 4  metrics = [{metric}] }}
"""


def rows() -> np.ndarray:
    """[40, 3]: one column around 2000, one around 0, one of another size."""
    places = np.arange(40.0)
    return np.stack([2000 + 7 * places % 40, np.sin(places), 50 * np.cos(0.7 * places)], axis=1)


def written(folder: Path, *, param: str = "sp", classes: bool = False) -> Path:
    """A file and its table: targets are numbers, or one of three words."""
    x = rows()
    y = [f"kind {i % 3}" for i in range(len(x))] if classes else [str(3 * row[1] + row[2]) for row in x]
    lines = ["year,wave,other,y"] + [",".join(map(str, row)) + f",{target}" for row, target in zip(x, y)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    more = "task = classification, standardize = features, " if classes else "standardize = all, "
    loss, metric, width = ("cross_entropy", "accuracy", "data.classes") if classes else ("mse", "rmse", "1")
    text = NET.format(param=param, target='"y"', more=more, width=width, loss=loss, metric=metric)
    file = folder / "net.gmpnet"
    file.write_text(text)
    return file


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A regression."""
    return written(tmp_path)
