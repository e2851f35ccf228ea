"""gmpc: compiles and trains neural networks whose weight parameterization is one annotation.

>>> import gmpc
>>> run = gmpc.train("examples/levy.gmpnet", param="gmp", set={"train.epochs": 500})
>>> run.result["test.rmse"]
>>> run.predict([[0.5], [1.5]])

A `.gmpnet` file describes network, data and training. :func:`check` says what is wrong with one, :func:`train` makes a :class:`Run` of
it, :func:`load` opens a run again, :func:`compare` puts parameterizations side by side. What goes wrong is an :class:`Error`, what is
worth telling a warning of the class :class:`Note`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Union

from . import _gmpc
from ._gmpc import Diagnostic, Label
from .comparison import Comparison
from .errors import (
    DataError,
    DeviceError,
    DivergedError,
    Error,
    InputOutputError,
    InternalError,
    Note,
    SourceError,
    UsageError,
)
from .run import Run

__all__ = [
    "Comparison",
    "DataError",
    "DeviceError",
    "Diagnostic",
    "DivergedError",
    "Error",
    "InputOutputError",
    "InternalError",
    "Label",
    "Note",
    "Run",
    "SourceError",
    "UsageError",
    "check",
    "compare",
    "load",
    "resume",
    "train",
]

__version__: str = _gmpc.VERSION

#: A path to a file or folder.
PathLike = Union[str, "os.PathLike[str]"]
#: A value for a key of `set`: as `--set KEY=VALUE` has it, or a number, a truth value, a list of them.
Value = Union[str, bool, int, float, Sequence[Any]]


def check(
    text: str,
    *,
    name: str = "text.gmpnet",
    beside: PathLike | None = None,
    param: str | None = None,
    set: Mapping[str, Value] | None = None,
    seed: int | None = None,
    data_dir: PathLike | None = None,
) -> list[Diagnostic]:
    """Everything that is wrong or worth telling about the text of a `.gmpnet` file; nothing is trained.

    No diagnostic of the severity ``"error"`` means that no later step can fail on a shape or a name.

    name: what diagnostics call the text.
    beside: the folder that tables named in it are looked for in; by default the working directory.
    param, set, seed: replace values of the text, as for :func:`train`.
    data_dir: where data sets are; by default ``GMPNET_DATA``, else the user's data folder.
    """
    asked = {
        "text": text,
        "name": name,
        "beside": os.fspath(beside) if beside is not None else "",
        "param": param,
        "set": _settings(set),
        "seed": seed,
        "data_dir": _path(data_dir),
    }
    return _gmpc.check(asked)


def train(
    file: PathLike,
    *,
    param: str | None = None,
    set: Mapping[str, Value] | None = None,
    seed: int | None = None,
    out: PathLike | None = None,
    force: bool = False,
    save_every: int | None = None,
    tensorboard: bool = False,
    data_dir: PathLike | None = None,
    threads: int | None = None,
    on_epoch: Callable[[dict[str, Any]], object] | None = None,
) -> Run:
    """Trains the experiment of a `.gmpnet` file and keeps it in a run folder.

    param: the parameterization, such as ``"gmp + mn"``, in the place of the file's.
    set: values of the file that are replaced: ``{"train.epochs": 500, "data": "uci.yacht"}``. Text stands for itself, as after ``--set``.
    seed: in the place of the file's.
    out: the run's folder, a new or an empty one; by default one of its own below ``runs``.
    force: a run that `out` holds is replaced.
    save_every: seconds between checkpoints.
    threads: by default as many as there are cores; results do not depend on it.
    on_epoch: is called after each epoch with its figures. What it raises ends the run, after it was saved.

    Ctrl-C ends the step, saves, and raises ``KeyboardInterrupt``; :func:`resume` goes on.
    """
    return _trained(
        file=_path(file),
        run=None,
        param=param,
        set=_settings(set),
        seed=seed,
        out=_path(out),
        force=force,
        save_every=save_every,
        tensorboard=tensorboard,
        data_dir=_path(data_dir),
        threads=threads,
        on_epoch=on_epoch,
    )


def resume(
    run: PathLike,
    *,
    save_every: int | None = None,
    tensorboard: bool = False,
    data_dir: PathLike | None = None,
    threads: int | None = None,
    on_epoch: Callable[[dict[str, Any]], object] | None = None,
) -> Run:
    """Goes on with a run that was stopped, bit for bit as if it had not been."""
    return _trained(
        file=None,
        run=_path(run),
        param=None,
        set=[],
        seed=None,
        out=None,
        force=False,
        save_every=save_every,
        tensorboard=tensorboard,
        data_dir=_path(data_dir),
        threads=threads,
        on_epoch=on_epoch,
    )


def load(run: PathLike, *, data_dir: PathLike | None = None, threads: int | None = None) -> Run:
    """Opens a run folder that :func:`train` or the program `gmpc` wrote. The training data need not be there."""
    return Run(_gmpc.Run(os.fspath(run), _path(data_dir), threads))


def compare(
    file: PathLike,
    *,
    param: str | Sequence[str] = (),
    over: Mapping[str, str | Sequence[Value]] | None = None,
    repeats: int = 1,
    metric: str | None = None,
    choose: str | Sequence[str] = (),
    baseline: str | None = None,
    random: int | None = None,
    search_seed: int = 0,
    out: PathLike | None = None,
    set: Mapping[str, Value] | None = None,
    seed: int | None = None,
    data_dir: PathLike | None = None,
    threads: int | None = None,
) -> Comparison:
    """Trains every combination `repeats` times, with seeds from `seed` upwards, and puts them side by side.

    param: parameterizations, ``["sp", "gmp"]``; by default the file's.
    over: further axes, ``{"train.optimizer.lr": [0.001, 0.01]}``; a text is taken as after ``--over KEY=``: ``"log(1e-4, 1, 9)"``.
    metric: what is compared, ``"test.rmse"``; by default the file's first metric on the test rows.
    choose: axes whose value is chosen for each parameterization, on validation rows.
    baseline: the parameterization that the others are compared with, seed by seed.
    random, search_seed: so many points are drawn from the ranges of `over`.
    out: a folder for finished runs; an interrupted comparison goes on from there.
    """
    asked = {
        "file": _path(file),
        "param": [param] if isinstance(param, str) else list(param),
        "over": [(key, _axis(values)) for key, values in (over or {}).items()],
        "repeats": repeats,
        "metric": metric,
        "choose": [choose] if isinstance(choose, str) else list(choose),
        "baseline": baseline,
        "random": random,
        "search_seed": search_seed,
        "out": _path(out),
        "set": _settings(set),
        "seed": seed,
        "data_dir": _path(data_dir),
        "threads": threads,
    }
    runs, lines, markdown = _gmpc.compare(asked)
    return Comparison.of(runs, lines, markdown)


def _trained(*, on_epoch: Callable[[dict[str, Any]], object] | None, **asked: Any) -> Run:
    def told(line: str) -> None:
        if on_epoch is not None:
            on_epoch(json.loads(line))

    asked["on_epoch"] = told if on_epoch is not None else None
    folder, _ = _gmpc.train(asked)
    return load(folder, data_dir=asked["data_dir"], threads=asked["threads"])


def _path(path: PathLike | None) -> str | None:
    return None if path is None else os.fspath(path)


def _settings(settings: Mapping[str, Value] | None) -> list[tuple[str, str]]:
    return [(key, _text(value)) for key, value in (settings or {}).items()]


def _text(value: Value) -> str:
    """A value as the language writes it."""
    if isinstance(value, str):
        return value
    # A number of NumPy's becomes one of Python's, a row of them a list.
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Iterable):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return repr(value)


def _axis(values: str | Sequence[Value]) -> str:
    return values if isinstance(values, str) else ",".join(_text(value) for value in values)
