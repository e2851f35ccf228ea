"""Training, stopping, going on, comparing."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

import gmpc
import numpy as np
import pytest


def test_overrides_are_text_numbers_truth_values_and_lists(net: Path, tmp_path: Path) -> None:
    told: list[dict] = []
    settings = {"train.epochs": np.int64(3), "train.optimizer.lr": 1e-05, "train.shuffle": False, "train.metrics": ["mae", "rmse"]}
    run = gmpc.train(net, out=tmp_path / "run", param="gmp", set=settings, seed=7, on_epoch=told.append)
    assert [epoch["epoch"] for epoch in told] == [1, 2, 3] and "train.mae" in told[0]
    assert run.about["seed"] == 7 and run.about["param"] == "gmp"
    assert run.curves["lr"][0] == 1e-05 and re.search(r"shuffle\s*= false", run.source)
    with pytest.raises(gmpc.UsageError) as caught:
        gmpc.train(net, out=tmp_path / "run")
    assert "run" in caught.value.message and caught.value.code is not None


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(net: Path, tmp_path: Path) -> None:
    whole = gmpc.train(net, out=tmp_path / "whole", set={"train.epochs": 40})

    class Enough(Exception):
        pass

    def stop(epoch: dict) -> None:
        if epoch["epoch"] == 11:
            raise Enough

    with pytest.raises(Enough):
        gmpc.train(net, out=tmp_path / "run", set={"train.epochs": 40}, on_epoch=stop)
    assert gmpc.load(tmp_path / "run").result is None
    resumed = gmpc.resume(tmp_path / "run")
    for name, weight in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], weight)
    np.testing.assert_array_equal(resumed.curves["train.loss"], whole.curves["train.loss"])


def test_ctrl_c_saves_and_raises(net: Path, tmp_path: Path) -> None:
    # A Python that a shell started in the background ignores Ctrl-C. This test is about one that does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            gmpc.train(net, out=tmp_path / "run", set={"train.epochs": 100_000_000})
    finally:
        signal.signal(signal.SIGINT, before)
    run = gmpc.load(tmp_path / "run")
    assert run.result is None and len(run.curves["epoch"]) > 1


def test_a_comparison_is_columns(net: Path) -> None:
    found = gmpc.compare(
        net, param=["sp", "gmp"], over={"train.optimizer.lr": [0.001, 0.01]}, repeats=3, baseline="sp"
    )
    runs, cells, differences = found.runs, found.cells, found.differences
    assert {len(column) for column in runs.values()} == {12} and {len(column) for column in cells.values()} == {4}
    assert runs["seed"][:3] == [0, 1, 2] and runs["error"] == [None] * 12
    for row in range(4):
        of_cell = [
            value
            for param, lr, value in zip(runs["param"], runs["train.optimizer.lr"], runs["test.rmse"])
            if (param, float(lr)) == (cells["param"][row], cells["train.optimizer.lr"][row])
        ]
        assert len(of_cell) == 3
        np.testing.assert_allclose(cells["mean"][row], np.mean(of_cell), rtol=1e-12)
        np.testing.assert_allclose(cells["stderr"][row], np.std(of_cell, ddof=1) / np.sqrt(3), rtol=1e-9)
    assert differences["param"] == ["gmp", "gmp"] and differences["baseline"] == ["sp", "sp"]
    assert "gmp" in str(found) and found._repr_markdown_() == found.markdown


def test_a_comparison_is_a_table_of_pandas(net: Path) -> None:
    pandas = pytest.importorskip("pandas")
    found = gmpc.compare(net, param=["sp", "gmp"], repeats=2)
    means = pandas.DataFrame(found.runs).groupby("param", sort=False)["test.rmse"].mean()
    np.testing.assert_allclose(means, found.cells["mean"], rtol=1e-12)
